//! `ec2.instance`: a virtual machine.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{HttpTokensState, InstanceMetadataEndpointState, Reservation};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, Status, client};
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

const ACTION: &str = "ec2:DescribeInstances";

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The VPC.
    pub vpc_id: Option<String>,
    /// The subnet of its first network interface.
    pub subnet_id: Option<String>,
    /// The address under which the internet knows it.
    pub public_address: Option<String>,
    /// The security groups, of all its network interfaces.
    pub security_groups: BTreeSet<String>,
    /// The ARN of the instance profile, by which its programs get a role.
    pub instance_profile: Option<String>,
    /// Whether that role's credentials are given to sessions only (IMDSv2), or not by HTTP at all.
    pub imds_v2_required: bool,
    /// `pending`, `running`, `stopping`, `stopped`.
    pub state: String,
}

impl Inspected for Instance {
    const KIND: &'static str = "ec2.instance";
    const READ: &'static [Allow] = &[Allow::to(&["ec2:DescribeInstances"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("vpc_id", "ec2.vpc"), ("security_groups", "ec2.security_group")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<Instance>>> {
    let call = client!(aws, aws_sdk_ec2).describe_instances().into_paginator().items();
    let reservations: Vec<Reservation> = aws.call(ACTION, call.send().try_collect()).await?;
    let instances = reservations.into_iter().flat_map(|one| one.instances.unwrap_or_default());
    // AWS shows terminated ones for an hour.
    let alive = instances.filter(|one| !matches!(state(one), "shutting-down" | "terminated"));
    alive.map(|instance| read(aws, instance)).collect()
}

fn state(instance: &aws_sdk_ec2::types::Instance) -> &str {
    let state = instance.state().and_then(|state| state.name());
    state.map_or("", |name| name.as_str())
}

fn read(aws: &Aws, instance: aws_sdk_ec2::types::Instance) -> Result<Live<Instance>> {
    let state = state(&instance).to_owned();
    let id = instance.instance_id.ok_or_else(|| Error::incomplete(ACTION, "an instance's id"))?;
    let interfaces = instance.network_interfaces.unwrap_or_default();
    let groups = interfaces.iter().flat_map(|one| one.groups());
    let groups = groups.chain(instance.security_groups.iter().flatten());
    // Another interface than the first may have the address.
    let addresses = interfaces.iter().filter_map(|one| one.association()?.public_ip());
    let metadata = instance.metadata_options;
    let spec = Instance {
        vpc_id: instance.vpc_id,
        subnet_id: instance.subnet_id,
        public_address: instance
            .public_ip_address
            .filter(|address| !address.is_empty())
            .or_else(|| addresses.map(str::to_owned).next()),
        security_groups: groups.filter_map(|group| group.group_id.clone()).collect(),
        instance_profile: instance.iam_instance_profile.and_then(|profile| profile.arn),
        imds_v2_required: false,
        state: state.clone(),
    };
    let arn = aws.arn("ec2", &format!("instance/{id}"));
    let status = Status::by_word(&state, &["running", "stopped"], &[], &[]);
    let mut live =
        Live::new(id, spec).with_arn(arn).with_status(status).with_tags(tags(instance.tags));
    let metadata = metadata.ok_or_else(|| Error::incomplete(ACTION, "the metadata options"));
    live.read("imds_v2_required", metadata, |spec, metadata| {
        let off = metadata.http_endpoint == Some(InstanceMetadataEndpointState::Disabled);
        spec.imds_v2_required = off || metadata.http_tokens == Some(HttpTokensState::Required);
    });
    Ok(live)
}
