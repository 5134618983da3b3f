//! How long the controls take, and how that grows: `cargo bench --package compliance`.
//!
//! The inventory is the default stack, over and over, each time under other names.

use std::collections::BTreeMap;

use compliance::{Settings, evaluate};
use engine::Inventory;

fn main() {
    divan::main();
}

/// A snapshot of the deployed default stack.
const STACK: &str = include_str!("stack.json");

/// As many stacks as make up so many resources.
fn inventory(resources: usize) -> Inventory {
    let one: Inventory = serde_json::from_str(STACK).expect("the snapshot is of this version");
    let size: usize = one.resources.values().map(Vec::len).sum();
    // The account number is part of every ARN, so another one renames nearly everything at once; ids
    // without an ARN get a suffix.
    let names: Vec<&str> = one
        .resources
        .values()
        .flatten()
        .map(|live| live.id.as_str())
        .filter(|id| !id.starts_with("arn:") && id.len() > 8)
        .collect();
    let mut all = Inventory { resources: BTreeMap::new(), ..one.clone() };
    for copy in 0..resources.div_ceil(size) {
        let mut text = STACK.to_owned();
        for name in &names {
            text = text.replace(&format!("{name}\""), &format!("{name}-{copy}\""));
        }
        let renamed: Inventory = serde_json::from_str(&text).expect("only names have changed");
        for (kind, live) in renamed.resources {
            all.resources.entry(kind).or_default().extend(live);
        }
    }
    all
}

#[divan::bench(args = [100, 1_000, 10_000, 100_000], max_time = 20)]
fn controls(bencher: divan::Bencher<'_, '_>, resources: usize) {
    let settings = Settings::default();
    bencher
        .with_inputs(|| inventory(resources))
        .bench_local_refs(|all| evaluate(all, &settings, None, all.taken_at).findings.len());
}
