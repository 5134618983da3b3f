//! FERPA-ACC-15: service control policies guard the account.

use account::Organization;
use account::organization::Level;
use engine::Inspected;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-15",
    title: "Service control policies guard the account",
    statement: "Service control policies of an AWS organization keep the account's own administrators from stopping its trail and from leaving the organization.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.1.1"],
    why: "Inside an account nothing binds its administrators: only a policy from above keeps them from switching off what records their access.",
    reads: &[&[
        "organizations.organization.feature_set",
        "organizations.organization.management_account",
        "organizations.organization.service_control_policies",
    ]],
    remedy: Remedy {
        stack: "nothing: policies are the organization's, and no stack of one account can make them",
        api: "organizations:CreatePolicy with Type SERVICE_CONTROL_POLICY and a Deny of cloudtrail:StopLogging, cloudtrail:DeleteTrail and organizations:LeaveOrganization, then organizations:AttachPolicy to the account or a unit above it",
    },
    reach: Reach::Account,
    judge,
};

/// What the account's own administrators must not do.
const GUARDED: &[&str] =
    &["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "organizations:LeaveOrganization"];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let judgements = facts.each::<Organization>(|organization| verdict(facts, organization));
    if !judgements.is_empty() {
        return judgements;
    }
    let alone = Verdict::fail("the account is in no organization, so no policy stands above it");
    let alone = alone.with("organizations:DescribeOrganization", "Organization", None::<String>);
    vec![facts.whole(Organization::KIND, Ok(alone))]
}

fn verdict(facts: &Facts<'_>, organization: &Seen<'_, Organization>) -> Result<Verdict, Unread> {
    let call = "organizations:DescribeOrganization";
    let spec = organization.read(&["feature_set", "management_account"])?;
    if spec.feature_set != "ALL" {
        let bad = "the organization has consolidated billing only, and so no policies";
        return Ok(Verdict::fail(bad).with(call, "FeatureSet", spec.feature_set.as_str()));
    }
    if spec.management_account == facts.account_id() {
        let bad = "the account manages the organization, and no service control policy binds it";
        return Ok(
            Verdict::fail(bad).with(call, "MasterAccountId", spec.management_account.as_str())
        );
    }
    let levels = &organization.read(&["service_control_policies"])?.service_control_policies;
    let open: Vec<&str> =
        GUARDED.iter().copied().filter(|action| !is_guarded(levels, action)).collect();
    let policies: Vec<&str> =
        levels.iter().flat_map(|level| level.policies.keys().map(String::as_str)).collect();
    let verdict = Verdict::of(
        open.is_empty(),
        "service control policies keep the account from stopping its trail and from leaving the organization",
        format!("no service control policy denies {}", open.join(", ")),
    );
    Ok(verdict.with("organizations:ListPoliciesForTarget", "Policies", policies))
}

/// Whether the action is denied somewhere above, or on some level not allowed.
fn is_guarded(levels: &[Level], action: &str) -> bool {
    levels.iter().any(|level| {
        let mut documents = level.policies.values().map(Document::of);
        let allowed = documents.clone().any(|document| document.allows(action));
        // Without any policy they are not enabled, and allow everything.
        (!level.policies.is_empty() && !allowed)
            || documents.any(|document| document.denies_to_nearly_all(action))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_organizations::operation::describe_organization::DescribeOrganizationOutput;
    use aws_sdk_organizations::operation::describe_policy::DescribePolicyOutput;
    use aws_sdk_organizations::operation::list_parents::ListParentsOutput;
    use aws_sdk_organizations::operation::list_policies_for_target::ListPoliciesForTargetOutput;
    use aws_sdk_organizations::types::{
        Organization, OrganizationFeatureSet, Parent, Policy, PolicySummary,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    const ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

    /// An account right below the root, with this policy beside `FullAWSAccess`.
    fn account(manager: &'static str, features: OrganizationFeatureSet, policy: &str) -> Vec<Rule> {
        let organization = Organization::builder()
            .id("o-abc")
            .feature_set(features)
            .master_account_id(manager)
            .build();
        let summary = |id: &str| PolicySummary::builder().id(id).build();
        let listed = ListPoliciesForTargetOutput::builder()
            .policies(summary("p-FullAWSAccess"))
            .policies(summary("p-guard"))
            .build();
        let document = |text: &str| {
            DescribePolicyOutput::builder().policy(Policy::builder().content(text).build()).build()
        };
        let (all, guard) = (document(ALL), document(policy));
        vec![
            mock!(aws_sdk_organizations::Client::describe_organization).then_output(move || {
                DescribeOrganizationOutput::builder().organization(organization.clone()).build()
            }),
            mock!(aws_sdk_organizations::Client::list_parents).then_output(|| {
                ListParentsOutput::builder().parents(Parent::builder().id("r-ab12").build()).build()
            }),
            mock!(aws_sdk_organizations::Client::list_policies_for_target)
                .then_output(move || listed.clone()),
            mock!(aws_sdk_organizations::Client::describe_policy)
                .match_requests(|asked| asked.policy_id() == Some("p-FullAWSAccess"))
                .then_output(move || all.clone()),
            mock!(aws_sdk_organizations::Client::describe_policy)
                .match_requests(|asked| asked.policy_id() == Some("p-guard"))
                .then_output(move || guard.clone()),
        ]
    }

    #[tokio::test]
    async fn the_trail_and_the_membership_are_guarded() {
        let guard = r#"{"Statement":[
            {"Effect":"Deny","Action":["cloudtrail:StopLogging","cloudtrail:Delete*"],"Resource":"*"},
            {"Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"}]}"#;
        let rules = account("999999999999", OrganizationFeatureSet::All, guard);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);

        let half = r#"{"Statement":{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}}"#;
        let rules = account("999999999999", OrganizationFeatureSet::All, half);
        let found = judged(&CONTROL, &rules).await;
        let bad = "no service control policy denies organizations:LeaveOrganization";
        assert_eq!(only(&found), (Status::Fail, bad));

        // Nothing but AWS's own policy.
        let rules = account("999999999999", OrganizationFeatureSet::All, ALL);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn policies_that_do_not_bind_the_account_do_not_count() {
        let guard = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
        let us = account("123456789012", OrganizationFeatureSet::All, guard);
        assert_eq!(only(&judged(&CONTROL, &us).await).0, Status::Fail);
        let billing = account("999999999999", OrganizationFeatureSet::ConsolidatedBilling, guard);
        assert_eq!(only(&judged(&CONTROL, &billing).await).0, Status::Fail);
        // The embedded account is in no organization.
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn policies_that_a_member_may_not_read_are_unknown() {
        let mut rules = vec![denied!(
            aws_sdk_organizations,
            list_policies_for_target,
            ListPoliciesForTargetError
        )];
        rules.extend(account("999999999999", OrganizationFeatureSet::All, ALL));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Unknown);
        assert!(message.contains("allow organizations:ListPoliciesForTarget"), "{message}");
    }
}
