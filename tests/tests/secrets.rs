//! No generated secret leaves Secrets Manager: not in what commands print, log, journal, save or report.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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
        said.push((format!("{args:?}, standard output"), ran.stdout));
        said.push((format!("{args:?}, standard error"), ran.stderr));
    };
    run(&["plan", "--out", "plan.json"]);
    run(&["deploy"]);
    run(&["deploy", "--json"]);
    run(&["plan", "--json"]);
    run(&["outputs", "--json"]);
    run(&["inventory", "--output", "stack.json"]);
    run(&["inventory", "--scope", "account", "--output", "account.json"]);
    let mut audit = vec!["audit", "--scope", "account"];
    for format in FORMATS {
        audit.extend(["--format", format, "--output", format]);
    }
    run(&audit);
    let secrets = python("generated_secrets.py", &moto.url, &["student-"]).unwrap().exits(0).json();
    let secrets: Vec<String> = serde_json::from_value(secrets).unwrap();
    assert_eq!(secrets.len(), 2, "the database's password and the cache's token");
    run(&["destroy", "--allow-data-loss"]);

    let mut left = Vec::new();
    files(desk.path(), &mut left);
    assert!(left.iter().any(|path| path.to_string_lossy().contains("journal")), "{left:?}");
    said.extend(left.iter().map(|path| {
        let bytes = std::fs::read(path).unwrap();
        (path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned())
    }));
    for secret in &secrets {
        assert!(secret.len() >= 16);
        for spelling in spellings(secret) {
            for (place, text) in &said {
                assert!(!text.contains(&spelling), "a secret is in {place}");
            }
        }
    }
}
