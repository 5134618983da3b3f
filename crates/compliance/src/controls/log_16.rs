//! FERPA-LOG-16: databases record what loads them.

use data::DbInstance;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

const CALL: &str = "rds:DescribeDBInstances";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-16",
    title: "Databases have performance insights",
    statement: "Performance insights are on for every database instance.",
    severity: Severity::Low,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.3.1"],
    why: "Which statement, user and host a database was busy with, and when, shows who copied records in bulk and why nobody else could read theirs.",
    reads: &[&["rds.instance.performance_insights", "rds.instance.outputs"]],
    remedy: Remedy {
        stack: "`deploy`: performance insights are always on; `database.performance_insights_days` says for how long they are kept",
        api: "rds:ModifyDBInstance with EnablePerformanceInsights and PerformanceInsightsKMSKeyId",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<DbInstance>(|instance| {
        let on = match &instance.read(&["performance_insights"])?.performance_insights {
            Some(_) => true,
            None if instance.live().output("performance_insights") == Some("false") => false,
            None => {
                let what = format!("whether performance insights of {} are on", instance.live().id);
                return Err(Unread { what, error: None });
            }
        };
        let verdict =
            Verdict::of(on, "performance insights are on", "performance insights are off");
        Ok(verdict.with(CALL, "PerformanceInsightsEnabled", on))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{instances, member};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn insights_are_on_or_off_or_nobody_says() {
        let one = member("records-1", "us-east-1a");
        for (instance, status) in [
            (one.clone().performance_insights_enabled(true), Status::Pass),
            (one.clone().performance_insights_enabled(false), Status::Fail),
            (one, Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[instances(vec![instance.build()])]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn instances_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_rds, describe_db_instances, DescribeDBInstancesError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
