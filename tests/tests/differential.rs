//! The same configuration, embedded and in moto: the same plan, the same findings, and after the same sabotage the
//! same changes of findings. Where they differ is listed in `src/differences.rs`, and only there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::differences::FINDINGS;
use tests::{Desk, Moto, Served, losses_not_seen, python, real_changes, write_outputs};

/// A finding's control, kind and resource, the resource named as in both accounts.
type Key = (String, String, String);

/// The statuses of an audit.
type Statuses = BTreeMap<Key, String>;

/// Audits a snapshot of what runs, so that ids and findings are of one moment.
fn statuses(desk: &Desk) -> Statuses {
    desk.xtask(&["inventory", "--output", "inventory.json"]).exits(0);
    let text = std::fs::read_to_string(desk.path().join("inventory.json")).unwrap();
    let inventory: Value = serde_json::from_str(&text).unwrap();
    let names = names(&inventory);
    let audit = desk.xtask(&["audit", "--json", "--from", "inventory.json"]).json();
    let mut statuses = Statuses::new();
    for finding in audit["findings"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (kind, id) = (text(&finding["resource"]["kind"]), text(&finding["resource"]["id"]));
        let name = names.get(&id).cloned().unwrap_or(id);
        let key = (text(&finding["control"]), kind, name);
        let twice = statuses.insert(key.clone(), text(&finding["status"]));
        assert!(twice.is_none(), "{key:?} is the name of one finding");
    }
    statuses
}

/// What the resources of an account are called, by id: the logical id, where a tag has it. The ids of the others
/// are names already, but for these kinds: they are called after what they hang on.
fn names(inventory: &Value) -> BTreeMap<String, String> {
    let resources: Vec<(&str, &Value)> = inventory["resources"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(kind, all)| all.as_array().unwrap().iter().map(move |one| (kind.as_str(), one)))
        .collect();
    let mut names = BTreeMap::new();
    for (_, live) in &resources {
        if let Some(name) = live["tags"]["ferpa-stack:resource"].as_str() {
            names.insert(live["id"].as_str().unwrap().to_owned(), name.to_owned());
        }
    }
    for (kind, live) in &resources {
        let (id, spec) = (live["id"].as_str().unwrap(), &live["spec"]);
        let called = |field: &str| {
            let text = spec[field].as_str().unwrap();
            names.get(text).cloned().unwrap_or(text.to_owned())
        };
        let name = match *kind {
            _ if names.contains_key(id) => continue,
            "ec2.security_group" => format!("{} of {}", called("group_name"), called("vpc_id")),
            "ec2.subnet" => format!("{} of {}", called("cidr_block"), called("vpc_id")),
            "efs.mount_target" => {
                format!("of {} in {}", called("file_system_id"), called("subnet_id"))
            }
            "rds.snapshot" => format!("{} of {}", called("snapshot_type"), called("instance")),
            _ => continue,
        };
        names.insert(id.to_owned(), name);
    }
    names
}

/// Where two audits differ: each finding with its status on either side.
fn differing(a: &Statuses, b: &Statuses) -> BTreeSet<(Key, Option<String>, Option<String>)> {
    let keys: BTreeSet<&Key> = a.keys().chain(b.keys()).collect();
    let both = keys.into_iter().map(|key| (key.clone(), a.get(key).cloned(), b.get(key).cloned()));
    both.filter(|(_, a, b)| a != b).collect()
}

fn sabotage(desk: &Desk, endpoint: &str) {
    let outputs = write_outputs(desk);
    for script in ["sabotage.py", "strangers.py"] {
        python(script, endpoint, &[&outputs]).unwrap().exits(0);
    }
}

#[test]
fn the_embedded_account_and_moto_agree_on_plans_findings_and_what_sabotage_changes() {
    let Some(moto) = Moto::start() else { return };
    let (embedded, other) = (Desk::embedded(), Desk::at(&moto.url));

    let plan = |desk: &Desk| desk.xtask(&["plan", "--json"]).exits(0).json();
    let fresh = plan(&embedded);
    assert!(fresh["actions"].as_array().unwrap().len() > 90, "the whole stack: {fresh}");
    assert_eq!(fresh, plan(&other), "nothing in a fresh plan comes from the account");

    embedded.xtask(&["deploy"]).exits(0);
    other.xtask(&["deploy"]).exits(0);
    let again = plan(&embedded);
    assert_eq!(again["actions"], Value::Array(Vec::new()), "the embedded account keeps everything");
    let again = plan(&other);
    assert_eq!(real_changes(&again), Vec::<String>::new(), "moto keeps all but what is listed");
    let kept = losses_not_seen(&again);
    assert!(kept.is_empty(), "moto keeps these now, take them out of the list: {kept:#?}");

    let before = [statuses(&embedded), statuses(&other)];
    let listed: BTreeSet<_> = FINDINGS
        .iter()
        .map(|one| {
            let key = (one.control.to_owned(), one.kind.to_owned(), one.resource.to_owned());
            (key, one.embedded.map(str::to_owned), one.moto.map(str::to_owned))
        })
        .collect();
    let found = differing(&before[0], &before[1]);
    let new: Vec<_> = found.difference(&listed).collect();
    assert!(new.is_empty(), "the accounts differ where no difference is listed: {new:#?}");
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "these differ no more, take them out of the list: {gone:#?}");

    let served = Served::start(&embedded);
    sabotage(&embedded, &served.url);
    drop(served);
    sabotage(&other, &moto.url);
    let changes = differing(&before[0], &statuses(&embedded));
    assert_eq!(changes, differing(&before[1], &statuses(&other)), "the same sabotage");
    let broken: BTreeSet<&str> = changes
        .iter()
        .filter(|(_, _, after)| after.as_deref() == Some("fail"))
        .map(|((control, _, _), _, _)| control.as_str())
        .collect();
    let expected = [
        "FERPA-AVL-01",
        "FERPA-KEY-01",
        "FERPA-NET-03",
        "FERPA-NET-04",
        "FERPA-NET-07",
        "FERPA-TLS-06",
    ];
    assert_eq!(broken, BTreeSet::from(expected));
}
