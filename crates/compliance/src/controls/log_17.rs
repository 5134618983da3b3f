//! FERPA-LOG-17: execution logs are kept, and hold no records.

use api::Stage;
use api::stage::EVERY_METHOD;
use serde_json::{Map, Value, json};

use crate::apis::listed;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-17",
    title: "API stages log how requests fare, and no bodies",
    statement: "Every stage of a REST API writes execution logs, and in none of its methods do they hold whole requests and responses.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.3.1"],
    why: "Without execution logs nobody can tell why a request failed; with bodies in them, whoever reads logs reads student records.",
    reads: &[&["apigateway.stage.method_settings"]],
    remedy: Remedy {
        stack: "`api.logging_level`; `deploy`: bodies are never logged",
        api: "apigateway:UpdateStage with /*/*/logging/loglevel and /*/*/logging/dataTrace",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Stage>(|stage| {
        let settings = &stage.read(&["method_settings"])?.method_settings;
        let logs = |level: &str| matches!(level, "INFO" | "ERROR");
        let mut faults = Vec::new();
        let bodies = settings.iter().filter(|(_, one)| one.data_trace && logs(&one.logging_level));
        let bodies: Vec<String> = bodies.map(|(key, _)| key.clone()).collect();
        if !bodies.is_empty() {
            let methods = listed(&bodies);
            faults.push(format!("requests and responses are logged as a whole for {methods}"));
        }
        if !settings.get(EVERY_METHOD).is_some_and(|all| logs(&all.logging_level)) {
            faults.push("no execution log says how requests fare".to_owned());
        }
        let silent = settings
            .iter()
            .filter(|(key, one)| key.as_str() != EVERY_METHOD && !logs(&one.logging_level));
        let silent: Vec<String> = silent.map(|(key, _)| key.clone()).collect();
        if !silent.is_empty() {
            faults.push(format!("executions are not logged for {}", listed(&silent)));
        }
        let said = settings.iter().map(|(key, one)| {
            let said =
                json!({"loggingLevel": one.logging_level, "dataTraceEnabled": one.data_trace});
            (key.clone(), said)
        });
        let said: Map<String, Value> = said.collect();
        let good = "executions are logged, without requests and responses";
        let verdict = Verdict::of(faults.is_empty(), good, faults.join("; "));
        Ok(verdict.with("apigateway:GET", "methodSettings", said))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::types::MethodSetting;
    use aws_sdk_apigateway::types::builders::MethodSettingBuilder;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::apigateway::{rest_api, stage};
    use crate::testing::{denied, judged, only};

    fn logged(level: &str) -> MethodSettingBuilder {
        MethodSetting::builder().logging_level(level)
    }

    async fn with(key: &'static str, settings: MethodSettingBuilder) -> (Status, String) {
        let settings = settings.build();
        let stage = stage(move |it| {
            let all = it.method_settings("*/*", logged("INFO").build());
            all.method_settings(key, settings.clone())
        });
        let found = judged(&CONTROL, &[rest_api(|it| it), stage].concat()).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn executions_are_logged_and_bodies_are_not() {
        assert_eq!(with("*/*", logged("ERROR")).await.0, Status::Pass);
        let (status, message) = with("*/*", logged("OFF")).await;
        let why = "no execution log says how requests fare";
        assert_eq!((status, message.as_str()), (Status::Fail, why));
        let (status, message) =
            with("~1students/GET", logged("INFO").data_trace_enabled(true)).await;
        assert_eq!(status, Status::Fail);
        assert!(message.contains("as a whole for ~1students/GET"), "{message}");
        assert_eq!(with("~1students/GET", logged("OFF")).await.0, Status::Fail);
        // What is not logged holds no bodies.
        let (_, message) = with("~1students/GET", logged("OFF").data_trace_enabled(true)).await;
        assert_eq!(message, "executions are not logged for ~1students/GET");
    }

    #[tokio::test]
    async fn stages_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_apigateway, get_stages, GetStagesError);
        let found = judged(&CONTROL, &[vec![denied], rest_api(|it| it)].concat()).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}
