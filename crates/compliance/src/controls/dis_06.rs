//! FERPA-DIS-06: everything is in the declared regions.

use std::collections::BTreeSet;

use account::RegionUse;
use security::BucketLocation;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-DIS-06",
    title: "Everything is in the declared regions",
    statement: "Every bucket is in a declared region, and no other region shows a sign of life: a network interface, a volume, a database, a table, a search domain, or a snapshot of one. What shows by none of these, such as a stream, a secret or a log group, is not looked for.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(i)(B)", "NIST SP 800-171r2 3.1.3"],
    why: "The school has direct control of records only where it knows that they are; a region that nobody watches is where a copy goes unseen.",
    reads: &[&[
        "ec2.region_use.network_interfaces",
        "ec2.region_use.volumes",
        "ec2.region_use.snapshots",
        "ec2.region_use.db_clusters",
        "ec2.region_use.db_instances",
        "ec2.region_use.db_cluster_snapshots",
        "ec2.region_use.db_snapshots",
        "ec2.region_use.tables",
        "ec2.region_use.domains",
        "s3.bucket_location.region",
    ]],
    remedy: Remedy {
        stack: "`audit.declared_regions`, for a region in which resources may be",
        api: "delete what is there, or disable the region with account:DisableRegion; a service control policy with aws:RequestedRegion keeps it empty",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let buckets = facts.each::<BucketLocation>(|bucket| {
        let region = bucket.read(&["region"])?.region.as_str();
        let verdict = Verdict::of(
            facts.is_declared_region(region),
            format!("the bucket is in {region}"),
            format!("the bucket is in {region}, which is not declared"),
        );
        Ok(verdict.with("s3:ListAllMyBuckets", "BucketRegion", region))
    });
    let regions = facts.each::<RegionUse>(|region| {
        if facts.is_declared_region(&region.live().id) {
            return Ok(Verdict::pass("the region is declared"));
        }
        signs_of_life(region)
    });
    buckets.into_iter().chain(regions).collect()
}

/// A sort of thing that a region may show.
struct Sign {
    field: &'static str,
    call: &'static str,
    /// In AWS's spelling.
    named: &'static str,
    what: &'static str,
    found: fn(&RegionUse) -> &BTreeSet<String>,
}

const SIGNS: &[Sign] = &[
    Sign {
        field: "network_interfaces",
        call: "ec2:DescribeNetworkInterfaces",
        named: "NetworkInterfaceId",
        what: "network interfaces",
        found: |region| &region.network_interfaces,
    },
    Sign {
        field: "volumes",
        call: "ec2:DescribeVolumes",
        named: "VolumeId",
        what: "volumes",
        found: |region| &region.volumes,
    },
    Sign {
        field: "snapshots",
        call: "ec2:DescribeSnapshots",
        named: "SnapshotId",
        what: "snapshots",
        found: |region| &region.snapshots,
    },
    Sign {
        field: "db_clusters",
        call: "rds:DescribeDBClusters",
        named: "DBClusterIdentifier",
        what: "database clusters",
        found: |region| &region.db_clusters,
    },
    Sign {
        field: "db_instances",
        call: "rds:DescribeDBInstances",
        named: "DBInstanceIdentifier",
        what: "database instances",
        found: |region| &region.db_instances,
    },
    Sign {
        field: "db_cluster_snapshots",
        call: "rds:DescribeDBClusterSnapshots",
        named: "DBClusterSnapshotIdentifier",
        what: "snapshots of database clusters",
        found: |region| &region.db_cluster_snapshots,
    },
    Sign {
        field: "db_snapshots",
        call: "rds:DescribeDBSnapshots",
        named: "DBSnapshotIdentifier",
        what: "snapshots of databases",
        found: |region| &region.db_snapshots,
    },
    Sign {
        field: "tables",
        call: "dynamodb:ListTables",
        named: "TableNames",
        what: "DynamoDB tables",
        found: |region| &region.tables,
    },
    Sign {
        field: "domains",
        call: "es:ListDomainNames",
        named: "DomainName",
        what: "OpenSearch domains",
        found: |region| &region.domains,
    },
];

/// What may be in a region and shows by no sign.
const UNSEEN: &str = "streams, queues, secrets, log groups, functions without a VPC and recovery points of AWS Backup";

/// What is in a region where nothing should be. One thing is enough, even where another could not be read.
fn signs_of_life(region: &Seen<'_, RegionUse>) -> Result<Verdict, Unread> {
    let mut found: Vec<(&Sign, Vec<String>)> = Vec::new();
    let mut unread = None;
    for sign in SIGNS {
        match region.read(&[sign.field]) {
            Ok(spec) => {
                let ids: Vec<String> = (sign.found)(spec).iter().cloned().collect();
                found.extend((!ids.is_empty()).then_some((sign, ids)));
            }
            Err(error) => unread = unread.or(Some(error)),
        }
    }
    if found.is_empty() {
        return match unread {
            Some(unread) => Err(unread),
            None => {
                let looked_for: Vec<&str> = SIGNS.iter().map(|sign| sign.what).collect();
                Ok(Verdict::pass(format!(
                    "the region has no {}; {UNSEEN} are not looked for",
                    looked_for.join(", ")
                )))
            }
        };
    }
    let whats: Vec<&str> = found.iter().map(|(sign, _)| sign.what).collect();
    let bad = format!("the region is not declared, and has {}", whats.join(", "));
    let add = |verdict: Verdict, (sign, ids): (&Sign, Vec<String>)| {
        verdict.with(sign.call, sign.named, ids)
    };
    Ok(found.into_iter().fold(Verdict::fail(bad), add))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::list_tables::ListTablesOutput;
    use aws_sdk_ec2::operation::describe_network_interfaces::DescribeNetworkInterfacesOutput;
    use aws_sdk_ec2::operation::describe_regions::DescribeRegionsOutput;
    use aws_sdk_ec2::operation::describe_snapshots::DescribeSnapshotsOutput;
    use aws_sdk_ec2::operation::describe_volumes::DescribeVolumesOutput;
    use aws_sdk_ec2::types::Region;
    use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
    use aws_sdk_s3::types::Bucket;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::{denied, judged, judged_with, only};

    /// The audited region and one more, where EC2 has nothing.
    fn regions() -> Vec<Rule> {
        let region = |name: &str| Region::builder().region_name(name).build();
        let regions = DescribeRegionsOutput::builder()
            .regions(region("us-east-1"))
            .regions(region("eu-west-1"))
            .build();
        vec![
            mock!(aws_sdk_ec2::Client::describe_regions).then_output(move || regions.clone()),
            mock!(aws_sdk_ec2::Client::describe_network_interfaces)
                .then_output(|| DescribeNetworkInterfacesOutput::builder().build()),
            mock!(aws_sdk_ec2::Client::describe_volumes)
                .then_output(|| DescribeVolumesOutput::builder().build()),
            mock!(aws_sdk_ec2::Client::describe_snapshots)
                .then_output(|| DescribeSnapshotsOutput::builder().build()),
        ]
    }

    fn table() -> Rule {
        mock!(aws_sdk_dynamodb::Client::list_tables)
            .then_output(|| ListTablesOutput::builder().table_names("grades").build())
    }

    fn in_ireland() -> Settings {
        Settings { declared_regions: ["eu-west-1".into()].into(), ..Settings::default() }
    }

    #[tokio::test]
    async fn a_region_that_is_not_declared_is_empty() {
        let found = judged(&CONTROL, &regions()).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Pass);
        assert!(message.starts_with("the region has no network interfaces, volumes,"), "{message}");
        assert!(message.contains("streams, queues, secrets, log groups"), "it says its limits: {message}");

        let mut rules = regions();
        rules.push(table());
        let found = judged(&CONTROL, &rules).await;
        let bad = "the region is not declared, and has DynamoDB tables";
        assert_eq!(only(&found), (Status::Fail, bad));
        let found = judged_with(&CONTROL, &rules, &in_ireland()).await;
        assert_eq!(only(&found), (Status::Pass, "the region is declared"));
    }

    #[tokio::test]
    async fn buckets_are_where_they_may_be() {
        let mut rules = regions();
        rules.push(mock!(aws_sdk_s3::Client::list_buckets).then_output(|| {
            let bucket = Bucket::builder().name("copies").bucket_region("eu-west-1").build();
            ListBucketsOutput::builder().buckets(bucket).build()
        }));
        let statuses = |found: Vec<crate::finding::Judgement>| {
            found.iter().map(|one| one.status).collect::<Vec<_>>()
        };
        let found = statuses(judged(&CONTROL, &rules).await);
        assert_eq!(found, [Status::Fail, Status::Pass]);
        let found = statuses(judged_with(&CONTROL, &rules, &in_ireland()).await);
        assert_eq!(found, [Status::Pass, Status::Pass]);
    }

    #[tokio::test]
    async fn a_region_that_cannot_be_seen_is_unknown_until_something_is_found() {
        let denied = || denied!(aws_sdk_ec2, describe_volumes, DescribeVolumesError);
        let mut rules = vec![denied()];
        rules.extend(regions());
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
        rules.push(table());
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);

        let denied = denied!(aws_sdk_ec2, describe_regions, DescribeRegionsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
