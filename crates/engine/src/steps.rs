//! A plan as a graph of steps: what can start when. Order comes from data flow and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::DiGraph;
use serde_json::Value;

use crate::inventory::Inventory;
use crate::kind::{Changes, Kind, Live, REVIVE, Status, Traits};
use crate::plan::{Change, Names, Plan, create_first, matched};
use crate::reference::{Need, Placeholder, placeholders};
use crate::stack::{LogicalId, Node, Stack};

/// The place of a step in [`Steps::all`].
pub type StepId = usize;

/// One call (or a few that belong together), and what must be done before.
#[derive(Debug, Clone)]
pub struct Step {
    /// The resource.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: Kind,
    /// What to do.
    pub what: What,
    /// The resource that it is done to, where that exists before the run.
    pub live: Option<Live>,
    /// The steps that must be done before.
    pub after: BTreeSet<StepId>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The create call.
    Create {
        /// Its predecessor still exists: it needs a name of its own.
        beside: bool,
    },
    /// Taking a scheduled deletion back. Those who refer to the resource wait for it as for a creation.
    Revive,
    /// Setting what the create call does not take.
    Configure,
    /// Changing an existing resource.
    Update,
    /// Waiting until it works.
    Ready,
    /// Letting go of others before deletion.
    Detach,
    /// The delete call, and waiting until it is gone.
    Delete,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create { .. } => "create",
            Self::Revive => "revive",
            Self::Configure => "configure",
            Self::Update => "update",
            Self::Ready => "wait for",
            Self::Detach => "detach",
            Self::Delete => "delete",
        })
    }
}

/// All steps of a plan.
#[derive(Debug, Clone)]
pub struct Steps {
    /// The steps. Their places are their ids.
    pub all: Vec<Step>,
    /// The live resources that are there to stay, by logical id: what references resolve to from the
    /// start.
    pub live: BTreeMap<LogicalId, Live>,
    /// How long the longest chain of steps behind each step is. What has the longest way to go
    /// starts first.
    pub depth: Vec<usize>,
}

/// The steps need each other: nothing can start. A fault of a layer, not of the operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} of {} has to happen before itself", .what, .resource)]
pub struct Circular {
    /// The resource.
    pub resource: LogicalId,
    /// What is to be done with it.
    pub what: What,
}

impl Steps {
    /// The steps of a plan that has no problems, made from the same stack and inventory. For a plan
    /// that destroys, the stack is an empty one of that name.
    ///
    /// # Errors
    /// When steps need each other.
    pub fn of(
        plan: &Plan,
        stack: &Stack,
        inventory: &Inventory,
        kinds: &[Kind],
    ) -> Result<Self, Circular> {
        let mut builder = Builder::new(plan, stack, inventory, kinds);
        builder.act();
        builder.depend();
        builder.finish()
    }
}

struct Builder<'a> {
    plan: &'a Plan,
    stack: &'a Stack,
    kinds: BTreeMap<&'static str, Kind>,
    /// What the inventory shows, by kind and id.
    shown: HashMap<(&'a str, &'a str), &'a Live>,
    live: BTreeMap<LogicalId, Live>,
    all: Vec<Step>,
    /// The steps that make a node what it should be, by node.
    create: BTreeMap<LogicalId, StepId>,
    shape: BTreeMap<LogicalId, StepId>,
    ready: BTreeMap<LogicalId, StepId>,
    going: Vec<Going>,
    /// What is better done in this order (the later step, the first one), where data flow leaves the choice.
    better: Vec<(StepId, StepId)>,
}

/// A resource that goes.
struct Going {
    live: Live,
    kind: Kind,
    detach: StepId,
    delete: StepId,
    /// Its successor can only be made once it is gone: those who refer to it cannot move over before.
    makes_room: bool,
}

impl<'a> Builder<'a> {
    fn new(plan: &'a Plan, stack: &'a Stack, inventory: &'a Inventory, kinds: &'a [Kind]) -> Self {
        let live = matched(stack, inventory, kinds)
            .map(|matched| matched.of.into_iter().map(|(id, live)| (id, live.clone())).collect())
            .unwrap_or_default();
        Self {
            plan,
            stack,
            kinds: kinds.iter().map(|kind| (kind.name(), *kind)).collect(),
            shown: inventory
                .resources
                .iter()
                .flat_map(|(kind, live)| {
                    live.iter().map(|live| ((kind.as_str(), live.id.as_str()), live))
                })
                .collect(),
            live,
            all: Vec::new(),
            create: BTreeMap::new(),
            shape: BTreeMap::new(),
            ready: BTreeMap::new(),
            going: Vec::new(),
            better: Vec::new(),
        }
    }

    fn push(&mut self, resource: &LogicalId, kind: Kind, what: What, live: Option<Live>) -> StepId {
        self.all.push(Step {
            resource: resource.clone(),
            kind,
            what,
            live,
            after: BTreeSet::new(),
        });
        self.all.len() - 1
    }

    fn find_live(&self, kind: &str, id: Option<&String>) -> Option<Live> {
        self.shown.get(&(kind, id?.as_str())).map(|live| (*live).clone())
    }

    fn act(&mut self) {
        for action in &self.plan.actions {
            let Some(kind) = self.kinds.get(action.kind.as_str()).copied() else { continue };
            let live = self.find_live(&action.kind, action.live_id.as_ref());
            match &action.change {
                Change::Create { .. } => self.make(&action.resource, kind, false),
                Change::Update { changes } => self.change(&action.resource, kind, live, changes),
                Change::Wait { .. } => self.wait(&action.resource, kind),
                Change::Delete { .. } => {
                    if let Some(live) = live {
                        // One that an earlier run has begun to delete makes room for what is made anew.
                        let create = self.create.get(&action.resource).copied();
                        let create = create.filter(|&step| {
                            let step = &self.all[step];
                            step.what == What::Create { beside: false }
                                && step.kind.name() == kind.name()
                        });
                        let delete = self.remove(&action.resource, kind, live, create.is_some());
                        if let Some(create) = create {
                            self.all[create].after.insert(delete);
                        }
                    }
                }
                Change::Replace { .. } => {
                    self.live.remove(&action.resource);
                    let beside = create_first(&kind);
                    self.make(&action.resource, kind, beside);
                    if let Some(live) = live {
                        let delete = self.remove(&action.resource, kind, live, !beside);
                        if beside {
                            let works = self.ready[&action.resource];
                            let detach = self.going.last().map_or(delete, |going| going.detach);
                            self.better.extend([(delete, works), (detach, works)]);
                        } else {
                            let create = self.create[&action.resource];
                            self.all[create].after.insert(delete);
                        }
                    }
                }
            }
        }
    }

    fn change(&mut self, resource: &LogicalId, kind: Kind, live: Option<Live>, changes: &Changes) {
        let mut last = None;
        if changes.has(REVIVE) {
            let revive = self.push(resource, kind, What::Revive, live.clone());
            self.create.insert(resource.clone(), revive);
            last = Some(revive);
        }
        if changes.0.iter().any(|change| change.field() != REVIVE) {
            let update = self.push(resource, kind, What::Update, live);
            self.all[update].after.extend(last);
            last = Some(update);
        }
        self.shape.extend(last.map(|last| (resource.clone(), last)));
        self.wait(resource, kind);
    }

    fn make(&mut self, resource: &LogicalId, kind: Kind, beside: bool) {
        let create = self.push(resource, kind, What::Create { beside }, None);
        self.create.insert(resource.clone(), create);
        let mut last = create;
        if !kind.traits.late.is_empty() {
            last = self.push(resource, kind, What::Configure, None);
            self.all[last].after.insert(create);
        }
        self.shape.insert(resource.clone(), last);
        self.wait(resource, kind);
    }

    fn wait(&mut self, resource: &LogicalId, kind: Kind) {
        let ready = self.push(resource, kind, What::Ready, None);
        self.all[ready].after.extend(self.shape.get(resource));
        self.ready.insert(resource.clone(), ready);
    }

    fn remove(&mut self, resource: &LogicalId, kind: Kind, live: Live, makes_room: bool) -> StepId {
        let delete = self.push(resource, kind, What::Delete, Some(live.clone()));
        let mut detach = delete;
        if !kind.traits.late.is_empty() && live.status != Status::Deleting {
            detach = self.push(resource, kind, What::Detach, Some(live.clone()));
            self.all[delete].after.insert(detach);
        }
        self.going.push(Going { live, kind, detach, delete, makes_room });
        delete
    }

    fn depend(&mut self) {
        let nodes: Vec<&Node> = self.stack.nodes().collect();
        for node in &nodes {
            if let Some(&create) = self.create.get(&node.id)
                && self.all[create].what != What::Revive
            {
                let needs = node.create_needs();
                self.need(create, &node.id, &needs);
            }
            if let Some(&shape) = self.shape.get(&node.id) {
                let needs = match self.all[shape].what {
                    What::Configure => node.late_needs(),
                    What::Update => placeholders(&node.spec),
                    _ => BTreeSet::new(),
                };
                self.need(shape, &node.id, &needs);
            }
        }
        self.order_deletions();
        self.free_names();
    }

    fn need(&mut self, step: StepId, own: &LogicalId, needs: &BTreeSet<Placeholder>) {
        for need in needs.iter().filter(|need| &need.id != own) {
            let first = match need.need {
                Need::Created => self.create.get(&need.id),
                Need::Ready => self.ready.get(&need.id),
            };
            self.all[step].after.extend(first);
        }
    }

    /// What refers to something goes, or lets go, before it.
    fn order_deletions(&mut self) {
        let names = Names::new(self.going.iter().map(|going| (&going.live, &going.kind)));
        let mut edges: Vec<(StepId, StepId)> = Vec::new();
        for (at, user) in self.going.iter().enumerate() {
            for (field, mentioned) in names.mentioned_by(&user.live, &user.kind) {
                let Traits { late, held, .. } = user.kind.traits;
                let field = field.as_str();
                let detached = late.contains(&field) && !held.contains(&field);
                let lets_go = if detached { user.detach } else { user.delete };
                for used in mentioned {
                    if used != at {
                        edges.push((self.going[used].delete, lets_go));
                    }
                }
            }
        }
        for used in &self.going {
            let users = self.going.iter();
            let users = users.filter(|user| used.kind.traits.used_by.contains(&user.kind.name()));
            self.better.extend(users.map(|user| (used.detach, user.delete)));
        }
        // Resources that stay move over to their new references before the old ones let go and go.
        for (resource, &step) in &self.shape {
            let stays = self.live.get(resource).filter(|_| self.all[step].what == What::Update);
            let kind = self.all[step].kind;
            let mentions = stays.map(|live| names.mentioned_by(live, &kind)).unwrap_or_default();
            for used in mentions.into_iter().flat_map(|(_, used)| used) {
                let old = &self.going[used];
                if !old.makes_room {
                    edges.extend([(old.delete, step), (old.detach, step)]);
                    // A service that is being moved works with the old one until the move is over.
                    if let Some(&works) = self.ready.get(resource) {
                        self.better.extend([(old.delete, works), (old.detach, works)]);
                    }
                }
            }
        }
        for (later, first) in edges {
            if later != first {
                self.all[later].after.insert(first);
            }
        }
    }

    /// A name has to be free before something else takes it.
    fn free_names(&mut self) {
        let mut named: HashMap<(&str, &Value), Vec<StepId>> = HashMap::new();
        for old in &self.going {
            let name = old.kind.traits.name.and_then(|field| old.live.spec.get(field));
            if let Some(name) = name {
                named.entry((old.kind.name(), name)).or_default().push(old.delete);
            }
        }
        let mut edges = Vec::new();
        for (resource, &create) in &self.create {
            let kind = self.all[create].kind;
            let Some(field) = kind.traits.name else { continue };
            let name = self.stack.node(resource).and_then(|node| node.spec.get(field));
            let holders = name.and_then(|name| named.get(&(kind.name(), name)));
            for &delete in holders.into_iter().flatten() {
                if self.all[delete].resource != *resource {
                    edges.push((create, delete));
                }
            }
        }
        for (later, first) in edges {
            self.all[later].after.insert(first);
        }
    }

    /// Takes the better order where it makes no circle.
    fn prefer(&mut self) {
        let mut graph = DiGraph::<(), ()>::new();
        let index: Vec<_> = self.all.iter().map(|_| graph.add_node(())).collect();
        for (later, step) in self.all.iter().enumerate() {
            for first in &step.after {
                graph.add_edge(index[*first], index[later], ());
            }
        }
        for (later, first) in &self.better {
            graph.add_edge(index[*first], index[*later], ());
        }
        let mut circle = vec![0; self.all.len()];
        for (number, members) in tarjan_scc(&graph).into_iter().enumerate() {
            for member in members {
                circle[member.index()] = number;
            }
        }
        for (later, first) in std::mem::take(&mut self.better) {
            if circle[later] != circle[first] {
                self.all[later].after.insert(first);
            }
        }
    }

    fn finish(mut self) -> Result<Steps, Circular> {
        self.prefer();
        let mut graph = DiGraph::<(), ()>::new();
        let index: Vec<_> = self.all.iter().map(|_| graph.add_node(())).collect();
        for (later, step) in self.all.iter().enumerate() {
            for first in &step.after {
                graph.add_edge(index[*first], index[later], ());
            }
        }
        let order = toposort(&graph, None).map_err(|cycle| {
            let step = &self.all[cycle.node_id().index()];
            Circular { resource: step.resource.clone(), what: step.what }
        })?;
        let mut depth = vec![0; self.all.len()];
        for index in order.iter().rev() {
            let behind = graph.neighbors(*index).map(|next| depth[next.index()] + 1).max();
            depth[index.index()] = behind.unwrap_or(0);
        }
        Ok(Steps { all: self.all, live: self.live, depth })
    }
}
