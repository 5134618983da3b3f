//! The command line on the embedded account: what a person sees who has just cloned the project.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
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

#[test]
fn the_first_deploy_takes_the_steps_that_the_readme_says() {
    let desk = Desk::embedded();
    let deployed = desk.xtask(&["deploy", "--json"]).exits(0).json();
    let planned = |change: &str| {
        let actions = deployed["plan"]["actions"].as_array().unwrap().iter();
        actions.filter(|action| action["action"] == change).count()
    };
    assert_eq!((planned("create"), planned("update")), (96, 1));
    let done = deployed["run"]["done"].as_array().unwrap();
    let created = done.iter().filter(|step| step["what"] == "create").count();
    assert_eq!(created, 96, "each of them once");
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
    // The account has one role for API Gateway's logs. It was the first environment's, and went with it.
    let left = desk.xtask(&["plan", "--detailed-exitcode", "--env", "two"]).exits(2);
    assert!(left.stdout.contains("api/account"), "{}", left.stdout);
    assert!(left.stdout.contains("Plan: 1 to update, 96 unchanged."), "{}", left.stdout);
    desk.xtask(&["deploy", "--env", "two"]).exits(0);
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

#[test]
fn each_v_says_more() {
    let desk = Desk::embedded();
    let attribute = "cidr_block: \"10.0.0.0/16\"";
    let plain = desk.xtask(&["plan"]).exits(0);
    assert!(!plain.stdout.contains(attribute), "{}", plain.stdout);
    assert!(!plain.stderr.contains("INFO"), "{}", plain.stderr);

    let attributes = desk.xtask(&["plan", "-v"]).exits(0);
    assert!(attributes.stdout.contains(attribute), "{}", attributes.stdout);
    assert!(attributes.stderr.contains("read what runs"), "{}", attributes.stderr);
    assert!(!attributes.stderr.contains("DEBUG"), "{}", attributes.stderr);

    let engine = desk.xtask(&["deploy", "-vv"]).exits(0);
    let is_step = |line: &str| line.contains("DEBUG") && line.contains("network/vpc");
    assert!(engine.stderr.lines().any(is_step), "{}", engine.stderr);
    assert!(!engine.stderr.contains("TRACE"), "{}", engine.stderr);

    let calls = desk.xtask(&["plan", "-vvv"]).exits(0);
    assert!(calls.stderr.contains("ec2:DescribeVpcs"), "{}", calls.stderr);
}

#[test]
fn a_simulation_says_what_will_happen_on_aws_and_changes_nothing() {
    let desk = Desk::embedded();
    let said = desk.xtask(&["deploy", "--simulate"]).exits(0).stdout;
    for part in ["96 to create", "Expected on AWS: ", "Critical path:", "data/cache"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let simulated = desk.xtask(&["deploy", "--simulate", "--json"]).exits(0).json();
    assert_eq!(simulated["plan"]["actions"].as_array().map(Vec::len), Some(97));
    let seconds = simulated["seconds"].as_f64().unwrap();
    assert!((600.0..900.0).contains(&seconds), "what docs/timing.md says, roughly: {seconds}");
    assert!(!critical_path(&simulated).is_empty());
    desk.xtask(&["outputs"]).exits(2);

    desk.xtask(&["deploy"]).exits(0);
    let nothing = desk.xtask(&["deploy", "--simulate"]).exits(0).stdout;
    assert!(nothing.contains("Expected on AWS: nothing to do."), "{nothing}");
    let state = snapshot_of(&desk);
    for args in [&["destroy", "--simulate"][..], &["destroy", "--simulate", "--allow-data-loss"]] {
        let said = desk.xtask(args).exits(0).stdout;
        assert!(said.contains("Expected on AWS: ") && said.contains("Critical path:"), "{said}");
        // Where something stays, there is no end of the stack to wait for.
        let waits = said.contains("Then 1 min in which AWS may still show what is gone: ");
        assert_eq!(waits, args.contains(&"--allow-data-loss"), "{said}");
    }
    let args = ["destroy", "--simulate", "--allow-data-loss", "--json"];
    let simulated = desk.xtask(&args).exits(0).json();
    let seconds = |value: &Value| value.as_f64().unwrap();
    let last = seconds(&simulated["seconds"]) - seconds(&simulated["timeline"]["seconds"]);
    assert!((last - 60.0).abs() < 0.01, "{last}");
    assert_eq!(state, snapshot_of(&desk), "no write call");
}

/// The resources on the critical path of `--simulate --json`.
fn critical_path(simulated: &Value) -> Vec<String> {
    let timeline = &simulated["timeline"];
    let spans = timeline["spans"].as_array().unwrap();
    let steps = timeline["critical_path"].as_array().unwrap().iter();
    let on = |step: &Value| spans.iter().find(|span| span["step"] == *step).unwrap();
    steps.map(|step| on(step)["resource"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_timeline_is_a_picture_that_needs_nothing_but_itself() {
    let desk = Desk::embedded();
    let args = ["deploy", "--simulate", "--timeline", "will.svg", "--json"];
    let simulated = desk.xtask(&args).exits(0).json();
    let will = Picture::read(&desk, "will.svg");
    assert!(will.text.contains("student-dev: deploy, expected on AWS"), "{}", will.text);
    let marked = will.of_class("critical");
    let longest = ["data/cache", "compute/service"];
    for resource in longest {
        assert!(critical_path(&simulated).iter().any(|on| on == resource), "{resource}");
        assert!(marked.contains(&resource), "{resource}: {marked:?}");
    }

    desk.xtask(&["deploy", "--timeline", "did.svg"]).exits(0);
    let did = Picture::read(&desk, "did.svg");
    assert!(did.text.contains("student-dev: deploy: "), "{}", did.text);
    assert!(!did.of_class("critical").is_empty());
}

/// An SVG picture, taken apart.
struct Picture {
    text: String,
    /// The texts in it, each with its classes.
    labels: Vec<(String, String)>,
}

impl Picture {
    /// Reads it as XML, and refuses whatever leads out of it.
    fn read(desk: &Desk, name: &str) -> Self {
        let text = std::fs::read_to_string(desk.path().join(name)).unwrap();
        let mut reader = Reader::from_str(&text);
        let mut depth = 0;
        let mut class = String::new();
        let mut labels = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => {
                    class = attributes(&tag);
                    depth += 1;
                }
                Event::Empty(tag) => {
                    attributes(&tag);
                }
                Event::End(_) => {
                    class.clear();
                    depth -= 1;
                }
                Event::Text(label) => {
                    let label = label.decode().unwrap().into_owned();
                    assert!(!label.contains("url(") && !label.contains("@import"), "{label}");
                    labels.push((class.clone(), label));
                }
                Event::GeneralRef(_) => {}
                Event::Eof => break,
                other => panic!("{name} holds {other:?}"),
            }
        }
        assert_eq!(depth, 0, "every element of {name} is closed");
        Self { text, labels }
    }

    fn of_class(&self, wanted: &str) -> Vec<&str> {
        let has = |class: &str| class.split(' ').any(|class| class == wanted);
        self.labels.iter().filter(|(class, _)| has(class)).map(|(_, label)| &**label).collect()
    }
}

/// The class of an element. None of its attributes names another file.
fn attributes(tag: &BytesStart<'_>) -> String {
    let mut class = String::new();
    for attribute in tag.attributes() {
        let attribute = attribute.unwrap();
        let name = String::from_utf8(attribute.key.into_inner().to_vec()).unwrap();
        let value = String::from_utf8(attribute.value.to_vec()).unwrap();
        let leads_out = name.ends_with("href") || name == "src" || value.contains("url(");
        assert!(!leads_out, "{name}={value}");
        if name == "class" {
            class = value;
        }
    }
    class
}
