//! Who reaches whom: the internet as address arithmetic, routes, and where records are.
//!
//! What is said here is worked out of the facts once, and used by every control that asks.

mod internet;
mod opening;
mod places;
mod routes;
mod stores;

pub use internet::Addresses;
pub use opening::{Openings, is_port, port_range, rule_text};
pub use places::{RecordPlaces, judge_stores, subnets_of_service};
pub use routes::{Routes, Tier};
pub use stores::{Store, Stores};
