//! What controls judge: an inventory with typed access, and what the organisation has decided.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::inventory::Subjects;
use engine::{ApiError, Inspected, Inventory, Live};
use jiff::Timestamp;
use serde_json::Value;

use crate::finding::{Evidence, Judgement, Resource, Status, Unread};
use crate::settings::Settings;

/// An inventory, typed on demand, with the time and the settings of the audit.
pub struct Facts<'a> {
    inventory: &'a Inventory,
    settings: &'a Settings,
    now: Timestamp,
    subjects: Option<&'a Subjects>,
    derived: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// The resources of a kind, by every name that others may use for them.
struct Named<T> {
    all: Arc<Vec<Live<T>>>,
    by_name: HashMap<String, usize>,
}

impl<'a> Facts<'a> {
    /// The facts of an inventory at a time; every resource is judged.
    pub fn new(inventory: &'a Inventory, settings: &'a Settings, now: Timestamp) -> Self {
        Self { inventory, settings, now, subjects: None, derived: Mutex::default() }
    }

    /// The same, where only these resources are judged. The others are still looked at: a store of the
    /// stack may be encrypted with somebody else's key.
    #[must_use]
    pub fn about_only(self, subjects: &'a Subjects) -> Self {
        Self { subjects: Some(subjects), ..self }
    }

    /// The audited account's twelve digits.
    pub fn account_id(&self) -> &str {
        &self.inventory.account_id
    }

    /// The audited region.
    pub fn region(&self) -> &str {
        &self.inventory.region
    }

    /// What the organisation has decided.
    pub fn settings(&self) -> &Settings {
        self.settings
    }

    /// The time of the audit.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether records may be shared with an account.
    pub fn is_declared_account(&self, account: &str) -> bool {
        account == self.account_id() || self.settings.declared_accounts.contains(account)
    }

    /// Whether resources may be in a region.
    pub fn is_declared_region(&self, region: &str) -> bool {
        region == self.region() || self.settings.declared_regions.contains(region)
    }

    /// The resources of a kind that are known, and why there may be others: a call of the listing failed, or
    /// the snapshot is not one of this version.
    pub fn listed<T: Inspected>(&self) -> (Arc<Vec<Live<T>>>, Option<Unread>) {
        let kind = T::KIND;
        let unread = |error| Unread { what: format!("the list of {kind}"), error };
        let failed = self.inventory.errors.get(kind).and_then(|errors| errors.first());
        let failed = failed.map(|error| unread(Some(error.clone())));
        if !self.inventory.resources.contains_key(kind) {
            return (Arc::default(), failed.or_else(|| Some(unread(None))));
        }
        let typed = self.derived(|facts| {
            facts.inventory.of::<T>().map(Arc::new).map_err(|why| why.to_string())
        });
        match typed.as_ref() {
            Ok(all) => (all.clone(), failed),
            Err(what) => (Arc::default(), Some(Unread { what: what.clone(), error: None })),
        }
    }

    /// All resources of a kind, for a question that one that is missing would answer differently.
    ///
    /// # Errors
    /// When there may be others than those that are known.
    pub fn all<T: Inspected>(&self) -> Result<Arc<Vec<Live<T>>>, Unread> {
        match self.listed::<T>() {
            (all, None) => Ok(all),
            (_, Some(unread)) => Err(unread),
        }
    }

    /// The resource of a kind with this id, ARN or output.
    ///
    /// # Errors
    /// When it is not among those that are known, and there may be others.
    pub fn find<T: Inspected>(&self, name: &str) -> Result<Option<Found<T>>, Unread> {
        let (all, unread) = self.listed::<T>();
        let named = self.derived::<Named<T>>(|_| {
            let mut by_name = HashMap::new();
            for (at, live) in all.iter().enumerate() {
                let names = live.arn.iter().chain(live.outputs.values());
                for name in names {
                    by_name.entry(name.clone()).or_insert(at);
                }
            }
            // Ids come last, because an output of one resource can be the id of another.
            by_name.extend(all.iter().enumerate().map(|(at, live)| (live.id.clone(), at)));
            Named { all: all.clone(), by_name }
        });
        match (named.by_name.get(name), unread) {
            (Some(&at), _) => Ok(Some(Found { all: named.all.clone(), at })),
            (None, Some(unread)) => Err(unread),
            (None, None) => Ok(None),
        }
    }

    /// As [`find`](Self::find), for a resource whose attributes matter: those of strangers are not read
    /// when a stack is audited, where that costs a call for each.
    ///
    /// # Errors
    /// As [`find`](Self::find), and when it is such a stranger.
    pub fn find_read<T: Inspected>(&self, name: &str) -> Result<Option<Found<T>>, Unread> {
        let found = self.find::<T>(name)?;
        match &found {
            Some(live) if T::COSTLY && !self.is_subject(T::KIND, &live.id) => Err(Unread {
                what: format!("{}, which is not the stack's, in the scope of the stack", live.id),
                error: None,
            }),
            _ => Ok(found),
        }
    }

    /// Something that is worked out of the facts once, for all controls that need it: who can reach whom.
    /// The type is what it is known by.
    pub fn derived<D: Send + Sync + 'static>(&self, work_out: impl FnOnce(&Self) -> D) -> Arc<D> {
        let known = || self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&TypeId::of::<D>()).cloned();
        // Not under the lock: what is worked out may rest on something else that is.
        let found = found.unwrap_or_else(|| {
            let fresh: Arc<dyn Any + Send + Sync> = Arc::new(work_out(self));
            known().entry(TypeId::of::<D>()).or_insert(fresh).clone()
        });
        found.downcast().expect("the map is keyed by the type")
    }

    /// Whether a resource is one that is judged.
    pub fn is_subject(&self, kind: &str, id: &str) -> bool {
        self.subjects.is_none_or(|all| all.get(kind).is_some_and(|ids| ids.contains(id)))
    }

    /// Judges every resource of a kind that is known. That there may be others is unknown, beside what is known; an
    /// empty listing says nothing.
    pub fn each<T: Inspected>(
        &self,
        judge: impl Fn(&Seen<'_, T>) -> Result<Verdict, Unread>,
    ) -> Vec<Judgement> {
        self.each_where(|_| true, judge)
    }

    /// As [`each`](Self::each), for the resources that the control concerns.
    pub fn each_where<T: Inspected>(
        &self,
        concerns: impl Fn(&Live<T>) -> bool,
        judge: impl Fn(&Seen<'_, T>) -> Result<Verdict, Unread>,
    ) -> Vec<Judgement> {
        let kind = T::KIND;
        let (known, unread) = self.listed::<T>();
        let mut judgements: Vec<Judgement> = Vec::new();
        for live in known.iter().filter(|live| self.is_subject(kind, &live.id) && concerns(live)) {
            let seen = Seen { live };
            judgements.push(self.about(&seen, judge(&seen)));
        }
        judgements.extend(unread.map(|unread| self.whole(kind, Err(unread))));
        judgements
    }

    /// A judgement about a resource.
    pub fn about<T: Inspected>(
        &self,
        seen: &Seen<'_, T>,
        verdict: Result<Verdict, Unread>,
    ) -> Judgement {
        let resource = Resource {
            kind: T::KIND.into(),
            id: seen.live.id.clone(),
            arn: seen.live.arn.clone(),
            region: self.region().into(),
        };
        judgement(resource, verdict)
    }

    /// A judgement about a kind, or the account, as a whole.
    pub fn whole(&self, kind: &str, verdict: Result<Verdict, Unread>) -> Judgement {
        let resource =
            Resource { kind: kind.into(), id: "*".into(), arn: None, region: self.region().into() };
        judgement(resource, verdict)
    }
}

fn judgement(resource: Resource, verdict: Result<Verdict, Unread>) -> Judgement {
    match verdict {
        Ok(Verdict { status, message, evidence }) => {
            Judgement { resource, status, message, evidence }
        }
        Err(unread) => {
            let evidence = unread.error.iter().map(|error| Evidence {
                call: error.action.clone(),
                field: "error".into(),
                value: Value::String(error.code.clone()),
            });
            Judgement {
                resource,
                status: Status::Unknown,
                message: unread.message(),
                evidence: evidence.collect(),
            }
        }
    }
}

/// A resource that was looked up.
pub struct Found<T> {
    all: Arc<Vec<Live<T>>>,
    at: usize,
}

impl<T> std::ops::Deref for Found<T> {
    type Target = Live<T>;

    fn deref(&self) -> &Live<T> {
        &self.all[self.at]
    }
}

/// A resource as a control sees it: fields that could not be read do not look like good ones.
pub struct Seen<'a, T> {
    live: &'a Live<T>,
}

impl<'a, T: Inspected> Seen<'a, T> {
    /// A resource, seen.
    pub fn of(live: &'a Live<T>) -> Self {
        Self { live }
    }

    /// The attributes, if all of these fields could be read.
    ///
    /// # Errors
    /// When one of them could not.
    pub fn read(&self, fields: &[&str]) -> Result<&'a T, Unread> {
        let unreadable = |field: &&&str| self.live.unreadable.contains_key(**field);
        match fields.iter().find(unreadable) {
            Some(field) => Err(self.unread(field)),
            None => Ok(&self.live.spec),
        }
    }

    /// The resource itself: its id, ARN, tags and outputs.
    pub fn live(&self) -> &'a Live<T> {
        self.live
    }

    fn unread(&self, field: &str) -> Unread {
        let error: Option<&ApiError> = self.live.unreadable.get(field);
        Unread { what: format!("{field} of {}", self.live.id), error: error.cloned() }
    }
}

/// What a control says, before it is said of whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    status: Status,
    message: String,
    evidence: Vec<Evidence>,
}

impl Verdict {
    /// It holds.
    pub fn pass(message: impl Into<String>) -> Self {
        Self { status: Status::Pass, message: message.into(), evidence: Vec::new() }
    }

    /// It does not.
    pub fn fail(message: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::pass(message) }
    }

    /// There is nothing to judge.
    pub fn not_applicable(message: impl Into<String>) -> Self {
        Self { status: Status::NotApplicable, ..Self::pass(message) }
    }

    /// It holds or does not, with a sentence for either.
    pub fn of(holds: bool, good: impl Into<String>, bad: impl Into<String>) -> Self {
        if holds { Self::pass(good) } else { Self::fail(bad) }
    }

    /// Rests on this attribute too. `call` is the IAM action, `field` in AWS's spelling.
    #[must_use]
    pub fn with(mut self, call: &str, field: &str, value: impl Into<Value>) -> Self {
        self.evidence.push(Evidence {
            call: call.into(),
            field: field.into(),
            value: value.into(),
        });
        self
    }
}
