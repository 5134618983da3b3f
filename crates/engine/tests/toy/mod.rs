//! A toy service: one kind with a store in memory, to watch the engine at work without AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use engine::vocabulary::{Arn, Id};
use engine::{
    ApiError, Aws, Changes, Collected, Deletion, Error, Identity, Kind, Live, New, Poll, Readiness,
    Ref, Replacement, Resource, Result, Scope, Stack, StackName, Tags, Target, Traits,
};
use serde::{Deserialize, Serialize};

/// A thing with a size that cannot change, a colour that can, and friends that are set later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    pub name: String,
    pub size: u32,
    pub colour: String,
    pub uses: Vec<Ref<Id>>,
    pub friends: Vec<Ref<Id>>,
}

impl Thing {
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), size: 1, colour: "red".into(), uses: vec![], friends: vec![] }
    }
    pub fn uses(mut self, of: Ref<Id>) -> Self {
        self.uses.push(of);
        self
    }
    pub fn friend(mut self, of: Ref<Id>) -> Self {
        self.friends.push(of);
        self
    }
}

/// Data that must not be lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vault(pub Thing);

/// What exists, and every call that was made, by world. A world is an environment name, so that tests
/// do not see each other.
#[derive(Default)]
pub struct World {
    pub things: BTreeMap<String, Live<Thing>>,
    pub vaults: BTreeMap<String, Live<Vault>>,
    pub log: Vec<String>,
    pub next: u32,
    /// Names whose next calls fail with these codes.
    pub faults: BTreeMap<String, Vec<&'static str>>,
    /// Names that take no change before they have been looked at so often.
    pub busy: BTreeMap<String, u32>,
}

static WORLDS: LazyLock<Mutex<BTreeMap<String, Arc<Mutex<World>>>>> = LazyLock::new(Mutex::default);

pub fn world(environment: &str) -> Arc<Mutex<World>> {
    WORLDS.lock().unwrap().entry(environment.to_owned()).or_default().clone()
}

fn world_of(tags: &Tags) -> Arc<Mutex<World>> {
    let stack = &tags[engine::stack::STACK_TAG];
    world(stack.strip_prefix("toy-").unwrap())
}

fn fault(world: &mut World, name: &str) -> Result<()> {
    let Some(codes) = world.faults.get_mut(name) else { return Ok(()) };
    if codes.is_empty() {
        return Ok(());
    }
    let code = codes.remove(0);
    Err(refused(code))
}

fn refused(code: &str) -> Error {
    Error::Api(ApiError {
        action: "toy:Call".into(),
        code: code.into(),
        message: String::new(),
        status: Some(400),
    })
}

impl Resource for Thing {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["size", "uses"],
        late: &["friends"],
        replacement: Replacement::CreateFirst,
        ready: Poll::within(45, 10, 15),
        not_yet: &[("NotYet", "")],
        ..Traits::of("toy.thing")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(_: &Aws, scope: &Scope) -> Collected<Self> {
        let Scope::Stack(stack) = scope else { return Collected::default() };
        let world = world(&stack.environment);
        let world = world.lock().unwrap();
        Collected::of(world.things.values().cloned().collect())
    }

    async fn create(&self, _: &Aws, new: &New) -> Result<Live<Self>> {
        let world = world_of(&new.tags);
        let mut world = world.lock().unwrap();
        fault(&mut world, &self.name)?;
        world.next += 1;
        let id = format!("thing-{}", world.next);
        world.log.push(format!("create {}", self.name));
        let spec = Self { friends: vec![], ..self.clone() };
        let live = Live::new(&id, spec).with_tags(new.tags.clone());
        world.things.insert(id, live.clone());
        Ok(live)
    }

    async fn ready(_: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let world = world_of(&live.tags);
        let mut world = world.lock().unwrap();
        if let Some(busy) = world.busy.get_mut(&live.spec.name).filter(|busy| **busy > 0) {
            *busy -= 1;
            return Ok(Readiness::Pending("status creating".into()));
        }
        world.log.push(format!("ready {}", live.spec.name));
        Ok(Readiness::ready())
    }

    async fn update(&self, _: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let world = world_of(&live.tags);
        let mut world = world.lock().unwrap();
        if world.busy.get(&live.spec.name).is_some_and(|busy| *busy > 0) {
            return Err(refused("NotYet"));
        }
        let fields: Vec<&str> = changes.0.iter().map(|change| change.field()).collect();
        world.log.push(format!("update {} {}", live.spec.name, fields.join(" ")));
        let name = live.spec.name.clone();
        let existing = world.things.get_mut(&live.id).unwrap();
        existing.spec = Self { name, ..self.clone() };
        Ok(())
    }

    async fn tag(_: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let world = world_of(&live.tags);
        let mut world = world.lock().unwrap();
        let tags = &mut world.things.get_mut(&live.id).unwrap().tags;
        tags.extend(put.clone());
        remove.iter().for_each(|key| {
            tags.remove(key);
        });
        Ok(())
    }

    async fn detach(_: &Aws, live: &Live<Self>) -> Result<()> {
        let world = world_of(&live.tags);
        let mut world = world.lock().unwrap();
        world.log.push(format!("detach {}", live.spec.name));
        Ok(())
    }

    async fn delete(_: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let world = world_of(&live.tags);
        let mut world = world.lock().unwrap();
        world.log.push(format!("delete {}", live.spec.name));
        world.things.remove(&live.id);
        Ok(())
    }
}

impl Resource for Vault {
    const TRAITS: Traits =
        Traits { immutable: &["size", "uses"], protected: true, ..Traits::of("toy.vault") };
    type Id = Id;
    type Arn = Arn;

    async fn collect(_: &Aws, scope: &Scope) -> Collected<Self> {
        let Scope::Stack(stack) = scope else { return Collected::default() };
        let world = world(&stack.environment);
        let world = world.lock().unwrap();
        Collected::of(world.vaults.values().cloned().collect())
    }

    async fn create(&self, _: &Aws, new: &New) -> Result<Live<Self>> {
        let world = world_of(&new.tags);
        let mut world = world.lock().unwrap();
        world.next += 1;
        let id = format!("vault-{}", world.next);
        let live = Live::new(&id, self.clone()).with_tags(new.tags.clone());
        world.vaults.insert(id, live.clone());
        Ok(live)
    }

    async fn update(&self, _: &Aws, live: &Live<Self>, _: &Changes) -> Result<()> {
        let world = world_of(&live.tags);
        world.lock().unwrap().vaults.get_mut(&live.id).unwrap().spec = self.clone();
        Ok(())
    }

    async fn delete(_: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let world = world_of(&live.tags);
        world.lock().unwrap().vaults.remove(&live.id);
        Ok(())
    }
}

/// A setting of the account that may name a thing, and a door that there is one of in each house.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub shows: Option<Ref<Id>>,
}

/// A door: each house has its names, and a house has as many as it likes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Door {
    pub name: String,
    pub house: String,
}

/// There is one watchman.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watchman {
    pub awake: bool,
}

/// A kind of which only the traits matter.
macro_rules! on_paper {
    ($kind:ident, $traits:expr) => {
        impl Resource for $kind {
            const TRAITS: Traits = $traits;
            type Id = Id;
            type Arn = Arn;

            async fn collect(_: &Aws, _: &Scope) -> Collected<Self> {
                Collected::default()
            }
            async fn create(&self, _: &Aws, _: &New) -> Result<Live<Self>> {
                Ok(Live::new("one", self.clone()))
            }
            async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
                Ok(())
            }
            async fn delete(_: &Aws, _: &Live<Self>, _: &Deletion) -> Result<()> {
                Ok(())
            }
        }
    };
}

on_paper!(
    Setting,
    Traits { identity: Identity::Setting, lent: Some("shows"), ..Traits::of("toy.setting") }
);
on_paper!(
    Door,
    Traits { name: Some("name"), name_within: Some("house"), ..Traits::of("toy.door") }
);
on_paper!(Watchman, Traits { single: true, ..Traits::of("toy.watchman") });

pub const KINDS: &[Kind] = &[
    Kind::of::<Thing>(),
    Kind::of::<Vault>(),
    Kind::of::<Setting>(),
    Kind::of::<Door>(),
    Kind::of::<Watchman>(),
];

pub fn stack(environment: &str) -> Stack {
    Stack::new(StackName::new("toy", environment), BTreeMap::new())
}

pub async fn aws() -> Aws {
    let plane = local::ControlPlane::in_memory();
    Aws::connect(Target::Embedded(plane.http_client()), Some("us-east-1")).await.unwrap()
}
