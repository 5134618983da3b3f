//! What must hold for any graph: it comes up, it stays up, it recovers from refused calls, it goes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod toy;

use std::sync::atomic::{AtomicU32, Ordering};

use engine::plan::{self, Options};
use engine::{Inventory, Stack, deploy};
use proptest::prelude::*;
use toy::{KINDS, Thing, aws, stack, world};

/// For each thing: its size, which earlier things it uses, which things it befriends.
type Shape = Vec<(u32, Vec<usize>, Vec<usize>)>;

fn shape() -> impl Strategy<Value = Shape> {
    let thing =
        (1..3u32, prop::collection::vec(0..8usize, 0..3), prop::collection::vec(0..8usize, 0..3));
    prop::collection::vec(thing, 1..8)
}

fn build(environment: &str, shape: &Shape) -> Stack {
    let mut names = stack(environment);
    let mut handles = Vec::new();
    // Friends may come later in the list: declare all once to have their handles.
    for at in 0..shape.len() {
        handles.push(names.add(format!("thing-{at}"), Thing::named(&format!("thing-{at}"))));
    }
    let mut stack = stack(environment);
    for (at, (size, uses, friends)) in shape.iter().enumerate() {
        let mut thing = Thing { size: *size, ..Thing::named(&format!("thing-{at}")) };
        for used in uses.iter().filter(|used| **used < at) {
            thing = thing.uses(handles[*used].id());
        }
        for friend in friends.iter().filter(|friend| **friend < shape.len() && **friend != at) {
            thing = thing.friend(handles[*friend].id());
        }
        stack.add(format!("thing-{at}"), thing);
    }
    stack
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("p{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_comes_up_changes_and_goes(before in shape(), after in shape(), refused in prop::collection::vec(0..8usize, 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let aws = aws().await;
            let name = fresh_name();
            let (first, second) = (build(&name, &before), build(&name, &after));
            for at in refused {
                world(&name).lock().unwrap().faults.entry(format!("thing-{at}")).or_default().push("Refused");
            }
            // Each refused call fails one run at most once; a run for each of them, and one more, is enough.
            let mut runs = 0;
            while let Err(error) = deploy::up(&aws, &first, KINDS, Options::default()).await {
                runs += 1;
                assert!(runs <= 8, "{error}");
            }
            assert!(deploy::drift(&aws, &first, KINDS).await.is_empty());
            assert_eq!(world(&name).lock().unwrap().things.len(), before.len(), "nothing doubled");

            // Any graph turns into any other.
            let mut runs = 0;
            while let Err(error) = deploy::up(&aws, &second, KINDS, Options::default()).await {
                runs += 1;
                assert!(runs <= 8, "{error}");
            }
            let drift = deploy::drift(&aws, &second, KINDS).await;
            assert!(drift.is_empty(), "{drift:?}");
            assert_eq!(world(&name).lock().unwrap().things.len(), after.len());

            deploy::down(&aws, second.name(), KINDS, Options::default()).await.unwrap();
            assert!(world(&name).lock().unwrap().things.is_empty());
        });
    }

    #[test]
    fn a_plan_from_nothing_makes_each_thing_once(shape in shape()) {
        let stack = build("pure", &shape);
        let plan = plan::plan(&stack, &Inventory::empty("123456789012", "us-east-1"), KINDS, Options::default());
        prop_assert!(plan.problems.is_empty());
        prop_assert_eq!(plan.actions.len(), shape.len());
    }
}
