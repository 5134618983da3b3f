//! `ec2.region_use`: signs of life in the other regions of the account.

use std::collections::BTreeSet;

use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// How many of a sort are named: one is enough to know.
const NAMED: usize = 5;

/// What is in a region that is enabled for the account and is not the audited one. Its id is the region's
/// name. Each field names a few of a sort.
///
/// Most services that compute or store in a VPC have network interfaces there, so these stand for machines,
/// load balancers, caches, mount targets, endpoints, functions and notebooks. What has no interface is seen
/// only where a field names it: not streams, queues, secrets, log groups, functions without a VPC and
/// recovery points of AWS Backup. Buckets are a kind of their own. A region that the account has disabled
/// again is not looked at, although AWS keeps what was made there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionUse {
    /// Network interfaces, by id.
    pub network_interfaces: BTreeSet<String>,
    /// EBS volumes, by id.
    pub volumes: BTreeSet<String>,
    /// EBS snapshots that the account owns, by id.
    pub snapshots: BTreeSet<String>,
    /// RDS, Neptune and DocumentDB clusters: a replica may have no instance.
    pub db_clusters: BTreeSet<String>,
    /// Their instances.
    pub db_instances: BTreeSet<String>,
    /// Snapshots of clusters.
    pub db_cluster_snapshots: BTreeSet<String>,
    /// Snapshots of instances.
    pub db_snapshots: BTreeSet<String>,
    /// DynamoDB tables.
    pub tables: BTreeSet<String>,
    /// OpenSearch domains.
    pub domains: BTreeSet<String>,
}

impl Inspected for RegionUse {
    const KIND: &'static str = "ec2.region_use";
    const READ: &'static [Allow] = &[Allow::to(&[
        "ec2:DescribeRegions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVolumes",
        "ec2:DescribeSnapshots",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBSnapshots",
        "dynamodb:ListTables",
        "es:ListDomainNames",
    ])];
    const COSTLY: bool = true;

    async fn inspect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        // A stack is in one region.
        if !matches!(scope, Scope::Account) {
            return Collected::default();
        }
        let regions = match enabled(aws).await {
            Ok(regions) => regions,
            Err(error) => return Collected::failed(error),
        };
        let others = regions.into_iter().filter(|region| region != aws.region());
        let reads = others.map(|region| look(aws, region));
        Collected::of(futures::stream::iter(reads).buffer_unordered(8).collect().await)
    }
}

async fn enabled(aws: &Aws) -> Result<Vec<String>> {
    let action = "ec2:DescribeRegions";
    let call = client!(aws, aws_sdk_ec2).describe_regions();
    let regions = aws.call(action, call.send()).await?.regions.unwrap_or_default();
    let name = |region: aws_sdk_ec2::types::Region| {
        region.region_name.ok_or_else(|| Error::incomplete(action, "a region's name"))
    };
    regions.into_iter().map(name).collect()
}

/// Sends one call to another region, and names a few of what it found.
macro_rules! ask {
    ($aws:ident, $region:ident, $action:literal, $sdk:ident, $call:expr, $list:ident, $id:expr) => {
        async {
            let elsewhere = $sdk::config::Region::new($region.clone());
            let elsewhere = $sdk::config::Builder::new().region(elsewhere);
            let call = $call(client!($aws, $sdk)).customize().config_override(elsewhere);
            let found = $aws.call($action, call.send()).await?.$list.unwrap_or_default();
            Ok(found.into_iter().filter_map($id).take(NAMED).collect::<BTreeSet<String>>())
        }
    };
}

async fn look(aws: &Aws, region: String) -> Live<RegionUse> {
    let mut live = Live::new(&region, RegionUse::default());
    let (
        interfaces,
        volumes,
        snapshots,
        clusters,
        instances,
        of_clusters,
        of_instances,
        tables,
        domains,
    ) = futures::join!(
        ask!(
            aws,
            region,
            "ec2:DescribeNetworkInterfaces",
            aws_sdk_ec2,
            |ec2: aws_sdk_ec2::Client| ec2.describe_network_interfaces(),
            network_interfaces,
            |one| one.network_interface_id
        ),
        ask!(
            aws,
            region,
            "ec2:DescribeVolumes",
            aws_sdk_ec2,
            |ec2: aws_sdk_ec2::Client| ec2.describe_volumes(),
            volumes,
            |one| one.volume_id
        ),
        ask!(
            aws,
            region,
            "ec2:DescribeSnapshots",
            aws_sdk_ec2,
            |ec2: aws_sdk_ec2::Client| ec2.describe_snapshots().owner_ids("self"),
            snapshots,
            |one| one.snapshot_id
        ),
        ask!(
            aws,
            region,
            "rds:DescribeDBClusters",
            aws_sdk_rds,
            |rds: aws_sdk_rds::Client| rds.describe_db_clusters(),
            db_clusters,
            |one| one.db_cluster_identifier
        ),
        ask!(
            aws,
            region,
            "rds:DescribeDBInstances",
            aws_sdk_rds,
            |rds: aws_sdk_rds::Client| rds.describe_db_instances(),
            db_instances,
            |one| one.db_instance_identifier
        ),
        ask!(
            aws,
            region,
            "rds:DescribeDBClusterSnapshots",
            aws_sdk_rds,
            |rds: aws_sdk_rds::Client| rds.describe_db_cluster_snapshots(),
            db_cluster_snapshots,
            |one| one.db_cluster_snapshot_identifier
        ),
        ask!(
            aws,
            region,
            "rds:DescribeDBSnapshots",
            aws_sdk_rds,
            |rds: aws_sdk_rds::Client| rds.describe_db_snapshots(),
            db_snapshots,
            |one| one.db_snapshot_identifier
        ),
        ask!(
            aws,
            region,
            "dynamodb:ListTables",
            aws_sdk_dynamodb,
            |dynamodb: aws_sdk_dynamodb::Client| dynamodb.list_tables(),
            table_names,
            Some
        ),
        ask!(
            aws,
            region,
            "es:ListDomainNames",
            aws_sdk_opensearch,
            |opensearch: aws_sdk_opensearch::Client| opensearch.list_domain_names(),
            domain_names,
            |one| one.domain_name
        ),
    );
    live.read("network_interfaces", interfaces, |spec, found| spec.network_interfaces = found);
    live.read("volumes", volumes, |spec, found| spec.volumes = found);
    live.read("snapshots", snapshots, |spec, found| spec.snapshots = found);
    live.read("db_clusters", clusters, |spec, found| spec.db_clusters = found);
    live.read("db_instances", instances, |spec, found| spec.db_instances = found);
    live.read("db_cluster_snapshots", of_clusters, |spec, found| {
        spec.db_cluster_snapshots = found;
    });
    live.read("db_snapshots", of_instances, |spec, found| spec.db_snapshots = found);
    live.read("tables", tables, |spec, found| spec.tables = found);
    live.read("domains", domains, |spec, found| spec.domains = found);
    live
}
