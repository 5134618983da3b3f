//! `lakeformation.permission`: what somebody may do with a part of the data lake.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lakeformation::types::{DataLakePrincipal, DataLakeSettings, Permission, Resource};
use engine::{Allow, ApiError, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

/// All that one principal may do with one resource of Lake Formation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LakePermission {
    /// Who: an account, the ARN of a role, a user, an organisation or a unit of it, or
    /// `IAM_ALLOWED_PRINCIPALS`, which leaves it to IAM.
    pub principal: String,
    /// What: `database records`, `table records.grades`.
    pub resource: String,
    /// In AWS's words: `SELECT`, `DESCRIBE`, `ALL`.
    pub permissions: BTreeSet<String>,
    /// Those that the principal may pass on.
    pub grantable: BTreeSet<String>,
}

impl Inspected for LakePermission {
    const KIND: &'static str = "lakeformation.permission";
    const READ: &'static [Allow] =
        &[Allow::to(&["lakeformation:ListPermissions", "lakeformation:GetDataLakeSettings"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        match list(aws).await {
            Ok(live) => {
                let errors = filtered(aws).await.into_iter().collect();
                Collected { live, errors }
            }
            Err(error) => Collected::failed(error),
        }
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<LakePermission>>> {
    let action = "lakeformation:ListPermissions";
    let call = client!(aws, aws_sdk_lakeformation).list_permissions().into_paginator();
    let pages: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let mut found: BTreeMap<(String, String), LakePermission> = BTreeMap::new();
    for one in
        pages.into_iter().flat_map(|page| page.principal_resource_permissions.unwrap_or_default())
    {
        let principal = one.principal.and_then(|who| who.data_lake_principal_identifier);
        let principal = principal.ok_or_else(|| Error::incomplete(action, "a principal"))?;
        let resource = one.resource.map_or_else(|| "something".into(), |what| named(&what));
        // One pair may have several grants, each with a condition.
        let entry = found.entry((principal.clone(), resource.clone())).or_insert_with(|| {
            let (permissions, grantable) = (BTreeSet::new(), BTreeSet::new());
            LakePermission { principal, resource, permissions, grantable }
        });
        entry.permissions.extend(words(one.permissions));
        entry.grantable.extend(words(one.permissions_with_grant_option));
    }
    let live =
        |((principal, resource), spec)| Live::new(format!("{principal} on {resource}"), spec);
    Ok(found.into_iter().map(live).collect())
}

/// Lake Formation shows a caller who is no administrator of the data lake only a part of the
/// permissions, and does not say so. Then there may be more than were listed.
async fn filtered(aws: &Aws) -> Option<ApiError> {
    let action = "lakeformation:GetDataLakeSettings";
    let call = client!(aws, aws_sdk_lakeformation).get_data_lake_settings();
    let settings = match aws.call(action, call.send()).await {
        Ok(answer) => answer.data_lake_settings?,
        Err(Error::Api(error)) => return Some(error),
        Err(other) => {
            let (code, message) = ("Incomplete".into(), other.to_string());
            return Some(ApiError { action: action.into(), code, message, status: None });
        }
    };
    let admins = administrators(&settings);
    // Without an administrator nobody uses it: there is nothing to hide.
    let sees_all =
        admins.is_empty() || admins.iter().any(|admin| is_caller(admin, aws.caller_arn()));
    (!sees_all).then(|| ApiError {
        action: "lakeformation:ListPermissions".into(),
        code: "Filtered".into(),
        message: format!(
            "{} is no administrator of the data lake, so AWS shows it only a part; add it to ReadOnlyAdmins with lakeformation:PutDataLakeSettings",
            aws.caller_arn()
        ),
        status: None,
    })
}

fn administrators(settings: &DataLakeSettings) -> Vec<&str> {
    let both = [&settings.data_lake_admins, &settings.read_only_admins];
    let all = both.into_iter().flatten().flatten();
    all.filter_map(DataLakePrincipal::data_lake_principal_identifier).collect()
}

/// Whether a principal of IAM is the caller. Who has assumed a role is called after the role's name,
/// without its path.
fn is_caller(principal: &str, caller: &str) -> bool {
    let role = caller.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    let same_role = |role| {
        principal
            .split_once(":role/")
            .is_some_and(|(_, path)| path.rsplit('/').next() == Some(role))
    };
    principal == caller || role.is_some_and(same_role)
}

fn words(permissions: Option<Vec<Permission>>) -> impl Iterator<Item = String> {
    permissions.unwrap_or_default().into_iter().map(|one| one.as_str().to_owned())
}

/// What a grant is for, in AWS's nouns.
fn named(resource: &Resource) -> String {
    if let Some(table) = &resource.table {
        let name = table.name.as_deref().unwrap_or("*");
        return format!("table {}.{name}", table.database_name);
    }
    if let Some(table) = &resource.table_with_columns {
        return format!("columns of the table {}.{}", table.database_name, table.name);
    }
    if let Some(database) = &resource.database {
        return format!("database {}", database.name);
    }
    if let Some(location) = &resource.data_location {
        return format!("location {}", location.resource_arn);
    }
    if let Some(cells) = &resource.data_cells_filter {
        let part = |name: &Option<String>| name.clone().unwrap_or_default();
        let (database, table) = (part(&cells.database_name), part(&cells.table_name));
        return format!("cells {} of the table {database}.{table}", part(&cells.name));
    }
    if let Some(tag) = &resource.lf_tag {
        return format!("tag {}", tag.tag_key);
    }
    if let Some(tagged) = &resource.lf_tag_policy {
        let tags = tagged.expression.iter();
        let tags: Vec<String> =
            tags.map(|tag| format!("{}={}", tag.tag_key, tag.tag_values.join("|"))).collect();
        let what = tagged.resource_type.as_str();
        let by_name = tagged.expression_name.as_deref().unwrap_or_default();
        return format!("every {what} tagged {}{by_name}", tags.join(", "));
    }
    if let Some(expression) = &resource.lf_tag_expression {
        return format!("tag expression {}", expression.name);
    }
    "the catalog".into()
}

#[cfg(test)]
mod tests {
    use super::is_caller;

    #[test]
    fn a_session_is_its_role() {
        let session = "arn:aws:sts::123456789012:assumed-role/auditor/audit-1";
        assert!(is_caller("arn:aws:iam::123456789012:role/security/auditor", session));
        assert!(!is_caller("arn:aws:iam::123456789012:role/auditor/admin", session));
        assert!(!is_caller("arn:aws:iam::123456789012:user/auditor", session));
        let user = "arn:aws:iam::123456789012:user/auditor";
        assert!(is_caller(user, user));
    }
}
