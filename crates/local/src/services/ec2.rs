//! EC2: the part of it that makes a network.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_ec2_generated::{model, wire};

use crate::call::Call;
use crate::fault::Fault;

/// What EC2 holds in a region.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By id.
    pub vpcs: BTreeMap<String, model::Vpc>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    match form.get("Action").map_or("", String::as_str) {
        "CreateVpc" => {
            let input = wire::deserialize_create_vpc_request(&form)?;
            let id = call.new_id("vpc");
            let vpc = model::Vpc { vpc_id: Some(id.clone()), cidr_block: input.cidr_block, ..Default::default() };
            call.region().ec2.vpcs.insert(id, vpc.clone());
            Ok(wire::serialize_create_vpc_response(&model::CreateVpcResult { vpc: Some(vpc) }))
        }
        other => Err(Fault::unknown_operation("ec2", other)),
    }
}
