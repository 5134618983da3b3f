//! FERPA-ACC-01: no policy allows everything.

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::grants;
use crate::policy::Document;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-01",
    title: "No policy allows everything",
    statement: "No role, user, group or customer-managed policy allows every action on every resource, or all but a few.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.5"],
    why: "Whoever may do everything may read every education record, with or without a legitimate educational interest.",
    reads: &[grants::READS],
    remedy: Remedy {
        stack: "`deploy`: each role is given what its service needs, and a policy that somebody attached to it is detached",
        api: "iam:DetachRolePolicy with PolicyArn, or iam:PutRolePolicy with a PolicyDocument that names actions and resources",
    },
    reach: Reach::Stack,
    judge: |facts: &Facts<'_>| -> Vec<Judgement> {
        grants::judge(facts, Document::allows_everything, "every action on every resource")
    },
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::{attached, details, group, inline, managed, role, user};
    use crate::testing::{denied, judged, only};

    const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

    #[tokio::test]
    async fn named_actions_on_named_resources_pass() {
        let rule = details(|it| {
            let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/events";
            let events = inline("events", "kinesis:PutRecord", stream);
            it.role_detail_list(role("task").role_policy_list(events).build())
        });
        let found = judged(&CONTROL, &[rule]).await;
        let good = "none of its policies allows every action on every resource";
        assert_eq!(only(&found), (Status::Pass, good));
    }

    #[tokio::test]
    async fn administrators_fail_by_whatever_policy_they_are_it() {
        let rule = details(|it| {
            let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            it.role_detail_list(role("a").attached_managed_policies(attached(ADMIN)).build())
                .role_detail_list(role("b").role_policy_list(inline("own", "*", "*")).build())
                .user_detail_list(user("c").attached_managed_policies(attached(ADMIN)).build())
                .group_detail_list(group("d").group_policy_list(inline("own", "*", "*")).build())
                .policies(managed(ADMIN, all.clone()))
                .policies(managed("arn:aws:iam::123456789012:policy/spare", all))
        });
        let found = judged(&CONTROL, &[rule]).await;
        assert!(found.iter().all(|one| one.status == Status::Fail), "{found:#?}");
        let who: Vec<&str> = found.iter().map(|one| one.resource.id.as_str()).collect();
        assert_eq!(who, ["a", "b", "c", "d", "arn:aws:iam::123456789012:policy/spare"]);
        assert!(found[0].message.contains(ADMIN), "{}", found[0].message);
    }

    #[tokio::test]
    async fn service_linked_roles_and_bounds_are_not_grants() {
        let rule = details(|it| {
            let path = "/aws-service-role/ecs.amazonaws.com/";
            let bound = "arn:aws:iam::123456789012:policy/bound";
            let boundary = aws_sdk_iam::types::AttachedPermissionsBoundary::builder();
            let boundary = boundary.permissions_boundary_arn(bound).build();
            let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            it.role_detail_list(role("l").path(path).role_policy_list(inline("x", "*", "*")).build())
                .role_detail_list(role("bounded").permissions_boundary(boundary).build())
                .policies(managed(bound, all))
        });
        let found = judged(&CONTROL, &[rule]).await;
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found.iter().all(|one| one.status == Status::Pass), "{found:#?}");
    }

    #[tokio::test]
    async fn an_attached_policy_that_is_not_shown_is_unknown_and_so_is_a_denied_list() {
        let rule = details(|it| {
            it.role_detail_list(role("a").attached_managed_policies(attached(ADMIN)).build())
        });
        let found = judged(&CONTROL, &[rule]).await;
        assert_eq!(only(&found).0, Status::Unknown);

        let denied = denied!(
            aws_sdk_iam,
            get_account_authorization_details,
            GetAccountAuthorizationDetailsError
        );
        let found = judged(&CONTROL, &[denied]).await;
        assert!(found.iter().all(|one| one.status == Status::Unknown), "{found:#?}");
        assert!(found[0].message.contains("allow iam:GetAccountAuthorizationDetails"));
    }
}
