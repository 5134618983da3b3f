//! What each key encrypts.

use std::collections::{BTreeMap, BTreeSet};

use account::{DbClusterSnapshot, DbSnapshot, SearchDomain, Snapshot, Table, Volume};
use compute::{Function, LogGroup};
use data::{
    BackupVault, DbCluster, DbInstance, DeliveryStream, FileSystem, KinesisStream, ReplicationGroup,
};
use engine::Inspected;
use security::{Bucket, Encryption, Key, Secret, Topic, Trail};

use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// What each key encrypts, by the key's id. Worked out once.
pub struct KeyUses {
    users: BTreeMap<String, BTreeSet<String>>,
    unread: Option<Unread>,
}

impl KeyUses {
    /// Works them out.
    pub fn of(facts: &Facts<'_>) -> Self {
        let mut uses = Self { users: BTreeMap::new(), unread: None };
        uses.add::<DbCluster>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<DbInstance>(facts, |one| {
            let spec = one.read(&["kms_key", "performance_insights"])?;
            let insights = spec.performance_insights.as_ref();
            Ok(vec![name(&spec.kms_key), insights.and_then(|insights| name(&insights.kms_key))])
        });
        uses.add::<ReplicationGroup>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<KinesisStream>(facts, |one| Ok(vec![name(&one.read(&["key"])?.key)]));
        uses.add::<DeliveryStream>(facts, |one| {
            let spec = one.read(&["key", "object_key"])?;
            Ok(vec![name(&spec.key), name(&spec.object_key)])
        });
        uses.add::<FileSystem>(facts, |one| Ok(vec![name(&one.read(&["key"])?.key)]));
        uses.add::<BackupVault>(facts, |one| Ok(vec![name(&one.read(&["key"])?.key)]));
        uses.add::<Secret>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<Bucket>(facts, |one| Ok(vec![bucket_key(one)?]));
        uses.add::<Trail>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<Topic>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<LogGroup>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<Function>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<Table>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<SearchDomain>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<Volume>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<Snapshot>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses.add::<DbClusterSnapshot>(facts, |one| {
            Ok(vec![name(&one.read(&["kms_key"])?.kms_key)])
        });
        uses.add::<DbSnapshot>(facts, |one| Ok(vec![name(&one.read(&["kms_key"])?.kms_key)]));
        uses
    }

    fn add<T: Inspected>(
        &mut self,
        facts: &Facts<'_>,
        keys: impl Fn(&Seen<'_, T>) -> Result<Vec<Option<String>>, Unread>,
    ) {
        let (known, unread) = facts.listed::<T>();
        self.unread = self.unread.take().or(unread);
        for live in known.iter() {
            match keys(&Seen::of(live)) {
                Ok(keys) => {
                    for key in keys.into_iter().flatten() {
                        let user = format!("{} {}", T::KIND, live.id);
                        self.users.entry(key_id(facts, &key)).or_default().insert(user);
                    }
                }
                // Strangers' settings are not read in the audit of a stack.
                Err(unread) if facts.is_subject(T::KIND, &live.id) => self.unread = Some(unread),
                Err(_) => {}
            }
        }
    }

    /// What a key encrypts: kinds and ids.
    pub fn of_key(&self, id: &str) -> Option<&BTreeSet<String>> {
        self.users.get(id)
    }

    /// What could not be read: something may use a key and is not among its users.
    pub fn unread(&self) -> Option<&Unread> {
        self.unread.as_ref()
    }
}

/// The id of a key that is named by id, ARN or alias; the name itself where the key is not known.
pub fn key_id(facts: &Facts<'_>, name: &str) -> String {
    let alias = name.split_once(":alias/").map(|(_, alias)| format!("alias/{alias}"));
    let name = alias.as_deref().unwrap_or(name);
    match facts.find::<Key>(name) {
        Ok(Some(key)) => key.id.clone(),
        _ => name.to_owned(),
    }
}

/// The key by which a bucket encrypts new objects.
///
/// # Errors
/// When that could not be read.
pub fn bucket_key(bucket: &Seen<'_, Bucket>) -> Result<Option<String>, Unread> {
    Ok(match &bucket.read(&["encryption"])?.encryption {
        Encryption::SseKms { key, .. } | Encryption::DsseKms { key } => name(key),
        Encryption::SseS3 | Encryption::None => None,
    })
}

fn name(key: &Option<impl ToString>) -> Option<String> {
    key.as_ref().map(ToString::to_string).filter(|key| !key.is_empty())
}
