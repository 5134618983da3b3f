//! How long it takes to plan, and how that grows with the stack: `cargo bench --package xtask --bench plan`.
//!
//! Nothing is called: the account is an inventory.

use std::collections::BTreeMap;

use divan::Bencher;
use engine::plan::{self, Options};
use engine::steps::Steps;
use engine::{Inventory, Stack};
use xtask::stack::kinds;

mod synthetic;

fn main() {
    divan::main();
}

const SIZES: [usize; 5] = [100, 300, 1_000, 3_000, 10_000];

/// Nothing exists yet: a plan that makes everything, and its steps.
#[divan::bench(args = SIZES, max_time = 20)]
fn fresh(bencher: Bencher<'_, '_>, resources: usize) {
    let stack = synthetic::stack(resources);
    let nothing = Inventory::empty("123456789012", "us-east-1");
    let kinds = kinds();
    bencher.bench_local(|| {
        let plan = plan::plan(&stack, &nothing, &kinds, Options::default());
        Steps::of(&plan, &stack, &nothing, &kinds).expect("no circle").all.len()
    });
}

/// Everything is as it should be: a plan with nothing to do.
#[divan::bench(args = SIZES, max_time = 20)]
fn nothing_to_do(bencher: Bencher<'_, '_>, resources: usize) {
    let stack = synthetic::stack(resources);
    let deployed = synthetic::deployed(&stack);
    let kinds = kinds();
    bencher.bench_local(|| {
        let plan = plan::plan(&stack, &deployed, &kinds, Options::default());
        assert!(plan.is_empty());
        plan.unchanged
    });
}

/// Everything goes: a plan that removes it all, and its steps in order.
#[divan::bench(args = SIZES, max_time = 20)]
fn destroy(bencher: Bencher<'_, '_>, resources: usize) {
    let stack = synthetic::stack(resources);
    let deployed = synthetic::deployed(&stack);
    let kinds = kinds();
    let options = Options { allow_data_loss: true, ..Options::default() };
    let nothing = Stack::new(stack.name().clone(), BTreeMap::new());
    bencher.bench_local(|| {
        let plan = plan::destroy(stack.name(), &deployed, &kinds, options);
        Steps::of(&plan, &nothing, &deployed, &kinds).expect("no circle").all.len()
    });
}
