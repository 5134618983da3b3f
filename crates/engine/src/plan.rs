//! The plan: what leads from the inventory to the desired graph. A pure function.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use petgraph::algo::toposort;
use petgraph::graph::DiGraph;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diff::{self, FieldChange};
use crate::error::ApiError;
use crate::inventory::{Inventory, Owned};
use crate::kind::{Changes, Identity, Kind, Live, REVIVE, Replacement, Status};
use crate::reference::{Need, Placeholder, placeholders, substitute};
use crate::stack::{LogicalId, Node, STACK_TAG, Stack, StackName};

/// The version of a saved plan's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// What the operator has agreed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Resources that hold data may be replaced and deleted.
    pub allow_data_loss: bool,
    /// The account is an imitation of AWS that may lack services and operations: an optional kind that
    /// nothing declares and that cannot be listed counts as absent, and an attribute that the server
    /// has no operation for is left alone. On AWS itself either stops the plan.
    pub imitation: bool,
}

impl Options {
    /// The error says that an imitation of AWS has no such operation (see [`imitation`](crate::imitation)).
    fn forgives(self, error: &ApiError) -> bool {
        self.imitation && error.is_not_implemented()
    }
}

/// What is to be done, resource by resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`SCHEMA_VERSION`] when it was made.
    pub schema_version: u32,
    /// The stack.
    pub stack: StackName,
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// What is to be done, sorted by logical id. Resources that are as they should be are not listed.
    pub actions: Vec<Action>,
    /// What stays although the stack does not want it any more.
    pub kept: Vec<Kept>,
    /// Why this plan must not be carried out. Empty for a good plan.
    pub problems: Vec<Problem>,
    /// How many resources are as they should be.
    pub unchanged: usize,
}

/// What is to be done with one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its name within the stack.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: String,
    /// What AWS calls it, where it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_id: Option<String>,
    /// What is to be done.
    #[serde(flatten)]
    pub change: Change,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Change {
    /// Make it. `spec` may hold placeholders for what is known only later.
    Create {
        /// Its attributes.
        spec: Value,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Change it in place.
    Update {
        /// The fields.
        changes: Changes,
    },
    /// Make another one in its place.
    Replace {
        /// The fields that differ.
        changes: Changes,
        /// Those of them that AWS cannot change in place; or, for a resource that failed, its status.
        because: Vec<String>,
    },
    /// Remove it.
    Delete {
        /// Why.
        why: String,
    },
    /// It is as it should be, but not ready yet: an earlier run stopped before it was.
    Wait {
        /// AWS's status word.
        status: String,
    },
}

/// Something that the stack owns, does not want, and still leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name within the stack.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: String,
    /// What AWS calls it.
    pub live_id: String,
    /// Why it stays.
    pub why: String,
}

/// Why a plan must not be carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// A logical id was declared twice.
    #[error("{resource} is declared twice")]
    Duplicate {
        /// The logical id.
        resource: LogicalId,
    },
    /// A reference leads nowhere.
    #[error("{resource} refers to {missing}, which nothing declares")]
    Dangling {
        /// Who refers.
        resource: LogicalId,
        /// To what.
        missing: LogicalId,
    },
    /// Resources need each other to exist first.
    #[error("{resource} needs itself to exist first")]
    Cycle {
        /// One resource of the cycle.
        resource: LogicalId,
    },
    /// A call failed that had to be answered to know what exists.
    #[error("cannot tell which {kind} exist: {error}")]
    Unreadable {
        /// The kind.
        kind: String,
        /// The call and its error.
        error: ApiError,
    },
    /// An attribute could not be read.
    #[error("cannot tell whether {field} of {resource} is right: {error}")]
    UnreadableField {
        /// The resource.
        resource: LogicalId,
        /// The field.
        field: String,
        /// The call and its error.
        error: ApiError,
    },
    /// The name belongs to somebody else.
    #[error(
        "{resource} cannot be called {name}: a {kind} of that name exists ({live_id}) and does not belong to this stack"
    )]
    Conflict {
        /// The resource.
        resource: LogicalId,
        /// Its kind.
        kind: String,
        /// The name.
        name: String,
        /// The stranger.
        live_id: String,
    },
    /// There can be one, and it is somebody else's.
    #[error(
        "{resource} cannot be made: an account and region have one {kind} at most, and {live_id} does not belong to this stack; leave it out of the configuration, or remove that one"
    )]
    Taken {
        /// The resource.
        resource: LogicalId,
        /// Its kind.
        kind: String,
        /// The stranger.
        live_id: String,
    },
    /// Data would be lost.
    #[error("data would be lost: {resource} ({live_id}) would be {how}: {why}")]
    DataLoss {
        /// The resource.
        resource: LogicalId,
        /// What AWS calls it.
        live_id: String,
        /// `replaced` or `deleted`.
        how: String,
        /// Why.
        why: String,
    },
}

impl Plan {
    /// Whether there is nothing to do and nothing wrong.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.problems.is_empty()
    }

    /// What is to be done with a resource.
    pub fn action(&self, resource: &LogicalId) -> Option<&Action> {
        self.actions.iter().find(|action| &action.resource == resource)
    }

    /// What is to be done, a line for each resource, and what is wrong, a line for each problem.
    pub fn lines(&self) -> Vec<String> {
        let action = |action: &Action| {
            let fields = match &action.change {
                Change::Update { changes } => {
                    let change =
                        |one: &FieldChange| format!("{}: {} to {}", one.path, one.old, one.new);
                    format!(" ({})", changes.0.iter().map(change).collect::<Vec<_>>().join(", "))
                }
                _ => String::new(),
            };
            format!("{}: {}{fields}", action.resource, action.change)
        };
        let problems = self.problems.iter().map(ToString::to_string);
        self.actions.iter().map(action).chain(problems).collect()
    }

    /// How this plan differs from an earlier one for the same stack: a line for each resource whose
    /// action is not the same. Empty when carrying out this plan is carrying out that one.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if (&self.account_id, &self.region) != (&earlier.account_id, &earlier.region) {
            lines.push(format!(
                "the plan was made for account {} in {}, this is account {} in {}",
                earlier.account_id, earlier.region, self.account_id, self.region
            ));
        }
        if self.stack != earlier.stack {
            lines.push(format!(
                "the plan was made for stack {}, this is {}",
                earlier.stack, self.stack
            ));
        }
        let key = |action: &Action| (action.resource.clone(), action.live_id.clone());
        let now: BTreeMap<_, _> = self.actions.iter().map(|a| (key(a), a)).collect();
        let then: BTreeMap<_, _> = earlier.actions.iter().map(|a| (key(a), a)).collect();
        for key in now.keys().chain(then.keys().filter(|key| !now.contains_key(*key))) {
            let resource = &key.0;
            match (then.get(key), now.get(key)) {
                (Some(old), Some(new)) if old.change != new.change => {
                    let (old, new) = (&old.change, &new.change);
                    let detail = changed_fields(old, new);
                    lines.push(format!("{resource}: was to {old}, now would {new}{detail}"));
                }
                (Some(old), None) => {
                    lines.push(format!("{resource}: was to {}, now is not", old.change))
                }
                (None, Some(new)) => {
                    lines.push(format!("{resource}: was not in the plan, now would {}", new.change))
                }
                _ => {}
            }
        }
        lines
    }
}

fn changed_fields(old: &Change, new: &Change) -> String {
    let paths = |change: &Change| -> BTreeMap<String, String> {
        match change {
            Change::Update { changes } | Change::Replace { changes, .. } => changes
                .0
                .iter()
                .map(|c| (c.path.clone(), format!("{} to {}", c.old, c.new)))
                .collect(),
            Change::Create { spec, .. } => spec
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.to_string()))
                .collect(),
            _ => BTreeMap::new(),
        }
    };
    let (old, new) = (paths(old), paths(new));
    let differing: Vec<&str> = old
        .keys()
        .chain(new.keys().filter(|key| !old.contains_key(*key)))
        .filter(|key| old.get(*key) != new.get(*key))
        .map(String::as_str)
        .collect();
    if differing.is_empty() { String::new() } else { format!(" ({})", differing.join(", ")) }
}

/// The verb: `create`, `update`…
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Replace { .. } => "replace",
            Self::Delete { .. } => "delete",
            Self::Wait { .. } => "wait",
        })
    }
}

/// Which live resource each node is, and which live resources the stack owns beside those.
pub(crate) struct Matched<'a> {
    pub(crate) of: BTreeMap<LogicalId, &'a Live>,
    pub(crate) others: Vec<Owned<'a>>,
    /// Nodes in an order in which everything needed for creation comes first.
    pub(crate) order: Vec<&'a Node>,
}

/// What leads from `inventory` to `stack`. `kinds` are all kinds that the stack has, or ever had.
pub fn plan(stack: &Stack, inventory: &Inventory, kinds: &[Kind], options: Options) -> Plan {
    let mut plan = Plan {
        schema_version: SCHEMA_VERSION,
        stack: stack.name().clone(),
        account_id: inventory.account_id.clone(),
        region: inventory.region.clone(),
        actions: Vec::new(),
        kept: Vec::new(),
        problems: faults(stack),
        unchanged: 0,
    };
    plan.problems.extend(unreadable(stack, inventory, kinds, options));
    let Some(order) = creation_order(stack) else {
        plan.problems.extend(cycle(stack));
        return plan;
    };
    let matched = match_live(stack, order, inventory, kinds);

    // Pass one: what must be replaced, in creation order, because a replacement makes references
    // to it unknown, and an immutable field that is unknown forces a replacement in turn.
    let mut unknown: BTreeSet<LogicalId> = BTreeSet::new();
    let mut replaced: BTreeMap<LogicalId, Vec<String>> = BTreeMap::new();
    for node in &matched.order {
        let Some(live) = matched.of.get(&node.id) else {
            unknown.insert(node.id.clone());
            continue;
        };
        let desired = resolve(&node.spec, &matched.of, &unknown);
        let because: Vec<String> = match &live.status {
            Status::Failed(why) => vec![format!("status: {why}")],
            // What could not be read is no reason: AWS may show it once the resource is made.
            _ => diff::attributes(&node.kind, &live.spec, &desired)
                .into_iter()
                .filter(|change| !live.unreadable.contains_key(change.field()))
                .filter(|change| node.kind.is_fixed(change))
                .map(|change| change.path)
                .collect(),
        };
        if !because.is_empty() {
            unknown.insert(node.id.clone());
            replaced.insert(node.id.clone(), because);
        }
    }

    // What must go before its successor comes cannot be replaced under data that rests on it.
    if !options.allow_data_loss && !replaced.is_empty() {
        let owned = inventory.owned(kinds, stack.name());
        for (at, why) in rests_data(&owned) {
            let one = &owned[at];
            let Some(id) = one.id.clone().filter(|id| replaced.contains_key(id)) else { continue };
            if !one.kind.traits.protected && !create_first(&one.kind) {
                plan.problems.push(Problem::DataLoss {
                    live_id: one.live.id.clone(),
                    how: "replaced".into(),
                    why: format!("{} cannot change in place, and {why}", replaced[&id].join(", ")),
                    resource: id,
                });
            }
        }
    }

    // Pass two: all fields.
    let strangers = Strangers::of(&matched.order, inventory, &stack.name().to_string());
    for node in &matched.order {
        let desired = resolve(&node.spec, &matched.of, &unknown);
        let action = |live: Option<&Live>, change| Action {
            resource: node.id.clone(),
            kind: node.kind.name().into(),
            live_id: live.map(|live| live.id.clone()),
            change,
        };
        let Some(live) = matched.of.get(&node.id).copied() else {
            plan.problems.extend(strangers.conflict(node, &desired));
            let tags = if node.kind.traits.identity == Identity::Tags {
                node.tags.clone()
            } else {
                BTreeMap::new()
            };
            plan.actions.push(action(None, Change::Create { spec: desired, tags }));
            continue;
        };
        let changes = differences(node, live, &desired);
        for (field, error) in &live.unreadable {
            // What is never compared need not be known, and what was not asked for is not missed.
            let needed = !node.kind.traits.write_only.contains(&field.as_str());
            let missed = !options.forgives(error);
            if !needed || !missed || error.is_not_asked() {
                continue;
            }
            plan.problems.push(Problem::UnreadableField {
                resource: node.id.clone(),
                field: field.clone(),
                error: error.clone(),
            });
        }
        if let Some(because) = replaced.remove(&node.id) {
            if node.kind.traits.protected && !options.allow_data_loss {
                plan.problems.push(Problem::DataLoss {
                    resource: node.id.clone(),
                    live_id: live.id.clone(),
                    how: "replaced".into(),
                    why: format!("{} cannot change in place", because.join(", ")),
                });
            }
            plan.actions
                .push(action(Some(live), Change::Replace { changes: Changes(changes), because }));
        } else if !changes.is_empty() {
            plan.actions.push(action(Some(live), Change::Update { changes: Changes(changes) }));
        } else if let Status::Pending(status) = &live.status {
            plan.actions.push(action(Some(live), Change::Wait { status: status.clone() }));
        } else {
            plan.unchanged += 1;
        }
    }

    for owned in &matched.others {
        let resource = owned
            .id
            .clone()
            .unwrap_or_else(|| LogicalId::new(format!("{}/{}", owned.kind.name(), owned.live.id)));
        let superseded = owned.id.as_ref().is_some_and(|id| matched.of.contains_key(id));
        let why = if superseded { "superseded" } else { "no longer declared" };
        // What is going already is past protecting: it is only waited for.
        let going = owned.live.status == Status::Deleting;
        if owned.kind.traits.protected && !options.allow_data_loss && !going {
            plan.problems.push(Problem::DataLoss {
                resource,
                live_id: owned.live.id.clone(),
                how: "deleted".into(),
                why: why.into(),
            });
        } else {
            plan.actions.push(delete(resource, owned, why));
        }
    }
    plan.actions.sort_by(|a, b| (&a.resource, &a.live_id).cmp(&(&b.resource, &b.live_id)));
    plan
}

/// Which live resource each resource of the stack is. What does not exist is not listed.
pub fn live_of(stack: &Stack, inventory: &Inventory, kinds: &[Kind]) -> BTreeMap<LogicalId, Live> {
    let matched = matched(stack, inventory, kinds).map(|matched| matched.of).unwrap_or_default();
    matched.into_iter().map(|(id, live)| (id, live.clone())).collect()
}

/// The inventory that carrying the plan out would lead to, for judging a plan before the first call.
///
/// What does not exist yet is called by its placeholder, and so is it referred to, so that references
/// between new resources can be followed. What AWS would add on its own is not in it.
pub fn foresee(stack: &Stack, inventory: &Inventory, kinds: &[Kind], plan: &Plan) -> Inventory {
    let mut foreseen = inventory.clone();
    let gone: BTreeSet<(&str, &str)> = plan
        .actions
        .iter()
        .filter(|action| matches!(action.change, Change::Delete { .. } | Change::Replace { .. }))
        .filter_map(|action| Some((action.kind.as_str(), action.live_id.as_deref()?)))
        .collect();
    for (kind, live) in &mut foreseen.resources {
        live.retain(|live| !gone.contains(&(kind.as_str(), live.id.as_str())));
    }
    let Some(matched) = matched(stack, inventory, kinds) else { return foreseen };
    let made: BTreeSet<&LogicalId> = plan
        .actions
        .iter()
        .filter(|action| matches!(action.change, Change::Create { .. } | Change::Replace { .. }))
        .map(|action| &action.resource)
        .collect();
    let made = |id: &LogicalId| made.contains(id);
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (kind, live) in &foreseen.resources {
        let ids = live.iter().enumerate();
        places.extend(ids.map(|(at, live)| ((kind.clone(), live.id.clone()), at)));
    }
    let created =
        |placeholder: &Placeholder| Placeholder { need: Need::Created, ..placeholder.clone() };
    // What others refer to by an output that AWS is yet to give is found by the placeholder.
    let mut outputs: BTreeMap<LogicalId, BTreeMap<String, String>> = BTreeMap::new();
    for placeholder in matched.order.iter().flat_map(|node| placeholders(&node.spec)) {
        if !matches!(placeholder.output.as_str(), "id" | "arn") {
            let text = created(&placeholder).to_string();
            outputs.entry(placeholder.id).or_default().insert(placeholder.output, text);
        }
    }
    for node in &matched.order {
        let spec = substitute(&node.spec, &mut |placeholder| {
            let known = matched.of.get(&placeholder.id).filter(|_| !made(&placeholder.id));
            let known = known.and_then(|live| live.output(&placeholder.output));
            Some(known.map_or_else(|| created(placeholder).to_string(), str::to_owned))
        });
        let all = foreseen.resources.entry(node.kind.name().into()).or_default();
        let existing = matched.of.get(&node.id).filter(|_| !made(&node.id));
        let place = existing
            .and_then(|live| places.get(&(node.kind.name().to_owned(), live.id.clone())).copied());
        match place.and_then(|at| all.get_mut(at)) {
            Some(live) => {
                live.spec = spec;
                live.status = Status::Ready;
                live.tags.extend(node.tags.clone());
            }
            None => {
                let output = |name: &str| {
                    Placeholder { id: node.id.clone(), output: name.into(), need: Need::Created }
                        .to_string()
                };
                let mut live = Live::new(output("id"), spec)
                    .with_arn(output("arn"))
                    .with_tags(node.tags.clone());
                live.outputs = outputs.remove(&node.id).unwrap_or_default();
                all.push(live);
            }
        }
    }
    foreseen
}

/// What leads to nothing: the removal of all that the stack owns. What holds data stays without the
/// operator's word, and so does what that rests on.
pub fn destroy(name: &StackName, inventory: &Inventory, kinds: &[Kind], options: Options) -> Plan {
    let mut plan = Plan {
        schema_version: SCHEMA_VERSION,
        stack: name.clone(),
        account_id: inventory.account_id.clone(),
        region: inventory.region.clone(),
        actions: Vec::new(),
        kept: Vec::new(),
        problems: unreadable(&Stack::new(name.clone(), BTreeMap::new()), inventory, kinds, options),
        unchanged: 0,
    };
    let owned: Vec<Owned<'_>> = inventory
        .owned(kinds, name)
        .into_iter()
        .filter(|one| one.live.status != Status::Deleting || !one.kind.traits.revivable)
        .collect();

    // What goes need not be read, except for whether it is going already: what stays visible for days would be deleted
    // again and again.
    for one in owned.iter().filter(|one| one.kind.traits.revivable) {
        if let Some(error) = one.live.unreadable.get("status")
            && !options.forgives(error)
        {
            plan.problems.push(Problem::UnreadableField {
                resource: label(one),
                field: "status".into(),
                error: error.clone(),
            });
        }
    }

    let why_kept = if options.allow_data_loss { BTreeMap::new() } else { rests_data(&owned) };
    for (at, one) in owned.iter().enumerate() {
        match why_kept.get(&at) {
            Some(why) => plan.kept.push(Kept {
                resource: label(one),
                kind: one.kind.name().into(),
                live_id: one.live.id.clone(),
                why: why.clone(),
            }),
            None => plan.actions.push(delete(label(one), one, "the stack is destroyed")),
        }
    }
    plan.actions.sort_by(|a, b| (&a.resource, &a.live_id).cmp(&(&b.resource, &b.live_id)));
    plan.kept.sort_by(|a, b| a.resource.cmp(&b.resource));
    plan
}

/// What holds data, and transitively what that refers to, with why each matters.
fn rests_data(owned: &[Owned<'_>]) -> BTreeMap<usize, String> {
    let names = Names::new(owned.iter().map(|one| (one.live, &one.kind)));
    let mut why: BTreeMap<usize, String> = BTreeMap::new();
    let mut next: Vec<usize> = (0..owned.len())
        .filter(|&at| owned[at].kind.traits.protected)
        .inspect(|&at| {
            why.insert(at, "it holds data".into());
        })
        .collect();
    while let Some(at) = next.pop() {
        let mentions = names.mentioned_by(owned[at].live, &owned[at].kind);
        for used in mentions.into_iter().flat_map(|(_, used)| used) {
            if used != at && !why.contains_key(&used) {
                why.insert(used, format!("{} rests on it", label(&owned[at])));
                next.push(used);
            }
        }
    }
    why
}

fn label(owned: &Owned<'_>) -> LogicalId {
    owned
        .id
        .clone()
        .unwrap_or_else(|| LogicalId::new(format!("{}/{}", owned.kind.name(), owned.live.id)))
}

fn delete(resource: LogicalId, owned: &Owned<'_>, why: &str) -> Action {
    Action {
        resource,
        kind: owned.kind.name().into(),
        live_id: Some(owned.live.id.clone()),
        change: Change::Delete { why: why.into() },
    }
}

/// All that differs between a node and its live resource: revival, attributes, tags.
fn differences(node: &Node, live: &Live, desired: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    if live.status == Status::Deleting && node.kind.traits.revivable {
        changes.push(FieldChange { path: REVIVE.into(), old: true.into(), new: false.into() });
    }
    changes.extend(
        diff::attributes(&node.kind, &live.spec, desired)
            .into_iter()
            .filter(|change| !live.unreadable.contains_key(change.field())),
    );
    if node.kind.traits.identity == Identity::Tags {
        changes.extend(diff::tags(&live.tags, &node.tags));
    }
    changes
}

/// `spec` with the outputs of live resources in it. References to resources in `unknown` stay.
pub(crate) fn resolve(
    spec: &Value,
    live: &BTreeMap<LogicalId, &Live>,
    unknown: &BTreeSet<LogicalId>,
) -> Value {
    substitute(spec, &mut |placeholder: &Placeholder| {
        if unknown.contains(&placeholder.id) {
            return None;
        }
        live.get(&placeholder.id)?.output(&placeholder.output).map(str::to_owned)
    })
}

fn faults(stack: &Stack) -> Vec<Problem> {
    let mut problems: Vec<Problem> = stack
        .duplicates()
        .iter()
        .map(|resource| Problem::Duplicate { resource: resource.clone() })
        .collect();
    for node in stack.nodes() {
        let missing: BTreeSet<LogicalId> = placeholders(&node.spec)
            .into_iter()
            .chain(node.after.iter().cloned())
            .map(|placeholder| placeholder.id)
            .filter(|id| stack.node(id).is_none())
            .collect();
        problems.extend(
            missing
                .into_iter()
                .map(|missing| Problem::Dangling { resource: node.id.clone(), missing }),
        );
    }
    problems
}

/// The calls that failed and had to be answered to know what exists, as far as it matters to the stack.
pub fn unreadable(
    stack: &Stack,
    inventory: &Inventory,
    kinds: &[Kind],
    options: Options,
) -> Vec<Problem> {
    let matters = |kind: &&Kind| {
        let missing_is_fine = kind.traits.optional && options.imitation;
        !missing_is_fine || stack.nodes().any(|node| node.kind.name() == kind.name())
    };
    let errors_of = |kind: &Kind| inventory.errors.get(kind.name()).cloned().unwrap_or_default();
    kinds
        .iter()
        .filter(matters)
        .flat_map(|kind| {
            let unread = |error| Problem::Unreadable { kind: kind.name().into(), error };
            errors_of(kind).into_iter().map(unread)
        })
        .collect()
}

/// The nodes with what each needs first before it; `None` if that is impossible.
fn creation_order(stack: &Stack) -> Option<Vec<&Node>> {
    let (graph, nodes) = creation_graph(stack);
    let order = toposort(&graph, None).ok()?;
    Some(order.into_iter().map(|index| nodes[index.index()]).collect())
}

fn cycle(stack: &Stack) -> Option<Problem> {
    let (graph, nodes) = creation_graph(stack);
    let at = toposort(&graph, None).err()?.node_id();
    Some(Problem::Cycle { resource: nodes[at.index()].id.clone() })
}

fn creation_graph(stack: &Stack) -> (DiGraph<(), ()>, Vec<&Node>) {
    let nodes: Vec<&Node> = stack.nodes().collect();
    let mut graph = DiGraph::new();
    let index: BTreeMap<&LogicalId, _> =
        nodes.iter().map(|node| (&node.id, graph.add_node(()))).collect();
    for node in &nodes {
        for need in node.create_needs() {
            if let Some(first) = index.get(&need.id) {
                // Twice the same edge does no harm; looking for it would, where thousands refer to one.
                graph.add_edge(*first, index[&node.id], ());
            }
        }
    }
    (graph, nodes)
}

pub(crate) fn matched<'a>(
    stack: &'a Stack,
    inventory: &'a Inventory,
    kinds: &'a [Kind],
) -> Option<Matched<'a>> {
    Some(match_live(stack, creation_order(stack)?, inventory, kinds))
}

fn match_live<'a>(
    stack: &'a Stack,
    order: Vec<&'a Node>,
    inventory: &'a Inventory,
    kinds: &'a [Kind],
) -> Matched<'a> {
    let mut others = inventory.owned(kinds, stack.name());
    let mut by_id: BTreeMap<LogicalId, Vec<&'a Live>> = BTreeMap::new();
    for owned in &others {
        if let Some(id) = &owned.id
            && stack.node(id).is_some_and(|node| node.kind.name() == owned.kind.name())
        {
            by_id.entry(id.clone()).or_default().push(owned.live);
        }
    }
    let siblings = Siblings::of(&order, inventory);
    let mut of: BTreeMap<LogicalId, &'a Live> = BTreeMap::new();
    for node in &order {
        let desired = resolve(&node.spec, &of, &BTreeSet::new());
        let found = match node.kind.traits.identity {
            Identity::Tags => by_id
                .get(&node.id)
                .into_iter()
                .flatten()
                .filter(|live| live.status != Status::Deleting || node.kind.traits.revivable)
                .copied()
                // As a rule there is one, and nothing to compare.
                .min_by(|a, b| fitness(node, a, &desired).cmp(&fitness(node, b, &desired))),
            Identity::Parent { key, .. } => siblings.find(node.kind.name(), key, &desired),
            Identity::Setting => inventory.of_kind(node.kind.name()).first(),
        };
        if let Some(live) = found {
            of.insert(node.id.clone(), live);
        }
    }
    let taken: BTreeSet<(&str, &str)> = order
        .iter()
        .filter_map(|node| of.get(&node.id).map(|live| (node.kind.name(), live.id.as_str())))
        .collect();
    others.retain(|owned| {
        let going = owned.kind.traits.revivable && owned.live.status == Status::Deleting;
        !going && !taken.contains(&(owned.kind.name(), owned.live.id.as_str()))
    });
    Matched { of, others, order }
}

/// Live resources that are told from their siblings by some fields, by kind and those fields.
struct Siblings<'a>(HashMap<(&'static str, String), &'a Live>);

impl<'a> Siblings<'a> {
    fn of(nodes: &[&Node], inventory: &'a Inventory) -> Self {
        let kinds: BTreeMap<&'static str, &'static [&'static str]> = nodes
            .iter()
            .filter_map(|node| match node.kind.traits.identity {
                Identity::Parent { key, .. } => Some((node.kind.name(), key)),
                _ => None,
            })
            .collect();
        let mut siblings = HashMap::new();
        for (kind, key) in kinds {
            for live in inventory.of_kind(kind) {
                if live.status != Status::Deleting {
                    siblings.entry((kind, Self::told_by(key, &live.spec))).or_insert(live);
                }
            }
        }
        Self(siblings)
    }

    fn told_by(key: &[&str], spec: &Value) -> String {
        let values: Vec<&Value> =
            key.iter().map(|field| spec.get(*field).unwrap_or(&Value::Null)).collect();
        serde_json::to_string(&values).unwrap_or_default()
    }

    fn find(&self, kind: &'static str, key: &[&str], desired: &Value) -> Option<&'a Live> {
        self.0.get(&(kind, Self::told_by(key, desired))).copied()
    }
}

/// Which of several live resources with the same logical id is the one: it is there to stay, it needs
/// no replacement, it needs the fewest changes; the id decides what is left.
fn fitness<'a>(
    node: &Node,
    live: &'a Live,
    desired: &Value,
) -> (bool, bool, usize, usize, &'a str) {
    let changes = diff::attributes(&node.kind, &live.spec, desired);
    let immutable = changes.iter().filter(|change| node.kind.is_fixed(change)).count();
    let deleting = live.status == Status::Deleting;
    let failed = matches!(live.status, Status::Failed(_));
    (deleting, failed, immutable, changes.len(), &live.id)
}

/// Live resources that do not belong to the stack and have what can be had once.
struct Strangers<'a>(HashMap<(&'static str, Option<Name<'a>>), &'a Live>);

/// A name, and what it is unique in, where that is not account and region.
type Name<'a> = (&'a str, Option<&'a str>);

/// The name of a resource of a kind, from its attributes.
fn name_of<'a>(kind: &Kind, spec: &'a Value) -> Option<Name<'a>> {
    let text = |field: &str| spec.get(field).and_then(Value::as_str);
    Some((text(kind.traits.name?)?, kind.traits.name_within.and_then(text)))
}

impl<'a> Strangers<'a> {
    fn of(nodes: &[&Node], inventory: &'a Inventory, owner: &str) -> Self {
        let kinds: BTreeMap<&'static str, Kind> =
            nodes.iter().map(|node| (node.kind.name(), node.kind)).collect();
        let mut strangers = HashMap::new();
        for (name, kind) in kinds {
            let is_stranger = |live: &&Live| {
                let ours = live.tags.get(STACK_TAG).map(String::as_str) == Some(owner);
                !ours && live.status != Status::Deleting
            };
            for live in inventory.of_kind(name).iter().filter(is_stranger) {
                let called = name_of(&kind, &live.spec);
                if called.is_some() || kind.traits.single {
                    strangers.entry((name, called)).or_insert(live);
                }
            }
        }
        Self(strangers)
    }

    fn conflict(&self, node: &Node, desired: &Value) -> Option<Problem> {
        let name = name_of(&node.kind, desired);
        let stranger = self.0.get(&(node.kind.name(), name))?;
        let (resource, kind) = (node.id.clone(), node.kind.name().into());
        let live_id = stranger.id.clone();
        Some(match name {
            Some((name, _)) => Problem::Conflict { resource, kind, name: name.into(), live_id },
            None => Problem::Taken { resource, kind, live_id },
        })
    }
}

/// Finds live resources by the names that texts call them.
pub(crate) struct Names<'a> {
    /// By id, ARN or alias. `None` where several are called the same: such a text names neither. (A
    /// deletion that comes too early for it is refused by AWS as "in use", and tried again.)
    exact: HashMap<&'a str, Option<usize>>,
    arns: HashMap<&'a str, Vec<usize>>,
    /// The length of the longest ARN.
    longest: usize,
}

impl<'a> Names<'a> {
    pub(crate) fn new(live: impl Iterator<Item = (&'a Live, &'a Kind)>) -> Self {
        let mut names = Self { exact: HashMap::new(), arns: HashMap::new(), longest: 0 };
        for (at, (live, kind)) in live.enumerate() {
            for name in live.names(kind) {
                names.call(name, at);
            }
            if let Some(arn) = live.arn.as_deref() {
                names.arns.entry(arn).or_default().push(at);
                names.longest = names.longest.max(arn.len());
            }
        }
        names
    }

    fn call(&mut self, text: &'a str, at: usize) {
        self.exact
            .entry(text)
            .and_modify(|known| {
                if *known != Some(at) {
                    *known = None;
                }
            })
            .or_insert(Some(at));
    }

    /// The resources that a live resource of a kind mentions, by the field that does: by id, ARN or
    /// alias, or by ARN within a longer text. What it calls itself is no mention.
    pub(crate) fn mentioned_by(&self, live: &Live, kind: &Kind) -> Vec<(String, BTreeSet<usize>)> {
        let fields = live.spec.as_object().into_iter().flatten();
        fields
            .filter(|(field, _)| kind.traits.name != Some(field.as_str()))
            .map(|(field, value)| {
                let mut found = BTreeSet::new();
                self.visit(value, &mut found);
                (field.clone(), found)
            })
            .collect()
    }

    fn visit(&self, value: &Value, found: &mut BTreeSet<usize>) {
        match value {
            Value::String(text) => {
                if let Some(at) = self.exact.get(text.as_str()) {
                    found.extend(at);
                } else {
                    found.extend(self.within(text));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.visit(item, found)),
            Value::Object(fields) => fields.values().for_each(|item| self.visit(item, found)),
            _ => {}
        }
    }

    /// The resources whose ARNs stand in a longer text: from each `arn:` on, what goes up to a character
    /// that ends a name is looked up, so that a text costs as much as it is long, however many
    /// resources there are.
    fn within(&self, text: &str) -> impl Iterator<Item = usize> {
        let ends_a_name = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
        text.match_indices("arn:").flat_map(move |(start, _)| {
            let rest = &text[start..];
            let ends = rest.char_indices().filter(move |(_, c)| ends_a_name(*c)).map(|(at, _)| at);
            ends.chain([rest.len()])
                .take_while(|end| *end <= self.longest)
                .filter_map(|end| self.arns.get(&rest[..end]))
                .flatten()
                .copied()
        })
    }
}

/// Whether the successor is made before the predecessor goes.
pub(crate) fn create_first(kind: &Kind) -> bool {
    kind.traits.replacement == Replacement::CreateFirst
}
