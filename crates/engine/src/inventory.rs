//! A snapshot of what runs, with the errors met while taking it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::aws::Aws;
use crate::error::{ApiError, Result};
use crate::journal::Journal;
use crate::kind::{Collected, Identity, Kind, Live, Resource};
use crate::stack::{LogicalId, RESOURCE_TAG, STACK_TAG, StackName};

/// The version of the snapshot's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// How many kinds are read at a time. Each service has limits of its own, so reading many services at
/// once strains none.
const CONCURRENT_KINDS: usize = 24;

/// What a collection is for.
#[derive(Debug, Clone)]
pub enum Scope {
    /// One stack, and what is attached to it: details may be left out for resources that cannot
    /// belong to it.
    Stack(StackName),
    /// Everything in the account and region.
    Account,
}

impl Scope {
    /// Whether a resource of this name could belong to the stack: its name is built as
    /// [`StackName::of`] builds it, with a suffix perhaps. For kinds whose tags cost a call each.
    pub fn may_be_ours(&self, name: &str) -> bool {
        match self {
            Self::Account => true,
            Self::Stack(stack) => {
                name.contains(&stack.project) && name.contains(&stack.environment)
            }
        }
    }

    /// Whether the tags say that a resource belongs to the stack (always, for a whole account). For
    /// kinds whose details cost a call each.
    pub fn wants(&self, tags: &crate::kind::Tags) -> bool {
        match self {
            Self::Account => true,
            Self::Stack(stack) => tags.get(STACK_TAG) == Some(&stack.to_string()),
        }
    }
}

/// What runs in an account and region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Inventory {
    /// [`SCHEMA_VERSION`] when it was taken.
    pub schema_version: u32,
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// The resources by kind, each kind sorted by id.
    pub resources: BTreeMap<String, Vec<Live>>,
    /// The calls that failed, by the kind that needed them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, Vec<ApiError>>,
}

impl Inventory {
    /// An inventory with nothing in it.
    pub fn empty(account_id: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            account_id: account_id.into(),
            region: region.into(),
            resources: BTreeMap::new(),
            errors: BTreeMap::new(),
        }
    }

    /// The resources of a kind, with typed attributes.
    ///
    /// # Errors
    /// When the attributes are not those of the kind (a snapshot of another version).
    pub fn of<T: Resource>(&self) -> Result<Vec<Live<T>>> {
        self.of_kind(T::TRAITS.kind).iter().map(Live::typed).collect()
    }

    /// The resources of a kind.
    pub fn of_kind(&self, kind: &str) -> &[Live] {
        self.resources.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Adds what was collected of a kind.
    pub fn insert(&mut self, kind: &Kind, collected: Collected) {
        let mut live = collected.live;
        live.sort_by(|a, b| a.id.cmp(&b.id));
        self.resources.insert(kind.name().into(), live);
        if !collected.errors.is_empty() {
            self.errors.insert(kind.name().into(), collected.errors);
        }
    }

    /// What the stack owns, by kind: what its tags say, and what belongs to such a resource.
    pub fn owned<'a>(&'a self, kinds: &'a [Kind], stack: &StackName) -> Vec<Owned<'a>> {
        let owner = stack.to_string();
        let mut owned = Vec::new();
        for kind in kinds {
            if kind.traits.identity != Identity::Tags {
                continue;
            }
            for live in self.of_kind(kind.name()) {
                if live.tags.get(STACK_TAG) != Some(&owner) {
                    continue;
                }
                let id = live.tags.get(RESOURCE_TAG).map_or_else(
                    || LogicalId::new(format!("{}/{}", kind.name(), live.id)),
                    LogicalId::new,
                );
                owned.push(Owned { id: Some(id), kind: *kind, live });
            }
        }
        let parents: Vec<(&Live, Kind)> = owned.iter().map(|one| (one.live, one.kind)).collect();
        let mut children = Vec::new();
        for kind in kinds {
            let Identity::Parent { parent, .. } = kind.traits.identity else { continue };
            for live in self.of_kind(kind.name()) {
                let Some(names) = live.spec.get(parent).and_then(|value| value.as_str()) else {
                    continue;
                };
                if parents.iter().any(|(owner, kind)| owner.is_called(kind, names)) {
                    children.push(Owned { id: None, kind: *kind, live });
                }
            }
        }
        owned.extend(children);
        owned
    }
}

/// A live resource that the stack owns.
#[derive(Debug, Clone)]
pub struct Owned<'a> {
    /// What its tags say it is; `None` for kinds that carry no tags.
    pub id: Option<LogicalId>,
    /// Its kind.
    pub kind: Kind,
    /// The resource.
    pub live: &'a Live,
}

impl Live {
    /// Whether the text names this resource of a kind: its id, its ARN, or one of its aliases.
    pub fn is_called(&self, kind: &Kind, text: &str) -> bool {
        self.names(kind).any(|name| name == text)
    }

    /// What others may call it.
    pub(crate) fn names<'a>(&'a self, kind: &'a Kind) -> impl Iterator<Item = &'a str> {
        let aliases = kind.traits.aliases.iter().filter_map(|alias| self.output(alias));
        std::iter::once(self.id.as_str()).chain(self.arn.as_deref()).chain(aliases)
    }
}

/// Reads everything of these kinds, in parallel. What the journal says was created within the last
/// minutes and is not shown yet is asked for again until it shows or AWS's time for that is over.
pub async fn collect(aws: &Aws, kinds: &[Kind], scope: &Scope, journal: &Journal) -> Inventory {
    let mut inventory = Inventory::empty(aws.account_id(), aws.region());
    read(aws, kinds, scope, &mut inventory).await;

    let give_up = Instant::now() + aws.consistency_window();
    let mut pause = Duration::from_millis(500);
    loop {
        let hidden = journal.hidden(&inventory);
        let hidden: Vec<Kind> =
            kinds.iter().filter(|kind| hidden.contains(kind.name())).copied().collect();
        if hidden.is_empty() || Instant::now() + pause > give_up {
            return inventory;
        }
        tracing::debug!(?hidden, "created moments ago and not shown yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
        read(aws, &hidden, scope, &mut inventory).await;
    }
}

async fn read(aws: &Aws, kinds: &[Kind], scope: &Scope, inventory: &mut Inventory) {
    let mut reads = futures::stream::iter(kinds.iter().copied())
        .map(|kind| async move { (kind, (kind.collect)(aws, scope).await) })
        .buffer_unordered(CONCURRENT_KINDS);
    while let Some((kind, collected)) = reads.next().await {
        inventory.errors.remove(kind.name());
        inventory.insert(&kind, collected);
    }
}
