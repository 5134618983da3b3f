//! The difference between two JSON trees, field by field.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::{Kind, Tags};
use crate::plaintext;
use crate::reference::has_placeholder;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Where, with dots: `scaling.max_capacity`, `tags.Name`.
    pub path: String,
    /// What runs. `null` where there is nothing.
    pub old: Value,
    /// What is wanted. May hold placeholders for what is known only later.
    pub new: Value,
}

impl FieldChange {
    /// The field of the kind that the change lies in.
    pub fn field(&self) -> &str {
        field_of(&self.path)
    }
}

/// The field of the kind that a path begins with.
pub(crate) fn field_of(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// How the attributes of a resource differ from what is wanted, by the rules of its kind.
/// Fields that could not be read are not compared.
pub fn attributes(kind: &Kind, live: &Value, desired: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    // A set of references was sorted by their placeholders; what stands there now sorts otherwise.
    let sorted = (kind.canonical)(desired);
    let desired = sorted.as_ref().unwrap_or(desired);
    let empty = serde_json::Map::new();
    let live_fields = live.as_object().unwrap_or(&empty);
    for (field, want) in desired.as_object().unwrap_or(&empty) {
        if kind.traits.write_only.contains(&field.as_str()) {
            continue;
        }
        let have = live_fields.get(field).unwrap_or(&Value::Null);
        if kind.traits.name == Some(field.as_str()) && is_successor_name(want, have) {
            continue;
        }
        compare(kind, field, have, want, &mut changes);
    }
    changes
}

/// How the tags differ. Tags that AWS sets itself (`aws:…`) are not ours to remove.
pub fn tags(live: &Tags, desired: &Tags) -> Vec<FieldChange> {
    let as_value = |tag: Option<&String>| tag.map_or(Value::Null, |t| Value::String(t.clone()));
    let keys = live.keys().chain(desired.keys().filter(|key| !live.contains_key(*key)));
    let mut changes: Vec<FieldChange> = keys
        .filter(|key| !key.starts_with("aws:") && live.get(*key) != desired.get(*key))
        .map(|key| FieldChange {
            path: format!("tags.{key}"),
            old: as_value(live.get(key)),
            new: as_value(desired.get(key)),
        })
        .collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

fn compare(kind: &Kind, path: &str, have: &Value, want: &Value, changes: &mut Vec<FieldChange>) {
    if have == want {
        return;
    }
    match (have, want) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            for key in keys {
                let (old, new) = (old.get(key), new.get(key));
                let path = format!("{path}.{key}");
                let (old, new) = (old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null));
                compare(kind, &path, old, new, changes);
            }
        }
        _ => {
            let is_same = || (kind.settled)(path, want, have) || plaintext::is_hidden(have, want);
            if !has_placeholder(want) && is_same() {
                return;
            }
            changes.push(FieldChange { path: path.into(), old: have.clone(), new: want.clone() });
        }
    }
}

/// A replacement that had to exist beside its predecessor has the wanted name with a suffix.
fn is_successor_name(want: &Value, have: &Value) -> bool {
    let (Some(want), Some(have)) = (want.as_str(), have.as_str()) else { return false };
    base_name(have, want) == want
}

/// `have` without the suffix of a successor, if `want` is what remains.
fn base_name<'a>(have: &'a str, want: &str) -> &'a str {
    match have.rsplit_once('-') {
        Some((base, suffix))
            if base == want
                && suffix.len() == 6
                && suffix.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            base
        }
        _ => have,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_successor_keeps_its_name() {
        assert!(is_successor_name(&json!("student-alb-dev"), &json!("student-alb-dev-0af3c1")));
        assert!(!is_successor_name(&json!("student-alb-dev"), &json!("student-alb-dev-other1")));
        assert!(!is_successor_name(&json!("student-alb-dev"), &json!("student-alb-prod")));
    }

    #[test]
    fn tags_differ_by_key_and_those_of_aws_stay() {
        let live = Tags::from([("aws:x".into(), "1".into()), ("Name".into(), "old".into())]);
        let desired = Tags::from([("Name".into(), "new".into()), ("Owner".into(), "us".into())]);
        let changes = tags(&live, &desired);
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["tags.Name", "tags.Owner"]);
        assert_eq!(changes[1].old, Value::Null);
    }
}
