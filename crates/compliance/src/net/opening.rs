//! What a security group's rules open to the internet.

use std::collections::BTreeSet;

use account::PrefixList;
use network::{Peer, Rule};

use super::internet::Addresses;
use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// AWS's word for every protocol.
const EVERYTHING: &str = "-1";

/// The rules of a group, with the addresses that they name.
pub struct Openings<'r> {
    rules: Vec<(&'r Rule, Addresses)>,
    unread: Option<Unread>,
}

impl<'r> Openings<'r> {
    /// What it is worked out from, as [`Control::reads`](crate::Control::reads) has it.
    pub const READS: &'static [&'static str] =
        &["ec2.prefix_list.of_aws", "ec2.prefix_list.entries"];

    /// Of these rules. What a prefix list holds is looked up.
    pub fn of(facts: &Facts<'_>, rules: impl IntoIterator<Item = &'r Rule>) -> Self {
        let mut openings = Self { rules: Vec::new(), unread: None };
        for rule in rules {
            match addresses(facts, &rule.peer) {
                Ok(Some(addresses)) => openings.rules.push((rule, addresses)),
                Ok(None) => {}
                Err(unread) => openings.unread = Some(unread),
            }
        }
        openings
    }

    /// The rules that open something to the internet at large: by themselves, or else together with others
    /// that open the same port to other parts of it.
    pub fn to_the_internet(&self) -> Vec<&'r Rule> {
        let alone = |addresses: &Addresses| addresses.are_the_internet();
        // Where ranges of ports overlap most, one of them begins.
        let begins = self.rules.iter().map(|(rule, _)| (protocol(rule), port_range(rule).0));
        let by_many: BTreeSet<(&str, i32)> = begins
            .filter(|(protocol, port)| {
                let mut here = self.rules.iter().filter(|(rule, _)| is_port(rule, protocol, *port));
                !here.any(|(_, addresses)| alone(addresses)) && self.open_at(protocol, *port)
            })
            .collect();
        let open = |rule: &Rule, addresses: &Addresses| {
            let one_of = |(protocol, port): &(&str, i32)| is_port(rule, protocol, *port);
            alone(addresses) || (addresses.have_public() && by_many.iter().any(one_of))
        };
        let rules = self.rules.iter().filter(|(rule, addresses)| open(rule, addresses));
        rules.map(|(rule, _)| *rule).collect()
    }

    /// Whether a port (of `tcp` or `udp`) is open to the internet at large.
    pub fn open_at(&self, protocol: &str, port: i32) -> bool {
        let mut from = Addresses::default();
        for (_, addresses) in self.rules.iter().filter(|(rule, _)| is_port(rule, protocol, port)) {
            from.extend(addresses);
        }
        from.are_the_internet()
    }

    /// Whether every rule's addresses are known. If not, only what is open can be relied on.
    ///
    /// # Errors
    /// When a range or a prefix list could not be read.
    pub fn all_read(&self) -> Result<(), Unread> {
        self.unread.clone().map_or(Ok(()), Err)
    }
}

/// The addresses that a rule names; `None` for the members of a group.
fn addresses(facts: &Facts<'_>, peer: &Peer) -> Result<Option<Addresses>, Unread> {
    let parse = |cidr: &str| {
        let what = format!("the address range {cidr:?}");
        Addresses::parse(cidr).ok_or(Unread { what, error: None })
    };
    match peer {
        Peer::SecurityGroup(_) => Ok(None),
        Peer::Cidr(cidr) => parse(cidr).map(Some),
        Peer::PrefixList(id) => {
            let Some(list) = facts.find::<PrefixList>(id.as_str())? else {
                return Err(Unread { what: format!("the prefix list {id}"), error: None });
            };
            let spec = Seen::of(&list).read(&["of_aws", "entries"])?;
            let mut all = Addresses::default();
            for entry in &spec.entries {
                all.extend(&parse(entry)?);
            }
            Ok(Some(all))
        }
    }
}

/// The protocol's name. AWS also takes numbers.
fn protocol(rule: &Rule) -> &str {
    match rule.protocol.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        other => other,
    }
}

/// The first and the last port that a rule opens; all of them where it names none, and for protocols that
/// have no ports.
pub fn port_range(rule: &Rule) -> (i32, i32) {
    match protocol(rule) {
        "tcp" | "udp" => (rule.from_port.unwrap_or(0), rule.to_port.unwrap_or(65_535)),
        _ => (0, 65_535),
    }
}

/// Whether a rule opens this port of this protocol.
pub fn is_port(rule: &Rule, wanted: &str, port: i32) -> bool {
    let (first, last) = port_range(rule);
    let same = protocol(rule) == wanted && (first..=last).contains(&port);
    protocol(rule) == EVERYTHING || same
}

/// A rule in a few words: `tcp 443 from 0.0.0.0/0`. `way` is `from` or `to`.
pub fn rule_text(rule: &Rule, way: &str) -> String {
    let peer = match &rule.peer {
        Peer::Cidr(range) => range.as_str(),
        Peer::SecurityGroup(group) => group.as_str(),
        Peer::PrefixList(list) => list.as_str(),
    };
    let what = match (protocol(rule), port_range(rule)) {
        (EVERYTHING, _) => "everything".to_owned(),
        (protocol @ ("tcp" | "udp"), (0, 65_535)) => format!("{protocol} on every port"),
        (protocol @ ("tcp" | "udp"), (first, last)) if first == last => {
            format!("{protocol} {first}")
        }
        (protocol @ ("tcp" | "udp"), (first, last)) => format!("{protocol} {first}-{last}"),
        (protocol, _) => protocol.to_owned(),
    };
    format!("{what} {way} {peer}")
}

#[cfg(test)]
mod tests {
    use engine::Inventory;
    use network::{Peer, Rule};

    use super::{Openings, rule_text};
    use crate::facts::Facts;
    use crate::settings::Settings;
    use crate::testing::NOW;

    fn rule(protocol: &str, ports: Option<(i32, i32)>, from: &str) -> Rule {
        let peer = match from {
            list if list.starts_with("pl-") => Peer::PrefixList(list.into()),
            range => Peer::Cidr(range.into()),
        };
        let ports = ports.unzip();
        let protocol = protocol.into();
        Rule { protocol, from_port: ports.0, to_port: ports.1, peer, description: None }
    }

    fn open(rules: &[Rule]) -> Vec<String> {
        let inventory = Inventory::empty("123456789012", "us-east-1");
        let settings = Settings::default();
        let openings = Openings::of(&Facts::new(&inventory, &settings, NOW), rules);
        openings.to_the_internet().into_iter().map(|rule| rule_text(rule, "from")).collect()
    }

    #[test]
    fn what_many_rules_open_together_is_open() {
        let halves = [
            rule("tcp", Some((0, 100)), "32.0.0.0/5"),
            rule("6", Some((22, 22)), "40.0.0.0/5"),
            rule("tcp", Some((22, 22)), "10.0.0.0/8"),
            rule("udp", Some((22, 22)), "64.0.0.0/8"),
        ];
        assert_eq!(open(&halves), ["tcp 0-100 from 32.0.0.0/5", "tcp 22 from 40.0.0.0/5"]);
        let mut slices: Vec<Rule> =
            (32..48).map(|n| rule("tcp", Some((5432, 5432)), &format!("{n}.0.0.0/8"))).collect();
        assert_eq!(open(&slices).len(), 16);
        slices[0].protocol = "udp".into();
        assert!(open(&slices).is_empty(), "no port is open to all of them");
    }

    #[test]
    fn a_small_range_beside_the_whole_internet_is_not_the_hole() {
        let rules = [
            rule("tcp", Some((22, 22)), "203.0.113.0/24"),
            rule("tcp", Some((22, 22)), "0.0.0.0/0"),
        ];
        assert_eq!(open(&rules), ["tcp 22 from 0.0.0.0/0"]);
    }

    #[test]
    fn everything_opens_every_port() {
        let everything = [rule("-1", None, "::/0")];
        assert_eq!(open(&everything), ["everything from ::/0"]);
        assert_eq!(open(&[rule("icmp", Some((8, 0)), "0.0.0.0/0")]), ["icmp from 0.0.0.0/0"]);
    }

    #[test]
    fn a_list_that_cannot_be_resolved_is_not_taken_for_a_small_one() {
        let inventory = Inventory::empty("123456789012", "us-east-1");
        let settings = Settings::default();
        let facts = Facts::new(&inventory, &settings, NOW);
        assert!(Openings::of(&facts, &[rule("tcp", None, "pl-1")]).all_read().is_err());
        assert!(Openings::of(&facts, &[rule("tcp", None, "")]).all_read().is_err());
        assert!(Openings::of(&facts, &[rule("tcp", None, "10.0.0.0/8")]).all_read().is_ok());
    }
}
