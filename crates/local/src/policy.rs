//! Policy documents, as far as the plane itself has to obey them: may this principal do that?

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Principal<'a> {
    /// An AWS service, `cloudtrail.amazonaws.com`.
    Service(&'a str),
    /// A user or role, by ARN.
    Arn(&'a str),
}

/// A policy document that parsed.
#[derive(Debug)]
pub(crate) struct Document {
    statements: Vec<Map<String, Value>>,
}

impl Document {
    /// Reads a document and checks its grammar: the version, and in each statement an effect, an
    /// action, and what `owner` needs (a resource policy names a principal, a trust policy no
    /// resource).
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|_| "Syntax errors in policy.".to_owned())?;
        let Value::Object(mut document) = value else {
            return Err("Syntax errors in policy.".into());
        };
        if let Some(version) = document.get("Version")
            && !matches!(version.as_str(), Some("2012-10-17" | "2008-10-17"))
        {
            return Err("The policy must contain a valid version string".into());
        }
        let statements = document.remove("Statement").map(as_list).unwrap_or_default();
        if statements.is_empty() {
            return Err("Missing required field Statement".into());
        }
        let statements = statements
            .into_iter()
            .map(|statement| match statement {
                Value::Object(fields) => check(&fields).map(|()| fields),
                _ => Err("Syntax errors in policy.".into()),
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { statements })
    }

    /// Whether every statement has a field: `Principal` in resource policies, `Resource` in most.
    pub(crate) fn every_statement_has(&self, field: &str) -> bool {
        let negated = format!("Not{field}");
        self.statements.iter().all(|s| s.contains_key(field) || s.contains_key(&negated))
    }

    /// Whether the document lets a principal act on a resource. `context` holds the condition keys
    /// that are known; a condition on another key counts as met, so this errs towards yes.
    pub(crate) fn allows(
        &self,
        who: Principal<'_>,
        action: &str,
        resource: &str,
        context: &BTreeMap<&str, String>,
    ) -> bool {
        let applies = |effect: &str, unknown: bool| {
            self.statements.iter().any(|statement| {
                statement.get("Effect").and_then(Value::as_str) == Some(effect)
                    && names(statement, "Principal", |value| is_principal(value, who))
                    && names(statement, "Action", |value| {
                        any(value, |pattern| like(&pattern.to_lowercase(), &action.to_lowercase()))
                    })
                    && names(statement, "Resource", |value| {
                        any(value, |pattern| like(pattern, resource))
                    })
                    && conditions_met(statement.get("Condition"), context, unknown)
            })
        };
        applies("Allow", true) && !applies("Deny", false)
    }

    /// Every resource that the document names.
    pub(crate) fn resources(&self) -> Vec<String> {
        let fields = ["Resource", "NotResource"];
        let named = |field| self.statements.iter().filter_map(move |s| s.get(field));
        fields.into_iter().flat_map(named).flat_map(strings).collect()
    }

    /// Every principal of a kind (`AWS`, `Service`) that the document names.
    pub(crate) fn principals(&self, kind: &str) -> Vec<String> {
        let mut found = Vec::new();
        for statement in &self.statements {
            for field in ["Principal", "NotPrincipal"] {
                match statement.get(field) {
                    Some(Value::Object(kinds)) => {
                        found.extend(kinds.get(kind).into_iter().flat_map(strings));
                    }
                    Some(everyone) if kind == "AWS" => found.extend(strings(everyone)),
                    _ => {}
                }
            }
        }
        found
    }

    /// Whether a statement admits everybody: a wildcard principal that no condition ties to an
    /// account, a principal, a network or a source.
    pub(crate) fn is_public(&self) -> bool {
        const TIES: &[&str] = &[
            "aws:sourcearn",
            "aws:sourcevpc",
            "aws:sourcevpce",
            "aws:sourceowner",
            "aws:sourceaccount",
            "aws:sourceip",
            "aws:userid",
            "aws:principalarn",
            "aws:principalaccount",
            "aws:principalorgid",
            "aws:principalorgpaths",
            "aws:sourceorgid",
            "s3:dataaccesspointaccount",
            "s3:dataaccesspointarn",
        ];
        self.statements.iter().any(|statement| {
            let everyone = match statement.get("Principal") {
                Some(Value::Object(kinds)) => kinds.values().any(|who| any(who, |one| one == "*")),
                Some(who) => any(who, |one| one == "*"),
                None => statement.contains_key("NotPrincipal"),
            };
            let tied = statement.get("Condition").and_then(Value::as_object).is_some_and(|all| {
                all.iter().any(|(operator, keys)| {
                    !operator.contains("Not")
                        && keys.as_object().is_some_and(|keys| {
                            keys.iter().any(|(key, values)| {
                                TIES.contains(&key.to_lowercase().as_str())
                                    && !any(values, |value| value == "*")
                            })
                        })
                })
            });
            statement.get("Effect").and_then(Value::as_str) == Some("Allow") && everyone && !tied
        })
    }
}

fn check(statement: &Map<String, Value>) -> Result<(), String> {
    const FIELDS: &[&str] = &[
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    if let Some(field) = statement.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(format!("Unknown field {field}"));
    }
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err("Missing required field Effect".into());
    }
    let actions = statement.get("Action").or_else(|| statement.get("NotAction"));
    let Some(actions) = actions else { return Err("Missing required field Action".into()) };
    let actions = strings(actions);
    if actions.is_empty() {
        return Err("Missing required field Action".into());
    }
    if let Some(action) = actions.iter().find(|action| *action != "*" && !action.contains(':')) {
        return Err(format!("Policy has invalid action {action}"));
    }
    match statement.get("Principal") {
        None | Some(Value::Object(_)) => {}
        Some(Value::String(everyone)) if everyone == "*" => {}
        Some(_) => return Err("Invalid principal in policy".into()),
    }
    match statement.get("Condition") {
        None => Ok(()),
        Some(Value::Object(operators)) if operators.values().all(Value::is_object) => Ok(()),
        Some(_) => Err("Syntax errors in policy.".into()),
    }
}

fn as_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}

fn strings(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn any(value: &Value, test: impl Fn(&str) -> bool) -> bool {
    strings(value).iter().any(|one| test(one))
}

/// Whether a field (or its negation) covers what `test` looks for. A missing field covers all: key
/// policies need no resource, trust policies have none.
fn names(statement: &Map<String, Value>, field: &str, test: impl Fn(&Value) -> bool) -> bool {
    match (statement.get(field), statement.get(&format!("Not{field}"))) {
        (Some(value), _) => test(value),
        (None, Some(value)) => !test(value),
        (None, None) => true,
    }
}

fn is_principal(value: &Value, who: Principal<'_>) -> bool {
    let Value::Object(kinds) = value else { return any(value, |one| one == "*") };
    match who {
        Principal::Service(name) => {
            kinds.get("Service").is_some_and(|value| any(value, |one| one == name || one == "*"))
                || kinds.get("AWS").is_some_and(|value| any(value, |one| one == "*"))
        }
        Principal::Arn(arn) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            kinds.get("AWS").is_some_and(|value| {
                any(value, |one| {
                    one == "*"
                        || one == arn
                        || one == account
                        || one == format!("arn:aws:iam::{account}:root")
                })
            })
        }
    }
}

fn conditions_met(
    conditions: Option<&Value>,
    context: &BTreeMap<&str, String>,
    unknown: bool,
) -> bool {
    let Some(Value::Object(operators)) = conditions else { return true };
    operators.iter().all(|(operator, keys)| {
        let Value::Object(keys) = keys else { return unknown };
        keys.iter().all(|(key, wanted)| {
            let known = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            let Some((_, actual)) = known else { return unknown };
            compare(operator, wanted, actual).unwrap_or(unknown)
        })
    })
}

/// `None` for an operator that this file does not know.
fn compare(operator: &str, wanted: &Value, actual: &str) -> Option<bool> {
    let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
    let operator = operator
        .strip_prefix("ForAnyValue:")
        .or_else(|| operator.strip_prefix("ForAllValues:"))
        .unwrap_or(operator);
    Some(match operator {
        "StringEquals" => any(wanted, |one| one == actual),
        "StringNotEquals" => !any(wanted, |one| one == actual),
        "StringEqualsIgnoreCase" | "Bool" => any(wanted, |one| one.eq_ignore_ascii_case(actual)),
        "StringLike" | "ArnLike" | "ArnEquals" => any(wanted, |one| like(one, actual)),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !any(wanted, |one| like(one, actual)),
        "Null" => any(wanted, |one| one == "false"),
        _ => return None,
    })
}

/// IAM's wildcards: `*` for any characters, `?` for one.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character further.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_iam() {
        assert!(like("kms:GenerateDataKey*", "kms:GenerateDataKeyWithoutPlaintext"));
        assert!(like("arn:aws:s3:::b/*/x?", "arn:aws:s3:::b/a/c/x1"));
        assert!(!like("arn:aws:s3:::b/*", "arn:aws:s3:::bb/a"));
        assert!(like("*", ""));
    }

    #[test]
    fn a_statement_applies_to_its_principal_action_and_conditions() {
        let policy = Document::parse(
            r#"{"Statement": [
                {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
                 "Action": ["kms:Encrypt*", "kms:decrypt"], "Resource": "*",
                 "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn":
                     "arn:aws:logs:us-east-1:123456789012:log-group:mine*"}}},
                {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
                 "Condition": {"StringNotEquals": {"aws:SourceAccount": "123456789012"}}}]}"#,
        )
        .unwrap();
        let logs = Principal::Service("logs.us-east-1.amazonaws.com");
        let group = |name: &str| {
            BTreeMap::from([
                (
                    "kms:EncryptionContext:aws:logs:arn",
                    format!("arn:aws:logs:us-east-1:123456789012:log-group:{name}"),
                ),
                ("aws:SourceAccount", "123456789012".to_owned()),
            ])
        };
        assert!(policy.allows(logs, "kms:Encrypt", "key", &group("mine-1")));
        assert!(policy.allows(logs, "kms:Decrypt", "key", &group("mine-1")));
        assert!(!policy.allows(logs, "kms:Encrypt", "key", &group("other")));
        assert!(!policy.allows(logs, "kms:DescribeKey", "key", &group("mine-1")));
        let other = Principal::Service("s3.amazonaws.com");
        assert!(!policy.allows(other, "kms:Encrypt", "key", &group("mine-1")));
    }

    #[test]
    fn a_wildcard_principal_is_public_unless_tied() {
        let open =
            r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}}"#;
        assert!(Document::parse(open).unwrap().is_public());
        let tied = r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}}}"#;
        assert!(!Document::parse(tied).unwrap().is_public());
        let deny = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}}"#;
        assert!(!Document::parse(deny).unwrap().is_public());
    }
}
