//! Backups of the database and the files, in a vault of their own.

use std::collections::{BTreeMap, BTreeSet};

use engine::stack::STACK_TAG;
use engine::vocabulary::{Arn, DbClusterArn, FileSystemArn, ForEfs, Id, KeyArn, Name, RoleArn};
use engine::{Deployed, Mistake, Policy, Ref, Result, Stack, StackName, Tags};
use serde::{Deserialize, Serialize};

use crate::backup_plan::{BackupPlan, BackupRule, BackupSelection};
use crate::backup_vault::{BackupVault, VaultLock};
use crate::checks::Checks;
use crate::classification::Classification;
use crate::cron;
use crate::stream::is_name;

/// Backups, and what they rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSpec {
    /// The key of the vault. It encrypts the recovery points of the files, and so is theirs: who
    /// destroys it destroys the files and all copies of them. Those of the database keep its key.
    pub key: Ref<KeyArn<ForEfs>>,
    /// The role that reads the stores. `backup.amazonaws.com` must be able to assume it.
    pub role: Ref<RoleArn>,
    /// The database cluster, where it is to be backed up. AWS Backup's settings of the region must
    /// have Aurora switched on.
    pub cluster: Option<Ref<DbClusterArn>>,
    /// The file system, where it is to be backed up.
    pub file_system: Option<Ref<FileSystemArn>>,
    /// Who may do what with the vault, beside what IAM allows.
    pub access_policy: Option<Policy>,
    /// What an operator chooses.
    pub settings: BackupSettings,
}

/// What an operator chooses of backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupSettings {
    /// When backups are made and how long they are kept, by the rule's name.
    pub rules: BTreeMap<String, RuleSettings>,
    /// Days that any backup must be kept.
    pub retention_floor_days: i64,
    /// Whether the vault itself refuses to let go of a backup within the floor.
    pub lock: bool,
    /// What the vault says of the records in it.
    pub classification: Classification,
}

/// When backups are made and how long they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSettings {
    /// When, in AWS's form of cron: `cron(0 5 ? * * *)`. Once an hour at most.
    pub schedule: String,
    /// The time zone of the schedule.
    pub timezone: String,
    /// Minutes within which a backup must have begun, 60 at least.
    pub start_window_minutes: i64,
    /// Minutes within which it must be done, 60 more at least.
    pub completion_window_minutes: i64,
    /// Days until it moves to cold storage, where its kind can: file systems can, Aurora cannot.
    pub cold_after_days: Option<i64>,
    /// Days until it is deleted, at least 90 after it went to cold storage.
    pub delete_after_days: Option<i64>,
    /// Whether a store can be restored to any second of the last 35 days.
    pub continuous: bool,
}

impl Default for RuleSettings {
    /// Every day at 05:00 UTC, kept for 35 days.
    fn default() -> Self {
        Self {
            schedule: "cron(0 5 ? * * *)".into(),
            timezone: "Etc/UTC".into(),
            start_window_minutes: 60,
            completion_window_minutes: 480,
            cold_after_days: None,
            delete_after_days: Some(35),
            continuous: false,
        }
    }
}

impl Default for BackupSettings {
    /// A backup a day, kept for 35 days, and one a month, kept for a year, cold after a month; the
    /// vault is locked.
    fn default() -> Self {
        let monthly = RuleSettings {
            schedule: "cron(0 6 1 * ? *)".into(),
            cold_after_days: Some(30),
            delete_after_days: Some(365),
            ..RuleSettings::default()
        };
        Self {
            rules: BTreeMap::from([
                ("daily".into(), RuleSettings::default()),
                ("monthly".into(), monthly),
            ]),
            retention_floor_days: 35,
            lock: true,
            classification: Classification { retention_days: 365, ..Classification::default() },
        }
    }
}

/// Declared backups.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The vault's name.
    pub vault: Ref<Name>,
    /// The vault's ARN.
    pub vault_arn: Ref<Arn>,
    /// The plan's id, once it backs things up.
    pub plan: Ref<Id>,
}

/// Backups that are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupOutputs {
    /// The vault's name.
    pub vault_name: String,
    /// The vault's ARN.
    pub vault_arn: String,
    /// The plan's id.
    pub plan_id: String,
}

impl Backup {
    /// What the references stand for.
    ///
    /// # Errors
    /// When the backups are not part of what was deployed.
    pub fn resolve(&self, deployed: &Deployed) -> Result<BackupOutputs> {
        Ok(BackupOutputs {
            vault_name: deployed.resolve(&self.vault)?,
            vault_arn: deployed.resolve(&self.vault_arn)?,
            plan_id: deployed.resolve(&self.plan)?,
        })
    }
}

/// Declares the vault (`data/vault`) and the plan (`data/backup-plan`).
pub fn declare(stack: &mut Stack, spec: &BackupSpec) -> Backup {
    let settings = &spec.settings;
    let name = stack.name().of("vault");
    let marks = settings.classification.tags();
    // Recovery points are told from those of others by it, in what IAM allows to delete.
    let mut point_tags = marks.clone();
    point_tags.insert(STACK_TAG.into(), stack.name().to_string());
    let mut tags = marks;
    tags.insert("Name".into(), name.clone());
    let vault = BackupVault {
        name,
        key: Some(spec.key.clone()),
        lock: settings.lock.then_some(VaultLock {
            min_retention_days: Some(settings.retention_floor_days),
            max_retention_days: None,
        }),
        access_policy: spec.access_policy.clone(),
    };
    let vault = stack.add_tagged("data/vault", vault, tags);
    let rules = settings.rules.iter().map(|(name, rule)| {
        let rule = BackupRule {
            vault: vault.id(),
            schedule: rule.schedule.clone(),
            timezone: rule.timezone.clone(),
            start_window_minutes: rule.start_window_minutes,
            completion_window_minutes: rule.completion_window_minutes,
            cold_after_days: rule.cold_after_days,
            delete_after_days: rule.delete_after_days,
            continuous: rule.continuous,
            recovery_point_tags: point_tags.clone(),
            copy_to: BTreeSet::new(),
        };
        (name.clone(), rule)
    });
    let cluster = spec.cluster.as_ref().map(|cluster| cluster.cast::<Arn>());
    let file_system = spec.file_system.as_ref().map(|file_system| file_system.cast::<Arn>());
    let resources: BTreeSet<Ref<Arn>> = cluster.into_iter().chain(file_system).collect();
    let selection =
        BackupSelection { role: spec.role.clone(), resources, ..BackupSelection::default() };
    let plan = BackupPlan {
        name: stack.name().of("backup"),
        rules: rules.collect(),
        selections: BTreeMap::from([("records".into(), selection)]),
    };
    let named = Tags::from([("Name".into(), stack.name().of("backup"))]);
    let plan = stack.add_tagged("data/backup-plan", plan, named);
    Backup { vault: vault.id(), vault_arn: vault.arn(), plan: plan.ready().id() }
}

/// What AWS would refuse, or what keeps a backup for too short a time.
pub fn validate(name: &StackName, spec: &BackupSpec) -> Vec<Mistake> {
    let BackupSettings { rules, retention_floor_days: floor, lock, .. } = &spec.settings;
    let mut problems = Checks::of("backup");
    let vault = name.of("vault");
    let good = is_name(&vault, 50) && vault.len() >= 2 && !vault.contains('.');
    let message = format!("{vault} is not a name that a vault can have");
    problems.unless(good, "name", message);
    let plan = name.of("backup");
    let message = format!("{plan} is not a name that a backup plan can have");
    problems.unless(is_name(&plan, 50), "name", message);
    let some = spec.cluster.is_some() || spec.file_system.is_some();
    problems.unless(some, "cluster", "there is nothing to back up");
    problems.unless(!rules.is_empty(), "rules", "a plan has at least one rule");
    let message = "a lock holds backups for a day to a hundred years";
    let good = !lock || (1..=36_500).contains(floor);
    problems.unless(good, "retention_floor_days", message);
    for (name, rule) in rules {
        let mut unless = |holds: bool, field: &str, message: String| {
            problems.unless(holds, &format!("rules.{name}.{field}"), message);
        };
        unless(is_name(name, 50), "name", "a rule's name has letters, digits, _, . and -".into());
        let fault = cron::fault(&rule.schedule);
        unless(fault.is_none(), "schedule", fault.unwrap_or_default());
        let start = rule.start_window_minutes;
        let message = "a start window has at least 60 minutes";
        unless(start >= 60, "start_window_minutes", message.into());
        let message = "a completion window is at least 60 minutes longer than the start window";
        let good = rule.completion_window_minutes >= start + 60;
        unless(good, "completion_window_minutes", message.into());
        let (cold, delete) = (rule.cold_after_days, rule.delete_after_days);
        let message = "a backup stays warm for a day at least";
        unless(cold.is_none_or(|days| days >= 1), "cold_after_days", message.into());
        if let (Some(cold), Some(delete)) = (cold, delete) {
            let least = cold + 90;
            let message = format!("a backup stays in cold storage for 90 days: {least} at least");
            unless(delete >= least, "delete_after_days", message);
        }
        if let Some(days) = delete {
            let message = format!("{days} days are less than the floor of {floor}");
            unless(days >= *floor, "delete_after_days", message);
        }
        if rule.continuous {
            let message = "continuous backups are kept for 35 days at most";
            unless(delete.is_some_and(|days| days <= 35), "delete_after_days", message.into());
            let message = "continuous backups cannot move to cold storage";
            unless(cold.is_none(), "cold_after_days", message.into());
        }
    }
    problems.found()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut BackupSettings)) -> Vec<String> {
        let mut spec = BackupSpec {
            key: "k".into(),
            role: "r".into(),
            cluster: Some("arn:db".into()),
            file_system: None,
            access_policy: None,
            settings: BackupSettings::default(),
        };
        change(&mut spec.settings);
        let problems = validate(&StackName::new("student", "dev"), &spec);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_is_valid() {
        assert_eq!(faults(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn recovery_points_carry_the_stack_s_tag() {
        let mut stack = Stack::new(StackName::new("student", "dev"), Tags::new());
        let spec = BackupSpec {
            key: "k".into(),
            role: "r".into(),
            cluster: Some("arn:db".into()),
            file_system: None,
            access_policy: None,
            settings: BackupSettings::default(),
        };
        declare(&mut stack, &spec);
        let plan = stack.nodes().find(|node| node.id.as_str() == "data/backup-plan").unwrap();
        for rule in plan.spec["rules"].as_object().unwrap().values() {
            assert_eq!(rule["recovery_point_tags"][STACK_TAG], "student-dev");
        }
    }

    #[test]
    fn a_backup_is_kept_for_the_floor_and_ninety_days_in_the_cold() {
        let problems = faults(|settings| {
            settings.rules.get_mut("daily").unwrap().delete_after_days = Some(7);
            settings.rules.get_mut("monthly").unwrap().cold_after_days = Some(300);
        });
        assert_eq!(
            problems,
            [
                "backup.rules.daily.delete_after_days: 7 days are less than the floor of 35",
                "backup.rules.monthly.delete_after_days: a backup stays in cold storage for 90 days: 390 at least",
            ]
        );
    }

    #[test]
    fn schedules_and_windows_are_checked() {
        let problems = faults(|settings| {
            let daily = settings.rules.get_mut("daily").unwrap();
            daily.schedule = "0 5 * * *".into();
            daily.start_window_minutes = 480;
            daily.continuous = true;
            daily.delete_after_days = None;
        });
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("backup.rules.daily.schedule"));
        assert!(problems[1].starts_with("backup.rules.daily.completion_window_minutes"));
        assert!(problems[2].starts_with("backup.rules.daily.delete_after_days"));
    }
}
