//! IAM: roles with their policies, the AWS-managed policies that a stack attaches, and the account's
//! password policy.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use winterbaume_core::MockResponse;
use winterbaume_iam::{model, wire};

use crate::call::Call;
use crate::fault::Fault;

/// The largest sum of a role's inline policies, white space not counted.
const INLINE_POLICY_BYTES: usize = 10_240;
/// The largest trust policy.
const TRUST_POLICY_BYTES: usize = 2_048;
/// How many managed policies a role takes.
const MANAGED_POLICIES: usize = 10;

/// What IAM holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// The account's password policy, where one is set.
    pub password_policy: Option<model::PasswordPolicy>,
}

/// A role.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Its attributes; the trust policy as plain JSON text.
    pub role: model::Role,
    /// Inline policies by name, as plain JSON text.
    pub inline: BTreeMap<String, String>,
    /// The ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
}

/// A policy that AWS keeps: its path and name under `arn:aws:iam::aws:policy/`, and its document.
struct Managed {
    name: &'static str,
    document: &'static str,
}

/// The AWS-managed policies that stacks of this workspace attach, and a few that audits meet.
const MANAGED: &[Managed] = &[
    Managed {
        name: "service-role/AmazonECSTaskExecutionRolePolicy",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    },
    Managed {
        name: "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:DescribeLogGroups","logs:DescribeLogStreams","logs:PutLogEvents","logs:GetLogEvents","logs:FilterLogEvents"],"Resource":"*"}]}"#,
    },
    Managed {
        name: "service-role/AWSBackupServiceRolePolicyForBackup",
        document: r#"{"Version":"2012-10-17","Statement":[{"Sid":"RDSPermissions","Effect":"Allow","Action":["rds:AddTagsToResource","rds:ListTagsForResource","rds:DescribeDBSnapshots","rds:CreateDBSnapshot","rds:CopyDBSnapshot","rds:DescribeDBInstances","rds:CreateDBClusterSnapshot","rds:DescribeDBClusters","rds:DescribeDBClusterSnapshots","rds:CopyDBClusterSnapshot"],"Resource":"*"},{"Sid":"EFSPermissions","Effect":"Allow","Action":["elasticfilesystem:Backup","elasticfilesystem:DescribeTags"],"Resource":"arn:aws:elasticfilesystem:*:*:file-system/*"},{"Sid":"BackupVaultPermissions","Effect":"Allow","Action":["backup:DescribeBackupVault","backup:CopyIntoBackupVault"],"Resource":"arn:aws:backup:*:*:backup-vault:*"}]}"#,
    },
    Managed {
        name: "service-role/AWSBackupServiceRolePolicyForRestores",
        document: r#"{"Version":"2012-10-17","Statement":[{"Sid":"RDSPermissions","Effect":"Allow","Action":["rds:DescribeDBInstances","rds:DescribeDBSnapshots","rds:ListTagsForResource","rds:RestoreDBInstanceFromDBSnapshot","rds:DescribeDBClusterSnapshots","rds:RestoreDBClusterFromSnapshot","rds:RestoreDBClusterToPointInTime","rds:CreateTenantDatabase"],"Resource":"*"},{"Sid":"EFSPermissions","Effect":"Allow","Action":["elasticfilesystem:Restore","elasticfilesystem:CreateFilesystem","elasticfilesystem:DescribeFilesystems","elasticfilesystem:DeleteFilesystem"],"Resource":"arn:aws:elasticfilesystem:*:*:file-system/*"},{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/*","Condition":{"StringEquals":{"iam:PassedToService":["ec2.amazonaws.com","ec2.amazonaws.com.cn"]}}}]}"#,
    },
    Managed {
        name: "service-role/AWSLambdaBasicExecutionRole",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    },
    Managed {
        name: "AdministratorAccess",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    },
    Managed {
        name: "PowerUserAccess",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}"#,
    },
    Managed {
        name: "SecurityAudit",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:List*","iam:Get*","cloudtrail:Describe*"],"Resource":"*"}]}"#,
    },
];

const MANAGED_PREFIX: &str = "arn:aws:iam::aws:policy/";

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    match form.get("Action").map_or("", String::as_str) {
        "CreateRole" => create_role(call, &form),
        "GetRole" => {
            let input = wire::deserialize_get_role_request(&form)?;
            let role = Some(shown(role(call, &input.role_name)?));
            Ok(wire::serialize_get_role_response(&model::GetRoleResponse { role }))
        }
        "ListRoles" => list_roles(call, &form),
        "UpdateRole" => update_role(call, &form),
        "UpdateAssumeRolePolicy" => {
            let input = wire::deserialize_update_assume_role_policy_request(&form)?;
            check_trust(call, &input.policy_document)?;
            role_mut(call, &input.role_name)?.role.assume_role_policy_document =
                Some(input.policy_document);
            Ok(wire::serialize_update_assume_role_policy_response())
        }
        "DeleteRole" => delete_role(call, &form),
        "TagRole" => {
            let input = wire::deserialize_tag_role_request(&form)?;
            let role = role_mut(call, &input.role_name)?;
            let tags = &mut role.role.tags.get_or_insert_default().items;
            for tag in input.tags.items {
                tags.retain(|old| old.key != tag.key);
                tags.push(tag);
            }
            check_tags(tags)?;
            Ok(wire::serialize_tag_role_response())
        }
        "UntagRole" => {
            let input = wire::deserialize_untag_role_request(&form)?;
            let role = role_mut(call, &input.role_name)?;
            let tags = &mut role.role.tags.get_or_insert_default().items;
            tags.retain(|tag| !input.tag_keys.items.contains(&tag.key));
            Ok(wire::serialize_untag_role_response())
        }
        "ListRoleTags" => {
            let input = wire::deserialize_list_role_tags_request(&form)?;
            let tags = role(call, &input.role_name)?.role.tags.clone().unwrap_or_default();
            Ok(wire::serialize_list_role_tags_response(&model::ListRoleTagsResponse {
                is_truncated: Some(false),
                tags: Some(tags),
                ..Default::default()
            }))
        }
        "PutRolePolicy" => put_role_policy(call, &form),
        "GetRolePolicy" => {
            let input = wire::deserialize_get_role_policy_request(&form)?;
            let role = role(call, &input.role_name)?;
            let document = role.inline.get(&input.policy_name).ok_or_else(|| {
                no_such(format!("The role policy with name {} cannot be found.", input.policy_name))
            })?;
            Ok(wire::serialize_get_role_policy_response(&model::GetRolePolicyResponse {
                policy_document: Some(url_encoded(document)),
                policy_name: Some(input.policy_name),
                role_name: Some(input.role_name),
            }))
        }
        "ListRolePolicies" => {
            let input = wire::deserialize_list_role_policies_request(&form)?;
            let names: Vec<String> = role(call, &input.role_name)?.inline.keys().cloned().collect();
            Ok(wire::serialize_list_role_policies_response(&model::ListRolePoliciesResponse {
                is_truncated: Some(false),
                policy_names: Some(names.into()),
                ..Default::default()
            }))
        }
        "DeleteRolePolicy" => {
            let input = wire::deserialize_delete_role_policy_request(&form)?;
            let role = role_mut(call, &input.role_name)?;
            role.inline.remove(&input.policy_name).ok_or_else(|| {
                no_such(format!("The role policy with name {} cannot be found.", input.policy_name))
            })?;
            Ok(wire::serialize_delete_role_policy_response())
        }
        "AttachRolePolicy" => {
            let input = wire::deserialize_attach_role_policy_request(&form)?;
            require_managed(&input.policy_arn)?;
            let role = role_mut(call, &input.role_name)?;
            if role.attached.len() >= MANAGED_POLICIES && !role.attached.contains(&input.policy_arn)
            {
                let message =
                    format!("Cannot exceed quota for PoliciesPerRole: {MANAGED_POLICIES}");
                return Err(Fault::new("LimitExceeded", message).status(409));
            }
            role.attached.insert(input.policy_arn);
            Ok(wire::serialize_attach_role_policy_response())
        }
        "DetachRolePolicy" => {
            let input = wire::deserialize_detach_role_policy_request(&form)?;
            if !role_mut(call, &input.role_name)?.attached.remove(&input.policy_arn) {
                return Err(no_such(format!("Policy {} was not found.", input.policy_arn)));
            }
            Ok(wire::serialize_detach_role_policy_response())
        }
        "ListAttachedRolePolicies" => {
            let input = wire::deserialize_list_attached_role_policies_request(&form)?;
            let attached = attached(role(call, &input.role_name)?);
            let answer = model::ListAttachedRolePoliciesResponse {
                attached_policies: Some(attached.into()),
                is_truncated: Some(false),
                ..Default::default()
            };
            Ok(wire::serialize_list_attached_role_policies_response(&answer))
        }
        "PutRolePermissionsBoundary" => {
            let input = wire::deserialize_put_role_permissions_boundary_request(&form)?;
            let boundary = boundary(Some(input.permissions_boundary))?;
            role_mut(call, &input.role_name)?.role.permissions_boundary = boundary;
            Ok(wire::serialize_put_role_permissions_boundary_response())
        }
        "DeleteRolePermissionsBoundary" => {
            let input = wire::deserialize_delete_role_permissions_boundary_request(&form)?;
            role_mut(call, &input.role_name)?.role.permissions_boundary = None;
            Ok(wire::serialize_delete_role_permissions_boundary_response())
        }
        "ListInstanceProfilesForRole" => {
            let input = wire::deserialize_list_instance_profiles_for_role_request(&form)?;
            role(call, &input.role_name)?;
            let answer = model::ListInstanceProfilesForRoleResponse {
                instance_profiles: Some(Default::default()),
                is_truncated: Some(false),
                ..Default::default()
            };
            Ok(wire::serialize_list_instance_profiles_for_role_response(&answer))
        }
        "GetPolicy" => {
            let input = wire::deserialize_get_policy_request(&form)?;
            let policy =
                managed(&input.policy_arn).ok_or_else(|| unknown_policy(&input.policy_arn))?;
            let policy = model::Policy {
                arn: Some(input.policy_arn.clone()),
                policy_name: Some(base_name(policy.name).into()),
                default_version_id: Some("v1".into()),
                is_attachable: Some(true),
                ..Default::default()
            };
            Ok(wire::serialize_get_policy_response(&model::GetPolicyResponse {
                policy: Some(policy),
            }))
        }
        "GetPolicyVersion" => {
            let input = wire::deserialize_get_policy_version_request(&form)?;
            let policy =
                managed(&input.policy_arn).ok_or_else(|| unknown_policy(&input.policy_arn))?;
            let version = model::PolicyVersion {
                document: Some(url_encoded(policy.document)),
                is_default_version: Some(true),
                version_id: Some("v1".into()),
                ..Default::default()
            };
            let policy_version = Some(version);
            Ok(wire::serialize_get_policy_version_response(&model::GetPolicyVersionResponse {
                policy_version,
            }))
        }
        "GetAccountAuthorizationDetails" => authorization_details(call, &form),
        "GetAccountSummary" => Ok(account_summary(call)),
        "ListUsers" => Ok(wire::serialize_list_users_response(&model::ListUsersResponse {
            is_truncated: Some(false),
            users: Some(Default::default()),
            ..Default::default()
        })),
        // There are no users, and so neither are there their credentials.
        "GetLoginProfile" | "ListMFADevices" | "ListAccessKeys" => {
            let name = form.get("UserName").map_or("embedded", String::as_str);
            Err(no_such(format!("The user with name {name} cannot be found.")))
        }
        "GetAccessKeyLastUsed" => {
            let id = wire::deserialize_get_access_key_last_used_request(&form)?.access_key_id;
            Err(no_such(format!("The Access Key with id {id} cannot be found.")))
        }
        "GetAccountPasswordPolicy" => {
            let policy = call.account.global.iam.password_policy.clone().ok_or_else(|| {
                let account = &call.account.id;
                no_such(format!("The Password Policy with domain name {account} cannot be found."))
            })?;
            let answer = model::GetAccountPasswordPolicyResponse { password_policy: Some(policy) };
            Ok(wire::serialize_get_account_password_policy_response(&answer))
        }
        "UpdateAccountPasswordPolicy" => update_password_policy(call, &form),
        "DeleteAccountPasswordPolicy" => {
            call.account.global.iam.password_policy.take().ok_or_else(|| {
                no_such("The account policy with name PasswordPolicy cannot be found.".into())
            })?;
            Ok(wire::serialize_delete_account_password_policy_response())
        }
        other => Err(Fault::unknown_operation("iam", other)),
    }
}

/// That a role exists and that its trust policy lets a service assume it. Services word the refusal in
/// their own ways: callers change code and message where that matters.
pub(crate) fn require_role_trusting(
    call: &Call<'_>,
    role_arn: &str,
    service_principal: &str,
) -> Result<(), Fault> {
    let refused =
        |why: &str| Fault::new("InvalidParameterException", format!("the role {role_arn} {why}"));
    let iam = &call.account.global.iam;
    let role = iam
        .roles
        .values()
        .find(|role| role.role.arn.as_deref() == Some(role_arn))
        .ok_or_else(|| refused("does not exist"))?;
    let text = role.role.assume_role_policy_document.as_deref().unwrap_or_default();
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let trusts = list(&document["Statement"]).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && list(&statement["Principal"]["Service"]).iter().any(|who| *who == service_principal)
            && list(&statement["Action"]).iter().any(|action| *action == "sts:AssumeRole")
    });
    if trusts { Ok(()) } else { Err(refused(&format!("does not trust {service_principal}"))) }
}

fn role<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Role, Fault> {
    let iam = &call.account.global.iam;
    iam.roles.get(name).ok_or_else(|| no_role(name))
}

fn role_mut<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Role, Fault> {
    call.account.global.iam.roles.get_mut(name).ok_or_else(|| no_role(name))
}

fn no_role(name: &str) -> Fault {
    no_such(format!("The role with name {name} cannot be found."))
}

fn no_such(message: String) -> Fault {
    Fault::new("NoSuchEntity", message).status(404)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new("MalformedPolicyDocument", message)
}

fn unknown_policy(arn: &str) -> Fault {
    no_such(format!("Policy {arn} was not found."))
}

fn managed(arn: &str) -> Option<&'static Managed> {
    let name = arn.strip_prefix(MANAGED_PREFIX)?;
    MANAGED.iter().find(|policy| policy.name == name)
}

fn require_managed(arn: &str) -> Result<(), Fault> {
    if !arn.starts_with("arn:") {
        return Err(Fault::new("InvalidInput", format!("ARN {arn} is not valid.")));
    }
    match managed(arn) {
        Some(_) => Ok(()),
        None => Err(no_such(format!("Policy {arn} does not exist or is not attachable."))),
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn create_role(call: &mut Call<'_>, form: &HashMap<String, String>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_create_role_request(form)?;
    let name = input.role_name;
    check_name("roleName", &name, 64)?;
    let path = input.path.unwrap_or_else(|| "/".into());
    if !(path.starts_with('/') && path.ends_with('/') && path.len() <= 512) {
        return Err(invalid(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ));
    }
    if path.starts_with("/aws-service-role/") {
        return Err(invalid(
            "Roles with the path /aws-service-role/ are made by CreateServiceLinkedRole.",
        ));
    }
    check_description(input.description.as_deref())?;
    check_session(input.max_session_duration)?;
    check_tags(input.tags.as_ref().map_or(&[], |tags| &tags.items))?;
    check_trust(call, &input.assume_role_policy_document)?;
    let permissions_boundary = boundary(input.permissions_boundary)?;
    if call.account.global.iam.roles.contains_key(&name) {
        let message = format!("Role with name {name} already exists.");
        return Err(Fault::new("EntityAlreadyExists", message).status(409));
    }
    let role = model::Role {
        arn: Some(format!("arn:aws:iam::{}:role{path}{name}", call.account.id)),
        assume_role_policy_document: Some(input.assume_role_policy_document),
        create_date: Some(call.iso8601()),
        description: input.description,
        max_session_duration: Some(input.max_session_duration.unwrap_or(3600)),
        path: Some(path),
        permissions_boundary,
        role_id: Some(format!("AROA{}", call.random_alphanumeric(17).to_uppercase())),
        role_name: Some(name.clone()),
        tags: input.tags,
        ..Default::default()
    };
    let made = Role { role, ..Role::default() };
    let answer = model::CreateRoleResponse { role: Some(shown(&made)) };
    call.account.global.iam.roles.insert(name, made);
    Ok(wire::serialize_create_role_response(&answer))
}

/// The role as an API shows it: documents URL-encoded.
fn shown(role: &Role) -> model::Role {
    let mut shown = role.role.clone();
    shown.assume_role_policy_document =
        shown.assume_role_policy_document.map(|document| url_encoded(&document));
    shown
}

fn list_roles(call: &Call<'_>, form: &HashMap<String, String>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_list_roles_request(form)?;
    let prefix = input.path_prefix.unwrap_or_else(|| "/".into());
    let (page, marker) = page(call, input.marker.as_deref(), input.max_items);
    let roles: Vec<model::Role> = page
        .into_iter()
        .filter(|role| role.role.path.as_deref().unwrap_or("/").starts_with(&prefix))
        .map(|role| {
            let mut role = shown(role);
            // ListRoles leaves these out.
            role.tags = None;
            role.permissions_boundary = None;
            role.role_last_used = None;
            role
        })
        .collect();
    Ok(wire::serialize_list_roles_response(&model::ListRolesResponse {
        is_truncated: Some(marker.is_some()),
        marker,
        roles: Some(roles.into()),
    }))
}

/// A page of roles, and the marker of the next one.
fn page<'a>(
    call: &'a Call<'_>,
    marker: Option<&str>,
    size: Option<i32>,
) -> (Vec<&'a Role>, Option<String>) {
    let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let roles = &call.account.global.iam.roles;
    let mut rest = roles.iter().filter(|(name, _)| marker.is_none_or(|from| name.as_str() >= from));
    let page: Vec<&Role> = rest.by_ref().take(size).map(|(_, role)| role).collect();
    (page, rest.next().map(|(name, _)| name.clone()))
}

fn update_role(call: &mut Call<'_>, form: &HashMap<String, String>) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_update_role_request(form)?;
    check_description(input.description.as_deref())?;
    check_session(input.max_session_duration)?;
    let role = &mut role_mut(call, &input.role_name)?.role;
    if let Some(description) = input.description {
        role.description = Some(description);
    }
    if let Some(seconds) = input.max_session_duration {
        role.max_session_duration = Some(seconds);
    }
    Ok(wire::serialize_update_role_response(&model::UpdateRoleResponse {}))
}

fn delete_role(call: &mut Call<'_>, form: &HashMap<String, String>) -> Result<MockResponse, Fault> {
    let name = wire::deserialize_delete_role_request(form)?.role_name;
    let conflict = |message: &str| Fault::new("DeleteConflict", message).status(409);
    let role = role(call, &name)?;
    if !role.attached.is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    call.account.global.iam.roles.remove(&name);
    Ok(wire::serialize_delete_role_response())
}

fn put_role_policy(
    call: &mut Call<'_>,
    form: &HashMap<String, String>,
) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_put_role_policy_request(form)?;
    check_name("policyName", &input.policy_name, 128)?;
    check_permissions(&input.policy_document)?;
    let role = role_mut(call, &input.role_name)?;
    let others = role.inline.iter().filter(|(name, _)| **name != input.policy_name);
    let size = others
        .map(|(_, text)| text)
        .chain([&input.policy_document])
        .map(|text| dense(text))
        .sum::<usize>();
    if size > INLINE_POLICY_BYTES {
        let message = format!(
            "Maximum policy size of {INLINE_POLICY_BYTES} bytes exceeded for role {}",
            input.role_name
        );
        return Err(Fault::new("LimitExceeded", message).status(409));
    }
    role.inline.insert(input.policy_name, input.policy_document);
    Ok(wire::serialize_put_role_policy_response())
}

fn dense(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).map(char::len_utf8).sum()
}

fn attached(role: &Role) -> Vec<model::AttachedPolicy> {
    role.attached
        .iter()
        .map(|arn| model::AttachedPolicy {
            policy_arn: Some(arn.clone()),
            policy_name: Some(base_name(arn).into()),
        })
        .collect()
}

fn boundary(arn: Option<String>) -> Result<Option<model::AttachedPermissionsBoundary>, Fault> {
    let Some(arn) = arn else { return Ok(None) };
    if managed(&arn).is_none() {
        return Err(no_such(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    Ok(Some(model::AttachedPermissionsBoundary {
        permissions_boundary_arn: Some(arn),
        permissions_boundary_type: Some("Policy".into()),
    }))
}

fn authorization_details(
    call: &Call<'_>,
    form: &HashMap<String, String>,
) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_get_account_authorization_details_request(form)?;
    let filter = input.filter.map(|filter| filter.items).unwrap_or_default();
    let wants = |what: &str| filter.is_empty() || filter.iter().any(|one| one == what);
    let (page, marker) = if wants("Role") {
        page(call, input.marker.as_deref(), input.max_items)
    } else {
        (Vec::new(), None)
    };
    let roles: Vec<model::RoleDetail> = page
        .into_iter()
        .map(|role| {
            let inline: Vec<model::PolicyDetail> = role
                .inline
                .iter()
                .map(|(name, document)| model::PolicyDetail {
                    policy_name: Some(name.clone()),
                    policy_document: Some(url_encoded(document)),
                })
                .collect();
            let attached = attached(role);
            let role = shown(role);
            model::RoleDetail {
                arn: role.arn,
                assume_role_policy_document: role.assume_role_policy_document,
                attached_managed_policies: Some(attached.into()),
                create_date: role.create_date,
                instance_profile_list: Some(Default::default()),
                path: role.path,
                permissions_boundary: role.permissions_boundary,
                role_id: role.role_id,
                role_last_used: role.role_last_used,
                role_name: role.role_name,
                role_policy_list: Some(inline.into()),
                tags: role.tags,
            }
        })
        .collect();
    let policies = if wants("AWSManagedPolicy") && input.marker.is_none() {
        policies_in_use(call)
    } else {
        Vec::new()
    };
    let answer = model::GetAccountAuthorizationDetailsResponse {
        group_detail_list: Some(Default::default()),
        is_truncated: Some(marker.is_some()),
        marker,
        policies: Some(policies.into()),
        role_detail_list: Some(roles.into()),
        user_detail_list: Some(Default::default()),
    };
    Ok(wire::serialize_get_account_authorization_details_response(&answer))
}

/// AWS's policies that roles have, or are bounded by. IAM does not list the others here.
fn policies_in_use(call: &Call<'_>) -> Vec<model::ManagedPolicyDetail> {
    let roles = &call.account.global.iam.roles;
    let in_use = |policy: &Managed| {
        let arn = format!("{MANAGED_PREFIX}{}", policy.name);
        let bounded = |role: &&Role| {
            let boundary = role.role.permissions_boundary.as_ref();
            boundary.and_then(|it| it.permissions_boundary_arn.as_ref()) == Some(&arn)
        };
        let attached = roles.values().filter(|role| role.attached.contains(&arn)).count();
        let bounds = roles.values().filter(bounded).count();
        if attached + bounds == 0 {
            return None;
        }
        let version = model::PolicyVersion {
            document: Some(url_encoded(policy.document)),
            is_default_version: Some(true),
            version_id: Some("v1".into()),
            ..Default::default()
        };
        Some(model::ManagedPolicyDetail {
            arn: Some(arn),
            attachment_count: i32::try_from(attached).ok(),
            default_version_id: Some("v1".into()),
            is_attachable: Some(true),
            permissions_boundary_usage_count: i32::try_from(bounds).ok(),
            policy_name: Some(base_name(policy.name).into()),
            policy_version_list: Some(vec![version].into()),
            ..Default::default()
        })
    };
    MANAGED.iter().filter_map(in_use).collect()
}

/// An account whose root user has MFA and no access key, and that has no other users.
///
/// winterbaume writes the map without the entries that the protocol has; the answer is put together
/// from the serialised form's pieces here.
fn account_summary(call: &Call<'_>) -> MockResponse {
    let roles = call.account.global.iam.roles.len();
    let counts = [
        ("AccountAccessKeysPresent", 0),
        ("AccountMFAEnabled", 1),
        ("AccountPasswordPresent", 1),
        ("AccountSigningCertificatesPresent", 0),
        ("Groups", 0),
        ("MFADevices", 1),
        ("MFADevicesInUse", 1),
        ("Policies", 0),
        ("Roles", roles),
        ("Users", 0),
    ];
    let entries: String = counts
        .iter()
        .map(|(key, value)| format!("<entry><key>{key}</key><value>{value}</value></entry>"))
        .collect();
    MockResponse::xml(
        200,
        format!(
            "<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetAccountSummaryResult><SummaryMap>{entries}</SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>"
        ),
    )
}

/// What the call does not name goes back to AWS's default.
fn update_password_policy(
    call: &mut Call<'_>,
    form: &HashMap<String, String>,
) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_update_account_password_policy_request(form)?;
    let length = input.minimum_password_length.unwrap_or(6);
    let within = |what: &str, value: Option<i32>, least: i32, most: i32| match value {
        Some(value) if !(least..=most).contains(&value) => Err(invalid(format!(
            "1 validation error detected: Value '{value}' at '{what}' failed to satisfy constraint: Member must have value between {least} and {most}"
        ))),
        _ => Ok(()),
    };
    within("minimumPasswordLength", Some(length), 6, 128)?;
    within("passwordReusePrevention", input.password_reuse_prevention, 1, 24)?;
    within("maxPasswordAge", input.max_password_age, 1, 1095)?;
    let policy = model::PasswordPolicy {
        allow_users_to_change_password: Some(input.allow_users_to_change_password.unwrap_or(false)),
        expire_passwords: Some(input.max_password_age.is_some()),
        hard_expiry: Some(input.hard_expiry.unwrap_or(false)),
        max_password_age: input.max_password_age,
        minimum_password_length: Some(length),
        password_reuse_prevention: input.password_reuse_prevention,
        require_lowercase_characters: Some(input.require_lowercase_characters.unwrap_or(false)),
        require_numbers: Some(input.require_numbers.unwrap_or(false)),
        require_symbols: Some(input.require_symbols.unwrap_or(false)),
        require_uppercase_characters: Some(input.require_uppercase_characters.unwrap_or(false)),
    };
    call.account.global.iam.password_policy = Some(policy);
    Ok(wire::serialize_update_account_password_policy_response())
}

fn check_name(what: &str, name: &str, longest: usize) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.is_empty() || name.len() > longest {
        return Err(invalid(format!(
            "1 validation error detected: Value at '{what}' failed to satisfy constraint: Member must have length less than or equal to {longest}"
        )));
    }
    if name.chars().all(allowed) {
        return Ok(());
    }
    Err(invalid(format!(
        "The specified value for {what} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )))
}

fn check_description(text: Option<&str>) -> Result<(), Fault> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    match text {
        Some(text) if text.chars().count() > 1000 || !text.chars().all(allowed) => Err(invalid(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*",
        )),
        _ => Ok(()),
    }
}

fn check_session(seconds: Option<i32>) -> Result<(), Fault> {
    match seconds {
        Some(seconds) if !(3600..=43_200).contains(&seconds) => Err(invalid(format!(
            "1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200"
        ))),
        _ => Ok(()),
    }
}

fn check_tags(tags: &[model::Tag]) -> Result<(), Fault> {
    if tags.len() > 50 {
        return Err(Fault::new(
            "LimitExceeded",
            "The number of tags has reached the maximum limit.",
        )
        .status(409));
    }
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    for tag in tags {
        if tag.key.is_empty() || tag.key.len() > 128 || !tag.key.chars().all(allowed) {
            return Err(invalid(format!("The tag key {:?} is not valid.", tag.key)));
        }
        if tag.value.len() > 256 || !tag.value.chars().all(allowed) {
            return Err(invalid(format!("The value of the tag {:?} is not valid.", tag.key)));
        }
    }
    Ok(())
}

/// One or many, as policy documents have it everywhere.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn statements(text: &str) -> Result<Vec<Value>, Fault> {
    let document: Value =
        serde_json::from_str(text).map_err(|_| malformed("Syntax errors in policy."))?;
    let known = ["Version", "Id", "Statement"];
    let fields = document.as_object().ok_or_else(|| malformed("Syntax errors in policy."))?;
    if fields.keys().any(|key| !known.contains(&key.as_str())) {
        return Err(malformed("Syntax errors in policy."));
    }
    if !matches!(document["Version"].as_str(), None | Some("2012-10-17" | "2008-10-17")) {
        return Err(malformed("The policy failed legacy parsing"));
    }
    let statements: Vec<Value> = list(&document["Statement"]).into_iter().cloned().collect();
    if statements.is_empty() {
        return Err(malformed("Syntax errors in policy."));
    }
    let known = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    for statement in &statements {
        let fields = statement.as_object().ok_or_else(|| malformed("Syntax errors in policy."))?;
        if fields.keys().any(|key| !known.contains(&key.as_str())) {
            return Err(malformed("Syntax errors in policy."));
        }
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return Err(malformed("Syntax errors in policy."));
        }
        let sid = statement["Sid"].as_str().unwrap_or_default();
        if !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(malformed(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
            ));
        }
    }
    Ok(statements)
}

/// A trust policy: who may assume the role.
fn check_trust(call: &Call<'_>, text: &str) -> Result<(), Fault> {
    if text.len() > TRUST_POLICY_BYTES {
        return Err(
            Fault::new("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048").status(409)
        );
    }
    for statement in statements(text)? {
        if statement.get("Resource").is_some() || statement.get("NotResource").is_some() {
            return Err(malformed("Has prohibited field Resource"));
        }
        let actions = list(&statement["Action"]);
        let sts = |action: &Value| action.as_str().is_some_and(|action| action.starts_with("sts:"));
        if actions.is_empty() || !actions.iter().all(|action| sts(action)) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
        if statement.get("Principal").is_none() && statement.get("NotPrincipal").is_none() {
            return Err(malformed("Missing required field Principal"));
        }
        for who in list(&statement["Principal"]["Service"]) {
            let who = who.as_str().unwrap_or_default();
            let service = who.strip_suffix(".amazonaws.com").unwrap_or_default();
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            if service.is_empty() || !service.chars().all(allowed) {
                return Err(malformed(format!(
                    "Invalid principal in policy: \"SERVICE\":\"{who}\""
                )));
            }
        }
        let here = format!("arn:aws:iam::{}:role/", call.account.id);
        for who in list(&statement["Principal"]["AWS"]) {
            let who = who.as_str().unwrap_or_default();
            let exists = |role: &Role| role.role.arn.as_deref() == Some(who);
            if who.starts_with(&here) && !call.account.global.iam.roles.values().any(exists) {
                return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{who}\"")));
            }
        }
    }
    Ok(())
}

/// A permissions policy: what the role may do.
fn check_permissions(text: &str) -> Result<(), Fault> {
    for statement in statements(text)? {
        if statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some() {
            return Err(malformed("Policy document should not specify a principal."));
        }
        let actions: Vec<&Value> =
            list(&statement["Action"]).into_iter().chain(list(&statement["NotAction"])).collect();
        if actions.is_empty() {
            return Err(malformed("Policy statement must contain actions."));
        }
        for action in actions {
            let action = action.as_str().unwrap_or_default();
            let vendor = action.split_once(':').is_some_and(|(vendor, name)| {
                !name.is_empty()
                    && !vendor.is_empty()
                    && vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
            if action != "*" && !vendor {
                return Err(malformed(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                ));
            }
        }
        let resources: Vec<&Value> = list(&statement["Resource"])
            .into_iter()
            .chain(list(&statement["NotResource"]))
            .collect();
        if resources.is_empty() {
            return Err(malformed("Policy statement must contain resources."));
        }
        for resource in resources {
            let resource = resource.as_str().unwrap_or_default();
            if resource != "*"
                && !(resource.starts_with("arn:") && resource.split(':').count() >= 6)
            {
                return Err(malformed(format!(
                    "Resource {resource} must be in ARN format or \"*\"."
                )));
            }
        }
    }
    Ok(())
}

/// RFC 3986, as IAM encodes documents.
fn url_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
