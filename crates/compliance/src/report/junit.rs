//! JUnit XML, for build servers: a suite for each family, a case for each finding; and a suite of skipped cases for what
//! no API can show.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::duties::{DUTIES, Duty};
use crate::evaluate::Audit;
use crate::finding::{Finding, Status};

pub(super) fn render(audit: &Audit) -> String {
    let mut report =
        Report::new(format!("FERPA audit of {} in {}", audit.account_id, audit.region));
    for (family, findings) in super::by_family(audit) {
        let mut suite = TestSuite::new(format!("{} {}", family.code, family.name).trim());
        // RFC 3339 both ways.
        suite.timestamp = audit.started_at.to_string().parse().ok();
        suite.add_test_cases(findings.into_iter().map(case));
        report.add_test_suite(suite);
    }
    let mut duties = TestSuite::new("Not technically assessable");
    duties.timestamp = audit.started_at.to_string().parse().ok();
    duties.add_test_cases(DUTIES.iter().map(duty_case));
    report.add_test_suite(duties);
    let xml = report.to_string().expect("names and texts are made valid XML on the way in");
    // At the root, the schema that Jenkins reads reports by has no such attribute.
    let skipped = audit.summary.waived + audit.summary.not_applicable + DUTIES.len();
    let skipped = format!(" skipped=\"{skipped}\"");
    format!("{}\n", xml.replacen(&skipped, "", 1).trim_end())
}

fn case(finding: &Finding) -> TestCase {
    let mut status = match finding.status {
        Status::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
        Status::Pass => TestCaseStatus::success(),
        Status::Waived | Status::NotApplicable => TestCaseStatus::skipped(),
    };
    if finding.status != Status::Pass {
        let message = super::waiver(finding)
            .filter(|_| finding.status == Status::Waived)
            .map_or_else(|| finding.message.clone(), |why| format!("{}; {why}", finding.message));
        status.set_message(message).set_type(super::severity(finding.severity));
    }
    if matches!(finding.status, Status::Fail | Status::Unknown) {
        status.set_description(detail(finding));
    }
    let name = format!("{} {}: {}", finding.control, finding.title, super::name(&finding.resource));
    let mut case = TestCase::new(name, status);
    case.set_classname(finding.control.as_str());
    case
}

fn duty_case(duty: &Duty) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_message(format!("{} Ask for {}.", duty.duty, duty.ask_for));
    let name = format!("{} ({})", duty.title, duty.citations.join("; "));
    let mut case = TestCase::new(name, status);
    case.set_classname(duty.id);
    case
}

fn detail(finding: &Finding) -> String {
    let mut lines = vec![finding.message.clone()];
    lines.extend(finding.resource.arn.clone());
    lines.extend(finding.evidence.iter().map(super::text::said));
    lines.push(finding.remediation.clone());
    lines.push(finding.citations.join("; "));
    lines.join("\n")
}
