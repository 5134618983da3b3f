//! FERPA-AVL-04: a mount target in every availability zone in use.

use std::collections::{BTreeMap, BTreeSet};

use compute::{Service, TaskDefinition};
use data::{FileSystem, MountTarget};
use engine::Status;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::placement::{zone_of, zones_of};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-04",
    title: "A mount target in every availability zone in use",
    statement: "Every EFS file system has a mount target in each zone in which a service that mounts it runs, and in two zones at least.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.8.9"],
    why: "Tasks reach the files through a mount target of their own zone, so a missing one takes the zone's tasks with it, and the only one takes all.",
    reads: &[&[
        "efs.mount_target.file_system_id",
        "efs.mount_target.subnet_id",
        "efs.mount_target.status",
        "efs.file_system",
        "ec2.subnet.availability_zone",
        "ecs.service.subnets",
        "ecs.service.task_definition",
        "ecs.task_definition.volumes",
    ]],
    remedy: Remedy {
        stack: "`deploy`: there is a mount target in each of `network.availability_zones`",
        api: "elasticfilesystem:CreateMountTarget with SubnetId, once for each zone",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let targets = targets(facts);
    let used = zones_in_use(facts);
    facts.each::<FileSystem>(|file_system| {
        let id = &file_system.live().id;
        let there = targets.as_ref().map_err(Clone::clone)?.get(id).cloned().unwrap_or_default();
        let there: BTreeSet<String> =
            there.iter().map(|subnet| zone_of(facts, subnet)).collect::<Result<_, _>>()?;
        let used = used.as_ref().map_err(Clone::clone)?.get(id).cloned().unwrap_or_default();
        let missing: Vec<&str> = used.difference(&there).map(String::as_str).collect();
        let zones = there.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let verdict = if !missing.is_empty() {
            Verdict::fail(format!(
                "it has no mount target in {}, where tasks mount it",
                missing.join(", ")
            ))
        } else if there.len() < 2 {
            let only = if there.is_empty() { "no mount target".into() } else { format!("mount targets in {zones} only") };
            Verdict::fail(format!("it has {only}"))
        } else {
            Verdict::pass(format!("it has mount targets in {zones}"))
        };
        let there: Vec<String> = there.into_iter().collect();
        Ok(verdict.with("elasticfilesystem:DescribeMountTargets", "AvailabilityZoneName", there))
    })
}

/// The subnets with a mount target that works, by file system.
fn targets(facts: &Facts<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, Unread> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for target in facts.all::<MountTarget>()?.iter() {
        let spec = Seen::of(target).read(&["file_system_id", "subnet_id"])?;
        if !matches!(target.status, Status::Deleting | Status::Failed(_)) {
            let subnets = found.entry(spec.file_system_id.to_string()).or_default();
            subnets.insert(spec.subnet_id.to_string());
        }
    }
    Ok(found)
}

/// The zones in which services run that mount a file system, by its id.
fn zones_in_use(facts: &Facts<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, Unread> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for service in facts.all::<Service>()?.iter() {
        let service = Seen::of(service).read(&["task_definition", "subnets"])?;
        // What somebody else's service runs is not always read.
        let Some(task) = facts.find::<TaskDefinition>(service.task_definition.as_str())? else {
            continue;
        };
        let volumes = &Seen::of(&*task).read(&["volumes"])?.volumes;
        let mounted: Vec<_> = volumes.values().filter_map(|volume| volume.efs.as_ref()).collect();
        if mounted.is_empty() {
            continue;
        }
        let zones = zones_of(facts, service)?;
        for efs in mounted {
            found.entry(efs.file_system.to_string()).or_default().extend(zones.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::efs::{FileSystem, file_system, mount_targets};
    use crate::testing::{denied, ecs, judged, only, subnets};

    const SUBNETS: &[(&str, &str)] = &[
        ("subnet-1", "us-east-1a"),
        ("subnet-2", "us-east-1b"),
        ("subnet-3", "us-east-1a"),
        ("subnet-4", "us-east-1b"),
    ];

    async fn of(targets: &'static [&'static str], used: bool) -> (Status, String) {
        let mut rules = file_system(FileSystem::default());
        rules.extend(mount_targets(targets));
        rules.push(subnets(SUBNETS));
        if used {
            rules.extend(ecs::task_with_volume(|it| it));
            rules.extend(ecs::service(|it| it));
        }
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn every_zone_that_mounts_has_a_target() {
        assert_eq!(of(&["subnet-3", "subnet-4"], true).await.0, Status::Pass);
        let (status, message) = of(&["subnet-3"], true).await;
        assert_eq!(status, Status::Fail);
        assert_eq!(message, "it has no mount target in us-east-1b, where tasks mount it");
    }

    #[tokio::test]
    async fn one_zone_is_not_enough_even_if_nobody_mounts() {
        assert_eq!(of(&["subnet-3", "subnet-1"], false).await.0, Status::Fail, "the same zone");
        assert_eq!(of(&[], false).await, (Status::Fail, "it has no mount target".into()));
    }

    #[tokio::test]
    async fn mount_targets_that_cannot_be_listed_are_unknown() {
        let mut rules = file_system(FileSystem::default());
        rules.push(denied!(aws_sdk_efs, describe_mount_targets, DescribeMountTargetsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
