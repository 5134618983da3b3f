//! FERPA-IDN-10: no secret in a container's plain environment.

use compute::task_definition::Container;
use engine::plaintext::{in_command, looks_like};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::tasks::{READS, each_in_force, of_containers};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-10",
    title: "No secret in a container's plain environment",
    statement: "No container's environment, command line or log options hold a secret: secrets come from Secrets Manager or Parameter Store.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.10"],
    why: "A task definition is readable to everybody who may look at ECS, for ever, and a password in it opens the records to all of them.",
    reads: &[&["ecs.task_definition.containers"], READS],
    remedy: Remedy {
        stack: "`service.secrets` instead of `service.environment`; then rotate what was there",
        api: "ecs:RegisterTaskDefinition with secrets (valueFrom) instead of environment, ecs:DeleteTaskDefinitions for the old revisions; then rotate what was there",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    each_in_force(
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
    )
}

fn faults(container: &Container) -> Vec<String> {
    let environment = container.environment.iter();
    let environment = environment
        .filter_map(|(name, value)| Some(format!("has {} in {name}", looks_like(name, value)?)));
    let options = container.log.iter().flat_map(|log| &log.options);
    let options = options.filter_map(|(name, value)| {
        Some(format!("has {} in the log option {name}", looks_like(name, value)?))
    });
    let in_words = |words: &[String], place: &str| -> Vec<String> {
        let secrets = in_command(words).into_iter().flatten();
        secrets.map(|secret| format!("has {secret} in its {place}")).collect()
    };
    let command = in_words(&container.command, "command");
    let entry_point = in_words(&container.entry_point, "command");
    let check = container.health_check.as_ref().map(|check| check.command.as_slice());
    let check = in_words(check.unwrap_or_default(), "health check");
    environment.chain(options).chain(command).chain(entry_point).chain(check).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::KeyValuePair;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ecs::{ContainerBuilder, task};
    use crate::testing::{denied, judged, only};

    fn variable(it: ContainerBuilder, name: &str, value: &str) -> ContainerBuilder {
        it.environment(KeyValuePair::builder().name(name).value(value).build())
    }

    #[tokio::test]
    async fn secrets_are_found_and_never_repeated() {
        let bad = task(|it| {
            let it = variable(it, "DB_PASSWORD", "hunter2");
            let it = variable(it, "DATABASE", "postgres://u:hunter2@db/records");
            it.command("serve").command("--url=redis://:hunter2@cache")
        });
        let found = judged(&CONTROL, &bad).await;
        let why = "api has a URL with a password in DATABASE and has a secret, by its name in DB_PASSWORD and \
                   has a URL with a password in its command";
        assert_eq!(only(&found), (Status::Fail, why));
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn plain_settings_are_none() {
        let good = task(|it| variable(it, "DB_ENDPOINT", "db.example.edu"));
        assert_eq!(only(&judged(&CONTROL, &good).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn a_revision_that_cannot_be_described_is_unknown() {
        let mut rules = task(|it| it);
        rules.pop();
        rules.push(denied!(aws_sdk_ecs, describe_task_definition, DescribeTaskDefinitionError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
