//! What is true of databases in general: which parameters hold, who belongs to whom, what an instance
//! has that stands alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use account::DbParameterGroup;
use data::{DbCluster, DbClusterParameterGroup, DbInstance, Standalone};
use engine::{Inspected, Live};

use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// Something that no describe call says.
pub fn unread(what: impl Into<String>) -> Unread {
    Unread { what: what.into(), error: None }
}

/// Whether an instance belongs to no cluster, so that all of it is its own.
pub fn is_alone(instance: &Live<DbInstance>) -> bool {
    instance.spec.cluster.is_none()
}

/// What an instance has that belongs to no cluster.
///
/// # Errors
/// When it could not be read.
pub fn standalone<'a>(instance: &Seen<'a, DbInstance>) -> Result<&'a Standalone, Unread> {
    let spec = instance.read(&["standalone"])?;
    let missing = || unread(format!("what {} has of its own", instance.live().id));
    spec.standalone.as_ref().ok_or_else(missing)
}

/// An instance that has to restart before the values of its own parameter groups hold.
pub fn restart_pending(instance: &Live<DbInstance>) -> BTreeSet<String> {
    let mut statuses = instance.spec.parameter_groups.values();
    let waits = statuses.any(|status| status == "pending-reboot");
    waits.then(|| instance.id.clone()).into_iter().collect()
}

/// The instances, by cluster.
pub struct Members {
    all: Arc<Vec<Live<DbInstance>>>,
    by_cluster: HashMap<String, Vec<usize>>,
}

impl Members {
    /// The instances of all clusters.
    ///
    /// # Errors
    /// When they could not be listed.
    pub fn known(facts: &Facts<'_>) -> Result<Arc<Self>, Unread> {
        let all = facts.all::<DbInstance>()?;
        Ok(facts.derived(|_| {
            let mut by_cluster: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, instance) in all.iter().enumerate() {
                if let Some(cluster) = &instance.spec.cluster {
                    by_cluster.entry(cluster.to_string()).or_default().push(at);
                }
            }
            Self { all, by_cluster }
        }))
    }

    /// Those of a cluster.
    pub fn of<'a>(
        &'a self,
        cluster: &Live<DbCluster>,
    ) -> impl Iterator<Item = &'a Live<DbInstance>> + use<'a> {
        self.by_cluster.get(&cluster.id).into_iter().flatten().map(|&at| &self.all[at])
    }
}

/// The parameters with which an engine runs: what somebody has set. The rest are the engine's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The engine and its major version: `aurora-postgresql17`.
    pub family: String,
    set: BTreeMap<String, String>,
}

impl Parameters {
    /// Those of a cluster, from its fields `parameter_group`.
    ///
    /// # Errors
    /// When its parameter group could not be read.
    pub fn of_cluster(facts: &Facts<'_>, cluster: &DbCluster) -> Result<Self, Unread> {
        let group = cluster.parameter_group.as_str();
        group_of::<DbClusterParameterGroup>(facts, group, |of| (&of.family, &of.parameters))
    }

    /// Those of an instance's own groups, from its field `parameter_groups`.
    ///
    /// # Errors
    /// When a parameter group could not be read.
    pub fn of_instance(facts: &Facts<'_>, instance: &DbInstance) -> Result<Self, Unread> {
        let mut all = Self::default();
        for group in instance.parameter_groups.keys() {
            let own =
                group_of::<DbParameterGroup>(facts, group, |of| (&of.family, &of.parameters))?;
            all = all.with(own);
        }
        Ok(all)
    }

    /// With those of an instance, which go before its cluster's.
    #[must_use]
    pub fn with(mut self, instance: Self) -> Self {
        if self.family.is_empty() {
            self.family = instance.family;
        }
        self.set.extend(instance.set);
        self
    }

    /// What somebody has set a parameter to.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// Whether a list, separated by commas, has an item.
    pub fn lists(&self, name: &str, item: &str) -> bool {
        self.get(name).is_some_and(|list| list.split(',').any(|one| one.trim() == item))
    }

    /// The major version of the family: 17 of `aurora-postgresql17`.
    pub fn major(&self) -> Option<u32> {
        let version = self.family.trim_start_matches(|c: char| !c.is_ascii_digit());
        version.split('.').next()?.parse().ok()
    }
}

/// Whether the value of a parameter switches something on.
pub fn is_on(value: &str) -> bool {
    ["1", "on", "true", "yes"].iter().any(|on| value.trim().eq_ignore_ascii_case(on))
}

fn group_of<T: Inspected>(
    facts: &Facts<'_>,
    group: &str,
    of: impl Fn(&T) -> (&String, &BTreeMap<String, String>),
) -> Result<Parameters, Unread> {
    // A group that AWS makes for a family, which nobody can change.
    if let Some(family) = group.strip_prefix("default.") {
        return Ok(Parameters { family: family.to_owned(), set: BTreeMap::new() });
    }
    let found = facts.find::<T>(group)?;
    let found = found.ok_or_else(|| unread(format!("the parameter group {group}")))?;
    let (family, parameters) = of(Seen::of(&*found).read(&["family", "parameters"])?);
    Ok(Parameters { family: family.clone(), set: parameters.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_goes_before_its_cluster() {
        let of = |family: &str, value: &str| Parameters {
            family: family.into(),
            set: BTreeMap::from([("pgaudit.log".to_owned(), value.to_owned())]),
        };
        let both = of("aurora-postgresql17", "all").with(of("aurora-postgresql17", "none"));
        assert_eq!((both.get("pgaudit.log"), both.major()), (Some("none"), Some(17)));
    }

    #[test]
    fn families_and_lists_are_understood() {
        let family = |name: &str| Parameters { family: name.into(), ..Parameters::default() };
        assert_eq!(family("mysql8.0").major(), Some(8));
        assert_eq!(family("docdb").major(), None);
        let set = BTreeMap::from([("list".to_owned(), "pg_stat_statements, pgaudit".to_owned())]);
        let parameters = Parameters { set, ..Parameters::default() };
        assert!(parameters.lists("list", "pgaudit") && !parameters.lists("list", "pg"));
        assert!(is_on("ON") && is_on("1") && !is_on("0") && !is_on(""));
    }
}
