//! FERPA-NET-01: the internet has no route to stores and tasks.

use std::collections::BTreeSet;

use account::{NetworkInterface, UsedBy};
use compute::Service;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::{RecordPlaces, Routes, judge_stores, subnets_of_service};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-01",
    title: "Stores and tasks are out of the internet's reach",
    statement: "Databases, caches, file systems and tasks sit in subnets without a route to an internet gateway.",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.5"],
    why: "Where no route leads, one wrong security-group rule or public address exposes nothing.",
    reads: &[
        &[
            "rds.instance.cluster",
            "efs.mount_target.file_system_id",
            "ec2.network_interface.vpc_id",
            "ec2.network_interface.subnet_id",
            "ec2.network_interface.used_by",
            "ec2.route_table.routes",
        ],
        RecordPlaces::READS,
        Routes::READS,
    ],
    remedy: Remedy {
        stack: "`deploy`: stores lie in `network.data_cidrs`, tasks in `network.private_cidrs`, and neither has a route to the internet gateway",
        api: "ec2:DeleteRoute for the route to the internet gateway, or ec2:ReplaceRouteTableAssociation with a table that has none",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let places = RecordPlaces::of(facts);
    let mut judgements = judge_stores(facts, |subnets| verdict(facts, subnets));
    judgements.extend(facts.each::<Service>(|one| {
        let subnets = subnets_of_service(one)?;
        if subnets.is_empty() {
            // They use the network of machines that are not told from others.
            return Err(Unread {
                what: format!("the subnets of tasks of {}", one.live().id),
                error: None,
            });
        }
        verdict(facts, &subnets)
    }));
    // Whatever else holds records or runs tasks shows only by its interfaces.
    judgements.extend(facts.each_where::<NetworkInterface>(
        |one| {
            let used_by = one.spec.used_by;
            (used_by.is_store() || used_by == UsedBy::Ecs)
                && !places.has_subnet(&one.spec.subnet_id)
        },
        |one| verdict(facts, &[one.read(&["subnet_id"])?.subnet_id.clone()].into()),
    ));
    judgements
}

fn verdict(facts: &Facts<'_>, subnets: &BTreeSet<String>) -> Result<Verdict, Unread> {
    let routes = Routes::of(facts);
    let mut unread = subnets.is_empty().then(|| Unread { what: "its subnets".into(), error: None });
    let mut ways: Vec<String> = Vec::new();
    for subnet in subnets {
        match routes.from_the_internet(facts, subnet) {
            Ok(Some(way)) => ways.push(format!("{subnet} routes {way}")),
            Ok(None) => {}
            Err(why) => unread = Some(why),
        }
    }
    if let Some(unread) = unread.filter(|_| ways.is_empty()) {
        return Err(unread);
    }
    let verdict = Verdict::of(
        ways.is_empty(),
        "none of its subnets has a route to an internet gateway",
        format!("the internet has a route to it: {}", ways.join("; ")),
    );
    Ok(verdict.with("ec2:DescribeRouteTables", "Routes", ways))
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{database, interface, route, subnets, table, tables};
    use crate::testing::{denied, judged, only};

    fn places() -> aws_smithy_mocks::Rule {
        subnets(&[("subnet-a", "us-east-1a"), ("subnet-b", "us-east-1b")])
    }

    #[tokio::test]
    async fn a_route_to_the_internet_fails_in_the_own_table_and_in_the_main_one() {
        let inside = table("rtb-1", false, &["subnet-a"], &[route("0.0.0.0/0", "nat-1")]);
        let outside = table("rtb-2", true, &[], &[route("::/0", "igw-1")]);
        let mut rules = database();
        rules.extend([places(), tables(vec![inside, outside])]);
        let found = judged(&CONTROL, &rules).await;
        let reached = "the internet has a route to it: subnet-b routes ::/0 to igw-1";
        assert_eq!(only(&found), (Status::Fail, reached));
    }

    #[tokio::test]
    async fn nat_and_an_egress_only_gateway_let_nobody_in() {
        let ways = [route("0.0.0.0/0", "nat-1"), route("::/0", "eigw-1")];
        let mut rules = database();
        rules.extend([places(), tables(vec![table("rtb-1", true, &[], &ways)])]);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn a_store_that_shows_only_by_its_interface_is_judged_too() {
        let rules = [
            places(),
            tables(vec![table("rtb-1", true, &[], &[route("0.0.0.0/0", "igw-1")])]),
            interface(|it| it.requester_managed(true).description("RedshiftNetworkInterface")),
        ];
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn routes_that_cannot_be_listed_are_unknown() {
        let mut rules = database();
        rules.push(places());
        rules.push(denied!(aws_sdk_ec2, describe_route_tables, DescribeRouteTablesError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
