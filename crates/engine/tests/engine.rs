//! What the engine promises, on a toy service.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod toy;

use std::sync::Arc;

use engine::execute::{Execution, execute};
use engine::plan::{self, Change, Options, Problem};
use engine::stack::{RESOURCE_TAG, STACK_TAG};
use engine::steps::{Steps, What};
use engine::{DeployError, Inventory, Journal, Kind, Live, LogicalId, Stack, Tags, deploy};
use toy::{Door, KINDS, Setting, Thing, Vault, Watchman, aws, stack, world};

fn owned(stack: &Stack, resource: &str) -> Tags {
    Tags::from([
        (STACK_TAG.into(), stack.name().to_string()),
        (RESOURCE_TAG.into(), resource.into()),
    ])
}

fn inventory(things: Vec<Live<Thing>>) -> Inventory {
    let mut inventory = Inventory::empty("123456789012", "us-east-1");
    let live = things
        .into_iter()
        .map(|thing| Live {
            spec: serde_json::to_value(&thing.spec).unwrap(),
            ..Live::new(thing.id.clone(), serde_json::Value::Null).with_tags(thing.tags.clone())
        })
        .collect();
    inventory.insert(Kind::of::<Thing>(), engine::Collected::of(live));
    inventory
}

fn verbs(plan: &engine::Plan) -> Vec<String> {
    plan.actions.iter().map(|action| format!("{} {}", action.change, action.resource)).collect()
}

#[test]
fn what_differs_is_updated_and_what_cannot_change_is_replaced_with_all_that_holds_on_to_it() {
    let mut stack = stack("pure");
    let base = stack.add("base", Thing { size: 2, ..Thing::named("base") });
    stack.add("user", Thing::named("user").uses(base.id()));
    stack.add("friend", Thing::named("friend").friend(base.id()));
    stack.add("painted", Thing { colour: "blue".into(), ..Thing::named("painted") });
    let live =
        |id: &str, name: &str| Live::new(id, Thing::named(name)).with_tags(owned(&stack, name));
    let mut user = live("t-2", "user");
    user.spec.uses.push("t-1".into());
    let mut friend = live("t-3", "friend");
    friend.spec.friends.push("t-1".into());
    let now = inventory(vec![
        live("t-1", "base"),
        user,
        friend,
        live("t-4", "painted"),
        live("t-5", "gone"),
    ]);

    let plan = plan::plan(&stack, &now, KINDS, Options::default());
    assert_eq!(
        verbs(&plan),
        ["replace base", "update friend", "delete gone", "update painted", "replace user"]
    );
    assert!(plan.problems.is_empty());
    let Change::Replace { because, .. } = &plan.action(&LogicalId::new("base")).unwrap().change
    else {
        panic!("base is replaced")
    };
    assert_eq!(because, &["size"]);
}

#[test]
fn the_same_inventory_in_any_order_gives_the_same_plan() {
    let mut stack = stack("order");
    stack.add("a", Thing::named("a"));
    let live = |id: &str| Live::new(id, Thing::named("a")).with_tags(owned(&stack, "a"));
    let one =
        plan::plan(&stack, &inventory(vec![live("t-1"), live("t-2")]), KINDS, Options::default());
    let other =
        plan::plan(&stack, &inventory(vec![live("t-2"), live("t-1")]), KINDS, Options::default());
    assert_eq!(one, other);
    assert_eq!(verbs(&one), ["delete a"], "the double goes, one stays");
    assert_eq!(one.actions[0].live_id.as_deref(), Some("t-2"));
}

#[test]
fn a_stranger_with_our_name_is_a_conflict() {
    let mut stack = stack("conflict");
    stack.add("a", Thing::named("a"));
    let stranger = inventory(vec![Live::new("t-9", Thing::named("a"))]);
    let plan = plan::plan(&stack, &stranger, KINDS, Options::default());
    assert!(matches!(&plan.problems[..], [Problem::Conflict { live_id, .. }] if live_id == "t-9"));
}

#[test]
fn references_that_lead_nowhere_and_double_names_are_problems() {
    let mut other = stack("elsewhere");
    let elsewhere = other.add("elsewhere", Thing::named("x"));
    let mut stack = stack("faulty");
    stack.add("a", Thing::named("a").uses(elsewhere.id()));
    stack.add("b", Thing::named("b"));
    stack.add("b", Thing::named("b"));
    let plan = plan::plan(&stack, &inventory(vec![]), KINDS, Options::default());
    assert!(plan.problems.iter().any(
        |p| matches!(p, Problem::Dangling { missing, .. } if missing.as_str() == "elsewhere")
    ));
    assert!(
        plan.problems
            .iter()
            .any(|p| matches!(p, Problem::Duplicate { resource } if resource.as_str() == "b"))
    );
}

#[test]
fn a_kind_that_could_not_be_read_stops_the_plan() {
    let mut stack = stack("unread");
    stack.add("a", Thing::named("a"));
    let mut now = inventory(vec![]);
    let error = engine::ApiError {
        action: "toy:List".into(),
        code: "AccessDenied".into(),
        message: String::new(),
        status: Some(403),
    };
    now.errors.insert("toy.thing".into(), vec![error]);
    let plan = plan::plan(&stack, &now, KINDS, Options::default());
    assert!(matches!(&plan.problems[..], [Problem::Unreadable { .. }]));
}

#[tokio::test]
async fn a_stack_comes_up_in_the_order_of_its_data_and_goes_in_the_reverse() {
    let aws = aws().await;
    let mut stack = stack("life");
    let base = stack.add("base", Thing::named("base"));
    let ready = stack.add("next", Thing::named("next").uses(base.ready().id()));
    // Two that name each other: possible, because friends are set after creation.
    let one = stack.add("one", Thing::named("one").uses(ready.id()));
    let two = stack.add("two", Thing::named("two").friend(one.id()));
    let mut stack2 = stack.clone();
    stack2.add("three", Thing::named("three").friend(two.id()));

    let up = deploy::up(&aws, &stack2, KINDS, Options::default()).await.unwrap();
    assert_eq!(up.live.len(), 5);
    let world = world("life");
    let log = world.lock().unwrap().log.clone();
    let at = |what: &str| {
        log.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what} in {log:?}"))
    };
    assert!(at("ready base") < at("create next"), "the reference asked for readiness");
    assert!(at("create next") < at("create one"));
    assert!(at("create one") < at("update two friends"));
    assert!(deploy::drift(&aws, &stack2, KINDS).await.is_empty());

    world.lock().unwrap().log.clear();
    deploy::down(&aws, stack2.name(), KINDS, Options::default()).await.unwrap();
    let log = world.lock().unwrap().log.clone();
    let at = |what: &str| {
        log.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what} in {log:?}"))
    };
    assert!(at("delete one") < at("delete next"), "users go first");
    assert!(at("detach two") < at("delete one"), "friends let go first");
    assert!(world.lock().unwrap().things.is_empty());
}

#[tokio::test]
async fn a_successor_lives_beside_its_predecessor_until_all_have_moved_over() {
    let aws = aws().await;
    let make = |size| {
        let mut stack = stack("successor");
        let base = stack.add("base", Thing { size, ..Thing::named("base") });
        stack.add("friend", Thing::named("friend").friend(base.id()));
        stack
    };
    deploy::up(&aws, &make(1), KINDS, Options::default()).await.unwrap();
    let world = world("successor");
    world.lock().unwrap().log.clear();
    deploy::up(&aws, &make(2), KINDS, Options::default()).await.unwrap();
    let log = world.lock().unwrap().log.clone();
    let at = |what: &str| {
        log.iter()
            .position(|line| line.starts_with(what))
            .unwrap_or_else(|| panic!("{what} in {log:?}"))
    };
    assert!(at("create base-") < at("update friend friends"));
    assert!(at("update friend friends") < at("delete base"));
    assert!(
        deploy::drift(&aws, &make(2), KINDS).await.is_empty(),
        "its name with a suffix is no drift"
    );
}

#[tokio::test]
async fn not_yet_is_waited_for_and_other_errors_are_not() {
    let aws = aws().await;
    let mut stack = stack("patience");
    stack.add("slow", Thing::named("slow"));
    stack.add("broken", Thing::named("broken"));
    let broken = stack.add("fine", Thing::named("fine"));
    stack.add("after", Thing::named("after").uses(broken.id()));
    let world = world("patience");
    world.lock().unwrap().faults.insert("slow".into(), vec!["NotYet"]);
    world.lock().unwrap().faults.insert("broken".into(), vec!["Quota"]);
    let error = deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap_err();
    let DeployError::Failed(outcome) = error else { panic!("{error}") };
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!(outcome.failed[0].0.resource.as_str(), "broken");
    assert!(outcome.not_tried.iter().all(|step| step.resource.as_str() == "broken"));
    assert!(outcome.live.contains_key(&LogicalId::new("slow")));
    assert!(outcome.live.contains_key(&LogicalId::new("after")), "the rest went on");

    deploy::up(&aws, &stack, KINDS, Options::default()).await.unwrap();
    assert_eq!(world.lock().unwrap().things.len(), 4, "nothing doubled");
}

#[tokio::test(start_paused = true)]
async fn what_waits_keeps_nothing_else_from_calling() {
    let aws = aws().await;
    let mut stack = stack("waiting");
    for name in ["one", "other"] {
        stack.add(name, Thing::named(name));
        world("waiting").lock().unwrap().faults.insert(name.into(), vec!["NotYet"; 3]);
    }
    let nothing = inventory(vec![]);
    let plan = plan::plan(&stack, &nothing, KINDS, Options::default());
    let steps = Steps::of(&plan, &stack, &nothing, KINDS).unwrap();
    let one_at_a_time = Execution { concurrency: 1, ..Execution::default() };
    let journal = Arc::new(Journal::in_memory());
    let outcome = execute(&aws, &stack, steps, journal, one_at_a_time).await;
    assert!(outcome.is_complete());
    let longest = outcome.done.iter().map(|(_, took)| *took).max().unwrap();
    assert!(!longest.is_zero(), "they wait for AWS to say yes");
    assert_eq!(outcome.took, longest, "both at the same time");
}

#[tokio::test]
async fn data_is_neither_replaced_nor_deleted_without_a_word() {
    let aws = aws().await;
    let make = |size| {
        let mut stack = stack("vault");
        let base = stack.add("base", Thing::named("base"));
        stack.add("vault", Vault(Thing { size, ..Thing::named("vault").uses(base.id()) }));
        stack
    };
    deploy::up(&aws, &make(1), KINDS, Options::default()).await.unwrap();
    let refused = deploy::up(&aws, &make(2), KINDS, Options::default()).await.unwrap_err();
    let DeployError::Refused(plan) = refused else { panic!("{refused}") };
    assert!(matches!(&plan.problems[..], [Problem::DataLoss { how, .. }] if how == "replaced"));

    let plan = deploy::down(&aws, make(1).name(), KINDS, Options::default()).await.unwrap();
    let kept: Vec<&str> = plan.kept.iter().map(|kept| kept.resource.as_str()).collect();
    assert_eq!(kept, ["base", "vault"], "what the data rests on stays, too");
    assert!(plan.actions.is_empty());

    let word = Options { allow_data_loss: true, ..Options::default() };
    deploy::up(&aws, &make(2), KINDS, word).await.unwrap();
    deploy::down(&aws, make(1).name(), KINDS, word).await.unwrap();
    assert!(world("vault").lock().unwrap().vaults.is_empty());
}

#[tokio::test]
async fn those_who_refer_to_what_makes_room_for_its_successor_move_over_afterwards() {
    let aws = aws().await;
    let make = |size| {
        let mut stack = stack("room");
        let vault = stack.add("vault", Vault(Thing { size, ..Thing::named("vault") }));
        stack.add("friend", Thing::named("friend").friend(vault.id()));
        stack
    };
    let word = Options { allow_data_loss: true, ..Options::default() };
    deploy::up(&aws, &make(1), KINDS, word).await.unwrap();
    deploy::up(&aws, &make(2), KINDS, word).await.unwrap();
    assert!(deploy::drift(&aws, &make(2), KINDS).await.is_empty());
}

#[test]
fn a_plan_shows_the_inventory_that_it_would_lead_to() {
    let mut stack = stack("foresight");
    let base = stack.add("base", Thing { colour: "blue".into(), ..Thing::named("base") });
    let new = stack.add("new", Thing::named("new").uses(base.id()));
    stack.add("last", Thing::named("last").friend(new.ready().id()));
    let live =
        |id: &str, name: &str| Live::new(id, Thing::named(name)).with_tags(owned(&stack, name));
    let now = inventory(vec![
        live("t-1", "base"),
        live("t-2", "gone"),
        Live::new("t-9", Thing::named("stranger")),
    ]);
    let plan = plan::plan(&stack, &now, KINDS, Options::default());
    let then = plan::foresee(&stack, &now, KINDS, &plan);
    let things = then.of::<Thing>().unwrap();
    let named = |name: &str| things.iter().find(|thing| thing.spec.name == name);
    assert_eq!(named("base").unwrap().spec.colour, "blue");
    assert_eq!(named("new").unwrap().spec.uses[0].as_str(), "t-1");
    assert_eq!(named("last").unwrap().spec.friends[0].as_str(), named("new").unwrap().id);
    assert!(named("gone").is_none() && named("stranger").is_some());
}

#[tokio::test]
async fn what_is_still_being_made_takes_a_change_once_it_is_made() {
    let aws = aws().await;
    let make = |colour: &str| {
        let mut stack = stack("busy");
        stack.add("slow", Thing { colour: colour.into(), ..Thing::named("slow") });
        stack
    };
    deploy::up(&aws, &make("red"), KINDS, Options::default()).await.unwrap();
    world("busy").lock().unwrap().busy.insert("slow".into(), 40);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    deploy::up(&aws, &make("blue"), KINDS, Options::default()).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited.as_secs() > 300, "longer than an error that says \"not yet\" is believed alone");
    assert!(deploy::drift(&aws, &make("blue"), KINDS).await.is_empty());
}

#[test]
fn what_could_not_be_read_is_no_reason_to_replace() {
    let mut stack = stack("unshown");
    stack.add("a", Thing::named("a"));
    let mut live = Live::new("t-1", Thing { size: 0, ..Thing::named("a") });
    live.tags = owned(&stack, "a");
    live.leave_out(&["size"], "toy:List", "it is still being made");
    let unread = live.unreadable.clone();
    let mut now = inventory(vec![live]);
    now.resources.get_mut("toy.thing").unwrap()[0].unreadable = unread;
    let plan = plan::plan(&stack, &now, KINDS, Options::default());
    assert!(plan.is_empty(), "{plan:?}");
}

/// An inventory with one resource of a kind that exists on paper only.
fn with<T: engine::Resource>(mut now: Inventory, id: &str, spec: &T) -> Inventory {
    let spec = serde_json::to_value(spec).unwrap();
    now.insert(Kind::of::<T>(), engine::Collected::of(vec![Live::new(id, spec)]));
    now
}

#[test]
fn a_setting_of_the_account_is_the_stacks_while_it_names_something_of_the_stack() {
    let stack = stack("lent");
    let ours = Live::new("t-1", Thing::named("ours")).with_tags(owned(&stack, "ours"));
    let theirs = Live::new("t-2", Thing::named("theirs"));
    let now = |shown: &str| {
        let setting = Setting { shows: Some(shown.into()) };
        with(inventory(vec![ours.clone(), theirs.clone()]), "account", &setting)
    };
    let destroy = |now: &Inventory| plan::destroy(stack.name(), now, KINDS, Options::default());

    assert_eq!(verbs(&destroy(&now("t-2"))), ["delete ours"], "another's is left alone");
    let now = now("t-1");
    let plan = destroy(&now);
    assert_eq!(verbs(&plan), ["delete ours", "delete toy.setting/account"]);
    let steps = Steps::of(&plan, &stack, &now, KINDS).unwrap().all;
    let of = |kind: &str| {
        steps.iter().position(|s| s.kind.name() == kind && s.what == What::Delete).unwrap()
    };
    assert!(steps[of("toy.thing")].after.contains(&of("toy.setting")), "it is given back first");
}

#[test]
fn a_name_is_taken_only_where_it_has_to_be_unique() {
    let mut stack = stack("doors");
    stack.add("door", Door { name: "front".into(), house: "ours".into() });
    let problems = |house: &str| {
        let door = Door { name: "front".into(), house: house.into() };
        let now = with(Inventory::empty("123456789012", "us-east-1"), "d-1", &door);
        plan::plan(&stack, &now, KINDS, Options::default()).problems
    };
    assert_eq!(problems("theirs"), []);
    assert!(
        matches!(&problems("ours")[..], [Problem::Conflict { live_id, .. }] if live_id == "d-1")
    );
}

#[test]
fn what_an_account_has_one_of_is_not_made_beside_a_strangers() {
    let mut stack = stack("watch");
    stack.add("watchman", Watchman { awake: true });
    let now = Inventory::empty("123456789012", "us-east-1");
    assert_eq!(plan::plan(&stack, &now, KINDS, Options::default()).problems, []);
    let now = with(now, "w-1", &Watchman { awake: false });
    let plan = plan::plan(&stack, &now, KINDS, Options::default());
    assert!(matches!(&plan.problems[..], [Problem::Taken { live_id, .. }] if live_id == "w-1"));
}
