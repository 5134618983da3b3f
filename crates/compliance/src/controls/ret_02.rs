//! FERPA-RET-02: a backup plan with a lifecycle covers databases and file systems.

use data::{BackupPlan, BackupSelection, DbCluster, DbInstance, FileSystem, TagTest};
use engine::{Live, Tags};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::policy::matches;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-02",
    title: "A backup plan with a lifecycle covers databases and file systems",
    statement: "Every RDS cluster, instance of its own and EFS file system is selected by an AWS Backup plan with a rule whose recovery points are kept for at least the floor, and not for ever.",
    severity: Severity::High,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.8.9"],
    why: "A record that is lost cannot be inspected, and a backup that nothing ever deletes outlives the record's destruction.",
    reads: &[&[
        "backup.plan.name",
        "backup.plan.rules",
        "backup.plan.selections",
        "rds.cluster.tags",
        "rds.instance.cluster",
        "rds.instance.tags",
        "efs.file_system.tags",
    ]],
    remedy: Remedy {
        stack: "`backup.rules`; the plan selects the database and the files with every `deploy`",
        api: "backup:CreateBackupSelection with Resources; backup:UpdateBackupPlan with Lifecycle.DeleteAfterDays",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let plans = Plans::of(facts);
    let clusters = facts.each::<DbCluster>(|it| plans.verdict(facts, it.live()));
    // An instance of a cluster has the cluster's storage.
    let alone = |it: &Live<DbInstance>| it.spec.cluster.is_none();
    let instances = facts.each_where(alone, |it: &Seen<'_, DbInstance>| plans.verdict(facts, it.live()));
    let files = facts.each::<FileSystem>(|it| plans.verdict(facts, it.live()));
    clusters.into_iter().chain(instances).chain(files).collect()
}

/// The plans of the account, as far as they could be read.
struct Plans {
    all: Result<std::sync::Arc<Vec<Live<BackupPlan>>>, Unread>,
}

impl Plans {
    fn of(facts: &Facts<'_>) -> Self {
        Self { all: facts.all::<BackupPlan>() }
    }

    fn verdict<T>(&self, facts: &Facts<'_>, store: &Live<T>) -> Result<Verdict, Unread> {
        let floor = i64::from(facts.settings().floors.backup_retention_days);
        let arn = store.arn.as_deref().unwrap_or(&store.id);
        // A plan that could not be read matters only if no other plan is enough.
        let mut unread = None;
        let mut bad = None;
        for plan in self.all.as_ref().map_err(Clone::clone)?.iter() {
            let spec = match Seen::of(plan).read(&["selections", "rules"]) {
                Ok(spec) => spec,
                Err(why) => {
                    unread = Some(why);
                    continue;
                }
            };
            if !spec.selections.values().any(|one| selects(one, arn, &store.tags)) {
                continue;
            }
            let days = spec.rules.values().filter_map(|rule| rule.delete_after_days).max();
            let verdict = match days {
                Some(days) if days >= floor => {
                    Verdict::pass(format!("the plan {} backs it up and keeps that for {days} days", spec.name))
                }
                Some(days) => Verdict::fail(format!(
                    "the plan {} keeps its backups for {days} days, not for {floor}",
                    spec.name
                )),
                None => Verdict::fail(format!(
                    "the plan {} backs it up and has no rule that ever deletes a backup",
                    spec.name
                )),
            };
            let verdict = verdict.with("backup:GetBackupPlan", "Lifecycle.DeleteAfterDays", days);
            match days {
                Some(days) if days >= floor => return Ok(verdict),
                _ => bad = Some(verdict),
            }
        }
        match unread {
            Some(unread) => Err(unread),
            None => Ok(bad.unwrap_or_else(|| {
                Verdict::fail("no backup plan selects it").with(
                    "backup:GetBackupSelection",
                    "Resources",
                    Vec::<String>::new(),
                )
            })),
        }
    }
}

/// Whether a selection means a store: resources first, then tags among those.
fn selects(selection: &BackupSelection, arn: &str, tags: &Tags) -> bool {
    let named = |pattern: &str| matches(pattern, arn);
    let has = |(key, value): &(String, String)| tags.get(key) == Some(value);
    (selection.resources.is_empty() || selection.resources.iter().any(|it| named(it.as_str())))
        && !selection.not_resources.iter().any(|pattern| named(pattern))
        && (selection.any_tag.is_empty() || selection.any_tag.iter().any(has))
        && selection.conditions.iter().all(|condition| {
            // Each of them speaks of stores that have the tag.
            tags.get(&condition.tag).is_some_and(|value| match condition.test {
                TagTest::StringEquals => *value == condition.value,
                TagTest::StringNotEquals => *value != condition.value,
                TagTest::StringLike => matches(&condition.value, value),
                TagTest::StringNotLike => !matches(&condition.value, value),
            })
        })
}

#[cfg(test)]
mod tests {
    use aws_sdk_backup::types::builders::{BackupSelectionBuilder, LifecycleBuilder};
    use aws_sdk_backup::types::{Condition, ConditionParameter, ConditionType, Conditions};
    use aws_sdk_efs::types::Tag;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::efs::{FILE_SYSTEM, FileSystem, file_system};
    use crate::testing::{backup, denied, judged, only};

    async fn of(
        lifecycle: fn(LifecycleBuilder) -> LifecycleBuilder,
        selection: fn(BackupSelectionBuilder) -> BackupSelectionBuilder,
    ) -> (Status, String) {
        let tagged = FileSystem {
            change: |it| it.tags(Tag::builder().key("Data").value("education").build().unwrap()),
            ..<_>::default()
        };
        let rules = [file_system(tagged), backup::plan(lifecycle, selection)].concat();
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    fn like(value: &str) -> Conditions {
        let one = ConditionParameter::builder().condition_key("aws:ResourceTag/Data");
        Conditions::builder().string_like(one.condition_value(value).build()).build()
    }

    fn tag(value: &str) -> Condition {
        let one = Condition::builder().condition_type(ConditionType::Stringequals);
        one.condition_key("Data").condition_value(value).build().unwrap()
    }

    #[tokio::test]
    async fn a_store_is_selected_by_name_by_pattern_or_by_tag() {
        let good: [fn(BackupSelectionBuilder) -> BackupSelectionBuilder; 5] = [
            |it| it.resources(FILE_SYSTEM),
            |it| it.resources("arn:aws:elasticfilesystem:*:*:file-system/*"),
            |it| it.list_of_tags(tag("other")).list_of_tags(tag("education")),
            |it| it.resources("*").conditions(like("edu*")),
            |it| it,
        ];
        for selection in good {
            let (status, message) = of(|it| it.delete_after_days(35), selection).await;
            assert_eq!(status, Status::Pass, "{message}");
        }
        let bad: [fn(BackupSelectionBuilder) -> BackupSelectionBuilder; 5] = [
            |it| it.resources("arn:aws:rds:*:*:cluster:*"),
            |it| it.resources("*").not_resources(FILE_SYSTEM),
            |it| it.resources("*").list_of_tags(tag("other")),
            |it| it.resources("*").conditions(like("other*")),
            |it| it.resources("arn:aws:rds:*:*:cluster:*").list_of_tags(tag("education")),
        ];
        for selection in bad {
            let found = of(|it| it.delete_after_days(35), selection).await;
            assert_eq!(found, (Status::Fail, "no backup plan selects it".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_lifecycle_has_an_end_and_not_too_early() {
        assert_eq!(of(|it| it, |it| it.resources("*")).await.0, Status::Fail);
        assert_eq!(of(|it| it.delete_after_days(1), |it| it.resources("*")).await.0, Status::Fail);
    }

    #[tokio::test]
    async fn plans_that_cannot_be_read_are_unknown() {
        let mut rules = file_system(FileSystem::default());
        rules.push(denied!(aws_sdk_backup, list_backup_plans, ListBackupPlansError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);

        let mut rules = file_system(FileSystem::default());
        rules.extend(backup::plan(|it| it.delete_after_days(35), |it| it.resources("*")));
        rules.pop();
        rules.push(denied!(aws_sdk_backup, get_backup_selection, GetBackupSelectionError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
