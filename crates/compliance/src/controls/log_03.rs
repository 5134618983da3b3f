//! FERPA-LOG-03: trails sign what they record.

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::trails;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-03",
    title: "Log-file validation is on",
    statement: "Every trail delivers signed digests of its log files.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.8"],
    why: "Only a signed digest shows that a log file was neither changed nor removed after delivery.",
    reads: &[&["cloudtrail.trail.log_file_validation", "cloudtrail.trail.multi_region"]],
    remedy: Remedy {
        stack: "`deploy`: the trail's log files are validated",
        api: "cloudtrail:UpdateTrail with EnableLogFileValidation = true",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    trails::each(facts, |trail| {
        let on = trail.read(&["log_file_validation"])?.log_file_validation;
        let good = "log files are validated";
        let verdict = Verdict::of(on, good, "log files are not validated");
        Ok(verdict.with("cloudtrail:DescribeTrails", "LogFileValidationEnabled", on))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only, trail};

    #[tokio::test]
    async fn validation_is_wanted() {
        assert_eq!(only(&judged(&CONTROL, &trail(|it| it)).await).0, Status::Pass);
        let off = trail(|it| it.log_file_validation_enabled(false));
        let found = judged(&CONTROL, &off).await;
        assert_eq!(only(&found), (Status::Fail, "log files are not validated"));
    }

    #[tokio::test]
    async fn trails_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_cloudtrail, describe_trails, DescribeTrailsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
