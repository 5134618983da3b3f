//! KMS keys, secrets, CloudTrail with its locked buckets, alarms and account guards.
//!
//! [`declare`] puts the layer into a larger stack; its parts ([`declare_keys`], [`declare_credentials`],
//! [`declare_trail`], [`declare_alarms`], [`declare_guards`]) are there for stacks whose other layers
//! come in between. [`provision`] brings the layer up on its own:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use engine::{Aws, Place, StackName, Target};
//! use security::{SecuritySpec, provision};
//!
//! // An AWS account inside this process; `Target::Aws` is the real one.
//! let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! let aws = Aws::connect(target, Some("us-east-1")).await?;
//!
//! let spec = SecuritySpec { deletion_window_days: 7, ..SecuritySpec::new(Place::of(&aws)) };
//! let outputs = provision(&aws, StackName::new("student", "dev"), &spec).await?;
//! assert_eq!(outputs.kms_key_arns.len(), 6);
//! assert_eq!(outputs.trail_name, "student-trail-dev");
//! # Ok(())
//! # }
//! ```
//!
//! Composed with a bucket of the team's own, which one of the layer's keys encrypts:
//!
//! ```
//! use engine::plan::Options;
//! use engine::{Aws, Place, Stack, StackName, Tags, Target, deploy};
//! use security::{Bucket, KINDS, SecuritySpec};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! # let aws = Aws::connect(target, Some("us-east-1")).await?;
//! let mut stack = Stack::new(StackName::new("registrar", "dev"), Tags::new());
//! let security = security::declare(&mut stack, &SecuritySpec::new(Place::of(&aws)));
//!
//! let bucket = Bucket::private("registrar-reports-dev", security.keys.logs.clone());
//! let bucket = stack.add("registrar/reports", bucket);
//!
//! let deployed = deploy::up(&aws, &stack, KINDS, Options::default()).await?;
//! assert_eq!(deployed.resolve(&bucket.id())?, "registrar-reports-dev");
//! assert!(deployed.resolve(&security.keys.rds)?.starts_with("arn:aws:kms:us-east-1:"));
//! # Ok(())
//! # }
//! ```

pub mod account_public_access_block;
pub mod alarm;
pub mod alarms;
pub mod analyzer;
pub mod audit_trail;
pub mod bucket;
pub mod bucket_location;
pub mod credentials;
pub mod detector;
pub mod guards;
pub mod key;
pub mod keys;
mod s3;
pub mod secret;
mod spec;
pub mod topic;
pub mod trail;

use engine::{Kind, Reader};

pub use account_public_access_block::AccountPublicAccessBlock;
pub use alarm::Alarm;
pub use alarms::{Alarms, AlarmsSpec, MetricFilter, declare_alarms};
pub use analyzer::{Analyzer, ExternalFinding};
pub use audit_trail::{AuditTrail, TrailSpec, declare_locked_bucket, declare_trail};

pub use bucket::{AccessLog, AclGrant, Bucket, Encryption, LifecycleRule, PublicAccessBlock};
pub use bucket_location::BucketLocation;
pub use credentials::{Credentials, CredentialsSpec, declare_credentials};
pub use detector::Detector;
pub use guards::{GuardsSpec, declare_guards};
pub use key::{Grant, Key};
pub use keys::{Keys, KeysSpec, declare_keys};
pub use secret::Secret;
pub use spec::{Outputs, ProvisionError, Security, SecuritySpec, bucket_name, declare, provision};
pub use topic::Topic;
pub use trail::Trail;

/// The kinds of this layer.
pub const KINDS: &[Kind] = &[
    Kind::of::<Key>(),
    Kind::of::<Secret>(),
    Kind::of::<Bucket>(),
    Kind::of::<Trail>(),
    Kind::of::<Topic>(),
    Kind::of::<Alarm>(),
    Kind::of::<Detector>(),
    Kind::of::<Analyzer>(),
    Kind::of::<AccountPublicAccessBlock>(),
];

/// What only audits look at.
pub const READERS: &[Reader] = &[Reader::of::<BucketLocation>()];
