//! A plan as text.

use std::fmt::Write;

use engine::diff::FieldChange;
use engine::plan::{Change, Plan};
use engine::reference;
use serde_json::Value;

use super::Paint;

/// The plan, a line for each resource, the changed fields under it. With `attributes`, those of new
/// resources as well.
pub fn plan(plan: &Plan, paint: &Paint, attributes: bool) -> String {
    let mut out = String::new();
    // One long name must not push all the others to the right.
    let lengths = plan.actions.iter().map(|action| action.resource.as_str().len());
    let widest = lengths.filter(|length| *length <= 44).max().unwrap_or(0);
    for action in &plan.actions {
        let (mark, style) = match &action.change {
            Change::Create { .. } => ("+", paint.add),
            Change::Update { .. } => ("~", paint.change),
            Change::Replace { .. } => ("±", paint.remove),
            Change::Delete { .. } => ("-", paint.remove),
            Change::Wait { .. } => ("…", paint.faint),
        };
        let faint = paint.faint;
        let id = action.live_id.as_deref().unwrap_or_default();
        let line = format!(
            "  {style}{mark} {:<widest$}{style:#}  {faint}{} {id}",
            action.resource.as_str(),
            action.kind,
        );
        let _ = writeln!(out, "{}{faint:#}", line.trim_end());
        match &action.change {
            Change::Create { spec, .. } if attributes => {
                for (field, value) in spec.as_object().into_iter().flatten() {
                    let _ = writeln!(out, "      {faint}{field}: {}{faint:#}", short(value));
                }
            }
            Change::Update { changes } => fields(&mut out, &changes.0, &[], paint),
            Change::Replace { changes, because } => fields(&mut out, &changes.0, because, paint),
            Change::Delete { why } => {
                let _ = writeln!(out, "      {faint}{why}{faint:#}");
            }
            Change::Wait { status } => {
                let _ = writeln!(out, "      {faint}not ready yet: {status}{faint:#}");
            }
            Change::Create { .. } => {}
        }
    }
    if !plan.kept.is_empty() {
        let _ =
            writeln!(out, "\n  Stays, because it holds data or something that stays rests on it:");
        for kept in &plan.kept {
            let _ = writeln!(
                out,
                "    {} ({} {}): {}",
                kept.resource, kept.kind, kept.live_id, kept.why
            );
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary(plan, paint));
    out
}

/// One line that counts.
pub fn summary(plan: &Plan, paint: &Paint) -> String {
    let count =
        |wanted: &str| plan.actions.iter().filter(|a| a.change.to_string() == wanted).count();
    let strong = paint.strong;
    if plan.actions.is_empty() {
        let kept = if plan.kept.is_empty() { "" } else { " (what stays is listed above)" };
        return format!(
            "{strong}Nothing to do.{strong:#} {} resources are as they should be{kept}.\n",
            plan.unchanged
        );
    }
    let mut parts: Vec<String> = Vec::new();
    for (verb, label) in [
        ("create", "to create"),
        ("update", "to update"),
        ("replace", "to replace"),
        ("delete", "to delete"),
        ("wait", "to wait for"),
    ] {
        let count = count(verb);
        if count > 0 {
            parts.push(format!("{count} {label}"));
        }
    }
    if plan.unchanged > 0 {
        parts.push(format!("{} unchanged", plan.unchanged));
    }
    format!("{strong}Plan:{strong:#} {}.\n", parts.join(", "))
}

fn fields(out: &mut String, changes: &[FieldChange], because: &[String], paint: &Paint) {
    for change in changes {
        let (add, remove, faint) = (paint.add, paint.remove, paint.faint);
        let forced = if because.contains(&change.path) { "  (cannot change in place)" } else { "" };
        match (&change.old, &change.new) {
            (Value::Array(old), Value::Array(new)) => {
                let _ = writeln!(out, "      {}:{faint}{forced}{faint:#}", change.path);
                for gone in old.iter().filter(|item| !new.contains(item)) {
                    let _ = writeln!(out, "        {remove}- {}{remove:#}", short(gone));
                }
                for added in new.iter().filter(|item| !old.contains(item)) {
                    let _ = writeln!(out, "        {add}+ {}{add:#}", short(added));
                }
            }
            (old, new) => {
                let _ = writeln!(
                    out,
                    "      {}: {remove}{}{remove:#} → {add}{}{add:#}{faint}{forced}{faint:#}",
                    change.path,
                    short(old),
                    short(new),
                );
            }
        }
    }
    let status = because.iter().filter(|why| changes.iter().all(|change| &change.path != *why));
    for why in status {
        let _ = writeln!(out, "      {}{why}{:#}", paint.faint, paint.faint);
    }
}

/// A value on one line; what is known only later by name.
fn short(value: &Value) -> String {
    let known_later = reference::substitute(value, &mut |placeholder| {
        Some(format!("({} of {})", placeholder.output, placeholder.id))
    });
    match known_later {
        Value::Null => "(none)".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::kind::Changes;
    use engine::plan::{Action, Kept};
    use engine::{LogicalId, StackName};
    use serde_json::json;

    #[test]
    fn a_plan_names_each_field_with_old_and_new_value() {
        let action = |resource: &str, kind: &str, live: Option<&str>, change| Action {
            resource: LogicalId::new(resource),
            kind: kind.into(),
            live_id: live.map(Into::into),
            change,
        };
        let change =
            |path: &str, old: Value, new: Value| FieldChange { path: path.into(), old, new };
        let example = Plan {
            schema_version: 1,
            stack: StackName::new("student", "dev"),
            account_id: "123456789012".into(),
            region: "us-east-1".into(),
            actions: vec![
                action(
                    "network/nat-1",
                    "ec2.nat_gateway",
                    None,
                    Change::Create { spec: json!({}), tags: Default::default() },
                ),
                action(
                    "network/database",
                    "ec2.security_group",
                    Some("sg-1"),
                    Change::Update {
                        changes: Changes(vec![
                            change(
                                "ingress",
                                json!([{"from_port": 5432}, {"cidr": "0.0.0.0/0"}]),
                                json!([{"from_port": 5432}]),
                            ),
                            change("tags.Owner", Value::Null, json!("registrar")),
                        ]),
                    },
                ),
                action(
                    "data/cluster",
                    "rds.cluster",
                    Some("student-records-dev"),
                    Change::Replace {
                        changes: Changes(vec![change(
                            "kms_key",
                            json!("arn:old"),
                            json!("⟦security/key-rds.arn⟧"),
                        )]),
                        because: vec!["kms_key".into()],
                    },
                ),
                action(
                    "api/old",
                    "apigateway.stage",
                    Some("old"),
                    Change::Delete { why: "no longer declared".into() },
                ),
            ],
            kept: vec![Kept {
                resource: LogicalId::new("data/files"),
                kind: "efs.file_system".into(),
                live_id: "fs-1".into(),
                why: "it holds data".into(),
            }],
            problems: vec![],
            unchanged: 70,
        };
        insta::assert_snapshot!(plan(&example, &Paint::default(), false));
    }
}
