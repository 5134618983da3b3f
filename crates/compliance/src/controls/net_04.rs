//! FERPA-NET-04: nothing admits the internet.

use std::collections::{BTreeMap, BTreeSet};

use account::{NetworkInterface, UsedBy};
use compute::{Listener, LoadBalancer, Service};
use network::{Rule, SecurityGroup};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::{Openings, Stores, is_port, port_range, rule_text};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-04",
    title: "Nothing admits the internet",
    statement: "No security group admits the internet at large, whether as 0.0.0.0/0 and ::/0 or in pieces, except for TLS on a group that only public load balancers have.",
    severity: Severity::Critical,
    citations: &["NIST SP 800-171r2 3.13.6"],
    why: "What admits everybody is found by everybody, within minutes and by machines.",
    reads: &[
        &[
            "ec2.security_group.ingress",
            "elbv2.load_balancer.internal",
            "elbv2.load_balancer.security_groups",
            "elbv2.listener.load_balancer",
            "elbv2.listener.port",
            "elbv2.listener.protocol",
            "ecs.service.security_groups",
        ],
        Stores::READS,
        Openings::READS,
    ],
    remedy: Remedy {
        stack: "take the range out of `network.admit` and `deploy`: no group of the stack admits addresses by itself",
        api: "ec2:RevokeSecurityGroupIngress",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<SecurityGroup>(|group| {
        let ingress = &group.read(&["ingress"])?.ingress;
        let openings = Openings::of(facts, ingress);
        let mut unread = openings.all_read().err();
        let (mut holes, mut doors) = (Vec::new(), Vec::new());
        for rule in openings.to_the_internet() {
            let text = rule_text(rule, "from");
            match is_public_tls(facts, &group.live().id, rule) {
                Ok(true) => doors.push(text),
                Ok(false) => holes.push(text),
                Err(why) => unread = Some(why),
            }
        }
        if let Some(unread) = unread.filter(|_| holes.is_empty()) {
            return Err(unread);
        }
        let good = match doors.as_slice() {
            [] => "it does not admit the internet".to_owned(),
            doors => format!("it admits {}, which is TLS on a public load balancer", doors.join(", ")),
        };
        let verdict = Verdict::of(
            holes.is_empty(),
            good,
            format!("it admits the internet: {}", holes.join(", ")),
        );
        holes.extend(doors);
        Ok(verdict.with("ec2:DescribeSecurityGroups", "IpPermissions", holes))
    })
}

/// Who has which groups, as far as it matters here.
struct Balancers {
    /// The ports on which the public load balancers of a group speak TLS.
    tls: BTreeMap<String, BTreeSet<i32>>,
    /// The groups of anything else.
    others: BTreeSet<String>,
}

/// Whether a rule lets TLS through to nothing but public load balancers.
fn is_public_tls(facts: &Facts<'_>, group: &str, rule: &Rule) -> Result<bool, Unread> {
    let (first, last) = port_range(rule);
    if first != last || !is_port(rule, "tcp", first) {
        return Ok(false);
    }
    let balancers = facts.derived(|facts| Balancers::of(facts)).as_ref().clone()?;
    let speaks_tls = balancers.tls.get(group).is_some_and(|ports| ports.contains(&first));
    let shared =
        balancers.others.contains(group) || !Stores::of(facts).with_group(group).is_empty();
    Ok(speaks_tls && !shared)
}

impl Balancers {
    fn of(facts: &Facts<'_>) -> Result<std::sync::Arc<Self>, Unread> {
        let (mut tls, mut plain) = (BTreeMap::<_, BTreeSet<i32>>::new(), BTreeMap::new());
        for listener in facts.all::<Listener>()?.iter() {
            let spec = Seen::of(listener).read(&["load_balancer", "port", "protocol"])?;
            let ports = match spec.protocol.as_str() {
                "HTTPS" | "TLS" => &mut tls,
                // What a TCP listener passes on may be TLS.
                "HTTP" => &mut plain,
                _ => continue,
            };
            let at: &mut BTreeSet<i32> = ports.entry(spec.load_balancer.to_string()).or_default();
            at.insert(spec.port.into());
        }
        let mut balancers = Self { tls: BTreeMap::new(), others: BTreeSet::new() };
        for live in facts.all::<LoadBalancer>()?.iter() {
            let spec = Seen::of(live).read(&["internal", "security_groups"])?;
            let groups = spec.security_groups.iter().map(ToString::to_string);
            if spec.internal {
                balancers.others.extend(groups);
                continue;
            }
            let name = live.arn.as_deref().unwrap_or(&live.id);
            let none = BTreeSet::new();
            let mut ports = tls.get(name).unwrap_or(&none).clone();
            if !plain.get(name).unwrap_or(&none).contains(&443) {
                ports.insert(443);
            }
            for group in groups {
                balancers.tls.entry(group).or_default().extend(&ports);
            }
        }
        for live in facts.all::<Service>()?.iter() {
            let groups = &Seen::of(live).read(&["security_groups"])?.security_groups;
            balancers.others.extend(groups.iter().map(ToString::to_string));
        }
        for live in facts.all::<NetworkInterface>()?.iter() {
            let spec = Seen::of(live).read(&["security_groups", "used_by"])?;
            if spec.used_by != UsedBy::LoadBalancer {
                balancers.others.extend(spec.security_groups.iter().cloned());
            }
        }
        Ok(std::sync::Arc::new(balancers))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::IpPermission;
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{
        all_from, group, groups, interface, port_from, prefix_list, public_balancer,
    };
    use crate::testing::{denied, judged, only};

    async fn with(admits: Vec<IpPermission>, others: Vec<Rule>) -> (Status, String) {
        let mut rules = others;
        rules.push(groups(vec![group("sg-1", admits, vec![])]));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn the_internet_fails_however_it_is_written() {
        let (status, message) = with(vec![port_from(8080, "0.0.0.0/0")], vec![]).await;
        let expected = "it admits the internet: tcp 8080 from 0.0.0.0/0";
        assert_eq!((status, message.as_str()), (Status::Fail, expected));
        assert_eq!(with(vec![all_from("::/0")], vec![]).await.0, Status::Fail);
        let halves = vec![port_from(22, "0.0.0.0/1"), port_from(22, "128.0.0.0/1")];
        assert_eq!(with(halves, vec![]).await.0, Status::Fail);
        let list = prefix_list(&["0.0.0.0/2", "64.0.0.0/2"]);
        assert_eq!(with(vec![port_from(22, "pl-1")], list).await.0, Status::Fail);
    }

    #[tokio::test]
    async fn a_campus_passes() {
        let campus = vec![port_from(443, "198.51.100.0/24"), port_from(443, "pl-1")];
        assert_eq!(with(campus, prefix_list(&["203.0.113.0/24"])).await.0, Status::Pass);
    }

    #[tokio::test]
    async fn tls_on_a_public_load_balancer_passes_and_nothing_else_does() {
        let web = || vec![port_from(443, "0.0.0.0/0"), port_from(8443, "::/0")];
        assert_eq!(with(web(), public_balancer("HTTPS", 8443)).await.0, Status::Pass);
        assert_eq!(with(web(), public_balancer("HTTP", 8443)).await.0, Status::Fail);
        assert_eq!(with(web(), vec![]).await.0, Status::Fail, "it is nobody's group");
        let mut shared = public_balancer("HTTPS", 8443);
        shared.push(interface(|it| it.description("a machine")));
        assert_eq!(with(web(), shared).await.0, Status::Fail, "a machine has it, too");
        let plain = vec![port_from(80, "0.0.0.0/0")];
        assert_eq!(with(plain, public_balancer("HTTP", 80)).await.0, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let denied =
            denied!(aws_sdk_ec2, describe_managed_prefix_lists, DescribeManagedPrefixListsError);
        assert_eq!(with(vec![port_from(443, "pl-1")], vec![denied]).await.0, Status::Unknown);
        let denied =
            denied!(aws_sdk_ec2, describe_network_interfaces, DescribeNetworkInterfacesError);
        let mut rules = public_balancer("HTTPS", 443);
        rules.push(denied);
        assert_eq!(with(vec![port_from(443, "::/0")], rules).await.0, Status::Unknown);
    }
}
