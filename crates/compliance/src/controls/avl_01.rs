//! FERPA-AVL-01: a network outlives a zone.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Live, Status};
use network::{NatGateway, RouteTarget, Subnet, Vpc};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::{Routes, Tier};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-01",
    title: "Networks span two zones",
    statement: "The subnets of each tier of a VPC span two availability zones, and those that go out by NAT do so in their own zone.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10"],
    why: "Parents and students have a right to see records within 45 days, whichever data centre fails.",
    reads: &[
        &[
            "ec2.vpc",
            "ec2.subnet.availability_zone",
            "ec2.route_table.routes",
            "ec2.nat_gateway.subnet_id",
            "ec2.nat_gateway.regional",
            "ec2.nat_gateway.status",
        ],
        Routes::READS,
    ],
    remedy: Remedy {
        stack: "`network.availability_zones` of two or more, then `deploy`",
        api: "ec2:CreateSubnet and ec2:CreateNatGateway in another zone, and ec2:ReplaceRoute in the tables of its subnets",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let subnets = facts.all::<Subnet>();
    let mut by_vpc: BTreeMap<&str, Vec<&Live<Subnet>>> = BTreeMap::new();
    for subnet in subnets.iter().flat_map(|all| all.iter()) {
        by_vpc.entry(subnet.spec.vpc_id.as_str()).or_default().push(subnet);
    }
    facts.each_where::<Vpc>(
        |vpc| subnets.is_err() || by_vpc.contains_key(vpc.id.as_str()),
        |vpc| {
            subnets.as_ref().map_err(Clone::clone)?;
            let here = by_vpc.get(vpc.live().id.as_str());
            verdict(facts, here.map_or(&[], Vec::as_slice))
        },
    )
}

fn verdict(facts: &Facts<'_>, subnets: &[&Live<Subnet>]) -> Result<Verdict, Unread> {
    let routes = Routes::of(facts);
    let mut zones: BTreeMap<Tier, BTreeSet<&str>> = BTreeMap::new();
    let mut faults: Vec<String> = Vec::new();
    for subnet in subnets {
        let zone = Seen::of(subnet).read(&["availability_zone"])?.availability_zone.as_str();
        if zone.is_empty() {
            let what = format!("the availability zone of {}", subnet.id);
            return Err(Unread { what, error: None });
        }
        zones.entry(routes.tier(facts, subnet)?).or_default().insert(zone);
        let Some(table) = routes.table(subnet)? else { continue };
        for target in Seen::of(table).read(&["routes"])?.routes.values() {
            let RouteTarget::NatGateway(nat) = target else { continue };
            let flaw = nat_flaw(facts, nat.as_str(), zone)?;
            faults.extend(flaw.map(|flaw| format!("{} goes out by {nat}, {flaw}", subnet.id)));
        }
    }
    for (tier, zones) in zones.iter().filter(|(_, zones)| zones.len() < 2) {
        let only = zones.first().copied().unwrap_or_default();
        faults.push(format!("all {} subnets are in {only}", tier.name()));
    }
    let shown: Vec<String> = zones
        .iter()
        .map(|(tier, zones)| format!("{}: {}", tier.name(), Vec::from_iter(zones.iter().copied()).join(", ")))
        .collect();
    let verdict = Verdict::of(
        faults.is_empty(),
        format!("its subnets span zones ({}), and each goes out by NAT in its own, if at all", shown.join("; ")),
        faults.join("; "),
    );
    Ok(verdict.with("ec2:DescribeSubnets", "AvailabilityZone", shown))
}

/// What is wrong with a NAT gateway for a subnet in this zone.
fn nat_flaw(facts: &Facts<'_>, nat: &str, zone: &str) -> Result<Option<String>, Unread> {
    let Some(gateway) = facts.find::<NatGateway>(nat)? else {
        return Ok(Some("which is not there".into()));
    };
    let spec = Seen::of(&gateway).read(&["subnet_id", "regional"])?;
    if gateway.status != Status::Ready {
        return Ok(Some("which does not work".into()));
    }
    if spec.regional {
        return Ok(None);
    }
    let subnet = spec.subnet_id.as_str();
    let place = facts.find::<Subnet>(subnet)?;
    let place =
        place.ok_or_else(|| Unread { what: format!("the subnet {subnet:?} of {nat}"), error: None })?;
    let other = Seen::of(&place).read(&["availability_zone"])?.availability_zone.as_str();
    Ok((other != zone).then(|| format!("which is in {other}, not in {zone}")))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_nat_gateways::DescribeNatGatewaysOutput;
    use aws_sdk_ec2::types::NatGateway;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{route, subnets, table, tables, vpc};
    use crate::testing::{denied, judged, only};

    const PRIVATE: [(&str, &str); 2] = [("subnet-a", "us-east-1a"), ("subnet-b", "us-east-1b")];

    fn nats(places: &'static [(&str, &str)]) -> Rule {
        mock!(aws_sdk_ec2::Client::describe_nat_gateways).then_output(move || {
            let shown = places.iter().map(|(id, subnet)| {
                let shown = NatGateway::builder().nat_gateway_id(*id).subnet_id(*subnet);
                shown.state("available".into()).build()
            });
            DescribeNatGatewaysOutput::builder().set_nat_gateways(Some(shown.collect())).build()
        })
    }

    fn out_by(first: &str, second: &str) -> Rule {
        tables(vec![
            table("rtb-1", false, &["subnet-a"], &[route("0.0.0.0/0", first)]),
            table("rtb-2", false, &["subnet-b"], &[route("0.0.0.0/0", second)]),
        ])
    }

    #[tokio::test]
    async fn each_zone_goes_out_by_itself() {
        let nats = || nats(&[("nat-1", "subnet-a"), ("nat-2", "subnet-b")]);
        let good = [vpc(), subnets(&PRIVATE), out_by("nat-1", "nat-2"), nats()];
        assert_eq!(only(&judged(&CONTROL, &good).await).0, Status::Pass);
        let shared = [vpc(), subnets(&PRIVATE), out_by("nat-1", "nat-1"), nats()];
        let found = judged(&CONTROL, &shared).await;
        let expected = "subnet-b goes out by nat-1, which is in us-east-1a, not in us-east-1b";
        assert_eq!(only(&found), (Status::Fail, expected));
        let gone = [vpc(), subnets(&PRIVATE), out_by("nat-1", "nat-9"), nats()];
        assert_eq!(only(&judged(&CONTROL, &gone).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn each_tier_spans_two_zones() {
        let open = table("rtb-1", false, &["subnet-a"], &[route("0.0.0.0/0", "igw-1")]);
        let tables = tables(vec![open, table("rtb-2", true, &[], &[])]);
        let found = judged(&CONTROL, &[vpc(), subnets(&PRIVATE), tables]).await;
        let expected = "all public subnets are in us-east-1a; all isolated subnets are in us-east-1b";
        assert_eq!(only(&found), (Status::Fail, expected));
    }

    #[tokio::test]
    async fn subnets_and_tables_that_cannot_be_listed_are_unknown() {
        let tables = denied!(aws_sdk_ec2, describe_route_tables, DescribeRouteTablesError);
        let found = judged(&CONTROL, &[vpc(), subnets(&PRIVATE), tables]).await;
        assert_eq!(only(&found).0, Status::Unknown);
        let subnets = denied!(aws_sdk_ec2, describe_subnets, DescribeSubnetsError);
        assert_eq!(only(&judged(&CONTROL, &[vpc(), subnets]).await).0, Status::Unknown);
    }
}
