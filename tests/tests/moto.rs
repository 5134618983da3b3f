//! The command line against moto: a server that this project did not write decides whether a deploy worked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tests::{
    Desk, Moto, added, nothing_is_left, only_known_calls_are_repeated, only_known_remains_stay,
    python, read_rows_back, real_changes, said, waive_what_moto_cannot_show, write_outputs,
};

#[test]
fn the_stack_is_built_read_back_kept_and_removed() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    // moto fills a service the moment that somebody looks.
    desk.xtask(&["plan"]).exits(0);
    let before = moto.held();
    desk.xtask(&["deploy"]).exits(0);
    let made = added(&before, &moto.held());
    assert!(made.len() > 40, "moto tells what it holds: {made:?}");

    read_rows_back(&desk, &moto);

    let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
    assert_eq!(real_changes(&plan), Vec::<String>::new(), "a second run is a no-op");
    moto.record();
    desk.xtask(&["deploy"]).exits(0);
    only_known_calls_are_repeated(&moto);

    desk.xtask(&["destroy", "--allow-data-loss"]).exits(0);
    nothing_is_left(&moto);
    only_known_remains_stay(&before, &moto.held());
}

#[test]
fn the_stack_is_audited_and_what_is_broken_behind_its_back_is_found() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    waive_what_moto_cannot_show(&desk);
    desk.xtask(&["deploy"]).exits(0);
    let audit = desk.xtask(&["audit", "--json"]);
    let json = audit.json();
    assert_eq!(said(&json, "fail"), Vec::<String>::new());
    assert_eq!(said(&json, "unknown"), Vec::<String>::new());
    audit.exits(0);

    let outputs = write_outputs(&desk);
    python("sabotage.py", &moto.url, &[&outputs]).unwrap().exits(0);
    let strangers = python("strangers.py", &moto.url, &[&outputs]).unwrap().exits(0);
    let strangers = strangers.json();

    let found = said(&desk.xtask(&["audit", "--json"]).exits(1).json(), "fail").join("\n");
    for control in ["FERPA-NET-04", "FERPA-KEY-01", "FERPA-TLS-06", "FERPA-AVL-01"] {
        assert!(found.contains(control), "{control} in {found}");
    }
    // Nobody tagged these, but they are in the stack's VPC.
    for (control, stranger) in [("FERPA-NET-04", "group"), ("FERPA-NET-07", "subnet")] {
        let id = strangers[stranger].as_str().unwrap();
        assert!(found.contains(&format!("{control} {id}")), "{control} {id} in {found}");
    }
}

#[test]
fn every_mistake_of_the_original_stack_is_found() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    let made = python("seed.py", &moto.url, &[&moto.url]).unwrap().exits(0);
    desk.write("made.json", &made.stdout);
    let audit = desk.xtask(&[
        "audit",
        "--scope",
        "account",
        "--format",
        "json",
        "--output",
        "audit.json",
        "--format",
        "ocsf",
        "--output",
        "ocsf.json",
        "--format",
        "junit",
        "--output",
        "junit.xml",
    ]);
    assert_eq!(audit.code, Some(1), "{}", audit.stderr);
    let file = |name: &str| desk.path().join(name).to_string_lossy().into_owned();
    let (made, audit) = (file("made.json"), file("audit.json"));
    python("seed_found.py", &moto.url, &[&made, &audit]).unwrap().exits(0);
    // The reports, as others read them.
    python("ocsf.py", &moto.url, &[&file("ocsf.json")]).unwrap().exits(0);
    python("junit.py", &moto.url, &[&file("junit.xml")]).unwrap().exits(0);
}

/// The resources by kind and logical id, how many of each; ids differ from run to run.
fn census(desk: &Desk) -> BTreeMap<String, usize> {
    desk.xtask(&["inventory", "--output", "inventory.json"]).exits(0);
    let text = std::fs::read_to_string(desk.path().join("inventory.json")).unwrap();
    let inventory: Value = serde_json::from_str(&text).unwrap();
    let mut census = BTreeMap::new();
    for (kind, resources) in inventory["resources"].as_object().unwrap() {
        for resource in resources.as_array().unwrap() {
            let name = resource["tags"]["ferpa-stack:resource"].as_str().unwrap_or("untagged");
            *census.entry(format!("{kind} {name}")).or_default() += 1;
        }
    }
    census
}

/// How many steps a deploy says are done on a line of standard error.
fn steps_done(line: &str) -> usize {
    line.matches('✓').count()
}

#[test]
fn a_deploy_that_is_killed_at_any_moment_is_completed_by_the_next() {
    const ROUNDS: usize = 20;
    let Some(moto) = Moto::start() else { return };
    let undisturbed = Desk::at(&moto.url);
    let whole = undisturbed.xtask(&["deploy"]).exits(0);
    let steps: usize = whole.stderr.lines().map(steps_done).sum();
    assert!(steps > 90, "it says what it does: {}", whole.stderr);
    let wanted = census(&undisturbed);

    let mut killed = 0;
    for round in 0..ROUNDS {
        moto.reset();
        let desk = Desk::at(&moto.url);
        // Spread over the whole run by what is done, not by the clock: a busy machine must not turn this into
        // deploys that are over when they are killed.
        let moment = round * steps / ROUNDS;
        let mut victim =
            desk.command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines();
        let mut done = 0;
        while done < moment {
            let line = lines.next().expect("it is not over").unwrap();
            done += steps_done(&line);
        }
        // A jitter, so that no two suites kill alike.
        let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::sleep(Duration::from_micros(u64::from(nanoseconds % 20_000)));
        victim.kill().unwrap();
        let status = victim.wait().unwrap();
        killed += usize::from(status.signal() == Some(9));
        drop(lines);
        // What the dead process has asked for is still made: whoever looks before the server has done it
        // cannot know of it.
        moto.settle();
        if round % 2 == 1 {
            // Another machine goes on: it has no journal.
            let _ = std::fs::remove_dir_all(desk.path().join(".ferpa"));
        }
        desk.xtask(&["deploy"]).exits(0);
        assert_eq!(census(&desk), wanted, "killed after {moment} of {steps} steps");
        let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
        assert_eq!(real_changes(&plan), Vec::<String>::new(), "killed after {moment} steps");
    }
    // On a busy machine one of the last may be over before the signal comes.
    assert!(killed >= ROUNDS - 2, "{killed} of {ROUNDS} were killed under way");
}

#[test]
fn an_interrupt_finishes_calls_in_flight_and_says_how_to_go_on() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    let mut deploy =
        desk.command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(deploy.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let begun = lines.by_ref().find(|line| line.contains('✓'));
    assert!(begun.is_some(), "it makes something first");
    let status = std::process::Command::new("kill")
        .args(["-INT", &deploy.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let stderr = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(deploy.wait().unwrap().code(), Some(130), "{stderr}");
    assert!(stderr.contains("run the command again"), "{stderr}");
    desk.xtask(&["deploy"]).exits(0);
}

#[test]
fn drift_is_named_by_field_and_mended() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    desk.xtask(&["deploy"]).exits(0);
    let outputs = write_outputs(&desk);
    python("sabotage.py", &moto.url, &[&outputs]).unwrap().exits(0);

    let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
    let changes = real_changes(&plan).join("\n");
    for field in ["ingress", "rotation_enabled", "policy", "routes"] {
        assert!(changes.contains(field), "{field} in {changes}");
    }
    desk.xtask(&["plan", "--detailed-exitcode"]).exits(2);
    desk.xtask(&["deploy"]).exits(0);
    let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
    assert_eq!(real_changes(&plan), Vec::<String>::new(), "mended");
}
