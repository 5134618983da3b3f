//! What controls judge: an inventory with typed access, and what the organisation has decided.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::{ApiError, Inventory, Live, Resource as Kind};
use jiff::Timestamp;
use serde_json::Value;

use crate::finding::{Evidence, Judgement, Resource, Status, Unread};
use crate::settings::Settings;

/// An inventory, typed on demand, with the time and the settings of the audit.
pub struct Facts<'a> {
    inventory: &'a Inventory,
    settings: &'a Settings,
    now: Timestamp,
    typed: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl<'a> Facts<'a> {
    /// The facts of an inventory at a time.
    pub fn new(inventory: &'a Inventory, settings: &'a Settings, now: Timestamp) -> Self {
        Self { inventory, settings, now, typed: Mutex::default() }
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

    /// All resources of a kind.
    ///
    /// # Errors
    /// When the listing failed, or the snapshot is not one of this version: then nothing is known.
    pub fn all<T: Kind>(&self) -> Result<Arc<Vec<Live<T>>>, Unread> {
        let kind = T::TRAITS.kind;
        if let Some(error) = self.inventory.errors.get(kind).and_then(|errors| errors.first()) {
            return Err(Unread { what: format!("the list of {kind}"), error: Some(error.clone()) });
        }
        if !self.inventory.resources.contains_key(kind) {
            return Err(Unread { what: format!("the list of {kind}"), error: None });
        }
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match typed.get(&TypeId::of::<T>()) {
            Some(known) => known.clone(),
            None => {
                let fresh: Vec<Live<T>> = self
                    .inventory
                    .of::<T>()
                    .map_err(|why| Unread { what: why.to_string(), error: None })?;
                let fresh: Arc<dyn Any + Send + Sync> = Arc::new(fresh);
                typed.insert(TypeId::of::<T>(), fresh.clone());
                fresh
            }
        };
        Ok(entry.downcast().expect("the map is keyed by the type"))
    }

    /// Judges every resource of a kind. A listing that failed is unknown; an empty one not applicable.
    pub fn each<T: Kind>(
        &self,
        judge: impl Fn(&Seen<'_, T>) -> Result<Verdict, Unread>,
    ) -> Vec<Judgement> {
        self.each_where(|_| true, judge)
    }

    /// As [`each`](Self::each), for the resources that the control concerns.
    pub fn each_where<T: Kind>(
        &self,
        concerns: impl Fn(&Live<T>) -> bool,
        judge: impl Fn(&Seen<'_, T>) -> Result<Verdict, Unread>,
    ) -> Vec<Judgement> {
        let kind = T::TRAITS.kind;
        let all = match self.all::<T>() {
            Ok(all) => all,
            Err(unread) => return vec![self.whole(kind, Err(unread))],
        };
        let mut judgements: Vec<Judgement> = Vec::new();
        for live in all.iter().filter(|live| concerns(live)) {
            let seen = Seen { live };
            judgements.push(self.about(&seen, judge(&seen)));
        }
        if judgements.is_empty() {
            let nothing = Verdict::not_applicable(format!("there is no {kind} to judge"));
            judgements.push(self.whole(kind, Ok(nothing)));
        }
        judgements
    }

    /// A judgement about a resource.
    pub fn about<T: Kind>(
        &self,
        seen: &Seen<'_, T>,
        verdict: Result<Verdict, Unread>,
    ) -> Judgement {
        let resource = Resource {
            kind: T::TRAITS.kind.into(),
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

/// A resource as a control sees it: fields that could not be read do not look like good ones.
pub struct Seen<'a, T> {
    live: &'a Live<T>,
}

impl<'a, T: Kind> Seen<'a, T> {
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
