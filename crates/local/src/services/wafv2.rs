//! WAF: web ACLs, what they guard, and their logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_wafv2::{model, wire};

use super::{apigateway, logs};
use crate::call::Call;
use crate::fault::Fault;
use crate::paging::page;

/// The largest capacity of a web ACL.
const CAPACITY: i64 = 5000;

/// AWS's managed rule groups, with what each takes of a web ACL's capacity.
const GROUPS: &[(&str, i64)] = &[
    ("AWSManagedRulesCommonRuleSet", 700),
    ("AWSManagedRulesAdminProtectionRuleSet", 100),
    ("AWSManagedRulesKnownBadInputsRuleSet", 200),
    ("AWSManagedRulesSQLiRuleSet", 200),
    ("AWSManagedRulesLinuxRuleSet", 200),
    ("AWSManagedRulesUnixRuleSet", 100),
    ("AWSManagedRulesWindowsRuleSet", 200),
    ("AWSManagedRulesPHPRuleSet", 100),
    ("AWSManagedRulesWordPressRuleSet", 100),
    ("AWSManagedRulesAmazonIpReputationList", 25),
    ("AWSManagedRulesAnonymousIpList", 50),
    ("AWSManagedRulesBotControlRuleSet", 50),
    ("AWSManagedRulesATPRuleSet", 50),
    ("AWSManagedRulesACFPRuleSet", 50),
    ("AWSManagedRulesAntiDDoSRuleSet", 50),
];

/// What WAF holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By ARN.
    pub acls: BTreeMap<String, Acl>,
    /// The web ACL that guards a resource, by the resource's ARN.
    pub associations: BTreeMap<String, String>,
    /// Logging configurations by the ARN of the web ACL.
    pub logging: BTreeMap<String, model::LoggingConfiguration>,
}

/// A web ACL.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Acl {
    /// Its attributes.
    pub acl: model::WebACL,
    /// `REGIONAL` or `CLOUDFRONT`.
    pub scope: String,
    /// The token of its present state.
    pub lock_token: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let body = call.request.body.clone();
    match call.target() {
        "CreateWebACL" => create(call, &body),
        "UpdateWebACL" => update(call, &body),
        "DeleteWebACL" => delete(call, &body),
        "GetWebACL" => {
            let input = wire::deserialize_get_web_a_c_l_request(&body)?;
            let found = match (&input.a_r_n, &input.id, &input.name, &input.scope) {
                (Some(arn), ..) => acl(call, arn)?,
                (None, Some(id), Some(name), Some(scope)) => named(call, id, name, scope)?,
                _ => return Err(invalid("an ARN, or a name, an id and a scope, are needed")),
            };
            Ok(wire::serialize_get_web_a_c_l_response(&model::GetWebACLResponse {
                application_integration_u_r_l: None,
                lock_token: Some(found.lock_token.clone()),
                web_a_c_l: Some(found.acl.clone()),
            }))
        }
        "ListWebACLs" => {
            let input = wire::deserialize_list_web_a_c_ls_request(&body)?;
            check_scope(call, &input.scope)?;
            let all = state(call).into_iter().flat_map(|state| state.acls.values());
            let all: Vec<_> = all.filter(|one| one.scope == input.scope).map(summary).collect();
            let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
            let (acls, next_marker) = page(all, input.next_marker.as_deref(), limit)
                .ok_or_else(|| invalid("the marker is not valid"))?;
            let answer = model::ListWebACLsResponse { next_marker, web_a_c_ls: Some(acls) };
            Ok(wire::serialize_list_web_a_c_ls_response(&answer))
        }
        "CheckCapacity" => {
            let input = wire::deserialize_check_capacity_request(&body)?;
            let capacity = Some(capacity(&input.rules)?);
            Ok(wire::serialize_check_capacity_response(&model::CheckCapacityResponse { capacity }))
        }
        "AssociateWebACL" => {
            let input = wire::deserialize_associate_web_a_c_l_request(&body)?;
            acl(call, &input.web_a_c_l_arn)?;
            require_guardable(call, &input.resource_arn)?;
            let associations = &mut call.region().wafv2.associations;
            associations.insert(input.resource_arn.clone(), input.web_a_c_l_arn.clone());
            apigateway::set_web_acl(call, &input.resource_arn, Some(&input.web_a_c_l_arn));
            Ok(wire::serialize_associate_web_a_c_l_response(&model::AssociateWebACLResponse {}))
        }
        "DisassociateWebACL" => {
            let input = wire::deserialize_disassociate_web_a_c_l_request(&body)?;
            require_guardable(call, &input.resource_arn)?;
            call.region().wafv2.associations.remove(&input.resource_arn);
            apigateway::set_web_acl(call, &input.resource_arn, None);
            let answer = model::DisassociateWebACLResponse {};
            Ok(wire::serialize_disassociate_web_a_c_l_response(&answer))
        }
        "GetWebACLForResource" => {
            let input = wire::deserialize_get_web_a_c_l_for_resource_request(&body)?;
            require_guardable(call, &input.resource_arn)?;
            let arn = state(call).and_then(|state| state.associations.get(&input.resource_arn));
            let web_a_c_l = match arn {
                Some(arn) => Some(acl(call, arn)?.acl.clone()),
                None => None,
            };
            let answer = model::GetWebACLForResourceResponse { web_a_c_l };
            Ok(wire::serialize_get_web_a_c_l_for_resource_response(&answer))
        }
        "ListResourcesForWebACL" => {
            let input = wire::deserialize_list_resources_for_web_a_c_l_request(&body)?;
            acl(call, &input.web_a_c_l_arn)?;
            let kind = input.resource_type.unwrap_or_else(|| "APPLICATION_LOAD_BALANCER".into());
            let part = match kind.as_str() {
                "API_GATEWAY" => ":/restapis/",
                "APPLICATION_LOAD_BALANCER" => ":loadbalancer/app/",
                _ => "no such resource here",
            };
            let all = state(call).into_iter().flat_map(|state| &state.associations);
            let guarded = all.filter(|(arn, by)| **by == input.web_a_c_l_arn && arn.contains(part));
            let resource_arns = Some(guarded.map(|(arn, _)| arn.clone()).collect());
            let answer = model::ListResourcesForWebACLResponse { resource_arns };
            Ok(wire::serialize_list_resources_for_web_a_c_l_response(&answer))
        }
        "PutLoggingConfiguration" => put_logging(call, &body),
        "GetLoggingConfiguration" => {
            let input = wire::deserialize_get_logging_configuration_request(&body)?;
            let found = state(call).and_then(|state| state.logging.get(&input.resource_arn));
            let found = found.cloned().ok_or_else(nonexistent)?;
            let answer =
                model::GetLoggingConfigurationResponse { logging_configuration: Some(found) };
            Ok(wire::serialize_get_logging_configuration_response(&answer))
        }
        "DeleteLoggingConfiguration" => {
            let input = wire::deserialize_delete_logging_configuration_request(&body)?;
            let removed = call.region().wafv2.logging.remove(&input.resource_arn);
            removed.ok_or_else(nonexistent)?;
            let answer = model::DeleteLoggingConfigurationResponse {};
            Ok(wire::serialize_delete_logging_configuration_response(&answer))
        }
        "ListLoggingConfigurations" => {
            let all = state(call).into_iter().flat_map(|state| state.logging.values().cloned());
            let answer = model::ListLoggingConfigurationsResponse {
                logging_configurations: Some(all.collect()),
                next_marker: None,
            };
            Ok(wire::serialize_list_logging_configurations_response(&answer))
        }
        "ListTagsForResource" => {
            let input = wire::deserialize_list_tags_for_resource_request(&body)?;
            let found = acl(call, &input.resource_a_r_n)?;
            let tags = found.tags.iter();
            let tags =
                tags.map(|(key, value)| model::Tag { key: key.clone(), value: value.clone() });
            let info = model::TagInfoForResource {
                resource_a_r_n: Some(input.resource_a_r_n.clone()),
                tag_list: Some(tags.collect()),
            };
            let answer = model::ListTagsForResourceResponse {
                next_marker: None,
                tag_info_for_resource: Some(info),
            };
            Ok(wire::serialize_list_tags_for_resource_response(&answer))
        }
        "TagResource" => {
            let input = wire::deserialize_tag_resource_request(&body)?;
            let tags = checked_tags(&input.tags)?;
            acl_mut(call, &input.resource_a_r_n)?.tags.extend(tags);
            Ok(wire::serialize_tag_resource_response(&model::TagResourceResponse {}))
        }
        "UntagResource" => {
            let input = wire::deserialize_untag_resource_request(&body)?;
            let found = acl_mut(call, &input.resource_a_r_n)?;
            for key in &input.tag_keys {
                found.tags.remove(key);
            }
            Ok(wire::serialize_untag_resource_response(&model::UntagResourceResponse {}))
        }
        other => Err(Fault::unknown_operation("wafv2", other)),
    }
}

fn state<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.account.region_if_any(call.region_name).map(|region| &*region.wafv2)
}

fn acl<'a>(call: &'a Call<'_>, arn: &str) -> Result<&'a Acl, Fault> {
    state(call).and_then(|state| state.acls.get(arn)).ok_or_else(nonexistent)
}

fn acl_mut<'a>(call: &'a mut Call<'_>, arn: &str) -> Result<&'a mut Acl, Fault> {
    acl(call, arn)?;
    call.region().wafv2.acls.get_mut(arn).ok_or_else(nonexistent)
}

fn named<'a>(call: &'a Call<'_>, id: &str, name: &str, scope: &str) -> Result<&'a Acl, Fault> {
    let mut all = state(call).into_iter().flat_map(|state| state.acls.values());
    all.find(|one| {
        one.acl.id.as_deref() == Some(id)
            && one.acl.name.as_deref() == Some(name)
            && one.scope == scope
    })
    .ok_or_else(nonexistent)
}

fn nonexistent() -> Fault {
    Fault::new(
        "WAFNonexistentItemException",
        "AWS WAF couldn\u{2019}t perform the operation because your resource doesn\u{2019}t exist.",
    )
}

fn invalid(why: impl Into<String>) -> Fault {
    let why = why.into();
    Fault::new(
        "WAFInvalidParameterException",
        format!("Error reason: The parameter is not valid: {why}"),
    )
}

fn stale() -> Fault {
    Fault::new(
        "WAFOptimisticLockException",
        "AWS WAF couldn\u{2019}t save your changes because someone changed the resource after you \
         started to edit it. Reapply your changes.",
    )
}

fn check_scope(call: &Call<'_>, scope: &str) -> Result<(), Fault> {
    match scope {
        "REGIONAL" => Ok(()),
        "CLOUDFRONT" if call.region_name == "us-east-1" => Ok(()),
        _ => Err(invalid("The scope is not valid.")),
    }
}

fn checked_tags(tags: &[model::Tag]) -> Result<BTreeMap<String, String>, Fault> {
    let good = |tag: &model::Tag| {
        (1..=128).contains(&tag.key.len()) && tag.value.len() <= 256 && !tag.key.starts_with("aws:")
    };
    if tags.is_empty() || !tags.iter().all(good) {
        return Err(invalid("a tag is not valid"));
    }
    Ok(tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect())
}

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

fn check_visibility(config: &model::VisibilityConfig) -> Result<(), Fault> {
    let name = config.metric_name.as_str();
    let good = (1..=255).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_#:.-/".contains(&b));
    if good { Ok(()) } else { Err(invalid("the metric name is not valid")) }
}

/// What rules take of a web ACL's capacity; refused where a rule is not valid.
fn capacity(rules: &[model::Rule]) -> Result<i64, Fault> {
    let mut total = 0;
    let mut names = Vec::new();
    let mut priorities = Vec::new();
    for rule in rules {
        if !is_name(&rule.name) || names.contains(&&rule.name) {
            return Err(invalid(format!("the rule name {} is not valid", rule.name)));
        }
        if priorities.contains(&rule.priority) {
            return Err(invalid("rules need priorities that differ"));
        }
        names.push(&rule.name);
        priorities.push(rule.priority);
        check_visibility(&rule.visibility_config)?;
        let is_group = rule.statement.managed_rule_group_statement.is_some()
            || rule.statement.rule_group_reference_statement.is_some();
        if is_group != rule.override_action.is_some() || is_group == rule.action.is_some() {
            return Err(invalid(
                "A reference in your rule statement is not valid. A rule group takes an override \
                 action, any other rule an action.",
            ));
        }
        total += match (
            &rule.statement.managed_rule_group_statement,
            &rule.statement.rate_based_statement,
        ) {
            (Some(group), _) => {
                let known = GROUPS.iter().find(|(name, _)| *name == group.name);
                let known = known.filter(|_| group.vendor_name == "AWS");
                known.map(|(_, capacity)| *capacity).ok_or_else(|| {
                    Fault::new(
                        "WAFNonexistentItemException",
                        format!("The managed rule group {} doesn\u{2019}t exist.", group.name),
                    )
                })?
            }
            (_, Some(rate)) => {
                if !(10..=2_000_000_000).contains(&rate.limit) {
                    return Err(invalid("the rate limit must be 10 to 2000000000"));
                }
                let window = rate.evaluation_window_sec.unwrap_or(300);
                if ![60, 120, 300, 600].contains(&window) {
                    return Err(invalid("the evaluation window must be 60, 120, 300 or 600"));
                }
                2
            }
            _ => 10,
        };
    }
    if total > CAPACITY {
        return Err(Fault::new(
            "WAFLimitsExceededException",
            "AWS WAF couldn\u{2019}t perform the operation because you exceeded your resource \
             limit: web ACL capacity units.",
        ));
    }
    Ok(total)
}

fn check_default(action: &model::DefaultAction) -> Result<(), Fault> {
    if action.allow.is_some() == action.block.is_some() {
        return Err(invalid("the default action must be allow or block"));
    }
    Ok(())
}

/// The rules as AWS gives them back, with what it fills in.
fn stored(mut rules: Vec<model::Rule>) -> Vec<model::Rule> {
    for rule in &mut rules {
        if let Some(rate) = &mut rule.statement.rate_based_statement {
            rate.evaluation_window_sec.get_or_insert(300);
        }
    }
    rules.sort_by_key(|rule| rule.priority);
    rules
}

fn summary(one: &Acl) -> model::WebACLSummary {
    model::WebACLSummary {
        a_r_n: one.acl.a_r_n.clone(),
        description: Some(one.acl.description.clone().unwrap_or_default()),
        id: one.acl.id.clone(),
        lock_token: Some(one.lock_token.clone()),
        name: one.acl.name.clone(),
    }
}

fn create(call: &mut Call<'_>, body: &[u8]) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_create_web_a_c_l_request(body)?;
    check_scope(call, &input.scope)?;
    if !is_name(&input.name) {
        return Err(invalid("the name is not valid"));
    }
    check_default(&input.default_action)?;
    check_visibility(&input.visibility_config)?;
    let rules = stored(input.rules.unwrap_or_default());
    let capacity = capacity(&rules)?;
    let tags = match &input.tags {
        Some(tags) => checked_tags(tags)?,
        None => BTreeMap::new(),
    };
    let mut all = state(call).into_iter().flat_map(|state| state.acls.values());
    if all.any(|one| one.scope == input.scope && one.acl.name.as_ref() == Some(&input.name)) {
        return Err(Fault::new(
            "WAFDuplicateItemException",
            "AWS WAF couldn\u{2019}t perform the operation because some resource in your request \
             is a duplicate of an existing one.",
        ));
    }
    let id = call.new_uuid();
    let place = if input.scope == "REGIONAL" { "regional" } else { "global" };
    let arn = call.arn("wafv2", &format!("{place}/webacl/{}/{id}", input.name));
    let made = Acl {
        acl: model::WebACL {
            a_r_n: Some(arn.clone()),
            id: Some(id),
            label_namespace: Some(format!("awswaf:{}:webacl:{}:", call.account.id, input.name)),
            name: Some(input.name),
            description: Some(input.description.unwrap_or_default()),
            capacity: Some(capacity),
            default_action: Some(input.default_action),
            visibility_config: Some(input.visibility_config),
            rules: Some(rules),
            managed_by_firewall_manager: Some(false),
            association_config: input.association_config,
            captcha_config: input.captcha_config,
            challenge_config: input.challenge_config,
            custom_response_bodies: input.custom_response_bodies,
            token_domains: input.token_domains,
            ..Default::default()
        },
        scope: input.scope,
        lock_token: call.new_uuid(),
        tags,
    };
    let answer = model::CreateWebACLResponse { summary: Some(summary(&made)) };
    call.region().wafv2.acls.insert(arn, made);
    Ok(wire::serialize_create_web_a_c_l_response(&answer))
}

fn update(call: &mut Call<'_>, body: &[u8]) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_update_web_a_c_l_request(body)?;
    let found = named(call, &input.id, &input.name, &input.scope)?;
    if found.lock_token != input.lock_token {
        return Err(stale());
    }
    check_default(&input.default_action)?;
    check_visibility(&input.visibility_config)?;
    let rules = stored(input.rules.unwrap_or_default());
    let capacity = capacity(&rules)?;
    let arn = found.acl.a_r_n.clone().unwrap_or_default();
    let token = call.new_uuid();
    let kept = acl_mut(call, &arn)?;
    kept.lock_token.clone_from(&token);
    kept.acl.description = Some(input.description.unwrap_or_default());
    kept.acl.capacity = Some(capacity);
    kept.acl.default_action = Some(input.default_action);
    kept.acl.visibility_config = Some(input.visibility_config);
    kept.acl.rules = Some(rules);
    let answer = model::UpdateWebACLResponse { next_lock_token: Some(token) };
    Ok(wire::serialize_update_web_a_c_l_response(&answer))
}

fn delete(call: &mut Call<'_>, body: &[u8]) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_delete_web_a_c_l_request(body)?;
    let found = named(call, &input.id, &input.name, &input.scope)?;
    if found.lock_token != input.lock_token {
        return Err(stale());
    }
    let arn = found.acl.a_r_n.clone().unwrap_or_default();
    if state(call).is_some_and(|state| state.associations.values().any(|by| *by == arn)) {
        return Err(Fault::new(
            "WAFAssociatedItemException",
            "AWS WAF couldn\u{2019}t perform the operation because your resource is being used by \
             another resource or it\u{2019}s associated with another resource.",
        ));
    }
    call.region().wafv2.acls.remove(&arn);
    call.region().wafv2.logging.remove(&arn);
    Ok(wire::serialize_delete_web_a_c_l_response(&model::DeleteWebACLResponse {}))
}

/// That a web ACL can guard what an ARN names, and that it exists.
fn require_guardable(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    if arn.contains(":/restapis/") {
        return apigateway::stage_of(call, arn).map(|_| ()).ok_or_else(nonexistent);
    }
    if arn.starts_with(&call.arn("elasticloadbalancing", "loadbalancer/app/")) {
        let region = call.account.region_if_any(call.region_name);
        let exists =
            region.is_some_and(|it| it.elasticloadbalancing.load_balancers.contains_key(arn));
        return if exists { Ok(()) } else { Err(nonexistent()) };
    }
    Err(invalid(
        "The ARN isn't valid. A valid ARN begins with arn: and includes other information \
                 separated by colons or slashes., field: RESOURCE_ARN",
    ))
}

fn put_logging(call: &mut Call<'_>, body: &[u8]) -> Result<MockResponse, Fault> {
    let input = wire::deserialize_put_logging_configuration_request(body)?;
    let mut configuration = input.logging_configuration;
    acl(call, &configuration.resource_arn)?;
    let [destination] = configuration.log_destination_configs.as_slice() else {
        return Err(invalid("there must be one log destination"));
    };
    let group = call.arn("logs", "log-group:aws-waf-logs-");
    let stream = call.arn("firehose", "deliverystream/aws-waf-logs-");
    let bucket = "arn:aws:s3:::aws-waf-logs-";
    if destination.starts_with(&group) {
        logs::require_log_group(call, destination).map_err(|_| {
            Fault::new(
                "WAFLogDestinationPermissionIssueException",
                "Unable to deliver logs to the configured destination. You might need to grant \
                 log delivery permissions for the destination.",
            )
        })?;
    } else if !destination.starts_with(&stream) && !destination.starts_with(bucket) {
        return Err(invalid(format!(
            "The ARN isn't valid., field: LOG_DESTINATION, parameter: {destination}"
        )));
    }
    configuration.log_type.get_or_insert_with(|| "WAF_LOGS".into());
    configuration.log_scope.get_or_insert_with(|| "CUSTOMER".into());
    configuration.managed_by_firewall_manager = Some(false);
    let kept = configuration.clone();
    call.region().wafv2.logging.insert(configuration.resource_arn.clone(), kept);
    let answer =
        model::PutLoggingConfigurationResponse { logging_configuration: Some(configuration) };
    Ok(wire::serialize_put_logging_configuration_response(&answer))
}
