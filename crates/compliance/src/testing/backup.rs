//! A vault and a plan, as AWS Backup describes them.

use aws_sdk_backup::operation::get_backup_plan::GetBackupPlanOutput;
use aws_sdk_backup::operation::get_backup_selection::GetBackupSelectionOutput;
use aws_sdk_backup::operation::get_backup_vault_access_policy::GetBackupVaultAccessPolicyError;
use aws_sdk_backup::operation::list_backup_plans::ListBackupPlansOutput;
use aws_sdk_backup::operation::list_backup_selections::ListBackupSelectionsOutput;
use aws_sdk_backup::operation::list_backup_vaults::ListBackupVaultsOutput;
use aws_sdk_backup::operation::list_tags::ListTagsOutput;
use aws_sdk_backup::types::builders::{BackupSelectionBuilder, LifecycleBuilder};
use aws_sdk_backup::types::error::ResourceNotFoundException;
use aws_sdk_backup::types::{
    BackupPlan, BackupPlansListMember, BackupRule, BackupSelection, BackupSelectionsListMember,
    BackupVaultListMember, Lifecycle,
};
use aws_smithy_mocks::{Rule, mock};

fn tags() -> Rule {
    mock!(aws_sdk_backup::Client::list_tags).then_output(|| ListTagsOutput::builder().build())
}

/// One vault, encrypted with this key.
pub(crate) fn vault(key: Option<&'static str>) -> Vec<Rule> {
    vec![
        tags(),
        mock!(aws_sdk_backup::Client::list_backup_vaults).then_output(move || {
            let vault = BackupVaultListMember::builder()
                .backup_vault_name("vault")
                .backup_vault_arn("arn:aws:backup:us-east-1:123456789012:backup-vault:vault")
                .set_encryption_key_arn(key.map(str::to_owned));
            ListBackupVaultsOutput::builder().backup_vault_list(vault.build()).build()
        }),
        mock!(aws_sdk_backup::Client::get_backup_vault_access_policy).then_error(|| {
            let missing = ResourceNotFoundException::builder().build();
            GetBackupVaultAccessPolicyError::ResourceNotFoundException(missing)
        }),
    ]
}

/// One plan with one rule and one selection.
pub(crate) fn plan(
    lifecycle: fn(LifecycleBuilder) -> LifecycleBuilder,
    selection: fn(BackupSelectionBuilder) -> BackupSelectionBuilder,
) -> Vec<Rule> {
    vec![
        tags(),
        mock!(aws_sdk_backup::Client::list_backup_plans).then_output(|| {
            let plan = BackupPlansListMember::builder()
                .backup_plan_id("plan")
                .backup_plan_arn("arn:aws:backup:us-east-1:123456789012:backup-plan:plan")
                .backup_plan_name("records");
            ListBackupPlansOutput::builder().backup_plans_list(plan.build()).build()
        }),
        mock!(aws_sdk_backup::Client::get_backup_plan).then_output(move || {
            let rule = BackupRule::builder()
                .rule_name("daily")
                .target_backup_vault_name("vault")
                .lifecycle(lifecycle(Lifecycle::builder()).build())
                .build();
            let plan = BackupPlan::builder().backup_plan_name("records").rules(rule.unwrap());
            GetBackupPlanOutput::builder().backup_plan(plan.build().unwrap()).build()
        }),
        mock!(aws_sdk_backup::Client::list_backup_selections).then_output(|| {
            let one = BackupSelectionsListMember::builder().selection_id("1").build();
            ListBackupSelectionsOutput::builder().backup_selections_list(one).build()
        }),
        mock!(aws_sdk_backup::Client::get_backup_selection).then_output(move || {
            let one = BackupSelection::builder()
                .selection_name("records")
                .iam_role_arn("arn:aws:iam::123456789012:role/backup");
            let one = selection(one).build().unwrap();
            GetBackupSelectionOutput::builder().backup_selection(one).build()
        }),
    ]
}
