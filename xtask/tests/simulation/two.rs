//! Two machines and one stack: the lease keeps them apart, wherever the other one is when one begins, and
//! wherever it dies.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::deploy::{is_settled, left_to_do};
use engine::execute::{Execution, execute};
use engine::inventory::collect;
use engine::lease::{Held, LeaseError};
use engine::plan::{self, Options};
use engine::steps::Steps;
use engine::{Aws, Inventory, Journal, Kind, Leases, Scope, Stack, Target};
use local::weather::{Fate, Forecast, Moment, Pace, Seen, chance};
use miette::Diagnostic;
use tokio::sync::Notify;

use crate::compare::{differences, holdings};
use crate::crashes::late;
use crate::small::{self, Choice};
use crate::world::{World, all, in_world};
use crate::{delays, full, seed};

/// What both machines deploy.
struct Wanted {
    kinds: fn() -> Vec<Kind>,
    stack: Stack,
}

impl Wanted {
    fn small() -> Self {
        Self { kinds: small::kinds, stack: small::stack(&Choice::FIRST) }
    }

    fn full() -> Self {
        Self { kinds: xtask::stack::kinds, stack: full::stack(&full::first()) }
    }
}

/// How a run ended.
#[derive(Debug)]
enum Ended {
    Done,
    /// Another one has the stack.
    Held(Held),
    /// Another one changed the stack between the plan and the lease.
    Overtaken,
    Stopped(Vec<String>),
}

fn refused(error: LeaseError) -> Ended {
    match error {
        LeaseError::Held(held) => Ended::Held(held),
        other => Ended::Stopped(vec![other.to_string()]),
    }
}

/// A deploy of a machine that has no journal, as the command line does it.
async fn deploy(aws: &Aws, wanted: &Wanted, patience: Duration) -> Ended {
    let stack = &wanted.stack;
    let (kinds, name, say) = ((wanted.kinds)(), stack.name(), |_| {});
    let journal = Arc::new(Journal::in_memory());
    let scope = Scope::Stack(name.clone());
    let plan_of = |now: &Inventory| plan::plan(stack, now, &kinds, Options::default());
    let leases = Leases::of(aws, name, "deploy", None);

    let turn = match leases.turn(patience, &say).await {
        Ok(turn) => turn,
        Err(error) => return refused(error),
    };
    let mut inventory = collect(aws, &kinds, &scope, &journal).await;
    let plan = plan_of(&inventory);
    if plan.is_empty() {
        return Ended::Done;
    }
    if !plan.problems.is_empty() {
        return Ended::Stopped(plan.lines());
    }
    let (lease, fresh) = match leases.take(&turn, patience, &say).await {
        Ok(taken) => taken,
        Err(error) => return refused(error),
    };
    if !fresh || !(turn.has_trace() || inventory.owned(&kinds, name).is_empty()) {
        inventory = collect(aws, &kinds, &scope, &journal).await;
        if !plan_of(&inventory).differences(&plan).is_empty() {
            return lease.release().await.map_or_else(refused, |()| Ended::Overtaken);
        }
    }
    let steps = Steps::of(&plan, stack, &inventory, &kinds).expect("layers have no circle");
    let stop = lease.stop().child_token();
    let execution = Execution { stop: stop.clone(), ..Execution::default() };
    let run = async {
        let outcome = execute(aws, stack, steps, journal.clone(), execution).await;
        if !outcome.is_complete() {
            let failed = outcome.failed.iter();
            return failed
                .map(|(step, error)| {
                    let help = error.help().expect("every error says what to do");
                    format!("{} {}: {error}; {help}", step.what, step.resource)
                })
                .collect();
        }
        let left = left_to_do(aws, &kinds, name, &journal, &stop, plan_of).await;
        left.filter(|left| !is_settled(aws, &outcome, left)).map_or(Vec::new(), |left| left.lines())
    };
    let failed = tokio::select! {
        failed = run => failed,
        () = lease.over() => vec!["the lease was lost".to_owned()],
    };
    match lease.release().await {
        Err(error) => refused(error),
        Ok(()) if failed.is_empty() => Ended::Done,
        Ok(()) => Ended::Stopped(failed),
    }
}

/// Another machine's connection to the account.
async fn another(world: &World) -> Aws {
    let target = Target::Simulated(world.weather.http_client());
    Aws::connect(target, Some("us-east-1")).await.expect("the account answers")
}

/// What the account holds, without the log of the lease.
fn holdings_of(world: &World) -> BTreeSet<String> {
    let mut all = holdings(&world.weather.plane().snapshot());
    all.retain(|line| !line.contains("/ssm/"));
    all
}

fn same(world: &World, wanted: &BTreeSet<String>) -> Result<(), String> {
    let differing = differences(wanted, &holdings_of(world));
    match differing.is_empty() {
        true => Ok(()),
        false => Err(format!("{differing:#?}")),
    }
}

/// What one machine alone makes, and with how many calls.
fn alone(wanted: &Wanted) -> (BTreeSet<String>, usize) {
    in_world((wanted.kinds)(), delays(), async |world| {
        world.resume(&world.beginning());
        world.weather.begin(|_: &Seen| Fate::Fair, Pace::Seeded(seed()));
        let ended = deploy(&world.aws, wanted, Duration::ZERO).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        (holdings_of(&world), world.weather.calls().len())
    })
}

/// Lets somebody begin when a call is made.
struct Begins {
    at: usize,
    begin: Arc<Notify>,
}

impl Forecast for Begins {
    fn fate(&mut self, call: &Seen) -> Fate {
        if call.number == self.at {
            self.begin.notify_one();
        }
        Fate::Fair
    }
}

/// How long a machine waits for its turn.
const PATIENCE: [Duration; 2] = [Duration::ZERO, Duration::from_secs(3600)];

/// A second machine begins at these calls of the first one, each with its patience. Says how many were told who holds the
/// stack.
fn begin_a_second(of: &Wanted, holdings: &BTreeSet<String>, cases: &[(usize, Duration)]) -> usize {
    let begun = std::time::Instant::now();
    let held = AtomicUsize::new(0);
    all(of.kinds, delays, cases, async |world, &(at, patience)| {
        let (one, other) = (another(world).await, another(world).await);
        world.resume(&world.beginning());
        let begin = Arc::new(Notify::new());
        let pace = Pace::Seeded(seed() ^ at as u64);
        world.weather.begin(Begins { at, begin: begin.clone() }, pace);
        let second = async {
            begin.notified().await;
            deploy(&other, of, patience).await
        };
        let (first, second) = tokio::join!(deploy(&one, of, patience), second);
        let fail = |why: String| {
            Err(format!(
                "FERPA_SEED={}: the second at call {at}, waits {patience:?}: {why}",
                seed()
            ))
        };
        let is_told = |ended: &Ended| match ended {
            Ended::Done | Ended::Overtaken => true,
            Ended::Held(by) => {
                held.fetch_add(1, Ordering::Relaxed);
                patience.is_zero() && by.since.is_some() && !by.holder.is_empty()
            }
            Ended::Stopped(why) => {
                eprintln!("{why:?}");
                false
            }
        };
        let one_is_done = matches!(first, Ended::Done) || matches!(second, Ended::Done);
        if !one_is_done || !is_told(&first) || !is_told(&second) {
            return fail(format!("{first:?}, {second:?}"));
        }
        same(world, holdings).or_else(fail)
    });
    let held = held.into_inner();
    println!("{} cases, {held} told who holds the stack, {:?}", cases.len(), begun.elapsed());
    held
}

#[test]
fn a_second_machine_begins_at_every_call_of_the_first() {
    let small = Wanted::small();
    let (holdings, calls) = alone(&small);
    let each = (0..calls).flat_map(|at| PATIENCE.map(|patience| (at, patience)));
    let held = begin_a_second(&small, &holdings, &each.collect::<Vec<_>>());
    assert!(
        held > calls / 2,
        "most of those that do not wait are told who holds the stack: {held}"
    );
}

#[test]
fn full_a_second_machine_begins_at_calls_chosen_by_a_seed() {
    let full = Wanted::full();
    let (holdings, calls) = alone(&full);
    let at = |number: u64| (chance(seed(), number) % calls as u64) as usize;
    let chosen = (0..4).flat_map(|number| PATIENCE.map(|patience| (at(number), patience)));
    begin_a_second(&full, &holdings, &chosen.collect::<Vec<_>>());
}

/// The first machine dies at these calls, each at a moment, and another one takes over that has no journal.
fn take_over(of: &Wanted, holdings: &BTreeSet<String>, cases: &[(usize, Moment)]) {
    let begun = std::time::Instant::now();
    all(of.kinds, delays, cases, async |world, &(at, moment)| {
        let (one, other) = (another(world).await, another(world).await);
        world.resume(&world.beginning());
        let dies = move |call: &Seen| match call.number == at {
            true => Fate::Dies(moment),
            false => Fate::Fair,
        };
        world.weather.begin(dies, Pace::Seeded(seed()));
        tokio::select! {
            biased;
            () = world.weather.death() => {}
            _ = deploy(&one, of, Duration::ZERO) => {}
        }
        // At once, while AWS may still show the account as it was half a minute ago.
        world.weather.begin(late(seed()), Pace::None);
        let patience = Duration::from_secs(3600);
        let mut ended = deploy(&other, of, patience).await;
        // Told to run again, because AWS showed the dead one's work only after the plan was made.
        if let Ended::Overtaken | Ended::Stopped(_) = ended {
            ended = deploy(&other, of, patience).await;
        }
        if let Ended::Stopped(_) = ended {
            world.weather.begin(|_: &Seen| Fate::Fair, Pace::None);
            ended = deploy(&other, of, patience).await;
        }
        let fail =
            |why: String| Err(format!("FERPA_SEED={}: dead {moment:?} call {at}: {why}", seed()));
        match ended {
            Ended::Done => same(world, holdings).or_else(fail),
            other => fail(format!("{other:?}")),
        }
    });
    println!("{} cases, {:?}", cases.len(), begun.elapsed());
}

#[test]
fn another_machine_takes_over_wherever_the_first_dies() {
    let small = Wanted::small();
    let (holdings, calls) = alone(&small);
    let moments = [Moment::Before, Moment::Between, Moment::After];
    let each = (0..calls).flat_map(|at| moments.map(|moment| (at, moment)));
    take_over(&small, &holdings, &each.collect::<Vec<_>>());
}
