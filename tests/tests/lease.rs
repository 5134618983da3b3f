//! Several runs on one stack: one at a time, and nothing doubled.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use engine::execute::{Execution, execute};
use engine::inventory::collect;
use engine::lease::LeaseError;
use engine::plan::{self, Options};
use engine::steps::Steps;
use engine::{Aws, Inventory, Journal, Kind, Leases, Scope, Target};
use local::{ControlPlane, Schedule};
use serde_json::Value;
use tests::{Desk, Moto, python};
use xtask::config::Config;
use xtask::stack::{FullStack, Site, kinds};

/// The resources of the stack by kind and logical id, how many of each.
fn census(inventory: &Value) -> BTreeMap<String, usize> {
    let mut census = BTreeMap::new();
    for (kind, resources) in inventory["resources"].as_object().unwrap() {
        for resource in resources.as_array().unwrap() {
            if let Some(name) = resource["tags"]["ferpa-stack:resource"].as_str() {
                *census.entry(format!("{kind} {name}")).or_default() += 1;
            }
        }
    }
    census
}

fn census_at(desk: &Desk) -> BTreeMap<String, usize> {
    desk.xtask(&["inventory", "--output", "inventory.json"]).exits(0);
    let text = std::fs::read_to_string(desk.path().join("inventory.json")).unwrap();
    census(&serde_json::from_str(&text).unwrap())
}

#[test]
fn two_machines_at_once_make_one_stack_and_the_second_is_told_who_holds_it() {
    let Some(moto) = Moto::start() else { return };
    // Three desks: none has another's journal.
    let (first, second, third) = (Desk::at(&moto.url), Desk::at(&moto.url), Desk::at(&moto.url));
    let mut deploy =
        first.command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(deploy.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.contains('✓')), "the first one has begun");
    let waits = second
        .command(&["deploy", "--lock-timeout", "5m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = third.xtask(&["destroy", "--json"]).exits(3);
    let said = told.stderr.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
    assert!(said.contains("student-dev is held by"), "{said}");
    assert!(said.contains("(deploy) since 20"), "{said}");
    assert!(said.contains("--lock-timeout"), "{said}");
    let told = told.json();
    assert_eq!(told["held"]["command"], "deploy");
    assert!(told["held"]["since"].is_string(), "{told}");

    // Who waits goes on when the first one is done, and finds that nothing is left to create.
    let waited = waits.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (said(&waited.stdout), said(&waited.stderr));
    assert_eq!(waited.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stderr.contains("waiting: student-dev is held by"), "{stderr}");
    assert!(!stdout.contains("to create"), "{stdout}");
    lines.for_each(drop);
    assert_eq!(deploy.wait().unwrap().code(), Some(0));
    assert_eq!(census_at(&first).values().max(), Some(&1), "nothing is doubled");

    third.xtask(&["destroy", "--allow-data-loss"]).exits(0);
    let left = python("lease.py", &moto.url, &["student-dev", "list"]).unwrap().exits(0).json();
    assert_eq!(left, serde_json::json!([]), "the lease goes with the stack");
}

#[test]
fn a_dead_holder_of_this_machine_is_succeeded_at_once_and_one_of_another_by_unlock() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    let mut victim =
        desk.command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.contains('✓')), "it has begun");
    victim.kill().unwrap();
    victim.wait().unwrap();
    // What the dead process has asked for is still made.
    std::thread::sleep(Duration::from_secs(2));
    desk.xtask(&["deploy"]).exits(0);
    assert_eq!(census_at(&desk).values().max(), Some(&1), "nothing is doubled");

    python("lease.py", &moto.url, &["student-dev", "held"]).unwrap().exits(0);
    let told = desk.xtask(&["destroy"]).exits(3);
    assert!(told.stderr.contains("ana@elsewhere"), "{}", told.stderr);
    assert!(told.stderr.contains("2026-01-02"), "{}", told.stderr);
    let unlocked = desk.xtask(&["unlock", "--json"]).exits(0).json();
    assert_eq!(unlocked["held"]["holder"], "ana@elsewhere, process 7");
    assert_eq!(unlocked["unlocked"], true);
    let nobody = desk.xtask(&["unlock"]).exits(0);
    assert_eq!(nobody.stdout, "Nobody holds student-dev.\n");
    desk.xtask(&["destroy"]).exits(0);
}

#[test]
fn a_run_with_nothing_to_do_takes_no_lease() {
    let desk = Desk::embedded();
    desk.xtask(&["deploy"]).exits(0);
    let log = desk.path().join(".ferpa/embedded/us-east-1/ssm.json");
    let before = std::fs::read(&log).unwrap();
    desk.xtask(&["deploy"]).exits(0);
    desk.xtask(&["plan"]).exits(0);
    desk.xtask(&["outputs"]).exits(0);
    assert_eq!(before, std::fs::read(&log).unwrap());
}

/// One machine's deploy, as the command goes about it. `false` when another one holds the stack.
async fn deploy(aws: Aws, stack: Arc<FullStack>, patience: Duration) -> Result<(), LeaseError> {
    let kinds = kinds();
    let (graph, name) = (&stack.graph, stack.graph.name().clone());
    let journal = Arc::new(Journal::in_memory());
    let leases = Leases::of(&aws, &name, "deploy", None);
    let scope = Scope::Stack(name.clone());
    let plan_of = |now: &Inventory| {
        plan::plan(graph, now, &kinds, Options { imitation: true, ..Options::default() })
    };

    let turn = leases.turn(patience, &|_| {}).await?;
    let mut inventory = collect(&aws, &kinds, &scope, &journal).await;
    let mut plan = plan_of(&inventory);
    if plan.actions.is_empty() {
        return Ok(());
    }
    let (lease, fresh) = leases.take(&turn, patience, &|_| {}).await?;
    if !(fresh && (turn.has_trace() || inventory.owned(&kinds, &name).is_empty())) {
        inventory = collect(&aws, &kinds, &scope, &journal).await;
        plan = plan_of(&inventory);
    }
    let steps = Steps::of(&plan, graph, &inventory, &kinds).unwrap();
    let execution = Execution { stop: lease.stop().child_token(), ..Execution::default() };
    let outcome = execute(&aws, graph, steps, journal, execution).await;
    assert!(outcome.is_complete(), "{:?}", outcome.failed);
    lease.release().await
}

/// Runs two machines at once on one embedded account, with the order of all their calls from a seed. Returns
/// how many deployed, and the census.
async fn two_at_once(seed: u64, patience: Duration) -> (usize, BTreeMap<String, usize>) {
    let plane = ControlPlane::in_memory();
    let schedule = Schedule::new(plane.clone(), seed);
    let answering = tokio::spawn({
        let schedule = schedule.clone();
        async move { schedule.run().await }
    });
    let mut machines = Vec::new();
    for machine in 0..2 {
        let target = Target::Embedded(schedule.http_client(machine));
        let aws = Aws::connect(target, Some("us-east-1")).await.unwrap();
        let zones = network::availability_zones(&aws, 2).await.unwrap();
        let site = Site {
            account_id: aws.account_id().into(),
            region: aws.region().into(),
            zones,
            is_real: false,
        };
        let (stack, faults) = FullStack::declare(&Config::default(), &site);
        assert!(faults.is_empty());
        machines.push((aws, Arc::new(stack)));
    }
    let runs: Vec<_> = machines
        .iter()
        .map(|(aws, stack)| tokio::spawn(deploy(aws.clone(), stack.clone(), patience)))
        .collect();
    let mut done = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(()) => done += 1,
            Err(LeaseError::Held(held)) => assert!(held.since.is_some(), "{held}"),
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    answering.abort();
    let quiet =
        Aws::connect(Target::Embedded(plane.http_client()), Some("us-east-1")).await.unwrap();
    let scope = Scope::Stack(machines[0].1.graph.name().clone());
    let all: Vec<Kind> = kinds();
    let inventory = collect(&quiet, &all, &scope, &Journal::in_memory()).await;
    (done, census(&serde_json::to_value(&inventory).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn in_random_orders_of_all_calls_of_two_deploys_the_full_stack_is_made_once() {
    let mut refused = 0;
    for seed in 0..6 {
        let patience = Duration::from_secs(if seed % 2 == 0 { 0 } else { 600 });
        let (done, census) = two_at_once(seed, patience).await;
        assert!(done >= 1, "seed {seed}: one of them proceeds");
        if seed % 2 == 1 {
            assert_eq!(done, 2, "seed {seed}: who waits gets its turn");
        }
        refused += 2 - done;
        assert!(census.len() > 60, "seed {seed}: {census:?}");
        let doubled: Vec<_> = census.iter().filter(|(_, count)| **count > 1).collect();
        assert!(doubled.is_empty(), "seed {seed}: {doubled:?}");
    }
    assert!(refused > 0, "some are told that another one holds the stack");
}
