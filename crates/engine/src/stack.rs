//! The desired graph: typed resources with logical ids and typed references.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::{Kind, Resource, Tags};
use crate::reference::{Need, Placeholder, Ref, placeholders};

/// The tag that says which stack a resource belongs to.
pub const STACK_TAG: &str = "ferpa-stack:stack";
/// The tag that says which resource of the stack it is.
pub const RESOURCE_TAG: &str = "ferpa-stack:resource";

/// A resource's name within its stack: `layer/thing`, for example `network/nat-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogicalId(String);

impl LogicalId {
    /// A logical id. Letters, digits, `/`, `-` and `_`.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a stack is called: a project and an environment. Two stacks with different names share an
/// account and region without touching each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackName {
    /// The project, the first part of every name: `student`.
    pub project: String,
    /// The environment, the last part of every name: `dev`.
    pub environment: String,
}

impl StackName {
    /// A stack name.
    pub fn new(project: impl Into<String>, environment: impl Into<String>) -> Self {
        Self { project: project.into(), environment: environment.into() }
    }

    /// The deterministic name of a thing of this stack: `student-{thing}-dev`.
    pub fn of(&self, thing: &str) -> String {
        format!("{}-{thing}-{}", self.project, self.environment)
    }
}

/// The value of [`STACK_TAG`].
impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project, self.environment)
    }
}

/// One resource that the stack wants.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name within the stack.
    pub id: LogicalId,
    /// What it is.
    pub kind: Kind,
    /// Its attributes, placeholders included.
    pub spec: Value,
    /// Its tags, ownership included.
    pub tags: Tags,
    /// What must hold before it is created although no value flows from there.
    pub after: BTreeSet<Placeholder>,
}

impl Node {
    /// What must hold before the create call: references in the fields that it takes.
    pub fn create_needs(&self) -> BTreeSet<Placeholder> {
        let mut needs = self.after.clone();
        for (field, value) in self.fields() {
            if !self.kind.traits.late.contains(&field.as_str()) {
                needs.extend(placeholders(value));
            }
        }
        needs
    }

    /// What must hold before the fields that are set after creation can be set.
    pub fn late_needs(&self) -> BTreeSet<Placeholder> {
        self.fields()
            .filter(|(field, _)| self.kind.traits.late.contains(&field.as_str()))
            .flat_map(|(_, value)| placeholders(value))
            .collect()
    }

    fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.spec.as_object().into_iter().flatten()
    }
}

/// The desired graph.
#[derive(Debug, Clone)]
pub struct Stack {
    name: StackName,
    tags: Tags,
    nodes: BTreeMap<LogicalId, Node>,
    duplicates: Vec<LogicalId>,
}

impl Stack {
    /// An empty stack. `tags` go onto every resource, beside the two of ownership.
    pub fn new(name: StackName, tags: Tags) -> Self {
        Self { name, tags, nodes: BTreeMap::new(), duplicates: Vec::new() }
    }

    /// What the stack is called.
    pub fn name(&self) -> &StackName {
        &self.name
    }

    /// Declares a resource. The handle gives references to it.
    ///
    /// A logical id is declared once; a second declaration is reported by
    /// [`plan`](crate::plan::plan), with every other fault of the graph.
    pub fn add<T: Resource>(&mut self, id: impl Into<String>, spec: T) -> Handle<T> {
        self.add_tagged(id, spec, Tags::new())
    }

    /// As [`add`](Self::add), with tags of its own (a name, a data classification).
    pub fn add_tagged<T: Resource>(
        &mut self,
        id: impl Into<String>,
        spec: T,
        own_tags: Tags,
    ) -> Handle<T> {
        let id = LogicalId::new(id);
        let mut tags = self.tags.clone();
        tags.extend(own_tags);
        tags.insert(STACK_TAG.into(), self.name.to_string());
        tags.insert(RESOURCE_TAG.into(), id.to_string());
        let spec = serde_json::to_value(spec).expect("a kind is a plain struct with string keys");
        let node =
            Node { id: id.clone(), kind: Kind::of::<T>(), spec, tags, after: BTreeSet::new() };
        if self.nodes.insert(id.clone(), node).is_some() {
            self.duplicates.push(id.clone());
        }
        Handle { id, need: Need::Created, kind: PhantomData }
    }

    /// `later` is created only once what `first` stands for holds, although no value flows from
    /// one to the other. For the few cases where AWS wants an order that the data does not show.
    pub fn order<T: Resource, U: Resource>(&mut self, later: &Handle<T>, first: &Handle<U>) {
        let need = Placeholder { id: first.id.clone(), output: "id".into(), need: first.need };
        if let Some(node) = self.nodes.get_mut(&later.id) {
            node.after.insert(need);
        }
    }

    /// The resources, by logical id.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// One resource.
    pub fn node(&self, id: &LogicalId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Logical ids that were declared more than once.
    pub fn duplicates(&self) -> &[LogicalId] {
        &self.duplicates
    }
}

/// A declared resource, to refer to.
#[derive(Debug)]
pub struct Handle<T> {
    id: LogicalId,
    need: Need,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), need: self.need, kind: PhantomData }
    }
}

impl<T: Resource> Handle<T> {
    /// A resource that is declared later, by its logical id: for two layers that refer to each other. A
    /// plan reports it if nothing declares it.
    pub fn later(id: impl Into<String>) -> Self {
        Self { id: LogicalId::new(id), need: Need::Created, kind: PhantomData }
    }

    /// Its name within the stack.
    pub fn logical_id(&self) -> &LogicalId {
        &self.id
    }

    /// The identifier that AWS gives it, from the moment the create call has returned (or, after
    /// [`ready`](Self::ready), from the moment it works).
    pub fn id(&self) -> Ref<T::Id> {
        self.output("id")
    }

    /// Its ARN.
    pub fn arn(&self) -> Ref<T::Arn> {
        self.output("arn")
    }

    /// Another output of the kind, by the name that the kind documents.
    pub fn output<M>(&self, output: &str) -> Ref<M> {
        Ref::pending(&self.id, output, self.need)
    }

    /// The same resource, but references taken from here wait until it is ready.
    #[must_use]
    pub fn ready(&self) -> Self {
        Self { need: Need::Ready, ..self.clone() }
    }
}
