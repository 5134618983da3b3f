//! Carrying out a plan: each step the moment its inputs exist, a bounded number at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, creating};
use crate::diff::{self, FieldChange};
use crate::error::{ApiError, Error, Result};
use crate::inventory::Scope;
use crate::journal::Journal;
use crate::kind::{
    Changes, Deletion, Identity, Kind, Live, New, Poll, REVIVE, Readiness, Status, Tags,
};
use crate::reference::{has_placeholder, substitute};
use crate::stack::{LogicalId, RESOURCE_TAG, STACK_TAG, Stack};
use crate::steps::{Step, StepId, Steps, What};
use crate::wait::{self, Watched};

/// How long an error that says "not yet" is believed. The slowest that we know of is KMS, which takes up to five minutes to
/// go by a key's tags: <https://docs.aws.amazon.com/kms/latest/developerguide/abac.html>.
const NOT_YET: Poll = Poll::within(6, 1, 5);

/// How often a create call is made whose answers do not come.
const UNSURE_TRIES: usize = 5;

/// How to carry out a plan.
#[derive(Debug, Clone)]
pub struct Execution {
    /// How many steps call at a time. Those that wait count for nothing.
    pub concurrency: usize,
    /// How to delete.
    pub deletion: Deletion,
    /// Cancelled: finish the calls in flight, start nothing.
    pub stop: CancellationToken,
    /// Where to say what happens. A receiver that has gone away is no error.
    pub events: Option<UnboundedSender<Event>>,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            concurrency: 32,
            deletion: Deletion::default(),
            stop: CancellationToken::new(),
            events: None,
        }
    }
}

/// What happens during an execution.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    Begun {
        /// How many steps there are.
        steps: usize,
    },
    /// A step has started.
    Started {
        /// The step.
        #[serde(flatten)]
        step: StepName,
    },
    /// A step waits.
    Waiting {
        /// The step.
        #[serde(flatten)]
        step: StepName,
        /// For what.
        what: String,
    },
    /// A step is done.
    Done {
        /// The step.
        #[serde(flatten)]
        step: StepName,
        /// How long it took, in milliseconds.
        took_ms: u128,
    },
    /// A step has failed.
    Failed {
        /// The step.
        #[serde(flatten)]
        step: StepName,
        /// Why.
        error: String,
    },
}

/// A step, for people and machines that watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StepName {
    /// Its place in [`Steps::all`].
    pub step: StepId,
    /// The resource.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: &'static str,
    /// `create`, `wait for`…
    pub what: String,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The steps that are done, in the order in which they finished, with how long they took.
    pub done: Vec<(StepName, Duration)>,
    /// The steps that failed, and why.
    pub failed: Vec<(StepName, Error)>,
    /// What an imitation of AWS has no operation for, and what was therefore left out. Never on AWS itself.
    pub left_out: Vec<(StepName, Error)>,
    /// The steps that were not tried, because of what failed or because the run was stopped.
    pub not_tried: Vec<StepName>,
    /// Whether the run was stopped from outside.
    pub stopped: bool,
    /// The live resources of the stack, by logical id.
    pub live: BTreeMap<LogicalId, Live>,
    /// How long it all took.
    pub took: Duration,
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        #[derive(Serialize)]
        struct Done<'a> {
            #[serde(flatten)]
            step: &'a StepName,
            took_ms: u128,
        }
        #[derive(Serialize)]
        struct Failed<'a> {
            #[serde(flatten)]
            step: &'a StepName,
            error: String,
        }
        let done: Vec<_> =
            self.done.iter().map(|(step, took)| Done { step, took_ms: took.as_millis() }).collect();
        let failed: Vec<_> = self
            .failed
            .iter()
            .map(|(step, error)| Failed { step, error: error.to_string() })
            .collect();
        let left_out: Vec<_> = self
            .left_out
            .iter()
            .map(|(step, error)| Failed { step, error: error.to_string() })
            .collect();
        let mut out = serializer.serialize_struct("Outcome", 6)?;
        out.serialize_field("left_out", &left_out)?;
        out.serialize_field("done", &done)?;
        out.serialize_field("failed", &failed)?;
        out.serialize_field("not_tried", &self.not_tried)?;
        out.serialize_field("stopped", &self.stopped)?;
        out.serialize_field("took_ms", &self.took.as_millis())?;
        out.end()
    }
}

impl Outcome {
    /// Whether all steps are done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.not_tried.is_empty()
    }
}

/// Carries out the steps.
pub async fn execute(
    aws: &Aws,
    stack: &Stack,
    steps: Steps,
    journal: Arc<Journal>,
    execution: Execution,
) -> Outcome {
    let begun = Instant::now();
    let run = Arc::new(Run {
        aws: aws.clone(),
        scope: Scope::Stack(stack.name().clone()),
        stack: stack.clone(),
        live: Mutex::new(steps.live.clone()),
        going: steps
            .all
            .iter()
            .filter(|step| step.what == What::Delete)
            .filter_map(|step| Some((step.kind.name(), step.live.as_ref()?.id.clone())))
            .collect(),
        left_out: Mutex::default(),
        slots: Semaphore::new(execution.concurrency.max(1)),
        journal,
        execution,
    });
    run.say(Event::Begun { steps: steps.all.len() });
    let names: Vec<StepName> = steps
        .all
        .iter()
        .enumerate()
        .map(|(step, of)| StepName {
            step,
            resource: of.resource.clone(),
            kind: of.kind.name(),
            what: of.what.to_string(),
        })
        .collect();

    let mut outcome = Outcome::default();
    let mut missing: Vec<usize> = steps.all.iter().map(|step| step.after.len()).collect();
    let mut behind: Vec<Vec<StepId>> = vec![Vec::new(); steps.all.len()];
    for (later, step) in steps.all.iter().enumerate() {
        for first in &step.after {
            behind[*first].push(later);
        }
    }
    // Longest way to go first; the id keeps the order stable.
    let priority = |step: StepId| (std::cmp::Reverse(steps.depth[step]), step);
    let mut startable: BTreeSet<_> =
        (0..steps.all.len()).filter(|step| missing[*step] == 0).map(priority).collect();
    let mut untried: BTreeSet<StepId> = (0..steps.all.len()).collect();
    let mut running = JoinSet::new();

    loop {
        let may_start = !startable.is_empty() && !run.execution.stop.is_cancelled();
        // Every step that has finished is seen before another one starts: it may make way for one that is more urgent.
        let finished = tokio::select! {
            biased;
            Some(finished) = running.join_next() => finished,
            () = run.execution.stop.cancelled(), if may_start => continue,
            () = run.take_slot(), if may_start => {
                if let Some((_, id)) = startable.pop_first() {
                    untried.remove(&id);
                    let (run, step, name) = (run.clone(), steps.all[id].clone(), names[id].clone());
                    running.spawn(async move {
                        let started = Instant::now();
                        run.say(Event::Started { step: name.clone() });
                        let result = run.step(&step, &name).await;
                        run.give_slot();
                        (id, result, started.elapsed())
                    });
                }
                continue;
            }
            else => break,
        };
        let (id, result, took) = match finished {
            Ok(finished) => finished,
            // A panic in a step is a bug; it must not look like success.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let name = names[id].clone();
        match result {
            Ok(Done::Yes) => {
                run.say(Event::Done { step: name.clone(), took_ms: took.as_millis() });
                outcome.done.push((name, took));
                for later in &behind[id] {
                    missing[*later] -= 1;
                    if missing[*later] == 0 {
                        startable.insert(priority(*later));
                    }
                }
            }
            Ok(Done::Stopped) => {
                untried.insert(id);
            }
            Err(error) => {
                run.say(Event::Failed { step: name.clone(), error: error.to_string() });
                outcome.failed.push((name, error));
            }
        }
    }
    outcome.stopped = run.execution.stop.is_cancelled();
    outcome.not_tried = untried.into_iter().map(|id| names[id].clone()).collect();
    outcome.left_out = run.left_out.lock().unwrap_or_else(PoisonError::into_inner).clone();
    outcome.live = run.live.lock().unwrap_or_else(PoisonError::into_inner).clone();
    outcome.took = begun.elapsed();
    outcome
}

struct Run {
    aws: Aws,
    scope: Scope,
    stack: Stack,
    live: Mutex<BTreeMap<LogicalId, Live>>,
    /// What this run deletes, by kind and id.
    going: BTreeSet<(&'static str, String)>,
    left_out: Mutex<Vec<(StepName, Error)>>,
    /// One for each step that may call at a time. A step has one from its start to its end, except while it waits.
    slots: Semaphore,
    journal: Arc<Journal>,
    execution: Execution,
}

enum Done {
    Yes,
    /// The run was stopped while this step waited; nothing is lost.
    Stopped,
}

impl Run {
    fn say(&self, event: Event) {
        tracing::debug!(?event);
        if let Some(events) = &self.execution.events {
            let _ = events.send(event);
        }
    }

    async fn take_slot(&self) {
        self.slots.acquire().await.expect("it is never closed").forget();
    }

    fn give_slot(&self) {
        self.slots.add_permits(1);
    }

    /// Waits, unless the run is stopped meanwhile, and lets other steps call for so long. Whether it was stopped.
    async fn wait(&self, time: Duration) -> bool {
        self.give_slot();
        let stopped = tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = self.execution.stop.cancelled() => true,
        };
        self.take_slot().await;
        stopped
    }

    async fn step(&self, step: &Step, name: &StepName) -> Result<Done> {
        let watched = Watched {
            step: name.clone(),
            stop: self.execution.stop.clone(),
            events: self.execution.events.clone(),
        };
        match wait::watching(watched, self.carry_out(step, name)).await {
            Err(Error::Stopped) => Ok(Done::Stopped),
            done => done,
        }
    }

    async fn carry_out(&self, step: &Step, name: &StepName) -> Result<Done> {
        match step.what {
            What::Create { beside } => self.create(step, name, beside).await,
            What::Revive => self.revive(step, name).await,
            What::Configure => self.configure(step, name).await,
            What::Update => self.update(step, name).await,
            What::Ready => self.ready(step, name).await,
            What::Detach => self.detach(step, name).await,
            What::Delete => self.delete(step, name).await,
        }
    }

    fn known(&self, id: &LogicalId) -> Result<Live> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.get(id).cloned().ok_or_else(|| {
            Error::invalid(id.as_str(), "it does not exist at this point of the run")
        })
    }

    fn remember(&self, id: &LogicalId, live: Live) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), live);
    }

    /// The node's attributes with all that is known filled in, its tags likewise.
    fn resolved(&self, step: &Step) -> Result<(Value, Tags)> {
        let node = self.stack.node(&step.resource).ok_or_else(|| {
            Error::invalid(step.resource.as_str(), "the stack does not declare it")
        })?;
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let spec = substitute(&node.spec, &mut |placeholder| {
            live.get(&placeholder.id)?.output(&placeholder.output).map(str::to_owned)
        });
        Ok((spec, node.tags.clone()))
    }

    async fn create(&self, step: &Step, name: &StepName, beside: bool) -> Result<Done> {
        let (mut spec, tags) = self.resolved(step)?;
        let traits = step.kind.traits;
        for (field, value) in spec.as_object().into_iter().flatten() {
            if !traits.late.contains(&field.as_str()) && has_placeholder(value) {
                return Err(Error::invalid(
                    format!("{}.{field}", step.resource),
                    "it refers to an output that the other resource does not have",
                ));
            }
        }
        if beside && let Some(field) = traits.name {
            successor_name(&mut spec, field, traits.immutable);
        }
        let (token, resumed) =
            self.journal.intend(&step.resource, traits.kind).map_err(journal_error)?;
        if resumed && let Some(found) = self.look_for(step, &spec).await? {
            return self.created(step, found);
        }
        let mut new = New { tags, token };
        let mut made = self.make(step, name, &spec, &new).await;
        // An earlier run made it and AWS did not show it when the inventory was taken.
        if let Err(Error::Api(error)) = &made
            && was_made_before(error)
        {
            if let Some(found) = self.look_for(step, &spec).await? {
                return self.created(step, found);
            }
            if resumed && is_other_call(error) {
                // That run's call was for something else; its token says nothing about this one.
                self.journal.refused(&step.resource).map_err(journal_error)?;
                (new.token, _) =
                    self.journal.intend(&step.resource, traits.kind).map_err(journal_error)?;
                made = self.make(step, name, &spec, &new).await;
            }
        }
        match made {
            Ok(Some(live)) => self.created(step, live),
            // What was sent may have taken effect: the next run looks for it.
            Ok(None) | Err(Error::Stopped) => Ok(Done::Stopped),
            Err(error) => {
                if !is_unsure(&error) {
                    self.journal.refused(&step.resource).map_err(journal_error)?;
                }
                Err(error)
            }
        }
    }

    /// The create call. When its answer does not come, it may have taken effect: it is made again once AWS,
    /// asked for as long as it may take to show it, does not show the resource.
    async fn make(
        &self,
        step: &Step,
        name: &StepName,
        spec: &Value,
        new: &New,
    ) -> Result<Option<Live>> {
        let mut tries = 1;
        loop {
            let create = || -> futures::future::BoxFuture<'_, _> {
                Box::pin(creating((step.kind.create)(&self.aws, spec, new)))
            };
            let error = match self.patiently(step, name, create).await {
                Err(error)
                    if is_unsure(&error)
                        && tries < UNSURE_TRIES
                        && !error.api().is_some_and(|api| self.aws.lacks(api)) =>
                {
                    error
                }
                other => return other,
            };
            tries += 1;
            self.say(Event::Waiting {
                step: name.clone(),
                what: format!("whether AWS has made it after all ({error})"),
            });
            if let Some(found) = self.look_for(step, spec).await? {
                return Ok(Some(found));
            }
        }
    }

    fn created(&self, step: &Step, live: Live) -> Result<Done> {
        self.journal.created(&step.resource, &live.id).map_err(journal_error)?;
        self.remember(&step.resource, live);
        Ok(Done::Yes)
    }

    /// Asks AWS for a resource of ours that the inventory did not show, for as long as AWS may take
    /// to show it.
    async fn look_for(&self, step: &Step, spec: &Value) -> Result<Option<Live>> {
        let give_up = Instant::now() + self.aws.consistency_window();
        let mut pause = Duration::from_millis(500);
        loop {
            let found = (step.kind.reader.collect)(&self.aws, &self.scope).await;
            let ours = found.live.into_iter().find(|live| {
                live.status != Status::Deleting
                    && !self.is_predecessor(step, live, spec)
                    && match step.kind.traits.identity {
                        Identity::Tags => self.is_ours(&step.resource, &live.tags),
                        Identity::Parent { key, .. } => {
                            key.iter().all(|field| live.spec.get(*field) == spec.get(*field))
                        }
                        Identity::Setting => true,
                    }
            });
            if ours.is_some() {
                return Ok(ours);
            }
            if self.execution.stop.is_cancelled() {
                return Err(Error::Stopped);
            }
            if let Some(error) = found.errors.into_iter().next() {
                return Err(Error::Api(error));
            }
            if Instant::now() + pause > give_up {
                return Ok(None);
            }
            if self.wait(pause).await {
                return Err(Error::Stopped);
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Whether this is not what was asked for but what stood there before, which AWS may still show: it goes in
    /// this run, or it differs in what cannot change.
    fn is_predecessor(&self, step: &Step, live: &Live, spec: &Value) -> bool {
        self.going.contains(&(step.kind.name(), live.id.clone()))
            || diff::attributes(&step.kind, &live.spec, spec)
                .iter()
                .any(|change| step.kind.is_fixed(change))
    }

    fn is_ours(&self, resource: &LogicalId, tags: &Tags) -> bool {
        tags.get(STACK_TAG) == Some(&self.stack.name().to_string())
            && tags.get(RESOURCE_TAG).map(String::as_str) == Some(resource.as_str())
    }

    async fn configure(&self, step: &Step, name: &StepName) -> Result<Done> {
        if step.kind.traits.late_when_ready
            && let Done::Stopped = self.ready(step, name).await?
        {
            return Ok(Done::Stopped);
        }
        let (spec, _) = self.resolved(step)?;
        self.apply(step, name, self.known(&step.resource)?, &spec, None).await
    }

    /// Takes a scheduled deletion back, and nothing else: what differs beside it waits for its inputs.
    async fn revive(&self, step: &Step, name: &StepName) -> Result<Done> {
        let mut live = self.known(&step.resource)?;
        let back = FieldChange { path: REVIVE.into(), old: true.into(), new: false.into() };
        let changes = Changes(vec![back]);
        let (spec, _) = self.resolved(step)?;
        let done = self
            .patiently(step, name, || (step.kind.update)(&self.aws, &spec, &live, &changes))
            .await?;
        if done.is_none() {
            return Ok(Done::Stopped);
        }
        live.status = Status::Ready;
        self.remember(&step.resource, live);
        Ok(Done::Yes)
    }

    async fn update(&self, step: &Step, name: &StepName) -> Result<Done> {
        let (spec, tags) = self.resolved(step)?;
        let live = self.known(&step.resource)?;
        let tags = (step.kind.traits.identity == Identity::Tags).then_some(tags);
        self.apply(step, name, live, &spec, tags).await
    }

    /// Makes a live resource what `spec` and `tags` say.
    async fn apply(
        &self,
        step: &Step,
        name: &StepName,
        mut live: Live,
        spec: &Value,
        tags: Option<Tags>,
    ) -> Result<Done> {
        if has_placeholder(spec) {
            return Err(Error::invalid(
                step.resource.as_str(),
                "it refers to an output that another resource does not have",
            ));
        }
        let changes = Changes(diff::attributes(&step.kind, &live.spec, spec));
        if !changes.is_empty() {
            let done = self
                .patiently(step, name, || (step.kind.update)(&self.aws, spec, &live, &changes))
                .await;
            match done {
                Ok(Some(())) => live.status = Status::Ready,
                Ok(None) => return Ok(Done::Stopped),
                Err(Error::Api(error)) if self.aws.lacks(&error) => {
                    self.leave_out(name, error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(wanted) = tags {
            let put: Tags = wanted
                .iter()
                .filter(|(key, value)| live.tags.get(*key) != Some(*value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let remove: Vec<String> = live
                .tags
                .keys()
                .filter(|key| !wanted.contains_key(*key) && !key.starts_with("aws:"))
                .cloned()
                .collect();
            if !(put.is_empty() && remove.is_empty()) {
                let tag = || (step.kind.tag)(&self.aws, &live, &put, &remove);
                if self.patiently(step, name, tag).await?.is_none() {
                    return Ok(Done::Stopped);
                }
                live.tags = wanted;
            }
        }
        // The name of a successor stays what it is.
        let name_field = step.kind.traits.name;
        let old_name = name_field.and_then(|field| live.spec.get(field).cloned());
        live.spec = spec.clone();
        if let (Some(field), Some(old)) = (name_field, old_name) {
            live.spec[field] = old;
        }
        self.remember(&step.resource, live);
        Ok(Done::Yes)
    }

    async fn ready(&self, step: &Step, name: &StepName) -> Result<Done> {
        let poll = step.kind.traits.ready;
        let begun = Instant::now();
        loop {
            let mut live = self.known(&step.resource)?;
            let what = match (step.kind.ready)(&self.aws, &live).await {
                Ok(Readiness::Ready(outputs)) => {
                    live.outputs.extend(outputs);
                    live.status = Status::Ready;
                    self.remember(&step.resource, live);
                    return Ok(Done::Yes);
                }
                Ok(Readiness::Failed(reason)) => {
                    return Err(Error::Failed {
                        what: format!("{} {} ({})", step.kind.name(), live.id, step.resource),
                        reason,
                    });
                }
                Ok(Readiness::Pending(what)) => what,
                Err(Error::Api(error))
                    if error.is_not_found() && begun.elapsed() < NOT_YET.deadline =>
                {
                    "AWS to show it".to_owned()
                }
                Err(error) => return Err(error),
            };
            let what = format!("{} {}: {what}", step.kind.name(), live.id);
            if !self.pause(name, &what, begun, poll).await? {
                return Ok(Done::Stopped);
            }
        }
    }

    async fn detach(&self, step: &Step, name: &StepName) -> Result<Done> {
        let Some(live) = &step.live else { return Ok(Done::Yes) };
        let result = self.patiently(step, name, || (step.kind.detach)(&self.aws, live)).await;
        match result {
            Ok(Some(())) => Ok(Done::Yes),
            Ok(None) => Ok(Done::Stopped),
            Err(Error::Api(error)) if error.is_not_found() => Ok(Done::Yes),
            // What the server has no operation for it does not hold either.
            Err(Error::Api(error)) if self.aws.lacks(&error) => Ok(Done::Yes),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, step: &Step, name: &StepName) -> Result<Done> {
        let Some(live) = &step.live else { return Ok(Done::Yes) };
        let poll = step.kind.traits.gone;
        let mut begun = Instant::now();
        let mut asked = live.status == Status::Deleting;
        loop {
            let what = if asked {
                match (step.kind.gone)(&self.aws, live).await {
                    Ok(true) => break,
                    Ok(false) => "its deletion".to_owned(),
                    Err(Error::Api(error)) if error.is_not_found() => break,
                    Err(error) => return Err(error),
                }
            } else {
                match (step.kind.delete)(&self.aws, live, &self.execution.deletion).await {
                    Ok(()) => {
                        asked = true;
                        // What still used it has had its time; now comes that of the deletion itself.
                        begun = Instant::now();
                        continue;
                    }
                    Err(Error::Api(error)) if error.is_not_found() => break,
                    Err(Error::Api(error)) if self.aws.lacks(&error) => {
                        self.leave_out(name, error);
                        return Ok(Done::Yes);
                    }
                    Err(Error::Api(error))
                        if error.is_in_use() || is_not_yet(step.kind, &error) =>
                    {
                        format!("what still uses it ({})", error.code)
                    }
                    Err(error) => return Err(error),
                }
            };
            let what = format!("{} {}: {what}", step.kind.name(), live.id);
            // How long others hold on to it has nothing to do with how long its own deletion takes.
            let poll = if asked { poll } else { Poll { expected: Duration::ZERO, ..poll } };
            if !self.pause(name, &what, begun, poll).await? {
                return Ok(Done::Stopped);
            }
        }
        self.journal.deleted(&live.id).map_err(journal_error)?;
        let mut known = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&step.resource).is_some_and(|current| current.id == live.id) {
            known.remove(&step.resource);
        }
        Ok(Done::Yes)
    }

    /// An imitation of AWS has no operation for this.
    fn leave_out(&self, name: &StepName, error: ApiError) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.push((name.clone(), Error::Api(error)));
    }

    /// Calls until it works, as long as AWS says "not yet", or does not find what this run may have made
    /// moments ago. What is still being made or changed takes no change, and that may last: "not yet" is believed
    /// then for as long as readiness may take. `None` when the run was stopped.
    async fn patiently<'b, T>(
        &self,
        step: &Step,
        name: &StepName,
        mut call: impl FnMut() -> futures::future::BoxFuture<'b, Result<T>> + Send,
    ) -> Result<Option<T>> {
        let begun = Instant::now();
        // What is let go of and deleted was there before.
        let unseen = match step.what {
            What::Detach | What::Delete => Duration::ZERO,
            _ => self.aws.consistency_window(),
        };
        loop {
            match call().await {
                Ok(done) => return Ok(Some(done)),
                Err(Error::Api(error))
                    if is_not_yet(step.kind, &error)
                        || (error.is_not_found() && begun.elapsed() < unseen) =>
                {
                    let (why, poll) = match self.work_under_way(step).await {
                        Some(work) => {
                            let poll = step.kind.traits.ready;
                            (work, Poll { deadline: poll.deadline.max(NOT_YET.deadline), ..poll })
                        }
                        None => ("AWS says \"not yet\"".to_owned(), NOT_YET),
                    };
                    if begun.elapsed() + poll.pause(begun.elapsed()) > poll.deadline {
                        return Err(Error::Api(error));
                    }
                    let (kind, resource) = (step.kind.name(), &step.resource);
                    let what = format!("{kind} {resource}: {why} ({})", error.code);
                    if !self.pause(name, &what, begun, poll).await? {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What AWS is doing with the resource that a step changes, in AWS's words.
    async fn work_under_way(&self, step: &Step) -> Option<String> {
        if !matches!(step.what, What::Update | What::Configure) {
            return None;
        }
        let live = self.known(&step.resource).ok()?;
        // Should this call fail, there is still the error that led here.
        match (step.kind.ready)(&self.aws, &live).await {
            Ok(Readiness::Pending(work)) => Some(work),
            _ => None,
        }
    }

    /// Waits a while; `false` when the run was stopped, an error when the deadline has passed.
    async fn pause(&self, name: &StepName, what: &str, begun: Instant, poll: Poll) -> Result<bool> {
        if begun.elapsed() >= poll.deadline {
            return Err(Error::overdue(what, begun.elapsed()));
        }
        self.say(Event::Waiting { step: name.clone(), what: what.to_owned() });
        Ok(!self.wait(poll.pause(begun.elapsed())).await)
    }
}

/// Whether the call may have taken effect all the same: its answer never came, or says that AWS broke.
fn is_unsure(error: &Error) -> bool {
    error.api().is_some_and(|api| !api.is_throttled() && api.status.is_none_or(|s| s >= 500))
}

fn is_not_yet(kind: Kind, error: &ApiError) -> bool {
    kind.traits
        .not_yet
        .iter()
        .any(|(code, part)| error.code == *code && error.message.contains(part))
}

/// The name is taken, or the client token was used with other parameters: both say that an earlier
/// call took effect.
fn was_made_before(error: &ApiError) -> bool {
    error.is_exists() || is_other_call(error)
}

/// The client token was used with other parameters.
fn is_other_call(error: &ApiError) -> bool {
    error.code.contains("Idempotent")
}

fn journal_error(error: std::io::Error) -> Error {
    Error::invalid("the journal", error)
}

/// The name of a resource that has to exist beside its predecessor: the same attributes give the same
/// name, so a run that was killed and is repeated arrives at the same one.
fn successor_name(spec: &mut Value, field: &str, immutable: &[&str]) {
    let mut hash = Sha256::new();
    for name in immutable {
        hash.update(name.as_bytes());
        hash.update(spec.get(*name).unwrap_or(&Value::Null).to_string().as_bytes());
    }
    let digest = hash.finalize();
    if let Some(Value::String(name)) = spec.get_mut(field) {
        name.push_str(&format!("-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]));
    }
}
