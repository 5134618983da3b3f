//! AWS Backup: vaults, plans and selections. Nothing is ever backed up, so vaults stay empty.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_backup::{model, wire};
use winterbaume_core::MockResponse;

use super::{iam, kms};
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::Document;

/// What AWS Backup holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub vaults: BTreeMap<String, Vault>,
    /// By id.
    pub plans: BTreeMap<String, Plan>,
}

/// A vault.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Vault {
    /// Its attributes.
    pub description: model::DescribeBackupVaultOutput,
    /// Its policy, as it was put.
    pub access_policy: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A plan.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Its attributes.
    pub description: model::GetBackupPlanOutput,
    /// Its selections, by id.
    pub selections: BTreeMap<String, model::GetBackupSelectionOutput>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A request, parsed by winterbaume's wire.
macro_rules! parse {
    ($call:expr, $parser:ident $(, $label:literal = $value:expr)*) => {
        wire::$parser($call.request, &[$(($label, $value)),*], &$call.query())?
    };
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let path = call.segments();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let method = call.request.method.clone();
    match (method.as_str(), path.as_slice()) {
        (_, ["backup-vaults", ..]) => vaults(call, &method, &path[1..]),
        (_, ["backup", "plans", ..]) => plans(call, &method, &path[2..]),
        ("GET", ["tags", arn]) => {
            let tags = tags_mut(call, arn, |tags| tags.clone())?;
            Ok(wire::serialize_list_tags_response(&model::ListTagsOutput {
                tags: Some(tags.into_iter().collect()),
                next_token: None,
            }))
        }
        ("POST", ["tags", arn]) => {
            let input = parse!(call, deserialize_tag_resource_request, "ResourceArn" = arn);
            few_enough(&input.tags)?;
            tags_mut(call, arn, |tags| tags.extend(input.tags))?;
            Ok(wire::serialize_tag_resource_response())
        }
        ("POST", ["untag", arn]) => {
            let input = parse!(call, deserialize_untag_resource_request, "ResourceArn" = arn);
            tags_mut(call, arn, |tags| tags.retain(|key, _| !input.tag_key_list.contains(key)))?;
            Ok(wire::serialize_untag_resource_response())
        }
        ("GET", ["resources"]) => {
            let none =
                model::ListProtectedResourcesOutput { results: Some(Vec::new()), next_token: None };
            Ok(wire::serialize_list_protected_resources_response(&none))
        }
        ("GET", ["account-settings"]) => {
            let on = ["Aurora", "DynamoDB", "EBS", "EC2", "EFS", "RDS", "S3"];
            let on = on.map(|kind| (kind.to_owned(), true));
            Ok(wire::serialize_describe_region_settings_response(
                &model::DescribeRegionSettingsOutput {
                    resource_type_opt_in_preference: Some(on.into_iter().collect()),
                    resource_type_management_preference: Some(HashMap::new()),
                },
            ))
        }
        (method, path) => {
            Err(Fault::unknown_operation("backup", &format!("{method} {}", path.join("/"))))
        }
    }
}

fn vaults(call: &mut Call<'_>, method: &str, path: &[&str]) -> Result<MockResponse, Fault> {
    match (method, path) {
        ("GET", []) => {
            let input = parse!(call, deserialize_list_backup_vaults_request);
            let all = held(call)
                .map(|backup| backup.vaults.values())
                .into_iter()
                .flatten()
                .map(|vault| member(&vault.description))
                .collect();
            let (found, next) = paged(all, input.next_token.as_deref(), input.max_results)?;
            Ok(wire::serialize_list_backup_vaults_response(&model::ListBackupVaultsOutput {
                backup_vault_list: Some(found),
                next_token: next,
            }))
        }
        ("PUT", [name]) => create_vault(
            call,
            parse!(call, deserialize_create_backup_vault_request, "BackupVaultName" = name),
        ),
        ("GET", [name]) => {
            Ok(wire::serialize_describe_backup_vault_response(&vault(call, name)?.description))
        }
        ("DELETE", [name]) => {
            let held = vault(call, name)?.description.number_of_recovery_points;
            if held.unwrap_or_default() > 0 {
                let message = "Backup vault cannot be deleted because it contains recovery points.";
                return Err(Fault::new("InvalidRequestException", message));
            }
            call.region().backup.vaults.remove(*name);
            Ok(wire::serialize_delete_backup_vault_response())
        }
        ("GET", [name, "access-policy"]) => {
            let vault = vault(call, name)?;
            let policy = vault
                .access_policy
                .clone()
                .ok_or_else(|| not_found(format!("Backup vault {name} has no access policy")))?;
            Ok(wire::serialize_get_backup_vault_access_policy_response(
                &model::GetBackupVaultAccessPolicyOutput {
                    backup_vault_arn: vault.description.backup_vault_arn.clone(),
                    backup_vault_name: vault.description.backup_vault_name.clone(),
                    policy: Some(policy),
                },
            ))
        }
        ("PUT", [name, "access-policy"]) => {
            let input = parse!(
                call,
                deserialize_put_backup_vault_access_policy_request,
                "BackupVaultName" = name
            );
            let policy = input.policy.ok_or_else(|| missing("Policy"))?;
            Document::parse(&policy).map_err(invalid)?;
            change_vault(call, name, |vault| vault.access_policy = Some(policy))?;
            Ok(wire::serialize_put_backup_vault_access_policy_response())
        }
        ("DELETE", [name, "access-policy"]) => {
            change_vault(call, name, |vault| vault.access_policy = None)?;
            Ok(wire::serialize_delete_backup_vault_access_policy_response())
        }
        ("PUT", [name, "vault-lock"]) => lock(
            call,
            parse!(
                call,
                deserialize_put_backup_vault_lock_configuration_request,
                "BackupVaultName" = name
            ),
        ),
        ("DELETE", [name, "vault-lock"]) => {
            changeable(call, name)?;
            change_vault(call, name, |vault| {
                vault.description.locked = Some(false);
                vault.description.min_retention_days = None;
                vault.description.max_retention_days = None;
                vault.description.lock_date = None;
            })?;
            Ok(wire::serialize_delete_backup_vault_lock_configuration_response())
        }
        ("GET", [name, "recovery-points"]) => {
            vault(call, name)?;
            let none = model::ListRecoveryPointsByBackupVaultOutput {
                recovery_points: Some(Vec::new()),
                next_token: None,
            };
            Ok(wire::serialize_list_recovery_points_by_backup_vault_response(&none))
        }
        ("GET", [name, "notification-configuration"]) => {
            vault(call, name)?;
            let message = "Failed reading notifications from database for Backup vault ".to_owned();
            Err(not_found(message + name))
        }
        (method, path) => Err(Fault::unknown_operation(
            "backup",
            &format!("{method} backup-vaults/{}", path.join("/")),
        )),
    }
}

fn create_vault(
    call: &mut Call<'_>,
    input: model::CreateBackupVaultInput,
) -> Result<MockResponse, Fault> {
    let name = input.backup_vault_name;
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(2..=50).contains(&name.len()) || !name.chars().all(known) {
        return Err(invalid(format!("{name} is no name of a backup vault")));
    }
    let key = match &input.encryption_key_arn {
        Some(key) => kms::require_usable(call, key).map_err(|fault| invalid(fault.message))?,
        None => call.arn("kms", "key/aws-backup"),
    };
    if let Ok(existing) = vault(call, &name) {
        let same = input.creator_request_id.is_some()
            && existing.description.creator_request_id == input.creator_request_id
            && existing.description.encryption_key_arn.as_deref() == Some(key.as_str());
        if !same {
            let message = "Backup vault with the same name already exists";
            return Err(Fault::new("AlreadyExistsException", message));
        }
        return Ok(wire::serialize_create_backup_vault_response(&made(&existing.description)));
    }
    let tags = input.backup_vault_tags.unwrap_or_default();
    few_enough(&tags)?;
    let customer = input.encryption_key_arn.is_some();
    let description = model::DescribeBackupVaultOutput {
        backup_vault_arn: Some(call.arn("backup", &format!("backup-vault:{name}"))),
        backup_vault_name: Some(name.clone()),
        creation_date: Some(call.epoch()),
        creator_request_id: input.creator_request_id,
        encryption_key_arn: Some(key),
        encryption_key_type: Some(
            if customer { "CUSTOMER_MANAGED_KMS_KEY" } else { "AWS_OWNED_KMS_KEY" }.into(),
        ),
        locked: Some(false),
        number_of_recovery_points: Some(0),
        vault_state: Some("AVAILABLE".into()),
        vault_type: Some("BACKUP_VAULT".into()),
        ..Default::default()
    };
    let answer = wire::serialize_create_backup_vault_response(&made(&description));
    let vault = Vault { description, access_policy: None, tags: tags.into_iter().collect() };
    call.region().backup.vaults.insert(name, vault);
    Ok(answer)
}

fn made(vault: &model::DescribeBackupVaultOutput) -> model::CreateBackupVaultOutput {
    model::CreateBackupVaultOutput {
        backup_vault_arn: vault.backup_vault_arn.clone(),
        backup_vault_name: vault.backup_vault_name.clone(),
        creation_date: vault.creation_date,
    }
}

fn member(vault: &model::DescribeBackupVaultOutput) -> model::BackupVaultListMember {
    model::BackupVaultListMember {
        backup_vault_arn: vault.backup_vault_arn.clone(),
        backup_vault_name: vault.backup_vault_name.clone(),
        creation_date: vault.creation_date,
        creator_request_id: vault.creator_request_id.clone(),
        encryption_key_arn: vault.encryption_key_arn.clone(),
        encryption_key_type: vault.encryption_key_type.clone(),
        lock_date: vault.lock_date,
        locked: vault.locked,
        max_retention_days: vault.max_retention_days,
        min_retention_days: vault.min_retention_days,
        number_of_recovery_points: vault.number_of_recovery_points,
        vault_state: vault.vault_state.clone(),
        vault_type: vault.vault_type.clone(),
    }
}

fn lock(
    call: &mut Call<'_>,
    input: model::PutBackupVaultLockConfigurationInput,
) -> Result<MockResponse, Fault> {
    let name = input.backup_vault_name;
    changeable(call, &name)?;
    let (least, most) = (input.min_retention_days, input.max_retention_days);
    if least.is_some_and(|days| days < 1) {
        return Err(invalid("MinRetentionDays must be at least 1 day"));
    }
    if most.is_some_and(|days| days > 36_500) {
        return Err(invalid("MaxRetentionDays cannot exceed 36500 days"));
    }
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        return Err(invalid("MinRetentionDays cannot be greater than MaxRetentionDays"));
    }
    if input.changeable_for_days.is_some_and(|days| days < 3) {
        return Err(invalid("ChangeableForDays must be at least 3 days"));
    }
    let date = input.changeable_for_days.map(|days| call.epoch() + days as f64 * 86_400.0);
    change_vault(call, &name, |vault| {
        vault.description.locked = Some(true);
        vault.description.min_retention_days = least;
        vault.description.max_retention_days = most;
        vault.description.lock_date = date;
    })?;
    Ok(wire::serialize_put_backup_vault_lock_configuration_response())
}

/// That a vault's lock can still be changed.
fn changeable(call: &Call<'_>, name: &str) -> Result<(), Fault> {
    let date = vault(call, name)?.description.lock_date;
    if date.is_some_and(|date| date <= call.epoch()) {
        let message = "Vault Lock configuration is immutable and cannot be modified";
        return Err(Fault::new("InvalidRequestException", message));
    }
    Ok(())
}

fn plans(call: &mut Call<'_>, method: &str, path: &[&str]) -> Result<MockResponse, Fault> {
    match (method, path) {
        ("GET", []) => {
            let input = parse!(call, deserialize_list_backup_plans_request);
            let all = held(call)
                .map(|backup| backup.plans.values())
                .into_iter()
                .flatten()
                .map(|plan| plan_member(&plan.description))
                .collect();
            let (found, next) = paged(all, input.next_token.as_deref(), input.max_results)?;
            Ok(wire::serialize_list_backup_plans_response(&model::ListBackupPlansOutput {
                backup_plans_list: Some(found),
                next_token: next,
            }))
        }
        ("PUT", []) => create_plan(call, parse!(call, deserialize_create_backup_plan_request)),
        ("GET", [id]) => Ok(wire::serialize_get_backup_plan_response(&plan(call, id)?.description)),
        ("POST", [id]) => {
            let input = parse!(call, deserialize_update_backup_plan_request, "BackupPlanId" = id);
            update_plan(call, id, input.backup_plan)
        }
        ("DELETE", [id]) => {
            let now = call.epoch();
            let plan = plan(call, id)?;
            if !plan.selections.is_empty() {
                let message =
                    "Related backup plan selections must be deleted prior to backup plan deletion";
                return Err(Fault::new("InvalidRequestException", message));
            }
            let gone = model::DeleteBackupPlanOutput {
                backup_plan_arn: plan.description.backup_plan_arn.clone(),
                backup_plan_id: plan.description.backup_plan_id.clone(),
                deletion_date: Some(now),
                version_id: plan.description.version_id.clone(),
            };
            call.region().backup.plans.remove(*id);
            Ok(wire::serialize_delete_backup_plan_response(&gone))
        }
        ("GET", [id, "versions"]) => {
            let only = plan_member(&plan(call, id)?.description);
            Ok(wire::serialize_list_backup_plan_versions_response(
                &model::ListBackupPlanVersionsOutput {
                    backup_plan_versions_list: Some(vec![only]),
                    next_token: None,
                },
            ))
        }
        ("GET", [id, "selections"]) => {
            let input =
                parse!(call, deserialize_list_backup_selections_request, "BackupPlanId" = id);
            let all = plan(call, id)?.selections.values().map(selection_member).collect();
            let (found, next) = paged(all, input.next_token.as_deref(), input.max_results)?;
            Ok(wire::serialize_list_backup_selections_response(
                &model::ListBackupSelectionsOutput {
                    backup_selections_list: Some(found),
                    next_token: next,
                },
            ))
        }
        ("PUT", [id, "selections"]) => select(
            call,
            id,
            parse!(call, deserialize_create_backup_selection_request, "BackupPlanId" = id),
        ),
        ("GET", [id, "selections", selection]) => {
            let found = plan(call, id)?.selections.get(*selection);
            let found = found.ok_or_else(|| no_selection(selection))?;
            Ok(wire::serialize_get_backup_selection_response(found))
        }
        ("DELETE", [id, "selections", selection]) => {
            if !plan(call, id)?.selections.contains_key(*selection) {
                return Err(no_selection(selection));
            }
            if let Some(plan) = call.region().backup.plans.get_mut(*id) {
                plan.selections.remove(*selection);
            }
            Ok(wire::serialize_delete_backup_selection_response())
        }
        (method, path) => Err(Fault::unknown_operation(
            "backup",
            &format!("{method} backup/plans/{}", path.join("/")),
        )),
    }
}

fn create_plan(
    call: &mut Call<'_>,
    input: model::CreateBackupPlanInput,
) -> Result<MockResponse, Fault> {
    let document = checked(call, input.backup_plan)?;
    let tags = input.backup_plan_tags.unwrap_or_default();
    few_enough(&tags)?;
    let twin = held(call).and_then(|backup| {
        backup.plans.values().find(|plan| {
            plan.description.backup_plan.as_ref().is_some_and(|other| is_same(other, &document))
        })
    });
    if let Some(twin) = twin {
        let same_call = input.creator_request_id.is_some()
            && twin.description.creator_request_id == input.creator_request_id;
        if !same_call {
            let message = "Backup plan with the same plan document already exists";
            return Err(Fault::new("AlreadyExistsException", message));
        }
        let made = created(&twin.description);
        return Ok(wire::serialize_create_backup_plan_response(&made));
    }
    let id = call.new_uuid();
    let description = model::GetBackupPlanOutput {
        backup_plan_arn: Some(call.arn("backup", &format!("backup-plan:{id}"))),
        backup_plan_id: Some(id.clone()),
        backup_plan: Some(document),
        creation_date: Some(call.epoch()),
        creator_request_id: input.creator_request_id,
        version_id: Some(call.random_alphanumeric(48)),
        ..Default::default()
    };
    let answer = wire::serialize_create_backup_plan_response(&created(&description));
    let tags = tags.into_iter().collect();
    let plan = Plan { description, selections: BTreeMap::new(), tags };
    call.region().backup.plans.insert(id, plan);
    Ok(answer)
}

fn created(plan: &model::GetBackupPlanOutput) -> model::CreateBackupPlanOutput {
    model::CreateBackupPlanOutput {
        backup_plan_arn: plan.backup_plan_arn.clone(),
        backup_plan_id: plan.backup_plan_id.clone(),
        creation_date: plan.creation_date,
        version_id: plan.version_id.clone(),
        ..Default::default()
    }
}

fn update_plan(
    call: &mut Call<'_>,
    id: &str,
    document: model::BackupPlanInput,
) -> Result<MockResponse, Fault> {
    let arn = plan(call, id)?.description.backup_plan_arn.clone();
    let document = checked(call, document)?;
    let (version, now) = (call.random_alphanumeric(48), call.epoch());
    if let Some(plan) = call.region().backup.plans.get_mut(id) {
        plan.description.backup_plan = Some(document);
        plan.description.version_id = Some(version.clone());
    }
    Ok(wire::serialize_update_backup_plan_response(&model::UpdateBackupPlanOutput {
        backup_plan_arn: arn,
        backup_plan_id: Some(id.to_owned()),
        creation_date: Some(now),
        version_id: Some(version),
        ..Default::default()
    }))
}

/// A plan as AWS keeps it: checked, with defaults where nothing is set.
fn checked(call: &Call<'_>, input: model::BackupPlanInput) -> Result<model::BackupPlan, Fault> {
    if !is_name(&input.backup_plan_name) {
        return Err(invalid(format!("{} is no name of a backup plan", input.backup_plan_name)));
    }
    if input.rules.is_empty() {
        return Err(invalid("A backup plan needs at least one rule"));
    }
    // Input and output differ in what must be there, not in how it is called.
    let document = serde_json::to_value(&input).and_then(serde_json::from_value);
    let mut document: model::BackupPlan = document.map_err(|why| invalid(why.to_string()))?;
    for rule in document.rules.iter_mut().flatten() {
        let schedule = rule.schedule_expression.get_or_insert_with(|| "cron(0 5 ? * * *)".into());
        if !is_schedule(schedule) {
            return Err(invalid(format!("Schedule expression '{schedule}' is not valid")));
        }
        let start = *rule.start_window_minutes.get_or_insert(480);
        let completion = *rule.completion_window_minutes.get_or_insert(10_080);
        if start < 60 {
            return Err(invalid("Start window must be at least 60 minutes"));
        }
        if completion < start + 60 {
            return Err(invalid(
                "Completion window must be at least 60 minutes longer than the start window",
            ));
        }
        rule.schedule_expression_timezone.get_or_insert_with(|| "Etc/UTC".into());
        rule.rule_id = Some(call.new_uuid());
        rule.enable_continuous_backup.get_or_insert(false);
        let name = rule.rule_name.as_deref().unwrap_or_default();
        if !is_name(name) {
            return Err(invalid(format!("{name} is no name of a backup rule")));
        }
        let target = rule.target_backup_vault_name.as_deref().unwrap_or_default();
        vault(call, target)
            .map_err(|_| invalid(format!("Backup vault {target} does not exist")))?;
        if let Some(lifecycle) = &rule.lifecycle {
            check_lifecycle(lifecycle, rule.enable_continuous_backup == Some(true))?;
        }
    }
    Ok(document)
}

fn check_lifecycle(lifecycle: &model::Lifecycle, continuous: bool) -> Result<(), Fault> {
    let (cold, delete) = (lifecycle.move_to_cold_storage_after_days, lifecycle.delete_after_days);
    if let (Some(cold), Some(delete)) = (cold, delete)
        && delete < cold + 90
    {
        return Err(invalid(
            "Invalid lifecycle. DeleteAfterDays cannot be less than 90 days apart from MoveToColdStorageAfterDays",
        ));
    }
    if continuous && (cold.is_some() || delete.is_none_or(|days| days > 35)) {
        return Err(invalid(
            "Invalid lifecycle. Continuous backups are deleted after 35 days at most and do not move to cold storage",
        ));
    }
    Ok(())
}

fn is_schedule(text: &str) -> bool {
    let inner = text.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
    inner.is_some_and(|inner| {
        let fields: Vec<&str> = inner.split_whitespace().collect();
        fields.len() == 6 && (fields[2] == "?") != (fields[4] == "?")
    })
}

fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=50).contains(&name.len()) && name.chars().all(known)
}

/// Whether two plans say the same, the ids of their rules aside.
fn is_same(one: &model::BackupPlan, other: &model::BackupPlan) -> bool {
    let plain = |plan: &model::BackupPlan| {
        let mut plan = plan.clone();
        for rule in plan.rules.iter_mut().flatten() {
            rule.rule_id = None;
        }
        serde_json::to_value(plan).ok()
    };
    plain(one) == plain(other)
}

fn plan_member(plan: &model::GetBackupPlanOutput) -> model::BackupPlansListMember {
    model::BackupPlansListMember {
        backup_plan_arn: plan.backup_plan_arn.clone(),
        backup_plan_id: plan.backup_plan_id.clone(),
        backup_plan_name: plan.backup_plan.as_ref().and_then(|plan| plan.backup_plan_name.clone()),
        creation_date: plan.creation_date,
        creator_request_id: plan.creator_request_id.clone(),
        version_id: plan.version_id.clone(),
        ..Default::default()
    }
}

fn select(
    call: &mut Call<'_>,
    id: &str,
    input: model::CreateBackupSelectionInput,
) -> Result<MockResponse, Fault> {
    let selection = input.backup_selection;
    let role = &selection.iam_role_arn;
    let is_taken = |other: &model::GetBackupSelectionOutput| {
        let other = other.backup_selection.as_ref();
        other.is_some_and(|other| other.selection_name == selection.selection_name)
    };
    if plan(call, id)?.selections.values().any(is_taken) {
        let message =
            format!("Backup selection with the name {} already exists", selection.selection_name);
        return Err(Fault::new("AlreadyExistsException", message));
    }
    if !is_name(&selection.selection_name) {
        return Err(invalid(format!("{} is no name of a selection", selection.selection_name)));
    }
    iam::require_role_trusting(call, role, "backup.amazonaws.com")
        .map_err(|_| invalid(format!("IAM Role {role} cannot be assumed by AWS Backup")))?;
    let resources = selection.resources.as_deref().unwrap_or_default();
    if resources.is_empty() && selection.list_of_tags.as_ref().is_none_or(Vec::is_empty) {
        return Err(invalid("A backup selection needs resources or tags"));
    }
    if let Some(wrong) = resources.iter().find(|arn| *arn != "*" && !arn.starts_with("arn:")) {
        return Err(invalid(format!("Invalid ARN: {wrong}")));
    }
    let now = call.epoch();
    let selection_id = call.new_uuid();
    let made = model::GetBackupSelectionOutput {
        backup_plan_id: Some(id.to_owned()),
        backup_selection: Some(selection),
        creation_date: Some(now),
        creator_request_id: input.creator_request_id,
        selection_id: Some(selection_id.clone()),
    };
    if let Some(plan) = call.region().backup.plans.get_mut(id) {
        plan.selections.insert(selection_id.clone(), made);
    }
    Ok(wire::serialize_create_backup_selection_response(&model::CreateBackupSelectionOutput {
        backup_plan_id: Some(id.to_owned()),
        creation_date: Some(now),
        selection_id: Some(selection_id),
    }))
}

fn selection_member(
    selection: &model::GetBackupSelectionOutput,
) -> model::BackupSelectionsListMember {
    let spec = selection.backup_selection.as_ref();
    model::BackupSelectionsListMember {
        backup_plan_id: selection.backup_plan_id.clone(),
        creation_date: selection.creation_date,
        creator_request_id: selection.creator_request_id.clone(),
        iam_role_arn: spec.map(|spec| spec.iam_role_arn.clone()),
        selection_id: selection.selection_id.clone(),
        selection_name: spec.map(|spec| spec.selection_name.clone()),
    }
}

/// Looks at, or changes, the tags of a vault or a plan.
fn tags_mut<T>(
    call: &mut Call<'_>,
    arn: &str,
    how: impl FnOnce(&mut BTreeMap<String, String>) -> T,
) -> Result<T, Fault> {
    let missing = || not_found(format!("Resource {arn} does not exist"));
    let read_only = call.request.method == "GET";
    let backup = held(call).ok_or_else(missing)?;
    let of_vault = backup
        .vaults
        .iter()
        .find(|(_, vault)| vault.description.backup_vault_arn.as_deref() == Some(arn))
        .map(|(name, vault)| (name.clone(), vault.tags.clone()));
    let of_plan = backup
        .plans
        .iter()
        .find(|(_, plan)| plan.description.backup_plan_arn.as_deref() == Some(arn))
        .map(|(id, plan)| (id.clone(), plan.tags.clone()));
    let (mut tags, vault, plan) = match (of_vault, of_plan) {
        (Some((name, tags)), _) => (tags, Some(name), None),
        (None, Some((id, tags))) => (tags, None, Some(id)),
        (None, None) => return Err(missing()),
    };
    let answer = how(&mut tags);
    if read_only {
        return Ok(answer);
    }
    let backup = &mut call.region().backup;
    if let Some(vault) = vault.and_then(|name| backup.vaults.get_mut(&name)) {
        vault.tags = tags;
    } else if let Some(plan) = plan.and_then(|id| backup.plans.get_mut(&id)) {
        plan.tags = tags;
    }
    Ok(answer)
}

fn few_enough(tags: &HashMap<String, String>) -> Result<(), Fault> {
    if tags.len() > 50 {
        return Err(Fault::new("LimitExceededException", "A resource has at most 50 tags"));
    }
    match tags.keys().find(|key| key.is_empty() || key.starts_with("aws:")) {
        Some(key) => Err(invalid(format!("The tag key '{key}' is not allowed"))),
        None => Ok(()),
    }
}

fn paged<T>(
    all: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000);
    page(all, token, limit).ok_or_else(|| invalid("Invalid next token"))
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.account.region_if_any(call.region_name).map(|region| &*region.backup)
}

fn vault<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Vault, Fault> {
    held(call)
        .and_then(|backup| backup.vaults.get(name))
        .ok_or_else(|| not_found(format!("Backup vault {name} not found")))
}

fn change_vault(
    call: &mut Call<'_>,
    name: &str,
    how: impl FnOnce(&mut Vault),
) -> Result<(), Fault> {
    vault(call, name)?;
    if let Some(vault) = call.region().backup.vaults.get_mut(name) {
        how(vault);
    }
    Ok(())
}

fn plan<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a Plan, Fault> {
    held(call)
        .and_then(|backup| backup.plans.get(id))
        .ok_or_else(|| not_found("Failed reading Backup plan with provided version"))
}

fn no_selection(id: &str) -> Fault {
    not_found(format!("Cannot find Backup selection with ID {id}"))
}

fn not_found(message: impl Into<String>) -> Fault {
    // AWS Backup answers 400 to what does not exist.
    Fault::new("ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

fn missing(what: &str) -> Fault {
    Fault::new("MissingParameterValueException", format!("{what} is missing"))
}
