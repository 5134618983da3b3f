//! No secret is in what commands print, log, journal, save or report: none that was generated into Secrets Manager, and none
//! that somebody put into a plain setting.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode as percent_encode,
};
use serde_json::Value;
use tests::{Desk, Moto, python};

const FORMATS: &[&str] = &["text", "json", "sarif", "junit", "csv", "ocsf", "markdown", "html"];

/// What RFC 3986 reserves.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What `application/x-www-form-urlencoded` escapes; a space becomes a plus sign.
const FORM: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// A secret as it may be spelled.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = urls(secret);
    all.extend(json(secret));
    all.extend(html(secret));
    // As it is, and as a field of a JSON document.
    all.extend(base64(secret));
    all.extend(json(secret).iter().flat_map(|text| base64(text)));
    all.extend([hex(secret), hex(secret).to_uppercase()]);
    all.push(secret.to_owned());
    all.sort();
    all.dedup();
    all
}

/// In a URL, with digits of both cases.
fn urls(secret: &str) -> Vec<String> {
    let form = percent_encode(secret, FORM).to_string().replace(' ', "+");
    let strict = [NON_ALPHANUMERIC, RESERVED].map(|set| percent_encode(secret, set).to_string());
    let upper = strict.into_iter().chain([form]);
    upper.flat_map(|text| [in_lower_case(&text), text]).collect()
}

/// In a JSON string: as short as can be, with the slashes escaped, and with more or all of it as numbers.
fn json(secret: &str) -> Vec<String> {
    let quoted = serde_json::to_string(secret).unwrap();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let mut all = vec![plain.replace('/', "\\/"), plain];
    // As Go and JavaScript do for HTML, as the most careful do, and all of it.
    let numbered: [fn(char) -> bool; 3] =
        [|c| "<>&'=+".contains(c), |c| !c.is_ascii_alphanumeric(), |_| true];
    for is_number in numbered {
        let spelled = |digits: fn(u32) -> String| -> String {
            let one = |c: char| match c {
                c if is_number(c) => digits(u32::from(c)),
                '"' | '\\' => format!("\\{c}"),
                c => c.to_string(),
            };
            secret.chars().map(one).collect()
        };
        all.push(spelled(|number| format!("\\u{number:04X}")));
        all.push(spelled(|number| format!("\\u{number:04x}")));
    }
    all
}

/// In HTML or XML.
fn html(secret: &str) -> Vec<String> {
    let named = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quoted = named.replace('"', "&quot;").replace('\'', "&apos;");
    let numbered = named.replace('"', "&#34;").replace('\'', "&#39;");
    let hexed = named.replace('"', "&#x22;").replace('\'', "&#x27;").replace('/', "&#x2f;");
    vec![named, quoted, numbered, hexed]
}

/// In base64, at each of the three places where it can start within a longer text.
fn base64(text: &str) -> Vec<String> {
    let engines = [STANDARD, URL_SAFE];
    let places = ["", "x", "xx"];
    let each = engines.iter().flat_map(|engine| {
        places.iter().map(move |before| {
            let encoded = engine.encode(format!("{before}{text}"));
            // The first and the last group depend on what stands beside it, and padding may be left out.
            encoded[4..encoded.len() - 4].to_owned()
        })
    });
    each.collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The digits behind each percent sign in lower case.
fn in_lower_case(text: &str) -> String {
    let mut left = 0;
    let one = |c: char| {
        let is_digit = left > 0;
        left = if c == '%' { 2 } else { left - i32::from(is_digit) };
        if is_digit { c.to_ascii_lowercase() } else { c }
    };
    text.chars().map(one).collect()
}

/// A place that may hold a secret, and all that is to be read there.
struct Said {
    place: String,
    texts: Vec<String>,
}

impl Said {
    fn new(place: impl Into<String>, text: String) -> Self {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        // A JSON document (or one a line): what its strings say, however they are written.
        let documents: Vec<Value> = serde_json::from_str::<Value>(&text).map_or_else(
            |_| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            |whole| vec![whole],
        );
        let mut strings = Vec::new();
        documents.iter().for_each(|document| collect_strings(document, &mut strings));
        let mut texts = vec![text, decoded, strings.join("\n")];
        texts.dedup();
        Self { place: place.into(), texts }
    }

    fn tells(&self, spelling: &str) -> bool {
        self.texts.iter().any(|text| text.contains(spelling))
    }
}

fn collect_strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                found.push(name.clone());
                collect_strings(field, found);
            }
        }
        _ => {}
    }
}

/// Every file in a folder. All of them are text: what is compressed or encrypted could not be searched.
fn files(folder: &Path) -> Vec<Said> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let place = path.display().to_string();
                let text = String::from_utf8(std::fs::read(&path).unwrap());
                found.push(Said::new(&place, text.unwrap_or_else(|_| panic!("{place} is text"))));
            }
        }
    }
    found
}

#[test]
fn the_search_finds_every_spelling_of_a_secret_wherever_it_stands() {
    for secret in
        [r#"a&b<c>'d"e/f\g h+i*j~k%l=m-n_o.p"#, "eHQORz59xu7+i4TcDvE*_7Kk1HBx^*XLMkjm^a.!"]
    {
        let all = spellings(secret);
        for wanted in ["%26", "%2f", "%2F", "\\u0026", "&amp;"] {
            let there = all.iter().any(|one| one.contains(wanted));
            assert_eq!(there, secret.contains(['&', '/']), "{wanted}");
        }
        for planted in &all {
            let desk = Desk::embedded();
            std::fs::create_dir_all(desk.path().join("deep/er")).unwrap();
            desk.write("deep/er/log", &format!("before{planted}after\n"));
            let said = files(desk.path());
            assert!(said.iter().any(|one| all.iter().any(|spelling| one.tells(spelling))));
        }
        // What is wrapped twice: a URL or a base64 text in a JSON document, spelled in an unusual way.
        for inner in urls(secret).into_iter().chain(base64(secret)).chain([secret.to_owned()]) {
            for line in json(&inner) {
                let said = Said::new("journal", format!("{{\"a\":[\"{line}\"]}}\n{{}}\n"));
                assert!(all.iter().any(|spelling| said.tells(spelling)), "{inner} in {line}");
            }
        }
        let innocent = Said::new("log", "nothing is here: 0123456789 %2F \\u0026".to_owned());
        assert!(!all.iter().any(|spelling| innocent.tells(spelling)));
    }
}

#[test]
fn no_secret_is_in_anything_that_a_command_leaves_behind() {
    let Some(moto) = Moto::start() else { return };
    let desk = Desk::at(&moto.url);
    let mut said: Vec<Said> = Vec::new();
    let mut run = |args: &[&str], code: i32| {
        let ran = desk.xtask(&[&["-vvv"], args].concat()).exits(code);
        // The most talkative of logs, and no empty one.
        assert!(ran.stderr.contains(r#"action="secretsmanager:ListSecrets""#), "{args:?}");
        said.push(Said::new(format!("{args:?}, standard output"), ran.stdout.clone()));
        said.push(Said::new(format!("{args:?}, standard error"), ran.stderr.clone()));
        ran
    };
    let of_script = |script: &str, argument: &str| -> Value {
        python(script, &moto.url, &[argument]).unwrap().exits(0).json()
    };
    run(&["plan", "--out", "plan.json"], 0);
    let deployed = run(&["deploy"], 0);
    assert!(deployed.stderr.contains(r#"action="secretsmanager:CreateSecret""#));
    run(&["deploy", "--json"], 0);
    run(&["plan", "--json"], 0);
    desk.write("outputs.json", &run(&["outputs", "--json"], 0).stdout);

    // What somebody else did, in the stack and beside it.
    let outputs = desk.path().join("outputs.json");
    let planted = of_script("planted_secrets.py", &outputs.to_string_lossy());
    let planted: Vec<String> = serde_json::from_value(planted).unwrap();
    let drift = run(&["plan", "--json", "--out", "drift.json"], 0).stdout;
    for changed in ["environment.DB_PASSWORD", "variables.db_password"] {
        assert!(drift.contains(changed), "{changed} in {drift}");
    }
    run(&["inventory", "--output", "stack.json"], 0);
    // 3: moto does not have all that an account may hold.
    run(&["inventory", "--scope", "account", "--output", "account.json"], 3);
    for scope in ["stack", "account"] {
        let report_of = |format: &str| format!("{scope}.{format}.report");
        let reports: Vec<String> = FORMATS.iter().map(|format| report_of(format)).collect();
        let mut audit = vec!["audit", "--scope", scope];
        for (format, file) in FORMATS.iter().zip(&reports) {
            audit.extend(["--format", format, "--output", file]);
        }
        run(&audit, 1);
        for file in &reports {
            let report = std::fs::read_to_string(desk.path().join(file)).unwrap();
            assert!(report.contains("FERPA-IDN-10"), "{file} reports");
        }
        let report = std::fs::read_to_string(desk.path().join(report_of("json"))).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let mut findings = report["findings"].as_array().unwrap().iter();
        let found = findings
            .any(|finding| finding["control"] == "FERPA-IDN-10" && finding["status"] == "fail");
        assert!(found, "an audit of the {scope} says that there are secrets");
    }
    let generated: BTreeMap<String, Vec<String>> =
        serde_json::from_value(of_script("generated_secrets.py", "student-")).unwrap();
    assert_eq!(generated.len(), 2, "the database's password and the cache's token");
    assert!(generated.values().all(|versions| !versions.is_empty()));
    run(&["deploy"], 0);
    run(&["destroy", "--allow-data-loss"], 0);

    let left = files(desk.path());
    assert!(left.iter().any(|one| one.place.contains("journal")));
    said.extend(left);
    let secrets: BTreeSet<&String> = generated.values().flatten().chain(&planted).collect();
    for secret in secrets {
        assert!(secret.len() >= 16);
        for spelling in spellings(secret) {
            for one in &said {
                assert!(!one.tells(&spelling), "a secret is in {}", one.place);
            }
        }
    }
}
