//! The audit on the command line, against the embedded account.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::Value;
use tests::Desk;

fn deployed() -> Desk {
    let desk = Desk::embedded();
    desk.xtask(&["deploy"]).exits(0);
    desk
}

/// `FERPA-TLS-02` and others: the controls with a finding of this status.
fn controls(audit: &Value, status: &str) -> Vec<String> {
    let findings = audit["findings"].as_array().unwrap().iter();
    let those = findings.filter(|finding| finding["status"] == status);
    let mut those: Vec<String> =
        those.map(|finding| finding["control"].as_str().unwrap().to_owned()).collect();
    those.dedup();
    those
}

#[test]
fn the_deployed_stack_holds_every_control() {
    let desk = deployed();
    let audit = desk.xtask(&["audit", "--json"]).exits(0).json();
    assert_eq!(audit["schema_version"], 1);
    assert_eq!(audit["scope"], "stack");
    assert_eq!(controls(&audit, "fail"), Vec::<String>::new());
    assert_eq!(controls(&audit, "unknown"), Vec::<String>::new());
    assert!(audit["summary"]["pass"].as_u64().unwrap() > 100, "{}", audit["summary"]);
    let finding = &audit["findings"][0];
    for key in ["control", "title", "status", "severity", "message", "citations", "remediation"] {
        assert!(!finding[key].is_null(), "{key} of {finding}");
    }
    for key in ["kind", "id", "region"] {
        assert!(finding["resource"][key].is_string(), "{key} of {finding}");
    }
}

#[test]
fn a_snapshot_gives_the_same_findings_offline() {
    let desk = deployed();
    desk.xtask(&["inventory", "--output", "snapshot.json"]).exits(0);
    let text = std::fs::read_to_string(desk.path().join("snapshot.json")).unwrap();
    let live = desk.xtask(&["audit", "--json"]).exits(0).json();
    // Without the account there is nothing that could be called.
    std::fs::remove_dir_all(desk.path().join(".ferpa")).unwrap();
    let saved = ["audit", "--json", "--from", "snapshot.json"];
    let first = desk.xtask(&saved).exits(0).stdout;
    assert_eq!(desk.xtask(&saved).exits(0).stdout, first, "byte by byte");
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["findings"], live["findings"]);
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(first["started_at"], snapshot["taken_at"]);
    assert!(!desk.path().join(".ferpa").exists(), "nothing was opened");

    let whole = desk.xtask(&["audit", "--scope", "account", "--from", "snapshot.json"]).exits(2);
    assert!(whole.stderr.contains("holds the stack student-dev only"), "{}", whole.stderr);
    desk.write("torn.json", &text[..text.len() / 2]);
    desk.xtask(&["audit", "--from", "torn.json"]).exits(2);
}

#[test]
fn a_configuration_that_breaks_a_control_is_refused_before_any_call() {
    let cases = [
        ("[cache]\ntransit_encryption = false\n", "FERPA-TLS-02"),
        (
            "[network]\nadmit = [{ group = \"load-balancer\", cidr = \"0.0.0.0/0\" }]\n",
            "FERPA-NET-04",
        ),
        ("[network]\nadmit = [{ group = \"database\", cidr = \"10.0.0.0/8\" }]\n", "FERPA-NET-03"),
    ];
    for (config, control) in cases {
        let desk = Desk::embedded();
        desk.write("ferpa.toml", config);
        for command in ["plan", "deploy"] {
            let refused = desk.xtask(&[command]).exits(1);
            assert!(refused.stdout.contains(control), "{control} in {}", refused.stdout);
            let json = desk.xtask(&[command, "--json"]).exits(1).json();
            let findings = json["findings"].as_array().unwrap();
            assert!(findings.iter().any(|finding| finding["control"] == control), "{json}");
        }
        desk.xtask(&["inventory", "--output", "after.json"]).exits(0);
        let after = std::fs::read_to_string(desk.path().join("after.json")).unwrap();
        assert!(!after.contains("ferpa-stack:stack"), "nothing was made");
    }
}

fn waived(expires: &str) -> String {
    let waiver = |control: &str| {
        format!(
            "[[audit.waivers]]\ncontrol = \"{control}\"\nresource = \"*\"\n\
             reason = \"a rehearsal without records\"\nowner = \"security@example.edu\"\n\
             expires = {expires}\n"
        )
    };
    let waivers = ["FERPA-TLS-02", "FERPA-IDN-09"].map(waiver).concat();
    format!("[cache]\ntransit_encryption = false\n{waivers}")
}

#[test]
fn a_waiver_lets_a_finding_stand_visibly_until_its_day_is_over() {
    let desk = Desk::embedded();
    desk.write("ferpa.toml", &waived("2999-12-31"));
    desk.xtask(&["deploy"]).exits(0);
    let audit = desk.xtask(&["audit", "--json"]).exits(0).json();
    assert_eq!(controls(&audit, "waived"), ["FERPA-IDN-09", "FERPA-TLS-02"]);
    assert!(audit.to_string().contains("a rehearsal without records"));

    desk.write("ferpa.toml", &waived("2020-01-01"));
    let audit = desk.xtask(&["audit", "--json"]).exits(1).json();
    assert_eq!(controls(&audit, "fail"), ["FERPA-IDN-09", "FERPA-TLS-02"]);
    assert!(audit.to_string().contains("its waiver ended on 2020-01-01"));
    desk.xtask(&["plan"]).exits(1);

    // Both are worse than medium.
    desk.xtask(&["audit", "--fail-on", "medium"]).exits(1);
}

#[test]
fn only_what_is_severe_enough_fails_the_command() {
    let desk = Desk::embedded();
    desk.write("ferpa.toml", "[guards]\npassword_policy = false\n");
    desk.xtask(&["deploy"]).exits(0);
    // The account's guards are off: nothing of that exposes records now.
    let account = ["audit", "--scope", "account", "--json"];
    let audit = desk.xtask(&account).exits(1).json();
    assert!(controls(&audit, "fail").contains(&"FERPA-IDN-04".to_owned()), "{audit}");
    let lenient = [&account[..], &["--fail-on", "critical"]].concat();
    let code = desk.xtask(&lenient).code;
    let unknown = audit["summary"]["unknown"].as_u64().unwrap();
    assert_eq!(code, Some(if unknown > 0 { 3 } else { 0 }), "{}", audit["summary"]);
}

#[test]
fn waivers_are_checked_like_everything_else_in_the_file() {
    let desk = Desk::embedded();
    let text = waived("2999-12-31")
        .replace("FERPA-TLS-02", "FERPA-TLS-99")
        .replace("security@example.edu", "");
    desk.write("ferpa.toml", &text);
    let refused = desk.xtask(&["audit"]).exits(2);
    for part in ["FERPA-TLS-99 is not a control", "it is empty: a waiver says what, why and who"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
}

#[test]
fn several_reports_are_written_at_once() {
    let desk = deployed();
    let mut args = vec!["audit", "--format", "json"];
    let files = ["sarif", "junit", "csv", "ocsf", "markdown", "html", "text"];
    for format in files {
        args.extend(["--format", format, "--output", format]);
    }
    let json = desk.xtask(&args).exits(0).json();
    assert_eq!(json["schema_version"], 1);
    for format in files {
        let text = std::fs::read_to_string(desk.path().join(format)).unwrap();
        assert!(text.contains("FERPA-ENC-01"), "{format}: {text}");
        assert!(!text.contains('\u{1b}'), "no colour in a file: {format}");
    }
}

#[test]
fn a_control_is_explained_and_a_mistyped_one_is_guessed() {
    let desk = Desk::embedded();
    let shown = desk.xtask(&["explain", "ferpa-enc-01"]).exits(0).stdout;
    assert!(shown.contains("34 CFR 99.31(a)(1)(ii)"), "{shown}");
    let unknown = desk.xtask(&["explain", "FERPA-ENC-001"]).exits(2).stderr;
    assert!(unknown.contains("did you mean FERPA-ENC-01"), "{unknown}");
    let all = desk.xtask(&["controls", "--json"]).exits(0).json();
    assert_eq!(all.as_array().unwrap().len(), 116);
}
