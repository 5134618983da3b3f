//! FERPA-NET-14: stores lie in subnets without a way to the internet.

use std::collections::BTreeSet;

use account::NetworkInterface;
use network::Subnet;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::{RecordPlaces, Routes, judge_stores};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-14",
    title: "Stores lie in isolated subnets",
    statement: "Databases, caches and file systems lie in subnets of their own without any route to the internet, a NAT gateway included.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.13.5", "NIST SP 800-171r2 3.13.6"],
    why: "A store only answers to what is in the VPC. Where no route leads out, a store that is taken over cannot send the records anywhere.",
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
        stack: "`deploy`: stores lie in `network.data_cidrs`, whose route table leads nowhere",
        api: "rds:ModifyDBSubnetGroup, elasticache:ModifyCacheSubnetGroup or elasticfilesystem:CreateMountTarget with subnets whose route table has no route for 0.0.0.0/0 and ::/0",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let places = RecordPlaces::of(facts);
    let mut judgements = judge_stores(facts, |subnets| verdict(facts, subnets));
    // Whatever else holds records shows only by its interfaces.
    judgements.extend(facts.each_where::<NetworkInterface>(
        |one| one.spec.used_by.is_store() && !places.has_subnet(&one.spec.subnet_id),
        |one| verdict(facts, &[one.read(&["subnet_id"])?.subnet_id.clone()].into()),
    ));
    judgements
}

fn verdict(facts: &Facts<'_>, subnets: &BTreeSet<String>) -> Result<Verdict, Unread> {
    let routes = Routes::of(facts);
    let mut unread = subnets.is_empty().then(|| Unread { what: "its subnets".into(), error: None });
    let mut ways: Vec<String> = Vec::new();
    for subnet in subnets {
        let way = facts.find::<Subnet>(subnet).and_then(|found| {
            let missing = || Unread { what: format!("the subnet {subnet}"), error: None };
            routes.to_the_internet(&*found.ok_or_else(missing)?)
        });
        match way {
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
        "none of its subnets has a route to the internet",
        format!("it has a way to the internet: {}", ways.join("; ")),
    );
    Ok(verdict.with("ec2:DescribeRouteTables", "Routes", ways))
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{database, interface, route, service, subnets, table, tables};
    use crate::testing::{denied, judged, only};

    fn places() -> aws_smithy_mocks::Rule {
        subnets(&[("subnet-a", "us-east-1a"), ("subnet-b", "us-east-1b")])
    }

    #[tokio::test]
    async fn a_way_out_by_nat_fails_and_ways_to_other_networks_do_not() {
        let isolated = [route("10.1.0.0/16", "pcx-1"), route("203.0.113.0/24", "vgw-1")];
        let mut rules = database();
        rules.extend([places(), tables(vec![table("rtb-1", true, &[], &isolated)])]);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);

        let inside = table("rtb-1", true, &[], &isolated);
        let outside = table("rtb-2", false, &["subnet-b"], &[route("0.0.0.0/0", "nat-1")]);
        let mut rules = database();
        rules.extend([places(), tables(vec![inside, outside])]);
        let found = judged(&CONTROL, &rules).await;
        let why = "it has a way to the internet: subnet-b routes 0.0.0.0/0 to nat-1";
        assert_eq!(only(&found), (Status::Fail, why));
    }

    #[tokio::test]
    async fn tasks_may_have_one_and_a_store_that_shows_only_by_its_interface_may_not() {
        let out = || tables(vec![table("rtb-1", true, &[], &[route("::/0", "eigw-1")])]);
        let mut rules = service(false);
        rules.extend([places(), out()]);
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::NotApplicable);
        let store =
            interface(|it| it.requester_managed(true).description("RedshiftNetworkInterface"));
        let found = judged(&CONTROL, &[places(), out(), store]).await;
        assert_eq!(only(&found).0, Status::Fail);
    }

    #[tokio::test]
    async fn routes_that_cannot_be_listed_are_unknown() {
        let mut rules = database();
        rules.push(places());
        rules.push(denied!(aws_sdk_ec2, describe_route_tables, DescribeRouteTablesError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
