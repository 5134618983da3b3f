//! `wafv2.web_acl`: the rules that requests must pass before they reach the API.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_wafv2::types::{
    AllowAction, BlockAction, CountAction, DefaultAction, FieldToMatch, LoggingConfiguration,
    ManagedRuleGroupStatement, NoneAction, OverrideAction, RateBasedStatement,
    RateBasedStatementAggregateKeyType, Rule as WafRule, RuleAction, Scope as WafScope,
    SingleHeader, Statement as WafStatement, VisibilityConfig, WebAcl as Description,
    WebAclSummary,
};
use aws_smithy_types::error::operation::BuildError;
use engine::vocabulary::{Id, LogGroupArn, WebAclArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Ref,
    Replacement, Resource, Result, Scope, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::tags::{from_waf, to_waf};

/// A web ACL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebAcl {
    /// Its name: letters, digits, `-`, `_`; up to 128 characters. Its metric has the same.
    pub name: String,
    /// `REGIONAL` (API stages, load balancers) or `CLOUDFRONT`.
    pub scope: String,
    /// A description. May be empty.
    pub description: String,
    /// What happens to requests that no rule stops: `ALLOW` or `BLOCK`.
    pub default_action: String,
    /// Its rules, by name.
    pub rules: BTreeMap<String, Rule>,
    /// Whether metrics are kept, of what its rules do as of what it does itself.
    pub metrics: bool,
    /// Whether AWS keeps samples of requests, paths and headers included, for three hours: of those that a rule
    /// stops, or of those that pass.
    pub sampled_requests: bool,
    /// Where requests are logged. Absent: nowhere.
    pub logging: Option<Logging>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The lowest comes first.
    pub priority: i32,
    /// What it looks for.
    pub statement: Statement,
    /// What it does with what it finds: `BLOCK`, `COUNT` or `ALLOW`; for a rule group, `BLOCK` means
    /// that each of its rules does what it says, but for those that are overridden, and `COUNT` that none
    /// stops anything. Empty where some are overridden and the others could not be read.
    pub action: String,
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statement {
    /// What a managed rule group looks for.
    ManagedRuleGroup {
        /// Whose it is: `AWS`.
        vendor: String,
        /// Its name: `AWSManagedRulesCommonRuleSet`.
        name: String,
        /// Its version. Absent: the vendor's default, which moves on.
        version: Option<String>,
    },
    /// Too many requests from one address.
    RateLimit {
        /// How many are allowed in a window, 10 to 2,000,000,000.
        limit: i64,
        /// The window: 60, 120, 300 or 600 seconds.
        window_seconds: i64,
        /// How requests are counted together: `IP`, `FORWARDED_IP`, `CUSTOM_KEYS` or `CONSTANT`.
        aggregate_by: String,
    },
    /// Something that this kind does not set, in the SDK's words.
    Other(String),
}

/// Where requests are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// A log group whose name begins with `aws-waf-logs-`.
    pub destination: Ref<LogGroupArn>,
    /// Headers that are not logged, in lower case: those that hold credentials.
    pub redacted_headers: BTreeSet<String>,
    /// What else is kept out, in the SDK's words: a filter that drops requests, other parts of a request. Such is
    /// read and not set.
    #[serde(default)]
    pub left_out: BTreeSet<String>,
}

impl Resource for WebAcl {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "scope"],
        late: &["logging"],
        replacement: Replacement::CreateFirst,
        // An association that has just ended counts for a while.
        gone: Poll::MINUTES,
        not_yet: &[
            // Somebody else changed it between our reading and writing: both are done again.
            ("WAFOptimisticLockException", ""),
            ("WAFUnavailableEntityException", ""),
            ("WAFServiceLinkedRoleErrorException", ""),
        ],
        permissions: Permissions {
            read: &[
                Allow::to(&["wafv2:ListWebACLs", "wafv2:DescribeManagedRuleGroup"]),
                Allow::to(&[
                    "wafv2:GetWebACL",
                    "wafv2:GetLoggingConfiguration",
                    "wafv2:ListTagsForResource",
                ])
                .on(&["wafv2:{here}:regional/webacl/{perhaps}/*"]),
            ],
            make: &[
                Allow::to(&["wafv2:CreateWebACL", "wafv2:UpdateWebACL"]).on(&[
                    "wafv2:{here}:regional/webacl/{name}/*",
                    "wafv2:{here}:regional/webacl/{successor}/*",
                    "wafv2:{here}:regional/managedruleset/*/*",
                ]),
                Allow::to(&["wafv2:PutLoggingConfiguration", "wafv2:TagResource"]).on(&[
                    "wafv2:{here}:regional/webacl/{name}/*",
                    "wafv2:{here}:regional/webacl/{successor}/*",
                ]),
                Allow::to(&["wafv2:DeleteLoggingConfiguration", "wafv2:UntagResource"])
                    .on(&[
                        "wafv2:{here}:regional/webacl/{name}/*",
                        "wafv2:{here}:regional/webacl/{successor}/*",
                    ])
                    .of_stack(),
                // https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
                Allow::to(&[
                    "logs:CreateLogDelivery",
                    "logs:DeleteLogDelivery",
                    "logs:PutResourcePolicy",
                    "logs:DescribeResourcePolicies",
                    "logs:DescribeLogGroups",
                ]),
            ],
            remove: &[Allow::to(&["wafv2:DeleteWebACL"])
                .on(&[
                    "wafv2:{here}:regional/webacl/{name}/*",
                    "wafv2:{here}:regional/webacl/{successor}/*",
                ])
                .of_stack()],
        },
        ..Traits::of("wafv2.web_acl")
    };
    type Id = Id;
    type Arn = WebAclArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "wafv2:CreateWebACL";
        let call = client!(aws, aws_sdk_wafv2)
            .create_web_acl()
            .name(&self.name)
            .scope(WafScope::from(self.scope.as_str()))
            .set_description(Some(self.description.clone()).filter(|text| !text.is_empty()))
            .default_action(self.default_action())
            .set_rules(Some(self.rules()?))
            .visibility_config(self.visibility(&self.name)?)
            .set_tags(Some(to_waf(&new.tags)?).filter(|tags| !tags.is_empty()));
        let made = aws.call(action, call.send()).await?;
        let summary = made.summary.and_then(|summary| Some((summary.id?, summary.arn?)));
        let (id, arn) = summary.ok_or_else(|| Error::incomplete(action, "an id and an ARN"))?;
        let spec = Self { logging: None, ..self.clone() };
        Ok(Live::new(id, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let rules = ["description", "default_action", "rules", "metrics", "sampled_requests"];
        if changes.any(&rules) {
            // The live name: a successor has another one than the stack declares.
            let name = &live.spec.name;
            let lock = lock_token(aws, live).await?;
            let call = client!(aws, aws_sdk_wafv2)
                .update_web_acl()
                .name(name)
                .scope(WafScope::from(live.spec.scope.as_str()))
                .id(&live.id)
                .lock_token(lock)
                .set_description(Some(self.description.clone()).filter(|text| !text.is_empty()))
                .default_action(self.default_action())
                .set_rules(Some(self.rules()?))
                .visibility_config(self.visibility(name)?);
            aws.call("wafv2:UpdateWebACL", call.send()).await?;
        }
        if changes.has("logging") {
            let arn = live.require_arn("wafv2:ListWebACLs")?;
            match &self.logging {
                Some(logging) => {
                    let call = client!(aws, aws_sdk_wafv2)
                        .put_logging_configuration()
                        .logging_configuration(logging.configuration(arn)?);
                    aws.call("wafv2:PutLoggingConfiguration", call.send()).await?;
                }
                None => {
                    let call = client!(aws, aws_sdk_wafv2)
                        .delete_logging_configuration()
                        .resource_arn(arn);
                    aws.find("wafv2:DeleteLoggingConfiguration", call.send()).await?;
                }
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let waf = client!(aws, aws_sdk_wafv2);
        let arn = live.require_arn("wafv2:ListWebACLs")?;
        if !put.is_empty() {
            let call = waf.tag_resource().resource_arn(arn).set_tags(Some(to_waf(put)?));
            aws.call("wafv2:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call = waf.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("wafv2:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_wafv2)
            .delete_web_acl()
            .name(&live.spec.name)
            .scope(WafScope::from(live.spec.scope.as_str()))
            .id(&live.id)
            .lock_token(lock_token(aws, live).await?);
        aws.call("wafv2:DeleteWebACL", call.send()).await?;
        Ok(())
    }
}

fn invalid(why: BuildError) -> Error {
    Error::invalid("a web ACL's rules", why)
}

impl WebAcl {
    fn default_action(&self) -> DefaultAction {
        match self.default_action.as_str() {
            "ALLOW" => DefaultAction::builder().allow(AllowAction::builder().build()).build(),
            _ => DefaultAction::builder().block(BlockAction::builder().build()).build(),
        }
    }

    fn visibility(&self, metric: &str) -> Result<VisibilityConfig> {
        VisibilityConfig::builder()
            .cloud_watch_metrics_enabled(self.metrics)
            .sampled_requests_enabled(self.sampled_requests)
            .metric_name(metric)
            .build()
            .map_err(invalid)
    }

    fn rules(&self) -> Result<Vec<WafRule>> {
        self.rules.iter().map(|(name, rule)| self.rule(name, rule)).collect()
    }

    fn rule(&self, name: &str, rule: &Rule) -> Result<WafRule> {
        let statement = WafStatement::builder();
        let built = WafRule::builder()
            .name(name)
            .priority(rule.priority)
            .visibility_config(self.visibility(name)?);
        let (statement, built) = match &rule.statement {
            Statement::ManagedRuleGroup { vendor, name, version } => {
                let group = ManagedRuleGroupStatement::builder()
                    .vendor_name(vendor)
                    .name(name)
                    .set_version(version.clone());
                let action = match rule.action.as_str() {
                    "COUNT" => OverrideAction::builder().count(CountAction::builder().build()),
                    _ => OverrideAction::builder().none(NoneAction::builder().build()),
                };
                let group = group.build().map_err(invalid)?;
                (
                    statement.managed_rule_group_statement(group),
                    built.override_action(action.build()),
                )
            }
            Statement::RateLimit { limit, window_seconds, aggregate_by } => {
                let key = RateBasedStatementAggregateKeyType::from(aggregate_by.as_str());
                let rate = RateBasedStatement::builder()
                    .limit(*limit)
                    .evaluation_window_sec(*window_seconds)
                    .aggregate_key_type(key);
                let action = match rule.action.as_str() {
                    "ALLOW" => RuleAction::builder().allow(AllowAction::builder().build()),
                    "COUNT" => RuleAction::builder().count(CountAction::builder().build()),
                    _ => RuleAction::builder().block(BlockAction::builder().build()),
                };
                let rate = rate.build().map_err(invalid)?;
                (statement.rate_based_statement(rate), built.action(action.build()))
            }
            Statement::Other(_) => {
                return Err(Error::invalid(name, "a rule of this form can only be read"));
            }
        };
        built.statement(statement.build()).build().map_err(invalid)
    }
}

impl Logging {
    fn configuration(&self, acl: &str) -> Result<LoggingConfiguration> {
        let redacted = self.redacted_headers.iter().map(|name| {
            let header = SingleHeader::builder().name(name).build()?;
            Ok(FieldToMatch::builder().single_header(header).build())
        });
        let redacted = redacted.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        LoggingConfiguration::builder()
            .resource_arn(acl)
            .log_destination_configs(self.destination.as_str())
            .set_redacted_fields(Some(redacted).filter(|fields| !fields.is_empty()))
            .build()
            .map_err(invalid)
    }
}

/// The token that says which state of the web ACL a change is meant for.
async fn lock_token(aws: &Aws, live: &Live<WebAcl>) -> Result<String> {
    let action = "wafv2:GetWebACL";
    let call = client!(aws, aws_sdk_wafv2)
        .get_web_acl()
        .name(&live.spec.name)
        .scope(WafScope::from(live.spec.scope.as_str()))
        .id(&live.id);
    let found = aws.call(action, call.send()).await?;
    found.lock_token.ok_or_else(|| Error::incomplete(action, "a lock token"))
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Live<WebAcl>>> {
    let reads = summaries(aws).await?.into_iter().map(|summary| read(aws, scope, summary));
    let found: Vec<Result<Live<WebAcl>>> =
        futures::stream::iter(reads).buffer_unordered(8).collect().await;
    found.into_iter().collect()
}

/// Every web ACL of the region, in short.
pub(crate) async fn summaries(aws: &Aws) -> Result<Vec<WebAclSummary>> {
    let mut summaries = Vec::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_wafv2)
            .list_web_acls()
            .scope(WafScope::Regional)
            .limit(100)
            .set_next_marker(next);
        let page = aws.call("wafv2:ListWebACLs", call.send()).await?;
        let last = page.web_acls.as_ref().is_none_or(Vec::is_empty);
        summaries.extend(page.web_acls.unwrap_or_default());
        // WAF gives a marker with the last page too; the page behind it is empty.
        next = page.next_marker.filter(|marker| !marker.is_empty() && !last);
        if next.is_none() {
            return Ok(summaries);
        }
    }
}

async fn read(aws: &Aws, scope: &Scope, summary: WebAclSummary) -> Result<Live<WebAcl>> {
    let (Some(id), Some(name), Some(arn)) = (summary.id, summary.name, summary.arn) else {
        return Err(Error::incomplete("wafv2:ListWebACLs", "an id, a name and an ARN"));
    };
    let spec = WebAcl {
        name: name.clone(),
        scope: "REGIONAL".into(),
        description: summary.description.unwrap_or_default(),
        default_action: String::new(),
        rules: BTreeMap::new(),
        metrics: false,
        sampled_requests: false,
        logging: None,
    };
    let mut live = Live::new(id.clone(), spec).with_arn(arn.clone());
    // Even the tags cost a call each.
    if !scope.may_be_ours(&name) {
        return Ok(live);
    }
    let tags = tags(aws, &arn).await?;
    if scope.wants(&tags) {
        let (rules, logging) = futures::join!(describe(aws, &id, &name), logging(aws, &arn));
        match rules {
            Ok(found) => {
                let softened = softened(aws, &found).await;
                take(&mut live.spec, found);
                for (name, action) in softened {
                    live.spec.rules.entry(name).and_modify(|rule| rule.action = action.into());
                }
            }
            Err(error) => {
                for field in ["default_action", "rules", "metrics", "sampled_requests"] {
                    live.read(field, Err::<(), _>(error.clone()), |_, ()| {});
                }
            }
        }
        live.read("logging", logging, |spec, logging| spec.logging = logging);
    }
    Ok(live.with_tags(tags))
}

async fn tags(aws: &Aws, arn: &str) -> Result<Tags> {
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_wafv2)
            .list_tags_for_resource()
            .resource_arn(arn)
            .limit(100)
            .set_next_marker(next);
        let page = aws.call("wafv2:ListTagsForResource", call.send()).await?;
        let tags = page.tag_info_for_resource.and_then(|info| info.tag_list).unwrap_or_default();
        let last = tags.is_empty();
        found.extend(tags);
        next = page.next_marker.filter(|marker| !marker.is_empty() && !last);
        if next.is_none() {
            return Ok(from_waf(found));
        }
    }
}

async fn describe(aws: &Aws, id: &str, name: &str) -> Result<Description> {
    let action = "wafv2:GetWebACL";
    let call =
        client!(aws, aws_sdk_wafv2).get_web_acl().id(id).name(name).scope(WafScope::Regional);
    let found = aws.call(action, call.send()).await?;
    found.web_acl.ok_or_else(|| Error::incomplete(action, "the web ACL"))
}

/// What rules do, by name, that take over a managed group and override some of the group's rules so that those
/// stop nothing.
async fn softened(aws: &Aws, found: &Description) -> BTreeMap<String, &'static str> {
    let mut actions = BTreeMap::new();
    for rule in found.rules() {
        let statement = rule.statement.as_ref();
        let group = statement.and_then(|statement| statement.managed_rule_group_statement.as_ref());
        let Some(group) = group else { continue };
        let overridden = overridden(group);
        let counts = rule.override_action.as_ref().is_some_and(|action| action.count.is_some());
        if counts || overridden.is_empty() {
            continue;
        }
        match stopping(aws, group).await {
            Ok(stopping) if stopping.is_subset(&overridden) => {
                actions.insert(rule.name.clone(), "COUNT");
            }
            Ok(_) => {}
            Err(_) => {
                actions.insert(rule.name.clone(), "");
            }
        }
    }
    actions
}

/// The rules of a group that stop nothing here, whatever the group says.
fn overridden(group: &ManagedRuleGroupStatement) -> BTreeSet<String> {
    let passes = |action: &RuleAction| action.count.is_some() || action.allow.is_some();
    let actions = group.rule_action_overrides().iter();
    let actions = actions.filter(|one| one.action_to_use.as_ref().is_some_and(passes));
    let excluded = group.excluded_rules().iter().map(|rule| rule.name.clone());
    actions.map(|one| one.name.clone()).chain(excluded).collect()
}

/// The rules of a managed group that stop requests.
async fn stopping(aws: &Aws, group: &ManagedRuleGroupStatement) -> Result<BTreeSet<String>> {
    let action = "wafv2:DescribeManagedRuleGroup";
    let call = client!(aws, aws_sdk_wafv2)
        .describe_managed_rule_group()
        .vendor_name(&group.vendor_name)
        .name(&group.name)
        .scope(WafScope::Regional)
        .set_version_name(group.version.clone());
    let rules = aws.call(action, call.send()).await?.rules;
    let rules = rules.ok_or_else(|| Error::incomplete(action, "the rules of a group"))?;
    let passes = |action: RuleAction| action.count.is_some() || action.allow.is_some();
    let stopping = rules.into_iter().filter(|rule| !rule.action.clone().is_some_and(passes));
    Ok(stopping.filter_map(|rule| rule.name).collect())
}

fn take(spec: &mut WebAcl, found: Description) {
    let default = found.default_action.unwrap_or_else(|| DefaultAction::builder().build());
    spec.default_action = match (default.allow, default.block) {
        (Some(_), _) => "ALLOW".into(),
        (None, Some(_)) => "BLOCK".into(),
        // Nothing that anybody may take for a safeguard.
        (None, None) => String::new(),
    };
    let rules = found.rules.unwrap_or_default();
    // Each rule has settings of its own for these.
    let own = rules.iter().map(|rule| rule.visibility_config.as_ref());
    let all: Vec<_> = own.chain([found.visibility_config.as_ref()]).collect();
    let metrics = |one: &VisibilityConfig| one.cloud_watch_metrics_enabled;
    spec.metrics = all.iter().all(|one| one.is_some_and(metrics));
    spec.sampled_requests = all.iter().flatten().any(|one| one.sampled_requests_enabled);
    spec.rules = rules.into_iter().map(|rule| (rule.name.clone(), read_rule(rule))).collect();
}

fn read_rule(rule: WafRule) -> Rule {
    let statement = rule.statement.unwrap_or_else(|| WafStatement::builder().build());
    let action = match (rule.action, rule.override_action) {
        (Some(action), _) if action.allow.is_some() => "ALLOW",
        (Some(action), _) if action.count.is_some() => "COUNT",
        (_, Some(action)) if action.count.is_some() => "COUNT",
        _ => "BLOCK",
    };
    Rule { priority: rule.priority, statement: read_statement(statement), action: action.into() }
}

fn read_statement(statement: WafStatement) -> Statement {
    match (&statement.managed_rule_group_statement, &statement.rate_based_statement) {
        // What narrows a statement makes it another one: it must not pass for the whole.
        (Some(group), _)
            if group.scope_down_statement.is_none()
                && group.excluded_rules().is_empty()
                && group.rule_action_overrides().is_empty() =>
        {
            Statement::ManagedRuleGroup {
                vendor: group.vendor_name.clone(),
                name: group.name.clone(),
                version: group.version.clone(),
            }
        }
        (_, Some(rate)) if rate.scope_down_statement.is_none() && rate.custom_keys().is_empty() => {
            Statement::RateLimit {
                limit: rate.limit,
                // Five minutes where AWS does not say.
                window_seconds: match rate.evaluation_window_sec {
                    0 => 300,
                    seconds => seconds,
                },
                aggregate_by: rate.aggregate_key_type.as_str().to_owned(),
            }
        }
        _ => Statement::Other(format!("{statement:?}")),
    }
}

async fn logging(aws: &Aws, arn: &str) -> Result<Option<Logging>> {
    let call = client!(aws, aws_sdk_wafv2).get_logging_configuration().resource_arn(arn);
    let found = aws.find("wafv2:GetLoggingConfiguration", call.send()).await?;
    Ok(found.and_then(|answer| answer.logging_configuration).and_then(read_logging))
}

fn read_logging(found: LoggingConfiguration) -> Option<Logging> {
    let destination = found.log_destination_configs.first()?.trim_end_matches(":*");
    let mut logging = Logging {
        destination: destination.into(),
        redacted_headers: BTreeSet::new(),
        left_out: found.logging_filter.iter().map(|filter| format!("{filter:?}")).collect(),
    };
    for field in found.redacted_fields.unwrap_or_default() {
        match &field.single_header {
            Some(header) => logging.redacted_headers.insert(header.name.clone()),
            None => logging.left_out.insert(format!("{field:?}")),
        };
    }
    Some(logging)
}

#[cfg(test)]
mod tests {
    use aws_sdk_wafv2::types::{
        Condition, Filter, FilterBehavior, FilterRequirement, LoggingFilter, Method,
    };

    use super::*;

    fn acl(rules: &[(&str, Rule)]) -> WebAcl {
        WebAcl {
            name: "acl".into(),
            scope: "REGIONAL".into(),
            description: String::new(),
            default_action: "ALLOW".into(),
            rules: rules.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())).collect(),
            metrics: true,
            sampled_requests: false,
            logging: None,
        }
    }

    fn limit() -> Rule {
        Rule {
            priority: 3,
            statement: Statement::RateLimit {
                limit: 2000,
                window_seconds: 300,
                aggregate_by: "IP".into(),
            },
            action: "BLOCK".into(),
        }
    }

    #[test]
    fn rules_come_back_as_they_were_sent() {
        let group = Rule {
            priority: 0,
            statement: Statement::ManagedRuleGroup {
                vendor: "AWS".into(),
                name: "AWSManagedRulesCommonRuleSet".into(),
                version: None,
            },
            action: "COUNT".into(),
        };
        let wanted = acl(&[("common", group), ("rate", limit())]);
        let sent = wanted.rules().unwrap();
        let back: BTreeMap<String, Rule> =
            sent.into_iter().map(|rule| (rule.name.clone(), read_rule(rule))).collect();
        assert_eq!(back, wanted.rules);
    }

    #[test]
    fn a_rule_that_keeps_samples_or_no_metrics_shows_on_the_web_acl() {
        let read = |change: fn(&mut VisibilityConfig)| {
            let wanted = acl(&[("first", limit()), ("second", limit())]);
            let mut rules = wanted.rules().unwrap();
            change(rules[1].visibility_config.as_mut().unwrap());
            let described = Description::builder()
                .name("acl")
                .id("1")
                .arn("arn")
                .default_action(wanted.default_action())
                .set_rules(Some(rules))
                .visibility_config(wanted.visibility("acl").unwrap());
            let mut found = acl(&[]);
            take(&mut found, described.build().unwrap());
            (found.metrics, found.sampled_requests)
        };
        assert_eq!(read(|_| {}), (true, false));
        assert_eq!(read(|rule| rule.sampled_requests_enabled = true), (true, true));
        assert_eq!(read(|rule| rule.cloud_watch_metrics_enabled = false), (false, false));
    }

    #[test]
    fn whatever_keeps_requests_out_of_the_log_is_seen() {
        let wanted = Logging {
            destination: "arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-a".into(),
            redacted_headers: BTreeSet::from(["authorization".to_owned()]),
            left_out: BTreeSet::new(),
        };
        let sent = wanted.configuration("arn").unwrap();
        assert_eq!(read_logging(sent.clone()), Some(wanted.clone()));

        let drop_allowed = Filter::builder()
            .behavior(FilterBehavior::Drop)
            .requirement(FilterRequirement::MeetsAny)
            .conditions(Condition::builder().build())
            .build()
            .unwrap();
        let filter = LoggingFilter::builder()
            .filters(drop_allowed)
            .default_behavior(FilterBehavior::Keep)
            .build()
            .unwrap();
        let mut filtered = sent.clone();
        filtered.logging_filter = Some(filter);
        assert_ne!(read_logging(filtered), Some(wanted.clone()));

        let method = FieldToMatch::builder().method(Method::builder().build()).build();
        let mut redacted = sent;
        redacted.redacted_fields.get_or_insert_default().push(method);
        assert_ne!(read_logging(redacted), Some(wanted));
    }

    #[test]
    fn a_narrowed_rule_does_not_pass_for_the_whole() {
        let sent = acl(&[("rate", limit())]).rules().unwrap().remove(0);
        let rate = sent.statement.unwrap().rate_based_statement.unwrap();
        let narrow = RateBasedStatement::builder()
            .limit(rate.limit)
            .aggregate_key_type(rate.aggregate_key_type)
            .scope_down_statement(WafStatement::builder().build())
            .build()
            .unwrap();
        let found = WafStatement::builder().rate_based_statement(narrow).build();
        assert!(matches!(read_statement(found), Statement::Other(_)));
    }
}
