//! FERPA-ENC-12: performance insights are encrypted with a customer key.

use data::DbInstance;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::keys::AtRest;

const CALL: &str = "rds:DescribeDBInstances";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-12",
    title: "Performance insights are encrypted with a customer key",
    statement: "What performance insights keep of an instance is encrypted with a customer-managed KMS key.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.13.16"],
    why: "Performance insights keep the text of statements, which may name students.",
    reads: &[&["rds.instance.performance_insights", "rds.instance.outputs", "kms.key"]],
    remedy: Remedy {
        stack: "`deploy`: performance insights always have the database's key",
        api: "rds:ModifyDBInstance with EnablePerformanceInsights=false, then again with true and PerformanceInsightsKMSKeyId",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<DbInstance>(|instance| {
        let spec = instance.read(&["performance_insights"])?;
        let Some(insights) = &spec.performance_insights else {
            if instance.live().output("performance_insights") != Some("false") {
                let what = format!("whether performance insights of {} are on", instance.live().id);
                return Err(Unread { what, error: None });
            }
            let off = Verdict::not_applicable("performance insights are off");
            return Ok(off.with(CALL, "PerformanceInsightsEnabled", false));
        };
        let key = insights.kms_key.as_ref().map(|key| key.as_str());
        let verdict = AtRest::with(facts, key)?.verdict("what performance insights keep");
        Ok(verdict
            .with(CALL, "PerformanceInsightsEnabled", true)
            .with(CALL, "PerformanceInsightsKMSKeyId", key))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{instances, member, standalone};
    use crate::testing::{KEY, customer_key, denied, judged, only};

    #[tokio::test]
    async fn a_customer_key_is_wanted_where_insights_are_on() {
        let on = member("records-1", "us-east-1a").performance_insights_enabled(true);
        for (instance, status) in [
            (on.clone().performance_insights_kms_key_id(KEY), Status::Pass),
            (on, Status::Fail),
            (
                member("records-1", "us-east-1a").performance_insights_enabled(false),
                Status::NotApplicable,
            ),
            (member("records-1", "us-east-1a"), Status::Unknown),
            (
                standalone()
                    .performance_insights_enabled(true)
                    .performance_insights_kms_key_id("arn:aws:kms:us-east-1:210987654321:key/1"),
                Status::Fail,
            ),
        ] {
            let mut rules = customer_key();
            rules.push(instances(vec![instance.build()]));
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn instances_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_rds, describe_db_instances, DescribeDBInstancesError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
