//! `backup.plan`: when what is backed up, where to, and for how long.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_backup::types::{
    BackupPlan as SdkPlan, BackupPlanInput, BackupPlansListMember, BackupRule as SdkRule,
    BackupRuleInput, BackupSelection as SdkSelection, BackupSelectionsListMember, Condition,
    ConditionParameter, ConditionType, Conditions, CopyAction, Lifecycle,
};
use engine::vocabulary::{Arn, Id, Name, RoleArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::backup_vault::{retag, tags_of};

/// How a condition names a tag.
const RESOURCE_TAG_KEY: &str = "aws:ResourceTag/";

/// A backup plan. Every change of its rules makes a new version of it.
///
/// Outputs: `version_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlan {
    /// The name: 1 to 50 letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// The rules, by name.
    pub rules: BTreeMap<String, BackupRule>,
    /// What is backed up, by the selection's name.
    pub selections: BTreeMap<String, BackupSelection>,
}

/// When backups are made, and how long they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRule {
    /// The vault, by name.
    pub vault: Ref<Name>,
    /// When, in AWS's form of cron: `cron(0 5 ? * * *)`.
    pub schedule: String,
    /// The time zone of the schedule: `Etc/UTC`.
    pub timezone: String,
    /// Minutes within which a backup must have begun, 60 at least.
    pub start_window_minutes: i64,
    /// Minutes within which it must be done.
    pub completion_window_minutes: i64,
    /// Days until a recovery point moves to cold storage, where its kind can.
    pub cold_after_days: Option<i64>,
    /// Days until it is deleted; `None` keeps it for ever.
    pub delete_after_days: Option<i64>,
    /// Whether a store can be restored to any second of the last 35 days.
    pub continuous: bool,
    /// Tags for the recovery points.
    pub recovery_point_tags: Tags,
    /// ARNs of vaults, of other regions or accounts perhaps, that get a copy.
    pub copy_to: BTreeSet<String>,
}

/// What is backed up: what is named by `resources` (everything, where that is empty) and not by
/// `not_resources`, and has one of `any_tag` and fulfils `conditions`, where there are such.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSelection {
    /// The role that reads the stores. `backup.amazonaws.com` must be able to assume it.
    pub role: Ref<RoleArn>,
    /// The ARNs of the stores, with `*` for any text.
    pub resources: BTreeSet<Ref<Arn>>,
    /// The ARNs of what is left out, with `*` for any text.
    pub not_resources: BTreeSet<String>,
    /// Tags of which one is enough.
    pub any_tag: BTreeSet<(String, String)>,
    /// Conditions that hold all.
    pub conditions: BTreeSet<TagCondition>,
}

/// A condition on a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagCondition {
    /// How it compares.
    pub test: TagTest,
    /// The tag's key, without the `aws:ResourceTag/` before it.
    pub tag: String,
    /// What its value is compared with.
    pub value: String,
}

/// How a condition compares a tag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TagTest {
    /// The same text.
    StringEquals,
    /// Another text.
    StringNotEquals,
    /// A text that matches, with `*` for any text.
    StringLike,
    /// A text that does not.
    StringNotLike,
}

impl Resource for BackupPlan {
    const TRAITS: Traits = Traits {
        late: &["selections"],
        not_yet: &[
            // A role that was made moments ago.
            ("InvalidParameterValueException", "cannot be assumed"),
            // A vault that was made moments ago.
            ("InvalidParameterValueException", "vault"),
            ("InvalidRequestException", "selections must be deleted"),
        ],
        permissions: Permissions {
            read: &[
                Allow::to(&["backup:ListBackupPlans"]),
                // A plan's ARN has its id only.
                Allow::to(&["backup:ListTags"]).on(&["backup:{here}:backup-plan:*"]),
                Allow::to(&[
                    "backup:GetBackupPlan",
                    "backup:ListBackupSelections",
                    "backup:GetBackupSelection",
                ])
                .on(&["backup:{here}:backup-plan:*"])
                .of_stack(),
            ],
            make: &[
                Allow::to(&["backup:CreateBackupPlan", "backup:TagResource"])
                    .on(&["backup:{here}:backup-plan:*"])
                    .for_stack(),
                Allow::to(&[
                    "backup:UpdateBackupPlan",
                    "backup:CreateBackupSelection",
                    "backup:DeleteBackupSelection",
                    "backup:TagResource",
                    "backup:UntagResource",
                ])
                .on(&["backup:{here}:backup-plan:*"])
                .of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["backup.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["backup:DeleteBackupSelection", "backup:DeleteBackupPlan"])
                .on(&["backup:{here}:backup-plan:*"])
                .of_stack()],
        },
        ..Traits::of("backup.plan")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let call = client!(aws, aws_sdk_backup).list_backup_plans().into_paginator().items();
        let listed = aws.call("backup:ListBackupPlans", call.send().try_collect()).await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return Collected::failed(error),
        };
        let mut found = Collected::default();
        let mut reads = futures::stream::iter(listed)
            .map(|one| async move { read(aws, scope, &one).await })
            .buffer_unordered(8);
        while let Some(one) = reads.next().await {
            match one {
                Ok(live) => found.live.push(live),
                Err(error) => found.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        found
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "backup:CreateBackupPlan";
        let call = client!(aws, aws_sdk_backup)
            .create_backup_plan()
            .backup_plan(self.document()?)
            .creator_request_id(&new.token)
            .set_backup_plan_tags(Some(new.tags.clone().into_iter().collect()));
        let made = aws.call(action, call.send()).await?;
        let id = made.backup_plan_id.ok_or_else(|| Error::incomplete(action, "an id"))?;
        let spec = Self { selections: BTreeMap::new(), ..self.clone() };
        let arn = made.backup_plan_arn.unwrap_or_else(|| arn(aws, &id));
        Ok(Live::new(id, spec)
            .with_arn(arn)
            .with_tags(new.tags.clone())
            .with_output("version_id", made.version_id))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.any(&["name", "rules"]) {
            let call = client!(aws, aws_sdk_backup)
                .update_backup_plan()
                .backup_plan_id(&live.id)
                .backup_plan(self.document()?);
            aws.call("backup:UpdateBackupPlan", call.send()).await?;
        }
        if changes.has("selections") {
            self.select(aws, &live.id).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("backup:ListBackupPlans")?, put, remove).await
    }

    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        deselect(aws, &live.id).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_backup).delete_backup_plan().backup_plan_id(&live.id);
        aws.call("backup:DeleteBackupPlan", call.send()).await?;
        Ok(())
    }
}

impl BackupPlan {
    fn document(&self) -> Result<BackupPlanInput> {
        let rules = self.rules.iter().map(|(name, rule)| rule.to_sdk(name));
        BackupPlanInput::builder()
            .backup_plan_name(&self.name)
            .set_rules(Some(rules.collect::<Result<_>>()?))
            .build()
            .map_err(|why| Error::invalid("a backup plan", why))
    }

    /// AWS cannot change a selection: what differs is removed and made again. It compares with what
    /// is there now, so that calling it again goes on where it stopped.
    async fn select(&self, aws: &Aws, plan: &str) -> Result<()> {
        let backup = client!(aws, aws_sdk_backup);
        let mut missing = self.selections.clone();
        for (id, name, selection) in selections(aws, plan).await? {
            if missing.get(&name) == Some(&selection) {
                missing.remove(&name);
            } else {
                remove(aws, plan, &id).await?;
            }
        }
        for (name, selection) in missing {
            let call = backup
                .create_backup_selection()
                .backup_plan_id(plan)
                .backup_selection(selection.to_sdk(&name)?);
            aws.call("backup:CreateBackupSelection", call.send()).await?;
        }
        Ok(())
    }
}

impl BackupSelection {
    fn to_sdk(&self, name: &str) -> Result<SdkSelection> {
        let resources: Vec<String> = self.resources.iter().map(ToString::to_string).collect();
        let others: Vec<String> = self.not_resources.iter().cloned().collect();
        let tags = self.any_tag.iter().map(|(key, value)| {
            Condition::builder()
                .condition_type(ConditionType::Stringequals)
                .condition_key(key)
                .condition_value(value)
                .build()
        });
        let invalid = |why| Error::invalid("a backup selection", why);
        let tags: Vec<Condition> = tags.collect::<std::result::Result<_, _>>().map_err(invalid)?;
        let mut conditions = Conditions::builder();
        for one in &self.conditions {
            let parameter = ConditionParameter::builder()
                .condition_key(format!("{RESOURCE_TAG_KEY}{}", one.tag))
                .condition_value(&one.value)
                .build();
            conditions = match one.test {
                TagTest::StringEquals => conditions.string_equals(parameter),
                TagTest::StringNotEquals => conditions.string_not_equals(parameter),
                TagTest::StringLike => conditions.string_like(parameter),
                TagTest::StringNotLike => conditions.string_not_like(parameter),
            };
        }
        SdkSelection::builder()
            .selection_name(name)
            .iam_role_arn(self.role.as_str())
            .set_resources((!resources.is_empty()).then_some(resources))
            .set_not_resources((!others.is_empty()).then_some(others))
            .set_list_of_tags((!tags.is_empty()).then_some(tags))
            .set_conditions((!self.conditions.is_empty()).then(|| conditions.build()))
            .build()
            .map_err(invalid)
    }

    fn of(found: SdkSelection) -> Self {
        let conditions = found.conditions.iter().flat_map(|all| {
            [
                (TagTest::StringEquals, all.string_equals()),
                (TagTest::StringNotEquals, all.string_not_equals()),
                (TagTest::StringLike, all.string_like()),
                (TagTest::StringNotLike, all.string_not_like()),
            ]
        });
        let conditions = conditions.flat_map(|(test, all)| {
            all.iter().map(move |one| {
                let key = one.condition_key().unwrap_or_default();
                TagCondition {
                    test,
                    tag: key.strip_prefix(RESOURCE_TAG_KEY).unwrap_or(key).to_owned(),
                    value: one.condition_value().unwrap_or_default().to_owned(),
                }
            })
        });
        let tags = found.list_of_tags.iter().flatten();
        Self {
            conditions: conditions.collect(),
            any_tag: tags
                .map(|one| (one.condition_key().to_owned(), one.condition_value().to_owned()))
                .collect(),
            role: Ref::known(found.iam_role_arn),
            resources: found.resources.unwrap_or_default().into_iter().map(Ref::known).collect(),
            not_resources: found.not_resources.unwrap_or_default().into_iter().collect(),
        }
    }
}

impl BackupRule {
    fn lifecycle(&self) -> Option<Lifecycle> {
        (self.cold_after_days.is_some() || self.delete_after_days.is_some()).then(|| {
            Lifecycle::builder()
                .set_move_to_cold_storage_after_days(self.cold_after_days)
                .set_delete_after_days(self.delete_after_days)
                .build()
        })
    }

    fn to_sdk(&self, name: &str) -> Result<BackupRuleInput> {
        let copies = self.copy_to.iter().map(|vault| {
            CopyAction::builder()
                .destination_backup_vault_arn(vault)
                .set_lifecycle(self.lifecycle())
                .build()
                .map_err(|why| Error::invalid("a copy of a backup", why))
        });
        let copies = copies.collect::<Result<Vec<_>>>()?;
        let tags = &self.recovery_point_tags;
        BackupRuleInput::builder()
            .rule_name(name)
            .target_backup_vault_name(self.vault.as_str())
            .schedule_expression(&self.schedule)
            .schedule_expression_timezone(&self.timezone)
            .start_window_minutes(self.start_window_minutes)
            .completion_window_minutes(self.completion_window_minutes)
            .set_lifecycle(self.lifecycle())
            .enable_continuous_backup(self.continuous)
            .set_recovery_point_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect()))
            .set_copy_actions((!copies.is_empty()).then_some(copies))
            .build()
            .map_err(|why| Error::invalid("a backup rule", why))
    }

    fn of(rule: &SdkRule) -> Self {
        let lifecycle = rule.lifecycle();
        let copies = rule.copy_actions().iter();
        Self {
            vault: Ref::known(rule.target_backup_vault_name()),
            schedule: rule.schedule_expression().unwrap_or_default().to_owned(),
            timezone: rule.schedule_expression_timezone().unwrap_or("Etc/UTC").to_owned(),
            // What AWS takes where nothing is set.
            start_window_minutes: rule.start_window_minutes().unwrap_or(480),
            completion_window_minutes: rule.completion_window_minutes().unwrap_or(10_080),
            cold_after_days: lifecycle.and_then(|one| one.move_to_cold_storage_after_days()),
            delete_after_days: lifecycle.and_then(|one| one.delete_after_days()),
            continuous: rule.enable_continuous_backup() == Some(true),
            recovery_point_tags: rule
                .recovery_point_tags()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            copy_to: copies.map(|copy| copy.destination_backup_vault_arn().to_owned()).collect(),
        }
    }
}

fn arn(aws: &Aws, id: &str) -> String {
    aws.arn("backup", &format!("backup-plan:{id}"))
}

async fn read(aws: &Aws, scope: &Scope, one: &BackupPlansListMember) -> Result<Live<BackupPlan>> {
    let id = one.backup_plan_id();
    let id = id.ok_or_else(|| Error::incomplete("backup:ListBackupPlans", "a plan's id"))?;
    let name = one.backup_plan_name().unwrap_or_default().to_owned();
    let ours = scope.may_be_ours(&name);
    let spec = BackupPlan { name, rules: BTreeMap::new(), selections: BTreeMap::new() };
    let mut live = Live::new(id, spec)
        .with_arn(one.backup_plan_arn().map_or_else(|| arn(aws, id), str::to_owned))
        .with_output("version_id", one.version_id());
    if !ours {
        return Ok(live);
    }
    live.tags = tags_of(aws, live.require_arn("backup:ListBackupPlans")?).await?;
    if scope.wants(&live.tags) {
        let (rules, selections) = futures::join!(rules(aws, id), selections(aws, id));
        live.read("rules", rules, |spec, rules| spec.rules = rules);
        live.read("selections", selections, |spec, found| {
            spec.selections = found.into_iter().map(|(_, name, one)| (name, one)).collect();
        });
    }
    Ok(live)
}

async fn rules(aws: &Aws, plan: &str) -> Result<BTreeMap<String, BackupRule>> {
    let action = "backup:GetBackupPlan";
    let call = client!(aws, aws_sdk_backup).get_backup_plan().backup_plan_id(plan);
    let answer = aws.call(action, call.send()).await?;
    let plan = answer.backup_plan.ok_or_else(|| Error::incomplete(action, "the plan"))?;
    Ok(described(&plan))
}

fn described(plan: &SdkPlan) -> BTreeMap<String, BackupRule> {
    let rules = plan.rules().iter();
    rules.map(|rule| (rule.rule_name().to_owned(), BackupRule::of(rule))).collect()
}

/// A plan's selections: id, name, attributes.
async fn selections(aws: &Aws, plan: &str) -> Result<Vec<(String, String, BackupSelection)>> {
    let action = "backup:GetBackupSelection";
    let mut found = Vec::new();
    for one in listed(aws, plan).await? {
        let Some(id) = one.selection_id else { continue };
        let call = client!(aws, aws_sdk_backup)
            .get_backup_selection()
            .backup_plan_id(plan)
            .selection_id(&id);
        let Some(answer) = aws.find(action, call.send()).await? else { continue };
        let selection = answer.backup_selection;
        let selection = selection.ok_or_else(|| Error::incomplete(action, "the selection"))?;
        let name = selection.selection_name.clone();
        found.push((id, name, BackupSelection::of(selection)));
    }
    Ok(found)
}

async fn listed(aws: &Aws, plan: &str) -> Result<Vec<BackupSelectionsListMember>> {
    let call = client!(aws, aws_sdk_backup)
        .list_backup_selections()
        .backup_plan_id(plan)
        .into_paginator()
        .items();
    aws.call("backup:ListBackupSelections", call.send().try_collect()).await
}

async fn deselect(aws: &Aws, plan: &str) -> Result<()> {
    for one in listed(aws, plan).await? {
        if let Some(id) = one.selection_id {
            remove(aws, plan, &id).await?;
        }
    }
    Ok(())
}

async fn remove(aws: &Aws, plan: &str, selection: &str) -> Result<()> {
    let call = client!(aws, aws_sdk_backup)
        .delete_backup_selection()
        .backup_plan_id(plan)
        .selection_id(selection);
    aws.find("backup:DeleteBackupSelection", call.send()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_leaves_out_is_what_aws_takes_for_it() {
        let shown = SdkRule::builder().rule_name("daily").target_backup_vault_name("vault");
        let rule = BackupRule::of(&shown.build().unwrap());
        assert_eq!((rule.start_window_minutes, rule.completion_window_minutes), (480, 10_080));
        assert_eq!(rule.timezone, "Etc/UTC");
        assert_eq!(rule.delete_after_days, None, "kept for ever, and not for a while");
    }

    #[test]
    fn a_selection_reads_back_as_it_was_asked_for() {
        let condition = |test, value: &str| TagCondition {
            test,
            tag: "DataClassification".into(),
            value: value.into(),
        };
        let wanted = BackupSelection {
            role: "arn:aws:iam::123456789012:role/backup".into(),
            resources: BTreeSet::from(["arn:aws:rds:*:*:cluster:*".into()]),
            not_resources: BTreeSet::from(["arn:aws:rds:*:*:cluster:scratch".into()]),
            any_tag: BTreeSet::from([("Backup".into(), "daily".into())]),
            conditions: BTreeSet::from([
                condition(TagTest::StringLike, "education-*"),
                condition(TagTest::StringNotEquals, "none"),
            ]),
        };
        let sent = wanted.to_sdk("records").unwrap();
        let key = sent.conditions().unwrap().string_like()[0].condition_key();
        assert_eq!(key, Some("aws:ResourceTag/DataClassification"));
        assert_eq!(BackupSelection::of(sent), wanted);
    }

    #[test]
    fn a_copy_elsewhere_shows() {
        let elsewhere = "arn:aws:backup:us-west-2:210987654321:backup-vault:theirs";
        let copy = CopyAction::builder().destination_backup_vault_arn(elsewhere).build().unwrap();
        let shown = SdkRule::builder()
            .rule_name("daily")
            .target_backup_vault_name("vault")
            .copy_actions(copy)
            .build()
            .unwrap();
        let rule = BackupRule::of(&shown);
        assert_eq!(rule.copy_to, BTreeSet::from([elsewhere.to_owned()]));
        let sent = rule.to_sdk("daily").unwrap();
        assert_eq!(sent.copy_actions()[0].destination_backup_vault_arn(), elsewhere);
    }
}
