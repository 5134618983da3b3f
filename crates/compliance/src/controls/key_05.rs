//! FERPA-KEY-05: workloads use keys and do not administer them.

use std::collections::BTreeSet;

use compute::Role;
use security::Key;
use serde_json::json;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::grants::Grants;
use crate::policy::{Document, KEY_ADMINISTRATION, service_of};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-05",
    title: "Workloads use keys and do not administer them",
    statement: "No role of a task, function or machine may change, lend or delete a key, by its own policies or by the key's.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.5"],
    why: "A workload that is taken over could lend the records to somebody else, or destroy them all with one call.",
    reads: &[&[
        "iam.role.assume_role_policy",
        "iam.role.inline_policies",
        "iam.role.managed_policies",
        "iam.role.permissions_boundary",
        "iam.role.path",
        "iam.policy.document",
        "kms.key.policy",
        "kms.key.grants",
    ]],
    remedy: Remedy {
        stack: "`deploy`: it writes the roles' and the keys' policies",
        api: "iam:PutRolePolicy and kms:PutKeyPolicy without the administrative actions; kms:RevokeGrant",
    },
    reach: Reach::Stack,
    judge,
};

/// The services in whose name code of the customer runs.
const WORKLOADS: &[&str] = &[
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "edgelambda.amazonaws.com",
    "lambda.amazonaws.com",
    "pods.eks.amazonaws.com",
    "tasks.apprunner.amazonaws.com",
];

fn is_workload(role: &Role) -> bool {
    let services = Document::of(&role.assume_role_policy).trust(|_| true).services;
    !role.is_service_linked()
        && WORKLOADS.iter().any(|service| services.contains_key(service_of(service)))
}

/// The ARNs of the workloads' roles.
struct Workloads(Result<BTreeSet<String>, Unread>);

impl Workloads {
    fn of(facts: &Facts<'_>) -> Self {
        Self(facts.all::<Role>().map(|all| {
            let workloads = all.iter().filter(|live| is_workload(&live.spec));
            workloads.filter_map(|live| live.arn.clone()).collect()
        }))
    }
}

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let roles = facts.each_where::<Role>(
        |live| is_workload(&live.spec),
        |role| by_role(facts, role),
    );
    let keys = facts.each::<Key>(|key| by_key(facts, key));
    [roles, keys].concat()
}

fn by_role(facts: &Facts<'_>, role: &Seen<'_, Role>) -> Result<Verdict, Unread> {
    role.read(&["assume_role_policy"])?;
    let grants = Grants::of_role(facts, role)?;
    let mut unread = None;
    for &action in KEY_ADMINISTRATION {
        match grants.which(|document| document.administers_keys(action)) {
            Ok(policies) if policies.is_empty() => {}
            Ok(policies) => {
                let names = policies.join(" and its policy ");
                let why = format!("the role's policy {names} allows {action}: it administers keys");
                let call = "iam:GetAccountAuthorizationDetails";
                return Ok(Verdict::fail(why).with(call, "PolicyName", policies));
            }
            Err(why) => unread = Some(why),
        }
    }
    match unread {
        Some(why) => Err(why),
        None => Ok(Verdict::pass("the role's policies let it administer no key")),
    }
}

fn by_key(facts: &Facts<'_>, key: &Seen<'_, Key>) -> Result<Verdict, Unread> {
    let spec = key.read(&["policy", "grants"])?;
    let workloads = facts.derived::<Workloads>(Workloads::of);
    let named = |name: &str| -> Result<Option<String>, Unread> {
        // The account as a whole: what its roles may do is in their own policies.
        if name.ends_with(":root") || name.ends_with(".amazonaws.com") {
            return Ok(None);
        }
        let roles = workloads.0.as_ref().map_err(Clone::clone)?;
        if name.contains(['*', '?']) {
            let found = roles.iter().find(|arn| crate::policy::matches(name, arn));
            return Ok(found.cloned());
        }
        let arn = match name.split_once(":assumed-role/") {
            // A session of a role is the role.
            Some((_, session)) => {
                let role = facts.find::<Role>(session.split('/').next().unwrap_or(session))?;
                role.and_then(|role| role.arn.clone())
            }
            None => Some(name.to_owned()),
        };
        Ok(arn.filter(|arn| roles.contains(arn)))
    };
    for administrators in Document::of(&spec.policy).key_administrators() {
        let first = administrators.actions.first().copied().unwrap_or_default();
        for principal in &administrators.principals {
            let who = match principal.as_str() {
                "*" => Some("everybody, workloads included,".to_owned()),
                name => named(name)?,
            };
            if let Some(who) = who {
                return Ok(Verdict::fail(format!("the key's policy lets {who} do {first}"))
                    .with("kms:GetKeyPolicy", "Policy", spec.policy.document().clone()));
            }
        }
    }
    for grant in spec.grants.iter().filter(|grant| grant.operations.contains("CreateGrant")) {
        if let Some(who) = named(&grant.grantee)? {
            return Ok(Verdict::fail(format!("a grant lets {who} lend the key to others"))
                .with("kms:ListGrants", "GrantId", json!(grant.id)));
        }
    }
    Ok(Verdict::pass("the key's policy and grants let no workload administer it"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::builders::RoleDetailBuilder;
    use aws_sdk_iam::types::{AttachedPermissionsBoundary, ManagedPolicyDetail, PolicyDetail};
    use aws_sdk_kms::types::GrantOperation;
    use aws_smithy_mocks::Rule;
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::iam::{attached, details, managed, policy, role};
    use crate::testing::kms::{grants, key, key_policy};
    use crate::testing::{denied, judged};

    const TASK: &str = "arn:aws:iam::123456789012:role/task";
    const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    const OWN: &str = "arn:aws:iam::123456789012:policy/own";

    fn statement(effect: &str, actions: Value) -> Value {
        json!({"Effect": effect, "Action": actions, "Resource": "*"})
    }

    fn inline(statement: Value) -> PolicyDetail {
        PolicyDetail::builder().policy_name("own").policy_document(policy(statement)).build()
    }

    /// A task's role with an inline policy that allows these actions.
    fn task(actions: Value) -> Rule {
        details(move |it| {
            let own = inline(statement("Allow", actions.clone()));
            it.role_detail_list(role("task").role_policy_list(own).build())
        })
    }

    /// What is said of a task's role beside such policies.
    async fn with(
        task: fn(RoleDetailBuilder) -> RoleDetailBuilder,
        policies: fn() -> Vec<ManagedPolicyDetail>,
    ) -> (Status, String) {
        let rule = details(move |it| {
            it.role_detail_list(task(role("task")).build()).set_policies(Some(policies()))
        });
        let found = judged(&CONTROL, &[rule]).await;
        let found = of(&found, "iam.role");
        (found.status, found.message.clone())
    }

    fn of<'a>(found: &'a [Judgement], kind: &str) -> &'a Judgement {
        found.iter().find(|one| one.resource.kind == kind).unwrap()
    }

    #[tokio::test]
    async fn a_role_may_use_keys_and_nothing_more() {
        let uses = || task(json!(["kms:Decrypt", "kms:GenerateDataKey"]));
        let found = judged(&CONTROL, &key(vec![uses()])).await;
        assert_eq!(of(&found, "iam.role").status, Status::Pass, "{found:#?}");
        assert_eq!(of(&found, "kms.key").status, Status::Pass, "{found:#?}");
        let found = judged(&CONTROL, &[task(json!("kms:Schedule*"))]).await;
        let why = "the role's policy own allows kms:ScheduleKeyDeletion: it administers keys";
        assert_eq!(of(&found, "iam.role").message, why);
    }

    #[tokio::test]
    async fn attached_policies_count_by_what_they_say() {
        let (status, message) = with(
            |it| it.attached_managed_policies(attached(ADMINISTRATOR)),
            || vec![managed(ADMINISTRATOR, statement("Allow", json!("*")))],
        )
        .await;
        assert_eq!(status, Status::Fail, "{message}");
        let (status, message) = with(
            |it| it.attached_managed_policies(attached(OWN)),
            || vec![managed(OWN, statement("Allow", json!(["kms:Describe*", "kms:CreateGrant"])))],
        )
        .await;
        assert_eq!(status, Status::Fail);
        assert!(message.contains("policy/own allows kms:CreateGrant"), "{message}");
        let (status, message) = with(
            |it| it.attached_managed_policies(attached(OWN)),
            || vec![managed(OWN, statement("Allow", json!("kms:Decrypt")))],
        )
        .await;
        assert_eq!(status, Status::Pass, "{message}");
    }

    #[tokio::test]
    async fn what_a_boundary_or_another_policy_holds_back_is_not_given() {
        let bounded = with(
            |it| {
                let bounds = AttachedPermissionsBoundary::builder().permissions_boundary_arn(OWN);
                it.role_policy_list(inline(statement("Allow", json!("kms:*"))))
                    .permissions_boundary(bounds.build())
            },
            || vec![managed(OWN, statement("Allow", json!("kms:Decrypt")))],
        );
        assert_eq!(bounded.await.0, Status::Pass);
        let denied = with(
            |it| {
                it.role_policy_list(inline(statement("Allow", json!("kms:*"))))
                    .attached_managed_policies(attached(OWN))
            },
            || {
                let use_only = json!(["kms:Decrypt", "kms:GenerateDataKey"]);
                let deny = json!({"Effect": "Deny", "NotAction": use_only, "Resource": "*"});
                vec![managed(OWN, deny)]
            },
        );
        assert_eq!(denied.await.0, Status::Pass);
    }

    #[tokio::test]
    async fn a_key_may_not_make_a_role_its_administrator() {
        let with = |principal: &str| {
            let policy = json!({"Effect": "Allow", "Principal": {"AWS": principal},
                "Action": "kms:*", "Resource": "*"});
            key(vec![task(json!("kms:Decrypt")), key_policy(policy)])
        };
        let found = judged(&CONTROL, &with(TASK)).await;
        assert_eq!(of(&found, "kms.key").status, Status::Fail);
        let session = "arn:aws:sts::123456789012:assumed-role/task/x";
        let found = judged(&CONTROL, &with(session)).await;
        assert_eq!(of(&found, "kms.key").status, Status::Fail);
        let found = judged(&CONTROL, &with("arn:aws:iam::123456789012:role/administrator")).await;
        assert_eq!(of(&found, "kms.key").status, Status::Pass, "{found:#?}");
        let lent = grants(vec![(TASK, GrantOperation::CreateGrant)]);
        let found = judged(&CONTROL, &key(vec![task(json!("kms:Decrypt")), lent])).await;
        assert_eq!(of(&found, "kms.key").status, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let unseen = with(|it| it.attached_managed_policies(attached(OWN)), Vec::new);
        assert_eq!(unseen.await.0, Status::Unknown);
        let denied = denied!(aws_sdk_kms, get_key_policy, GetKeyPolicyError);
        let found = judged(&CONTROL, &key(vec![denied])).await;
        assert_eq!(of(&found, "kms.key").status, Status::Unknown);
    }
}
