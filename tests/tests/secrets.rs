//! No secret is in what commands print, log, journal, save or report: none that was generated into Secrets Manager, and none
//! that somebody put into a plain setting.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tests::{Desk, Moto, python};

const FORMATS: &[&str] = &["text", "json", "sarif", "junit", "csv", "ocsf", "markdown", "html"];

/// A secret as it may be spelled: plain, in a URL, in JSON, and in base64 at each of the three places
/// where it can start within a longer text.
fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let mut all = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        json[1..json.len() - 1].to_owned(),
    ];
    for engine in [STANDARD, URL_SAFE] {
        for before in ["", "x", "xx"] {
            let encoded = engine.encode(format!("{before}{secret}"));
            // The first and the last group depend on what stands beside it.
            all.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    all
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_secret_is_in_anything_that_a_command_leaves_behind() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    let mut said: Vec<(String, String)> = Vec::new();
    let mut run = |args: &[&str]| {
        let mut line = vec!["-vvv"];
        line.extend(args);
        let ran = desk.xtask(&line);
        said.push((format!("{args:?}, standard output"), ran.stdout.clone()));
        said.push((format!("{args:?}, standard error"), ran.stderr));
        ran.stdout
    };
    let secrets_of = |script: &str, argument: &str| -> Vec<String> {
        let printed = python(script, &moto.url, &[argument]).unwrap().exits(0).json();
        serde_json::from_value(printed).unwrap()
    };
    run(&["plan", "--out", "plan.json"]);
    run(&["deploy"]);
    run(&["deploy", "--json"]);
    run(&["plan", "--json"]);
    desk.write("outputs.json", &run(&["outputs", "--json"]));

    // What somebody else did, in the stack and beside it.
    let outputs = desk.path().join("outputs.json");
    let planted = secrets_of("planted_secrets.py", &outputs.to_string_lossy());
    let drift = run(&["plan", "--json", "--out", "drift.json"]);
    for changed in ["environment.DB_PASSWORD", "variables.db_password"] {
        assert!(drift.contains(changed), "{changed} in {drift}");
    }
    run(&["inventory", "--output", "stack.json"]);
    run(&["inventory", "--scope", "account", "--output", "account.json"]);
    for scope in ["stack", "account"] {
        let reports: Vec<String> =
            FORMATS.iter().map(|format| format!("{scope}.{format}.report")).collect();
        let mut audit = vec!["audit", "--scope", scope];
        for (format, file) in FORMATS.iter().zip(&reports) {
            audit.extend(["--format", format, "--output", file]);
        }
        run(&audit);
        let report = std::fs::read_to_string(desk.path().join(&reports[1])).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let mut findings = report["findings"].as_array().unwrap().iter();
        let found = findings
            .any(|finding| finding["control"] == "FERPA-IDN-10" && finding["status"] == "fail");
        assert!(found, "an audit of the {scope} says that there are secrets");
    }
    let generated = secrets_of("generated_secrets.py", "student-");
    assert_eq!(generated.len(), 2, "the database's password and the cache's token");
    run(&["deploy"]);
    run(&["destroy", "--allow-data-loss"]);

    let mut left = Vec::new();
    files(desk.path(), &mut left);
    assert!(left.iter().any(|path| path.to_string_lossy().contains("journal")), "{left:?}");
    said.extend(left.iter().map(|path| {
        let bytes = std::fs::read(path).unwrap();
        (path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned())
    }));
    for secret in generated.iter().chain(&planted) {
        assert!(secret.len() >= 16);
        for spelling in spellings(secret) {
            for (place, text) in &said {
                assert!(!text.contains(&spelling), "a secret is in {place}");
            }
        }
    }
}
