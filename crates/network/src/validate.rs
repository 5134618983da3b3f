//! What is wrong with a specification, all of it at once, before anything is asked of AWS.

use std::collections::{BTreeMap, BTreeSet};

use engine::Mistake;
use ipnet::Ipv4Net;

use crate::spec::{Admits, HttpsEgress, NetworkSpec};

/// Everything that is wrong with a specification.
pub fn validate(spec: &NetworkSpec) -> Vec<Mistake> {
    let mut problems = Vec::new();
    let mut report = |field: &str, message: String| {
        problems.push(Mistake::new(field, message));
    };
    size(spec.cidr, "cidr", &mut report);
    if !(2..=4).contains(&spec.zones.len()) {
        let message = format!("{} availability zones; two to four are needed", spec.zones.len());
        report("zones", message);
    }
    let mut names = BTreeSet::new();
    for (at, zone) in spec.zones.iter().enumerate() {
        let field = format!("zones[{at}].name");
        if zone.name.is_empty() {
            report(&field, "a zone's name is missing".into());
        } else if !names.insert(&zone.name) {
            report(&field, format!("{} is there twice", zone.name));
        }
    }
    subnets(spec, &mut report);
    for (at, admission) in spec.admit.iter().enumerate() {
        let (field, range) = (format!("admit[{at}].cidr"), admission.cidr);
        whole(range, &field, &mut report);
        let holds_records =
            matches!(admission.group, Admits::Database | Admits::Cache | Admits::FileSystem);
        if holds_records && range.prefix_len() == 0 {
            report(&field, "a store of records is never open to every address".into());
        }
    }
    if ![60, 600].contains(&spec.flow_log_interval) {
        let message = format!("{} seconds; AWS takes 60 or 600", spec.flow_log_interval);
        report("flow_log_interval", message);
    }
    let ports = &spec.ports;
    let mut listening: BTreeMap<u16, &str> = BTreeMap::new();
    for (name, port) in [
        ("container", ports.container),
        ("postgres", ports.postgres),
        ("redis", ports.redis),
        ("nfs", ports.nfs),
        ("https", ports.https),
    ] {
        let field = format!("ports.{name}");
        if port == 0 {
            report(&field, "0 is no port".into());
        } else if let Some(other) = listening.insert(port, name).filter(|_| name != "https") {
            report(&field, format!("{port} is the port of {other} already"));
        }
    }
    if ports.nfs != 2049 {
        report("ports.nfs", format!("{}; EFS listens on 2049 only", ports.nfs));
    }
    if ports.https == 80 {
        report("ports.https", "80 is for plain HTTP and stays closed".into());
    }
    let internet = spec.service_https_egress == HttpsEgress::Internet;
    if internet && !spec.nat_gateways {
        let message = "HTTPS to the internet needs NAT gateways";
        report("service_https_egress", message.into());
    }
    if !internet {
        let endpoints = &spec.endpoints;
        let needed = [
            ("s3", endpoints.s3, "s3"),
            ("ecr_api", endpoints.ecr_api, "ecr.api"),
            ("ecr_dkr", endpoints.ecr_dkr, "ecr.dkr"),
            ("logs", endpoints.logs, "logs"),
            ("secretsmanager", endpoints.secretsmanager, "secretsmanager"),
        ];
        for (field, on, service) in needed {
            if !on {
                let message = format!(
                    "no task could start: without an endpoint, {service} is reached through the internet only, and service_https_egress does not allow that"
                );
                report(&format!("endpoints.{field}"), message);
            }
        }
    }
    problems
}

/// The subnets' ranges. What is wrong is said once, of the range that it is wrong with.
fn subnets(spec: &NetworkSpec, report: &mut impl FnMut(&str, String)) {
    let ranges: Vec<(String, Ipv4Net)> = spec
        .zones
        .iter()
        .enumerate()
        .flat_map(|(at, zone)| {
            [("public", zone.public), ("private", zone.private), ("isolated", zone.isolated)]
                .map(|(tier, range)| (format!("zones[{at}].{tier}"), range))
        })
        .collect();
    let is_inside = |range: &Ipv4Net| spec.cidr.contains(range);
    let none_inside = !ranges.iter().any(|(_, range)| is_inside(range));
    if none_inside && !ranges.is_empty() {
        report("cidr", format!("no subnet lies within {}", spec.cidr));
    }
    for (at, (field, range)) in ranges.iter().enumerate() {
        size(*range, field, report);
        if !is_inside(range) {
            if !none_inside {
                report(field, format!("{range} is not within the network's {}", spec.cidr));
            }
            continue;
        }
        // Of two that overlap, the larger is in the way of the other; of two alike, the later.
        let in_the_way_of: Vec<String> = ranges
            .iter()
            .enumerate()
            .filter(|(_, (_, other))| is_inside(other))
            .filter(|(_, (_, other))| range.contains(other))
            .filter(|(place, (_, other))| range != other || *place < at)
            .map(|(_, (_, other))| other.to_string())
            .collect();
        if !in_the_way_of.is_empty() {
            report(field, format!("{range} overlaps {}", in_the_way_of.join(", ")));
        }
    }
}

fn size(range: Ipv4Net, field: &str, report: &mut impl FnMut(&str, String)) {
    if !(16..=28).contains(&range.prefix_len()) {
        report(field, format!("{range} is a /{}; AWS takes /16 to /28", range.prefix_len()));
    }
    whole(range, field, report);
}

/// AWS would keep another range than the one that is written.
fn whole(range: Ipv4Net, field: &str, report: &mut impl FnMut(&str, String)) {
    if range.trunc() != range {
        report(field, format!("{range} begins in the middle; {} is meant", range.trunc()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Endpoints;

    fn fields(spec: &NetworkSpec) -> Vec<String> {
        validate(spec).into_iter().map(|mistake| mistake.field).collect()
    }

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn the_usual_network_is_fine_in_two_three_and_four_zones() {
        for zones in [&["a", "b"][..], &["a", "b", "c"], &["a", "b", "c", "d"]] {
            assert_eq!(validate(&NetworkSpec::in_zones(zones.iter().copied())), []);
        }
        assert_eq!(validate(&NetworkSpec::within(net("172.20.16.0/20"), ["a", "b"])), []);
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let mut spec = NetworkSpec::in_zones(["a", "a"]);
        spec.zones[0].public = net("192.168.0.0/24");
        spec.zones[1].private = spec.zones[0].private;
        spec.zones[1].isolated = net("10.0.22.0/30");
        spec.flow_log_interval = 90;
        let expected = [
            "zones[1].name",
            "zones[0].public",
            "zones[1].private",
            "zones[1].isolated",
            "flow_log_interval",
        ];
        assert_eq!(fields(&spec), expected);
    }

    #[test]
    fn a_subnet_over_others_is_one_fault_that_names_them() {
        let mut spec = NetworkSpec::in_zones(["a", "b"]);
        spec.zones[1].private = net("10.0.16.0/20");
        let said: Vec<String> = validate(&spec).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["zones[1].private: 10.0.16.0/20 overlaps 10.0.21.0/24, 10.0.22.0/24"]);
    }

    #[test]
    fn another_network_under_the_same_subnets_is_one_fault() {
        let mut spec = NetworkSpec::in_zones(["a", "b"]);
        spec.cidr = net("10.40.0.0/16");
        assert_eq!(fields(&spec), ["cidr"]);
    }

    #[test]
    fn one_zone_is_none() {
        assert_eq!(fields(&NetworkSpec::in_zones(["a"])), ["zones"]);
    }

    #[test]
    fn tasks_need_a_way_to_what_they_start_from() {
        let mut spec = NetworkSpec::in_zones(["a", "b"]);
        spec.endpoints = Endpoints { ecr_dkr: false, ..Endpoints::default() };
        assert_eq!(fields(&spec), ["endpoints.ecr_dkr"]);
        spec.service_https_egress = HttpsEgress::Internet;
        assert!(fields(&spec).is_empty());
        spec.nat_gateways = false;
        assert_eq!(fields(&spec), ["service_https_egress"]);
    }

    #[test]
    fn too_small_a_range_says_so() {
        let problems = validate(&NetworkSpec::within(net("10.0.0.0/24"), ["a", "b"]));
        assert!(
            problems
                .iter()
                .any(|one| one.field == "zones[0].public" && one.message.contains("/29"))
        );
    }
}
