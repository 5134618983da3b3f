//! Which availability zones a region has.

use aws_sdk_ec2::types::Filter;
use engine::{Allow, Aws, Error, Result, client};

/// What [`availability_zones`] needs.
pub const LOOKING_FOR_ZONES: &[Allow] = &[Allow::to(&["ec2:DescribeAvailabilityZones"])];

/// The names of the first `count` availability zones that every account of the region may use,
/// sorted. Local and wavelength zones are no availability zones.
///
/// # Errors
/// What AWS answered, or that the region has fewer.
pub async fn availability_zones(aws: &Aws, count: usize) -> Result<Vec<String>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let call = client!(aws, aws_sdk_ec2)
        .describe_availability_zones()
        .filters(filter("state", "available"))
        .filters(filter("opt-in-status", "opt-in-not-required"))
        .filters(filter("zone-type", "availability-zone"));
    let answer = aws.call("ec2:DescribeAvailabilityZones", call.send()).await?;
    let zones = answer.availability_zones.unwrap_or_default();
    let mut names: Vec<String> = zones.into_iter().filter_map(|zone| zone.zone_name).collect();
    names.sort();
    if names.len() < count {
        let why = format!("{} has {} availability zones, not {count}", aws.region(), names.len());
        return Err(Error::invalid("availability zones", why));
    }
    names.truncate(count);
    Ok(names)
}
