//! The lease against a log in memory whose every call waits for a scheduler: all interleavings of a few
//! contenders, crashes and lost answers included; and many random ones, with listings that lag behind and calls
//! that hang.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::view::{Entry, Eyes, Record, State, Verdict, View};
use super::*;

const DAY: Timestamp = Timestamp::constant(1_790_000_000, 0);

fn at(seconds: u64) -> Timestamp {
    later(DAY, Duration::from_secs(seconds))
}

fn holder(run: &str) -> Holder {
    Holder {
        name: format!("{run}@elsewhere, process 1"),
        run: run.into(),
        command: "deploy".into(),
        process: None,
    }
}

fn record(state: State, run: &str, modified: Timestamp) -> Record {
    let entry = Entry { state, holder: holder(run), since: DAY, expires: modified };
    Record { modified, entry: Some(entry) }
}

fn view(entries: &[(u64, State, &str, u64)]) -> View {
    let mut view = View::default();
    for (number, state, run, seconds) in entries {
        view.insert(*number, record(*state, run, at(*seconds)));
    }
    view
}

/// What is decided at a time, in a word.
fn decided(
    view: &View,
    seconds: u64,
    window: u64,
    journal_of: Option<&str>,
    dead: &[&str],
) -> String {
    let eyes = Eyes {
        window: Duration::from_secs(window),
        journal_of,
        died: &|holder| dead.contains(&holder.run.as_str()).then(|| at(seconds)),
    };
    let after = |then: Timestamp| then.duration_since(DAY).as_secs();
    match view.decide(at(seconds), &eyes) {
        Verdict::Free { settled: None } => "free".into(),
        Verdict::Free { settled: Some(then) } => format!("free, settled at {}", after(then)),
        Verdict::Ending { until } => format!("ending until {}", after(until)),
        Verdict::Held { head, until } => {
            let run = head.entry.map_or("?".into(), |entry| entry.holder.run);
            format!("held by {run} until {}", after(until))
        }
    }
}

#[test]
fn the_newest_entry_says_who_holds_the_stack() {
    use State::*;
    let nothing = View::default();
    assert_eq!(decided(&nothing, 0, 60, None, &[]), "free");

    let held = view(&[(3, Released, "a", 0), (4, Held, "b", 10), (5, Held, "b", 50)]);
    assert_eq!(decided(&held, 60, 0, None, &[]), "held by b until 180");
    assert_eq!(decided(&held, 179, 0, None, &[]), "held by b until 180");
    assert_eq!(decided(&held, 180, 0, None, &[]), "free", "an imitation shows everything at once");
    // AWS may show what it made at the end of its time a minute later.
    assert_eq!(decided(&held, 180, 60, None, &[]), "free, settled at 240");
    assert_eq!(decided(&held, 180, 60, Some("b"), &[]), "free", "our journal tells what b made");

    // It is known to be dead: nobody has to wait for its time.
    assert_eq!(decided(&held, 60, 0, None, &["b"]), "free");
    assert_eq!(decided(&held, 60, 60, None, &["b"]), "free, settled at 120");
    assert_eq!(decided(&held, 60, 60, Some("b"), &["b"]), "free");

    let released = view(&[(5, Held, "b", 50), (6, Released, "b", 80)]);
    assert_eq!(decided(&released, 81, 0, None, &[]), "free");
    assert_eq!(decided(&released, 81, 60, None, &[]), "free, settled at 140");
    assert_eq!(decided(&released, 81, 60, Some("b"), &[]), "free");

    // Its holder may live on until it notices, whatever the journal tells.
    let unlocked = view(&[(5, Held, "b", 50), (6, Unlocked, "b", 80)]);
    assert_eq!(decided(&unlocked, 81, 60, Some("b"), &[]), "free, settled at 240");

    let ended = view(&[(6, Held, "b", 80), (7, Ended, "b", 90)]);
    assert_eq!(decided(&ended, 91, 0, None, &[]), "ending until 130");
    assert_eq!(decided(&ended, 130, 0, None, &[]), "free", "whoever was to remove it is dead");

    // What another version wrote is respected for as long as our own would be.
    let mut foreign = View::default();
    foreign.insert(1, Record { modified: at(0), entry: None });
    assert_eq!(decided(&foreign, 1, 0, None, &[]), "held by ? until 130");
    assert_eq!(decided(&foreign, 130, 0, None, &[]), "free");
}

#[test]
fn an_entry_in_a_removed_log_does_not_hide_the_lease() {
    use State::*;
    // "late" wrote number 9 after the log that it had seen was gone, and died; "b" holds the new log.
    let both = view(&[(1, Held, "b", 0), (2, Held, "b", 40), (9, Held, "late", 10)]);
    assert_eq!(decided(&both, 60, 0, None, &[]), "held by late until 140");
    assert_eq!(decided(&both, 141, 0, None, &[]), "held by b until 170");
    assert!(both.contests(2, at(60)), "b sees it and does not trust its own");
    assert!(both.contests(9, at(60)), "and so does late");
    assert!(!both.contests(9, at(170)), "unless b is gone");
}

#[test]
fn superseded_entries_are_kept_until_nobody_can_need_them() {
    let entries: Vec<_> = (1..=12).map(|n| (n, at(n * 40))).collect();
    assert_eq!(superseded(&entries, at(330)), Vec::<u64>::new());
    assert_eq!(superseded(&entries, at(480)), [1, 2, 3], "and 4, the newest of the old, stays");
}

/// What a call does, as far as its order matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Read,
    Write,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Happens,
    /// The process dies before the call is made.
    DiesBefore,
    /// The process dies after the call has taken effect.
    DiesAfter,
    /// The answer is lost; the client sees an error.
    AnswerLost,
}

struct Pending {
    process: usize,
    does: Does,
    /// In the order of all calls ever.
    order: u64,
    fate: oneshot::Sender<Fate>,
}

#[derive(Default)]
struct World {
    entries: BTreeMap<u64, Record>,
    /// What the log was, until when.
    past: Vec<(Instant, BTreeMap<u64, Record>)>,
    pending: Vec<Pending>,
    calls: u64,
    dead: BTreeSet<usize>,
    /// Who works on the stack now; what exists; who worked last, and when.
    working: Option<usize>,
    exists: BTreeSet<String>,
    last: Option<(usize, Instant)>,
    violations: Vec<String>,
    held: u32,
    refused: u32,
}

#[derive(Clone)]
struct Shared {
    world: Arc<Mutex<World>>,
    news: Arc<Notify>,
    start: Instant,
    lag: Duration,
    dice: Arc<Mutex<StdRng>>,
}

impl Shared {
    fn new(lag: Duration, seed: u64) -> Self {
        Self {
            world: Arc::default(),
            news: Arc::default(),
            start: Instant::now(),
            lag,
            dice: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn time(&self) -> Timestamp {
        later(DAY, self.start.elapsed())
    }

    /// A call: waits until the scheduler lets it through.
    async fn call<T>(
        &self,
        process: usize,
        does: Does,
        act: impl FnOnce(&Self) -> T,
    ) -> Result<T, Error> {
        let (fate, decided) = oneshot::channel();
        if self.world().dead.contains(&process) {
            std::future::pending::<()>().await;
        }
        {
            let mut world = self.world();
            world.calls += 1;
            let order = world.calls;
            world.pending.push(Pending { process, does, order, fate });
        }
        self.news.notify_one();
        match decided.await {
            Ok(Fate::Happens) => Ok(act(self)),
            Ok(Fate::AnswerLost) => {
                act(self);
                Err(Error::invalid("the answer", "lost"))
            }
            Ok(Fate::DiesAfter) => {
                act(self);
                std::future::pending().await
            }
            Ok(Fate::DiesBefore) | Err(_) => std::future::pending().await,
        }
    }

    fn remember(&self) {
        let mut world = self.world();
        let entries = world.entries.clone();
        world.past.push((Instant::now(), entries));
    }

    /// The log as a listing may show it: as it was at some time within the lag.
    fn seen(&self) -> BTreeMap<u64, Record> {
        let world = self.world();
        let recent: Vec<_> =
            world.past.iter().filter(|(until, _)| until.elapsed() < self.lag).collect();
        let mut dice = self.dice.lock().unwrap();
        match recent.len() {
            0 => world.entries.clone(),
            count => match dice.random_range(0..2 * count + 1) {
                stale if stale < count => recent[stale].1.clone(),
                _ => world.entries.clone(),
            },
        }
    }
}

/// The log, as one process reaches it.
struct Memory {
    shared: Shared,
    process: usize,
}

impl Log for Memory {
    fn list(&self) -> BoxFuture<'_, Result<(View, Timestamp), Error>> {
        let list = |shared: &Shared| {
            let mut view = View::default();
            for (number, record) in shared.seen() {
                view.insert(number, record);
            }
            view
        };
        async move {
            let view = self.shared.call(self.process, Does::Read, list).await?;
            Ok((view, self.now()))
        }
        .boxed()
    }

    fn get(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, Error>> {
        let get = move |shared: &Shared| shared.seen().get(&number).cloned();
        self.shared.call(self.process, Does::Read, get).boxed()
    }

    fn put<'a>(&'a self, number: u64, entry: &'a Entry) -> BoxFuture<'a, Result<bool, Error>> {
        let put = move |shared: &Shared| {
            let modified = shared.time();
            if shared.world().entries.contains_key(&number) {
                return false;
            }
            shared.remember();
            let record = Record { modified, entry: Some(entry.clone()) };
            shared.world().entries.insert(number, record);
            true
        };
        self.shared.call(self.process, Does::Write, put).boxed()
    }

    fn delete<'a>(&'a self, numbers: &'a [u64]) -> BoxFuture<'a, Result<(), Error>> {
        let delete = move |shared: &Shared| {
            shared.remember();
            shared.world().entries.retain(|number, _| !numbers.contains(number));
        };
        self.shared.call(self.process, Does::Write, delete).boxed()
    }

    fn now(&self) -> Timestamp {
        self.shared.time()
    }
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Makes something, and releases the lease.
    Deploy,
    /// Removes everything, the log included.
    Destroy,
}

fn leases(shared: &Shared, process: usize, window: Duration) -> Leases {
    Leases {
        log: Arc::new(Memory { shared: shared.clone(), process }),
        stack: StackName::new("student", "dev"),
        window,
        me: holder(&format!("p{process}")),
        note: None,
        dead: Arc::default(),
    }
}

/// One run, as a command goes about it: look, collect, take, collect again if need be, work, release.
async fn run(
    shared: Shared,
    process: usize,
    job: Job,
    window: Duration,
    patience: Duration,
    work: u32,
) {
    let leases = leases(&shared, process, window);
    let quiet: Say<'_> = &|_| {};
    let ended = async {
        let turn = leases.turn(patience, quiet).await?;
        let collected = shared.world().exists.clone();
        let (lease, fresh) = leases.take(&turn, patience, quiet).await?;
        {
            let mut world = shared.world();
            world.held += 1;
            if let Some(other) = world.working {
                world.violations.push(format!("p{process} works while p{other} does"));
            }
            if let Some((other, at)) = world.last
                && other != process
                && at.elapsed() < window
            {
                let ago = at.elapsed();
                world
                    .violations
                    .push(format!("p{process} begins {ago:?} after p{other}'s last call"));
            }
            if fresh && (turn.has_trace() || collected.is_empty()) && world.exists != collected {
                world.violations.push(format!("p{process} believes that nothing has changed"));
            }
            world.working = Some(process);
        }
        let mut complete = true;
        for step in 0..work {
            if lease.stop().is_cancelled() {
                complete = false;
                break;
            }
            let act = |shared: &Shared| {
                let mut world = shared.world();
                if world.working != Some(process) {
                    let who = world.working;
                    world.violations.push(format!("p{process} acts while {who:?} works"));
                }
                world.last = Some((process, Instant::now()));
                match job {
                    Job::Deploy => {
                        world.exists.insert(format!("p{process}/{step}"));
                    }
                    Job::Destroy => world.exists.clear(),
                }
            };
            let done = tokio::select! {
                biased;
                // What is aborted is not carried out.
                () = lease.over() => None,
                done = shared.call(process, Does::Read, act) => Some(done),
            };
            if done.is_none_or(|done| done.is_err()) {
                complete = false;
                break;
            }
            if work > 1 {
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
        }
        shared.world().working.take_if(|who| *who == process);
        match job {
            Job::Destroy if complete => lease.end().await,
            _ => lease.release().await,
        }
    };
    if let Err(LeaseError::Held(_)) = ended.await {
        shared.world().refused += 1;
    }
}

struct Scenario<'a> {
    jobs: &'a [Job],
    window: Duration,
    patience: Duration,
    work: u32,
    /// How many processes may die, or lose an answer.
    mishaps: u32,
    lag: Duration,
    /// How long a call may hang.
    stall: Duration,
    seed: u64,
}

/// Plays a scenario: `choose` is given the number of ways to go on and says which. Returns what came of it;
/// `None` for an order that differs from an earlier one only by reads that do not see each other.
fn play(scenario: &Scenario<'_>, choose: &mut dyn FnMut(usize) -> usize) -> Option<World> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let shared = Shared::new(scenario.lag, scenario.seed);
        let mut tasks = Vec::new();
        for (process, job) in scenario.jobs.iter().enumerate() {
            let task = run(
                shared.clone(),
                process,
                *job,
                scenario.window,
                scenario.patience,
                scenario.work,
            );
            tasks.push(tokio::spawn(task));
        }
        let mut mishaps = scenario.mishaps;
        let mut idle = 0;
        let mut before: Option<(usize, u64)> = None;
        loop {
            // Time moves only when nothing else does: all that could be called now is waiting.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if tasks.iter().all(JoinHandle::is_finished) {
                break;
            }
            if !scenario.stall.is_zero() {
                let stall = {
                    let mut dice = shared.dice.lock().unwrap();
                    let most = if dice.random_bool(0.1) { scenario.stall.as_millis() } else { 200 };
                    dice.random_range(0..most)
                };
                tokio::time::sleep(Duration::from_millis(stall as u64)).await;
            }
            let options: Vec<(usize, Fate)> = {
                let mut world = shared.world();
                world.pending.retain(|call| !call.fate.is_closed());
                let mut options = Vec::new();
                for (index, call) in world.pending.iter().enumerate() {
                    // Of reads that do not see each other, one order stands for all.
                    let mirrored = scenario.stall.is_zero()
                        && before.is_some_and(|(process, order)| {
                            call.does == Does::Read && call.process < process && call.order < order
                        });
                    if !mirrored {
                        options.push((index, Fate::Happens));
                    }
                    if mishaps > 0 {
                        options.push((index, Fate::DiesBefore));
                        if call.does == Does::Write {
                            options.extend([(index, Fate::DiesAfter), (index, Fate::AnswerLost)]);
                        }
                    }
                }
                if options.is_empty() && !world.pending.is_empty() {
                    return None;
                }
                options
            };
            if options.is_empty() {
                // A call will come, or the end of a run.
                idle += 1;
                assert!(idle < 10_000, "nothing happens any more");
                tokio::select! {
                    () = shared.news.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
                continue;
            }
            let (index, fate) = options[choose(options.len())];
            let call = shared.world().pending.remove(index);
            before = (call.does == Does::Read && fate == Fate::Happens)
                .then(|| (call.process, shared.world().calls + 1));
            if fate != Fate::Happens {
                mishaps -= 1;
            }
            let process = call.process;
            let _ = call.fate.send(fate);
            if matches!(fate, Fate::DiesBefore | Fate::DiesAfter) {
                tokio::task::yield_now().await;
                let mut world = shared.world();
                world.dead.insert(process);
                world.pending.retain(|call| call.process != process);
                world.working.take_if(|who| *who == process);
                tasks[process].abort();
            }
        }
        for (process, task) in tasks.into_iter().enumerate() {
            if let Err(why) = task.await
                && why.is_panic()
            {
                panic!("p{process}: {why}");
            }
        }
        // Whatever has happened: in the end, the next one gets the stack.
        let held = shared.world().held;
        let next = scenario.jobs.len();
        let run =
            run(shared.clone(), next, Job::Destroy, scenario.window, Duration::from_secs(600), 1);
        let mut run = std::pin::pin!(run);
        loop {
            tokio::select! {
                () = &mut run => break,
                () = shared.news.notified() => {}
            }
            let calls = std::mem::take(&mut shared.world().pending);
            for call in calls {
                let _ = call.fate.send(Fate::Happens);
            }
        }
        let mut world = std::mem::take(&mut *shared.world());
        if world.held != held + 1 {
            world.violations.push("nobody gets the stack any more".into());
        }
        let left: Vec<u64> = world.entries.keys().copied().collect();
        if !left.is_empty() && scenario.lag.is_zero() && scenario.mishaps == 0 {
            world.violations.push(format!("the end of the stack leaves {left:?}"));
        }
        world.held = held;
        Some(world)
    })
}

/// Plays every order. Returns how many there are.
fn play_all(scenario: &Scenario<'_>, mut check: impl FnMut(&World)) -> u64 {
    // The choices so far, each with how many there were.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut played = 0;
    loop {
        let mut depth = 0;
        let ended = play(scenario, &mut |count| {
            if depth == path.len() {
                path.push((0, count));
            }
            assert_eq!(path[depth].1, count, "the same choices lead to the same place");
            depth += 1;
            path[depth - 1].0
        });
        path.truncate(depth);
        if let Some(world) = ended {
            played += 1;
            let choices: Vec<usize> = path.iter().map(|(chosen, _)| *chosen).collect();
            assert!(world.violations.is_empty(), "{:?}: {choices:?}", world.violations);
            check(&world);
        }
        while let Some((chosen, count)) = path.pop() {
            if chosen + 1 < count {
                path.push((chosen + 1, count));
                break;
            }
        }
        if path.is_empty() {
            return played;
        }
    }
}

fn at_once<'a>(jobs: &'a [Job], mishaps: u32) -> Scenario<'a> {
    Scenario {
        jobs,
        window: Duration::ZERO,
        patience: Duration::ZERO,
        work: 1,
        mishaps,
        lag: Duration::ZERO,
        stall: Duration::ZERO,
        seed: 0,
    }
}

#[test]
fn in_every_order_of_two_and_three_runs_one_at_a_time_holds_the_stack() {
    use Job::*;
    let all: [&[Job]; 6] = [
        &[Deploy, Deploy],
        &[Deploy, Destroy],
        &[Destroy, Destroy],
        &[Deploy, Deploy, Deploy],
        &[Deploy, Deploy, Destroy],
        &[Deploy, Destroy, Destroy],
    ];
    for jobs in all {
        let (mut together, mut alone) = (0, 0);
        let orders = play_all(&at_once(jobs, 0), |world| {
            assert!(world.held >= 1, "somebody proceeds");
            assert_eq!(world.held + world.refused, jobs.len() as u32, "who does not is told");
            if world.refused == 0 { together += 1 } else { alone += 1 }
        });
        println!("{jobs:?}: {orders} orders, {alone} in which somebody is refused");
        assert!(together > 0 && alone > 0, "both ends are seen");
    }
}

#[test]
fn in_every_order_of_two_runs_with_a_death_or_a_lost_answer_at_every_call_the_next_one_goes_on() {
    use Job::*;
    for jobs in [[Deploy, Deploy], [Deploy, Destroy], [Destroy, Destroy]] {
        let orders = play_all(&at_once(&jobs, 1), |_| {});
        println!("{jobs:?}: {orders} orders");
        assert!(orders > 100, "{orders}");
    }
}

/// Listings lag up to a minute behind, calls hang, processes die, answers are lost, some wait for others.
#[test]
fn in_random_orders_with_lagging_listings_and_hanging_calls_one_at_a_time_holds_the_stack() {
    let (mut held, mut refused) = (0, 0);
    for seed in 0..400 {
        let mut dice = StdRng::seed_from_u64(seed);
        let count = dice.random_range(2..=4);
        let jobs: Vec<Job> = (0..count)
            .map(|_| if dice.random_bool(0.3) { Job::Destroy } else { Job::Deploy })
            .collect();
        let window = Duration::from_secs(60);
        let scenario = Scenario {
            jobs: &jobs,
            window,
            patience: Duration::from_secs(dice.random_range(0..600)),
            work: dice.random_range(1..30),
            mishaps: dice.random_range(0..3),
            lag: window,
            stall: Duration::from_secs(30),
            seed,
        };
        // Mishaps are rare, so that they do not all happen at the beginning.
        let world = play(&scenario, &mut |count| {
            if dice.random_bool(0.9) { 0 } else { dice.random_range(0..count) }
        });
        let world = world.expect("random orders are not pruned");
        assert!(world.violations.is_empty(), "seed {seed}: {:?}", world.violations);
        held += world.held;
        refused += world.refused;
    }
    println!("{held} held, {refused} refused");
    assert!(held > 400 && refused > 50, "{held} {refused}");
}

#[tokio::test(start_paused = true)]
async fn an_unlocked_holder_that_lives_notices_when_it_renews() {
    let shared = Shared::new(Duration::ZERO, 0);
    let through = tokio::spawn(let_through(shared.clone()));
    let quiet: Say<'_> = &|_| {};
    let first = leases(&shared, 0, Duration::ZERO);
    let turn = first.turn(Duration::ZERO, quiet).await.unwrap();
    let (lease, fresh) = first.take(&turn, Duration::ZERO, quiet).await.unwrap();
    assert!(fresh);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(!lease.stop().is_cancelled(), "it is renewed");

    let second = leases(&shared, 1, Duration::ZERO);
    let held = second.turn(Duration::ZERO, quiet).await.unwrap_err().to_string();
    assert!(
        held.contains("student-dev is held by p0@elsewhere, process 1 (deploy) since"),
        "{held}"
    );
    let held = second.held().await.unwrap().unwrap();
    assert_eq!(held.holder, "p0@elsewhere, process 1");
    assert!(second.unlock(&held).await.unwrap());
    assert!(!second.unlock(&held).await.unwrap(), "it is over already");
    assert_eq!(second.held().await.unwrap(), None);
    let turn = second.turn(Duration::ZERO, quiet).await.unwrap();
    let (taken, _) = second.take(&turn, Duration::ZERO, quiet).await.unwrap();

    tokio::time::sleep(RENEW + Duration::from_secs(2)).await;
    assert!(lease.stop().is_cancelled());
    lease.over().await;
    let lost = lease.release().await.unwrap_err().to_string();
    assert_eq!(
        lost,
        "the lease of student-dev was lost: it was taken over by p1@elsewhere, process 1 (deploy)"
    );
    taken.release().await.unwrap();
    through.abort();
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_before_anybody_else_may_begin() {
    let shared = Shared::new(Duration::ZERO, 0);
    let through = tokio::spawn(let_through(shared.clone()));
    let quiet: Say<'_> = &|_| {};
    let first = leases(&shared, 0, Duration::ZERO);
    let turn = first.turn(Duration::ZERO, quiet).await.unwrap();
    let (lease, _) = first.take(&turn, Duration::ZERO, quiet).await.unwrap();
    let begun = Instant::now();
    shared.world().dead.insert(0); // Its calls hang from here on.
    lease.stop().cancelled().await;
    assert!(begun.elapsed() <= STOP + Duration::from_secs(1), "{:?}", begun.elapsed());
    lease.over().await;
    let over = begun.elapsed();
    assert!(over <= PERIOD + Duration::from_secs(1), "{over:?}");

    let second = leases(&shared, 1, Duration::ZERO);
    let turn = second.turn(Duration::from_secs(600), quiet).await.unwrap();
    second.take(&turn, Duration::ZERO, quiet).await.unwrap();
    assert!(begun.elapsed() > over);
    assert!(begun.elapsed() <= PERIOD + MARGIN + Duration::from_secs(2), "{:?}", begun.elapsed());
    let why = lease.release().await.unwrap_err().to_string();
    assert!(why.contains("could not be renewed in time"), "{why}");
    through.abort();
}

/// Lets every call through at once.
async fn let_through(shared: Shared) {
    loop {
        shared.news.notified().await;
        let calls = std::mem::take(&mut shared.world().pending);
        for call in calls {
            let _ = call.fate.send(Fate::Happens);
        }
    }
}
