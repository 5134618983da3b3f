//! Properties of the controls on inventories that nobody has thought of.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use compliance::{Audit, control};
use engine::{Inventory, Reader, Status};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::audit_test::{audited, deployed};
use crate::stack::FullStack;

/// The deployed default stack, and what an audit says of it.
static COMPLIANT: LazyLock<(FullStack, Inventory, Audit)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (stack, inventory) = runtime.block_on(deployed());
    let audit = audited(&stack, &inventory);
    (stack, inventory, audit)
});

/// An attribute of a live resource: a field, or what stands beside the fields.
#[derive(Debug, Clone)]
struct Attribute {
    kind: String,
    at: usize,
    field: String,
}

fn attributes(inventory: &Inventory) -> Vec<Attribute> {
    let mut all = Vec::new();
    for (kind, live) in &inventory.resources {
        for (at, live) in live.iter().enumerate() {
            let fields = live.spec.as_object().unwrap().keys().map(String::as_str);
            for field in fields.chain(["tags", "status"]) {
                all.push(Attribute { kind: kind.clone(), at, field: field.into() });
            }
        }
    }
    all
}

/// Other values of a value, most of them worse ones.
fn others(value: &Value) -> Vec<Value> {
    let mut others = match value {
        Value::Bool(on) => vec![json!(!on)],
        Value::Number(_) => vec![json!(0), json!(1), json!(99_999)],
        Value::String(_) => {
            vec![json!(""), json!("0.0.0.0/0"), json!("arn:aws:x:y:999999999999:z")]
        }
        Value::Array(items) => {
            vec![json!([]), Value::Array(items.iter().take(1).cloned().collect())]
        }
        Value::Object(fields) => {
            let each = fields.keys().flat_map(|key| {
                others(&fields[key]).into_iter().map(move |other| {
                    let mut changed = fields.clone();
                    changed.insert(key.clone(), other);
                    Value::Object(changed)
                })
            });
            each.chain([json!({})]).collect()
        }
        Value::Null => vec![json!("x"), json!(true)],
    };
    others.push(Value::Null);
    others
}

/// The inventory with another value there; `None` where the kind has no such value.
fn broken(inventory: &Inventory, attribute: &Attribute, choice: &Index) -> Option<Inventory> {
    let mut inventory = inventory.clone();
    let live = &mut inventory.resources.get_mut(&attribute.kind)?[attribute.at];
    match attribute.field.as_str() {
        // Ownership is not what is broken here.
        "tags" => live.tags.retain(|key, _| key.starts_with("ferpa-stack:")),
        "status" => live.status = Status::Failed("failed".into()),
        field => {
            let value = live.spec.get_mut(field)?;
            let others = others(value);
            *value = others[choice.index(others.len())].clone();
        }
    }
    let fits = |reader: &Reader| reader.kind == attribute.kind && reader.fits(&live.spec);
    compliance::readers().iter().any(fits).then_some(inventory)
}

/// What each control says, as text.
fn said(audit: &Audit) -> BTreeMap<&str, String> {
    let mut said: BTreeMap<&str, String> = BTreeMap::new();
    for finding in &audit.findings {
        let text = said.entry(&finding.control).or_default();
        text.push_str(&serde_json::to_string(finding).unwrap());
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_attribute_moves_only_the_controls_that_say_they_read_it(
        which in any::<Index>(), choice in any::<Index>(),
    ) {
        let (stack, inventory, before) = &*COMPLIANT;
        let all = attributes(inventory);
        let attribute = which.get(&all);
        let Some(changed) = broken(inventory, attribute, &choice) else { return Ok(()) };
        let after = audited(stack, &changed);
        let (before, after) = (said(before), said(&after));
        let read = format!("{}.{}", attribute.kind, attribute.field);
        for (id, text) in &after {
            if before.get(id) != Some(text) {
                let mut reads = control(id).unwrap().fields();
                prop_assert!(reads.any(|field| field == read), "{id} does not say that it reads {read}:\nbefore {}\nafter {text}", before[id]);
            }
        }
    }

    #[test]
    fn no_control_panics_whatever_the_inventory_holds(
        changes in proptest::collection::vec((any::<Index>(), any::<Index>()), 1..40),
    ) {
        let (stack, inventory, _) = &*COMPLIANT;
        let mut inventory = inventory.clone();
        for (which, choice) in changes {
            let all = attributes(&inventory);
            if let Some(changed) = broken(&inventory, which.get(&all), &choice) {
                inventory = changed;
            }
        }
        let audit = audited(stack, &inventory);
        prop_assert!(!audit.findings.is_empty());
    }
}
