//! `iam.policy`: a policy that roles, users and groups have attached.

use std::collections::BTreeSet;

use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, EntityType, ManagedPolicyDetail,
};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Policy, Result, Scope};
use serde::{Deserialize, Serialize};

use crate::iam::{DETAILS, details, document_of};

/// A managed policy: every one of the customer's, and those of AWS's that somebody in the account has.
/// Its id is its ARN, because AWS's policies and the customer's may have the same names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: String,
    /// Whether AWS wrote it and keeps it.
    pub aws_managed: bool,
    /// What its default version says, which is the one that counts.
    pub document: Policy,
    /// The names of the roles that have it.
    pub roles: BTreeSet<String>,
    /// The names of the users who have it.
    pub users: BTreeSet<String>,
    /// The names of the groups that have it.
    pub groups: BTreeSet<String>,
    /// The names of the roles and users that it bounds: it grants them nothing.
    pub bounds: BTreeSet<String>,
}

impl ManagedPolicy {
    /// Whether anybody is granted what it says.
    pub fn is_attached(&self) -> bool {
        !(self.roles.is_empty() && self.users.is_empty() && self.groups.is_empty())
    }
}

impl Inspected for ManagedPolicy {
    const KIND: &'static str = "iam.policy";
    const READ: &'static [Allow] = &[Allow::to(&["iam:GetAccountAuthorizationDetails"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("roles", "iam.role"), ("bounds", "iam.role")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

/// One listing has all: IAM leaves AWS's policies out of it that nobody has, and says with roles, users
/// and groups which they have.
async fn list(aws: &Aws) -> Result<Vec<Live<ManagedPolicy>>> {
    let types = [
        EntityType::Role,
        EntityType::User,
        EntityType::Group,
        EntityType::LocalManagedPolicy,
        EntityType::AwsManagedPolicy,
    ];
    let mut policies = Vec::new();
    let mut holders = Holders::default();
    for page in details(aws, &types).await? {
        for role in page.role_detail_list.unwrap_or_default() {
            let name = role.role_name.unwrap_or_default();
            holders.bound(&name, role.permissions_boundary);
            Holders::note(&mut holders.roles, name, role.attached_managed_policies);
        }
        for user in page.user_detail_list.unwrap_or_default() {
            let name = user.user_name.unwrap_or_default();
            holders.bound(&name, user.permissions_boundary);
            Holders::note(&mut holders.users, name, user.attached_managed_policies);
        }
        for group in page.group_detail_list.unwrap_or_default() {
            let name = group.group_name.unwrap_or_default();
            Holders::note(&mut holders.groups, name, group.attached_managed_policies);
        }
        policies.extend(page.policies.unwrap_or_default());
    }
    let policies = policies.into_iter().map(|policy| read(policy, &holders));
    // Imitations list all of AWS's.
    let held = |policy: &Live<ManagedPolicy>| {
        let spec = &policy.spec;
        !spec.aws_managed || spec.is_attached() || !spec.bounds.is_empty()
    };
    policies.filter(|policy| policy.as_ref().map_or(true, held)).collect()
}

/// Names by the ARN of a policy.
type Names = std::collections::BTreeMap<String, BTreeSet<String>>;

#[derive(Default)]
struct Holders {
    roles: Names,
    users: Names,
    groups: Names,
    bounds: Names,
}

impl Holders {
    fn note(names: &mut Names, name: String, attached: Option<Vec<AttachedPolicy>>) {
        for arn in attached.into_iter().flatten().filter_map(|policy| policy.policy_arn) {
            names.entry(arn).or_default().insert(name.clone());
        }
    }

    fn bound(&mut self, name: &str, boundary: Option<AttachedPermissionsBoundary>) {
        if let Some(arn) = boundary.and_then(|boundary| boundary.permissions_boundary_arn) {
            self.bounds.entry(arn).or_default().insert(name.to_owned());
        }
    }
}

fn read(policy: ManagedPolicyDetail, holders: &Holders) -> Result<Live<ManagedPolicy>> {
    let arn = policy.arn.ok_or_else(|| Error::incomplete(DETAILS, "a policy's ARN"))?;
    // Its path is in between.
    let name = arn.rsplit('/').next().unwrap_or(&arn).to_owned();
    let versions = policy.policy_version_list.unwrap_or_default();
    let document = versions
        .into_iter()
        .find(|version| version.is_default_version)
        .and_then(|version| version.document)
        .ok_or_else(|| Error::incomplete(DETAILS, &format!("the default version of {name}")))
        .and_then(|document| document_of(&name, &document));
    let of = |names: &Names| names.get(&arn).cloned().unwrap_or_default();
    let spec = ManagedPolicy {
        name,
        aws_managed: arn.split(':').nth(4) == Some("aws"),
        document: Policy::default(),
        roles: of(&holders.roles),
        users: of(&holders.users),
        groups: of(&holders.groups),
        bounds: of(&holders.bounds),
    };
    let mut live = Live::new(&arn, spec).with_arn(&arn);
    live.read("document", document, |spec, document| spec.document = document);
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{Target, client};

    #[tokio::test]
    async fn aws_policies_are_listed_where_somebody_has_them() {
        let embedded = local::ControlPlane::in_memory().http_client();
        let aws = Aws::connect(Target::Embedded(embedded), Some("us-east-1")).await.unwrap();
        assert!(list(&aws).await.unwrap().is_empty());

        let iam = client!(aws, aws_sdk_iam);
        let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        let role = iam.create_role().role_name("admin").assume_role_policy_document(trust);
        let bound = "arn:aws:iam::aws:policy/PowerUserAccess";
        role.permissions_boundary(bound).send().await.unwrap();
        let all = "arn:aws:iam::aws:policy/AdministratorAccess";
        let attach = iam.attach_role_policy().role_name("admin").policy_arn(all);
        attach.send().await.unwrap();

        let found = list(&aws).await.unwrap();
        let [admin, power] = &found[..] else { panic!("{found:#?}") };
        assert_eq!((admin.id.as_str(), power.id.as_str()), (all, bound));
        assert!(admin.spec.aws_managed && admin.spec.roles.contains("admin"));
        assert!(power.spec.bounds.contains("admin") && !power.spec.is_attached());
        let statements = &admin.spec.document.document()["Statement"];
        assert_eq!(statements[0]["Action"], serde_json::json!(["*"]));
    }
}
