//! ECS, roles, functions, the load balancer, autoscaling and log groups.
//!
//! A service on Fargate behind an internal load balancer with TLS, which scales. [`provision`] brings it up on its
//! own, on what exists:
//!
//! ```
//! # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/mod.rs")); }
//! use compute::{ComputeSpec, Workload, provision};
//! use engine::{Aws, StackName, Target};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! let aws = Aws::connect(target, Some("us-east-1")).await?;
//!
//! // A VPC, roles, a certificate, a bucket, a file system: what exists, or what other layers make.
//! let inputs = support::inputs(&aws, "docs").await;
//! let workload = Workload { image: "registry/student-api:1.4.2".into(), ..Workload::default() };
//! let spec = ComputeSpec { workload, inputs };
//!
//! let made = provision(&aws, StackName::new("student", "docs"), &spec).await?;
//! assert_eq!(made.service_name, "student-api-service-docs");
//! assert!(made.dns_name.starts_with("internal-student-alb-docs-"));
//! # Ok(())
//! # }
//! ```
//!
//! [`declare`] composes it: here with a log group and a role of the same stack, and keys of another layer.
//!
//! ```
//! # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/mod.rs")); }
//! use compute::log_group::{LogGroupSpec, declare_log_group};
//! use compute::roles::ExecutionRole;
//! use compute::{ComputeSpec, Inputs, Workload};
//! use engine::plan::Options;
//! use engine::{Aws, Place, Stack, StackName, Tags, Target, deploy};
//! use security::{KeysSpec, declare_keys};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! # let aws = Aws::connect(target, Some("us-east-1")).await?;
//! # let inputs = support::inputs(&aws, "registrar").await;
//! let place = Place::of(&aws);
//! let mut stack = Stack::new(StackName::new("registrar", "dev"), Tags::new());
//! let keys = declare_keys(&mut stack, &KeysSpec::new(place.clone()));
//!
//! let log = LogGroupSpec::new("/ecs/registrar-api-dev", keys.logs).kept_for(731);
//! let log = declare_log_group(&mut stack, "registrar/log", &log);
//! let secrets = vec![inputs.database_secret.clone()];
//! let role = ExecutionRole { secrets, secrets_key: keys.secrets }.declare(&mut stack, &place);
//!
//! let inputs = Inputs { log_group: log.id(), execution_role: role, ..inputs };
//! let workload = Workload { image: "registry/registrar:2.0.1".into(), ..Workload::default() };
//! let compute = compute::declare(&mut stack, &ComputeSpec { workload, inputs });
//!
//! let kinds = [security::KINDS, compute::KINDS].concat();
//! let deployed = deploy::up(&aws, &stack, &kinds, Options::default()).await?;
//! assert_eq!(compute.resolve(&deployed)?.cluster_name, "registrar-api-cluster-dev");
//! # Ok(())
//! # }
//! ```

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
