//! `iam.role`: a role with its trust policy and all that it may do.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, RoleDetail, Tag};
use engine::vocabulary::{RoleArn, RoleName};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Replacement,
    Resource, Result, Scope, Tags, Traits, When, client,
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::trust::Trust;

/// The path under which AWS keeps the roles that belong to its services.
const SERVICE_LINKED: &str = "/aws-service-role/";

/// An IAM role. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name, unique in the account: letters, digits and `_+=,.@-`, at most 64.
    pub name: String,
    /// Where it stands in the account's tree of names, `/` at both ends.
    pub path: String,
    /// What it is for. Latin characters, at most 1,000.
    pub description: String,
    /// Who may assume it.
    pub assume_role_policy: Policy,
    /// How long a session lasts at most: 3,600 to 43,200 seconds.
    pub max_session_seconds: i32,
    /// The ARNs of the managed policies that are attached.
    pub managed_policies: BTreeSet<String>,
    /// The policies that exist only in this role, by name.
    pub inline_policies: BTreeMap<String, Policy>,
    /// The ARN of the policy that bounds what the others may grant.
    pub permissions_boundary: Option<String>,
    /// When it was made (RFC 3339). Only ever read.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When its permissions were last used (RFC 3339); `None` if never within AWS's tracking period.
    /// Only ever read.
    #[serde(default)]
    pub last_used_at: Option<String>,
}

impl Role {
    /// A role that one AWS service assumes, and that may do nothing yet. Sessions last an hour.
    pub fn for_service(
        name: impl Into<String>,
        description: impl Into<String>,
        trust: &Trust,
    ) -> Self {
        Self {
            name: name.into(),
            path: "/".into(),
            description: description.into(),
            assume_role_policy: trust.policy(),
            max_session_seconds: 3600,
            managed_policies: BTreeSet::new(),
            inline_policies: BTreeMap::new(),
            permissions_boundary: None,
            created_at: None,
            last_used_at: None,
        }
    }

    /// With a managed policy.
    #[must_use]
    pub fn attach(mut self, policy_arn: impl Into<String>) -> Self {
        self.managed_policies.insert(policy_arn.into());
        self
    }

    /// With an inline policy.
    #[must_use]
    pub fn allow(mut self, name: &str, policy: Policy) -> Self {
        self.inline_policies.insert(name.into(), policy);
        self
    }

    /// Whether AWS made it for one of its services and keeps it.
    pub fn is_service_linked(&self) -> bool {
        self.path.starts_with(SERVICE_LINKED)
    }
}

impl Resource for Role {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "path"],
        late: &["managed_policies", "inline_policies"],
        write_only: &["created_at", "last_used_at"],
        replacement: Replacement::CreateFirst,
        not_yet: &[
            // A role that was made a moment ago, named in a trust policy or asked to change.
            ("MalformedPolicyDocument", "Invalid principal in policy"),
            ("NoSuchEntity", "The role with name"),
            ("ConcurrentModification", ""),
        ],
        permissions: Permissions {
            read: &[Allow::to(&["iam:ListRoles", "iam:GetAccountAuthorizationDetails"])],
            make: &[
                Allow::to(&["iam:CreateRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .for_stack(),
                Allow::to(&["iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:TagRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"]),
                Allow::to(&[
                    "iam:UpdateRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:DeleteRolePolicy",
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:UntagRole",
                ])
                .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                .of_stack(),
                // The stack's roles take policies that AWS wrote for such roles, and no others.
                Allow::to(&["iam:AttachRolePolicy"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::arn_like(
                        "iam:PolicyARN",
                        &["arn:{partition}:iam::aws:policy/service-role/*"],
                    )]),
                Allow::to(&["iam:DetachRolePolicy"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .of_stack(),
            ],
            remove: &[Allow::to(&[
                "iam:ListAttachedRolePolicies",
                "iam:DetachRolePolicy",
                "iam:ListRolePolicies",
                "iam:DeleteRolePolicy",
                "iam:DeleteRole",
            ])
            .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
            .of_stack()],
        },
        ..Traits::of("iam.role")
    };
    type Id = RoleName;
    type Arn = RoleArn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "iam:CreateRole";
        let call = client!(aws, aws_sdk_iam)
            .create_role()
            .role_name(&self.name)
            .path(&self.path)
            .description(&self.description)
            .assume_role_policy_document(self.assume_role_policy.to_string())
            .max_session_duration(self.max_session_seconds)
            .set_permissions_boundary(self.permissions_boundary.clone())
            .set_tags(Some(to_iam(&new.tags)?));
        let made = aws.call(action, call.send()).await?;
        let role = made.role.ok_or_else(|| Error::incomplete(action, "the role"))?;
        let spec = Self {
            managed_policies: BTreeSet::new(),
            inline_policies: BTreeMap::new(),
            created_at: Some(role.create_date.to_string()),
            ..self.clone()
        };
        Ok(Live::new(&self.name, spec).with_arn(role.arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let iam = client!(aws, aws_sdk_iam);
        if changes.has("assume_role_policy") {
            let call = iam
                .update_assume_role_policy()
                .role_name(&live.id)
                .policy_document(self.assume_role_policy.to_string());
            aws.call("iam:UpdateAssumeRolePolicy", call.send()).await?;
        }
        if changes.any(&["description", "max_session_seconds"]) {
            let call = iam
                .update_role()
                .role_name(&live.id)
                .description(&self.description)
                .max_session_duration(self.max_session_seconds);
            aws.call("iam:UpdateRole", call.send()).await?;
        }
        if changes.has("permissions_boundary") {
            self.bound(aws, &live.id).await?;
        }
        // What is granted anew comes before what is taken away, so that a policy that moved from
        // inline to managed never leaves a gap.
        for arn in self.managed_policies.difference(&live.spec.managed_policies) {
            let call = iam.attach_role_policy().role_name(&live.id).policy_arn(arn);
            aws.call("iam:AttachRolePolicy", call.send()).await?;
        }
        for (name, policy) in &self.inline_policies {
            if live.spec.inline_policies.get(name) == Some(policy) {
                continue;
            }
            let call = iam
                .put_role_policy()
                .role_name(&live.id)
                .policy_name(name)
                .policy_document(policy.to_string());
            aws.call("iam:PutRolePolicy", call.send()).await?;
        }
        for arn in live.spec.managed_policies.difference(&self.managed_policies) {
            detach_policy(aws, &live.id, arn).await?;
        }
        for name in live.spec.inline_policies.keys() {
            if !self.inline_policies.contains_key(name) {
                delete_inline(aws, &live.id, name).await?;
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let iam = client!(aws, aws_sdk_iam);
        if !put.is_empty() {
            let call = iam.tag_role().role_name(&live.id).set_tags(Some(to_iam(put)?));
            aws.call("iam:TagRole", call.send()).await?;
        }
        if !remove.is_empty() {
            let call = iam.untag_role().role_name(&live.id).set_tag_keys(Some(remove.to_vec()));
            aws.call("iam:UntagRole", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        // As it is now: a policy that somebody attached in the meantime would keep the role.
        let iam = client!(aws, aws_sdk_iam);
        let call = iam.list_attached_role_policies().role_name(&live.id).into_paginator().items();
        let attached = call.send().try_collect();
        for policy in aws.call("iam:ListAttachedRolePolicies", attached).await? {
            detach_policy(aws, &live.id, &policy.policy_arn.unwrap_or_default()).await?;
        }
        let call = iam.list_role_policies().role_name(&live.id).into_paginator().items();
        for name in aws.call("iam:ListRolePolicies", call.send().try_collect()).await? {
            delete_inline(aws, &live.id, &name).await?;
        }
        let call = iam.delete_role().role_name(&live.id);
        aws.find("iam:DeleteRole", call.send()).await?;
        Ok(())
    }
}

impl Role {
    async fn bound(&self, aws: &Aws, name: &str) -> Result<()> {
        let iam = client!(aws, aws_sdk_iam);
        match &self.permissions_boundary {
            Some(arn) => {
                let call = iam.put_role_permissions_boundary();
                let call = call.role_name(name).permissions_boundary(arn);
                aws.call("iam:PutRolePermissionsBoundary", call.send()).await?;
            }
            None => {
                let call = iam.delete_role_permissions_boundary().role_name(name);
                aws.find("iam:DeleteRolePermissionsBoundary", call.send()).await?;
            }
        }
        Ok(())
    }
}

async fn detach_policy(aws: &Aws, role: &str, arn: &str) -> Result<()> {
    let call = client!(aws, aws_sdk_iam).detach_role_policy().role_name(role).policy_arn(arn);
    aws.find("iam:DetachRolePolicy", call.send()).await?;
    Ok(())
}

async fn delete_inline(aws: &Aws, role: &str, name: &str) -> Result<()> {
    let call = client!(aws, aws_sdk_iam).delete_role_policy().role_name(role).policy_name(name);
    aws.find("iam:DeleteRolePolicy", call.send()).await?;
    Ok(())
}

/// All roles by two listings, however many there are: one gives policies and tags, the other what
/// that one leaves out.
async fn list(aws: &Aws) -> Result<Vec<Live<Role>>> {
    let (details, settings) = futures::join!(details(aws), settings(aws));
    let mut found = Vec::new();
    for detail in details? {
        let mut live = live(detail)?;
        let name = live.id.clone();
        let own = settings.as_ref().map(|all| all.get(&name).cloned()).map_err(Clone::clone);
        let own = own.and_then(|own| {
            own.ok_or_else(|| Error::incomplete("iam:ListRoles", &format!("the role {name}")))
        });
        live.read("description", own.clone(), |spec, own| spec.description = own.description);
        live.read("max_session_seconds", own, |spec, own| {
            spec.max_session_seconds = own.max_session_seconds;
        });
        found.push(live);
    }
    Ok(found)
}

async fn details(aws: &Aws) -> Result<Vec<RoleDetail>> {
    let action = "iam:GetAccountAuthorizationDetails";
    let call = client!(aws, aws_sdk_iam)
        .get_account_authorization_details()
        .filter(EntityType::Role)
        .into_paginator();
    let pages = aws.call(action, call.send().try_collect()).await?;
    Ok(pages.into_iter().flat_map(|page| page.role_detail_list.unwrap_or_default()).collect())
}

#[derive(Debug, Clone)]
struct Settings {
    description: String,
    max_session_seconds: i32,
}

/// What GetAccountAuthorizationDetails leaves out, by role.
async fn settings(aws: &Aws) -> Result<BTreeMap<String, Settings>> {
    let call = client!(aws, aws_sdk_iam).list_roles().into_paginator().items();
    let roles = aws.call("iam:ListRoles", call.send().try_collect()).await?;
    let settings = roles.into_iter().map(|role| {
        let settings = Settings {
            description: role.description.unwrap_or_default(),
            // AWS's default, where it is left out.
            max_session_seconds: role.max_session_duration.unwrap_or(3600),
        };
        (role.role_name, settings)
    });
    Ok(settings.collect())
}

fn live(detail: RoleDetail) -> Result<Live<Role>> {
    let action = "iam:GetAccountAuthorizationDetails";
    let name = detail.role_name.ok_or_else(|| Error::incomplete(action, "a role's name"))?;
    let arn = detail.arn.ok_or_else(|| Error::incomplete(action, "a role's ARN"))?;
    let trust = detail
        .assume_role_policy_document
        .ok_or_else(|| Error::incomplete(action, "a role's trust policy"))?;
    let mut inline_policies = BTreeMap::new();
    for policy in detail.role_policy_list.unwrap_or_default() {
        let (Some(policy_name), Some(document)) = (policy.policy_name, policy.policy_document)
        else {
            return Err(Error::incomplete(action, "an inline policy's document"));
        };
        inline_policies.insert(policy_name, decoded(&name, &document)?);
    }
    let attached = detail.attached_managed_policies.unwrap_or_default();
    let last_used = detail.role_last_used.and_then(|used| used.last_used_date);
    let spec = Role {
        name: name.clone(),
        path: detail.path.unwrap_or_else(|| "/".into()),
        description: String::new(),
        assume_role_policy: decoded(&name, &trust)?,
        max_session_seconds: 0,
        managed_policies: attached.into_iter().filter_map(|policy| policy.policy_arn).collect(),
        inline_policies,
        permissions_boundary: detail
            .permissions_boundary
            .and_then(|boundary| boundary.permissions_boundary_arn),
        created_at: detail.create_date.map(|date| date.to_string()),
        last_used_at: last_used.map(|date| date.to_string()),
    };
    let tags = detail.tags.unwrap_or_default();
    let tags = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    Ok(Live::new(name, spec).with_arn(arn).with_tags(tags))
}

/// IAM gives documents URL-encoded.
fn decoded(role: &str, document: &str) -> Result<Policy> {
    let wrong = |why: String| Error::invalid(format!("a policy of the role {role}"), why);
    let text = percent_decode_str(document).decode_utf8().map_err(|why| wrong(why.to_string()))?;
    Policy::parse(&text).map_err(|why| wrong(why.to_string()))
}

fn to_iam(tags: &Tags) -> Result<Vec<Tag>> {
    tags.iter()
        .map(|(key, value)| {
            let tag = Tag::builder().key(key).value(value).build();
            tag.map_err(|why| Error::invalid(format!("the tag {key}"), why))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_iam::types::{AttachedPolicy, PolicyDetail};
    use serde_json::json;

    fn detail() -> aws_sdk_iam::types::builders::RoleDetailBuilder {
        RoleDetail::builder()
            .role_name("student-ecs-task-dev")
            .arn("arn:aws:iam::123456789012:role/student-ecs-task-dev")
            .assume_role_policy_document("%7B%22Statement%22%3A%5B%5D%7D")
    }

    #[test]
    fn a_role_is_read_with_all_that_it_may_do() {
        let managed = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        let inline = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
        let found = detail()
            .attached_managed_policies(AttachedPolicy::builder().policy_arn(managed).build())
            .role_policy_list(
                PolicyDetail::builder().policy_name("all").policy_document(inline).build(),
            )
            .tags(Tag::builder().key("Owner").value("us").build().unwrap())
            .build();
        let live = live(found).unwrap();
        assert_eq!(live.spec.managed_policies, BTreeSet::from([managed.to_owned()]));
        let expected = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        assert_eq!(live.spec.inline_policies["all"], Policy::new(vec![expected]));
        assert_eq!(live.tags["Owner"], "us");
        assert_eq!((live.spec.path.as_str(), live.spec.last_used_at), ("/", None));
    }

    #[test]
    fn a_role_without_a_readable_trust_policy_is_an_error_and_not_an_empty_one() {
        let mut found = detail().build();
        found.assume_role_policy_document = None;
        assert!(live(found).is_err());
        let found = detail().assume_role_policy_document("not json").build();
        assert!(live(found).is_err());
    }
}
