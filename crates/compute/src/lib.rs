//! ECS, roles, functions, the load balancer, autoscaling and log groups.

pub mod certificate;
pub mod cluster;
pub mod composition;
pub mod function;
mod gathered;
pub mod listener;
pub mod listener_rule;
pub mod load_balancer;
pub mod log_group;
pub mod password_policy;
pub mod role;
pub mod roles;
pub mod rotation;
pub mod scalable_target;
pub mod service;
pub mod target_group;
pub mod task_definition;
pub mod trust;
pub mod validate;

use engine::{Kind, Reader};

pub use certificate::Certificate;
pub use cluster::Cluster;
pub use composition::{Compute, ComputeOutputs, ComputeSpec, Inputs, Workload, declare, provision};
pub use function::Function;
pub use listener::Listener;
pub use listener_rule::ListenerRule;
pub use load_balancer::LoadBalancer;
pub use log_group::LogGroup;
pub use password_policy::PasswordPolicy;
pub use role::Role;
pub use scalable_target::ScalableTarget;
pub use service::Service;
pub use target_group::TargetGroup;
pub use task_definition::TaskDefinition;

/// The kinds of this layer. Settings of the whole account, which are opt-in, are not among them.
pub const KINDS: &[Kind] = &[
    Kind::of::<Certificate>(),
    Kind::of::<Function>(),
    Kind::of::<LogGroup>(),
    Kind::of::<Role>(),
    Kind::of::<Cluster>(),
    Kind::of::<TaskDefinition>(),
    Kind::of::<Service>(),
    Kind::of::<LoadBalancer>(),
    Kind::of::<TargetGroup>(),
    Kind::of::<Listener>(),
    Kind::of::<ScalableTarget>(),
];

/// What only audits look at.
pub const READERS: &[Reader] = &[Reader::of::<ListenerRule>()];
