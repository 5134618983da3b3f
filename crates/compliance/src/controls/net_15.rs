//! FERPA-NET-15: tasks and load balancers reach the internet by HTTPS only.

use std::collections::BTreeSet;

use account::{NetworkInterface, UsedBy};
use compute::{LoadBalancer, Service};
use engine::Inspected;
use network::SecurityGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::{Openings, is_port, port_range, rule_text};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-15",
    title: "Tasks and load balancers reach the internet by HTTPS only",
    statement: "The security groups of tasks and load balancers let nothing out to the internet at large but TCP to port 443.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.6"],
    why: "A task that is taken over can send records to any place and by any protocol that its group lets out.",
    reads: &[
        &[
            "ec2.security_group.egress",
            "ecs.service.security_groups",
            "elbv2.load_balancer.security_groups",
            "ec2.network_interface.security_groups",
            "ec2.network_interface.used_by",
        ],
        Openings::READS,
    ],
    remedy: Remedy {
        stack: "`deploy`: tasks reach the stores and the endpoints, with `network.service_https_egress` also HTTPS anywhere; the load balancer reaches the tasks",
        api: "ec2:RevokeSecurityGroupEgress, then ec2:AuthorizeSecurityGroupEgress with port 443 and the groups that have to be reached",
    },
    reach: Reach::Stack,
    judge,
};

const HTTPS: i32 = 443;

/// The security groups of tasks and load balancers.
#[derive(Default)]
struct Callers {
    groups: BTreeSet<String>,
    unread: Vec<(&'static str, Unread)>,
}

impl Callers {
    fn of(facts: &Facts<'_>) -> Self {
        let mut callers = Self::default();
        callers.read::<Service>(facts, |one| {
            let groups = &one.read(&["security_groups"])?.security_groups;
            Ok(groups.iter().map(ToString::to_string).collect())
        });
        callers.read::<LoadBalancer>(facts, |one| {
            let groups = &one.read(&["security_groups"])?.security_groups;
            Ok(groups.iter().map(ToString::to_string).collect())
        });
        // Tasks that no service runs.
        callers.read::<NetworkInterface>(facts, |one| {
            let spec = one.read(&["security_groups", "used_by"])?;
            Ok(match spec.used_by {
                UsedBy::Ecs => spec.security_groups.clone(),
                _ => BTreeSet::new(),
            })
        });
        callers
    }

    fn read<T: Inspected>(
        &mut self,
        facts: &Facts<'_>,
        groups: impl Fn(&Seen<'_, T>) -> Result<BTreeSet<String>, Unread>,
    ) {
        let (known, unread) = facts.listed::<T>();
        self.unread.extend(unread.map(|unread| (T::KIND, unread)));
        for live in known.iter() {
            match groups(&Seen::of(live)) {
                Ok(groups) => self.groups.extend(groups),
                Err(unread) => self.unread.push((T::KIND, unread)),
            }
        }
    }
}

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let callers = Callers::of(facts);
    let mut judgements = facts.each_where::<SecurityGroup>(
        |group| callers.groups.contains(&group.id),
        |group| {
            let openings = Openings::of(facts, &group.read(&["egress"])?.egress);
            let wide = openings.to_the_internet().into_iter().filter(|rule| {
                !(is_port(rule, "tcp", HTTPS) && port_range(rule) == (HTTPS, HTTPS))
            });
            let wide: Vec<String> = wide.map(|rule| rule_text(rule, "to")).collect();
            if wide.is_empty() {
                openings.all_read()?;
            }
            let verdict = Verdict::of(
                wide.is_empty(),
                "the group lets nothing out to the internet but HTTPS",
                format!("the group lets out {}", wide.join(", ")),
            );
            Ok(verdict.with("ec2:DescribeSecurityGroups", "IpPermissionsEgress", wide))
        },
    );
    let unread = callers.unread.into_iter();
    judgements.extend(unread.map(|(kind, unread)| facts.whole(kind, Err(unread))));
    judgements
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{
        all_from, from_group, group, groups, interface, port_from, ports_from, public_balancer,
    };
    use crate::testing::{denied, judged, only};

    /// A load balancer with the group `sg-1`, which lets this out.
    fn balancer(egress: aws_sdk_ec2::types::IpPermission) -> Vec<Rule> {
        let mut rules = public_balancer("HTTPS", 443);
        rules.push(groups(vec![group("sg-1", vec![], vec![egress])]));
        rules
    }

    #[tokio::test]
    async fn only_https_goes_out_to_the_internet() {
        for (egress, expected) in [
            (from_group(8080, "sg-tasks"), Status::Pass),
            (port_from(443, "0.0.0.0/0"), Status::Pass),
            (all_from("10.0.0.0/16"), Status::Pass),
            (all_from("0.0.0.0/0"), Status::Fail),
            (port_from(53, "::/0"), Status::Fail),
            (ports_from(443, 8443, "0.0.0.0/0"), Status::Fail),
            (port_from(443, "pl-unknown"), Status::Unknown),
        ] {
            let found = judged(&CONTROL, &balancer(egress.clone())).await;
            assert_eq!(only(&found).0, expected, "{egress:?}");
        }
        let found = judged(&CONTROL, &balancer(all_from("::/0"))).await;
        assert_eq!(only(&found).1, "the group lets out everything to ::/0");
    }

    #[tokio::test]
    async fn a_task_that_no_service_runs_is_one_too_and_other_groups_are_not() {
        let open = || groups(vec![group("sg-1", vec![], vec![all_from("0.0.0.0/0")])]);
        let task = interface(|it| {
            let about = "arn:aws:ecs:us-east-1:123456789012:attachment/1";
            it.requester_managed(true).description(about)
        });
        assert_eq!(only(&judged(&CONTROL, &[open(), task]).await).0, Status::Fail);
        assert_eq!(only(&judged(&CONTROL, &[open()]).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_may_have_a_group_that_is_open() {
        let mut rules = balancer(port_from(443, "0.0.0.0/0"));
        rules.push(denied!(aws_sdk_ecs, list_clusters, ListClustersError));
        let found = judged(&CONTROL, &rules).await;
        let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Status::Pass, Status::Unknown], "{found:#?}");
    }
}
