//! Availability zones.

use winterbaume_core::MockResponse;
use winterbaume_ec2_generated::model::{
    AvailabilityZone, AvailabilityZoneList, DescribeAvailabilityZonesResult, DescribeRegionsResult,
    Region, RegionList, TagList,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, select};
use super::{Answer, Form, invalid};
use crate::call::Call;
use crate::fault::Fault;

impl Filtered for AvailabilityZone {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "group-name" => one(&self.group_name),
            "opt-in-status" => one(&self.opt_in_status),
            "region-name" => one(&self.region_name),
            "state" => one(&self.state),
            "zone-id" => one(&self.zone_id),
            "zone-name" => one(&self.zone_name),
            "zone-type" => one(&self.zone_type),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        None
    }
}

/// The zones of a region. Most regions have three.
pub(super) fn all(region: &str) -> Vec<AvailabilityZone> {
    let letters = match region {
        "us-east-1" => "abcdef",
        "us-west-2" | "ap-northeast-2" => "abcd",
        "us-west-1" => "ab",
        _ => "abc",
    };
    let short = short(region);
    let zone = |(at, letter)| AvailabilityZone {
        group_name: Some(format!("{region}-zg-1")),
        network_border_group: Some(region.into()),
        opt_in_status: Some("opt-in-not-required".into()),
        region_name: Some(region.into()),
        state: Some("available".into()),
        zone_id: Some(format!("{short}-az{}", at + 1)),
        zone_name: Some(format!("{region}{letter}")),
        zone_type: Some("availability-zone".into()),
        ..Default::default()
    };
    letters.chars().enumerate().map(zone).collect()
}

/// The regions that are enabled: a few of those that every account has, and the one that is asked.
pub(super) fn describe_regions(call: &Call<'_>) -> MockResponse {
    let mut names = vec!["us-east-1", "us-east-2", "us-west-1", "us-west-2"];
    if !names.contains(&call.region_name) {
        names.push(call.region_name);
    }
    let region = |name: &str| Region {
        endpoint: Some(format!("ec2.{name}.amazonaws.com")),
        opt_in_status: Some("opt-in-not-required".into()),
        region_name: Some(name.into()),
        ..Default::default()
    };
    let regions = Some(RegionList { items: names.into_iter().map(region).collect() });
    wire::serialize_describe_regions_response(&DescribeRegionsResult { regions })
}

/// The region as zone ids abbreviate it: `us-east-1` is `use1`.
fn short(region: &str) -> String {
    let mut short = String::new();
    for part in region.split('-') {
        match part {
            "northeast" => short.push_str("ne"),
            "northwest" => short.push_str("nw"),
            "southeast" => short.push_str("se"),
            "southwest" => short.push_str("sw"),
            "gov" => short.push('g'),
            two if two.len() == 2 => short.push_str(two),
            other => short.extend(other.chars().next()),
        }
    }
    short
}

pub(super) fn by_name(region: &str, name: &str) -> Result<AvailabilityZone, Fault> {
    let zones = all(region);
    let names: Vec<&str> = zones.iter().filter_map(|zone| zone.zone_name.as_deref()).collect();
    let message = format!(
        "Value ({name}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
        names.join(", ")
    );
    let found = zones.iter().find(|zone| zone.zone_name.as_deref() == Some(name));
    found.cloned().ok_or_else(|| invalid(message))
}

pub(super) fn by_id(region: &str, id: &str) -> Result<AvailabilityZone, Fault> {
    let found = all(region).into_iter().find(|zone| zone.zone_id.as_deref() == Some(id));
    let message = format!("Value ({id}) for parameter availabilityZoneId is invalid.");
    found.ok_or_else(|| invalid(message))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_availability_zones_request(form)?;
    let zones = match (input.zone_names, input.zone_ids) {
        (Some(names), _) => names
            .items
            .iter()
            .map(|name| {
                by_name(call.region_name, name)
                    .map_err(|_| invalid(format!("Invalid availability zone: [{name}]")))
            })
            .collect::<Result<_, _>>()?,
        (None, Some(ids)) => {
            ids.items.iter().map(|id| by_id(call.region_name, id)).collect::<Result<_, _>>()?
        }
        (None, None) => all(call.region_name),
    };
    let items = select(zones, input.filters.as_ref())?;
    let availability_zones = Some(AvailabilityZoneList { items });
    let answer = DescribeAvailabilityZonesResult { availability_zones };
    Ok(wire::serialize_describe_availability_zones_response(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_abbreviate_the_region() {
        let of = |region| all(region)[0].zone_id.clone().unwrap();
        assert_eq!(of("us-east-1"), "use1-az1");
        assert_eq!(of("ap-southeast-2"), "apse2-az1");
        assert_eq!(of("us-gov-west-1"), "usgw1-az1");
    }
}
