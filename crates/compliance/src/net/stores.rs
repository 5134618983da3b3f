//! What holds records, and where it is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use account::NetworkInterface;
use data::{DbCluster, DbInstance, MountTarget, ReplicationGroup};
use engine::Inspected;
use network::SecurityGroup;

use super::opening::port_range;
use crate::facts::{Facts, Seen};
use crate::finding::{Judgement, Unread};

/// EFS has no other.
const NFS: i32 = 2049;
/// What a cache has unless somebody says otherwise.
const REDIS: i32 = 6379;

/// A store, as the network sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// `the cluster records`.
    pub name: String,
    /// Its port; `None` where AWS does not say it.
    pub port: Option<i32>,
    /// Its security groups.
    pub groups: BTreeSet<String>,
}

/// The stores of the facts.
#[derive(Default)]
pub struct Stores {
    by_group: BTreeMap<String, Vec<Arc<Store>>>,
    unread: Vec<(&'static str, Unread)>,
}

impl Stores {
    /// What it is worked out from, as [`Control::reads`](crate::Control::reads) has it.
    pub const READS: &[&str] = &[
        "ec2.security_group.vpc_id",
        "rds.cluster.security_groups",
        "rds.cluster.port",
        "rds.instance.cluster",
        "rds.instance.security_groups",
        "rds.instance.port",
        "elasticache.replication_group.nodes",
        "elasticache.replication_group.port",
        "efs.mount_target.security_groups",
        "ec2.network_interface.security_groups",
        "ec2.network_interface.used_by",
    ];

    /// Those of the facts: what the services say of them, and the network interfaces of those that are
    /// not described otherwise.
    pub fn of(facts: &Facts<'_>) -> Arc<Self> {
        facts.derived(|facts| {
            let mut stores = Self::default();
            stores.read::<DbCluster>(facts, |one| {
                let spec = one.read(&["security_groups", "port"])?;
                Ok(Some((Some(spec.port), strings(&spec.security_groups))))
            });
            stores.read::<DbInstance>(facts, |one| {
                let spec = one.read(&["cluster", "security_groups", "port"])?;
                let alone = spec.cluster.is_none();
                Ok(alone.then(|| (spec.port, spec.security_groups.clone())))
            });
            stores.read::<ReplicationGroup>(facts, |one| {
                let spec = one.read(&["nodes", "port"])?;
                let what = format!("nodes of {}", one.live().id);
                let nodes = spec.nodes.as_ref().ok_or(Unread { what, error: None })?;
                Ok(Some((Some(spec.port), strings(&nodes.security_groups))))
            });
            stores.read::<MountTarget>(facts, |one| {
                let spec = one.read(&["security_groups"])?;
                Ok(Some((Some(NFS), strings(&spec.security_groups))))
            });
            stores.read::<NetworkInterface>(facts, |one| {
                let spec = one.read(&["security_groups", "used_by"])?;
                Ok(spec.used_by.is_store().then(|| (None, spec.security_groups.clone())))
            });
            stores.guess(facts);
            stores
        })
    }

    fn read<T: Inspected>(
        &mut self,
        facts: &Facts<'_>,
        place: impl Fn(&Seen<'_, T>) -> Result<Option<(Option<i32>, BTreeSet<String>)>, Unread>,
    ) {
        let (known, unread) = facts.listed::<T>();
        self.unread.extend(unread.map(|unread| (T::KIND, unread)));
        for live in known.iter() {
            let (port, groups) = match place(&Seen::of(live)) {
                Ok(Some(place)) => place,
                Ok(None) => continue,
                Err(unread) => {
                    self.unread.push((T::KIND, unread));
                    continue;
                }
            };
            let store = Arc::new(Store { name: live.id.clone(), port, groups });
            for group in &store.groups {
                self.by_group.entry(group.clone()).or_default().push(store.clone());
            }
        }
    }

    /// Where AWS does not show a cache's groups, those that admit its port and nothing else are taken for
    /// them. That they could not be read is said all the same.
    fn guess(&mut self, facts: &Facts<'_>) {
        let (Ok(caches), Ok(groups)) =
            (facts.all::<ReplicationGroup>(), facts.all::<SecurityGroup>())
        else {
            return;
        };
        let mut admitting: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
        for group in groups.iter() {
            let mut ports = group.spec.ingress.iter().map(port_range);
            if let Some((first, last)) = ports.next()
                && first == last
                && ports.all(|port| port == (first, last))
            {
                admitting.entry(first).or_default().push(&group.id);
            }
        }
        for cache in caches.iter().filter(|cache| cache.spec.nodes.is_none()) {
            let port = Seen::of(cache).read(&["port"]).map_or(REDIS, |spec| spec.port);
            let groups: BTreeSet<String> =
                admitting.get(&port).into_iter().flatten().map(|&group| group.into()).collect();
            let store = Arc::new(Store { name: cache.id.clone(), port: Some(port), groups });
            for group in &store.groups {
                self.by_group.entry(group.clone()).or_default().push(store.clone());
            }
        }
    }

    /// The stores that have a security group.
    pub fn with_group(&self, group: &str) -> &[Arc<Store>] {
        self.by_group.get(group).map_or(&[], Vec::as_slice)
    }

    /// What could not be read: there may be more stores.
    pub fn unread(&self, facts: &Facts<'_>) -> Vec<Judgement> {
        let unread = self.unread.iter();
        unread.map(|(kind, unread)| facts.whole(kind, Err(unread.clone()))).collect()
    }
}

pub(super) fn strings(items: &BTreeSet<impl ToString>) -> BTreeSet<String> {
    items.iter().map(ToString::to_string).collect()
}
