//! FERPA-AVL-09: load balancers reach the tasks that they send requests to.

use std::collections::BTreeSet;

use account::PrefixList;
use compute::listener::Action;
use compute::{Listener, LoadBalancer, Service, TargetGroup};
use ipnet::IpNet;
use network::{Peer, Rule, SecurityGroup, Subnet};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::is_port;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-09",
    title: "Load balancers reach their services",
    statement: "The security groups of every service admit its load balancer on the container's port, and the load balancer's let it out to them.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10", "NIST SP 800-171r2 3.13.6"],
    why: "A service that its load balancer cannot reach answers nobody who wants to see their records, and the hasty repair is a group that admits everybody.",
    reads: &[&[
        "ecs.service.load_balancers",
        "ecs.service.security_groups",
        "ecs.service.subnets",
        "elbv2.target_group.outputs",
        "elbv2.listener.default_action",
        "elbv2.listener.load_balancer",
        "elbv2.load_balancer.security_groups",
        "elbv2.load_balancer.subnets",
        "ec2.security_group.ingress",
        "ec2.security_group.egress",
        "ec2.subnet.cidr_block",
        "ec2.prefix_list.entries",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the tasks' group admits the load balancer's on `service.port`",
        api: "ec2:AuthorizeSecurityGroupIngress with UserIdGroupPairs: the load balancer's group, and the container's port",
    },
    reach: Reach::Stack,
    judge,
};

/// One end of a connection.
struct End {
    groups: BTreeSet<String>,
    /// The ranges of its subnets.
    ranges: Vec<IpNet>,
}

impl End {
    fn of<G: ToString, S: ToString>(
        facts: &Facts<'_>,
        groups: &BTreeSet<G>,
        subnets: &BTreeSet<S>,
    ) -> Result<Self, Unread> {
        let range = |subnet: &S| -> Result<IpNet, Unread> {
            let subnet = subnet.to_string();
            let missing = || Unread { what: format!("the subnet {subnet}"), error: None };
            let found = facts.find::<Subnet>(&subnet)?.ok_or_else(missing)?;
            Ok(IpNet::V4(Seen::of(&*found).read(&["cidr_block"])?.cidr_block))
        };
        Ok(Self {
            groups: groups.iter().map(ToString::to_string).collect(),
            ranges: subnets.iter().map(range).collect::<Result<_, _>>()?,
        })
    }
}

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each_where::<Service>(
        |service| !service.spec.load_balancers.is_empty(),
        |service| {
            let spec = service.read(&["load_balancers", "security_groups", "subnets"])?;
            if spec.subnets.is_empty() {
                let why = "its tasks have the network of machines, and no security groups";
                return Ok(Verdict::not_applicable(why));
            }
            if spec.security_groups.is_empty() {
                let what = format!("the security groups of {}", service.live().id);
                return Err(Unread { what, error: None });
            }
            let tasks = End::of(facts, &spec.security_groups, &spec.subnets)?;
            let (mut reached, mut faults, mut unread) = (Vec::new(), Vec::new(), None);
            for registration in &spec.load_balancers {
                let port = registration.container_port;
                for arn in balancers_of(facts, registration.target_group.as_str())? {
                    match blocked(facts, &arn, &tasks, port) {
                        Ok(None) => {}
                        Ok(Some(by)) if by.is_empty() => reached.push(format!("{arn} on {port}")),
                        Ok(Some(by)) => faults.extend(by),
                        Err(why) => unread = Some(why),
                    }
                }
            }
            if let Some(unread) = unread.filter(|_| faults.is_empty()) {
                return Err(unread);
            }
            if reached.is_empty() && faults.is_empty() {
                let why = "no load balancer with security groups sends it requests";
                return Ok(Verdict::not_applicable(why));
            }
            let good = format!("{} reaches its tasks", reached.join(" and "));
            let groups = Vec::from_iter(tasks.groups);
            Ok(Verdict::of(faults.is_empty(), good, faults.join("; "))
                .with("ecs:DescribeServices", "awsvpcConfiguration.securityGroups", groups)
                .with("ec2:DescribeSecurityGroups", "IpPermissions", faults))
        },
    )
}

/// The load balancers that send requests to a target group. AWS says it of one that exists; a plan knows it
/// from the listeners.
fn balancers_of(facts: &Facts<'_>, group: &str) -> Result<BTreeSet<String>, Unread> {
    let known = facts.find::<TargetGroup>(group)?;
    if let Some(arn) = known.as_ref().and_then(|group| group.output("load_balancer")) {
        return Ok([arn.to_owned()].into());
    }
    let mut found = BTreeSet::new();
    for listener in facts.all::<Listener>()?.iter() {
        let spec = Seen::of(listener).read(&["default_action", "load_balancer"])?;
        if let Action::Forward { target_group } = &spec.default_action
            && target_group.as_str() == group
        {
            found.insert(spec.load_balancer.to_string());
        }
    }
    Ok(found)
}

/// What keeps a load balancer from tasks; `None` for one without security groups, whose packets come with
/// the addresses of its clients.
fn blocked(
    facts: &Facts<'_>,
    arn: &str,
    tasks: &End,
    port: u16,
) -> Result<Option<Vec<String>>, Unread> {
    let missing = || Unread { what: format!("the load balancer {arn}"), error: None };
    let balancer = facts.find::<LoadBalancer>(arn)?.ok_or_else(missing)?;
    let spec = Seen::of(&*balancer).read(&["security_groups", "subnets"])?;
    if spec.security_groups.is_empty() {
        return Ok(None);
    }
    let balancer = End::of(facts, &spec.security_groups, &spec.subnets)?;
    let mut by = Vec::new();
    if !open(facts, &tasks.groups, "ingress", |group| &group.ingress, port, &balancer)? {
        by.push(format!("its security groups do not admit {arn} on {port}"));
    }
    if !open(facts, &balancer.groups, "egress", |group| &group.egress, port, tasks)? {
        by.push(format!("the security groups of {arn} do not let it out to the tasks on {port}"));
    }
    Ok(Some(by))
}

/// Whether the rules of some groups let a port through to, or from, the other end.
fn open(
    facts: &Facts<'_>,
    groups: &BTreeSet<String>,
    field: &str,
    rules: fn(&SecurityGroup) -> &BTreeSet<Rule>,
    port: u16,
    other: &End,
) -> Result<bool, Unread> {
    let mut unread = None;
    for id in groups {
        let missing = || Unread { what: format!("the security group {id}"), error: None };
        let group = facts.find::<SecurityGroup>(id)?.ok_or_else(missing)?;
        let spec = Seen::of(&*group).read(&[field])?;
        for rule in rules(spec).iter().filter(|rule| is_port(rule, "tcp", port.into())) {
            match is_all_of(facts, &rule.peer, other) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(why) => unread = Some(why),
            }
        }
    }
    unread.map_or(Ok(false), Err)
}

/// Whether a rule's peer takes in the other end as a whole.
fn is_all_of(facts: &Facts<'_>, peer: &Peer, other: &End) -> Result<bool, Unread> {
    let ranges = match peer {
        Peer::SecurityGroup(group) => return Ok(other.groups.contains(group.as_str())),
        Peer::Cidr(range) => vec![range.clone()],
        Peer::PrefixList(id) => {
            let missing = || Unread { what: format!("the prefix list {id}"), error: None };
            let list = facts.find::<PrefixList>(id.as_str())?.ok_or_else(missing)?;
            Vec::from_iter(Seen::of(&*list).read(&["entries"])?.entries.clone())
        }
    };
    let ranges: Vec<IpNet> = ranges.iter().filter_map(|range| range.parse().ok()).collect();
    let covered = |inner: &IpNet| ranges.iter().any(|outer| outer.contains(inner));
    Ok(!other.ranges.is_empty() && other.ranges.iter().all(covered))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::IpPermission;
    use aws_sdk_ecs::types::builders::ServiceBuilder;
    use aws_sdk_ecs::types::{AwsVpcConfiguration, LoadBalancer, NetworkConfiguration};
    use aws_sdk_elasticloadbalancingv2::types::AvailabilityZone;
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{from_group, group, groups, port_from, prefix_list};
    use crate::testing::elb::{GROUP, forward, listener, target_group};
    use crate::testing::{BALANCER, balancer, denied, ecs, judged, only, subnets};

    fn guarded(service: ServiceBuilder) -> ServiceBuilder {
        let network =
            AwsVpcConfiguration::builder().subnets("subnet-1").security_groups("sg-tasks");
        let network = network.build().unwrap();
        let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
        let registration = LoadBalancer::builder().target_group_arn(GROUP).container_name("api");
        let registration = registration.container_port(8080).build();
        service.network_configuration(network).load_balancers(registration)
    }

    /// A service behind a load balancer with the group `sg-lb`, in subnets of 10.0.0.0/24.
    fn behind(admits: IpPermission, lets_out: IpPermission) -> Vec<Rule> {
        let mut rules = vec![
            groups(vec![
                group("sg-tasks", vec![admits], vec![]),
                group("sg-lb", vec![], vec![lets_out]),
            ]),
            subnets(&[("subnet-1", "us-east-1a"), ("subnet-lb", "us-east-1a")]),
        ];
        rules.extend(ecs::service(guarded));
        rules.extend(balancer(|it| {
            let zone = AvailabilityZone::builder().subnet_id("subnet-lb").build();
            it.security_groups("sg-lb").availability_zones(zone)
        }));
        rules
    }

    async fn with(admits: IpPermission, lets_out: IpPermission) -> (Status, String) {
        let mut rules = behind(admits, lets_out);
        rules.extend(target_group(|it| it.load_balancer_arns(BALANCER)));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn either_side_names_the_other_or_its_addresses() {
        let out = || from_group(8080, "sg-tasks");
        let (status, message) = with(from_group(8080, "sg-lb"), out()).await;
        assert_eq!(status, Status::Pass, "{message}");
        assert_eq!(
            with(port_from(8080, "10.0.0.0/16"), port_from(8080, "0.0.0.0/0")).await.0,
            Status::Pass
        );
        let (status, message) = with(from_group(8080, "sg-tasks"), out()).await;
        let why = format!("its security groups do not admit {BALANCER} on 8080");
        assert_eq!((status, message), (Status::Fail, why));
        for other in [from_group(443, "sg-lb"), port_from(8080, "10.1.0.0/16")] {
            assert_eq!(with(other.clone(), out()).await.0, Status::Fail, "{other:?}");
        }
        let (status, message) = with(from_group(8080, "sg-lb"), from_group(443, "sg-tasks")).await;
        assert_eq!(status, Status::Fail);
        assert!(message.ends_with("do not let it out to the tasks on 8080"), "{message}");
    }

    #[tokio::test]
    async fn addresses_may_come_from_a_prefix_list() {
        let behind_list = || behind(port_from(8080, "pl-1"), from_group(8080, "sg-tasks"));
        for (entries, expected) in
            [(&["10.0.0.0/24"][..], Status::Pass), (&["10.0.0.0/25"][..], Status::Fail)]
        {
            let mut rules = [prefix_list(entries), behind_list()].concat();
            rules.extend(target_group(|it| it.load_balancer_arns(BALANCER)));
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, expected, "{entries:?}");
        }
        let mut rules = behind_list();
        rules.extend(target_group(|it| it.load_balancer_arns(BALANCER)));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }

    #[tokio::test]
    async fn where_no_target_group_says_its_load_balancer_a_listener_does() {
        let mut rules = behind(from_group(8080, "sg-tasks"), from_group(8080, "sg-tasks"));
        rules.extend(target_group(|it| it));
        rules.push(listener(|it| it.load_balancer_arn(BALANCER).default_actions(forward())));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn a_service_that_nobody_sends_requests_is_not_judged() {
        assert_eq!(only(&judged(&CONTROL, &ecs::service(|it| it)).await).0, Status::NotApplicable);
        let mut rules = vec![subnets(&[("subnet-1", "us-east-1a")])];
        rules.extend(ecs::service(guarded));
        rules.extend(target_group(|it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_ec2, describe_security_groups, DescribeSecurityGroupsError);
        let mut rules = vec![denied];
        rules.extend(behind(from_group(8080, "sg-lb"), from_group(8080, "sg-tasks")));
        rules.extend(target_group(|it| it.load_balancer_arns(BALANCER)));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
