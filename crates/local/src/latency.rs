//! How long AWS takes: until a resource of a kind works, until a change is done, until it is gone.
//!
//! AWS documents few of these times. The others come from what its users report: acceptance tests of the Terraform
//! provider, issues, and the logs of `terraform apply` in public repositories ("logs" below; they say, for example,
//! `aws_nat_gateway.main: Creation complete after 1m36s`). Where nothing was found the figure is an estimate and says
//! so. They are what to expect on a usual day, not limits: nothing in this project gives up because of them.

use std::time::Duration;

/// How long a kind of resource takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The kind: `ec2.nat_gateway`.
    pub kind: &'static str,
    /// From the answer of the create call until it works.
    pub ready: Duration,
    /// How long a change keeps it from taking another one.
    pub change: Duration,
    /// From the answer of the delete call until it is gone, and with it what it holds of others.
    pub gone: Duration,
}

/// How long a call takes until its answer is there. An estimate: a create or describe call of the services of the
/// stack takes 0.1 to 0.5 s.
pub const CALL: Duration = Duration::from_millis(200);

/// A kind with the seconds until it works, until a change is done, until it is gone.
const fn seconds(kind: &'static str, ready: u64, change: u64, gone: u64) -> Latency {
    Latency {
        kind,
        ready: Duration::from_secs(ready),
        change: Duration::from_secs(change),
        gone: Duration::from_secs(gone),
    }
}

/// The kinds that take time. What is not listed is ready, and gone, with the answer of its call: keys, secrets, roles,
/// log groups, buckets, subnets, tables, groups of all sorts, APIs and their stages, and imported certificates (an issued
/// one waits for its validation, but no stack here asks for one).
pub const ALL: &[Latency] = &[
    // Nine logs: 1m24s to 2m01s until available, 42s to 1m01s until deleted.
    seconds("ec2.nat_gateway", 120, 0, 60),
    // Interface endpoints; gateway endpoints are there at once. Deletion: estimated as creation, which it undoes.
    seconds("ec2.vpc_endpoint", 60, 0, 60),
    // Eight logs: 2m15s to 3m07s until active. It is not found any more as soon as the delete call has returned, but its
    // network interfaces stay for a while and hold on to subnets and groups (hashicorp/terraform#3758: "some
    // minutes"; logs, which wait for them: 15s, 30s, 2m33s).
    seconds("elbv2.load_balancer", 180, 0, 30),
    // Users of links see "a few minutes"; the deletion of a link of REST APIs took a minute
    // (hashicorp/terraform-provider-aws#2512). The acceptance tests, which make and delete a load balancer as well,
    // take 704 and 750 s (#10407, #18382).
    seconds("apigatewayv2.vpc_link", 180, 0, 60),
    // turbot/steampipe-plugin-aws#426: 12s; the acceptance test of a file system with its deletion, 18s
    // (hashicorp/terraform#2196). A change of throughput and the deletion are estimated.
    seconds("efs.file_system", 10, 5, 5),
    // EFS User Guide, "Mounting with DNS names": wait 90 seconds after creating a mount target before mounting.
    // Deletion: an estimate.
    seconds("efs.mount_target", 90, 0, 30),
    // An estimate: the states are there (creating, deleting), logs show a few seconds.
    seconds("efs.access_point", 5, 0, 5),
    // The storage of a cluster, without instances: an estimate, as is its deletion with a final snapshot of next to
    // nothing. Real data takes as long as its snapshot.
    seconds("rds.cluster", 60, 0, 120),
    // Logs: 6m21s. Users report up to twenty minutes (aws/aws-sdk#826). Deletion: an estimate.
    seconds("rds.instance", 480, 0, 300),
    // Logs: 5m37s to 9m15s, most of them for two nodes; the more nodes, the longer
    // (hashicorp/terraform-provider-aws#2048, #4093: 40 and 50 minutes were not enough on bad days). Deletion of a
    // single node takes more than 3m20s (turbot/steampipe-plugin-aws#2224); a change is estimated as the deletion.
    seconds("elasticache.replication_group", 600, 300, 300),
    // Logs: 31s and 38s. "Updating or applying encryption normally takes a few seconds to complete" (Kinesis API
    // reference, StartStreamEncryption). Deletion: estimated as creation.
    seconds("kinesis.stream", 30, 5, 30),
    // A log: 9s without a key of the customer's. With one, and for its deletion: an estimate.
    seconds("firehose.delivery_stream", 30, 15, 30),
    // An estimate for functions outside of VPCs. Lambda Developer Guide, "Lambda function states": pending while
    // its resources are made; inside of a VPC that takes minutes (a log: 3m52s).
    seconds("lambda.function", 5, 0, 0),
    // A log: 1m15s until the tasks of a service are steady. Two minutes with checks of health by a load balancer, and
    // one for draining it: estimates.
    seconds("ecs.service", 120, 120, 60),
];

/// How long resources of a kind take.
pub fn of(kind: &str) -> Latency {
    let none = seconds("", 0, 0, 0);
    ALL.iter().find(|latency| latency.kind == kind).copied().unwrap_or(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_listed_once() {
        let mut kinds: Vec<&str> = ALL.iter().map(|latency| latency.kind).collect();
        kinds.sort_unstable();
        let all = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), all);
    }

    #[test]
    fn what_is_not_listed_takes_no_time() {
        assert_eq!(of("ec2.subnet").ready, Duration::ZERO);
        assert_eq!(of("ec2.nat_gateway").ready, Duration::from_secs(120));
    }
}
