//! What an audit inspects and this project does not make: machines and snapshots, users, what the
//! account shares with others, and the services that may hold records beside the stack.
//!
//! One file for each kind. A kind here only implements [`Inspected`](engine::Inspected): it can be listed,
//! and nothing else.

pub mod account_summary;
pub mod bedrock_job;
pub mod cluster_snapshot;
pub mod config_recorder;
pub mod db_parameter_group;
pub mod db_snapshot;
pub mod distribution;
mod ec2_tags;
pub mod group;
mod iam;
pub mod identity_center;
pub mod instance;
pub mod lake_permission;
pub mod macie;
pub mod managed_policy;
pub mod network_interface;
pub mod organization;
pub mod prefix_list;
mod rds;
pub mod region_use;
pub mod resource_share;
pub mod sagemaker_job;
pub mod search_domain;
pub mod snapshot;
pub mod table;
pub mod transit_gateway_attachment;
pub mod user;
pub mod user_pool;
pub mod volume;
pub mod vpc_peering_connection;

use engine::Reader;

pub use account_summary::AccountSummary;
pub use bedrock_job::BedrockJob;
pub use cluster_snapshot::DbClusterSnapshot;
pub use config_recorder::{ConfigRecorder, RecordedTypes};
pub use db_parameter_group::DbParameterGroup;
pub use db_snapshot::DbSnapshot;
pub use distribution::Distribution;
pub use group::Group;
pub use identity_center::IdentityCenter;
pub use instance::Instance;
pub use lake_permission::LakePermission;
pub use macie::{Coverage, Macie};
pub use managed_policy::ManagedPolicy;
pub use network_interface::{NetworkInterface, UsedBy};
pub use organization::{Level, Organization};
pub use prefix_list::PrefixList;
pub use region_use::RegionUse;
pub use resource_share::ResourceShare;
pub use sagemaker_job::SageMakerJob;
pub use search_domain::SearchDomain;
pub use snapshot::Snapshot;
pub use table::Table;
pub use transit_gateway_attachment::TransitGatewayAttachment;
pub use user::{AccessKey, User};
pub use user_pool::UserPool;
pub use volume::Volume;
pub use vpc_peering_connection::VpcPeeringConnection;

/// The kinds of this crate.
pub const READERS: &[Reader] = &[
    Reader::of::<AccountSummary>(),
    Reader::of::<BedrockJob>(),
    Reader::of::<DbClusterSnapshot>(),
    Reader::of::<ConfigRecorder>(),
    Reader::of::<DbParameterGroup>(),
    Reader::of::<DbSnapshot>(),
    Reader::of::<Distribution>(),
    Reader::of::<Group>(),
    Reader::of::<IdentityCenter>(),
    Reader::of::<Instance>(),
    Reader::of::<LakePermission>(),
    Reader::of::<Macie>(),
    Reader::of::<ManagedPolicy>(),
    Reader::of::<NetworkInterface>(),
    Reader::of::<Organization>(),
    Reader::of::<PrefixList>(),
    Reader::of::<RegionUse>(),
    Reader::of::<ResourceShare>(),
    Reader::of::<SageMakerJob>(),
    Reader::of::<SearchDomain>(),
    Reader::of::<Snapshot>(),
    Reader::of::<Table>(),
    Reader::of::<TransitGatewayAttachment>(),
    Reader::of::<User>(),
    Reader::of::<UserPool>(),
    Reader::of::<Volume>(),
    Reader::of::<VpcPeeringConnection>(),
];
