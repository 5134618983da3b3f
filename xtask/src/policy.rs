//! Which IAM policy a command needs: the sum of what its kinds declare, and nothing else.

use std::collections::BTreeSet;

use compliance::{Reach, readers_for};
use engine::aws::partition;
use engine::permission::{Bounds, CHANGING, CONNECTING};
use engine::{Allow, Kind, Stack};
use serde_json::{Value, json};

use crate::stack::kinds;

/// How many characters a managed policy holds, white space aside:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
pub const MANAGED_POLICY_SIZE: usize = 6144;

/// What deploy needs: to read all kinds, to make those that the stack has, and to remove all, because an
/// earlier stack of that name may have had others.
pub fn deploy(stack: &Stack) -> Vec<Allow> {
    let wanted: BTreeSet<&str> = stack.nodes().map(|node| node.kind.name()).collect();
    let kinds = kinds();
    let makes = kinds.iter().filter(|kind| wanted.contains(kind.name()));
    let makes: Vec<_> = makes.flat_map(|kind| kind.traits.permissions.make).copied().collect();
    [CONNECTING, network::LOOKING_FOR_ZONES, CHANGING, &reads(&kinds), &makes, &removes(&kinds)]
        .concat()
}

/// What destroy needs: to read and to remove all kinds.
pub fn destroy() -> Vec<Allow> {
    let kinds = kinds();
    [CONNECTING, CHANGING, &reads(&kinds), &removes(&kinds)].concat()
}

/// What an audit needs: to read what its controls look at, whosever it is.
pub fn audit(reach: Reach) -> Vec<Allow> {
    let readers = readers_for(reach);
    let reads = readers.iter().flat_map(|reader| reader.read);
    let reads: Vec<_> = reads.map(|permission| permission.of_anybody()).collect();
    [CONNECTING, &reads].concat()
}

fn reads(kinds: &[Kind]) -> Vec<Allow> {
    kinds.iter().flat_map(|kind| kind.traits.permissions.read).copied().collect()
}

fn removes(kinds: &[Kind]) -> Vec<Allow> {
    kinds.iter().flat_map(|kind| kind.traits.permissions.remove).copied().collect()
}

/// Where a policy holds. Without an account it says `*` for it, which is no wider: a policy allows nothing in
/// accounts that do not allow it, too.
pub fn bounds(stack: &Stack, region: &str, account: Option<&str>) -> Bounds {
    Bounds {
        partition: partition(region).into(),
        region: region.into(),
        account: account.unwrap_or("*").into(),
        stack: stack.name().clone(),
    }
}

/// The policy that allows all of this: statements that differ in one thing only are one.
pub fn document(permissions: &[Allow], bounds: &Bounds) -> Value {
    policy(statements(permissions, bounds))
}

/// The same as policies that each fit into a managed policy.
pub fn documents(permissions: &[Allow], bounds: &Bounds) -> Vec<Value> {
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    for statement in statements(permissions, bounds).into_iter().flat_map(halved) {
        let last = parts.len() - 1;
        let longer = [parts[last].as_slice(), std::slice::from_ref(&statement)].concat();
        if size(&policy(longer.clone())) <= MANAGED_POLICY_SIZE {
            parts[last] = longer;
        } else {
            parts.push(vec![statement]);
        }
    }
    parts.into_iter().map(policy).collect()
}

/// The characters of a policy that count.
pub fn size(policy: &Value) -> usize {
    // No string of ours has white space in it.
    policy.to_string().chars().count()
}

fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A statement in parts of half the size of a policy at most, so that they pack well.
fn halved(statement: Value) -> Vec<Value> {
    let actions = statement["Action"].as_array().cloned().unwrap_or_default();
    if size(&statement) <= MANAGED_POLICY_SIZE / 2 || actions.len() < 2 {
        return vec![statement];
    }
    let (first, second) = actions.split_at(actions.len() / 2);
    let part = |actions: &[Value]| {
        let mut part = statement.clone();
        part["Action"] = actions.into();
        part
    };
    [part(first), part(second)].into_iter().flat_map(halved).collect()
}

fn statements(permissions: &[Allow], bounds: &Bounds) -> Vec<Value> {
    let mut statements: Vec<Value> =
        permissions.iter().map(|permission| permission.statement(bounds)).collect();
    // The same actions on the same resources under one condition or another…
    merge(&mut statements, join_values);
    // …other actions on the same resources under the same conditions…
    merge(&mut statements, |one, other| join(one, other, "Action"));
    // …and the same actions on other resources.
    merge(&mut statements, |one, other| join(one, other, "Resource"));
    for statement in &mut statements {
        for list in ["Action", "Resource"] {
            if let Some(items) = statement[list].as_array_mut() {
                items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
        }
    }
    statements
}

/// Joins statements two by two, as often as that goes.
fn merge(statements: &mut Vec<Value>, joined: impl Fn(&Value, &Value) -> Option<Value>) {
    let mut merged: Vec<Value> = Vec::new();
    for statement in statements.drain(..) {
        match merged.iter_mut().find_map(|one| Some((joined(one, &statement)?, one))) {
            Some((both, one)) => *one = both,
            None => merged.push(statement),
        }
    }
    *statements = merged;
}

/// Two statements that differ in one of the lists only, as one.
fn join(one: &Value, other: &Value, list: &str) -> Option<Value> {
    let rest = |statement: &Value| {
        let mut rest = statement.clone();
        rest[list] = Value::Null;
        rest
    };
    (rest(one) == rest(other)).then(|| {
        let mut both = one.clone();
        both[list] = union(&one[list], &other[list]);
        both
    })
}

/// Two statements that differ in the values of one condition key only, as one: values are alternatives.
fn join_values(one: &Value, other: &Value) -> Option<Value> {
    let pointers = one["Condition"].as_object()?.iter().flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flat_map(|keys| keys.keys());
        keys.map(move |key| (operator.clone(), key.clone()))
    });
    for (operator, key) in pointers {
        let values = other["Condition"].get(&operator).and_then(|keys| keys.get(&key));
        let Some(values) = values else { continue };
        let mut both = one.clone();
        both["Condition"][&operator][&key] = values.clone();
        if both == *other {
            let all = union(&one["Condition"][&operator][&key], values);
            both["Condition"][&operator][&key] = all;
            return Some(both);
        }
    }
    None
}

fn union(one: &Value, other: &Value) -> Value {
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut all = items(one);
    for item in items(other) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all.into()
}
