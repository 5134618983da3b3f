//! FERPA-ENC-14: what an API caches is encrypted.

use api::Stage;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-14",
    title: "What an API caches is encrypted",
    statement: "Every API stage with a cache encrypts the responses in it, for every method that caches.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.16"],
    why: "Cached responses are records at rest.",
    reads: &[&["apigateway.stage.cache_cluster", "apigateway.stage.method_settings"]],
    remedy: Remedy {
        stack: "`deploy`: the stage has no cache",
        api: "apigateway:UpdateStage with /*/*/caching/dataEncrypted = true",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let has_cache = |stage: &engine::Live<Stage>| {
        stage.spec.cache_cluster || stage.unreadable.contains_key("cache_cluster")
    };
    facts.each_where::<Stage>(has_cache, |stage| {
        let spec = stage.read(&["cache_cluster", "method_settings"])?;
        let settings = || spec.method_settings.iter().filter(|(_, settings)| settings.caching);
        let plain: Vec<&str> = settings()
            .filter(|(_, settings)| !settings.cache_encrypted)
            .map(|(method, _)| method.as_str())
            .collect();
        let verdict = match (settings().next(), plain.is_empty()) {
            (None, _) => Verdict::pass("there is a cache, and no method puts responses into it"),
            (Some(_), true) => Verdict::pass("cached responses are encrypted"),
            (Some(_), false) => Verdict::fail(format!(
                "cached responses are not encrypted for {}",
                plain.join(", ")
            )),
        };
        Ok(verdict
            .with("apigateway:GET", "cacheClusterEnabled", spec.cache_cluster)
            .with("apigateway:GET", "methodSettings.cacheDataEncrypted", plain.is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::types::MethodSetting;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only, stage};

    fn setting(encrypted: bool) -> MethodSetting {
        MethodSetting::builder().caching_enabled(true).cache_data_encrypted(encrypted).build()
    }

    #[tokio::test]
    async fn a_stage_without_a_cache_is_no_concern() {
        let found = judged(&CONTROL, &stage(|it| it.method_settings("*/*", setting(false)))).await;
        assert_eq!(only(&found).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn every_method_that_caches_encrypts() {
        let good = stage(|it| it.cache_cluster_enabled(true).method_settings("*/*", setting(true)));
        assert_eq!(only(&judged(&CONTROL, &good).await).0, Status::Pass);
        let bad = stage(|it| {
            it.cache_cluster_enabled(true)
                .method_settings("*/*", setting(true))
                .method_settings("~1students/GET", setting(false))
        });
        let found = judged(&CONTROL, &bad).await;
        let message = "cached responses are not encrypted for ~1students/GET";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn apis_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_apigateway, get_rest_apis, GetRestApisError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
