//! VPC, subnets, gateways, routes, security groups, endpoints and flow logs.

mod tags;
pub mod vpc;

use engine::Kind;

pub use vpc::Vpc;

/// The kinds of this layer.
pub const KINDS: &[Kind] = &[Kind::of::<Vpc>()];
