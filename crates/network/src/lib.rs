//! VPC, subnets, gateways, routes, security groups, endpoints and flow logs.
//!
//! A network of three tiers over two to four availability zones: public subnets in which nothing but
//! NAT gateways stands, private ones for what runs, isolated ones for what is kept. Who may talk to
//! whom is said by security groups that name each other; nothing may talk to everybody.
//!
//! On its own, [`provision`] it:
//!
//! ```
//! use engine::{Aws, StackName, Target};
//! use network::NetworkSpec;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! let aws = Aws::connect(target, Some("eu-central-1")).await?;
//!
//! let zones = network::availability_zones(&aws, 2).await?;
//! let spec = NetworkSpec::in_zones(zones);
//! assert!(network::validate(&spec).is_empty());
//! let network = network::provision(&aws, StackName::new("student", "dev"), &spec).await?;
//! assert!(network.vpc_id.starts_with("vpc-"));
//! assert_eq!(network.isolated_subnet_ids.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! To compose it into a stack of your own, [`declare`] it and use the references that you get. Nothing exists
//! yet, so they are promises: the engine makes each resource once those that it refers to are there.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use engine::plan::Options;
//! use engine::{Aws, Place, Stack, StackName, Tags, Target, deploy};
//! use network::{KINDS, NetworkSpec, Peer, Rule, SecurityGroup};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! # let aws = Aws::connect(target, Some("us-east-1")).await?;
//! let mut stack = Stack::new(StackName::new("registrar", "dev"), Tags::new());
//! let spec = NetworkSpec::in_zones(["us-east-1a", "us-east-1b"]);
//! let network = network::declare(&mut stack, &spec, &Place::of(&aws));
//!
//! // A resource of the team's own: a group for nightly reports, which goes to the database only.
//! let postgres = Rule::tcp(5432, Peer::SecurityGroup(network.database.clone()), "PostgreSQL");
//! let reports = SecurityGroup {
//!     group_name: stack.name().of("reports"),
//!     description: "Nightly reports".into(),
//!     vpc_id: network.vpc.clone(),
//!     ingress: BTreeSet::new(),
//!     egress: BTreeSet::from([postgres]),
//! };
//! let reports = stack.add("registrar/reports", reports);
//!
//! let deployed = deploy::up(&aws, &stack, KINDS, Options::default()).await?;
//! assert!(deployed.resolve(&network.vpc)?.starts_with("vpc-"));
//! assert!(deployed.resolve(&reports.id())?.starts_with("sg-"));
//! # Ok(())
//! # }
//! ```

use aws_sdk_ec2::types::UnsuccessfulItem;
use engine::{ApiError, Kind, Result};

mod composition;
pub mod ebs_encryption_default;
pub mod elastic_ip;
pub mod flow_log;
pub mod internet_gateway;
pub mod nat_gateway;
pub mod route_table;
pub mod security_group;
mod spec;
pub mod subnet;
mod tags;
mod validate;
pub mod vpc;
pub mod vpc_endpoint;
mod zones;

pub use composition::{Network, NetworkOutputs, declare, provision};
pub use ebs_encryption_default::EbsEncryptionDefault;
pub use elastic_ip::ElasticIp;
pub use flow_log::{FlowLog, FlowLogDestination};
pub use internet_gateway::InternetGateway;
pub use nat_gateway::NatGateway;
pub use route_table::{RouteTable, RouteTarget};
pub use security_group::{Peer, Rule, SecurityGroup};
pub use spec::{Admission, Admits, Endpoints, FlowLogsTo, HttpsEgress, NetworkSpec, Ports, Zone};
pub use subnet::Subnet;
pub use validate::validate;
pub use vpc::Vpc;
pub use vpc_endpoint::{EndpointType, VpcEndpoint};
pub use zones::{LOOKING_FOR_ZONES, availability_zones};

/// The kinds of this layer.
pub const KINDS: &[Kind] = &[
    Kind::of::<Vpc>(),
    Kind::of::<Subnet>(),
    Kind::of::<InternetGateway>(),
    Kind::of::<ElasticIp>(),
    Kind::of::<NatGateway>(),
    Kind::of::<RouteTable>(),
    Kind::of::<SecurityGroup>(),
    Kind::of::<VpcEndpoint>(),
    Kind::of::<FlowLog>(),
    Kind::of::<EbsEncryptionDefault>(),
];

/// The error in an answer that says, with status 200, that nothing was done.
fn refused(action: &str, unsuccessful: Vec<UnsuccessfulItem>) -> Result<()> {
    match unsuccessful.into_iter().next().and_then(|item| item.error) {
        None => Ok(()),
        Some(error) => Err(ApiError {
            action: action.into(),
            code: error.code.unwrap_or_else(|| "Unsuccessful".into()),
            message: error.message.unwrap_or_default(),
            status: Some(400),
        }
        .into()),
    }
}
