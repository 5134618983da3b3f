//! A cache, as ElastiCache describes it.

use aws_sdk_elasticache::operation::describe_cache_clusters::DescribeCacheClustersOutput;
use aws_sdk_elasticache::operation::describe_replication_groups::DescribeReplicationGroupsOutput;
use aws_sdk_elasticache::types::builders::{CacheClusterBuilder, ReplicationGroupBuilder};
use aws_sdk_elasticache::types::{
    AutomaticFailoverStatus, CacheCluster, CloudWatchLogsDestinationDetails, DestinationDetails,
    LogDeliveryConfiguration, LogDeliveryConfigurationStatus, LogFormat, LogType, MultiAzStatus,
    ReplicationGroup, TransitEncryptionMode,
};
use aws_smithy_mocks::{Rule, mock};

use super::KEY;

/// The replication group `cache` as it should be, but for a change.
pub(crate) fn cache(change: fn(ReplicationGroupBuilder) -> ReplicationGroupBuilder) -> Vec<Rule> {
    cache_with_node(change, |node| node)
}

/// The same with a change of its node.
pub(crate) fn cache_with_node(
    change: fn(ReplicationGroupBuilder) -> ReplicationGroupBuilder,
    node: fn(CacheClusterBuilder) -> CacheClusterBuilder,
) -> Vec<Rule> {
    vec![
        mock!(aws_sdk_elasticache::Client::describe_replication_groups).then_output(move || {
            let group = ReplicationGroup::builder()
                .replication_group_id("cache")
                .engine("redis")
                .status("available")
                .multi_az(MultiAzStatus::Enabled)
                .automatic_failover(AutomaticFailoverStatus::Enabled)
                .at_rest_encryption_enabled(true)
                .kms_key_id(KEY)
                .transit_encryption_enabled(true)
                .transit_encryption_mode(TransitEncryptionMode::Required)
                .auth_token_enabled(true)
                .member_clusters("cache-001")
                .member_clusters("cache-002")
                .snapshot_retention_limit(5)
                .auto_minor_version_upgrade(true)
                .log_delivery_configurations(delivered(LogType::SlowLog))
                .log_delivery_configurations(delivered(LogType::EngineLog));
            DescribeReplicationGroupsOutput::builder()
                .replication_groups(change(group).build())
                .build()
        }),
        mock!(aws_sdk_elasticache::Client::describe_cache_clusters).then_output(move || {
            let first = CacheCluster::builder()
                .cache_cluster_id("cache-001")
                .replication_group_id("cache")
                .engine_version("7.1.0");
            DescribeCacheClustersOutput::builder().cache_clusters(node(first).build()).build()
        }),
    ]
}

/// A log that arrives.
pub(crate) fn delivered(log: LogType) -> LogDeliveryConfiguration {
    let group = CloudWatchLogsDestinationDetails::builder().log_group("cache-logs").build();
    LogDeliveryConfiguration::builder()
        .log_type(log)
        .log_format(LogFormat::Json)
        .status(LogDeliveryConfigurationStatus::Active)
        .destination_details(DestinationDetails::builder().cloud_watch_logs_details(group).build())
        .build()
}
