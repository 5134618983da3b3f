//! Elastic Load Balancing v2: load balancers, target groups, listeners. They forward nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_elasticloadbalancingv2::{model, wire};

use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;
use crate::policy::Principal;
use crate::services::ec2::interface;
use crate::services::{acm, ecs, s3};

/// What Elastic Load Balancing holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By ARN.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// By ARN.
    pub target_groups: BTreeMap<String, TargetGroup>,
    /// By ARN.
    pub listeners: BTreeMap<String, model::Listener>,
    /// Tags by ARN.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// A load balancer and what belongs to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// What DescribeLoadBalancers says.
    pub load_balancer: model::LoadBalancer,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its network interfaces.
    pub interfaces: Vec<String>,
}

/// A target group and what belongs to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TargetGroup {
    /// What DescribeTargetGroups says, save for the load balancers.
    pub target_group: model::TargetGroup,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// The TLS policies that speak 1.2 or later only, and the old default, which does not.
const TLS_POLICIES: &[(&str, &[&str])] = &[
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-3-2021-06", &["TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04", &["TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-1-2021-06", &["TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-0-2021-06", &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-FS-1-2-Res-2020-10", &["TLSv1.2"]),
    ("ELBSecurityPolicy-FS-1-2-Res-2019-08", &["TLSv1.2"]),
    ("ELBSecurityPolicy-FS-1-2-2019-08", &["TLSv1.2"]),
    ("ELBSecurityPolicy-FS-1-1-2019-08", &["TLSv1.1", "TLSv1.2"]),
    ("ELBSecurityPolicy-FS-2018-06", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", &["TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-2-2017-01", &["TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-1-2017-01", &["TLSv1.1", "TLSv1.2"]),
    ("ELBSecurityPolicy-2016-08", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-0-2015-04", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
];

/// What listeners with TLS get where none is named.
const DEFAULT_POLICY: &str = "ELBSecurityPolicy-2016-08";

/// The attributes of a new application load balancer.
const BALANCER_ATTRIBUTES: &[(&str, &str)] = &[
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.prefix", ""),
    ("connection_logs.s3.enabled", "false"),
    ("connection_logs.s3.bucket", ""),
    ("connection_logs.s3.prefix", ""),
    ("client_keep_alive.seconds", "3600"),
    ("deletion_protection.enabled", "false"),
    ("idle_timeout.timeout_seconds", "60"),
    ("load_balancing.cross_zone.enabled", "true"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
    ("routing.http.xff_client_port.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
    ("waf.fail_open.enabled", "false"),
    ("zonal_shift.config.enabled", "false"),
];

/// The attributes of a new target group.
const GROUP_ATTRIBUTES: &[(&str, &str)] = &[
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("stickiness.enabled", "false"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.type", "lb_cookie"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
];

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    match form.get("Action").map_or("", String::as_str) {
        "CreateLoadBalancer" => {
            let input = wire::deserialize_create_load_balancer_request(&form)?;
            create_load_balancer(call, input)
        }
        "DescribeLoadBalancers" => {
            let input = wire::deserialize_describe_load_balancers_request(&form)?;
            describe_load_balancers(call, input)
        }
        "DeleteLoadBalancer" => {
            let input = wire::deserialize_delete_load_balancer_request(&form)?;
            delete_load_balancer(call, &input.load_balancer_arn)
        }
        "DescribeLoadBalancerAttributes" => {
            let input = wire::deserialize_describe_load_balancer_attributes_request(&form)?;
            let found = balancer(call, &input.load_balancer_arn)?;
            Ok(wire::serialize_describe_load_balancer_attributes_response(
                &model::DescribeLoadBalancerAttributesOutput {
                    attributes: Some(balancer_attributes(&found.attributes)),
                },
            ))
        }
        "ModifyLoadBalancerAttributes" => {
            let input = wire::deserialize_modify_load_balancer_attributes_request(&form)?;
            modify_load_balancer_attributes(call, input)
        }
        "SetSubnets" => set_subnets(call, wire::deserialize_set_subnets_request(&form)?),
        "SetSecurityGroups" => {
            set_security_groups(call, wire::deserialize_set_security_groups_request(&form)?)
        }
        "CreateTargetGroup" => {
            create_target_group(call, wire::deserialize_create_target_group_request(&form)?)
        }
        "DescribeTargetGroups" => {
            describe_target_groups(call, wire::deserialize_describe_target_groups_request(&form)?)
        }
        "ModifyTargetGroup" => {
            modify_target_group(call, wire::deserialize_modify_target_group_request(&form)?)
        }
        "DeleteTargetGroup" => {
            let input = wire::deserialize_delete_target_group_request(&form)?;
            delete_target_group(call, &input.target_group_arn)
        }
        "DescribeTargetGroupAttributes" => {
            let input = wire::deserialize_describe_target_group_attributes_request(&form)?;
            let found = target_group(call, &input.target_group_arn)?;
            Ok(wire::serialize_describe_target_group_attributes_response(
                &model::DescribeTargetGroupAttributesOutput {
                    attributes: Some(group_attributes(&found.attributes)),
                },
            ))
        }
        "ModifyTargetGroupAttributes" => {
            let input = wire::deserialize_modify_target_group_attributes_request(&form)?;
            modify_target_group_attributes(call, input)
        }
        "DescribeTargetHealth" => {
            let input = wire::deserialize_describe_target_health_request(&form)?;
            describe_target_health(call, &input.target_group_arn)
        }
        "CreateListener" => {
            let mut input = wire::deserialize_create_listener_request(&form)?;
            complete(&form, &mut input.default_actions);
            create_listener(call, input)
        }
        "DescribeListeners" => {
            describe_listeners(call, wire::deserialize_describe_listeners_request(&form)?)
        }
        "ModifyListener" => {
            let mut input = wire::deserialize_modify_listener_request(&form)?;
            if let Some(actions) = &mut input.default_actions {
                complete(&form, actions);
            }
            modify_listener(call, input)
        }
        "DeleteListener" => {
            let input = wire::deserialize_delete_listener_request(&form)?;
            listener(call, &input.listener_arn)?;
            let state = &mut call.region().elasticloadbalancing;
            state.listeners.remove(&input.listener_arn);
            state.tags.remove(&input.listener_arn);
            Ok(wire::serialize_delete_listener_response(&model::DeleteListenerOutput {}))
        }
        "DescribeListenerCertificates" => {
            let input = wire::deserialize_describe_listener_certificates_request(&form)?;
            let mut certificates = listener(call, &input.listener_arn)?.certificates.clone();
            for one in certificates.iter_mut().flat_map(|list| &mut list.items) {
                one.is_default = Some(true);
            }
            Ok(wire::serialize_describe_listener_certificates_response(
                &model::DescribeListenerCertificatesOutput { certificates, next_marker: None },
            ))
        }
        "DescribeRules" => describe_rules(call, wire::deserialize_describe_rules_request(&form)?),
        "DescribeSSLPolicies" => {
            describe_policies(wire::deserialize_describe_s_s_l_policies_request(&form)?)
        }
        "AddTags" => {
            let input = wire::deserialize_add_tags_request(&form)?;
            for arn in &input.resource_arns.items {
                require_any(call, arn)?;
                let tags = call.region().elasticloadbalancing.tags.entry(arn.clone()).or_default();
                let new = input.tags.items.iter();
                tags.extend(
                    new.map(|tag| (tag.key.clone(), tag.value.clone().unwrap_or_default())),
                );
                if tags.len() > 50 {
                    return Err(Fault::new("TooManyTags", "The maximum number of tags is 50"));
                }
            }
            Ok(wire::serialize_add_tags_response(&model::AddTagsOutput {}))
        }
        "RemoveTags" => {
            let input = wire::deserialize_remove_tags_request(&form)?;
            for arn in &input.resource_arns.items {
                require_any(call, arn)?;
                let tags = call.region().elasticloadbalancing.tags.entry(arn.clone()).or_default();
                tags.retain(|key, _| !input.tag_keys.items.contains(key));
            }
            Ok(wire::serialize_remove_tags_response(&model::RemoveTagsOutput {}))
        }
        "DescribeTags" => describe_tags(call, wire::deserialize_describe_tags_request(&form)?),
        other => Err(Fault::unknown_operation("elasticloadbalancing", other)),
    }
}

/// What winterbaume's parser leaves out of actions: all that lies deeper than their own fields.
fn complete(form: &HashMap<String, String>, actions: &mut model::Actions) {
    for (at, action) in actions.items.iter_mut().enumerate() {
        let get = |key: &str| form.get(&format!("DefaultActions.member.{}.{key}", at + 1)).cloned();
        if let Some(status_code) = get("RedirectConfig.StatusCode") {
            action.redirect_config = Some(model::RedirectActionConfig {
                protocol: get("RedirectConfig.Protocol"),
                port: get("RedirectConfig.Port"),
                host: get("RedirectConfig.Host"),
                path: get("RedirectConfig.Path"),
                query: get("RedirectConfig.Query"),
                status_code,
            });
        }
        if let Some(status_code) = get("FixedResponseConfig.StatusCode") {
            action.fixed_response_config = Some(model::FixedResponseActionConfig {
                content_type: get("FixedResponseConfig.ContentType"),
                message_body: get("FixedResponseConfig.MessageBody"),
                status_code,
            });
        }
        if action.target_group_arn.is_none() {
            action.target_group_arn = get("ForwardConfig.TargetGroups.member.1.TargetGroupArn");
        }
    }
}

/// That a target group exists, has a load balancer, and takes the kind of target that ECS registers:
/// addresses for tasks with an interface of their own.
pub(crate) fn require_attached(call: &Call<'_>, arn: &str, addresses: bool) -> Result<(), Fault> {
    let invalid = |message: String| Err(Fault::new("InvalidParameterException", message));
    let Ok(found) = target_group(call, arn) else {
        return invalid(format!(
            "Unable to assume role and validate the specified targetGroupArn: the target group {arn} does not exist."
        ));
    };
    let target_type = found.target_group.target_type.as_deref().unwrap_or_default();
    if addresses && target_type != "ip" {
        return invalid(format!(
            "The provided target group {arn} has target type {target_type}, which is incompatible with the awsvpc network mode specified in the task definition."
        ));
    }
    if balancers_of(call, arn).is_empty() {
        return invalid(format!(
            "The target group with targetGroupArn {arn} does not have an associated load balancer."
        ));
    }
    Ok(())
}

fn held<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.region_if_any(call.region_name).map(|region| &*region.elasticloadbalancing)
}

fn balancer<'a>(call: &'a Call<'_>, arn: &str) -> Result<&'a LoadBalancer, Fault> {
    let found = held(call).and_then(|state| state.load_balancers.get(arn));
    found.ok_or_else(|| no_balancer(arn))
}

fn balancer_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut LoadBalancer, Fault> {
    balancer(call, arn)?;
    let found = call.region().elasticloadbalancing.load_balancers.get_mut(arn);
    found.ok_or_else(|| no_balancer(arn))
}

fn no_balancer(arn: &str) -> Fault {
    Fault::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"))
}

fn target_group<'a>(call: &'a Call<'_>, arn: &str) -> Result<&'a TargetGroup, Fault> {
    let found = held(call).and_then(|state| state.target_groups.get(arn));
    found.ok_or_else(|| no_group(arn))
}

fn target_group_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut TargetGroup, Fault> {
    target_group(call, arn)?;
    let found = call.region().elasticloadbalancing.target_groups.get_mut(arn);
    found.ok_or_else(|| no_group(arn))
}

fn no_group(arn: &str) -> Fault {
    Fault::new("TargetGroupNotFound", format!("Target groups '{arn}' not found"))
}

fn listener<'a>(call: &'a Call<'_>, arn: &str) -> Result<&'a model::Listener, Fault> {
    let found = held(call).and_then(|state| state.listeners.get(arn));
    found.ok_or_else(|| no_listener(arn))
}

fn no_listener(arn: &str) -> Fault {
    Fault::new("ListenerNotFound", format!("Listener '{arn}' not found"))
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}

fn require_any(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    if arn.contains(":targetgroup/") {
        target_group(call, arn).map(drop)
    } else if arn.contains(":listener/") {
        listener(call, arn).map(drop)
    } else {
        balancer(call, arn).map(drop)
    }
}

fn tags_of(tags: Option<model::TagList>) -> BTreeMap<String, String> {
    let pair = |tag: model::Tag| (tag.key, tag.value.unwrap_or_default());
    tags.unwrap_or_default().items.into_iter().map(pair).collect()
}

fn check_name(name: &str, what: &str) -> Result<(), Fault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() {
        return Err(validation(format!("{what} name must not be empty")));
    }
    if name.len() > 32 {
        return Err(validation(format!(
            "{what} name '{name}' cannot be longer than '32' characters"
        )));
    }
    if !name.bytes().all(plain) {
        return Err(validation(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(validation(format!("{what} name '{name}' cannot begin or end with '-'")));
    }
    if what == "Load balancer" && name.starts_with("internal-") {
        return Err(validation(format!("{what} name '{name}' cannot begin with 'internal-'")));
    }
    Ok(())
}

/// Zones and VPC of subnets, one for each zone, two at least.
fn zones(
    call: &Call<'_>,
    subnets: &[String],
) -> Result<(Vec<model::AvailabilityZone>, String), Fault> {
    let ec2 = call.region_if_any(call.region_name).map(|region| &*region.ec2);
    let mut zones = Vec::new();
    let mut names = BTreeSet::new();
    let mut vpcs = BTreeSet::new();
    for id in subnets {
        let subnet = ec2.and_then(|ec2| ec2.subnets.get(id)).ok_or_else(|| {
            Fault::new("SubnetNotFound", format!("The subnet ID '{id}' does not exist"))
        })?;
        let zone = subnet.availability_zone.clone().unwrap_or_default();
        vpcs.insert(subnet.vpc_id.clone().unwrap_or_default());
        if !names.insert(zone.clone()) {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
        zones.push(model::AvailabilityZone {
            subnet_id: Some(id.clone()),
            zone_name: Some(zone),
            ..Default::default()
        });
    }
    if names.len() < 2 {
        return Err(validation(
            "At least two subnets in two different Availability Zones must be specified",
        ));
    }
    let mut vpcs = vpcs.into_iter();
    match (vpcs.next(), vpcs.next()) {
        (Some(vpc), None) => Ok((zones, vpc)),
        _ => Err(Fault::new(
            "InvalidConfigurationRequest",
            "All subnets must belong to the same VPC",
        )),
    }
}

fn check_groups(call: &Call<'_>, groups: &[String], vpc: &str) -> Result<(), Fault> {
    let ec2 = call.region_if_any(call.region_name).map(|region| &*region.ec2);
    for id in groups {
        let group = ec2.and_then(|ec2| ec2.security_groups.get(id)).ok_or_else(|| {
            Fault::new("InvalidSecurityGroup", format!("The security group '{id}' does not exist"))
        })?;
        if group.vpc_id.as_deref() != Some(vpc) {
            let message = "One or more security groups are invalid";
            return Err(Fault::new("InvalidConfigurationRequest", message));
        }
    }
    Ok(())
}

fn create_load_balancer(
    call: &mut Call<'_>,
    input: model::CreateLoadBalancerInput,
) -> Result<MockResponse, Fault> {
    let name = input.name;
    check_name(&name, "Load balancer")?;
    let kind = input.r#type.unwrap_or_else(|| "application".into());
    if kind != "application" {
        return Err(validation(format!(
            "the embedded control plane has no load balancers of type {kind}"
        )));
    }
    let scheme = input.scheme.unwrap_or_else(|| "internet-facing".into());
    let subnets = input.subnets.unwrap_or_default().items;
    let (zones, vpc) = zones(call, &subnets)?;
    let groups = input.security_groups.unwrap_or_default().items;
    check_groups(call, &groups, &vpc)?;
    let tags = tags_of(input.tags);
    let same_name = |one: &&LoadBalancer| {
        one.load_balancer.load_balancer_name.as_deref() == Some(name.as_str())
    };
    let existing = held(call).and_then(|state| state.load_balancers.values().find(same_name));
    if let Some(existing) = existing {
        let one = &existing.load_balancer;
        let arn = one.load_balancer_arn.clone().unwrap_or_default();
        let before = one.availability_zones.iter().flat_map(|zones| &zones.items);
        let before: BTreeSet<_> = before.filter_map(|zone| zone.subnet_id.clone()).collect();
        let their_tags = held(call).and_then(|state| state.tags.get(&arn));
        let same = one.scheme.as_ref() == Some(&scheme)
            && before == subnets.iter().cloned().collect()
            && their_tags == Some(&tags);
        if !same {
            return Err(Fault::new(
                "DuplicateLoadBalancerName",
                format!(
                    "A load balancer with the same name '{name}' exists, but with different settings"
                ),
            ));
        }
        let load_balancer = balancer_view(call, &arn)?;
        return Ok(created(load_balancer));
    }
    let suffix = call.random_hex(16);
    let arn = call.arn("elasticloadbalancing", &format!("loadbalancer/app/{name}/{suffix}"));
    let number: u64 = u64::from_str_radix(&call.random_hex(8), 16).unwrap_or_default();
    let prefix = if scheme == "internal" { "internal-" } else { "" };
    let load_balancer = model::LoadBalancer {
        load_balancer_arn: Some(arn.clone()),
        load_balancer_name: Some(name.clone()),
        d_n_s_name: Some(format!(
            "{prefix}{name}-{number:010}.{}.elb.amazonaws.com",
            call.region_name
        )),
        canonical_hosted_zone_id: Some("Z35SXDOTRQ7X7K".into()),
        created_time: Some(call.iso8601()),
        scheme: Some(scheme),
        r#type: Some(kind),
        vpc_id: Some(vpc),
        availability_zones: Some(model::AvailabilityZones { items: zones }),
        security_groups: Some(model::SecurityGroups { items: groups.clone() }),
        ip_address_type: Some(input.ip_address_type.unwrap_or_else(|| "ipv4".into())),
        ..Default::default()
    };
    let interfaces = interfaces(call, &name, &suffix, &subnets, &groups)?;
    let one = LoadBalancer { load_balancer, attributes: defaults(BALANCER_ATTRIBUTES), interfaces };
    let state = &mut call.region().elasticloadbalancing;
    state.load_balancers.insert(arn.clone(), one);
    state.tags.insert(arn.clone(), tags);
    call.begin("elbv2.load_balancer", &arn);
    let load_balancer = balancer_view(call, &arn)?;
    Ok(created(load_balancer))
}

fn created(load_balancer: model::LoadBalancer) -> MockResponse {
    wire::serialize_create_load_balancer_response(&model::CreateLoadBalancerOutput {
        load_balancers: Some(model::LoadBalancers { items: vec![load_balancer] }),
    })
}

fn interfaces(
    call: &mut Call<'_>,
    name: &str,
    suffix: &str,
    subnets: &[String],
    groups: &[String],
) -> Result<Vec<String>, Fault> {
    let description = format!("ELB app/{name}/{suffix}");
    let mut ids = Vec::new();
    for subnet in subnets {
        let placed = interface::place(call, subnet, groups, "interface", &description)?;
        ids.extend(placed.network_interface_id);
    }
    Ok(ids)
}

/// Moves the interfaces to where a load balancer is now.
fn place_again(call: &mut Call<'_>, arn: &str) -> Result<(), Fault> {
    let one = balancer(call, arn)?.clone();
    interface::remove(call, &one.interfaces);
    let zones = one.load_balancer.availability_zones.unwrap_or_default().items;
    let subnets: Vec<String> = zones.into_iter().filter_map(|zone| zone.subnet_id).collect();
    let groups = one.load_balancer.security_groups.unwrap_or_default().items;
    let name = one.load_balancer.load_balancer_name.unwrap_or_default();
    let suffix = arn.rsplit('/').next().unwrap_or_default();
    let ids = interfaces(call, &name, suffix, &subnets, &groups)?;
    balancer_mut(call, arn)?.interfaces = ids;
    Ok(())
}

fn balancer_view(call: &mut Call<'_>, arn: &str) -> Result<model::LoadBalancer, Fault> {
    let mut one = balancer(call, arn)?.load_balancer.clone();
    let code = if call.is_ready("elbv2.load_balancer", arn) { "active" } else { "provisioning" };
    one.state = Some(model::LoadBalancerState { code: Some(code.into()), ..Default::default() });
    Ok(one)
}

fn describe_load_balancers(
    call: &mut Call<'_>,
    input: model::DescribeLoadBalancersInput,
) -> Result<MockResponse, Fault> {
    let arns = input.load_balancer_arns.unwrap_or_default().items;
    let names = input.names.unwrap_or_default().items;
    for arn in &arns {
        balancer(call, arn)?;
    }
    let all: Vec<(String, String)> = held(call)
        .map(|state| state.load_balancers.iter())
        .into_iter()
        .flatten()
        .map(|(arn, one)| {
            (arn.clone(), one.load_balancer.load_balancer_name.clone().unwrap_or_default())
        })
        .collect();
    for name in &names {
        if !all.iter().any(|(_, known)| known == name) {
            return Err(Fault::new(
                "LoadBalancerNotFound",
                format!("Load balancers '[{name}]' not found"),
            ));
        }
    }
    let wanted = all.into_iter().filter(|(arn, name)| {
        (arns.is_empty() || arns.contains(arn)) && (names.is_empty() || names.contains(name))
    });
    let wanted = wanted.map(|(arn, _)| arn).collect();
    let (arns, next_marker) = paged(wanted, input.marker.as_deref(), input.page_size)?;
    let mut items = Vec::new();
    for arn in arns {
        items.push(balancer_view(call, &arn)?);
    }
    Ok(wire::serialize_describe_load_balancers_response(&model::DescribeLoadBalancersOutput {
        load_balancers: Some(model::LoadBalancers { items }),
        next_marker,
    }))
}

fn paged<T>(
    items: Vec<T>,
    marker: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.and_then(|limit| limit.try_into().ok()).unwrap_or(400);
    page(items, marker, limit).ok_or_else(|| validation("The marker is not valid"))
}

fn delete_load_balancer(call: &mut Call<'_>, arn: &str) -> Result<MockResponse, Fault> {
    // AWS takes the deletion of what does not exist for done.
    if let Ok(one) = balancer(call, arn).cloned() {
        if one.attributes.get("deletion_protection.enabled").is_some_and(|on| on == "true") {
            return Err(Fault::new(
                "OperationNotPermitted",
                format!(
                    "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
                ),
            ));
        }
        // Nobody finds it any more; its interfaces stay for a while.
        interface::leave(call, "elbv2.load_balancer.deletion", &one.interfaces);
        let state = &mut call.region().elasticloadbalancing;
        state.load_balancers.remove(arn);
        state.tags.remove(arn);
        let of = |one: &model::Listener| one.load_balancer_arn.as_deref() == Some(arn);
        let listeners: Vec<String> = state
            .listeners
            .iter()
            .filter(|(_, one)| of(one))
            .map(|(listener, _)| listener.clone())
            .collect();
        for listener in listeners {
            state.listeners.remove(&listener);
            state.tags.remove(&listener);
        }
    }
    Ok(wire::serialize_delete_load_balancer_response(&model::DeleteLoadBalancerOutput {}))
}

fn defaults(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn balancer_attributes(all: &BTreeMap<String, String>) -> model::LoadBalancerAttributes {
    let one = |(key, value): (&String, &String)| model::LoadBalancerAttribute {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    model::LoadBalancerAttributes { items: all.iter().map(one).collect() }
}

fn group_attributes(all: &BTreeMap<String, String>) -> model::TargetGroupAttributes {
    let one = |(key, value): (&String, &String)| model::TargetGroupAttribute {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    model::TargetGroupAttributes { items: all.iter().map(one).collect() }
}

fn modify_load_balancer_attributes(
    call: &mut Call<'_>,
    input: model::ModifyLoadBalancerAttributesInput,
) -> Result<MockResponse, Fault> {
    let arn = input.load_balancer_arn;
    let mut all = balancer(call, &arn)?.attributes.clone();
    for one in input.attributes.items {
        let (key, value) = (one.key.unwrap_or_default(), one.value.unwrap_or_default());
        if !all.contains_key(&key) {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                format!("Load balancer attribute key '{key}' is not recognized"),
            ));
        }
        let good = match key.as_str() {
            "routing.http.desync_mitigation_mode" => {
                matches!(value.as_str(), "monitor" | "defensive" | "strictest")
            }
            "idle_timeout.timeout_seconds" => {
                value.parse().is_ok_and(|seconds| (1..=4000).contains(&seconds))
            }
            _ if key.ends_with(".enabled") => matches!(value.as_str(), "true" | "false"),
            _ => true,
        };
        if !good {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                format!("The value '{value}' is not valid for load balancer attribute '{key}'"),
            ));
        }
        all.insert(key, value);
    }
    if all.get("access_logs.s3.enabled").is_some_and(|on| on == "true") {
        let get = |key: &str| all.get(key).cloned().unwrap_or_default();
        check_log_bucket(call, &get("access_logs.s3.bucket"), &get("access_logs.s3.prefix"))?;
    }
    balancer_mut(call, &arn)?.attributes = all.clone();
    Ok(wire::serialize_modify_load_balancer_attributes_response(
        &model::ModifyLoadBalancerAttributesOutput { attributes: Some(balancer_attributes(&all)) },
    ))
}

/// AWS writes a test object when access logs are switched on.
fn check_log_bucket(call: &Call<'_>, bucket: &str, prefix: &str) -> Result<(), Fault> {
    let refuse = |message: String| Err(Fault::new("InvalidConfigurationRequest", message));
    if bucket.is_empty() {
        return refuse("The access log bucket name must be specified".into());
    }
    if s3::require_bucket(call, bucket).is_err() {
        return refuse(format!("The S3 bucket '{bucket}' does not exist"));
    }
    if prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains("AWSLogs") {
        return refuse(
            "The access log prefix must not begin or end with '/' or contain 'AWSLogs'".into(),
        );
    }
    let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let object = format!("{folder}AWSLogs/{}/ELBAccessLogTestFile", call.account_id());
    let context = BTreeMap::from([("aws:SourceAccount", call.account_id())]);
    // Which of them writes depends on how old the region is; policies may name either.
    let writers = [
        Principal::Service("logdelivery.elasticloadbalancing.amazonaws.com"),
        Principal::Arn("arn:aws:iam::127311923021:root"),
    ];
    let may = |who| s3::policy_allows(call, bucket, who, "s3:PutObject", &object, &context);
    if writers.into_iter().any(may) {
        return Ok(());
    }
    refuse(format!("Access Denied for bucket: {bucket}. Please check S3bucket permission"))
}

fn set_subnets(call: &mut Call<'_>, input: model::SetSubnetsInput) -> Result<MockResponse, Fault> {
    let arn = input.load_balancer_arn;
    let vpc = balancer(call, &arn)?.load_balancer.vpc_id.clone();
    let (zones, found) = zones(call, &input.subnets.unwrap_or_default().items)?;
    if Some(found) != vpc {
        return Err(Fault::new(
            "InvalidConfigurationRequest",
            "Subnets must belong to the same VPC",
        ));
    }
    let zones = Some(model::AvailabilityZones { items: zones });
    balancer_mut(call, &arn)?.load_balancer.availability_zones = zones.clone();
    place_again(call, &arn)?;
    Ok(wire::serialize_set_subnets_response(&model::SetSubnetsOutput {
        availability_zones: zones,
        ..Default::default()
    }))
}

fn set_security_groups(
    call: &mut Call<'_>,
    input: model::SetSecurityGroupsInput,
) -> Result<MockResponse, Fault> {
    let arn = input.load_balancer_arn;
    let vpc = balancer(call, &arn)?.load_balancer.vpc_id.clone().unwrap_or_default();
    check_groups(call, &input.security_groups.items, &vpc)?;
    balancer_mut(call, &arn)?.load_balancer.security_groups = Some(input.security_groups.clone());
    place_again(call, &arn)?;
    Ok(wire::serialize_set_security_groups_response(&model::SetSecurityGroupsOutput {
        security_group_ids: Some(input.security_groups),
        ..Default::default()
    }))
}

fn create_target_group(
    call: &mut Call<'_>,
    input: model::CreateTargetGroupInput,
) -> Result<MockResponse, Fault> {
    let name = input.name;
    check_name(&name, "Target group")?;
    let required = |what: &str| validation(format!("A {what} must be specified"));
    let protocol = input.protocol.ok_or_else(|| required("protocol"))?;
    let port = input.port.ok_or_else(|| required("port"))?;
    let vpc = input.vpc_id.ok_or_else(|| required("VPC ID"))?;
    let ec2 = call.region_if_any(call.region_name).map(|region| &*region.ec2);
    if ec2.is_none_or(|ec2| !ec2.vpcs.contains_key(&vpc)) {
        return Err(validation(format!("The VPC ID '{vpc}' is not found")));
    }
    if !matches!(protocol.as_str(), "HTTP" | "HTTPS") {
        return Err(validation(format!(
            "the embedded control plane has no target groups of {protocol}"
        )));
    }
    let target_type = input.target_type.unwrap_or_else(|| "instance".into());
    let same_name =
        |one: &&TargetGroup| one.target_group.target_group_name.as_deref() == Some(name.as_str());
    let existing =
        held(call).and_then(|state| state.target_groups.values().find(same_name)).cloned();
    if let Some(existing) = existing {
        let one = existing.target_group;
        let arn = one.target_group_arn.clone().unwrap_or_default();
        let same = one.protocol.as_ref() == Some(&protocol)
            && one.port == Some(port)
            && one.vpc_id.as_ref() == Some(&vpc)
            && one.target_type.as_ref() == Some(&target_type)
            && held(call).and_then(|state| state.tags.get(&arn)) == Some(&tags_of(input.tags));
        if !same {
            return Err(Fault::new(
                "DuplicateTargetGroupName",
                format!(
                    "A target group with the same name '{name}' exists, but with different settings"
                ),
            ));
        }
        return Ok(wire::serialize_create_target_group_response(&model::CreateTargetGroupOutput {
            target_groups: Some(model::TargetGroups { items: vec![group_view(call, &arn)?] }),
        }));
    }
    let suffix = call.random_hex(16);
    let arn = call.arn("elasticloadbalancing", &format!("targetgroup/{name}/{suffix}"));
    let target_group = model::TargetGroup {
        target_group_arn: Some(arn.clone()),
        target_group_name: Some(name),
        health_check_protocol: Some(
            input.health_check_protocol.unwrap_or_else(|| protocol.clone()),
        ),
        protocol: Some(protocol),
        protocol_version: Some(input.protocol_version.unwrap_or_else(|| "HTTP1".into())),
        port: Some(port),
        vpc_id: Some(vpc),
        target_type: Some(target_type),
        ip_address_type: Some(input.ip_address_type.unwrap_or_else(|| "ipv4".into())),
        health_check_enabled: Some(input.health_check_enabled.unwrap_or(true)),
        health_check_port: Some(input.health_check_port.unwrap_or_else(|| "traffic-port".into())),
        health_check_path: Some(input.health_check_path.unwrap_or_else(|| "/".into())),
        health_check_interval_seconds: Some(input.health_check_interval_seconds.unwrap_or(30)),
        health_check_timeout_seconds: Some(input.health_check_timeout_seconds.unwrap_or(5)),
        healthy_threshold_count: Some(input.healthy_threshold_count.unwrap_or(5)),
        unhealthy_threshold_count: Some(input.unhealthy_threshold_count.unwrap_or(2)),
        matcher: Some(
            input
                .matcher
                .unwrap_or(model::Matcher { http_code: Some("200".into()), ..Default::default() }),
        ),
        ..Default::default()
    };
    check_health(&target_group)?;
    let attributes = defaults(GROUP_ATTRIBUTES);
    let tags = tags_of(input.tags);
    let state = &mut call.region().elasticloadbalancing;
    state.target_groups.insert(arn.clone(), TargetGroup { target_group, attributes });
    state.tags.insert(arn.clone(), tags);
    Ok(wire::serialize_create_target_group_response(&model::CreateTargetGroupOutput {
        target_groups: Some(model::TargetGroups { items: vec![group_view(call, &arn)?] }),
    }))
}

fn check_health(group: &model::TargetGroup) -> Result<(), Fault> {
    let outside = |value: Option<i32>, from: i32, to: i32| {
        value.is_some_and(|value| !(from..=to).contains(&value))
    };
    let refuse = |what: &str, from: i32, to: i32| {
        Err(validation(format!("{what} must be between '{from}' and '{to}'")))
    };
    if outside(group.health_check_interval_seconds, 5, 300) {
        return refuse("Health check interval", 5, 300);
    }
    if outside(group.health_check_timeout_seconds, 2, 120) {
        return refuse("Health check timeout", 2, 120);
    }
    if outside(group.healthy_threshold_count, 2, 10) {
        return refuse("Healthy threshold count", 2, 10);
    }
    if outside(group.unhealthy_threshold_count, 2, 10) {
        return refuse("Unhealthy threshold count", 2, 10);
    }
    if group.health_check_timeout_seconds >= group.health_check_interval_seconds {
        return Err(validation("Health check interval must be greater than the timeout."));
    }
    if !group.health_check_path.as_deref().unwrap_or_default().starts_with('/') {
        return Err(validation("Health check path must begin with '/'"));
    }
    if group.target_type.as_deref() != Some("lambda") && group.health_check_enabled == Some(false) {
        return Err(Fault::new(
            "InvalidConfigurationRequest",
            "Health check must be enabled for target groups with target type 'instance' and 'ip'",
        ));
    }
    let codes = group.matcher.as_ref().and_then(|matcher| matcher.http_code.as_deref());
    let code = |text: &str| text.parse().is_ok_and(|code: u16| (200..=499).contains(&code));
    let good = |part: &str| match part.split_once('-') {
        Some((from, to)) => code(from) && code(to),
        None => code(part),
    };
    if codes.is_some_and(|codes| !codes.split(',').all(good)) {
        return Err(validation("Health check matcher HTTP code must be within '200-499'"));
    }
    Ok(())
}

fn group_view(call: &Call<'_>, arn: &str) -> Result<model::TargetGroup, Fault> {
    let mut one = target_group(call, arn)?.target_group.clone();
    one.load_balancer_arns = Some(model::LoadBalancerArns { items: balancers_of(call, arn) });
    Ok(one)
}

/// The load balancers with a listener that forwards to a target group.
fn balancers_of(call: &Call<'_>, group: &str) -> Vec<String> {
    let listeners = held(call).map(|state| state.listeners.values()).into_iter().flatten();
    let using = listeners.filter(|one| forwards(one).any(|arn| arn == group));
    let arns: BTreeSet<String> = using.filter_map(|one| one.load_balancer_arn.clone()).collect();
    arns.into_iter().collect()
}

fn forwards(listener: &model::Listener) -> impl Iterator<Item = &str> {
    let actions = listener.default_actions.iter().flat_map(|actions| &actions.items);
    actions.filter_map(|action| action.target_group_arn.as_deref())
}

fn describe_target_groups(
    call: &mut Call<'_>,
    input: model::DescribeTargetGroupsInput,
) -> Result<MockResponse, Fault> {
    let arns = input.target_group_arns.unwrap_or_default().items;
    let names = input.names.unwrap_or_default().items;
    for arn in &arns {
        target_group(call, arn)?;
    }
    if let Some(arn) = &input.load_balancer_arn {
        balancer(call, arn)?;
    }
    let all: Vec<String> =
        held(call).map(|state| state.target_groups.keys().cloned().collect()).unwrap_or_default();
    let mut views = Vec::new();
    for arn in all {
        views.push(group_view(call, &arn)?);
    }
    for name in &names {
        if !views.iter().any(|one| one.target_group_name.as_ref() == Some(name)) {
            return Err(Fault::new("TargetGroupNotFound", "One or more target groups not found"));
        }
    }
    views.retain(|one| {
        let arn = one.target_group_arn.as_ref();
        let name = one.target_group_name.as_ref();
        let balancers = one.load_balancer_arns.as_ref();
        (arns.is_empty() || arn.is_some_and(|arn| arns.contains(arn)))
            && (names.is_empty() || name.is_some_and(|name| names.contains(name)))
            && input
                .load_balancer_arn
                .as_ref()
                .is_none_or(|wanted| balancers.is_some_and(|list| list.items.contains(wanted)))
    });
    let (items, next_marker) = paged(views, input.marker.as_deref(), input.page_size)?;
    Ok(wire::serialize_describe_target_groups_response(&model::DescribeTargetGroupsOutput {
        target_groups: Some(model::TargetGroups { items }),
        next_marker,
    }))
}

fn modify_target_group(
    call: &mut Call<'_>,
    input: model::ModifyTargetGroupInput,
) -> Result<MockResponse, Fault> {
    let arn = input.target_group_arn;
    let mut one = target_group(call, &arn)?.target_group.clone();
    one.health_check_enabled = input.health_check_enabled.or(one.health_check_enabled);
    one.health_check_interval_seconds =
        input.health_check_interval_seconds.or(one.health_check_interval_seconds);
    one.health_check_path = input.health_check_path.or(one.health_check_path);
    one.health_check_port = input.health_check_port.or(one.health_check_port);
    one.health_check_protocol = input.health_check_protocol.or(one.health_check_protocol);
    one.health_check_timeout_seconds =
        input.health_check_timeout_seconds.or(one.health_check_timeout_seconds);
    one.healthy_threshold_count = input.healthy_threshold_count.or(one.healthy_threshold_count);
    one.unhealthy_threshold_count =
        input.unhealthy_threshold_count.or(one.unhealthy_threshold_count);
    one.matcher = input.matcher.or(one.matcher);
    check_health(&one)?;
    target_group_mut(call, &arn)?.target_group = one;
    Ok(wire::serialize_modify_target_group_response(&model::ModifyTargetGroupOutput {
        target_groups: Some(model::TargetGroups { items: vec![group_view(call, &arn)?] }),
    }))
}

fn delete_target_group(call: &mut Call<'_>, arn: &str) -> Result<MockResponse, Fault> {
    if !balancers_of(call, arn).is_empty() || ecs::uses_target_group(call, arn) {
        return Err(Fault::new(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    let state = &mut call.region().elasticloadbalancing;
    state.target_groups.remove(arn);
    state.tags.remove(arn);
    Ok(wire::serialize_delete_target_group_response(&model::DeleteTargetGroupOutput {}))
}

fn modify_target_group_attributes(
    call: &mut Call<'_>,
    input: model::ModifyTargetGroupAttributesInput,
) -> Result<MockResponse, Fault> {
    let arn = input.target_group_arn;
    let mut all = target_group(call, &arn)?.attributes.clone();
    for one in input.attributes.items {
        let (key, value) = (one.key.unwrap_or_default(), one.value.unwrap_or_default());
        if !all.contains_key(&key) {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                format!("Target group attribute key '{key}' is not recognized"),
            ));
        }
        let good = match key.as_str() {
            "deregistration_delay.timeout_seconds" => {
                value.parse().is_ok_and(|seconds| (0..=3600).contains(&seconds))
            }
            "load_balancing.algorithm.type" => matches!(
                value.as_str(),
                "round_robin" | "least_outstanding_requests" | "weighted_random"
            ),
            "stickiness.enabled" => matches!(value.as_str(), "true" | "false"),
            _ => true,
        };
        if !good {
            return Err(validation(format!("'{key}' has the invalid value '{value}'")));
        }
        all.insert(key, value);
    }
    target_group_mut(call, &arn)?.attributes = all.clone();
    Ok(wire::serialize_modify_target_group_attributes_response(
        &model::ModifyTargetGroupAttributesOutput { attributes: Some(group_attributes(&all)) },
    ))
}

fn describe_target_health(call: &mut Call<'_>, arn: &str) -> Result<MockResponse, Fault> {
    target_group(call, arn)?;
    let attached = !balancers_of(call, arn).is_empty();
    let targets = ecs::targets(call, arn).into_iter();
    let items = targets.map(|(task, port)| model::TargetHealthDescription {
        health_check_port: Some(port.to_string()),
        target: Some(model::TargetDescription {
            id: task.address,
            port: Some(port),
            availability_zone: Some(task.zone),
            ..Default::default()
        }),
        target_health: Some(match attached {
            true => model::TargetHealth { state: Some("healthy".into()), ..Default::default() },
            false => model::TargetHealth {
                state: Some("unused".into()),
                reason: Some("Target.NotInUse".into()),
                description: Some(
                    "Target group is not configured to receive traffic from the load balancer"
                        .into(),
                ),
            },
        }),
        ..Default::default()
    });
    let items = items.collect();
    Ok(wire::serialize_describe_target_health_response(&model::DescribeTargetHealthOutput {
        target_health_descriptions: Some(model::TargetHealthDescriptions { items }),
    }))
}

/// What AWS checks of a listener on creation and after each change. What it fills in, too.
fn checked(call: &Call<'_>, mut one: model::Listener) -> Result<model::Listener, Fault> {
    let arn = one.load_balancer_arn.clone().unwrap_or_default();
    let port = one.port.ok_or_else(|| validation("A port must be specified"))?;
    if !(1..=65535).contains(&port) {
        return Err(validation(format!("'{port}' must be between 1 and 65535")));
    }
    let others = held(call).map(|state| state.listeners.values()).into_iter().flatten();
    let taken = others.filter(|other| other.listener_arn != one.listener_arn).any(|other| {
        other.load_balancer_arn.as_deref() == Some(arn.as_str()) && other.port == Some(port)
    });
    if taken {
        return Err(Fault::new(
            "DuplicateListener",
            "A listener already exists on this port for this load balancer",
        ));
    }
    let certificates = one.certificates.as_ref().map(|list| list.items.as_slice());
    match one.protocol.as_deref() {
        Some("HTTPS") => {
            let certificates = certificates.unwrap_or_default();
            let [certificate] = certificates else {
                return Err(Fault::new(
                    "CertificateNotFound",
                    "A certificate must be specified for HTTPS listeners",
                ));
            };
            let certificate = certificate.certificate_arn.as_deref().unwrap_or_default();
            require_certificate(call, certificate)?;
            let policy = one.ssl_policy.get_or_insert_with(|| DEFAULT_POLICY.into());
            if !TLS_POLICIES.iter().any(|(name, _)| name == policy) {
                return Err(Fault::new(
                    "SSLPolicyNotFound",
                    format!("SSL policy '{policy}' not found"),
                ));
            }
        }
        Some("HTTP") => {
            if certificates.is_some_and(|list| !list.is_empty()) || one.ssl_policy.is_some() {
                return Err(validation(
                    "A certificate or an SSL policy cannot be specified for HTTP listeners",
                ));
            }
        }
        Some(other) => {
            return Err(Fault::new(
                "UnsupportedProtocol",
                format!(
                    "Listener protocol '{other}' is not supported for load balancers of type 'application'"
                ),
            ));
        }
        None => return Err(validation("A protocol must be specified")),
    }
    let actions = one.default_actions.get_or_insert_default();
    if actions.items.is_empty() {
        return Err(validation("A default action must be specified"));
    }
    for (at, action) in actions.items.iter_mut().enumerate() {
        check_action(call, &arn, action, at + 1)?;
    }
    Ok(one)
}

fn require_certificate(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    acm::require_issued(call, arn).map_err(|fault| match fault.code.as_str() {
        "InvalidStateException" => Fault::new("UnsupportedCertificate", fault.message),
        _ => Fault::new("CertificateNotFound", format!("Certificate '{arn}' not found")),
    })
}

fn check_action(
    call: &Call<'_>,
    load_balancer: &str,
    action: &mut model::Action,
    at: usize,
) -> Result<(), Fault> {
    match action.r#type.as_str() {
        "forward" => {
            let arn = action.target_group_arn.take();
            let arn = arn.ok_or_else(|| validation("A target group ARN must be specified"))?;
            let group = target_group(call, &arn)?;
            let vpc = &balancer(call, load_balancer)?.load_balancer.vpc_id;
            if group.target_group.vpc_id != *vpc {
                return Err(Fault::new(
                    "InvalidConfigurationRequest",
                    "The target group and the load balancer must be in the same VPC",
                ));
            }
            if balancers_of(call, &arn).iter().any(|other| other != load_balancer) {
                return Err(Fault::new(
                    "TargetGroupAssociationLimit",
                    format!(
                        "The following target groups cannot be associated with more than one load balancer: {arn}"
                    ),
                ));
            }
            // AWS shows a single target group in both places.
            action.forward_config = Some(model::ForwardActionConfig {
                target_groups: Some(model::TargetGroupList {
                    items: vec![model::TargetGroupTuple {
                        target_group_arn: Some(arn.clone()),
                        weight: Some(1),
                    }],
                }),
                target_group_stickiness_config: Some(model::TargetGroupStickinessConfig {
                    enabled: Some(false),
                    ..Default::default()
                }),
            });
            action.target_group_arn = Some(arn);
        }
        "redirect" => {
            let redirect = action.redirect_config.as_mut();
            let redirect =
                redirect.ok_or_else(|| validation("A redirect config must be specified"))?;
            redirect.protocol.get_or_insert_with(|| "#{protocol}".into());
            redirect.port.get_or_insert_with(|| "#{port}".into());
            redirect.host.get_or_insert_with(|| "#{host}".into());
            redirect.path.get_or_insert_with(|| "/#{path}".into());
            redirect.query.get_or_insert_with(|| "#{query}".into());
        }
        "fixed-response" => {}
        other => {
            return Err(validation(format!(
                "1 validation error detected: Value '{other}' at 'defaultActions.{at}.member.type' failed to satisfy constraint: Member must satisfy enum value set: [authenticate-cognito, authenticate-oidc, fixed-response, forward, redirect]"
            )));
        }
    }
    action.order.get_or_insert(1);
    Ok(())
}

fn create_listener(
    call: &mut Call<'_>,
    input: model::CreateListenerInput,
) -> Result<MockResponse, Fault> {
    balancer(call, &input.load_balancer_arn)?;
    let suffix = call.random_hex(16);
    let arn = input.load_balancer_arn.replace(":loadbalancer/", ":listener/");
    let arn = format!("{arn}/{suffix}");
    let wanted = model::Listener {
        listener_arn: Some(arn.clone()),
        load_balancer_arn: Some(input.load_balancer_arn.clone()),
        port: input.port,
        protocol: input.protocol,
        ssl_policy: input.ssl_policy,
        certificates: input.certificates,
        default_actions: Some(input.default_actions),
        alpn_policy: input.alpn_policy,
        mutual_authentication: input.mutual_authentication,
    };
    let tags = tags_of(input.tags);
    let made = match checked(call, wanted.clone()) {
        Ok(made) => made,
        // The same listener again is no mistake.
        Err(fault) if fault.code == "DuplicateListener" => {
            let all = held(call).map(|state| state.listeners.values()).into_iter().flatten();
            let there = all.filter(|one| one.load_balancer_arn == wanted.load_balancer_arn);
            let mut there = there.filter(|one| one.port == wanted.port);
            let there = there.next().cloned();
            let there = there.ok_or_else(|| fault.clone())?;
            let their_arn = there.listener_arn.clone().unwrap_or_default();
            let same = there.protocol == wanted.protocol
                && forwards(&there).eq(forwards(&wanted))
                && held(call).and_then(|state| state.tags.get(&their_arn)) == Some(&tags);
            if !same {
                return Err(fault);
            }
            there
        }
        Err(fault) => return Err(fault),
    };
    let arn = made.listener_arn.clone().unwrap_or(arn);
    let state = &mut call.region().elasticloadbalancing;
    state.listeners.insert(arn.clone(), made.clone());
    state.tags.insert(arn, tags);
    Ok(wire::serialize_create_listener_response(&model::CreateListenerOutput {
        listeners: Some(model::Listeners { items: vec![made] }),
    }))
}

fn describe_listeners(
    call: &mut Call<'_>,
    input: model::DescribeListenersInput,
) -> Result<MockResponse, Fault> {
    let arns = input.listener_arns.unwrap_or_default().items;
    if input.load_balancer_arn.is_none() && arns.is_empty() {
        return Err(validation("You must specify either listener ARNs or a load balancer ARN"));
    }
    if let Some(arn) = &input.load_balancer_arn {
        balancer(call, arn)?;
    }
    for arn in &arns {
        listener(call, arn)?;
    }
    let all = held(call).map(|state| state.listeners.iter()).into_iter().flatten();
    let wanted = all.filter(|(arn, one)| {
        (arns.is_empty() || arns.contains(arn))
            && (input.load_balancer_arn.is_none()
                || one.load_balancer_arn == input.load_balancer_arn)
    });
    let wanted = wanted.map(|(_, one)| one.clone()).collect();
    let (items, next_marker) = paged(wanted, input.marker.as_deref(), input.page_size)?;
    Ok(wire::serialize_describe_listeners_response(&model::DescribeListenersOutput {
        listeners: Some(model::Listeners { items }),
        next_marker,
    }))
}

fn modify_listener(
    call: &mut Call<'_>,
    input: model::ModifyListenerInput,
) -> Result<MockResponse, Fault> {
    let mut one = listener(call, &input.listener_arn)?.clone();
    one.port = input.port.or(one.port);
    if input.protocol.as_deref() == Some("HTTP") {
        one.ssl_policy = None;
        one.certificates = None;
    }
    one.protocol = input.protocol.or(one.protocol);
    one.ssl_policy = input.ssl_policy.or(one.ssl_policy);
    one.certificates = input.certificates.or(one.certificates);
    one.default_actions = input.default_actions.or(one.default_actions);
    let one = checked(call, one)?;
    let state = &mut call.region().elasticloadbalancing;
    state.listeners.insert(input.listener_arn, one.clone());
    Ok(wire::serialize_modify_listener_response(&model::ModifyListenerOutput {
        listeners: Some(model::Listeners { items: vec![one] }),
    }))
}

/// Every listener has its default rule, and here no other.
fn describe_rules(
    call: &Call<'_>,
    input: model::DescribeRulesInput,
) -> Result<MockResponse, Fault> {
    let arn = input.listener_arn.ok_or_else(|| {
        validation("You must specify either listener rule ARNs or a listener ARN")
    })?;
    let one = listener(call, &arn)?;
    let suffix = arn.rsplit('/').next().unwrap_or_default();
    let rule = model::Rule {
        rule_arn: Some(format!("{}/{suffix}", arn.replace(":listener/", ":listener-rule/"))),
        priority: Some("default".into()),
        is_default: Some(true),
        actions: one.default_actions.clone(),
        ..Default::default()
    };
    Ok(wire::serialize_describe_rules_response(&model::DescribeRulesOutput {
        rules: Some(model::Rules { items: vec![rule] }),
        next_marker: None,
    }))
}

fn describe_policies(input: model::DescribeSSLPoliciesInput) -> Result<MockResponse, Fault> {
    let names = input.names.unwrap_or_default().items;
    for name in &names {
        if !TLS_POLICIES.iter().any(|(known, _)| known == name) {
            return Err(Fault::new("SSLPolicyNotFound", format!("SSL policy '{name}' not found")));
        }
    }
    let wanted = TLS_POLICIES
        .iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name));
    let policy = |(name, versions): &(&str, &[&str])| model::SslPolicy {
        name: Some((*name).into()),
        ssl_protocols: Some(model::SslProtocols {
            items: versions.iter().map(|version| (*version).into()).collect(),
        }),
        ..Default::default()
    };
    Ok(wire::serialize_describe_s_s_l_policies_response(&model::DescribeSSLPoliciesOutput {
        ssl_policies: Some(model::SslPolicies { items: wanted.map(policy).collect() }),
        next_marker: None,
    }))
}

fn describe_tags(call: &Call<'_>, input: model::DescribeTagsInput) -> Result<MockResponse, Fault> {
    let arns = input.resource_arns.items;
    if arns.len() > 20 {
        return Err(validation("Up to 20 resources can be specified"));
    }
    let mut items = Vec::new();
    for arn in arns {
        require_any(call, &arn)?;
        let tags = held(call).and_then(|state| state.tags.get(&arn)).into_iter().flatten();
        let tags =
            tags.map(|(key, value)| model::Tag { key: key.clone(), value: Some(value.clone()) });
        items.push(model::TagDescription {
            tags: Some(model::TagList { items: tags.collect() }),
            resource_arn: Some(arn),
        });
    }
    Ok(wire::serialize_describe_tags_response(&model::DescribeTagsOutput {
        tag_descriptions: Some(model::TagDescriptions { items }),
    }))
}
