//! Properties of the controls on inventories that nobody has thought of.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use compliance::{Audit, control};
use engine::{Inventory, Live, Reader, Status};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::audit_test::{account_with_one_of_each, audited, audited_account, deployed};
use crate::stack::FullStack;

/// What an audit has read, and what it says of it.
struct Audited {
    /// The stack, in its scope.
    stack: Option<FullStack>,
    inventory: Inventory,
    audit: Audit,
}

impl Audited {
    fn new(stack: Option<FullStack>, inventory: Inventory) -> Self {
        let audit = audit(stack.as_ref(), &inventory);
        Self { stack, inventory, audit }
    }

    /// What an audit in the same scope says of another inventory.
    fn again(&self, inventory: &Inventory) -> Audit {
        audit(self.stack.as_ref(), inventory)
    }
}

fn audit(stack: Option<&FullStack>, inventory: &Inventory) -> Audit {
    stack.map_or_else(|| audited_account(inventory), |stack| audited(stack, inventory))
}

/// The deployed default stack; and an account with at least one resource of each kind.
static AUDITED: LazyLock<[Audited; 2]> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (stack, inventory) = runtime.block_on(deployed());
    let account = runtime.block_on(account_with_one_of_each());
    [Audited::new(Some(stack), inventory), Audited::new(None, account)]
});

/// An attribute of a live resource: a field, or what stands beside the fields.
#[derive(Debug, Clone)]
struct Attribute {
    kind: String,
    at: usize,
    field: String,
}

/// One of them. Kinds are as likely as each other, however many resources they have.
fn attribute(inventory: &Inventory, kind: &Index, which: &Index) -> Attribute {
    let kinds: Vec<(&String, &Vec<Live>)> =
        inventory.resources.iter().filter(|(_, live)| !live.is_empty()).collect();
    let (kind, live) = kind.get(&kinds);
    let mut all = Vec::new();
    for (at, live) in live.iter().enumerate() {
        let fields = live.spec.as_object().unwrap().keys().map(String::as_str);
        for field in fields.chain(["tags", "status"]) {
            all.push(Attribute { kind: (*kind).clone(), at, field: field.into() });
        }
    }
    which.get(&all).clone()
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
        kind in any::<Index>(), which in any::<Index>(), choice in any::<Index>(),
    ) {
        for audited in &*AUDITED {
            let attribute = attribute(&audited.inventory, &kind, &which);
            let Some(changed) = broken(&audited.inventory, &attribute, &choice) else { continue };
            let after = audited.again(&changed);
            let (before, after) = (said(&audited.audit), said(&after));
            let read = format!("{}.{}", attribute.kind, attribute.field);
            for (id, text) in &after {
                if before.get(id) != Some(text) {
                    let mut reads = control(id).unwrap().fields();
                    prop_assert!(reads.any(|field| field == read), "{id} does not say that it reads {read}:\nbefore {}\nafter {text}", before[id]);
                }
            }
        }
    }

    #[test]
    fn no_control_panics_whatever_the_inventory_holds(
        changes in proptest::collection::vec(any::<(Index, Index, Index)>(), 1..40),
    ) {
        for audited in &*AUDITED {
            let mut inventory = audited.inventory.clone();
            for (kind, which, choice) in &changes {
                let attribute = attribute(&inventory, kind, which);
                if let Some(changed) = broken(&inventory, &attribute, choice) {
                    inventory = changed;
                }
            }
            prop_assert!(!audited.again(&inventory).findings.is_empty());
        }
    }
}
