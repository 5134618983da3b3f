//! FERPA-NET-10: stores open no connections to the internet.

use network::SecurityGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::net::{Openings, Stores, rule_text};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-10",
    title: "Stores have no open egress",
    statement: "The security groups of stores let nothing out to the internet at large.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.13.6"],
    why: "A store only answers. One that may call anybody is the way by which records leave.",
    reads: &[
        &[
            "ec2.security_group.egress",
            "ec2.security_group.ingress",
        ],
        Stores::READS,
        Openings::READS,
    ],
    remedy: Remedy {
        stack: "`deploy`: the stores' groups have no egress",
        api: "ec2:RevokeSecurityGroupEgress",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let stores = Stores::of(facts);
    let mut judgements = facts.each_where::<SecurityGroup>(
        |group| !stores.with_group(&group.id).is_empty(),
        |group| {
            let openings = Openings::of(facts, &group.read(&["egress"])?.egress);
            let open: Vec<String> =
                openings.to_the_internet().iter().map(|rule| rule_text(rule, "to")).collect();
            if open.is_empty() {
                openings.all_read()?;
            }
            let verdict = Verdict::of(
                open.is_empty(),
                "the store's group lets nothing out to the internet",
                format!("the store's group lets out {}", open.join(", ")),
            );
            Ok(verdict.with("ec2:DescribeSecurityGroups", "IpPermissionsEgress", open))
        },
    );
    judgements.extend(stores.unread(facts));
    judgements
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::mock;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{all_from, database, from_group, group, groups, port_from};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_store_calls_nobody_on_the_internet() {
        for (egress, expected) in [
            (vec![], Status::Pass),
            (vec![from_group(443, "sg-endpoints"), port_from(53, "10.0.0.0/16")], Status::Pass),
            (vec![all_from("0.0.0.0/0")], Status::Fail),
            (vec![port_from(443, "::/0")], Status::Fail),
            (vec![port_from(443, "pl-unknown")], Status::Unknown),
        ] {
            let mut rules = database();
            rules.push(groups(vec![group("sg-db", vec![], egress.clone())]));
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, expected, "{egress:?}");
        }
    }

    #[tokio::test]
    async fn where_a_cache_does_not_show_its_groups_those_with_its_port_are_judged() {
        use aws_sdk_elasticache::operation::describe_replication_groups::DescribeReplicationGroupsOutput;
        use aws_sdk_elasticache::types::{Endpoint, NodeGroup, ReplicationGroup};
        let cache = mock!(aws_sdk_elasticache::Client::describe_replication_groups).then_output(|| {
            let endpoint = Endpoint::builder().address("cache").port(6379).build();
            let nodes = NodeGroup::builder().primary_endpoint(endpoint).build();
            let group = ReplicationGroup::builder().replication_group_id("cache").status("available");
            let group = group.node_groups(nodes).build();
            DescribeReplicationGroupsOutput::builder().replication_groups(group).build()
        });
        let open = group("sg-cache", vec![from_group(6379, "sg-tasks")], vec![all_from("::/0")]);
        let tasks = group("sg-tasks", vec![from_group(8080, "sg-lb")], vec![all_from("::/0")]);
        let found = judged(&CONTROL, &[cache, groups(vec![open, tasks])]).await;
        let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Status::Fail, Status::Unknown]);
    }

    #[tokio::test]
    async fn other_groups_may() {
        let other = groups(vec![group("sg-tasks", vec![], vec![all_from("0.0.0.0/0")])]);
        assert_eq!(only(&judged(&CONTROL, &[other]).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_ec2, describe_security_groups, DescribeSecurityGroupsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
