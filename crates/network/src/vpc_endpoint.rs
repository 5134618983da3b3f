//! `ec2.vpc_endpoint`: a way to an AWS service that does not lead through the internet.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    ManagedPrefixList, ResourceType, VpcEndpoint as Described, VpcEndpointType,
};
use engine::vocabulary::{Arn, Id, RouteTableId, SecurityGroupId, VpcEndpointId, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// A VPC endpoint. Outputs: `dns_name` (interface endpoints): its own name, in all zones;
/// `prefix_list_id` (gateway endpoints, once ready): the list of the service's addresses, for rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// The VPC.
    pub vpc_id: Ref<VpcId>,
    /// The service: `com.amazonaws.us-east-1.s3`.
    pub service_name: String,
    /// How it is reached.
    pub endpoint_type: EndpointType,
    /// What may pass.
    pub policy: Policy,
    /// Interface endpoints: whether the service's usual host name leads here. The VPC needs its
    /// resolver and host names.
    pub private_dns: bool,
    /// Interface endpoints: where it has interfaces, one subnet a zone.
    pub subnet_ids: BTreeSet<Ref<Id>>,
    /// Interface endpoints: who may reach it.
    pub security_group_ids: BTreeSet<Ref<SecurityGroupId>>,
    /// Gateway endpoints: the tables that get a route to it.
    pub route_table_ids: BTreeSet<Ref<RouteTableId>>,
}

/// How an endpoint is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointType {
    /// By a route. S3 and DynamoDB; costs nothing.
    Gateway,
    /// By an interface in each subnet.
    Interface,
    /// Something that this kind does not make, in AWS's word: a gateway load balancer.
    Other(String),
}

impl Resource for VpcEndpoint {
    const TRAITS: Traits = Traits {
        immutable: &["vpc_id", "service_name", "endpoint_type"],
        ready: Poll::MINUTES.expecting(60),
        gone: Poll::MINUTES.expecting(60),
        not_yet: &[
            ("InvalidVpcId.NotFound", ""),
            ("InvalidVpcID.NotFound", ""),
            ("InvalidSubnetId.NotFound", ""),
            ("InvalidSubnetID.NotFound", ""),
            ("InvalidSecurityGroupId.NotFound", ""),
            ("InvalidGroup.NotFound", ""),
            ("InvalidRouteTableId.NotFound", ""),
            ("InvalidRouteTableID.NotFound", ""),
            // The attributes of the VPC were set a moment ago.
            ("InvalidParameter", "Enabling private DNS requires"),
            // Another endpoint for the service, in the act of being deleted.
            ("InvalidParameter", "conflicting DNS domain"),
            ("RouteAlreadyExists", ""),
        ],
        attached_by: &[("vpc_id", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeVpcEndpoints", "ec2:DescribeManagedPrefixLists"])],
            make: &[
                Allow::to(&["ec2:CreateVpcEndpoint"])
                    .on(&["ec2:{here}:vpc-endpoint/*"])
                    .for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateVpcEndpoint"])]),
                Allow::to(&["ec2:CreateVpcEndpoint"])
                    .on(&[
                        "ec2:{here}:vpc/*",
                        "ec2:{here}:route-table/*",
                        "ec2:{here}:security-group/*",
                        "ec2:{here}:subnet/*",
                    ])
                    .of_stack(),
                // The private names of an interface endpoint are a hosted zone of AWS:
                // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
                Allow::to(&["route53:AssociateVPCWithHostedZone"]).on(&["route53:::hostedzone/*"]),
                Allow::to(&["ec2:ModifyVpcEndpoint"]).on(&["ec2:{here}:*/*"]).of_stack(),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&["ec2:DeleteVpcEndpoints"]).on(&["ec2:{here}:*/*"]).of_stack()],
        },
        ..Traits::of("ec2.vpc_endpoint")
    };
    type Id = VpcEndpointId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateVpcEndpoint";
        let kind = match &self.endpoint_type {
            EndpointType::Gateway => VpcEndpointType::Gateway,
            EndpointType::Interface => VpcEndpointType::Interface,
            EndpointType::Other(word) => {
                return Err(Error::invalid(
                    &self.service_name,
                    format!("cannot make a {word} endpoint"),
                ));
            }
        };
        let call = client!(aws, aws_sdk_ec2)
            .create_vpc_endpoint()
            .vpc_id(self.vpc_id.as_str())
            .service_name(&self.service_name)
            .vpc_endpoint_type(kind)
            .policy_document(self.policy.to_string())
            .private_dns_enabled(self.private_dns)
            .set_subnet_ids(names(&self.subnet_ids))
            .set_security_group_ids(names(&self.security_group_ids))
            .set_route_table_ids(names(&self.route_table_ids))
            .client_token(&new.token)
            .tag_specifications(specification(ResourceType::VpcEndpoint, &new.tags));
        let made = aws.call(action, call.send()).await?;
        let made = made.vpc_endpoint.ok_or_else(|| Error::incomplete(action, "the endpoint"))?;
        let found = read(aws, made)?;
        Ok(Live { spec: self.clone(), ..found }.with_tags(new.tags.clone()))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let action = "ec2:DescribeVpcEndpoints";
        let call = client!(aws, aws_sdk_ec2).describe_vpc_endpoints().vpc_endpoint_ids(&live.id);
        let found = aws.call(action, call.send()).await?.vpc_endpoints.unwrap_or_default().pop();
        let found = found.ok_or_else(|| Error::incomplete(action, "the endpoint"))?;
        let mut found = read(aws, found)?;
        if found.spec.endpoint_type == EndpointType::Gateway {
            found = with_prefix_list(found, &prefix_lists(aws).await?);
        }
        Ok(match found.status {
            Status::Ready => Readiness::Ready(found.outputs),
            Status::Pending(word) => Readiness::Pending(format!("status {word}")),
            Status::Failed(why) => Readiness::Failed(why),
            Status::Deleting => Readiness::Failed("it was deleted".into()),
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let old = &live.spec;
        let policy = changes.has("policy").then(|| self.policy.to_string());
        let private_dns = changes.has("private_dns").then_some(self.private_dns);
        let call = client!(aws, aws_sdk_ec2)
            .modify_vpc_endpoint()
            .vpc_endpoint_id(&live.id)
            .set_policy_document(policy)
            .set_private_dns_enabled(private_dns)
            .set_add_subnet_ids(added(&old.subnet_ids, &self.subnet_ids))
            .set_remove_subnet_ids(added(&self.subnet_ids, &old.subnet_ids))
            .set_add_security_group_ids(added(&old.security_group_ids, &self.security_group_ids))
            .set_remove_security_group_ids(added(&self.security_group_ids, &old.security_group_ids))
            .set_add_route_table_ids(added(&old.route_table_ids, &self.route_table_ids))
            .set_remove_route_table_ids(added(&self.route_table_ids, &old.route_table_ids));
        aws.call("ec2:ModifyVpcEndpoint", call.send()).await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let action = "ec2:DeleteVpcEndpoints";
        let call = client!(aws, aws_sdk_ec2).delete_vpc_endpoints().vpc_endpoint_ids(&live.id);
        let answer = aws.call(action, call.send()).await?;
        // The call works even when it does nothing.
        crate::refused(action, answer.unsuccessful.unwrap_or_default())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let call = client!(aws, aws_sdk_ec2).describe_vpc_endpoints().vpc_endpoint_ids(&live.id);
        let found = aws.find("ec2:DescribeVpcEndpoints", call.send()).await?;
        let endpoints = found.and_then(|found| found.vpc_endpoints).unwrap_or_default();
        Ok(endpoints.iter().all(|endpoint| state(endpoint) == "deleted"))
    }
}

fn names<M>(set: &BTreeSet<Ref<M>>) -> Option<Vec<String>> {
    (!set.is_empty()).then(|| set.iter().map(ToString::to_string).collect())
}

/// What `new` has and `old` has not.
fn added<M>(old: &BTreeSet<Ref<M>>, new: &BTreeSet<Ref<M>>) -> Option<Vec<String>> {
    names(&new.difference(old).cloned().collect())
}

async fn list(aws: &Aws) -> Result<Vec<Live<VpcEndpoint>>> {
    let action = "ec2:DescribeVpcEndpoints";
    let call = client!(aws, aws_sdk_ec2).describe_vpc_endpoints().into_paginator().items();
    let endpoints: Vec<Described> = aws.call(action, call.send().try_collect()).await?;
    let endpoints = endpoints.into_iter().filter(|one| state(one) != "deleted");
    let found: Vec<Live<VpcEndpoint>> =
        endpoints.map(|one| read(aws, one)).collect::<Result<_>>()?;
    if !found.iter().any(|live| live.spec.endpoint_type == EndpointType::Gateway) {
        return Ok(found);
    }
    let lists = prefix_lists(aws).await?;
    Ok(found.into_iter().map(|live| with_prefix_list(live, &lists)).collect())
}

/// The prefix lists that AWS keeps of its services' addresses: ids by the name of the service.
async fn prefix_lists(aws: &Aws) -> Result<BTreeMap<String, String>> {
    let call = client!(aws, aws_sdk_ec2).describe_managed_prefix_lists().into_paginator().items();
    let lists: Vec<ManagedPrefixList> =
        aws.call("ec2:DescribeManagedPrefixLists", call.send().try_collect()).await?;
    let pair = |list: ManagedPrefixList| Some((list.prefix_list_name?, list.prefix_list_id?));
    Ok(lists.into_iter().filter_map(pair).collect())
}

fn with_prefix_list(
    live: Live<VpcEndpoint>,
    lists: &BTreeMap<String, String>,
) -> Live<VpcEndpoint> {
    let gateway = live.spec.endpoint_type == EndpointType::Gateway;
    let list = lists.get(&live.spec.service_name).filter(|_| gateway).cloned();
    live.with_output("prefix_list_id", list)
}

/// AWS's word for the state, which it writes with a capital or without.
fn state(endpoint: &Described) -> String {
    endpoint.state.as_ref().map(|state| state.as_str().to_lowercase()).unwrap_or_default()
}

fn read(aws: &Aws, endpoint: Described) -> Result<Live<VpcEndpoint>> {
    let missing = |part| Error::incomplete("ec2:DescribeVpcEndpoints", part);
    let word = state(&endpoint);
    let status = match word.as_str() {
        "failed" | "rejected" | "expired" | "partial" => {
            let why = endpoint.last_error.as_ref().and_then(|error| error.message.clone());
            Status::Failed(why.or(endpoint.failure_reason).unwrap_or(word))
        }
        word => Status::by_word(word, &["available"], &[], &["deleting", "deleted"]),
    };
    let id = endpoint.vpc_endpoint_id.ok_or_else(|| missing("an endpoint's id"))?;
    let policy = endpoint.policy_document.unwrap_or_default();
    let endpoint_type = match endpoint.vpc_endpoint_type.as_ref().map(VpcEndpointType::as_str) {
        Some("Gateway") => EndpointType::Gateway,
        Some("Interface") => EndpointType::Interface,
        other => EndpointType::Other(other.unwrap_or_default().into()),
    };
    // Gateway load balancer endpoints and some others have no policy.
    let policy = if policy.is_empty() { Ok(Policy::default()) } else { Policy::parse(&policy) };
    fn refs<M>(ids: Option<Vec<String>>) -> BTreeSet<Ref<M>> {
        ids.unwrap_or_default().into_iter().map(Ref::from).collect()
    }
    let groups = endpoint.groups.unwrap_or_default().into_iter().filter_map(|group| group.group_id);
    let spec = VpcEndpoint {
        vpc_id: endpoint.vpc_id.unwrap_or_default().into(),
        service_name: endpoint.service_name.unwrap_or_default(),
        endpoint_type: endpoint_type.clone(),
        policy: policy.map_err(|why| Error::invalid(format!("the policy of {id}"), why))?,
        // Only interfaces have names; what is said of others means nothing.
        private_dns: endpoint_type == EndpointType::Interface
            && endpoint.private_dns_enabled.unwrap_or_default(),
        subnet_ids: refs(endpoint.subnet_ids),
        security_group_ids: groups.map(Ref::from).collect(),
        route_table_ids: refs(endpoint.route_table_ids),
    };
    let dns = endpoint.dns_entries.unwrap_or_default().into_iter().next();
    let arn = aws.arn("ec2", &format!("vpc-endpoint/{id}"));
    Ok(Live::new(id, spec)
        .with_arn(arn)
        .with_status(status)
        .with_output("dns_name", dns.and_then(|entry| entry.dns_name))
        .with_tags(from_ec2(endpoint.tags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn aws() -> Aws {
        let embedded = local::ControlPlane::in_memory().http_client();
        Aws::connect(engine::Target::Embedded(embedded), Some("us-east-1")).await.unwrap()
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_is_no_policy() {
        let shown = |policy: &str| {
            let shown = Described::builder().vpc_endpoint_id("vpce-1").state("Available".into());
            shown.vpc_endpoint_type(VpcEndpointType::Gateway).policy_document(policy).build()
        };
        assert!(read(&aws().await, shown("not JSON")).is_err());
        let live = read(&aws().await, shown(r#"{"Statement":[]}"#)).unwrap();
        assert_eq!(live.status, Status::Ready, "however AWS writes the word");
        assert_eq!(live.spec.endpoint_type, EndpointType::Gateway);
    }

    #[test]
    fn only_what_is_new_is_added() {
        let set = |ids: &[&str]| ids.iter().map(|&id| Ref::<Id>::from(id)).collect::<BTreeSet<_>>();
        assert_eq!(added(&set(&["a"]), &set(&["a", "b"])), Some(vec!["b".to_owned()]));
        assert_eq!(added(&set(&["a"]), &set(&["a"])), None);
    }
}
