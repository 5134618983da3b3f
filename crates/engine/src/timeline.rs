//! When what happens: the timeline that a plan's steps are expected to have, the one that a run had, and the time that no
//! run of a graph can do without.
//!
//! Everything here is a pure function of steps or graphs and of times that somebody else knows, but for [`Recording`],
//! which reads the clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::execute::Event;
use crate::reference::{Need, Placeholder};
use crate::stack::{LogicalId, Node, Stack};
use crate::steps::{Step, StepId, Steps, What};

/// How long a kind of resource takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// From the answer of the create call until it works.
    pub ready: Duration,
    /// How long a change keeps it from taking another one.
    pub change: Duration,
    /// From the answer of the delete call until it is gone.
    pub gone: Duration,
}

/// How long things are expected to take.
pub struct Expectation<'a> {
    /// A call.
    pub call: Duration,
    /// A resource of a kind.
    pub of: &'a dyn Fn(&str, &LogicalId) -> Latency,
}

/// When each step of a plan begins and ends.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// The steps, by their beginning. Those that never began are not listed.
    pub spans: Vec<Span>,
    /// The steps that make it last as long as it does, the first one first: each begins when the one before it ends.
    pub critical_path: Vec<StepId>,
    /// How long all of it takes.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
}

/// A step, and when it is at work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// Its place in [`Steps::all`].
    pub step: StepId,
    /// The resource.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: &'static str,
    /// What is done with it: `create`, `wait for`…
    #[serde(serialize_with = "word")]
    pub what: What,
    /// When it begins.
    #[serde(rename = "start_seconds", serialize_with = "seconds")]
    pub start: Duration,
    /// When it ends.
    #[serde(rename = "end_seconds", serialize_with = "seconds")]
    pub end: Duration,
    /// How it ended.
    pub ending: Ending,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was done, or is expected to be.
    Done,
    /// It failed.
    Failed,
    /// The run was stopped while it waited.
    Stopped,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Milliseconds are as exact as anything here is.
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

fn word<S: Serializer>(what: &What, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(what)
}

impl Timeline {
    /// What is expected to happen: each step as soon as its inputs exist, as the executor does it. How many may call at
    /// a time does not show: next to what is waited for, calls take no time.
    pub fn expected(steps: &Steps, expectation: &Expectation<'_>) -> Self {
        let mut behind: Vec<Vec<StepId>> = vec![Vec::new(); steps.all.len()];
        let mut missing: Vec<usize> = Vec::with_capacity(steps.all.len());
        for (later, step) in steps.all.iter().enumerate() {
            missing.push(step.after.len());
            step.after.iter().for_each(|first| behind[*first].push(later));
        }
        let mut startable: Vec<StepId> =
            (0..steps.all.len()).filter(|step| missing[*step] == 0).collect();
        let mut running: BinaryHeap<Reverse<(Duration, StepId)>> = BinaryHeap::new();
        let mut times: BTreeMap<StepId, (Duration, Duration)> = BTreeMap::new();
        // Since when AWS is at work on a resource.
        let mut made: HashMap<&LogicalId, Duration> = HashMap::new();
        let mut now = Duration::ZERO;
        loop {
            for id in startable.drain(..) {
                let step = &steps.all[id];
                let end = expected_end(step, now, made.get(&step.resource).copied(), expectation);
                times.insert(id, (now, end));
                running.push(Reverse((end, id)));
            }
            let Some(Reverse((end, id))) = running.pop() else { break };
            now = end;
            let step = &steps.all[id];
            if matches!(step.what, What::Create { .. } | What::Revive | What::Update) {
                made.entry(&step.resource).or_insert(end);
            }
            for &later in &behind[id] {
                missing[later] -= 1;
                if missing[later] == 0 {
                    startable.push(later);
                }
            }
        }
        let times = times.into_iter().map(|(id, (start, end))| (id, (start, end, Ending::Done)));
        Self::of(steps, times.collect())
    }

    fn of(steps: &Steps, times: BTreeMap<StepId, (Duration, Duration, Ending)>) -> Self {
        let span =
            |(&step, &(start, end, ending)): (&StepId, &(Duration, Duration, Ending))| Span {
                step,
                resource: steps.all[step].resource.clone(),
                kind: steps.all[step].kind.name(),
                what: steps.all[step].what,
                start,
                end,
                ending,
            };
        let mut spans: Vec<Span> = times.iter().map(span).collect();
        spans.sort_by_key(|span| (span.start, span.end, span.step));
        let last = spans.iter().max_by_key(|span| (span.end, Reverse(span.step)));
        let duration = last.map(|span| span.end).unwrap_or_default();
        let mut critical_path: Vec<StepId> = Vec::new();
        let mut next = last.map(|span| span.step);
        while let Some(step) = next {
            critical_path.push(step);
            let ended = |id: &StepId| times.get(id).map(|(_, end, _)| *end);
            next = steps.all[step].after.iter().max_by_key(|id| ended(id)).copied();
        }
        critical_path.reverse();
        Self { spans, critical_path, duration }
    }

    /// Whether a step is on the critical path.
    pub fn is_critical(&self, step: StepId) -> bool {
        self.critical_path.contains(&step)
    }

    /// The spans of the critical path, the first one first.
    pub fn critical_spans(&self) -> Vec<&Span> {
        let of = |step: &StepId| self.spans.iter().find(|span| span.step == *step);
        self.critical_path.iter().filter_map(of).collect()
    }

    /// A bar for each resource that is made or changed, and for each that goes: from its first step to its last.
    pub fn bars(&self) -> Vec<Bar> {
        let mut bars: BTreeMap<(&LogicalId, bool), Bar> = BTreeMap::new();
        for span in &self.spans {
            let goes = matches!(span.what, What::Detach | What::Delete);
            let bar = bars.entry((&span.resource, goes)).or_insert_with(|| Bar {
                resource: span.resource.clone(),
                kind: span.kind,
                goes,
                start: span.start,
                end: span.end,
                is_critical: false,
                ending: Ending::Done,
                parts: Vec::new(),
            });
            bar.start = bar.start.min(span.start);
            bar.end = bar.end.max(span.end);
            bar.is_critical |= self.is_critical(span.step);
            if span.ending != Ending::Done {
                bar.ending = span.ending;
            }
            bar.parts.push((span.start, span.end));
        }
        let mut bars: Vec<Bar> = bars.into_values().collect();
        bars.sort_by(|a, b| (a.start, a.end, &a.resource).cmp(&(b.start, b.end, &b.resource)));
        bars
    }
}

/// All that happens with one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The resource.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it goes; else it is made or changed.
    pub goes: bool,
    /// When its first step begins.
    pub start: Duration,
    /// When its last step ends.
    pub end: Duration,
    /// Whether one of its steps is on the critical path.
    pub is_critical: bool,
    /// How it ended.
    pub ending: Ending,
    /// When its steps are at work.
    pub parts: Vec<(Duration, Duration)>,
}

impl Bar {
    /// How long its steps are at work; the time that it spends waiting for other resources does not count.
    pub fn busy(&self) -> Duration {
        self.parts.iter().map(|(start, end)| *end - *start).sum()
    }
}

fn expected_end(
    step: &Step,
    start: Duration,
    made: Option<Duration>,
    expectation: &Expectation<'_>,
) -> Duration {
    let Expectation { call, of } = expectation;
    let (call, latency) = (*call, of(step.kind.name(), &step.resource));
    // A resource whose creation an earlier run began may need all of its time still.
    let works = made.unwrap_or(start) + latency.ready;
    match step.what {
        What::Create { .. } | What::Revive | What::Detach => start + call,
        What::Configure => {
            // What is changed once it works keeps it busy, field by field.
            let late = u32::try_from(step.kind.traits.late.len()).unwrap_or(u32::MAX);
            match step.kind.traits.late_when_ready {
                true => start.max(works) + call + latency.change * late,
                false => start + call,
            }
        }
        What::Update => start + call + latency.change,
        What::Ready if step.live.is_some() => start + call,
        What::Ready => start.max(works) + call,
        What::Delete if latency.gone.is_zero() => start + call,
        What::Delete => start + call + latency.gone + call,
    }
}

/// Notes when the steps of a run begin and end.
#[derive(Debug)]
pub struct Recording {
    begun: Instant,
    times: BTreeMap<StepId, (Duration, Duration, Ending)>,
    open: BTreeMap<StepId, Duration>,
}

impl Recording {
    /// Begins now.
    pub fn start() -> Self {
        Self { begun: Instant::now(), times: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// Notes what happens at this moment.
    pub fn note(&mut self, event: &Event) {
        let now = self.begun.elapsed();
        match event {
            Event::Started { step } => {
                self.open.insert(step.step, now);
            }
            Event::Done { step, .. } => self.close(step.step, now, Ending::Done),
            Event::Failed { step, .. } => self.close(step.step, now, Ending::Failed),
            Event::Begun { .. } => self.begun = Instant::now(),
            Event::Waiting { .. } => {}
        }
    }

    fn close(&mut self, step: StepId, now: Duration, ending: Ending) {
        let start = self.open.remove(&step).unwrap_or(now);
        self.times.insert(step, (start, now, ending));
    }

    /// What happened. The steps are those of the run.
    pub fn timeline(mut self, steps: &Steps) -> Timeline {
        let now = self.begun.elapsed();
        for step in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(step, now, Ending::Stopped);
        }
        Timeline::of(steps, self.times)
    }
}

/// The time that nobody can do without: the longest way through a graph, of creation calls and the time until resources
/// work, or of delete calls and the time until they are gone. Nothing that a program does beside is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriticalPath {
    /// How long it takes.
    pub duration: Duration,
    /// What it leads through, the first one first.
    pub legs: Vec<Leg>,
}

/// A part of a critical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The resource.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: &'static str,
    /// How far the path is at its end.
    pub until: Duration,
    /// How long it takes.
    pub took: Duration,
}

/// What has to be true of a resource, and from when on it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fact {
    /// The create call has returned.
    Created,
    /// AWS has done its work.
    Works,
    /// And it is configured.
    Ready,
    /// It holds on to nothing that was set after its creation.
    LetGo,
    /// It is there no more.
    Gone,
}

/// Computes when facts can be true at the earliest, by what they need.
struct Earliest<'a, F: Fn(&'a Node, Fact) -> (Vec<Of>, Duration)> {
    stack: &'a Stack,
    /// What a fact needs, and how long it takes from then on.
    needs: F,
    known: HashMap<Of, (Duration, Option<Of>)>,
}

/// A fact of a resource.
type Of = (LogicalId, Fact);

impl<'a, F: Fn(&'a Node, Fact) -> (Vec<Of>, Duration)> Earliest<'a, F> {
    fn of(&mut self, id: &LogicalId, fact: Fact) -> Duration {
        let key = (id.clone(), fact);
        if let Some((time, _)) = self.known.get(&key) {
            return *time;
        }
        // A circle would be refused by the plan; here it only has to come to an end.
        self.known.insert(key.clone(), (Duration::ZERO, None));
        let Some(node) = self.stack.node(id) else { return Duration::ZERO };
        let (needs, takes) = (self.needs)(node, fact);
        let mut latest: Option<(Duration, Of)> = None;
        for (id, fact) in needs {
            let time = self.of(&id, fact);
            if latest.as_ref().is_none_or(|(known, _)| time > *known) {
                latest = Some((time, (id, fact)));
            }
        }
        let (begin, from) =
            latest.map_or((Duration::ZERO, None), |(time, from)| (time, Some(from)));
        self.known.insert(key, (begin + takes, from));
        begin + takes
    }

    fn path(mut self, fact: Fact) -> CriticalPath {
        let ids: Vec<LogicalId> = self.stack.nodes().map(|node| node.id.clone()).collect();
        let mut next = None;
        let mut duration = Duration::ZERO;
        for id in ids {
            let time = self.of(&id, fact);
            if time > duration || next.is_none() {
                (duration, next) = (time, Some((id, fact)));
            }
        }
        let mut legs: Vec<Leg> = Vec::new();
        while let Some(key) = next {
            let Some((until, from)) = self.known.get(&key).cloned() else { break };
            let since = from.as_ref().and_then(|from| self.known.get(from)).map(|known| known.0);
            let took = until - since.unwrap_or_default();
            match legs.last_mut() {
                Some(leg) if leg.resource == key.0 => leg.took += took,
                _ => legs.push(Leg {
                    kind: self.stack.node(&key.0).map_or("", |node| node.kind.name()),
                    resource: key.0,
                    until,
                    took,
                }),
            }
            next = from;
        }
        legs.reverse();
        CriticalPath { duration, legs }
    }
}

/// The critical path of making everything in a graph.
pub fn creation(stack: &Stack, expectation: &Expectation<'_>) -> CriticalPath {
    let fact_of = |need: &Need| match need {
        Need::Created => Fact::Created,
        Need::Ready => Fact::Ready,
    };
    let all = |node: &Node, needs: BTreeSet<Placeholder>| -> Vec<Of> {
        let others = needs.into_iter().filter(|need| need.id != node.id);
        others.map(|need| (need.id, fact_of(&need.need))).collect()
    };
    let needs = |node: &Node, fact: Fact| match fact {
        Fact::Created => (all(node, node.create_needs()), expectation.call),
        Fact::Works => {
            let takes = (expectation.of)(node.kind.name(), &node.id).ready;
            (vec![(node.id.clone(), Fact::Created)], takes)
        }
        // It comes up while what is set later is still to be known.
        _ => {
            let mut needs = all(node, node.late_needs());
            needs.push((node.id.clone(), Fact::Works));
            (needs, Duration::ZERO)
        }
    };
    Earliest { stack, needs, known: HashMap::new() }.path(Fact::Ready)
}

/// The critical path of removing everything in a graph: what refers to something goes before it, or (for what is set
/// after creation) lets go of it.
pub fn deletion(stack: &Stack, expectation: &Expectation<'_>) -> CriticalPath {
    let mut users: HashMap<LogicalId, BTreeSet<Of>> = HashMap::new();
    for node in stack.nodes() {
        let late = node.late_needs().into_iter().map(|need| (need.id, Fact::LetGo));
        let fixed = node.create_needs().into_iter().filter(|need| !node.after.contains(need));
        let fixed = fixed.map(|need| (need.id, Fact::Gone));
        for (used, fact) in fixed.chain(late).filter(|(used, _)| *used != node.id) {
            users.entry(used).or_default().insert((node.id.clone(), fact));
        }
    }
    let needs = |node: &Node, fact: Fact| match fact {
        Fact::Gone => {
            let first = users.get(&node.id).into_iter().flatten().cloned().collect();
            (first, expectation.call + (expectation.of)(node.kind.name(), &node.id).gone)
        }
        _ => (Vec::new(), expectation.call),
    };
    Earliest { stack, needs, known: HashMap::new() }.path(Fact::Gone)
}
