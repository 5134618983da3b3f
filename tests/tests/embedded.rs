//! The command line on the embedded account: what a person sees who has just cloned the project.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tests::{Desk, Served, python};

#[test]
fn deploy_builds_the_stack_and_a_second_deploy_finds_nothing_to_do() {
    let desk = Desk::embedded();
    let first = desk.xtask(&["deploy"]).exits(0);
    assert!(first.stdout.contains("to create"), "{}", first.stdout);
    assert!(first.stdout.contains("api_gateway_url"), "{}", first.stdout);

    let state = snapshot_of(&desk);
    let second = desk.xtask(&["deploy"]).exits(0);
    assert!(second.stdout.contains("Nothing to do."), "{}", second.stdout);
    assert_eq!(state, snapshot_of(&desk), "no write call");
    desk.xtask(&["plan", "--detailed-exitcode"]).exits(0);
}

/// The account's files: a write call changes at least one of them.
fn snapshot_of(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![desk.path().join(".ferpa/embedded")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn outputs_keep_their_contract() {
    let desk = Desk::embedded();
    desk.xtask(&["outputs", "--json"]).exits(2);
    desk.xtask(&["deploy", "--json"]).exits(0);
    let outputs = desk.xtask(&["outputs", "--json"]).exits(0).json();
    for name in [
        "account_id",
        "region",
        "vpc_id",
        "ecs_cluster_name",
        "ecs_service_name",
        "aurora_cluster_id",
        "aurora_cluster_endpoint",
        "aurora_reader_endpoint",
        "redis_replication_group_id",
        "redis_endpoint",
        "kinesis_stream_name",
        "efs_file_system_id",
        "rest_api_id",
        "api_stage_name",
        "api_gateway_url",
        "alb_arn",
        "alb_dns_name",
        "db_secret_arn",
        "trail_name",
    ] {
        assert!(outputs[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {outputs}");
    }
    for name in ["public_subnet_ids", "private_subnet_ids"] {
        assert_eq!(outputs[name].as_array().map(Vec::len), Some(2), "{name}");
    }
    for purpose in ["rds", "elasticache", "kinesis", "efs", "secrets", "logs"] {
        let arn = outputs["kms_key_arns"][purpose].as_str().unwrap_or_default();
        assert!(arn.starts_with("arn:aws:kms:us-east-1:"), "{purpose}: {arn}");
    }
}

#[test]
fn boto3_reads_every_row_of_the_served_account() {
    let desk = Desk::embedded();
    desk.xtask(&["deploy"]).exits(0);
    let outputs = desk.xtask(&["outputs", "--json"]).exits(0);
    desk.write("outputs.json", &outputs.stdout);
    let served = Served::start(&desk);
    let file = desk.path().join("outputs.json");
    let Some(ran) = python("rows.py", &served.url, &[&file.to_string_lossy(), "dev"]) else {
        return;
    };
    ran.exits(0);
}

#[test]
fn environments_do_not_see_each_other() {
    let desk = Desk::embedded();
    desk.xtask(&["deploy", "--env", "one"]).exits(0);
    desk.xtask(&["deploy", "--env", "two"]).exits(0);
    let one = desk.xtask(&["outputs", "--json", "--env", "one"]).exits(0).json();
    let two = desk.xtask(&["outputs", "--json", "--env", "two"]).exits(0).json();
    assert_ne!(one["vpc_id"], two["vpc_id"]);
    desk.xtask(&["destroy", "--env", "one", "--allow-data-loss"]).exits(0);
    desk.xtask(&["plan", "--detailed-exitcode", "--env", "two"]).exits(0);
    desk.xtask(&["plan", "--detailed-exitcode", "--env", "one"]).exits(2);
}

#[test]
fn destroy_keeps_data_without_a_word_and_the_next_deploy_revives_what_was_scheduled() {
    let desk = Desk::embedded();
    desk.xtask(&["deploy"]).exits(0);
    let before = desk.xtask(&["outputs", "--json"]).exits(0).json();

    let kept = desk.xtask(&["destroy"]).exits(0);
    assert!(kept.stdout.contains("data/cluster"), "it says what stays: {}", kept.stdout);
    let again = desk.xtask(&["destroy"]).exits(0);
    assert!(again.stdout.contains("Nothing to do."), "{}", again.stdout);
    desk.xtask(&["deploy"]).exits(0);
    let after = desk.xtask(&["outputs", "--json"]).exits(0).json();
    assert_eq!(before["efs_file_system_id"], after["efs_file_system_id"], "data survived");
    assert_eq!(before["kms_key_arns"]["rds"], after["kms_key_arns"]["rds"]);

    desk.xtask(&["destroy", "--allow-data-loss"]).exits(0);
    let nothing = desk.xtask(&["destroy", "--allow-data-loss"]).exits(0);
    assert!(nothing.stdout.contains("Nothing to do."), "{}", nothing.stdout);
    desk.xtask(&["deploy"]).exits(0);
    let revived = desk.xtask(&["outputs", "--json"]).exits(0).json();
    assert_eq!(before["kms_key_arns"], revived["kms_key_arns"], "keys come back");
    assert_eq!(before["db_secret_arn"], revived["db_secret_arn"], "secrets come back");
    assert_ne!(before["efs_file_system_id"], revived["efs_file_system_id"]);
}

#[test]
fn a_saved_plan_is_carried_out_exactly_or_refused() {
    let desk = Desk::embedded();
    desk.xtask(&["plan", "--out", "first.plan"]).exits(0);
    desk.xtask(&["deploy", "--plan-file", "first.plan"]).exits(0);
    let stale = desk.xtask(&["deploy", "--plan-file", "first.plan"]).exits(2);
    assert!(stale.stderr.contains("does not fit any more"), "{}", stale.stderr);
    assert!(stale.stderr.contains("network/vpc: was to create, now is not"), "{}", stale.stderr);

    desk.write("ferpa.toml", "[service.scaling]\nmax = 12\n");
    desk.xtask(&["plan", "--out", "second.plan"]).exits(0);
    desk.write("ferpa.toml", "[service.scaling]\nmax = 14\n");
    let changed = desk.xtask(&["deploy", "--plan-file", "second.plan"]).exits(2);
    assert!(changed.stderr.contains("max_capacity"), "{}", changed.stderr);
    desk.write("ferpa.toml", "[service.scaling]\nmax = 12\n");
    desk.xtask(&["deploy", "--plan-file", "second.plan"]).exits(0);
    desk.xtask(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_bad_configuration_is_refused_whole_before_any_call() {
    let desk = Desk::embedded();
    desk.write(
        "ferpa.toml",
        "[network]\ncidr = \"10.0.0.0/16\"\npublic_cidrs = [\"192.168.1.0/24\", \"10.0.2.0/24\"]\n\
         \n[logs]\nretention_days = 366\n\n[certificate]\narn = \"no-arn\"\n",
    );
    let bad = desk.xtask(&["deploy"]).exits(2);
    for part in ["3 faults", "public_cidrs", "192.168.1.0/24", "retention_days", "no-arn"] {
        assert!(bad.stderr.contains(part), "{part}: {}", bad.stderr);
    }
    assert!(!desk.path().join(".ferpa/embedded/us-east-1").exists(), "nothing was called");
}

#[test]
fn usage_errors_exit_with_two() {
    let desk = Desk::embedded();
    desk.xtask(&["deploy", "--config", "missing.toml"]).exits(2);
    desk.xtask(&["deploy", "--target", "endpoint"]).exits(2);
    desk.xtask(&["deploy", "--env", "Not_A_Name"]).exits(2);
    desk.xtask(&["dploy"]).exits(2);
    let unreachable = Desk::at("http://127.0.0.1:9");
    unreachable.xtask(&["plan"]).exits(3);
}
