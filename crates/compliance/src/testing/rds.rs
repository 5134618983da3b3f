//! Databases, as RDS describes them.

use aws_sdk_rds::operation::describe_db_cluster_parameter_groups::DescribeDbClusterParameterGroupsOutput;
use aws_sdk_rds::operation::describe_db_cluster_parameters::DescribeDbClusterParametersOutput;
use aws_sdk_rds::operation::describe_db_clusters::DescribeDbClustersOutput;
use aws_sdk_rds::operation::describe_db_instances::DescribeDbInstancesOutput;
use aws_sdk_rds::operation::describe_db_parameter_groups::DescribeDbParameterGroupsOutput;
use aws_sdk_rds::operation::describe_db_parameters::DescribeDbParametersOutput;
use aws_sdk_rds::types::builders::{DbClusterBuilder, DbInstanceBuilder};
use aws_sdk_rds::types::{
    DbCluster, DbClusterParameterGroup, DbInstance, DbParameterGroup, DbParameterGroupStatus,
    Parameter,
};
use aws_smithy_mocks::{Rule, mock};

use super::KEY;

/// The cluster `records` as it should be, but for a change.
pub(crate) fn cluster(change: fn(DbClusterBuilder) -> DbClusterBuilder) -> Rule {
    mock!(aws_sdk_rds::Client::describe_db_clusters).then_output(move || {
        let cluster = DbCluster::builder()
            .db_cluster_identifier("records")
            .db_cluster_arn("arn:aws:rds:us-east-1:123456789012:cluster:records")
            .engine("aurora-postgresql")
            .engine_version("17.6")
            .status("available")
            .storage_encrypted(true)
            .kms_key_id(KEY)
            .backup_retention_period(35)
            .copy_tags_to_snapshot(true)
            .deletion_protection(true)
            .iam_database_authentication_enabled(true)
            .enabled_cloudwatch_logs_exports("postgresql")
            .db_cluster_parameter_group("records-parameters");
        DescribeDbClustersOutput::builder().db_clusters(change(cluster).build()).build()
    })
}

/// These instances.
pub(crate) fn instances(all: Vec<DbInstance>) -> Rule {
    mock!(aws_sdk_rds::Client::describe_db_instances).then_output(move || {
        DescribeDbInstancesOutput::builder().set_db_instances(Some(all.clone())).build()
    })
}

/// An instance of the cluster `records`.
pub(crate) fn member(name: &str, zone: &str) -> DbInstanceBuilder {
    DbInstance::builder()
        .db_instance_identifier(name)
        .db_cluster_identifier("records")
        .db_instance_status("available")
        .engine("aurora-postgresql")
        .availability_zone(zone)
        .publicly_accessible(false)
        .auto_minor_version_upgrade(true)
        .db_parameter_groups(in_sync("default.aurora-postgresql17"))
}

/// The instance `ledger`, which belongs to no cluster, as it should be.
pub(crate) fn standalone() -> DbInstanceBuilder {
    DbInstance::builder()
        .db_instance_identifier("ledger")
        .db_instance_arn("arn:aws:rds:us-east-1:123456789012:db:ledger")
        .db_instance_status("available")
        .engine("postgres")
        .engine_version("17.6")
        .availability_zone("us-east-1a")
        .multi_az(true)
        .publicly_accessible(false)
        .storage_encrypted(true)
        .kms_key_id(KEY)
        .backup_retention_period(35)
        .copy_tags_to_snapshot(true)
        .deletion_protection(true)
        .iam_database_authentication_enabled(true)
        .auto_minor_version_upgrade(true)
        .enabled_cloudwatch_logs_exports("postgresql")
        .db_parameter_groups(in_sync("ledger-parameters"))
}

fn in_sync(group: &str) -> DbParameterGroupStatus {
    DbParameterGroupStatus::builder()
        .db_parameter_group_name(group)
        .parameter_apply_status("in-sync")
        .build()
}

type Pairs = &'static [(&'static str, &'static str)];

fn parameters(pairs: Pairs) -> Vec<Parameter> {
    let one = |(name, value): &(&str, &str)| {
        Parameter::builder().parameter_name(*name).parameter_value(*value).build()
    };
    pairs.iter().map(one).collect()
}

/// The parameter group of the cluster `records`, with what somebody has set in it.
pub(crate) fn cluster_parameters(pairs: Pairs) -> Vec<Rule> {
    let group = || {
        DbClusterParameterGroup::builder()
            .db_cluster_parameter_group_name("records-parameters")
            .db_parameter_group_family("aurora-postgresql17")
            .build()
    };
    vec![
        mock!(aws_sdk_rds::Client::describe_db_cluster_parameter_groups).then_output(move || {
            let groups = DescribeDbClusterParameterGroupsOutput::builder();
            groups.db_cluster_parameter_groups(group()).build()
        }),
        mock!(aws_sdk_rds::Client::describe_db_cluster_parameters).then_output(move || {
            let set = Some(parameters(pairs));
            DescribeDbClusterParametersOutput::builder().set_parameters(set).build()
        }),
    ]
}

/// The parameter group `ledger-parameters`, with what somebody has set in it.
pub(crate) fn instance_parameters(pairs: Pairs) -> Vec<Rule> {
    let group = || {
        DbParameterGroup::builder()
            .db_parameter_group_name("ledger-parameters")
            .db_parameter_group_family("postgres17")
            .build()
    };
    vec![
        mock!(aws_sdk_rds::Client::describe_db_parameter_groups).then_output(move || {
            DescribeDbParameterGroupsOutput::builder().db_parameter_groups(group()).build()
        }),
        mock!(aws_sdk_rds::Client::describe_db_parameters).then_output(move || {
            let set = Some(parameters(pairs));
            DescribeDbParametersOutput::builder().set_parameters(set).build()
        }),
    ]
}
