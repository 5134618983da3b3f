//! The command line against moto: a server that this project did not write decides whether a deploy worked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use tests::{Desk, Moto, python};

/// What moto 5.2.5 cannot keep. Each entry: the resource's kind, the field, and why.
const MOTO_LOSES: &[(&str, &str)] = &[
    // DescribeDBInstances has no performance insights.
    ("rds.instance", "performance_insights"),
    // DescribeCacheClusters has no engine version, groups, parameters or maintenance window.
    ("elasticache.replication_group", "nodes"),
    // GetIntegration has no connectionId and no integrationTarget; GetRestApi no security policy.
    ("apigateway.rest_api", "routes"),
    ("apigateway.rest_api", "security_policy"),
    ("apigateway.rest_api", "endpoint_access_mode"),
];

/// The same, for the witness that reads rows.
const TOLERATED_ROWS: &[&str] = &[
    "--tolerate",
    "performance-insights",
    "integration-link",
    "integration-target",
    // GetKeyRotationStatus has no RotationPeriodInDays.
    "rotation-period",
    // There are no backup selections.
    "backup",
];

fn is_moto_loss(kind: &str, path: &str) -> bool {
    MOTO_LOSES.iter().any(|(k, field)| *k == kind && path.split('.').next() == Some(field))
}

/// What a plan would change, without what moto cannot keep.
fn real_changes(plan: &Value) -> Vec<String> {
    let mut changes = Vec::new();
    for action in plan["actions"].as_array().into_iter().flatten() {
        let (resource, kind) = (&action["resource"], action["kind"].as_str().unwrap_or_default());
        if action["action"] != "update" {
            changes.push(format!("{} {resource}", action["action"]));
            continue;
        }
        for change in action["changes"].as_array().into_iter().flatten() {
            let path = change["path"].as_str().unwrap_or_default();
            if !is_moto_loss(kind, path) {
                changes.push(format!("{resource} {path}: {} to {}", change["old"], change["new"]));
            }
        }
    }
    changes
}

#[test]
fn the_stack_is_built_read_back_kept_and_removed() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    desk.xtask(&["deploy"]).exits(0);

    let outputs = desk.xtask(&["outputs", "--json"]).exits(0);
    desk.write("outputs.json", &outputs.stdout);
    let file = desk.path().join("outputs.json");
    let mut args = vec![file.to_str().unwrap(), "dev"];
    args.extend(TOLERATED_ROWS);
    python("rows.py", &moto.url, &args).unwrap().exits(0);

    let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
    assert_eq!(real_changes(&plan), Vec::<String>::new(), "a second run is a no-op");
    desk.xtask(&["deploy"]).exits(0);

    desk.xtask(&["destroy", "--allow-data-loss"]).exits(0);
    let left = python("left.py", &moto.url, &["student-dev"]).unwrap().exits(0);
    // moto has no DeleteCacheSubnetGroup.
    assert_eq!(
        left.stdout.trim(),
        r#"["student-cache-subnets-dev"]"#,
        "nothing else of ours is left"
    );
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

#[test]
fn a_deploy_that_is_killed_at_any_moment_is_completed_by_the_next() {
    let Some(moto) = Moto::start() else { return };
    let undisturbed = Desk::at(&moto.url);
    let begun = Instant::now();
    undisturbed.xtask(&["deploy"]).exits(0);
    let whole = begun.elapsed();
    let wanted = census(&undisturbed);

    for round in 0..20u32 {
        moto.reset();
        let desk = Desk::at(&moto.url);
        // Spread over the whole run, with a jitter from the clock so that no two suites kill alike.
        let jitter = f64::from(begun.elapsed().subsec_nanos() % 1000) / 1000.0;
        let moment = whole.mul_f64((f64::from(round) + jitter) / 20.0);
        let mut victim =
            desk.command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        victim.kill().unwrap();
        victim.wait().unwrap();
        if round % 2 == 1 {
            // Another machine goes on: it has no journal.
            let _ = std::fs::remove_dir_all(desk.path().join(".ferpa"));
        }
        desk.xtask(&["deploy"]).exits(0);
        assert_eq!(census(&desk), wanted, "killed after {} ms", moment.as_millis());
        let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
        assert_eq!(
            real_changes(&plan),
            Vec::<String>::new(),
            "killed after {} ms",
            moment.as_millis()
        );
    }
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
    let outputs = desk.xtask(&["outputs", "--json"]).exits(0);
    desk.write("outputs.json", &outputs.stdout);
    let file = desk.path().join("outputs.json");
    python("sabotage.py", &moto.url, &[&file.to_string_lossy()]).unwrap().exits(0);

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
