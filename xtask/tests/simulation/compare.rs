//! Whether two accounts hold the same: identifiers follow from what was asked for (see
//! `Account::comparable`), so only times, tokens and generated secrets are taken out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use local::Account;
use serde_json::Value;

/// What an account holds, in a form in which equal accounts are equal texts: a line for each value.
pub fn holdings(account: &Account) -> BTreeSet<String> {
    let mut all = account.to_json().expect("every service's state is JSON");
    normalise("", &mut all);
    let mut lines = BTreeSet::new();
    flatten(String::new(), &all, &mut lines);
    lines
}

/// What the second holds and the first does not, and the other way round. Empty when they are the same.
pub fn differences(wanted: &BTreeSet<String>, found: &BTreeSet<String>) -> Vec<String> {
    let missing = wanted.difference(found).map(|line| format!("missing: {line}"));
    let surplus = found.difference(wanted).map(|line| format!("surplus: {line}"));
    missing.chain(surplus).collect()
}

fn normalise(key: &str, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // When something will be ready is a time. Tokens are nothing that an account has.
            fields.remove("timers");
            fields.remove("client_tokens");
            // A secret's versions are called by tokens. How many there are, and what they are for, stays.
            if key == "versions" {
                let mut versions: Vec<Value> = fields.values().cloned().collect();
                versions.iter_mut().for_each(|version| normalise("version", version));
                versions.sort_by_key(Value::to_string);
                *value = versions.into();
                return;
            }
            fields.retain(|key, _| !is_random(key));
            fields.iter_mut().for_each(|(key, value)| normalise(key, value));
            fields.retain(|_, value| !value.is_null());
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| normalise(key, item));
            items.sort_by_key(Value::to_string);
        }
        Value::Number(number) if number.as_f64().is_some_and(is_epoch) => {
            *value = "<a time>".into();
        }
        Value::String(text) if text.parse::<Timestamp>().is_ok() => *value = "<a time>".into(),
        _ => {}
    }
}

/// Tokens, what was generated, what follows from when something was asked for, and addresses, of which each
/// gets the next one.
fn is_random(key: &str) -> bool {
    const RANDOM: &[&str] = &[
        "certificate",
        "creationtoken",
        "creatorrequestid",
        "ipaddress",
        "privateipaddress",
        "publicip",
        "public_ip",
        "revisionid",
        "serial",
        "string",
    ];
    let key = key.to_ascii_lowercase();
    key.ends_with("token") || RANDOM.contains(&key.as_str())
}

/// Seconds or milliseconds since the epoch, in this century.
fn is_epoch(number: f64) -> bool {
    (1.5e9..5e9).contains(&number) || (1.5e12..5e12).contains(&number)
}

fn flatten(path: String, value: &Value, lines: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(format!("{path}/{key}"), value, lines);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(format!("{path}/{index}"), item, lines);
            }
        }
        leaf => {
            lines.insert(format!("{path} = {leaf}"));
        }
    }
}
