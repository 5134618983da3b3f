//! IAM, key, bucket and trust policy documents, compared by meaning rather than by spelling.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// A policy document in canonical form: AWS reorders, unwraps one-element arrays and expands
/// principals as it likes, so two documents are equal when their canonical forms are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(transparent)]
pub struct Policy(Value);

impl Policy {
    /// A policy of these statements, version 2012-10-17.
    pub fn new(statements: Vec<Value>) -> Self {
        Self::from(json!({"Version": "2012-10-17", "Statement": statements}))
    }

    /// Reads a document as AWS returns it.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Value>(text).map(Self::from)
    }

    /// The canonical document.
    pub fn document(&self) -> &Value {
        &self.0
    }
}

/// The document as an API wants it.
impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<Value> for Policy {
    fn from(document: Value) -> Self {
        let Value::Object(mut document) = document else { return Self(document) };
        document.remove("Id");
        document.entry("Version").or_insert_with(|| json!("2012-10-17"));
        if let Some(statements) = document.remove("Statement") {
            let statements: Vec<Value> = as_list(statements).into_iter().map(statement).collect();
            document.insert("Statement".into(), Value::Array(statements));
        }
        Self(Value::Object(document))
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

fn as_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}

/// A set of strings in one spelling: sorted, without repeats, booleans and numbers as strings.
fn as_set(value: Value) -> Value {
    let mut items: Vec<Value> = as_list(value)
        .into_iter()
        .map(|item| match item {
            Value::String(_) => item,
            other => Value::String(other.to_string()),
        })
        .collect();
    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    items.dedup();
    Value::Array(items)
}

fn statement(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut out = Map::new();
    for (key, value) in fields {
        let value = match key.as_str() {
            // AWS adds an empty Sid, or drops it.
            "Sid" if value.as_str() == Some("") => continue,
            "Action" | "NotAction" | "Resource" | "NotResource" => as_set(value),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value,
        };
        out.insert(key, value);
    }
    Value::Object(out)
}

fn principal(value: Value) -> Value {
    match value {
        Value::Object(kinds) => {
            kinds.into_iter().map(|(kind, who)| (kind, as_set(accounts_by_number(who)))).collect()
        }
        everyone => json!({ "AWS": as_set(everyone) }),
    }
}

/// An account may be named by its number or by its root ARN, `arn:aws-us-gov:iam::123456789012:root`. AWS stores the
/// ARN and takes either; the number is the same in each partition.
fn accounts_by_number(who: Value) -> Value {
    let number = |item: &Value| {
        let (_, rest) = item.as_str()?.strip_prefix("arn:")?.split_once(":iam::")?;
        let id = rest.strip_suffix(":root")?;
        let is_number = id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| json!(id))
    };
    as_list(who).into_iter().map(|item| number(&item).unwrap_or(item)).collect()
}

fn condition(value: Value) -> Value {
    let Value::Object(operators) = value else { return value };
    operators
        .into_iter()
        .map(|(operator, keys)| {
            let keys = match keys {
                Value::Object(keys) => keys.into_iter().map(|(k, v)| (k, as_set(v))).collect(),
                other => other,
            };
            (operator, keys)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        let ours = Policy::new(vec![json!({
            "Effect": "Allow", "Principal": {"AWS": "123456789012"},
            "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": false}},
        })]);
        let theirs = Policy::parse(
            r#"{"Version":"2012-10-17","Statement":{"Sid":"","Effect":"Allow",
               "Principal":{"AWS":["arn:aws:iam::123456789012:root"]},
               "Action":["kms:Decrypt","kms:Encrypt"],"Resource":["*"],
               "Condition":{"Bool":{"aws:SecureTransport":["false"]}}}}"#,
        )
        .unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn an_account_is_the_same_in_every_partition() {
        let to = |who: &str| Policy::new(vec![json!({"Principal": {"AWS": who}})]);
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let root = format!("arn:{partition}:iam::123456789012:root");
            assert_eq!(to(&root), to("123456789012"));
        }
        for other in ["arn:aws:iam::123456789012:role/root", "arn:aws:iam::*:root"] {
            assert_eq!(to(other).document()["Statement"][0]["Principal"]["AWS"], json!([other]));
        }
    }

    #[test]
    fn meaning_does() {
        let one = Policy::new(vec![json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*"})]);
        let other =
            Policy::new(vec![json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*"})]);
        assert_ne!(one, other);
    }
}
