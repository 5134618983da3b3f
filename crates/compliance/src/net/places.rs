//! Where records rest and are worked on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compute::Service;
use data::{CacheSubnetGroup, DbCluster, DbInstance, DbSubnetGroup, MountTarget, ReplicationGroup};
use engine::Inspected;
use network::Subnet;

use super::stores::strings;
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The subnets in which stores lie and services run tasks.
#[derive(Default)]
pub struct RecordPlaces {
    subnets: BTreeSet<String>,
    tasks_by_vpc: BTreeMap<String, BTreeSet<String>>,
    unread: Vec<(&'static str, Unread)>,
}

impl RecordPlaces {
    /// What it is worked out from, as [`Control::reads`](crate::Control::reads) has it.
    pub const READS: &[&str] = &[
        "rds.cluster.subnet_group",
        "rds.subnet_group.subnets",
        "rds.instance.subnets",
        "elasticache.replication_group.subnet_group",
        "elasticache.subnet_group.subnets",
        "efs.mount_target.subnet_id",
        "ecs.service.subnets",
        "ec2.subnet.vpc_id",
    ];

    /// Those of the facts.
    pub fn of(facts: &Facts<'_>) -> Arc<Self> {
        facts.derived(|facts| {
            let mut places = Self::default();
            places.read::<DbCluster>(facts, false, |one| subnets_of_cluster(facts, one));
            places.read::<DbInstance>(facts, false, subnets_of_instance);
            places.read::<ReplicationGroup>(facts, false, |one| subnets_of_cache(facts, one));
            places.read::<MountTarget>(facts, false, subnet_of_mount_target);
            places.read::<Service>(facts, true, subnets_of_service);
            places
        })
    }

    fn read<T: Inspected>(
        &mut self,
        facts: &Facts<'_>,
        tasks: bool,
        subnets: impl Fn(&Seen<'_, T>) -> Result<BTreeSet<String>, Unread>,
    ) {
        let (known, unread) = facts.listed::<T>();
        self.unread.extend(unread.map(|unread| (T::KIND, unread)));
        for live in known.iter() {
            let placed = subnets(&Seen::of(live)).and_then(|subnets| {
                for subnet in subnets {
                    self.place(facts, subnet, tasks)?;
                }
                Ok(())
            });
            if let Err(unread) = placed {
                self.unread.push((T::KIND, unread));
            }
        }
    }

    fn place(&mut self, facts: &Facts<'_>, subnet: String, tasks: bool) -> Result<(), Unread> {
        let found = facts.find::<Subnet>(&subnet)?;
        let found =
            found.ok_or_else(|| Unread { what: format!("the subnet {subnet}"), error: None })?;
        let vpc = Seen::of(&found).read(&["vpc_id"])?.vpc_id.to_string();
        let here = self.tasks_by_vpc.entry(vpc).or_default();
        here.extend(tasks.then(|| subnet.clone()));
        self.subnets.insert(subnet);
        Ok(())
    }

    /// Whether a store may lie or a service's task may run in a subnet.
    pub fn has_subnet(&self, subnet: &str) -> bool {
        self.subnets.contains(subnet)
    }

    /// The subnets of services' tasks in a VPC, none where there are only stores; `None` for a VPC with
    /// neither.
    pub fn in_vpc(&self, vpc: &str) -> Option<&BTreeSet<String>> {
        self.tasks_by_vpc.get(vpc)
    }

    /// Whether there are no others.
    ///
    /// # Errors
    /// With what could not be read.
    pub fn all_read(&self) -> Result<(), Unread> {
        self.unread.first().map_or(Ok(()), |(_, unread)| Err(unread.clone()))
    }

    /// What could not be read: there may be more.
    pub fn unread(&self, facts: &Facts<'_>) -> Vec<Judgement> {
        let unread = self.unread.iter();
        unread.map(|(kind, unread)| facts.whole(kind, Err(unread.clone()))).collect()
    }
}

/// Judges every store that says in which subnets it lies. Instances of a cluster lie where the cluster does.
pub fn judge_stores(
    facts: &Facts<'_>,
    verdict: impl Fn(&BTreeSet<String>) -> Result<Verdict, Unread>,
) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|one| verdict(&subnets_of_cluster(facts, one)?));
    judgements.extend(facts.each_where::<DbInstance>(
        |one| one.spec.cluster.is_none(),
        |one| verdict(&subnets_of_instance(one)?),
    ));
    let caches = facts.each::<ReplicationGroup>(|one| verdict(&subnets_of_cache(facts, one)?));
    judgements.extend(caches);
    judgements.extend(facts.each::<MountTarget>(|one| verdict(&subnet_of_mount_target(one)?)));
    judgements
}

/// The subnets that a database cluster may lie in.
///
/// # Errors
/// When its subnet group is not known.
fn subnets_of_cluster(
    facts: &Facts<'_>,
    cluster: &Seen<'_, DbCluster>,
) -> Result<BTreeSet<String>, Unread> {
    let group = cluster.read(&["subnet_group"])?.subnet_group.as_str();
    let found = facts.find::<DbSubnetGroup>(group)?;
    let found = found.ok_or_else(|| no_group(group, &cluster.live().id))?;
    Ok(strings(&Seen::of(&found).read(&["subnets"])?.subnets))
}

/// The subnets that a database instance may lie in; none for one that belongs to a cluster.
///
/// # Errors
/// When they could not be read.
fn subnets_of_instance(instance: &Seen<'_, DbInstance>) -> Result<BTreeSet<String>, Unread> {
    Ok(instance.read(&["subnets"])?.subnets.clone())
}

/// The subnets that a cache may lie in.
///
/// # Errors
/// When its subnet group is not known.
fn subnets_of_cache(
    facts: &Facts<'_>,
    cache: &Seen<'_, ReplicationGroup>,
) -> Result<BTreeSet<String>, Unread> {
    let group = &cache.read(&["subnet_group"])?.subnet_group;
    let missing =
        || Unread { what: format!("the subnet group of {}", cache.live().id), error: None };
    let group = group.as_ref().ok_or_else(missing)?.as_str();
    let found = facts.find::<CacheSubnetGroup>(group)?;
    let found = found.ok_or_else(|| no_group(group, &cache.live().id))?;
    Ok(strings(&Seen::of(&found).read(&["subnets"])?.subnets))
}

/// The subnet of a mount target.
///
/// # Errors
/// When it could not be read.
fn subnet_of_mount_target(target: &Seen<'_, MountTarget>) -> Result<BTreeSet<String>, Unread> {
    Ok([target.read(&["subnet_id"])?.subnet_id.to_string()].into())
}

/// The subnets in which a service's tasks have interfaces of their own.
///
/// # Errors
/// When they could not be read.
pub fn subnets_of_service(service: &Seen<'_, Service>) -> Result<BTreeSet<String>, Unread> {
    Ok(strings(&service.read(&["subnets"])?.subnets))
}

fn no_group(group: &str, of: &str) -> Unread {
    Unread { what: format!("the subnet group {group:?} of {of}"), error: None }
}
