//! What a kind of resource is: one plain struct, and how AWS lists, makes, changes and removes it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::Aws;
use crate::diff::{FieldChange, field_of};
use crate::error::{ApiError, Error, Result};
use crate::inventory::Scope;
use crate::permission::{Allow, Permissions};

/// The pseudo-field whose change means: take the scheduled deletion back.
pub const REVIVE: &str = "scheduled_for_deletion";

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// One AWS resource type.
///
/// The struct that implements this holds every attribute that we set or check; it says what we
/// want, what a describe call found, and what a control inspects. What only AWS can know sits beside
/// it, in [`Live`].
///
/// `create` is *one* create call, with the tags in it: a process killed after it leaves a resource
/// that the next run recognises. Whatever that call does not take is a [late](Traits::late) field, set
/// by `update`, from the difference between what `create` says it made and what is wanted.
pub trait Resource:
    Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What the engine must know of the kind.
    const TRAITS: Traits;
    /// The type of a reference to its id.
    type Id: 'static;
    /// The type of a reference to its ARN.
    type Arn: 'static;

    /// Every resource of this kind in the account and region, with all attributes.
    ///
    /// Never fails as a whole: what could not be read is part of the result. In the scope of one
    /// stack, calls that cost one request per resource may be left out for resources that cannot
    /// belong to it (see [`Scope::may_be_ours`]).
    fn collect(aws: &Aws, scope: &Scope) -> impl Future<Output = Collected<Self>> + Send;

    /// Makes it: one call, tags included. Late fields are not to be read here: they may still hold
    /// placeholders. The result says what exists now, late fields as AWS sets them by default.
    ///
    /// # Errors
    /// What AWS answered.
    fn create(&self, aws: &Aws, new: &New) -> impl Future<Output = Result<Live<Self>>> + Send;

    /// Whether it does its work yet. Called again and again until it is, or the deadline passes.
    ///
    /// # Errors
    /// What AWS answered. "Not found" right after creation counts as not yet ready.
    fn ready(aws: &Aws, live: &Live<Self>) -> impl Future<Output = Result<Readiness>> + Send {
        let _ = (aws, live);
        async { Ok(Readiness::ready()) }
    }

    /// Changes, in place, the fields in `changes` from what `live` says to what `self` says.
    ///
    /// # Errors
    /// What AWS answered.
    fn update(
        &self,
        aws: &Aws,
        live: &Live<Self>,
        changes: &Changes,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Sets and removes tags. Kinds without tags keep the default, which does nothing.
    ///
    /// # Errors
    /// What AWS answered.
    fn tag(
        aws: &Aws,
        live: &Live<Self>,
        put: &Tags,
        remove: &[String],
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (aws, live, put, remove);
        async { Ok(()) }
    }

    /// Lets go of other resources, ahead of the deletion of this one and of those: a security group
    /// revokes its rules, so that two groups that name each other can both be deleted.
    ///
    /// # Errors
    /// What AWS answered.
    fn detach(aws: &Aws, live: &Live<Self>) -> impl Future<Output = Result<()>> + Send {
        let _ = (aws, live);
        async { Ok(()) }
    }

    /// Removes it. "Not found" is success.
    ///
    /// # Errors
    /// What AWS answered.
    fn delete(
        aws: &Aws,
        live: &Live<Self>,
        deletion: &Deletion,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Whether it is really gone, for kinds whose deletion takes time.
    ///
    /// # Errors
    /// What AWS answered.
    fn gone(aws: &Aws, live: &Live<Self>) -> impl Future<Output = Result<bool>> + Send {
        let _ = (aws, live);
        async { Ok(true) }
    }

    /// Whether AWS cannot make this change on an existing resource, so that another one has to take its place.
    /// `path` leads to what differs, down from the field. Mostly that is for [`Traits::immutable`] to say; a kind
    /// says more where it depends on the values.
    fn is_fixed(path: &str, desired: &Value, live: &Value) -> bool {
        let _ = (desired, live);
        Self::TRAITS.immutable.contains(&field_of(path))
    }

    /// Whether two different values of a field mean the same: a minor version that AWS has moved on
    /// by itself, a count that autoscaling has raised.
    fn settled(field: &str, desired: &Value, live: &Value) -> bool {
        let _ = (field, desired, live);
        false
    }
}

/// One AWS resource type as far as it is read. Every [`Resource`] is one; a type that audits inspect and
/// stacks do not make implements only this.
pub trait Inspected:
    Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// `service.thing`, as in `rds.cluster_snapshot`.
    const KIND: &'static str;
    /// As [`Traits::attached_by`].
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[];
    /// As [`Traits::attaches`].
    const ATTACHES: &'static [(&'static str, &'static str)] = &[];
    /// As [`Traits::costly`].
    const COSTLY: bool = false;
    /// Whether its tags tell which resource of which stack it is.
    const TAGGED: bool = true;
    /// What the calls of [`inspect`](Self::inspect) need, as [`Permissions::read`].
    const READ: &'static [Allow];

    /// As [`Resource::collect`].
    fn inspect(aws: &Aws, scope: &Scope) -> impl Future<Output = Collected<Self>> + Send;
}

impl<T: Resource> Inspected for T {
    const KIND: &'static str = T::TRAITS.kind;
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = T::TRAITS.attached_by;
    const ATTACHES: &'static [(&'static str, &'static str)] = T::TRAITS.attaches;
    const COSTLY: bool = T::TRAITS.costly;
    const TAGGED: bool = matches!(T::TRAITS.identity, Identity::Tags);
    const READ: &'static [Allow] = T::TRAITS.permissions.read;

    fn inspect(aws: &Aws, scope: &Scope) -> impl Future<Output = Collected<Self>> + Send {
        T::collect(aws, scope)
    }
}

/// A kind without its type, as far as it is read: what an inventory is collected with.
#[derive(Clone, Copy)]
pub struct Reader {
    /// `service.thing`.
    pub kind: &'static str,
    /// As [`Traits::attached_by`].
    pub attached_by: &'static [(&'static str, &'static str)],
    /// As [`Traits::attaches`].
    pub attaches: &'static [(&'static str, &'static str)],
    /// As [`Traits::costly`].
    pub costly: bool,
    /// As [`Inspected::TAGGED`].
    pub(crate) tagged: bool,
    /// As [`Permissions::read`].
    pub read: &'static [Allow],
    pub(crate) collect: for<'a> fn(&'a Aws, &'a Scope) -> BoxFuture<'a, Collected>,
    fits: fn(&Value) -> bool,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl Reader {
    /// The reader of the kind that `T` describes.
    pub const fn of<T: Inspected>() -> Self {
        Self {
            kind: T::KIND,
            attached_by: T::ATTACHED_BY,
            attaches: T::ATTACHES,
            costly: T::COSTLY,
            tagged: T::TAGGED,
            read: T::READ,
            fits: |spec| T::deserialize(spec).is_ok(),
            collect: |aws, scope| {
                Box::pin(async move {
                    let found = T::inspect(aws, scope).await;
                    Collected {
                        live: found.live.into_iter().map(Live::untyped).collect(),
                        errors: found.errors,
                    }
                })
            },
        }
    }
}

impl Reader {
    /// Whether these attributes are those of the kind.
    pub fn fits(&self, spec: &Value) -> bool {
        (self.fits)(spec)
    }
}

impl From<Kind> for Reader {
    fn from(kind: Kind) -> Self {
        kind.reader
    }
}

/// What the engine must know of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// `service.thing`, as in `rds.cluster`.
    pub kind: &'static str,
    /// How a live resource is matched with a declared one.
    pub identity: Identity,
    /// The field with its name, where names are unique and ours to choose: a stranger with that name
    /// is a conflict, and a replacement that exists beside its predecessor needs another name.
    pub name: Option<&'static str>,
    /// The field with what a name is unique in, where that is not account and region: the VPC of a security group.
    pub name_within: Option<&'static str>,
    /// An account and region have at most one: a stranger's keeps ours from being made.
    pub single: bool,
    /// For a setting of the account: the field that may name something of a stack. While it does, the setting is the
    /// stack's, and is given back before what it names goes.
    pub lent: Option<&'static str>,
    /// Fields that AWS cannot change on an existing resource. Never late fields.
    pub immutable: &'static [&'static str],
    /// Fields that the create call does not take; `update` sets them. References in them do not
    /// hold up creation.
    pub late: &'static [&'static str],
    /// Late fields that hold on to what they name until it is gone itself: [`detach`](Resource::detach) does not let
    /// go of that.
    pub held: &'static [&'static str],
    /// Whether late fields can only be set once the resource is ready (a file system's policy), and
    /// not as soon as it exists.
    pub late_when_ready: bool,
    /// Fields that AWS does not show. Given on creation, never compared.
    pub write_only: &'static [&'static str],
    /// Holds data: never replaced or deleted without the operator's word.
    pub protected: bool,
    /// AWS only schedules its deletion, and can take that back: a live resource with the status
    /// [`Status::Deleting`] is revived by `update`, with a change of the field [`REVIVE`], instead of
    /// being made anew.
    pub revivable: bool,
    /// Outputs by which others refer to it, beside its id and ARN. Each is unique to the resource.
    pub aliases: &'static [&'static str],
    /// Only there when somebody asks for it: a guard of the whole account. Imitations of AWS may lack its
    /// service altogether.
    pub optional: bool,
    /// Fields that name what it is attached to, each with the kind of that: a subnet is attached to a VPC.
    /// A stranger that is attached to a stack is the stack's problem. Where a field is not on top, its path
    /// is given, with dots, and `*` for each item or key: `routes.*.*.integration.connection_id`.
    pub attached_by: &'static [(&'static str, &'static str)],
    /// Fields that name what is attached by way of it, each with the kind of that: a mount target attaches a
    /// file system to a subnet.
    pub attaches: &'static [(&'static str, &'static str)],
    /// The kinds that can use it without naming it: it is better let go of once those that go are gone.
    pub used_by: &'static [&'static str],
    /// Whether a listing costs calls for every resource, and accounts have many of them. Then an audit of
    /// one stack does not look at strangers.
    pub costly: bool,
    /// In which order a replacement happens.
    pub replacement: Replacement,
    /// How long readiness takes.
    pub ready: Poll,
    /// How long deletion takes.
    pub gone: Poll,
    /// Errors that pass by themselves: AWS does not see yet what it has just made. Pairs of error
    /// code and a part of the message (empty: any message).
    pub not_yet: &'static [(&'static str, &'static str)],
    /// The IAM actions that its calls need.
    pub permissions: Permissions,
}

impl Traits {
    /// A kind with tags, no name, no late or immutable fields, ready at once. Kinds write down what
    /// differs: `Traits { immutable: &["cidr_block"], ..Traits::of("ec2.vpc") }`.
    pub const fn of(kind: &'static str) -> Self {
        Self {
            kind,
            identity: Identity::Tags,
            name: None,
            name_within: None,
            single: false,
            lent: None,
            immutable: &[],
            late: &[],
            held: &[],
            late_when_ready: false,
            write_only: &[],
            protected: false,
            revivable: false,
            aliases: &[],
            optional: false,
            attached_by: &[],
            attaches: &[],
            used_by: &[],
            costly: false,
            replacement: Replacement::DeleteFirst,
            ready: Poll::SHORT,
            gone: Poll::SHORT,
            not_yet: &[],
            permissions: Permissions::NONE,
        }
    }
}

/// How a live resource is matched with a declared one, and how its owner is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// By the tags of ownership.
    Tags,
    /// AWS keeps no tags on it: it belongs to whoever owns the resource that the field `parent`
    /// refers to, and is told from its siblings by the fields `key`.
    Parent {
        /// The field that refers to the parent.
        parent: &'static str,
        /// The fields that tell it from its siblings, the parent's included.
        key: &'static [&'static str],
    },
    /// A setting of the account and region. There is always one; it is never deleted, because
    /// others share the account. What a stack has [lent](Traits::lent) it is taken back.
    Setting,
}

/// In which order a replacement happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// The successor is made, those who refer to it move over, the predecessor goes.
    CreateFirst,
    /// The predecessor goes first, because both cannot exist at once.
    DeleteFirst,
}

/// How often to look, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    /// The first pause; later ones grow by half each, up to `longest`.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// When to give up.
    pub deadline: Duration,
    /// How long it usually takes; zero where nobody knows. Looks become few until half of that is over, and
    /// frequent then, so that no more than a hundredth of the time is lost by not looking.
    pub expected: Duration,
}

impl Poll {
    /// For what takes seconds; gives up after two minutes.
    pub const SHORT: Self = Self::within(2, 1, 5);
    /// For what takes minutes; gives up after fifteen.
    pub const MINUTES: Self = Self::within(15, 3, 10);
    /// For databases and caches; gives up after forty-five minutes.
    pub const LONG: Self = Self::within(45, 10, 15);

    /// A deadline in minutes, the first and the longest pause in seconds.
    pub const fn within(minutes: u64, first: u64, longest: u64) -> Self {
        Self {
            first: Duration::from_secs(first),
            longest: Duration::from_secs(longest),
            deadline: Duration::from_secs(minutes * 60),
            expected: Duration::ZERO,
        }
    }

    /// For what usually takes so many seconds.
    #[must_use]
    pub const fn expecting(self, seconds: u64) -> Self {
        Self { expected: Duration::from_secs(seconds), ..self }
    }

    /// How long to pause before the next look, when the wait has lasted this long.
    pub fn pause(&self, waited: Duration) -> Duration {
        // The usual time is what it takes when all goes well: the half of it is early, the double is not
        // rare.
        let (early, late) = (self.expected / 2, self.expected * 2);
        if (early..late).contains(&waited) {
            let often = (self.expected / 100).max(Self::OFTEN);
            return often.min(self.longest);
        }
        let growing = self.first + waited / 2;
        if waited < early {
            growing.min(early - waited).max(Self::SHORTEST)
        } else {
            growing.min(self.longest)
        }
    }

    /// Nothing needs to be looked at more often.
    const SHORTEST: Duration = Duration::from_secs(1);
    /// Nor does what takes minutes, when it is about to be ready.
    const OFTEN: Duration = Duration::from_secs(2);
}

/// What a create call carries beside the attributes.
#[derive(Debug, Clone)]
pub struct New {
    /// The tags to set in the create call itself.
    pub tags: Tags,
    /// The client token, for APIs that take one (36 characters of hexadecimal and dashes). The same
    /// token again means the same resource.
    pub token: String,
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live<T = Value> {
    /// The identifier that the API wants: `vpc-…`, a name, an ARN.
    pub id: String,
    /// The ARN, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
    /// Whether it works.
    #[serde(default)]
    pub status: Status,
    /// What only AWS knows, by name: endpoints, DNS names, generated ids. `id` and `arn` need not be
    /// repeated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Fields that could not be read, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<String, ApiError>,
    /// Its attributes.
    pub spec: T,
}

impl<T> Live<T> {
    /// A working resource with these attributes, and nothing else known of it.
    pub fn new(id: impl Into<String>, spec: T) -> Self {
        Self {
            id: id.into(),
            arn: None,
            tags: Tags::new(),
            status: Status::Ready,
            outputs: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            spec,
        }
    }

    /// With its ARN.
    #[must_use]
    pub fn with_arn(mut self, arn: impl Into<String>) -> Self {
        self.arn = Some(arn.into());
        self
    }

    /// With its tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// With a status.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// With an output, where AWS gave it.
    #[must_use]
    pub fn with_output(mut self, name: &str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.outputs.insert(name.into(), value.into());
        }
        self
    }

    /// An output by name; `id` and `arn` included.
    pub fn output(&self, name: &str) -> Option<&str> {
        match name {
            "id" => Some(&self.id),
            "arn" => self.arn.as_deref(),
            _ => self.outputs.get(name).map(String::as_str),
        }
    }

    /// The ARN, or an error that says which call did not give one.
    ///
    /// # Errors
    /// When it has none.
    pub fn require_arn(&self, action: &str) -> Result<&str> {
        self.arn.as_deref().ok_or_else(|| Error::incomplete(action, "an ARN"))
    }

    /// Takes the answer of a call that reads one field: sets it, or notes why it is unreadable.
    pub fn read<V>(&mut self, field: &str, answer: Result<V>, set: impl FnOnce(&mut T, V)) {
        match answer {
            Ok(value) => set(&mut self.spec, value),
            Err(error) => {
                self.unreadable.insert(field.into(), as_api(error));
            }
        }
    }

    /// Notes that a call was not made, and that nothing is known of these fields therefore.
    pub fn leave_out(&mut self, fields: &[&str], action: &str, why: &str) {
        let error = ApiError::not_asked(action, why);
        self.unreadable.extend(fields.iter().map(|&field| (field.to_owned(), error.clone())));
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Live<U> {
        Live {
            id: self.id,
            arn: self.arn,
            tags: self.tags,
            status: self.status,
            outputs: self.outputs,
            unreadable: self.unreadable,
            spec: change(self.spec),
        }
    }
}

impl<T: Inspected> Live<T> {
    fn untyped(self) -> Live {
        self.map(|spec| {
            serde_json::to_value(spec).expect("a kind is a plain struct with string keys")
        })
    }
}

impl Live {
    /// The same with its attributes typed.
    ///
    /// # Errors
    /// When the attributes are not those of the kind (a snapshot of another version).
    pub fn typed<T: Inspected>(&self) -> Result<Live<T>> {
        let spec = T::deserialize(&self.spec)
            .map_err(|why| Error::invalid(format!("{} {}", T::KIND, self.id), why))?;
        Ok(Live {
            id: self.id.clone(),
            arn: self.arn.clone(),
            tags: self.tags.clone(),
            status: self.status.clone(),
            outputs: self.outputs.clone(),
            unreadable: self.unreadable.clone(),
            spec,
        })
    }
}

/// Whether a resource works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    #[default]
    Ready,
    /// Not yet; AWS is at work on it. In AWS's words.
    Pending(String),
    /// It never will. In AWS's words.
    Failed(String),
    /// It is being removed.
    Deleting,
}

/// The answer to "is it ready?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is. With the outputs that are known only now.
    Ready(BTreeMap<String, String>),
    /// Not yet: what is waited for, in AWS's words (`available`, `2 of 2 tasks running`).
    Pending(String),
    /// It never will be: why, in AWS's words.
    Failed(String),
}

impl Readiness {
    /// Ready, nothing new known.
    pub fn ready() -> Self {
        Self::Ready(BTreeMap::new())
    }

    /// By AWS's status word: ready if it is one of `good`, failed if one of `bad`, else pending.
    pub fn by_status(status: &str, good: &[&str], bad: &[&str]) -> Self {
        if good.contains(&status) {
            Self::ready()
        } else if bad.contains(&status) {
            Self::Failed(format!("its status is {status}"))
        } else {
            Self::Pending(format!("status {status}"))
        }
    }
}

impl Status {
    /// By AWS's status word.
    pub fn by_word(word: &str, good: &[&str], bad: &[&str], deleting: &[&str]) -> Self {
        if deleting.contains(&word) {
            return Self::Deleting;
        }
        match Readiness::by_status(word, good, bad) {
            Readiness::Ready(_) => Self::Ready,
            Readiness::Pending(_) => Self::Pending(word.to_owned()),
            Readiness::Failed(_) => Self::Failed(word.to_owned()),
        }
    }
}

/// The fields to change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(pub Vec<FieldChange>);

impl Changes {
    /// Whether the field, or anything below it, changes.
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|change| change.field() == field)
    }

    /// Whether any of the fields changes.
    pub fn any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.has(field))
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deletion {
    /// The operator has agreed that data goes: deletion protection may be switched off, buckets may
    /// be emptied. Final snapshots are still taken where the kind has them.
    pub allow_data_loss: bool,
}

/// What a collection found.
#[derive(Debug, Clone)]
pub struct Collected<T = Value> {
    /// The resources.
    pub live: Vec<Live<T>>,
    /// The calls that failed. A kind with an error here may have more resources than listed.
    pub errors: Vec<ApiError>,
}

impl<T> Default for Collected<T> {
    fn default() -> Self {
        Self { live: Vec::new(), errors: Vec::new() }
    }
}

impl<T> Collected<T> {
    /// These resources, nothing failed.
    pub fn of(live: Vec<Live<T>>) -> Self {
        Self { live, errors: Vec::new() }
    }

    /// Nothing but an error: the listing itself failed.
    pub fn failed(error: impl Into<Error>) -> Self {
        Self { live: Vec::new(), errors: vec![as_api(error.into())] }
    }

    /// The result of one listing call: its resources, or its error.
    pub fn from_result(result: Result<Vec<Live<T>>>) -> Self {
        result.map_or_else(Self::failed, Self::of)
    }
}

fn as_api(error: Error) -> ApiError {
    match error {
        Error::Api(error) => error,
        other => ApiError {
            action: String::new(),
            code: "Incomplete".into(),
            message: other.to_string(),
            status: None,
        },
    }
}

/// The answer of a kind, on its way.
type Answer<'a, T = ()> = BoxFuture<'a, Result<T>>;

/// A kind without its type: what a graph of many kinds is made of.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What the engine must know of it.
    pub traits: &'static Traits,
    /// How it is read.
    pub reader: Reader,
    pub(crate) create: for<'a> fn(&'a Aws, &'a Value, &'a New) -> Answer<'a, Live>,
    pub(crate) ready: for<'a> fn(&'a Aws, &'a Live) -> Answer<'a, Readiness>,
    pub(crate) update: for<'a> fn(&'a Aws, &'a Value, &'a Live, &'a Changes) -> Answer<'a>,
    pub(crate) tag: for<'a> fn(&'a Aws, &'a Live, &'a Tags, &'a [String]) -> Answer<'a>,
    pub(crate) detach: for<'a> fn(&'a Aws, &'a Live) -> Answer<'a>,
    pub(crate) delete: for<'a> fn(&'a Aws, &'a Live, &'a Deletion) -> Answer<'a>,
    pub(crate) gone: for<'a> fn(&'a Aws, &'a Live) -> Answer<'a, bool>,
    pub(crate) settled: fn(&str, &Value, &Value) -> bool,
    is_fixed: fn(&str, &Value, &Value) -> bool,
    pub(crate) canonical: fn(&Value) -> Option<Value>,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.traits.kind)
    }
}

impl Kind {
    /// The kind that `T` describes.
    pub const fn of<T: Resource>() -> Self {
        Self {
            traits: &T::TRAITS,
            reader: Reader::of::<T>(),
            create: |aws, spec, new| {
                Box::pin(async move {
                    let spec = typed::<T>(spec)?;
                    Ok(spec.create(aws, new).await?.untyped())
                })
            },
            ready: |aws, live| Box::pin(async move { T::ready(aws, &live.typed::<T>()?).await }),
            update: |aws, spec, live, changes| {
                Box::pin(async move {
                    typed::<T>(spec)?.update(aws, &live.typed::<T>()?, changes).await
                })
            },
            tag: |aws, live, put, remove| {
                Box::pin(async move { T::tag(aws, &live.typed::<T>()?, put, remove).await })
            },
            detach: |aws, live| Box::pin(async move { T::detach(aws, &live.typed::<T>()?).await }),
            delete: |aws, live, deletion| {
                Box::pin(async move { T::delete(aws, &live.typed::<T>()?, deletion).await })
            },
            gone: |aws, live| Box::pin(async move { T::gone(aws, &live.typed::<T>()?).await }),
            settled: T::settled,
            is_fixed: T::is_fixed,
            canonical: |spec| serde_json::to_value(T::deserialize(spec).ok()?).ok(),
        }
    }

    /// `service.thing`.
    pub fn name(&self) -> &'static str {
        self.traits.kind
    }

    /// Whether only another resource can have this change.
    pub(crate) fn is_fixed(&self, change: &FieldChange) -> bool {
        (self.is_fixed)(&change.path, &change.new, &change.old)
    }
}

fn typed<T: Resource>(spec: &Value) -> Result<T> {
    T::deserialize(spec).map_err(|why| Error::invalid(T::TRAITS.kind, why))
}
