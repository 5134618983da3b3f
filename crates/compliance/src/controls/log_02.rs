//! FERPA-LOG-02: trails record, and what they record arrives.

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::trails;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-02",
    title: "Trails are logging, without delivery errors",
    statement: "Every trail is logging, and its last deliveries succeeded.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.4"],
    why: "A trail that was stopped, or that cannot deliver, looks like one that works until it is needed.",
    reads: &[&[
        "cloudtrail.trail.logging",
        "cloudtrail.trail.delivery_error",
        "cloudtrail.trail.multi_region",
    ]],
    remedy: Remedy {
        stack: "`deploy`: a stopped trail is started, and its bucket, key and role let it deliver",
        api: "cloudtrail:StartLogging; then whatever the delivery error says of the bucket, key or role",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    trails::each(facts, |trail| {
        let call = "cloudtrail:GetTrailStatus";
        let spec = trail.read(&["logging", "delivery_error"])?;
        let verdict = match &spec.delivery_error {
            _ if !spec.logging => Verdict::fail("the trail is stopped"),
            Some(why) => Verdict::fail(format!("the last delivery failed: {why}")),
            None => Verdict::pass("the trail is logging, and its last deliveries succeeded"),
        };
        Ok(verdict.with(call, "IsLogging", spec.logging).with(
            call,
            "LatestDeliveryError",
            spec.delivery_error.clone(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
    use aws_sdk_cloudtrail::operation::get_trail_status::builders::GetTrailStatusOutputBuilder;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only, trail};

    fn with_status(
        change: fn(GetTrailStatusOutputBuilder) -> GetTrailStatusOutputBuilder,
    ) -> Vec<Rule> {
        let status = mock!(aws_sdk_cloudtrail::Client::get_trail_status)
            .then_output(move || change(GetTrailStatusOutput::builder().is_logging(true)).build());
        let mut rules = vec![status];
        rules.extend(trail(|it| it));
        rules
    }

    #[tokio::test]
    async fn a_trail_that_logs_and_delivers_is_wanted() {
        assert_eq!(only(&judged(&CONTROL, &trail(|it| it)).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn a_stopped_trail_and_one_that_cannot_deliver_fail() {
        let found = judged(&CONTROL, &with_status(|it| it.is_logging(false))).await;
        assert_eq!(only(&found), (Status::Fail, "the trail is stopped"));
        let found =
            judged(&CONTROL, &with_status(|it| it.latest_delivery_error("NoSuchBucket"))).await;
        assert_eq!(only(&found), (Status::Fail, "the last delivery failed: NoSuchBucket"));
        let alarms = with_status(|it| it.latest_cloud_watch_logs_delivery_error("AccessDenied"));
        assert_eq!(only(&judged(&CONTROL, &alarms).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn a_status_that_cannot_be_read_is_unknown() {
        let mut rules = vec![denied!(aws_sdk_cloudtrail, get_trail_status, GetTrailStatusError)];
        rules.extend(trail(|it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
