//! Killed at every moment, and run again: with the journal, while AWS may still show the account as it was
//! half a minute ago; and without it, on another machine, later.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{Kind, StackName};
use local::Account;
use local::weather::{Fate, Pace, Seen, chance};

use crate::compare::{differences, holdings};
use crate::small::{self, Choice};
use crate::world::{End, Goal, Remains, World, all, in_world};
use crate::{delays, full, seed};

/// How long AWS may take to show what was done.
const BEHIND: Duration = Duration::from_secs(30);

/// A second run, after a first one that died.
pub struct Case {
    pub remains: Remains,
    /// Whether it has the journal of the first.
    pub with_journal: bool,
}

impl Case {
    fn describe(&self) -> String {
        let journal = if self.with_journal { "with" } else { "without" };
        let (moment, seed) = (&self.remains.moment, seed());
        format!("FERPA_SEED={seed}: dead {moment}, again {journal} the journal")
    }
}

/// Every second run there is after these moments: without the journal, moments with the same account are the
/// same.
pub fn cases(moments: &[Remains]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, remains) in moments.iter().enumerate() {
        cases.push(Case { remains: remains.clone(), with_journal: true });
        let before = index.checked_sub(1).map(|before| &moments[before]);
        if before.is_none_or(|before| !before.account.shares_all_with(&remains.account)) {
            cases.push(Case { remains: remains.clone(), with_journal: false });
        }
    }
    cases
}

/// One in `every` of these, chosen by the seed. Choices that begin at different places are different ones.
fn some(cases: Vec<Case>, from: u64, every: u64) -> Vec<Case> {
    let numbered = (from..).zip(cases);
    let chosen = numbered.filter(|(number, _)| chance(seed(), *number).is_multiple_of(every));
    chosen.map(|(_, case)| case).collect()
}

/// AWS as it was up to half a minute ago: half of all reads are behind, each by a time of its own.
pub fn late(seed: u64) -> impl FnMut(&Seen) -> Fate + Send {
    move |call| {
        let dice = chance(seed, call.number as u64);
        match !call.writes && dice.is_multiple_of(2) {
            true => Fate::Behind(BEHIND.mul_f64((dice >> 1) as f64 % 1000.0 / 999.0)),
            false => Fate::Fair,
        }
    }
}

/// The run after a crash. It may stop with an error while AWS is behind; then a last one does the rest.
pub async fn again(world: &World, goal: &Goal, case: &Case) -> Result<(), String> {
    let fair = |_: &Seen| Fate::Fair;
    let why = match case.with_journal {
        true => {
            world.resume(&case.remains);
            let journal = world.journal(&case.remains.intents);
            match world.run(goal, journal.clone(), late(seed()), Pace::None).await {
                End::Done => return Ok(()),
                End::Died => return Err("it died by itself".into()),
                End::Endless(why) => return Err(why),
                End::Stopped(why) => {
                    world.resume_later(&world.remains(&journal, "after the second run"));
                    why
                }
            }
        }
        false => {
            world.resume_later(&case.remains);
            Vec::new()
        }
    };
    match world.run(goal, world.journal(&[]), fair, Pace::None).await {
        End::Done => Ok(()),
        End::Died => Err("it died by itself".into()),
        End::Endless(why) => Err(why),
        End::Stopped(last) => Err(format!("stops in fair weather with {last:?} (before: {why:?})")),
    }
}

/// The secrets of stores that do not exist yet. Nobody may read a secret's value, so a run that died between writing one
/// and making the store with it takes it along: the next run writes another, and the secret has a version that
/// nothing ever used. Once the store exists, its secret has the versions that it has.
pub fn without_store(account: &Account) -> Vec<&'static str> {
    let region = account.region_if_any("us-east-1");
    let stores = [
        (
            "/student-db-credentials-dev/versions/",
            region.is_none_or(|it| it.rds.clusters.is_empty()),
        ),
        (
            "/student-cache-auth-token-dev/versions/",
            region.is_none_or(|it| it.elasticache.replication_groups.is_empty()),
        ),
    ];
    stores.into_iter().filter(|(_, missing)| *missing).map(|(secret, _)| secret).collect()
}

/// Whether the account holds what it should, but for surplus versions of these secrets.
pub fn same(
    world: &World,
    wanted: &BTreeSet<String>,
    unused: &[&'static str],
) -> Result<(), String> {
    let mut differing = differences(wanted, &holdings(&world.weather.plane().snapshot()));
    differing.retain(|line| {
        !line.starts_with("surplus: ") || !unused.iter().any(|secret| line.contains(secret))
    });
    match differing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} differences: {:#?}",
            differing.len(),
            &differing[..differing.len().min(12)]
        )),
    }
}

/// Whether the account is what it should be after the run that follows a crash, secrets that nothing used aside. The run
/// does not take its last look if all is well without; else the whole run decides.
async fn converges(
    world: &World,
    goal: &Goal,
    case: &Case,
    wanted: &BTreeSet<String>,
    unused: &[&'static str],
) -> Result<(), String> {
    world.looks.set(false);
    let without_a_look = ends_the_same(world, goal, case, wanted, unused).await;
    world.looks.set(true);
    match without_a_look {
        Ok(()) => Ok(()),
        Err(_) => ends_the_same(world, goal, case, wanted, unused).await,
    }
}

async fn ends_the_same(
    world: &World,
    goal: &Goal,
    case: &Case,
    wanted: &BTreeSet<String>,
    unused: &[&'static str],
) -> Result<(), String> {
    again(world, goal, case).await?;
    same(world, wanted, unused)
}

/// What a run goes through when nothing happens, from where it starts.
pub fn undisturbed(kinds: fn() -> Vec<Kind>, goals: &[Goal], pace: Pace) -> Vec<Vec<Remains>> {
    in_world(kinds(), delays(), async |world| {
        world.resume(&world.beginning());
        let mut all: Vec<Vec<Remains>> = Vec::new();
        for goal in goals {
            if let Some(last) = all.last().and_then(|moments| moments.last()) {
                world.resume_later(&last.clone());
            }
            all.push(world.moments(goal, world.journal(&[]), pace).await);
            let plan = world.plan(goal).await;
            assert!(plan.is_empty(), "nothing is left to do: {plan:#?}");
        }
        all
    })
}

/// Crashes the last of the goals at every moment, or at one in `every`, chosen by the seed. Whether all second runs take
/// their last look, or only those that need it.
fn crash_everywhere(kinds: fn() -> Vec<Kind>, goals: &[Goal], every: u64, looks: bool) {
    let begun = std::time::Instant::now();
    let moments = undisturbed(kinds, goals, Pace::Seeded(seed())).pop().unwrap();
    let goal = goals.last().unwrap();
    let wanted = holdings(&moments.last().unwrap().account);
    let cases = some(cases(&moments), 0, every);
    all(kinds, delays, &cases, async |world, case| {
        let unused = without_store(&case.remains.account);
        let result = match looks {
            true => ends_the_same(world, goal, case, &wanted, &unused).await,
            false => converges(world, goal, case, &wanted, &unused).await,
        };
        result.map_err(|why| format!("{}: {why}", case.describe()))
    });
    println!("{} moments, {} second runs, {:?}", moments.len(), cases.len(), begun.elapsed());
}

/// As [`crash_everywhere`], and the second run dies as well: at every pair of moments, or at one in so many first ones
/// and, after each, at one in so many second ones.
fn crash_twice(kinds: fn() -> Vec<Kind>, goals: &[Goal], every: [u64; 2]) {
    let begun = std::time::Instant::now();
    let moments = undisturbed(kinds, goals, Pace::Seeded(seed())).pop().unwrap();
    let goal = goals.last().unwrap();
    let wanted = holdings(&moments.last().unwrap().account);
    let firsts = some(cases(&moments), 0, every[0]);
    let pairs = std::sync::atomic::AtomicUsize::new(0);
    all(kinds, delays, &firsts, async |world, first| {
        let intents = if first.with_journal { &first.remains.intents[..] } else { &[] };
        if first.with_journal {
            world.resume(&first.remains)
        } else {
            world.resume_later(&first.remains)
        }
        world.looks.set(false);
        let moments = world.moments(goal, world.journal(intents), Pace::None).await;
        world.looks.set(true);
        let from = first.remains.number as u64 * 2 + u64::from(first.with_journal);
        for second in &some(cases(&moments), from << 32, every[1]) {
            pairs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let mut unused = without_store(&first.remains.account);
            unused.extend(without_store(&second.remains.account));
            let result = converges(world, goal, second, &wanted, &unused).await;
            result.map_err(|why| {
                format!("{}, then {}: {why}", first.describe(), second.describe())
            })?;
        }
        Ok(())
    });
    println!("{pairs:?} pairs, {:?}", begun.elapsed());
}

/// Of how many moments of the full stack one is tried: `FERPA_EVERY=1` tries all.
fn every() -> u64 {
    std::env::var("FERPA_EVERY").map_or(8, |every| every.parse().expect("a number"))
}

fn small_up(choice: &Choice) -> Goal {
    Goal::Up(Box::new(small::stack(choice)))
}

fn small_down() -> Goal {
    Goal::Down(StackName::new("small", "test"))
}

#[test]
fn small_deploy_killed_at_every_moment() {
    crash_everywhere(small::kinds, &[small_up(&Choice::FIRST)], 1, true);
}

#[test]
fn small_update_killed_at_every_moment() {
    crash_everywhere(small::kinds, &[small_up(&Choice::FIRST), small_up(&Choice::SECOND)], 1, true);
}

#[test]
fn small_destroy_killed_at_every_moment() {
    crash_everywhere(small::kinds, &[small_up(&Choice::FIRST), small_down()], 1, true);
}

#[test]
fn small_deploy_killed_at_every_pair_of_moments() {
    crash_twice(small::kinds, &[small_up(&Choice::FIRST)], [1, 1]);
}

#[test]
fn small_update_killed_at_every_pair_of_moments() {
    crash_twice(small::kinds, &[small_up(&Choice::FIRST), small_up(&Choice::SECOND)], [1, 1]);
}

#[test]
fn small_destroy_killed_at_every_pair_of_moments() {
    crash_twice(small::kinds, &[small_up(&Choice::FIRST), small_down()], [1, 1]);
}

fn full_deploy() -> [Goal; 1] {
    [full::up(&full::first())]
}

fn full_update() -> [Goal; 2] {
    [full::up(&full::first()), full::up(&full::second())]
}

fn full_destroy() -> [Goal; 2] {
    [full::up(&full::first()), full::down()]
}

#[test]
fn full_deploy_killed() {
    crash_everywhere(xtask::stack::kinds, &full_deploy(), every(), false);
}

#[test]
fn full_update_killed() {
    crash_everywhere(xtask::stack::kinds, &full_update(), every(), false);
}

#[test]
fn full_destroy_killed() {
    crash_everywhere(xtask::stack::kinds, &full_destroy(), every(), false);
}

#[test]
fn full_deploy_twice_killed() {
    crash_twice(xtask::stack::kinds, &full_deploy(), [96, 96]);
}

#[test]
fn full_update_twice_killed() {
    crash_twice(xtask::stack::kinds, &full_update(), [32, 32]);
}

#[test]
fn full_destroy_twice_killed() {
    crash_twice(xtask::stack::kinds, &full_destroy(), [32, 32]);
}
