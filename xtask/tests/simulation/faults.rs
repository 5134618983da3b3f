//! Everything else that can happen to a call, one thing at a time at every call, and mixed at random.

use std::time::Duration;

use local::weather::{Fate, Forecast, Loss, Moment, Pace, Seen, chance};
use local::{Account, ControlPlane};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use crate::compare::holdings;
use crate::crashes::{same, undisturbed, without_store};
use crate::small::{self, Choice};
use crate::world::{End, Goal, Remains, World, all, in_world};
use crate::{delays, full, seed};

/// What befalls calls, from one on.
#[derive(Debug, Clone, Copy)]
struct Spell {
    /// The first call.
    from: usize,
    /// How many calls in a row.
    calls: usize,
    fate: Fate,
}

/// The spells, and otherwise fair weather.
fn spells(spells: Vec<Spell>) -> impl FnMut(&Seen) -> Fate + Send {
    move |call| {
        let hit = spells.iter().find(|it| (it.from..it.from + it.calls).contains(&call.number));
        hit.map_or(Fate::Fair, |spell| spell.fate)
    }
}

/// What is tried at every call. The SDK makes ten attempts: twelve in a row get through to the engine.
const EACH: &[(Fate, usize)] = &[
    (Fate::RequestLost(Loss::Reset), 1),
    (Fate::RequestLost(Loss::Silence), 1),
    (Fate::RequestLost(Loss::Silence), 12),
    (Fate::ResponseLost(Loss::Reset), 1),
    (Fate::ResponseLost(Loss::Silence), 1),
    (Fate::ResponseLost(Loss::Reset), 12),
    (Fate::Throttled, 3),
    (Fate::Throttled, 12),
    (Fate::Unavailable, 1),
    (Fate::Unavailable, 12),
    (Fate::Broken, 1),
    (Fate::Broken, 12),
    (Fate::Behind(Duration::from_secs(30)), 1),
    (Fate::Behind(Duration::from_secs(30)), 12),
];

/// A quota that is reached at a call, and for this operation from then on.
struct Quota {
    from: usize,
    operation: Option<String>,
}

impl Forecast for Quota {
    fn fate(&mut self, call: &Seen) -> Fate {
        if call.number == self.from {
            self.operation = Some(call.operation.clone());
        }
        match self.operation.as_ref() == Some(&call.operation) {
            true => Fate::OverQuota,
            false => Fate::Fair,
        }
    }
}

/// Runs in bad weather; then, if it did not get through, in fair weather; with the account as it has to be in
/// the end.
async fn through(
    world: &World,
    goal: &Goal,
    from: &Remains,
    forecast: impl Forecast + 'static,
    pace: Pace,
    keeps_journal: bool,
) -> Result<Vec<String>, String> {
    world.resume(from);
    let journal = world.journal(&[]);
    let why = match world.run(goal, journal.clone(), forecast, pace).await {
        End::Done => return Ok(Vec::new()),
        End::Stopped(why) => why,
        End::Died => vec!["it died".into()],
        End::Endless(why) => return Err(why),
    };
    let left = world.remains(&journal, "");
    let intents = if keeps_journal { &left.intents[..] } else { &[] };
    world.resume_later(&left);
    match world.run(goal, world.journal(intents), |_: &Seen| Fate::Fair, Pace::None).await {
        End::Done => Ok(why),
        other => Err(format!("after {why:?} in fair weather: {other:?}")),
    }
}

/// Every fault at every call (or at one in `every`) of the last goal.
fn fault_everywhere(kinds: fn() -> Vec<engine::Kind>, goals: &[Goal], every: u64) {
    let begun = std::time::Instant::now();
    let runs = undisturbed(kinds, goals, Pace::None);
    let wanted = holdings(&runs.last().unwrap().last().unwrap().account);
    let goal = goals.last().unwrap();
    let from = match runs.len() {
        1 => None,
        more => runs[more - 2].last().cloned(),
    };
    let calls = calls(kinds, goal, from.as_ref());
    let faults = EACH.len() + 1;
    let cases: Vec<(usize, usize)> = (0..calls.len())
        .flat_map(|call| (0..faults).map(move |fault| (call, fault)))
        .filter(|(call, fault)| {
            chance(seed(), (call * faults + fault) as u64).is_multiple_of(every)
        })
        .collect();
    let stopped = std::sync::atomic::AtomicUsize::new(0);
    all(kinds, delays, &cases, async |world, &(at, fault)| {
        let from = from.clone().unwrap_or_else(|| world.beginning());
        let keeps = chance(seed(), at as u64).is_multiple_of(2);
        let result = match EACH.get(fault) {
            Some(&(fate, calls)) => {
                let spell = Spell { from: at, calls, fate };
                through(world, goal, &from, spells(vec![spell]), Pace::None, keeps).await
            }
            None => {
                let quota = Quota { from: at, operation: None };
                through(world, goal, &from, quota, Pace::None, keeps).await
            }
        };
        let result = result.and_then(|why| {
            if !why.is_empty() {
                stopped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            let unused = without_store(&from.account);
            let same = same(world, &wanted, &unused);
            same.map_err(|differing| format!("after {why:?}: {differing}"))
        });
        let fault = EACH.get(fault);
        result.map_err(|why| {
            let call = &calls[at];
            format!("FERPA_SEED={}: {fault:?} at call {at} ({}): {why}", seed(), call.operation)
        })
    });
    println!("{} cases, {stopped:?} stopped first, {:?}", cases.len(), begun.elapsed());
}

/// The calls of an undisturbed run.
fn calls(kinds: fn() -> Vec<engine::Kind>, goal: &Goal, from: Option<&Remains>) -> Vec<Seen> {
    in_world(kinds(), delays(), async |world| {
        world.resume(&from.cloned().unwrap_or_else(|| world.beginning()));
        world.run(goal, world.journal(&[]), |_: &Seen| Fate::Fair, Pace::None).await;
        world.calls.take()
    })
}

fn first() -> Goal {
    Goal::Up(Box::new(small::stack(&Choice::FIRST)))
}

fn second() -> Goal {
    Goal::Up(Box::new(small::stack(&Choice::SECOND)))
}

fn gone() -> Goal {
    Goal::Down(engine::StackName::new("small", "test"))
}

#[test]
fn small_deploy_with_every_fault_at_every_call() {
    fault_everywhere(small::kinds, &[first()], 1);
}

#[test]
fn small_update_with_every_fault_at_every_call() {
    fault_everywhere(small::kinds, &[first(), second()], 1);
}

#[test]
fn small_destroy_with_every_fault_at_every_call() {
    fault_everywhere(small::kinds, &[first(), gone()], 1);
}

#[test]
fn full_deploy_with_faults_at_calls_chosen_by_a_seed() {
    fault_everywhere(xtask::stack::kinds, &[full::up(&full::first())], 400);
}

#[test]
fn full_update_with_faults_at_calls_chosen_by_a_seed() {
    let goals = [full::up(&full::first()), full::up(&full::second())];
    fault_everywhere(xtask::stack::kinds, &goals, 400);
}

#[test]
fn full_destroy_with_faults_at_calls_chosen_by_a_seed() {
    let goals = [full::up(&full::first()), full::down()];
    fault_everywhere(xtask::stack::kinds, &goals, 400);
}

fn any_loss() -> impl Strategy<Value = Loss> {
    prop_oneof![Just(Loss::Reset), Just(Loss::Silence)]
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => any_loss().prop_map(Fate::RequestLost),
        3 => any_loss().prop_map(Fate::ResponseLost),
        2 => Just(Fate::Throttled),
        2 => Just(Fate::Unavailable),
        2 => Just(Fate::Broken),
        1 => Just(Fate::OverQuota),
        4 => (1..=30u64).prop_map(|s| Fate::Behind(Duration::from_secs(s))),
        1 => Just(Fate::Dies(Moment::Before)),
        1 => Just(Fate::Dies(Moment::Between)),
        1 => Just(Fate::Dies(Moment::After)),
    ]
}

fn any_spell() -> impl Strategy<Value = Spell> {
    (0..60usize, 1..14usize, any_fate()).prop_map(|(from, calls, fate)| Spell { from, calls, fate })
}

/// Bad weather of any kind in a first deploy, an update or a destroy, calls that overtake each other, and a next run with
/// the journal or without it.
#[test]
fn mixtures_of_everything_converge() {
    let goals = [first(), second(), gone()];
    let runs = undisturbed(small::kinds, &goals, Pace::None);
    let ends: Vec<&Remains> = runs.iter().map(|moments| moments.last().unwrap()).collect();
    let wanted: Vec<_> = ends.iter().map(|end| holdings(&end.account)).collect();
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed()),
        ..ProptestConfig::default()
    };
    let weather = proptest::collection::vec(any_spell(), 1..6);
    let case = (weather, any::<u64>(), 0..goals.len(), any::<bool>());
    let result = TestRunner::new(config).run(&case, |(weather, pace, at, keeps)| {
        let outcome = in_world(small::kinds(), delays(), async |world| {
            let from = match at.checked_sub(1) {
                Some(before) => ends[before].clone(),
                None => world.beginning(),
            };
            let pace = Pace::Seeded(pace);
            through(&world, &goals[at], &from, spells(weather), pace, keeps).await?;
            same(&world, &wanted[at], &[])
        });
        outcome.map_err(TestCaseError::fail)
    });
    if let Err(why) = result {
        panic!("FERPA_SEED={}: {why}", seed());
    }
}

/// What somebody else does to the account while a run is going on.
struct Meddling {
    at: usize,
    plane: ControlPlane,
    what: Deed,
}

impl Forecast for Meddling {
    fn fate(&mut self, call: &Seen) -> Fate {
        if call.number == self.at {
            self.plane.change(self.what);
        }
        Fate::Fair
    }
}

type Deed = fn(&mut Account);

/// Each with a word for it.
const MEDDLING: &[(&str, Deed)] = &[
    ("the secret is deleted", |account| account.region("us-east-1").secretsmanager.secrets.clear()),
    ("the key's alias is deleted", |account| account.region("us-east-1").kms.aliases.clear()),
    ("the key's rotation is off", |account| {
        for key in account.region("us-east-1").kms.keys.values_mut() {
            key.rotation_days = None;
        }
    }),
    ("the gateway is deleted", |account| {
        let ec2 = &mut account.region("us-east-1").ec2;
        ec2.nat_gateways.clear();
        ec2.network_interfaces.clear();
    }),
    ("the gateway fails", |account| {
        for gateway in account.region("us-east-1").ec2.nat_gateways.values_mut() {
            gateway.state = Some("failed".into());
        }
    }),
    ("the subnet is deleted", |account| {
        let ec2 = &mut account.region("us-east-1").ec2;
        ec2.nat_gateways.clear();
        ec2.network_interfaces.clear();
        ec2.subnets.clear();
    }),
    ("the VPC's attributes change", |account| {
        for vpc in account.region("us-east-1").ec2.vpc_attributes.values_mut() {
            vpc.dns_hostnames = false;
        }
    }),
];

/// A run that somebody meddles with ends with an error, or with all as it should be: once its steps are done it looks,
/// and what was meddled with until then it sees. The next run puts all of it right.
fn meddle_everywhere(goals: &[Goal]) {
    let begun = std::time::Instant::now();
    let runs = undisturbed(small::kinds, goals, Pace::None);
    let goal = goals.last().unwrap();
    let before = runs.len().checked_sub(2).and_then(|before| runs[before].last());
    let count = calls(small::kinds, goal, before).len();
    let cases: Vec<(usize, usize)> =
        (0..count).flat_map(|at| (0..MEDDLING.len()).map(move |what| (at, what))).collect();
    let done = std::sync::atomic::AtomicUsize::new(0);
    all(small::kinds, delays, &cases, async |world, &(at, what)| {
        let (word, what) = MEDDLING[what];
        world.resume(&before.cloned().unwrap_or_else(|| world.beginning()));
        let plane = world.weather.plane().clone();
        let meddling = Meddling { at, plane, what };
        let ended = world.run(goal, world.journal(&[]), meddling, Pace::Seeded(seed())).await;
        let seen = at < world.looks_from.get();
        let fail = |why: String| Err(format!("FERPA_SEED={}: {word} at call {at}: {why}", seed()));
        if let End::Endless(why) = ended {
            return fail(why);
        }
        world.resume_later(&world.remains(&world.journal(&[]), ""));
        let drift = world.plan(goal).await;
        if ended.is_done() {
            done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if seen && !drift.is_empty() {
                return fail(format!("done, and yet: {drift:?}"));
            }
        }
        let last = world.run(goal, world.journal(&[]), |_: &Seen| Fate::Fair, Pace::None).await;
        if let End::Endless(why) = last {
            return fail(why);
        }
        let left = world.plan(goal).await;
        match last.is_done() && left.is_empty() {
            true => Ok(()),
            false => fail(format!("{last:?}, then {left:?}")),
        }
    });
    println!("{} cases, {done:?} done at once, {:?}", cases.len(), begun.elapsed());
}

#[test]
fn somebody_meddles_at_every_call_of_a_deploy() {
    meddle_everywhere(&[first()]);
}

#[test]
fn somebody_meddles_at_every_call_of_an_update() {
    meddle_everywhere(&[first(), second()]);
}

#[test]
fn somebody_meddles_at_every_call_of_a_destroy() {
    meddle_everywhere(&[first(), gone()]);
}

/// How AWS says that resources of a kind have failed.
#[derive(Debug, Clone, Copy)]
struct Failure {
    kind: &'static str,
    /// The calls that tell: how they begin.
    read: &'static str,
    /// What stands before the word in their answers.
    after: &'static str,
    word: &'static str,
    /// The call of a deploy that replaces one after which its successor is read: how it begins.
    replacing: &'static str,
}

/// Every kind of the stack that takes its time to be made and can fail to.
const FAILURES: &[Failure] = &[
    Failure {
        kind: "ec2.nat_gateway",
        read: "DescribeNatGateways",
        after: "<state>",
        word: "failed",
        replacing: "DeleteNatGateway",
    },
    Failure {
        kind: "ec2.vpc_endpoint",
        read: "DescribeVpcEndpoints",
        after: "<state>",
        word: "failed",
        replacing: "DeleteVpcEndpoints",
    },
    Failure {
        kind: "rds.cluster",
        read: "DescribeDBClusters",
        after: "<Status>",
        word: "failed",
        replacing: "DeleteDBCluster",
    },
    Failure {
        kind: "rds.instance",
        read: "DescribeDBInstances",
        after: "<DBInstanceStatus>",
        word: "insufficient-capacity",
        replacing: "CreateDBInstance",
    },
    Failure {
        kind: "elasticache.replication_group",
        read: "DescribeReplicationGroups",
        after: "<Status>",
        word: "create-failed",
        replacing: "DeleteReplicationGroup",
    },
    Failure {
        kind: "elbv2.load_balancer",
        read: "DescribeLoadBalancers",
        after: "<Code>",
        word: "failed",
        replacing: "DeleteLoadBalancer",
    },
    Failure {
        kind: "efs.file_system",
        read: "GET /2015-02-01/file-systems",
        after: "\"LifeCycleState\":\"",
        word: "error",
        replacing: "DELETE /2015-02-01/file-systems",
    },
    Failure {
        kind: "apigatewayv2.vpc_link",
        read: "GET /v2/vpclinks",
        after: "\"vpcLinkStatus\":\"",
        word: "FAILED",
        replacing: "POST /v2/vpclinks",
    },
    Failure {
        kind: "firehose.delivery_stream",
        read: "DescribeDeliveryStream",
        after: "\"DeliveryStreamStatus\":\"",
        word: "CREATING_FAILED",
        replacing: "DeleteDeliveryStream",
    },
];

/// AWS says of all resources of a kind that they have failed.
struct Failing {
    failure: Failure,
    /// The call after which it no longer says so.
    until: Option<&'static str>,
    is_over: bool,
}

impl Failing {
    fn for_ever(failure: Failure) -> Self {
        Self { failure, until: None, is_over: false }
    }

    /// Until one is replaced: the successor works.
    fn until_replaced(failure: Failure) -> Self {
        Self { until: Some(failure.replacing), ..Self::for_ever(failure) }
    }
}

impl Forecast for Failing {
    fn fate(&mut self, call: &Seen) -> Fate {
        let Failure { read, after, word, .. } = self.failure;
        self.is_over |= self.until.is_some_and(|until| call.operation.starts_with(until));
        match !self.is_over && call.operation.starts_with(read) {
            true => Fate::Says { after, word },
            false => Fate::Fair,
        }
    }
}

/// A deploy in which a resource fails stops with an error that names the word of AWS. The next one replaces what failed,
/// or says that it would take data along; then it is for the operator to mend it, and the one after that is done.
#[test]
fn resources_of_every_kind_that_can_fail_do() {
    let begun = std::time::Instant::now();
    let goal = full::up(&full::first());
    let replaced = std::sync::atomic::AtomicUsize::new(0);
    all(xtask::stack::kinds, delays, FAILURES, async |world, failure| {
        let fail = |why: String| Err(format!("{}: {why}", failure.kind));
        world.resume(&world.beginning());
        let first =
            world.run(&goal, world.journal(&[]), Failing::for_ever(*failure), Pace::None).await;
        let End::Stopped(why) = first else { return fail(format!("{first:?}")) };
        if !why.iter().any(|line| line.contains(failure.word)) {
            return fail(format!("{why:?}"));
        }
        world.resume_later(&world.remains(&world.journal(&[]), ""));
        match world
            .run(&goal, world.journal(&[]), Failing::until_replaced(*failure), Pace::None)
            .await
        {
            End::Done => {
                replaced.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            End::Stopped(why) if why.iter().any(|line| line.contains("data would be lost")) => {
                let fair = |_: &Seen| Fate::Fair;
                let mended = world.run(&goal, world.journal(&[]), fair, Pace::None).await;
                if !mended.is_done() {
                    return fail(format!("after {why:?}, mended: {mended:?}"));
                }
            }
            other => return fail(format!("the next run: {other:?}")),
        }
        let left = world.plan(&goal).await;
        match left.is_empty() {
            true => Ok(()),
            false => fail(format!("left to do: {:?}", left.lines())),
        }
    });
    println!("{} cases, {replaced:?} replaced, {:?}", FAILURES.len(), begun.elapsed());
}
