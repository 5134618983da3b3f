//! A world to run deploys in: an account, the way to it with its weather, a virtual clock, and a process that
//! can die.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::deploy::{is_settled, left_to_do};
use engine::execute::{Event, Execution, execute};
use engine::inventory::collect;
use engine::journal::Intent;
use engine::plan::{self, Options};
use engine::steps::Steps;
use engine::{Aws, Deletion, Inventory, Journal, Kind, Plan, Scope, Stack, StackName, Target};
use jiff::{SignedDuration, Timestamp};
use local::weather::{Fate, Forecast, Pace, Seen, Weather};
use local::{Account, ControlPlane, Delays};
use miette::Diagnostic;
use tokio::sync::mpsc::UnboundedReceiver;

/// No run may take longer, by the virtual clock. The longest deadline of a kind is 45 minutes, and chains of
/// such kinds are short.
pub const LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// What a run is to reach.
#[derive(Debug, Clone)]
pub enum Goal {
    /// This stack.
    Up(Box<Stack>),
    /// Nothing of this stack, data included.
    Down(StackName),
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// All is done.
    Done,
    /// It stopped with errors: each as a person reads it, with its help.
    Stopped(Vec<String>),
    /// The process died.
    Died,
    /// It waits without a deadline, for this and as these calls.
    Endless(String),
}

impl End {
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// All that a process leaves behind when it dies, and when.
#[derive(Debug, Clone)]
pub struct Remains {
    /// What the account holds.
    pub account: Account,
    /// What it was before.
    pub past: Vec<(Timestamp, Arc<Account>)>,
    /// What the journal holds.
    pub intents: Vec<Intent>,
    /// When.
    pub at: Timestamp,
    /// Between which calls.
    pub moment: String,
    /// The how-manieth moment of its run.
    pub number: usize,
}

/// A world. One thread, one clock.
pub struct World {
    pub weather: Weather,
    pub aws: Aws,
    kinds: Vec<Kind>,
    /// The calls of the last run.
    pub calls: RefCell<Vec<Seen>>,
    /// With which of them the last run began to look whether all is as it should be.
    pub looks_from: Cell<usize>,
    /// Whether runs look, at their end, whether all is as it should be. That is half of their calls; who compares the
    /// account afterwards knows more.
    pub looks: Cell<bool>,
    /// What the last run said.
    events: RefCell<Option<UnboundedReceiver<Event>>>,
}

/// Runs something in a world of its own, on this thread, with a clock that stands still unless all wait.
pub fn in_world<T>(kinds: Vec<Kind>, delays: Delays, run: impl AsyncFnOnce(World) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let weather = Weather::over(ControlPlane::in_memory_with(delays));
        let aws = Aws::connect(Target::Simulated(weather.http_client()), Some("us-east-1"));
        let aws = aws.await.expect("the account answers");
        run(World {
            weather,
            aws,
            kinds,
            calls: RefCell::default(),
            looks_from: Cell::new(usize::MAX),
            looks: Cell::new(true),
            events: RefCell::default(),
        })
        .await
    })
}

impl World {
    /// An empty account, as it is before a first deploy.
    pub fn beginning(&self) -> Remains {
        Remains {
            account: Account::comparable(),
            past: Vec::new(),
            intents: Vec::new(),
            at: Timestamp::now(),
            moment: "at the beginning".into(),
            number: 0,
        }
    }

    /// The account as a dead process left it, at that time.
    pub fn resume(&self, remains: &Remains) {
        self.weather.plane().restore(remains.account.clone(), remains.at);
        self.weather.set_past(remains.past.clone());
    }

    /// The account as it is, with nothing in a journal.
    pub fn remains(&self, journal: &Journal, moment: impl Into<String>) -> Remains {
        Remains {
            account: self.weather.plane().snapshot(),
            past: self.weather.past(),
            intents: journal.intents(),
            at: self.weather.plane().now(),
            moment: moment.into(),
            number: 0,
        }
    }

    /// As [`resume`](Self::resume), once AWS shows everywhere what there is: what a machine that has no journal
    /// waits for, because the lease of the dead process outlasts it.
    pub fn resume_later(&self, remains: &Remains) {
        let at = remains.at + SignedDuration::from_mins(2);
        self.resume(&Remains { at, past: Vec::new(), ..remains.clone() });
    }

    /// The journal with which a process starts that finds these remains.
    pub fn journal(&self, intents: &[Intent]) -> Arc<Journal> {
        Arc::new(Journal::resumed(intents.iter().cloned(), self.weather.plane().now()))
    }

    /// One process, from its start to its end, in this weather: it plans and does what the plan says.
    pub async fn run(
        &self,
        goal: &Goal,
        journal: Arc<Journal>,
        forecast: impl Forecast + 'static,
        pace: Pace,
    ) -> End {
        self.weather.begin(forecast, pace);
        let end = tokio::select! {
            biased;
            () = self.weather.death() => End::Died,
            end = self.process(goal, journal) => end,
            () = tokio::time::sleep(LIMIT) => End::Endless(self.last_words()),
        };
        self.calls.replace(self.weather.calls());
        // What the dead process was doing ends with it.
        self.weather.begin(|_: &Seen| Fate::Fair, Pace::None);
        tokio::task::yield_now().await;
        end
    }

    /// What it was doing when it had to be ended.
    fn last_words(&self) -> String {
        let mut waits = BTreeSet::new();
        let mut events = self.events.borrow_mut();
        while let Some(Ok(event)) = events.as_mut().map(UnboundedReceiver::try_recv) {
            if let Event::Waiting { step, what } = event {
                waits.insert(format!("{} {}: {what}", step.what, step.resource));
            }
        }
        let calls = self.weather.calls();
        let last: Vec<String> = calls.iter().rev().take(8).map(name).collect();
        format!("waits {waits:?}; the last of {} calls: {last:?}", calls.len())
    }

    /// The verbs, as the command line puts them together.
    async fn process(&self, goal: &Goal, journal: Arc<Journal>) -> End {
        let (stack, options) = match goal {
            Goal::Up(stack) => ((**stack).clone(), Options::default()),
            Goal::Down(name) => (
                Stack::new(name.clone(), Default::default()),
                Options { allow_data_loss: true, ..Options::default() },
            ),
        };
        let scope = Scope::Stack(stack.name().clone());
        let inventory = collect(&self.aws, &self.kinds, &scope, &journal).await;
        let plan_of = |now: &Inventory| match goal {
            Goal::Up(_) => plan::plan(&stack, now, &self.kinds, options),
            Goal::Down(name) => plan::destroy(name, now, &self.kinds, options),
        };
        let plan = plan_of(&inventory);
        self.looks_from.set(usize::MAX);
        if !plan.problems.is_empty() {
            return End::Stopped(plan.problems.iter().map(ToString::to_string).collect());
        }
        let steps =
            Steps::of(&plan, &stack, &inventory, &self.kinds).expect("layers have no circle");
        let deletion = Deletion { allow_data_loss: options.allow_data_loss };
        let (events, started) = tokio::sync::mpsc::unbounded_channel();
        self.events.replace(Some(started));
        let execution = Execution { deletion, events: Some(events), ..Execution::default() };
        let (aws, kinds, stop) = (&self.aws, &self.kinds, execution.stop.clone());
        let outcome = execute(aws, &stack, steps, journal.clone(), execution).await;
        if outcome.is_complete() {
            assert!(outcome.left_out.is_empty(), "nothing is left out on AWS");
            if plan.actions.is_empty() || !self.looks.get() {
                return End::Done;
            }
            self.looks_from.set(self.weather.calls().len());
            let left = left_to_do(aws, kinds, stack.name(), &journal, &stop, plan_of).await;
            let left = left.expect("nobody stops it");
            return match is_settled(aws, &outcome, &left) {
                true => End::Done,
                false => End::Stopped(left.lines()),
            };
        }
        assert!(!outcome.failed.is_empty(), "what was not tried has a reason");
        End::Stopped(
            outcome
                .failed
                .iter()
                .map(|(step, error)| {
                    let help = error.help().expect("every error says what to do");
                    format!("{} {}: {error}; {help}", step.what, step.resource)
                })
                .collect(),
        )
    }

    /// What a further run would do.
    pub async fn plan(&self, goal: &Goal) -> Plan {
        self.weather.begin(|_: &Seen| Fate::Fair, Pace::None);
        let (name, journal) = match goal {
            Goal::Up(stack) => (stack.name(), Journal::in_memory()),
            Goal::Down(name) => (name, Journal::in_memory()),
        };
        let inventory =
            collect(&self.aws, &self.kinds, &Scope::Stack(name.clone()), &journal).await;
        match goal {
            Goal::Up(stack) => plan::plan(stack, &inventory, &self.kinds, Options::default()),
            Goal::Down(name) => {
                let options = Options { allow_data_loss: true, ..Options::default() };
                plan::destroy(name, &inventory, &self.kinds, options)
            }
        }
    }
}

/// Writes down what is left at each moment of a run at which a crash would leave something else.
///
/// The account changes when a write call takes effect and the journal when the engine writes into it, so these
/// are all moments: before a call (its intent is written), between its effect and its answer, after its answer
/// (its id is written by the time of the next call). A process that dies between other calls, or at a read,
/// or with an answer that it had no time to write down, leaves one of these states.
pub struct Recorder {
    weather: Weather,
    journal: Arc<Journal>,
    seen: Arc<Mutex<Vec<Remains>>>,
}

impl Recorder {
    fn record(&self, moment: &str, call: &Seen) {
        let (account, intents) = (self.weather.plane().snapshot(), self.journal.intents());
        let mut seen = self.seen.lock().expect("nobody panics here");
        let is_new = seen
            .last()
            .is_none_or(|last| last.intents != intents || !last.account.shares_all_with(&account));
        if is_new {
            let at = self.weather.plane().now();
            let moment = format!("{moment} {}", name(call));
            let number = seen.len();
            seen.push(Remains { account, past: Vec::new(), intents, at, moment, number });
        }
    }
}

impl Forecast for Recorder {
    fn fate(&mut self, call: &Seen) -> Fate {
        self.record("before", call);
        Fate::Fair
    }

    fn effect(&mut self, call: &Seen) {
        self.record("between effect and answer of", call);
    }
}

impl World {
    /// Runs to the end, in fair weather, and says what a crash would have left at each moment. The end itself
    /// is the last of them.
    pub async fn moments(&self, goal: &Goal, journal: Arc<Journal>, pace: Pace) -> Vec<Remains> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder {
            weather: self.weather.clone(),
            journal: journal.clone(),
            seen: seen.clone(),
        };
        let end = self.run(goal, journal.clone(), recorder, pace).await;
        assert!(end.is_done(), "in fair weather: {end:?}");
        let mut seen = std::mem::take(&mut *seen.lock().expect("nobody panics here"));
        let number = seen.len();
        seen.push(Remains { number, ..self.remains(&journal, "after the end") });
        // What the account was in the minute before each moment: AWS may still show that.
        let states: Vec<_> =
            seen.iter().map(|one| (one.at, Arc::new(one.account.clone()))).collect();
        for (index, one) in seen.iter_mut().enumerate() {
            let young = |at: &Timestamp| one.at.duration_since(*at) < SignedDuration::from_mins(1);
            let first = states[..index].iter().rposition(|(at, _)| !young(at)).unwrap_or(0);
            one.past = states[first..=index].to_vec();
        }
        seen
    }
}

/// A call, for people.
pub fn name(call: &Seen) -> String {
    format!("call {} ({} {})", call.number, call.service, call.operation)
}

/// Runs all cases, on two threads, each with a world of its own; panics with the first failures.
pub fn all<C: Sync>(
    kinds: fn() -> Vec<Kind>,
    delays: fn() -> Delays,
    cases: &[C],
    check: impl AsyncFn(&World, &C) -> Result<(), String> + Sync,
) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                in_world(kinds(), delays(), async |world| {
                    loop {
                        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(case) = cases.get(at) else { return };
                        if let Err(why) = check(&world, case).await {
                            eprintln!("{why}");
                            failures.lock().expect("nobody panics here").push(why);
                        }
                    }
                });
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panics here");
    let first: Vec<&String> = failures.iter().take(5).collect();
    assert!(failures.is_empty(), "{} of {} cases fail:\n{first:#?}", failures.len(), cases.len());
}
