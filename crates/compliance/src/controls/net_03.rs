//! FERPA-NET-03: only security groups, on the store's port, reach a store.

use std::collections::BTreeSet;

use network::{Peer, Rule, SecurityGroup};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::net::{Stores, is_port, port_range, rule_text};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-03",
    title: "Stores admit security groups on their port only",
    statement: "The security groups of stores admit only security groups, of this account or a declared one, and only on the store's port.",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.6"],
    why: "An address says where somebody is, a security group says who it is: only those who have to reach records may.",
    reads: &[&["ec2.security_group.ingress"], Stores::READS],
    remedy: Remedy {
        stack: "take the store's group out of `network.admit` and `deploy`: the group then admits the tasks' group only",
        api: "ec2:RevokeSecurityGroupIngress, then ec2:AuthorizeSecurityGroupIngress with UserIdGroupPairs and the store's port",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let stores = Stores::of(facts);
    let mut judgements = facts.each_where::<SecurityGroup>(
        |group| !stores.with_group(&group.id).is_empty(),
        |group| {
            let ingress = &group.read(&["ingress"])?.ingress;
            let here = stores.with_group(&group.live().id);
            let ports: BTreeSet<i32> = here.iter().filter_map(|store| store.port).collect();
            let wrong = ingress.iter().filter_map(|rule| {
                let fault = fault(facts, rule, &ports)?;
                Some(format!("{} ({fault})", rule_text(rule, "from")))
            });
            let wrong: Vec<String> = wrong.collect();
            let names: BTreeSet<&str> = here.iter().map(|store| store.name.as_str()).collect();
            let names = Vec::from_iter(names).join(", ");
            let verdict = Verdict::of(
                wrong.is_empty(),
                format!("the group of {names} admits only security groups, on the store's port"),
                format!("the group of {names} admits {}", wrong.join(", ")),
            );
            Ok(verdict.with("ec2:DescribeSecurityGroups", "IpPermissions", wrong))
        },
    );
    judgements.extend(stores.unread(facts));
    judgements
}

/// What is wrong with a rule.
fn fault(facts: &Facts<'_>, rule: &Rule, ports: &BTreeSet<i32>) -> Option<&'static str> {
    match &rule.peer {
        Peer::Cidr(_) => return Some("addresses, not a security group"),
        Peer::PrefixList(_) => return Some("a prefix list, not a security group"),
        Peer::SecurityGroup(group) => {
            let account = group.as_str().split_once('/').filter(|_| !group.is_pending());
            if account.is_some_and(|(account, _)| !facts.is_declared_account(account)) {
                return Some("a security group of an undeclared account");
            }
        }
    }
    let (first, last) = port_range(rule);
    let own = is_port(rule, "tcp", first) && first == last;
    // What shows only by an interface does not say its port.
    let known = ports.is_empty() || ports.contains(&first);
    (!own || !known).then_some("not only the store's port")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::ec2::{
        all_from, database, foreign_group, from_group, group, groups, port_from, ports_from,
    };
    use crate::testing::{denied, judged, judged_with, only};

    async fn with(rule: aws_sdk_ec2::types::IpPermission) -> (Status, String) {
        let mut rules = database();
        rules.push(groups(vec![group("sg-db", vec![rule], vec![])]));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn the_group_of_the_tasks_on_the_port_of_the_store_passes() {
        assert_eq!(with(from_group(5432, "sg-tasks")).await.0, Status::Pass);
    }

    #[tokio::test]
    async fn addresses_lists_and_other_ports_fail() {
        let (status, message) = with(port_from(5432, "10.0.0.0/16")).await;
        let expected = "the group of records admits tcp 5432 from 10.0.0.0/16 (addresses, not a security group)";
        assert_eq!((status, message.as_str()), (Status::Fail, expected));
        assert_eq!(with(port_from(5432, "pl-1")).await.0, Status::Fail);
        assert_eq!(with(from_group(22, "sg-tasks")).await.0, Status::Fail);
        let every_port = ports_from(0, 65_535, "sg-tasks");
        assert_eq!(with(every_port).await.0, Status::Fail);
        assert_eq!(with(all_from("203.0.113.7/32")).await.0, Status::Fail);
    }

    #[tokio::test]
    async fn a_group_of_another_account_has_to_be_a_declared_one() {
        let foreign = || foreign_group(5432, "111122223333", "sg-theirs");
        assert_eq!(with(foreign()).await.0, Status::Fail);
        let declared_accounts = BTreeSet::from(["111122223333".to_owned()]);
        let settings = Settings { declared_accounts, ..Settings::default() };
        let mut rules = database();
        rules.push(groups(vec![group("sg-db", vec![foreign()], vec![])]));
        assert_eq!(only(&judged_with(&CONTROL, &rules, &settings).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_may_be_a_store() {
        let interfaces =
            denied!(aws_sdk_ec2, describe_network_interfaces, DescribeNetworkInterfacesError);
        let mut rules = database();
        rules.push(groups(vec![group("sg-db", vec![port_from(5432, "0.0.0.0/0")], vec![])]));
        rules.push(interfaces);
        let statuses: Vec<Status> =
            judged(&CONTROL, &rules).await.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Status::Fail, Status::Unknown]);
    }
}
