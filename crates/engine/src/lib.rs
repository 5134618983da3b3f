//! Resource kinds, the desired graph, the inventory, plans and their execution.
//!
//! Three nouns: a [`Stack`] is the desired graph of typed resources; an [`Inventory`] is a
//! serialisable snapshot of what runs; a [`Plan`] says, field by field, what leads from one to the
//! other. Three verbs: [`inventory::collect`] reads, [`plan::plan`] compares (a pure function: no
//! I/O, no clock, no randomness), [`execute::execute`] acts.
//!
//! This crate knows no AWS service. A *kind* (one AWS resource type) is a struct in a layer crate
//! that implements [`Resource`]; the engine moves all kinds alike. What AWS gives no life of its own
//! (a route, an ingress rule, a bucket's policy) is a field of its owner.
//!
//! There is no state file. A resource belongs to a stack because its tags say so, and the tags are
//! part of the call that creates it; so a process that is killed at any moment leaves nothing that
//! the next run does not recognise. The [`Journal`] only bridges the seconds in which AWS does not
//! show yet what it has created.

pub mod aws;
pub mod credential;
pub mod deploy;
pub mod diff;
pub mod error;
pub mod execute;
pub mod imitation;
pub mod inventory;
pub mod journal;
pub mod kind;
pub mod lease;
pub mod mistake;
pub mod permission;
pub mod place;
pub mod plaintext;
pub mod plan;
pub mod policy;
pub mod reference;
pub mod stack;
pub mod steps;
pub mod timeline;
pub mod vocabulary;
pub mod wait;

pub use aws::{Aws, Target};
pub use deploy::{DeployError, Deployed};
pub use error::{ApiError, Error, Result};
pub use inventory::{Inventory, Scope};
pub use journal::Journal;
pub use kind::{
    Changes, Collected, Deletion, Identity, Inspected, Kind, Live, New, Poll, Reader, Readiness,
    Replacement, Resource, Status, Tags, Traits,
};
pub use lease::{Lease, Leases};
pub use mistake::Mistake;
pub use permission::{Allow, Permissions, When};
pub use place::Place;
pub use plan::{Change, Plan};
pub use policy::Policy;
pub use reference::Ref;
pub use stack::{Handle, LogicalId, Stack, StackName};
