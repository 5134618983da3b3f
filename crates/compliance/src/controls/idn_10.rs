//! FERPA-IDN-10: no secret in plain settings.

use std::collections::BTreeMap;

use api::{HttpApi, Stage};
use compute::Function;
use compute::task_definition::Container;
use engine::plaintext::{in_command, looks_like};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::tasks::{READS, each_in_force, of_containers};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-10",
    title: "No secret in plain settings",
    statement: "No container's environment, command line or log options, no function's environment and no API stage's variables hold a secret: secrets come from Secrets Manager or Parameter Store.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.10"],
    why: "Whoever may describe a task definition, a function or a stage reads its settings, and a password in them opens the records to all of them.",
    reads: &[
        &[
            "ecs.task_definition.containers",
            "lambda.function.environment",
            "apigateway.stage.variables",
            "apigatewayv2.api.stages",
        ],
        READS,
    ],
    remedy: Remedy {
        stack: "`service.secrets` instead of `service.environment`; `deploy`, which takes out what somebody added; then rotate what was there",
        api: "ecs:RegisterTaskDefinition with secrets (valueFrom) instead of environment, ecs:DeleteTaskDefinitions for the old revisions; lambda:UpdateFunctionConfiguration and apigateway:PATCH without the secret, which the program fetches itself; then rotate what was there",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let tasks = each_in_force(
        facts,
        |_| true,
        |task| {
            let spec = task.read(&["containers"])?;
            let good = "nothing in the plain environment of its containers looks like a secret";
            // Names only: a value may be one.
            let names: Vec<&String> =
                spec.containers.values().flat_map(|one| one.environment.keys()).collect();
            let field = "containerDefinitions.environment.name";
            let call = "ecs:DescribeTaskDefinition";
            Ok(of_containers(spec, good, faults).with(call, field, serde_json::json!(names)))
        },
    );
    let functions = facts.each::<Function>(|function| {
        let variables = &function.read(&["environment"])?.environment;
        let verdict = verdict(in_settings(variables, ""), "its environment");
        Ok(verdict.with("lambda:ListFunctions", "Environment.Variables", names(variables)))
    });
    let stages = facts.each::<Stage>(|stage| {
        let variables = &stage.read(&["variables"])?.variables;
        let verdict = verdict(in_settings(variables, "the variable "), "its variables");
        Ok(verdict.with("apigateway:GET", "variables", names(variables)))
    });
    let apis = facts.each::<HttpApi>(|api| {
        let stages = &api.read(&["stages"])?.stages;
        let found = stages.iter().flat_map(|(name, stage)| {
            in_settings(&stage.variables, &format!("the stage {name}'s variable "))
        });
        let verdict = verdict(found.collect(), "the variables of its stages");
        let names: BTreeMap<&String, Vec<&str>> =
            stages.iter().map(|(name, stage)| (name, names(&stage.variables))).collect();
        Ok(verdict.with("apigateway:GET", "StageVariables", serde_json::json!(names)))
    });
    [tasks, functions, stages, apis].concat()
}

/// Names only: a value may be a secret.
fn names(settings: &BTreeMap<String, String>) -> Vec<&str> {
    settings.keys().map(String::as_str).collect()
}

/// The secrets among some settings: what each looks like, and where it is.
fn in_settings(settings: &BTreeMap<String, String>, place: &str) -> Vec<String> {
    let settings = settings.iter();
    let secrets = settings.filter_map(|(name, value)| {
        Some(format!("has {} in {place}{name}", looks_like(name, value)?))
    });
    secrets.collect()
}

fn verdict(faults: Vec<String>, place: &str) -> Verdict {
    let good = format!("nothing in {place} looks like a secret");
    Verdict::of(faults.is_empty(), good, format!("it {}", faults.join(" and ")))
}

fn faults(container: &Container) -> Vec<String> {
    let environment = in_settings(&container.environment, "");
    let logs = container.log.iter();
    let options = logs.flat_map(|log| in_settings(&log.options, "the log option "));
    let in_words = |words: &[String], place: &str| -> Vec<String> {
        let secrets = in_command(words).into_iter().flatten();
        secrets.map(|secret| format!("has {secret} in its {place}")).collect()
    };
    let command = in_words(&container.command, "command");
    let entry_point = in_words(&container.entry_point, "command");
    let check = container.health_check.as_ref().map(|check| check.command.as_slice());
    let check = in_words(check.unwrap_or_default(), "health check");
    let all = environment.into_iter().chain(options);
    all.chain(command).chain(entry_point).chain(check).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigatewayv2::types::ProtocolType;
    use aws_sdk_ecs::types::KeyValuePair;
    use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
    use aws_sdk_lambda::operation::list_functions::ListFunctionsOutput;
    use aws_sdk_lambda::types::{EnvironmentError, EnvironmentResponse, FunctionConfiguration};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::apigateway::http_api;
    use crate::testing::ecs::{ContainerBuilder, task};
    use crate::testing::{denied, judged, only, stage};

    fn variable(it: ContainerBuilder, name: &str, value: &str) -> ContainerBuilder {
        it.environment(KeyValuePair::builder().name(name).value(value).build())
    }

    /// A function whose environment Lambda describes like this.
    fn function(environment: fn() -> EnvironmentResponse) -> Vec<Rule> {
        let functions = move || {
            let one = FunctionConfiguration::builder()
                .function_name("rotate")
                .function_arn("arn:aws:lambda:us-east-1:123456789012:function:rotate")
                .environment(environment());
            ListFunctionsOutput::builder().functions(one.build()).build()
        };
        vec![
            mock!(aws_sdk_lambda::Client::list_functions).then_output(functions),
            mock!(aws_sdk_lambda::Client::get_function)
                .then_output(|| GetFunctionOutput::builder().build()),
        ]
    }

    /// That the only judgement is this failure, and that it gives nothing away.
    #[track_caller]
    fn fails(found: &[Judgement], why: &str) {
        assert_eq!(only(found), (Status::Fail, why));
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn secrets_are_found_and_never_repeated() {
        let bad = task(|it| {
            let it = variable(it, "DB_PASSWORD", "hunter2");
            let it = variable(it, "DATABASE", "postgres://u:hunter2@db/records");
            it.command("serve").command("--url=redis://:hunter2@cache")
        });
        let why = "api has a URL with a password in DATABASE and has a secret, by its name in DB_PASSWORD and \
                   has a URL with a password in its command";
        fails(&judged(&CONTROL, &bad).await, why);
    }

    #[tokio::test]
    async fn secrets_in_a_functions_environment_are_found() {
        let bad = function(|| {
            let url = "postgres://u:hunter2@db/records";
            let environment = EnvironmentResponse::builder().variables("DATABASE", url);
            environment.variables("DB_PASSWORD", "hunter2").variables("LEVEL", "info").build()
        });
        let why = "it has a URL with a password in DATABASE and has a secret, by its name in DB_PASSWORD";
        let found = judged(&CONTROL, &bad).await;
        fails(&found, why);
        let names = serde_json::json!(["DATABASE", "DB_PASSWORD", "LEVEL"]);
        assert_eq!(found[0].evidence[0].value, names, "their names are no secrets");
    }

    #[tokio::test]
    async fn secrets_in_stage_variables_are_found() {
        let bad = stage(|it| it.variables("db_password", "hunter2").variables("level", "info"));
        let why = "it has a secret, by its name in the variable db_password";
        fails(&judged(&CONTROL, &bad).await, why);

        let bad = http_api(
            ProtocolType::Http,
            |route| route,
            |integration| integration,
            |stage| stage.stage_variables("db_password", "hunter2"),
        );
        let why = "it has a secret, by its name in the stage $default's variable db_password";
        fails(&judged(&CONTROL, &bad).await, why);
    }

    #[tokio::test]
    async fn plain_settings_are_none() {
        let good = task(|it| variable(it, "DB_ENDPOINT", "db.example.edu"));
        assert_eq!(only(&judged(&CONTROL, &good).await).0, Status::Pass);
        let good = function(|| {
            EnvironmentResponse::builder().variables("DB_ENDPOINT", "db.example.edu").build()
        });
        assert_eq!(only(&judged(&CONTROL, &good).await).0, Status::Pass);
        let good = stage(|it| it.variables("db_endpoint", "db.example.edu"));
        assert_eq!(only(&judged(&CONTROL, &good).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn what_cannot_be_described_is_unknown() {
        let mut rules = task(|it| it);
        rules.pop();
        rules.push(denied!(aws_sdk_ecs, describe_task_definition, DescribeTaskDefinitionError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);

        // The function's key keeps whoever asks from its environment, and Lambda shows the rest.
        let rules = function(|| {
            let error = EnvironmentError::builder().error_code("AccessDeniedException");
            EnvironmentResponse::builder().error(error.message("KMS access denied").build()).build()
        });
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);

        let rules = [denied!(aws_sdk_apigatewayv2, get_apis, GetApisError)];
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
