//! FERPA-LOG-13: GuardDuty looks for threats.

use engine::Inspected;
use security::Detector;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-13",
    title: "GuardDuty is on",
    statement: "The region has a GuardDuty detector, and it is enabled.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.14.6"],
    why: "GuardDuty notices stolen credentials and data on its way out, which single log lines do not show.",
    reads: &[&["guardduty.detector.enabled"]],
    remedy: Remedy {
        stack: "`guards.guardduty = true`",
        api: "guardduty:CreateDetector with Enable = true",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let detectors = facts.each::<Detector>(|detector| {
        let on = detector.read(&["enabled"])?.enabled;
        let status = if on { "ENABLED" } else { "DISABLED" };
        let verdict = Verdict::of(on, "GuardDuty is on", "GuardDuty's detector is disabled");
        Ok(verdict.with("guardduty:GetDetector", "Status", status))
    });
    if !detectors.is_empty() {
        return detectors;
    }
    let none = Verdict::fail("GuardDuty is not on in this region");
    let none = none.with("guardduty:ListDetectors", "DetectorIds", Vec::<String>::new());
    vec![facts.whole(Detector::KIND, Ok(none))]
}

#[cfg(test)]
mod tests {
    use aws_sdk_guardduty::operation::get_detector::GetDetectorOutput;
    use aws_sdk_guardduty::operation::list_detectors::ListDetectorsOutput;
    use aws_sdk_guardduty::types::DetectorStatus;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn detector(status: DetectorStatus) -> Vec<Rule> {
        vec![
            mock!(aws_sdk_guardduty::Client::list_detectors)
                .then_output(|| ListDetectorsOutput::builder().detector_ids("d").build()),
            mock!(aws_sdk_guardduty::Client::get_detector).then_output(move || {
                GetDetectorOutput::builder().service_role("r").status(status.clone()).build()
            }),
        ]
    }

    #[tokio::test]
    async fn a_detector_that_looks_is_wanted() {
        let found = judged(&CONTROL, &detector(DetectorStatus::Enabled)).await;
        assert_eq!(only(&found), (Status::Pass, "GuardDuty is on"));
        let found = judged(&CONTROL, &detector(DetectorStatus::Disabled)).await;
        assert_eq!(only(&found), (Status::Fail, "GuardDuty's detector is disabled"));
        let found = judged(&CONTROL, &[]).await;
        assert_eq!(only(&found), (Status::Fail, "GuardDuty is not on in this region"));
    }

    #[tokio::test]
    async fn detectors_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_guardduty, list_detectors, ListDetectorsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
