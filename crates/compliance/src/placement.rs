//! In which availability zones things are.

use std::collections::BTreeSet;

use compute::Service;
use network::Subnet;

use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// The zone of a subnet.
pub(crate) fn zone_of(facts: &Facts<'_>, subnet: &str) -> Result<String, Unread> {
    let unread = || Unread { what: format!("the zone of the subnet {subnet}"), error: None };
    let found = facts.find::<Subnet>(subnet)?.ok_or_else(unread)?;
    Ok(Seen::of(&*found).read(&["availability_zone"])?.availability_zone.clone())
}

/// The zones that a service's tasks may run in.
pub(crate) fn zones_of(facts: &Facts<'_>, service: &Service) -> Result<BTreeSet<String>, Unread> {
    if service.subnets.is_empty() {
        // They use the network of hosts that are not read.
        let what = format!("the zones in which tasks of {} run", service.name);
        return Err(Unread { what, error: None });
    }
    service.subnets.iter().map(|subnet| zone_of(facts, subnet.as_str())).collect()
}
