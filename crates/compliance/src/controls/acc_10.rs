//! FERPA-ACC-10: Access Analyzer runs, and outsiders reach nothing.

use engine::{Inspected, Live, Status};
use security::{Analyzer, ExternalFinding};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::keys::account_of;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-10",
    title: "Access Analyzer runs, and outsiders reach nothing",
    statement: "IAM Access Analyzer looks for what can be reached from outside, and no finding about the public or an undeclared account is open.",
    severity: Severity::High,
    citations: &["34 CFR 99.33(a)", "NIST SP 800-171r2 3.1.1"],
    why: "What an undeclared outsider can reach is a disclosure that nobody consented to.",
    reads: &[&[
        "accessanalyzer.analyzer.zone",
        "accessanalyzer.analyzer.status",
        "accessanalyzer.analyzer.external_findings",
    ]],
    remedy: Remedy {
        stack: "`guards.access_analyzer = true`; accounts that may reach something go into `audit.declared_accounts`",
        api: "access-analyzer:CreateAnalyzer with type = ACCOUNT; close what a finding names, or archive it when it is intended",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let is_external = |live: &Live<Analyzer>| live.spec.is_external();
    let analyzers = facts.each_where(is_external, |analyzer| verdict(facts, analyzer));
    if !analyzers.is_empty() {
        return analyzers;
    }
    let none = Verdict::fail("no analyzer looks for what can be reached from outside");
    let none = none.with("access-analyzer:ListAnalyzers", "analyzers", Vec::<String>::new());
    vec![facts.whole(Analyzer::KIND, Ok(none))]
}

fn verdict(facts: &Facts<'_>, analyzer: &Seen<'_, Analyzer>) -> Result<Verdict, Unread> {
    if let Status::Failed(word) | Status::Pending(word) = &analyzer.live().status {
        let bad = Verdict::fail(format!("the analyzer does not run: its status is {word}"));
        return Ok(bad.with("access-analyzer:ListAnalyzers", "status", word.clone()));
    }
    let all = &analyzer.read(&["external_findings"])?.external_findings;
    let open: Vec<&ExternalFinding> =
        all.iter().filter(|finding| is_undeclared(facts, finding)).collect();
    let verdict = match &open[..] {
        [] if all.is_empty() => Verdict::pass("the analyzer runs and has no open finding"),
        [] => Verdict::pass("the analyzer runs, and only declared accounts reach something"),
        [first, ..] => Verdict::fail(format!(
            "{} of the open findings are about the public or undeclared accounts, the first about {}",
            open.len(),
            first.resource
        )),
    };
    let named: Vec<&str> = open.iter().map(|finding| finding.resource.as_str()).collect();
    Ok(verdict.with("access-analyzer:ListFindings", "resource", named))
}

/// Whether somebody outside of the declared accounts reaches it.
fn is_undeclared(facts: &Facts<'_>, finding: &ExternalFinding) -> bool {
    let declared = |principal: &String| {
        let account = account_of(principal).unwrap_or(principal);
        facts.is_declared_account(account)
    };
    finding.is_public || finding.principals.is_empty() || !finding.principals.iter().all(declared)
}

#[cfg(test)]
mod tests {
    use aws_sdk_accessanalyzer::operation::list_analyzers::ListAnalyzersOutput;
    use aws_sdk_accessanalyzer::operation::list_findings::ListFindingsOutput;
    use aws_sdk_accessanalyzer::types::{
        AnalyzerStatus, AnalyzerSummary, FindingStatus, FindingSummary, ResourceType, Type,
    };
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::DateTime;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::{denied, judged, judged_with, only};

    fn analyzer(zone: Type, status: AnalyzerStatus) -> Rule {
        mock!(aws_sdk_accessanalyzer::Client::list_analyzers).then_output(move || {
            let analyzer = AnalyzerSummary::builder()
                .arn("arn:aws:access-analyzer:us-east-1:123456789012:analyzer/all")
                .name("all")
                .r#type(zone.clone())
                .status(status.clone())
                .created_at(DateTime::from_secs(0));
            ListAnalyzersOutput::builder().analyzers(analyzer.build().unwrap()).build().unwrap()
        })
    }

    fn findings(of: &'static [(&'static str, bool)]) -> Rule {
        mock!(aws_sdk_accessanalyzer::Client::list_findings).then_output(move || {
            let found = of.iter().map(|(who, public)| {
                FindingSummary::builder()
                    .id(*who)
                    .principal("AWS", *who)
                    .is_public(*public)
                    .resource("arn:aws:s3:::records")
                    .resource_type(ResourceType::AwsS3Bucket)
                    .set_condition(Some([].into()))
                    .created_at(DateTime::from_secs(0))
                    .analyzed_at(DateTime::from_secs(0))
                    .updated_at(DateTime::from_secs(0))
                    .status(FindingStatus::Active)
                    .resource_owner_account("123456789012")
                    .build()
                    .unwrap()
            });
            ListFindingsOutput::builder().set_findings(Some(found.collect())).build().unwrap()
        })
    }

    fn running() -> Rule {
        analyzer(Type::Account, AnalyzerStatus::Active)
    }

    #[tokio::test]
    async fn an_analyzer_without_findings_is_wanted() {
        let found = judged(&CONTROL, &[running(), findings(&[])]).await;
        assert_eq!(only(&found), (Status::Pass, "the analyzer runs and has no open finding"));
    }

    #[tokio::test]
    async fn an_open_finding_about_an_outsider_fails() {
        let partner = || findings(&[("arn:aws:iam::210987654321:role/partner", false)]);
        let found = judged(&CONTROL, &[running(), partner()]).await;
        assert_eq!(only(&found).0, Status::Fail);
        assert!(only(&found).1.ends_with("arn:aws:s3:::records"), "{}", only(&found).1);

        let settings = Settings {
            declared_accounts: ["210987654321".into()].into(),
            ..Settings::default()
        };
        let found = judged_with(&CONTROL, &[running(), partner()], &settings).await;
        assert_eq!(only(&found).0, Status::Pass);
        let public = findings(&[("210987654321", true)]);
        let found = judged_with(&CONTROL, &[running(), public], &settings).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn an_analyzer_that_looks_elsewhere_or_not_at_all_is_none() {
        let none = "no analyzer looks for what can be reached from outside";
        assert_eq!(only(&judged(&CONTROL, &[]).await), (Status::Fail, none));
        let unused = analyzer(Type::AccountUnusedAccess, AnalyzerStatus::Active);
        assert_eq!(only(&judged(&CONTROL, &[unused]).await), (Status::Fail, none));
        let off = analyzer(Type::Account, AnalyzerStatus::Disabled);
        let found = judged(&CONTROL, &[off, findings(&[])]).await;
        let message = "the analyzer does not run: its status is DISABLED";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let denied_list = denied!(aws_sdk_accessanalyzer, list_analyzers, ListAnalyzersError);
        assert_eq!(only(&judged(&CONTROL, &[denied_list]).await).0, Status::Unknown);
        let denied = denied!(aws_sdk_accessanalyzer, list_findings, ListFindingsError);
        assert_eq!(only(&judged(&CONTROL, &[running(), denied]).await).0, Status::Unknown);
    }
}
