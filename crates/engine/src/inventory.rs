//! A snapshot of what runs, with the errors met while taking it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::aws::Aws;
use crate::error::{ApiError, Result};
use crate::journal::Journal;
use crate::kind::{Collected, Identity, Inspected, Kind, Live, Reader};
use crate::stack::{LogicalId, RESOURCE_TAG, STACK_TAG, StackName};

/// The version of the snapshot's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// How many kinds are read at a time. Each service has limits of its own, so reading many services at
/// once strains none.
const CONCURRENT_KINDS: usize = 24;

/// What a collection is for.
#[derive(Debug, Clone)]
pub enum Scope {
    /// One stack: details may be left out for resources that do not belong to it.
    Stack(StackName),
    /// One stack, and everything else that could be attached to it or that it could rest on.
    Attached(StackName),
    /// Everything in the account and region.
    Account,
}

impl Scope {
    /// The scope in which one kind is read.
    fn of(&self, reader: &Reader) -> Self {
        match self {
            Self::Attached(stack) if reader.costly => Self::Stack(stack.clone()),
            Self::Attached(_) => Self::Account,
            other => other.clone(),
        }
    }

    /// Whether a resource of this name could belong to the stack: in its name is one that [`StackName::of`] has
    /// built. For kinds whose tags cost a call each; their [permissions](crate::permission) are for
    /// these names (`{perhaps}`).
    pub fn may_be_ours(&self, name: &str) -> bool {
        match self {
            Self::Account => true,
            Self::Stack(stack) | Self::Attached(stack) => {
                let (start, end) =
                    (format!("{}-", stack.project), format!("-{}", stack.environment));
                name.split_once(&start).is_some_and(|(_, rest)| rest.contains(&end))
            }
        }
    }

    /// Whether the tags say that a resource belongs to the stack (always, for a whole account). For
    /// kinds whose details cost a call each.
    pub fn wants(&self, tags: &crate::kind::Tags) -> bool {
        match self {
            Self::Account => true,
            Self::Stack(stack) | Self::Attached(stack) => {
                tags.get(STACK_TAG) == Some(&stack.to_string())
            }
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
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The stack that it was taken for; `None` for a whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackName>,
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
            taken_at: Timestamp::UNIX_EPOCH,
            stack: None,
            resources: BTreeMap::new(),
            errors: BTreeMap::new(),
        }
    }

    /// The IAM actions that were missing when it was taken.
    pub fn denied_actions(&self) -> BTreeSet<&str> {
        let fields = self.resources.values().flatten().flat_map(|live| live.unreadable.values());
        let errors = self.errors.values().flatten().chain(fields);
        let missing = errors.filter(|error| error.is_denied() && !error.is_denied_by_resource());
        missing.map(ApiError::denied_action).collect()
    }

    /// The resources of a kind, with typed attributes.
    ///
    /// # Errors
    /// When the attributes are not those of the kind (a snapshot of another version).
    pub fn of<T: Inspected>(&self) -> Result<Vec<Live<T>>> {
        self.of_kind(T::KIND).iter().map(Live::typed).collect()
    }

    /// The resources of a kind.
    pub fn of_kind(&self, kind: &str) -> &[Live] {
        self.resources.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Adds what was collected of a kind.
    pub fn insert(&mut self, reader: impl Into<Reader>, collected: Collected) {
        let kind = reader.into().kind;
        let mut live = collected.live;
        live.sort_by(|a, b| a.id.cmp(&b.id));
        self.resources.insert(kind.into(), live);
        if !collected.errors.is_empty() {
            self.errors.insert(kind.into(), collected.errors);
        }
    }

    /// What the stack owns, by kind: what its tags say, what belongs to such a resource, and the settings of the
    /// account that name one.
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
        let parents: HashSet<String> = owned
            .iter()
            .flat_map(|one| one.live.names(&one.kind).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let mut children = Vec::new();
        for kind in kinds {
            let names_owner = match kind.traits.identity {
                Identity::Parent { parent, .. } => Some(parent),
                Identity::Setting => kind.traits.lent,
                Identity::Tags => None,
            };
            let Some(field) = names_owner else { continue };
            for live in self.of_kind(kind.name()) {
                let Some(names) = live.spec.get(field).and_then(|value| value.as_str()) else {
                    continue;
                };
                if parents.contains(names) {
                    children.push(Owned { id: None, kind: *kind, live });
                }
            }
        }
        owned.extend(children);
        owned
    }
}

/// Ids by kind: a part of an inventory.
pub type Subjects = BTreeMap<String, BTreeSet<String>>;

impl Inventory {
    /// What a stack is answerable for: what it owns, what else carries its tags, and what is attached to
    /// that, however far down. A machine that somebody put into the stack's VPC is the stack's problem.
    pub fn answerable(&self, kinds: &[Kind], readers: &[Reader], stack: &StackName) -> Subjects {
        let owner = stack.to_string();
        let mut found = Subjects::new();
        // What others may call those that are found, with their kind.
        let mut called: BTreeSet<(&str, &str)> = BTreeSet::new();
        // What those that are found attach, by kind and name.
        let mut brought: BTreeSet<(&str, &str)> = BTreeSet::new();
        let owned = self.owned(kinds, stack);
        for one in &owned {
            let kind = one.kind.name();
            found.entry(kind.into()).or_default().insert(one.live.id.clone());
            called.extend(one.live.names(&one.kind).map(|name| (kind, name)));
            brought.extend(one.kind.reader.brings(one.live));
        }
        // Attachments form short chains (VPC, load balancer, listener), so few rounds are needed.
        loop {
            let mut news: Vec<(&Reader, &Live)> = Vec::new();
            for reader in readers {
                for live in self.of_kind(reader.kind) {
                    if found.get(reader.kind).is_some_and(|ids| ids.contains(&live.id)) {
                        continue;
                    }
                    let attached = || {
                        let mut fields = reader.attached_by.iter();
                        fields.any(|(field, kind)| {
                            let mut names = named(&live.spec, field).into_iter();
                            names.any(|name| called.contains(&(*kind, name)))
                        })
                    };
                    let mut names = std::iter::once(live.id.as_str()).chain(live.arn.as_deref());
                    if live.tags.get(STACK_TAG) == Some(&owner)
                        || names.any(|name| brought.contains(&(reader.kind, name)))
                        || attached()
                    {
                        news.push((reader, live));
                    }
                }
            }
            if news.is_empty() {
                return found;
            }
            for (reader, live) in news {
                let kind = reader.kind;
                found.entry(kind.into()).or_default().insert(live.id.clone());
                called.insert((kind, &live.id));
                called.extend(live.arn.as_deref().map(|arn| (kind, arn)));
                brought.extend(reader.brings(live));
            }
        }
    }
}

impl Reader {
    /// What a resource of this kind attaches, by kind and name.
    fn brings<'a>(&self, live: &'a Live) -> impl Iterator<Item = (&'static str, &'a str)> {
        let each = self.attaches.iter();
        each.flat_map(|(field, kind)| {
            named(&live.spec, field).into_iter().map(move |name| (*kind, name))
        })
    }
}

/// The texts in a field: itself, or those of its list. The field may be a path, as in
/// [`Traits::attached_by`](crate::Traits::attached_by).
fn named<'a>(spec: &'a serde_json::Value, field: &str) -> Vec<&'a str> {
    use serde_json::Value;
    let mut values = vec![spec];
    for part in field.split('.') {
        let below = values.into_iter().flat_map(|value| match (part, value) {
            ("*", Value::Object(fields)) => fields.values().collect(),
            ("*", Value::Array(items)) => items.iter().collect(),
            _ => value.get(part).into_iter().collect::<Vec<_>>(),
        });
        values = below.collect();
    }
    let texts = values.into_iter().flat_map(|value| match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    });
    texts.filter_map(Value::as_str).collect()
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
pub async fn collect<K: Copy + Into<Reader>>(
    aws: &Aws,
    kinds: &[K],
    scope: &Scope,
    journal: &Journal,
) -> Inventory {
    let readers: Vec<Reader> = kinds.iter().map(|&kind| kind.into()).collect();
    let mut inventory = Inventory {
        stack: match scope {
            Scope::Stack(name) | Scope::Attached(name) => Some(name.clone()),
            Scope::Account => None,
        },
        taken_at: Timestamp::now(),
        ..Inventory::empty(aws.account_id(), aws.region())
    };
    read(aws, &readers, scope, &mut inventory).await;

    let give_up = Instant::now() + aws.consistency_window();
    let mut pause = Duration::from_millis(500);
    loop {
        let hidden = journal.hidden(&inventory, &readers);
        if hidden.is_empty() || Instant::now() + pause > give_up {
            let resources: usize = inventory.resources.values().map(Vec::len).sum();
            let errors = inventory.errors.len();
            tracing::info!(kinds = readers.len(), resources, errors, "read what runs");
            return inventory;
        }
        tracing::debug!(?hidden, "created moments ago and not shown yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
        read(aws, &hidden, scope, &mut inventory).await;
    }
}

/// Reads some kinds of an inventory again.
pub(crate) async fn refresh(aws: &Aws, kinds: &[Kind], scope: &Scope, inventory: &mut Inventory) {
    let readers: Vec<Reader> = kinds.iter().map(|&kind| kind.into()).collect();
    read(aws, &readers, scope, inventory).await;
}

/// Why it is not known whose some resources are: we are not allowed to read tags. They could be the stack's,
/// and to take them for strangers would make all of them again. What keeps our account out by itself is
/// none of ours.
fn of_unknown_owner(collected: &Collected) -> Vec<ApiError> {
    let unread = collected.live.iter().filter_map(|live| live.unreadable.get("tags"));
    let mut errors: Vec<ApiError> = unread
        .filter(|error| error.is_denied() && !error.is_denied_by_resource())
        .cloned()
        .collect();
    // One missing permission is one problem, however many resources it hides.
    errors.dedup();
    errors
}

async fn read(aws: &Aws, readers: &[Reader], scope: &Scope, inventory: &mut Inventory) {
    let aws = &aws.for_collection();
    let mut reads = futures::stream::iter(readers.iter().copied())
        .map(|reader| async move {
            let mut collected = (reader.collect)(aws, &scope.of(&reader)).await;
            if !matches!(scope, Scope::Account) {
                let unowned = of_unknown_owner(&collected);
                collected.errors.extend(unowned);
            }
            (reader, collected)
        })
        .buffer_unordered(CONCURRENT_KINDS);
    while let Some((reader, collected)) = reads.next().await {
        inventory.errors.remove(reader.kind);
        inventory.insert(reader, collected);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::Tags;
    use crate::permission::Allow;

    /// A kind that is only read, and says nothing but what it is attached to.
    macro_rules! kind {
        ($name:ident, $kind:literal, $attached_by:expr, $attaches:expr) => {
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            struct $name;

            impl Inspected for $name {
                const KIND: &'static str = $kind;
                const ATTACHED_BY: &'static [(&'static str, &'static str)] = $attached_by;
                const ATTACHES: &'static [(&'static str, &'static str)] = $attaches;
                const READ: &'static [Allow] = &[];

                async fn inspect(_: &Aws, _: &Scope) -> Collected<Self> {
                    Collected::default()
                }
            }
        };
    }
    kind!(Room, "toy.room", &[], &[]);
    kind!(Guest, "toy.guest", &[("stays.*.room", "toy.room")], &[]);
    kind!(Door, "toy.door", &[("rooms", "toy.room")], &[("house", "toy.house")]);
    kind!(House, "toy.house", &[], &[]);
    const READERS: &[Reader] =
        &[Reader::of::<House>(), Reader::of::<Guest>(), Reader::of::<Door>(), Reader::of::<Room>()];

    /// What a stack answers for, of a room, a guest, a door and a house with these attributes.
    fn answered(room: &Live, guest: Value, door: Value) -> Vec<String> {
        let mut inventory = Inventory::empty("123456789012", "us-east-1");
        let house = Live::new("h-1", json!({})).with_arn("arn:h-1");
        for (reader, live) in READERS.iter().zip([
            house,
            Live::new("g-1", guest),
            Live::new("d-1", door),
            room.clone(),
        ]) {
            inventory.insert(*reader, Collected::of(vec![live]));
        }
        let stack = StackName::new("student", "dev");
        inventory.answerable(&[], READERS, &stack).into_values().flatten().collect()
    }

    #[test]
    fn a_stack_answers_for_what_carries_its_tags_and_for_all_that_is_attached_to_that() {
        let tags = Tags::from([(STACK_TAG.into(), StackName::new("student", "dev").to_string())]);
        let ours = Live::new("r-1", json!({})).with_tags(tags);
        let elsewhere = json!({"stays": {}});
        let shut = json!({"rooms": ["r-9"], "house": "h-1"});
        assert_eq!(answered(&ours, elsewhere.clone(), shut.clone()), ["r-1"]);

        let below = json!({"stays": {"tonight": {"room": "r-9"}, "tomorrow": {"room": "r-1"}}});
        assert_eq!(answered(&ours, below, shut), ["g-1", "r-1"], "a field far down");

        for house in ["h-1", "arn:h-1"] {
            let door = json!({"rooms": ["r-9", "r-1"], "house": house});
            let found = answered(&ours, elsewhere.clone(), door.clone());
            assert_eq!(found, ["d-1", "h-1", "r-1"], "what a door leads to");
            let strangers = Live::new("r-1", json!({}));
            assert_eq!(answered(&strangers, elsewhere.clone(), door), Vec::<String>::new());
        }
    }

    #[test]
    fn a_name_could_be_ours_where_a_name_of_the_stack_is_in_it() {
        let scope = Scope::Stack(StackName::new("student", "dev"));
        for ours in
            ["student-x-dev", "/aws/rds/cluster/student-records-dev/log", "student-x-dev-a1b2"]
        {
            assert!(scope.may_be_ours(ours), "{ours}");
        }
        for other in ["student-dev", "dev-student-x", "student-x-prod", "students-dev", "x-dev"] {
            assert!(!scope.may_be_ours(other), "{other}");
            assert!(Scope::Account.may_be_ours(other), "{other}");
        }
    }

    fn tags_denied(message: &str) -> Collected {
        let mut live = Live::new("1", serde_json::json!({}));
        let error = ApiError {
            action: "kms:ListResourceTags".into(),
            code: "AccessDeniedException".into(),
            message: message.into(),
            status: Some(400),
        };
        live.unreadable.insert("tags".into(), error);
        Collected::of(vec![live.clone(), live])
    }

    #[test]
    fn who_may_not_read_tags_does_not_know_what_is_whose() {
        assert_eq!(of_unknown_owner(&tags_denied("")).len(), 1);
        let shut = "because no resource-based policy allows the kms:ListResourceTags action";
        assert!(of_unknown_owner(&tags_denied(shut)).is_empty(), "a stranger's key");
        assert!(of_unknown_owner(&Collected::default()).is_empty());
    }
}
