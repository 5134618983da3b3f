//! DB subnet groups.

use std::collections::BTreeSet;

use winterbaume_rds::{model, wire};

use super::{Answer, Form, invalid, missing, paged, require_group_name, save_tags};
use crate::call::Call;
use crate::fault::Fault;

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_d_b_subnet_group_request(form)?;
    // RDS keeps names in lower case.
    let name = input.d_b_subnet_group_name.to_lowercase();
    require_group_name("DBSubnetGroupName", &name)?;
    if name == "default" {
        return Err(Fault::new(
            "DBSubnetGroupNotAllowedFault",
            "The default subnet group cannot be made.",
        ));
    }
    if input.d_b_subnet_group_description.is_empty() {
        return Err(invalid(
            "The parameter DBSubnetGroupDescription must be provided and must not be blank.",
        ));
    }
    if call.region().rds.subnet_groups.contains_key(&name) {
        let message = format!("The DB subnet group '{name}' already exists.");
        return Err(Fault::new("DBSubnetGroupAlreadyExists", message));
    }
    let (vpc, subnets) = subnets(call, &input.subnet_ids.items)?;
    let arn = call.arn("rds", &format!("subgrp:{name}"));
    let group = model::DBSubnetGroup {
        d_b_subnet_group_arn: Some(arn.clone()),
        d_b_subnet_group_description: Some(input.d_b_subnet_group_description),
        d_b_subnet_group_name: Some(name.clone()),
        subnet_group_status: Some("Complete".into()),
        subnets: Some(subnets.into()),
        supported_network_types: Some(vec!["IPV4".to_owned()].into()),
        vpc_id: Some(vpc),
    };
    save_tags(call, &arn, input.tags);
    call.region().rds.subnet_groups.insert(name, group.clone());
    Ok(wire::serialize_create_d_b_subnet_group_response(&model::CreateDBSubnetGroupResult {
        d_b_subnet_group: Some(group),
    }))
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_d_b_subnet_groups_request(form)?;
    let found = match &input.d_b_subnet_group_name {
        Some(name) => vec![find(call, name)?],
        None => call.region().rds.subnet_groups.values().cloned().collect(),
    };
    let (found, marker) = paged(found, input.marker.as_deref(), input.max_records)?;
    Ok(wire::serialize_describe_d_b_subnet_groups_response(&model::DBSubnetGroupMessage {
        d_b_subnet_groups: Some(found.into()),
        marker,
    }))
}

pub(super) fn modify(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_modify_d_b_subnet_group_request(form)?;
    let mut group = find(call, &input.d_b_subnet_group_name)?;
    let (vpc, subnets) = subnets(call, &input.subnet_ids.items)?;
    if group.vpc_id.as_deref() != Some(vpc.as_str()) {
        let message = "The new Subnets are not in the same Vpc as the existing subnet group";
        return Err(Fault::new("InvalidSubnet", message));
    }
    group.subnets = Some(subnets.into());
    if let Some(description) = input.d_b_subnet_group_description {
        group.d_b_subnet_group_description = Some(description);
    }
    let name = group.d_b_subnet_group_name.clone().unwrap_or_default();
    call.region().rds.subnet_groups.insert(name, group.clone());
    Ok(wire::serialize_modify_d_b_subnet_group_response(&model::ModifyDBSubnetGroupResult {
        d_b_subnet_group: Some(group),
    }))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_d_b_subnet_group_request(form)?;
    let group = find(call, &input.d_b_subnet_group_name)?;
    let name = group.d_b_subnet_group_name.unwrap_or_default();
    let rds = &call.region().rds;
    let user = rds.clusters.iter().find(|(_, one)| one.d_b_subnet_group.as_deref() == Some(&name));
    if let Some((user, _)) = user {
        let message = format!(
            "Cannot delete the subnet group '{name}' because at least one database cluster: {user} is still using it."
        );
        return Err(Fault::new("InvalidDBSubnetGroupStateFault", message));
    }
    let rds = &mut *call.region().rds;
    rds.subnet_groups.remove(&name);
    rds.tags.remove(&group.d_b_subnet_group_arn.unwrap_or_default());
    Ok(wire::serialize_delete_d_b_subnet_group_response())
}

pub(super) fn find(call: &mut Call<'_>, name: &str) -> Result<model::DBSubnetGroup, Fault> {
    let name = name.to_lowercase();
    call.region().rds.subnet_groups.get(&name).cloned().ok_or_else(|| {
        missing("DBSubnetGroupNotFoundFault", format!("DB subnet group '{name}' does not exist."))
    })
}

/// The availability zones that a group covers.
pub(super) fn zones(group: &model::DBSubnetGroup) -> BTreeSet<String> {
    let subnets = group.subnets.iter().flat_map(|list| &list.items);
    subnets.filter_map(|one| one.subnet_availability_zone.as_ref()?.name.clone()).collect()
}

/// The subnets, which must exist, lie in one VPC and cover two availability zones.
fn subnets(call: &mut Call<'_>, ids: &[String]) -> Result<(String, Vec<model::Subnet>), Fault> {
    let mut vpcs = BTreeSet::new();
    let mut zones = BTreeSet::new();
    let mut found = Vec::new();
    for id in ids {
        let Some(subnet) = call.region().ec2.subnets.get(id) else {
            let message = format!("Some input subnets in :[{id}] are invalid.");
            return Err(Fault::new("InvalidSubnet", message));
        };
        let zone = subnet.availability_zone.clone().unwrap_or_default();
        vpcs.insert(subnet.vpc_id.clone().unwrap_or_default());
        zones.insert(zone.clone());
        found.push(model::Subnet {
            subnet_availability_zone: Some(model::AvailabilityZone { name: Some(zone) }),
            subnet_identifier: Some(id.clone()),
            subnet_outpost: Some(model::Outpost::default()),
            subnet_status: Some("Active".into()),
        });
    }
    if vpcs.len() > 1 {
        return Err(Fault::new("InvalidSubnet", "Subnets have to be in the same VPC."));
    }
    if zones.len() < 2 {
        let covered = zones.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!(
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {covered}. Add subnets to cover at least 2 AZs."
        );
        return Err(Fault::new("DBSubnetGroupDoesNotCoverEnoughAZs", message));
    }
    Ok((vpcs.pop_first().unwrap_or_default(), found))
}
