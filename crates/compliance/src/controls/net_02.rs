//! FERPA-NET-02: databases are not publicly accessible.

use data::DbInstance;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-02",
    title: "Databases are not publicly accessible",
    statement: "No database instance has a public address.",
    severity: Severity::Critical,
    citations: &["NIST SP 800-171r2 3.13.5"],
    why: "A database with a public address is one security-group rule away from everybody.",
    reads: &[&["rds.instance.publicly_accessible"]],
    remedy: Remedy {
        stack: "`deploy`: instances never have a public address",
        api: "rds:ModifyDBInstance with PubliclyAccessible=false",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<DbInstance>(|instance| {
        let public = instance.read(&["publicly_accessible"])?.publicly_accessible;
        let verdict = Verdict::of(
            !public,
            "the instance has no public address",
            "the instance is publicly accessible",
        );
        Ok(verdict.with("rds:DescribeDBInstances", "PubliclyAccessible", public))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{instances, member, standalone};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn no_instance_has_a_public_address() {
        let denied = denied!(aws_sdk_rds, describe_db_instances, DescribeDBInstancesError);
        let one = || member("records-1", "us-east-1a");
        for (rule, status) in [
            (instances(vec![one().build()]), Status::Pass),
            (instances(vec![standalone().build()]), Status::Pass),
            (instances(vec![one().publicly_accessible(true).build()]), Status::Fail),
            (instances(vec![one().set_publicly_accessible(None).build()]), Status::Fail),
            (denied, Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[rule]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}
