//! EC2: the part of it that makes a network.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_ec2_generated::model;

use crate::call::Call;
use crate::fault::Fault;

mod address;
mod ebs;
mod endpoint;
mod filter;
mod flow_log;
mod form;
pub(crate) mod interface;
mod internet_gateway;
mod nat_gateway;
mod route_table;
mod security_group;
mod subnet;
mod tag;
mod unused;
mod vpc;
mod zone;

type Form = HashMap<String, String>;
type Answer = Result<MockResponse, Fault>;

/// What EC2 holds in a region. The maps are by id; the states in them are those that describe calls
/// show.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// VPCs.
    pub vpcs: BTreeMap<String, model::Vpc>,
    /// What DescribeVpcAttribute tells of each VPC.
    pub vpc_attributes: BTreeMap<String, VpcAttributes>,
    /// Subnets.
    pub subnets: BTreeMap<String, model::Subnet>,
    /// Security groups, without their rules.
    pub security_groups: BTreeMap<String, model::SecurityGroup>,
    /// The rules of all security groups, by their own ids.
    pub security_group_rules: BTreeMap<String, model::SecurityGroupRule>,
    /// Internet gateways.
    pub internet_gateways: BTreeMap<String, model::InternetGateway>,
    /// Elastic IP addresses, by allocation id.
    pub addresses: BTreeMap<String, model::Address>,
    /// NAT gateways, deleted ones included.
    pub nat_gateways: BTreeMap<String, model::NatGateway>,
    /// Route tables, each VPC's main one included.
    pub route_tables: BTreeMap<String, model::RouteTable>,
    /// VPC endpoints.
    pub vpc_endpoints: BTreeMap<String, model::VpcEndpoint>,
    /// Flow logs.
    pub flow_logs: BTreeMap<String, model::FlowLog>,
    /// Network interfaces of NAT gateways, endpoints and of other services' resources.
    pub network_interfaces: BTreeMap<String, model::NetworkInterface>,
    /// Until when interfaces stay whose resource is deleted.
    pub leaving_interfaces: BTreeMap<String, Timestamp>,
    /// Whether new EBS volumes are encrypted.
    pub ebs_encryption_by_default: bool,
    /// The key for that, where it is not the AWS-managed one.
    pub ebs_default_kms_key_id: Option<String>,
    /// What client tokens made: the request, and the id.
    pub client_tokens: BTreeMap<String, (String, String)>,
}

/// The attributes of a VPC that have a call of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VpcAttributes {
    /// Whether instances get DNS names.
    pub dns_hostnames: bool,
    /// Whether there is a resolver.
    pub dns_support: bool,
    /// Whether CloudWatch counts the VPC's addresses.
    pub network_address_usage_metrics: bool,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Answer {
    let sent = call.form();
    let form = form::as_modelled(&sent);
    if form.get("DryRun").map(String::as_str) == Some("true") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault::new("DryRunOperation", message).status(412));
    }
    nat_gateway::progress(call);
    endpoint::progress(call);
    interface::progress(call);
    match form.get("Action").map_or("", String::as_str) {
        "CreateVpc" => vpc::create(call, &form),
        "DescribeVpcs" => vpc::describe(call, &form),
        "DescribeVpcAttribute" => vpc::describe_attribute(call, &form),
        "ModifyVpcAttribute" => vpc::modify_attribute(call, &form),
        "DeleteVpc" => vpc::delete(call, &form),
        "CreateSubnet" => subnet::create(call, &form),
        "DescribeSubnets" => subnet::describe(call, &form),
        "ModifySubnetAttribute" => subnet::modify_attribute(call, &form),
        "DeleteSubnet" => subnet::delete(call, &form),
        "CreateInternetGateway" => internet_gateway::create(call, &form),
        "DescribeInternetGateways" => internet_gateway::describe(call, &form),
        "AttachInternetGateway" => internet_gateway::attach(call, &form),
        "DetachInternetGateway" => internet_gateway::detach(call, &form),
        "DeleteInternetGateway" => internet_gateway::delete(call, &form),
        "AllocateAddress" => address::allocate(call, &form),
        "DescribeAddresses" => address::describe(call, &form),
        "ReleaseAddress" => address::release(call, &form),
        "CreateNatGateway" => nat_gateway::create(call, &form),
        "DescribeNatGateways" => nat_gateway::describe(call, &form),
        "DeleteNatGateway" => nat_gateway::delete(call, &form),
        "CreateRouteTable" => route_table::create(call, &form),
        "DescribeRouteTables" => route_table::describe(call, &form),
        "DeleteRouteTable" => route_table::delete(call, &form),
        "CreateRoute" => route_table::create_route(call, &form),
        "ReplaceRoute" => route_table::replace_route(call, &form),
        "DeleteRoute" => route_table::delete_route(call, &form),
        "AssociateRouteTable" => route_table::associate(call, &form),
        "DisassociateRouteTable" => route_table::disassociate(call, &form),
        "ReplaceRouteTableAssociation" => route_table::replace_association(call, &form),
        "CreateSecurityGroup" => security_group::create(call, &form),
        "DescribeSecurityGroups" => security_group::describe(call, &form),
        "DescribeSecurityGroupRules" => security_group::describe_rules(call, &form),
        "AuthorizeSecurityGroupIngress" => security_group::authorize_ingress(call, &form),
        "AuthorizeSecurityGroupEgress" => security_group::authorize_egress(call, &form),
        "RevokeSecurityGroupIngress" => security_group::revoke_ingress(call, &form),
        "RevokeSecurityGroupEgress" => security_group::revoke_egress(call, &form),
        "UpdateSecurityGroupRuleDescriptionsIngress" => {
            security_group::describe_ingress_rules_as(call, &form)
        }
        "UpdateSecurityGroupRuleDescriptionsEgress" => {
            security_group::describe_egress_rules_as(call, &form)
        }
        "DeleteSecurityGroup" => security_group::delete(call, &form),
        "CreateVpcEndpoint" => endpoint::create(call, &form),
        "DescribeVpcEndpoints" => endpoint::describe(call, &form),
        "ModifyVpcEndpoint" => endpoint::modify(call, &form),
        "DeleteVpcEndpoints" => endpoint::delete(call, &form),
        "CreateFlowLogs" => flow_log::create(call, &form),
        "DescribeFlowLogs" => flow_log::describe(call, &form),
        "DeleteFlowLogs" => flow_log::delete(call, &form),
        "CreateTags" => tag::create(call, &form),
        "DeleteTags" => tag::delete(call, &form),
        "DescribeAvailabilityZones" => zone::describe(call, &form),
        "DescribeRegions" => Ok(zone::describe_regions(call)),
        "DescribeNetworkInterfaces" => interface::describe(call, &form),
        "DescribeManagedPrefixLists" => endpoint::describe_managed_prefix_lists(call, &form),
        "DescribePrefixLists" => endpoint::describe_prefix_lists(call, &form),
        "GetEbsEncryptionByDefault" => Ok(ebs::encryption(call)),
        "EnableEbsEncryptionByDefault" => Ok(ebs::set_encryption(call, true)),
        "DisableEbsEncryptionByDefault" => Ok(ebs::set_encryption(call, false)),
        "GetEbsDefaultKmsKeyId" => Ok(ebs::key(call)),
        "ModifyEbsDefaultKmsKeyId" => ebs::set_key(call, &form),
        "ResetEbsDefaultKmsKeyId" => Ok(ebs::reset_key(call)),
        other => unused::answer(other, &form)
            .unwrap_or_else(|| Err(Fault::unknown_operation("ec2", other))),
    }
}

/// The state, to look at.
fn seen<'a>(call: &'a mut Call<'_>) -> &'a State {
    &call.region().ec2
}

/// The state, to change.
fn held<'a>(call: &'a mut Call<'_>) -> &'a mut State {
    &mut call.region().ec2
}

/// Something that is asked for by an id that nothing has.
fn not_found(code: &str, noun: &str, id: &str) -> Fault {
    Fault::new(code, format!("The {noun} '{id}' does not exist"))
}

fn missing(parameter: &str) -> Fault {
    let message = format!("The request must contain the parameter {parameter}");
    Fault::new("MissingParameter", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

fn in_use(noun: &str, id: &str) -> Fault {
    let message = format!("The {noun} '{id}' has dependencies and cannot be deleted.");
    Fault::new("DependencyViolation", message)
}

/// What an earlier request with the same client token made, if that request was the same.
fn made_before(call: &mut Call<'_>, form: &Form) -> Result<Option<String>, Fault> {
    let Some(token) = form.get("ClientToken") else { return Ok(None) };
    match seen(call).client_tokens.get(token) {
        None => Ok(None),
        Some((request, id)) if *request == fingerprint(form) => Ok(Some(id.clone())),
        Some(_) => Err(Fault::new(
            "IdempotentParameterMismatch",
            "The client token you have provided is associated with a resource whose parameters do not match this request",
        )),
    }
}

fn remember(call: &mut Call<'_>, form: &Form, id: &str) {
    if let Some(token) = form.get("ClientToken") {
        let entry = (fingerprint(form), id.to_owned());
        held(call).client_tokens.insert(token.clone(), entry);
    }
}

fn fingerprint(form: &Form) -> String {
    let mut pairs: Vec<String> = form.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    pairs.join("&")
}
