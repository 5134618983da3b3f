//! FERPA-KEY-05: workloads use keys and do not administer them.

use std::collections::BTreeSet;

use compute::Role;
use security::Key;
use serde_json::json;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::policy::{Document, service_of};

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
        "iam.role.path",
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

/// Policies of AWS's own that let administer keys.
const ADMINISTRATORS: &[&str] =
    &["AdministratorAccess", "PowerUserAccess", "AWSKeyManagementServicePowerUser"];

/// The call that says what roles may do.
const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

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
    let roles = facts.each_where::<Role>(|live| is_workload(&live.spec), by_role);
    let keys = facts.each::<Key>(|key| by_key(facts, key));
    [roles, keys].concat()
}

fn by_role(role: &Seen<'_, Role>) -> Result<Verdict, Unread> {
    let spec = role.read(&["assume_role_policy", "inline_policies", "managed_policies"])?;
    for (name, policy) in &spec.inline_policies {
        if let [first, ..] = Document::of(policy).key_administration()[..] {
            let why = format!("the role's policy {name} allows {first}: it administers keys");
            let document = policy.document().clone();
            return Ok(Verdict::fail(why).with(DETAILS, "PolicyDocument", document));
        }
    }
    let mut unread = None;
    for arn in &spec.managed_policies {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        if !arn.contains(":iam::aws:policy/") {
            let what = format!("the policy {arn} of {}", role.live().id);
            unread = Some(Unread { what, error: None });
        } else if ADMINISTRATORS.contains(&name) {
            return Ok(Verdict::fail(format!("the role has {name}: it administers keys"))
                .with(DETAILS, "PolicyArn", json!(arn)));
        }
    }
    match unread {
        Some(unread) => Err(unread),
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
    use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
    use aws_sdk_iam::types::{AttachedPolicy, PolicyDetail, RoleDetail};
    use aws_sdk_kms::types::GrantOperation;
    use aws_smithy_mocks::{Rule, mock};
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::kms::{grants, key, key_policy};
    use crate::testing::{denied, judged};

    const TASK: &str = "arn:aws:iam::123456789012:role/task";

    fn role(actions: Value, attached: Option<&'static str>) -> Rule {
        mock!(aws_sdk_iam::Client::get_account_authorization_details).then_output(move || {
            let trust = json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"}}});
            let policy = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
            let policy = json!({"Statement": policy}).to_string();
            let inline = PolicyDetail::builder().policy_name("own").policy_document(policy);
            let attached = attached.map(|arn| AttachedPolicy::builder().policy_arn(arn).build());
            let role = RoleDetail::builder()
                .role_name("task")
                .arn(TASK)
                .path("/")
                .assume_role_policy_document(trust.to_string())
                .role_policy_list(inline.build())
                .set_attached_managed_policies(Some(attached.into_iter().collect()));
            GetAccountAuthorizationDetailsOutput::builder().role_detail_list(role.build()).build()
        })
    }

    fn of<'a>(found: &'a [Judgement], kind: &str) -> &'a Judgement {
        found.iter().find(|one| one.resource.kind == kind).unwrap()
    }

    #[tokio::test]
    async fn a_role_may_use_keys_and_nothing_more() {
        let uses = || role(json!(["kms:Decrypt", "kms:GenerateDataKey"]), None);
        let found = judged(&CONTROL, &key(vec![uses()])).await;
        assert_eq!(of(&found, "iam.role").status, Status::Pass, "{found:#?}");
        assert_eq!(of(&found, "kms.key").status, Status::Pass, "{found:#?}");
        let found = judged(&CONTROL, &[role(json!("kms:Schedule*"), None)]).await;
        let why = "the role's policy own allows kms:ScheduleKeyDeletion: it administers keys";
        assert_eq!(of(&found, "iam.role").message, why);
        let admin = role(json!("kms:Decrypt"), Some("arn:aws:iam::aws:policy/AdministratorAccess"));
        let found = judged(&CONTROL, &[admin]).await;
        assert_eq!(of(&found, "iam.role").status, Status::Fail);
    }

    #[tokio::test]
    async fn a_key_may_not_make_a_role_its_administrator() {
        let with = |principal: &str| {
            let policy = json!({"Effect": "Allow", "Principal": {"AWS": principal},
                "Action": "kms:*", "Resource": "*"});
            key(vec![role(json!("kms:Decrypt"), None), key_policy(policy)])
        };
        let found = judged(&CONTROL, &with(TASK)).await;
        assert_eq!(of(&found, "kms.key").status, Status::Fail);
        let session = "arn:aws:sts::123456789012:assumed-role/task/x";
        let found = judged(&CONTROL, &with(session)).await;
        assert_eq!(of(&found, "kms.key").status, Status::Fail);
        let found = judged(&CONTROL, &with("arn:aws:iam::123456789012:role/administrator")).await;
        assert_eq!(of(&found, "kms.key").status, Status::Pass, "{found:#?}");
        let lent = grants(vec![(TASK, GrantOperation::CreateGrant)]);
        let found = judged(&CONTROL, &key(vec![role(json!("kms:Decrypt"), None), lent])).await;
        assert_eq!(of(&found, "kms.key").status, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let own = role(json!("kms:Decrypt"), Some("arn:aws:iam::123456789012:policy/own"));
        let found = judged(&CONTROL, &[own]).await;
        assert_eq!(of(&found, "iam.role").status, Status::Unknown);
        let denied = denied!(aws_sdk_kms, get_key_policy, GetKeyPolicyError);
        let found = judged(&CONTROL, &key(vec![denied])).await;
        assert_eq!(of(&found, "kms.key").status, Status::Unknown);
    }
}
