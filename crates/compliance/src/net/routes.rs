//! Where routes lead: what the internet reaches is decided by them, and by no name or tag.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use engine::Live;
use network::{RouteTable, RouteTarget, Subnet, VpcEndpoint};

use super::internet::Addresses;
use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// The route tables, by what uses them.
pub struct Routes(Result<Tables, Unread>);

struct Tables {
    all: Arc<Vec<Live<RouteTable>>>,
    by_subnet: HashMap<String, usize>,
    main_by_vpc: HashMap<String, usize>,
}

/// How a subnet stands to the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A route leads to an internet gateway.
    Public,
    /// What leaves the VPC does so by NAT or through another network.
    Private,
    /// No route for public addresses leads anywhere.
    Isolated,
}

impl Tier {
    /// `public`, `private`, `isolated`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Isolated => "isolated",
        }
    }
}

impl Routes {
    /// What it is worked out from, as [`Control::reads`](crate::Control::reads) has it.
    pub const READS: &[&str] = &[
        "ec2.subnet.vpc_id",
        "ec2.route_table.vpc_id",
        "ec2.route_table.subnet_ids",
        "ec2.route_table.main",
        "ec2.vpc_endpoint.subnet_ids",
    ];

    /// Those of the facts.
    pub fn of(facts: &Facts<'_>) -> Arc<Self> {
        facts.derived(|facts| Self(Tables::of(facts)))
    }

    /// The table that a subnet uses: its own, or the VPC's main one. `None` for the main table of a VPC that
    /// is yet to be made, which leads nowhere.
    ///
    /// # Errors
    /// When the tables could not be listed, or the subnet uses none of them.
    pub fn table(&self, subnet: &Live<Subnet>) -> Result<Option<&Live<RouteTable>>, Unread> {
        let tables = self.0.as_ref().map_err(Clone::clone)?;
        let vpc = &Seen::of(subnet).read(&["vpc_id"])?.vpc_id;
        let own = tables.by_subnet.get(&subnet.id);
        match own.or_else(|| tables.main_by_vpc.get(vpc.as_str())) {
            Some(&at) => Ok(Some(&tables.all[at])),
            None if vpc.is_pending() => Ok(None),
            None => Err(Unread { what: format!("the route table of {}", subnet.id), error: None }),
        }
    }

    /// The route by which the internet reaches a subnet, as `0.0.0.0/0 to igw-…`; `None` if there is none.
    ///
    /// # Errors
    /// When the subnet, or a route's way, is not known.
    pub fn from_the_internet(
        &self,
        facts: &Facts<'_>,
        subnet: &str,
    ) -> Result<Option<String>, Unread> {
        self.follow(facts, subnet, &mut BTreeSet::new())
    }

    fn follow(
        &self,
        facts: &Facts<'_>,
        subnet: &str,
        seen: &mut BTreeSet<String>,
    ) -> Result<Option<String>, Unread> {
        if !seen.insert(subnet.to_owned()) {
            return Ok(None);
        }
        let found = facts.find::<Subnet>(subnet)?;
        let found =
            found.ok_or_else(|| Unread { what: format!("the subnet {subnet}"), error: None })?;
        let Some(table) = self.table(&found)? else { return Ok(None) };
        for (destination, target) in &Seen::of(table).read(&["routes"])?.routes {
            let gateway = match target {
                RouteTarget::InternetGateway(gateway) => gateway.as_str(),
                // A mobile carrier's door to the internet.
                RouteTarget::Other(gateway) if gateway.starts_with("cagw-") => gateway,
                // A firewall on the way. It changes no address, so what is behind it is reached.
                RouteTarget::Other(endpoint) if endpoint.starts_with("vpce-") => {
                    for next in firewall_subnets(facts, endpoint)? {
                        if let Some(way) = self.follow(facts, &next, seen)? {
                            return Ok(Some(format!("{destination} to {endpoint}, {way}")));
                        }
                    }
                    continue;
                }
                RouteTarget::NatGateway(_) | RouteTarget::Other(_) => continue,
            };
            return Ok(Some(format!("{destination} to {gateway}")));
        }
        Ok(None)
    }

    /// The route by which a subnet reaches the internet at large, NAT and other networks included, as
    /// `0.0.0.0/0 to nat-…`; `None` if there is none.
    ///
    /// # Errors
    /// When its routes are not known.
    pub fn to_the_internet(&self, subnet: &Live<Subnet>) -> Result<Option<String>, Unread> {
        let Some(table) = self.table(subnet)? else { return Ok(None) };
        let routes = &Seen::of(table).read(&["routes"])?.routes;
        let out = routes.iter().find(|(destination, _)| {
            Addresses::parse(destination).is_some_and(|range| range.are_the_internet())
        });
        Ok(out.map(|(destination, target)| {
            let target = match target {
                RouteTarget::InternetGateway(gateway) => gateway.as_str(),
                RouteTarget::NatGateway(gateway) => gateway.as_str(),
                RouteTarget::Other(other) => other,
            };
            format!("{destination} to {target}")
        }))
    }

    /// How a subnet stands to the internet.
    ///
    /// # Errors
    /// As [`from_the_internet`](Self::from_the_internet).
    pub fn tier(&self, facts: &Facts<'_>, subnet: &Live<Subnet>) -> Result<Tier, Unread> {
        if self.from_the_internet(facts, &subnet.id)?.is_some() {
            return Ok(Tier::Public);
        }
        let leads_out = self.to_the_internet(subnet)?.is_some();
        Ok(if leads_out { Tier::Private } else { Tier::Isolated })
    }
}

impl Tables {
    fn of(facts: &Facts<'_>) -> Result<Self, Unread> {
        let all = facts.all::<RouteTable>()?;
        let (mut by_subnet, mut main_by_vpc) = (HashMap::new(), HashMap::new());
        for (at, table) in all.iter().enumerate() {
            let spec = Seen::of(table).read(&["vpc_id", "subnet_ids", "main"])?;
            by_subnet.extend(spec.subnet_ids.iter().map(|subnet| (subnet.to_string(), at)));
            if spec.main {
                main_by_vpc.insert(spec.vpc_id.to_string(), at);
            }
        }
        Ok(Self { all, by_subnet, main_by_vpc })
    }
}

fn firewall_subnets(facts: &Facts<'_>, endpoint: &str) -> Result<Vec<String>, Unread> {
    let found = facts.find::<VpcEndpoint>(endpoint)?;
    let found =
        found.ok_or_else(|| Unread { what: format!("the endpoint {endpoint}"), error: None })?;
    let subnets = &Seen::of(&found).read(&["subnet_ids"])?.subnet_ids;
    Ok(subnets.iter().map(ToString::to_string).collect())
}
