//! What an operator chooses of the API, and what is declared from it.

use std::collections::{BTreeMap, BTreeSet};

use engine::vocabulary::{
    Arn, FunctionArn, HostName, ListenerArn, LoadBalancerArn, LogGroupArn, Private, RestApiId,
    RoleArn, SecurityGroupId, SubnetId, VpcLinkId, WebAclArn,
};
use engine::{Deployed, Error, Mistake, Policy, Ref, Stack, Tags};
use serde::{Deserialize, Serialize};

use crate::account::ApiGatewayAccount;
use crate::rest_api::{Authorizer, Integration, Method, RestApi, Routes};
use crate::stage::{AccessLogs, EVERY_METHOD, MethodSettings, Stage};
use crate::vpc_link::VpcLink;
use crate::web_acl::{Logging, Rule, Statement, WebAcl};

/// The marker of a reference to the address at which a stage answers.
#[derive(Debug)]
pub enum InvokeUrl {}

/// A REST API in front of a load balancer in private subnets.
///
/// The default has the platform's routes, IAM authorisation, throttling, logs, tracing and a web ACL;
/// the references have to be filled in.
#[derive(Debug, Clone)]
pub struct ApiSpec {
    /// What can be asked for.
    pub routes: Vec<Route>,
    /// Who may ask.
    pub authorization: Authorization,
    /// The subnets in which the VPC link stands. Two availability zones at least.
    pub subnets: BTreeSet<Ref<SubnetId<Private>>>,
    /// The VPC link's security group, of its own: it lets out to the load balancer's port only.
    pub vpc_link_security_group: Ref<SecurityGroupId>,
    /// The application load balancer that answers.
    pub load_balancer: Ref<LoadBalancerArn>,
    /// The load balancer's DNS name.
    pub load_balancer_host: Ref<HostName>,
    /// The load balancer's HTTPS listener. Nothing is deployed before it exists.
    pub listener: Option<Ref<ListenerArn>>,
    /// The host name in the load balancer's certificate, where it is not the load balancer's DNS name
    /// (it never is for a certificate from a public authority). API Gateway asks for it and checks
    /// the certificate against it.
    pub backend_host: Option<String>,
    /// The load balancer's HTTPS port.
    pub backend_port: u16,
    /// Accept a certificate from any authority at the load balancer: needed for a private or
    /// self-signed one. Traffic stays encrypted, but what answers is then known by its place in the
    /// network only.
    pub backend_certificate_from_anyone: bool,
    /// How long the load balancer may take, 50 to 29000 milliseconds.
    pub backend_timeout_ms: i32,
    /// The stage's name, the first part of every path.
    pub stage_name: String,
    /// The log group for access logs.
    pub access_log_group: Ref<LogGroupArn>,
    /// Execution logs: `OFF`, `ERROR` or `INFO`. Bodies are never logged.
    pub logging_level: String,
    /// The role with which API Gateway writes logs, for an account that has none set yet. Absent: the
    /// account's setting is not touched.
    pub cloudwatch_role: Option<Ref<RoleArn>>,
    /// Requests a second, over all callers.
    pub throttling_rate: f64,
    /// Requests at once, over all callers.
    pub throttling_burst: i32,
    /// Whether requests are traced with X-Ray.
    pub tracing: bool,
    /// The TLS versions and ciphers that clients may use.
    pub security_policy: String,
    /// `STRICT` or `BASIC`; see [`RestApi::endpoint_access_mode`].
    pub endpoint_access_mode: String,
    /// Who may call the API at all, on top of what each route asks (an IP range, an organisation).
    pub resource_policy: Option<Policy>,
    /// The web ACL. Absent: none.
    pub firewall: Option<Firewall>,
}

/// Something that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The path: `/students/{id}`. The load balancer is asked for the same.
    pub path: String,
    /// The HTTP method, or `ANY`.
    pub method: String,
    /// Whether anyone may ask, without authorisation. For health probes only.
    #[serde(default)]
    pub open: bool,
}

impl Route {
    /// A route that asks for authorisation.
    pub fn new(method: &str, path: &str) -> Self {
        Self { path: path.into(), method: method.into(), open: false }
    }

    /// A route that does not.
    pub fn open(method: &str, path: &str) -> Self {
        Self { open: true, ..Self::new(method, path) }
    }
}

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub enum Authorization {
    /// Principals of AWS with a policy that allows `execute-api:Invoke`; requests are signed.
    #[default]
    Iam,
    /// Holders of a token from one of these Cognito user pools.
    Cognito {
        /// The user pools.
        user_pools: BTreeSet<Ref<Arn>>,
        /// The OAuth scopes of which an access token needs one. Empty: identity tokens are asked for.
        scopes: BTreeSet<String>,
    },
    /// Whom a Lambda function lets through, by the token in the `Authorization` header.
    Lambda {
        /// The function.
        function: Ref<FunctionArn>,
        /// The role with which API Gateway invokes it. Absent: the function's own policy allows it.
        role: Option<Ref<RoleArn>>,
    },
}

/// The web ACL's rules.
#[derive(Debug, Clone)]
pub struct Firewall {
    /// Requests that one address may make in five minutes, 10 at least.
    pub rate_limit: i64,
    /// The rule groups of AWS, in the order in which they are asked.
    pub managed_rule_groups: Vec<String>,
    /// The log group for blocked and allowed requests; its name begins with `aws-waf-logs-`.
    pub log_group: Option<Ref<LogGroupArn>>,
}

impl Default for Firewall {
    fn default() -> Self {
        let groups = [
            "AWSManagedRulesAmazonIpReputationList",
            "AWSManagedRulesCommonRuleSet",
            "AWSManagedRulesKnownBadInputsRuleSet",
            "AWSManagedRulesSQLiRuleSet",
        ];
        Self {
            rate_limit: 2000,
            managed_rule_groups: groups.map(str::to_owned).to_vec(),
            log_group: None,
        }
    }
}

impl Default for ApiSpec {
    fn default() -> Self {
        Self {
            routes: vec![
                Route::new("GET", "/students"),
                Route::new("GET", "/students/{id}"),
                Route::open("GET", "/health"),
            ],
            authorization: Authorization::Iam,
            subnets: BTreeSet::new(),
            vpc_link_security_group: Ref::default(),
            load_balancer: Ref::default(),
            load_balancer_host: Ref::default(),
            listener: None,
            backend_host: None,
            backend_port: 443,
            backend_certificate_from_anyone: false,
            backend_timeout_ms: 29_000,
            stage_name: "prod".into(),
            access_log_group: Ref::default(),
            logging_level: "INFO".into(),
            cloudwatch_role: None,
            throttling_rate: 100.0,
            throttling_burst: 200,
            tracing: true,
            security_policy: "SecurityPolicy_TLS13_1_2_2021_06".into(),
            endpoint_access_mode: "STRICT".into(),
            resource_policy: None,
            firewall: Some(Firewall::default()),
        }
    }
}

/// What the layer declared.
#[derive(Debug, Clone)]
pub struct Api {
    /// The REST API.
    pub rest_api_id: Ref<RestApiId>,
    /// The stage's name.
    pub stage_name: String,
    /// Where the stage answers, once it does.
    pub url: Ref<InvokeUrl>,
    /// The stage's ARN.
    pub stage_arn: Ref<Arn>,
    /// The VPC link.
    pub vpc_link_id: Ref<VpcLinkId>,
    /// The web ACL, where there is one.
    pub web_acl_arn: Option<Ref<WebAclArn>>,
}

/// What runs, once the layer is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// The REST API's id.
    pub rest_api_id: String,
    /// The stage's name.
    pub stage_name: String,
    /// Where the stage answers: `https://{api}.execute-api.{region}.amazonaws.com/{stage}`.
    pub url: String,
    /// The stage's ARN.
    pub stage_arn: String,
    /// The VPC link's id.
    pub vpc_link_id: String,
    /// The web ACL's ARN, where there is one.
    pub web_acl_arn: Option<String>,
}

impl Api {
    /// What the references stand for in a stack that is up.
    ///
    /// # Errors
    /// When the stack is not this one.
    pub fn resolve(&self, deployed: &Deployed) -> Result<Outputs, Error> {
        Ok(Outputs {
            rest_api_id: deployed.resolve(&self.rest_api_id)?,
            stage_name: self.stage_name.clone(),
            url: deployed.resolve(&self.url)?,
            stage_arn: deployed.resolve(&self.stage_arn)?,
            vpc_link_id: deployed.resolve(&self.vpc_link_id)?,
            web_acl_arn: self.web_acl_arn.as_ref().map(|arn| deployed.resolve(arn)).transpose()?,
        })
    }
}

/// Everything that is wrong with a spec; nothing for a good one.
pub fn validate(spec: &ApiSpec) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut require = |holds: bool, field: &str, why: &str| {
        if !holds {
            found.push(Mistake::new(field, why));
        }
    };

    require(!spec.routes.is_empty(), "routes", "there must be one at least");
    let mut seen = BTreeSet::new();
    for (at, route) in spec.routes.iter().enumerate() {
        if let Some(why) = wrong_path(&route.path) {
            require(false, &format!("routes[{at}].path"), why);
        }
        require(
            METHODS.contains(&route.method.as_str()),
            &format!("routes[{at}].method"),
            "must be DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or ANY",
        );
        require(
            seen.insert((&route.path, &route.method)),
            &format!("routes[{at}]"),
            "this method of this path is declared twice",
        );
    }
    // Two variables in one place: AWS cannot tell the paths apart.
    let mut variables: BTreeMap<String, &str> = BTreeMap::new();
    for (at, route) in spec.routes.iter().enumerate() {
        for (parent, part) in variable_parts(&route.path) {
            let known = *variables.entry(parent).or_insert(part);
            require(
                known == part,
                &format!("routes[{at}].path"),
                &format!("{part} stands where another route has {known}"),
            );
        }
    }

    match &spec.authorization {
        Authorization::Iam => {}
        Authorization::Cognito { user_pools, .. } => {
            require(
                !user_pools.is_empty(),
                "authorization.user_pools",
                "there must be one at least",
            );
            for pool in user_pools {
                require(
                    is_arn(pool, "cognito-idp"),
                    "authorization.user_pools",
                    "must be ARNs of Cognito user pools",
                );
            }
        }
        Authorization::Lambda { function, role } => {
            require(
                is_arn(function, "lambda"),
                "authorization.function",
                "must be the ARN of a Lambda function",
            );
            if let Some(role) = role {
                require(is_arn(role, "iam"), "authorization.role", "must be the ARN of a role");
            }
        }
    }

    require(spec.subnets.len() >= 2, "subnets", "a VPC link stands in two subnets at least");
    require(
        !spec.vpc_link_security_group.as_str().is_empty(),
        "vpc_link_security_group",
        "is missing; without one AWS takes the VPC's default group",
    );
    let balancer = &spec.load_balancer;
    require(
        is_arn(balancer, "elasticloadbalancing")
            && (balancer.is_pending() || balancer.as_str().contains(":loadbalancer/app/")),
        "load_balancer",
        "must be the ARN of an application load balancer",
    );
    require(
        !spec.load_balancer_host.as_str().is_empty() || spec.backend_host.is_some(),
        "load_balancer_host",
        "is missing",
    );
    if let Some(host) = &spec.backend_host {
        require(is_host(host), "backend_host", "must be a host name");
    }
    require(spec.backend_port > 0, "backend_port", "must be 1 to 65535");
    require(
        (50..=29_000).contains(&spec.backend_timeout_ms),
        "backend_timeout_ms",
        "must be 50 to 29000",
    );

    require(
        (1..=128).contains(&spec.stage_name.len())
            && spec.stage_name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
        "stage_name",
        "must be 1 to 128 letters, digits, - and _",
    );
    require(
        is_arn(&spec.access_log_group, "logs"),
        "access_log_group",
        "must be the ARN of a log group",
    );
    require(
        ["OFF", "ERROR", "INFO"].contains(&spec.logging_level.as_str()),
        "logging_level",
        "must be OFF, ERROR or INFO",
    );
    if let Some(role) = &spec.cloudwatch_role {
        require(is_arn(role, "iam"), "cloudwatch_role", "must be the ARN of a role");
    }
    require(
        spec.throttling_rate.is_finite() && spec.throttling_rate > 0.0,
        "throttling_rate",
        "must be more than 0",
    );
    require(spec.throttling_burst > 0, "throttling_burst", "must be more than 0");
    require(
        spec.security_policy == "TLS_1_2" || spec.security_policy.starts_with("SecurityPolicy_TLS"),
        "security_policy",
        "must ask for TLS 1.2 at least: a name that starts with SecurityPolicy_TLS",
    );
    require(
        ["STRICT", "BASIC"].contains(&spec.endpoint_access_mode.as_str()),
        "endpoint_access_mode",
        "must be STRICT or BASIC",
    );

    if let Some(firewall) = &spec.firewall {
        require(
            (10..=2_000_000_000).contains(&firewall.rate_limit),
            "firewall.rate_limit",
            "must be 10 to 2000000000",
        );
        let mut seen = BTreeSet::new();
        for (at, group) in firewall.managed_rule_groups.iter().enumerate() {
            let field = format!("firewall.managed_rule_groups[{at}]");
            require(
                group.starts_with("AWSManagedRules")
                    && group.bytes().all(|b| b.is_ascii_alphanumeric()),
                &field,
                "must be the name of a rule group of AWS: AWSManagedRules…",
            );
            require(seen.insert(group), &field, "is listed twice");
        }
        if let Some(group) = &firewall.log_group {
            require(
                is_arn(group, "logs")
                    && (group.is_pending() || group.as_str().contains(":log-group:aws-waf-logs-")),
                "firewall.log_group",
                "must be the ARN of a log group whose name begins with aws-waf-logs-",
            );
        }
    }
    found
}

const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ANY"];

fn wrong_path(path: &str) -> Option<&'static str> {
    if path == "/" {
        return None;
    }
    let Some(rest) = path.strip_prefix('/') else { return Some("must begin with /") };
    let parts: Vec<&str> = rest.split('/').collect();
    let mut variables = BTreeSet::new();
    for (at, part) in parts.iter().enumerate() {
        let variable = part.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let (name, extra): (&str, &[u8]) = match variable {
            Some(inner) => {
                if inner.ends_with('+') && at + 1 < parts.len() {
                    return Some("a greedy variable {name+} must come last");
                }
                (inner.strip_suffix('+').unwrap_or(inner), b"._-")
            }
            None => (part, b"._-:"),
        };
        if name.is_empty() {
            return Some("has an empty part");
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b)) {
            return Some("may have letters, digits, . _ - : and variables like {id}");
        }
        if variable.is_some() && !variables.insert(name) {
            return Some("names a variable twice");
        }
    }
    None
}

/// The variables of a path, each with the path before it.
fn variable_parts(path: &str) -> impl Iterator<Item = (String, &str)> {
    path.match_indices('{').map(move |(at, _)| {
        let end = path[at..].find('}').map_or(path.len(), |length| at + length + 1);
        (path[..at].to_owned(), &path[at..end])
    })
}

fn is_arn<M>(reference: &Ref<M>, service: &str) -> bool {
    if reference.is_pending() {
        return true;
    }
    let mut parts = reference.as_str().splitn(6, ':');
    parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some(service)
        && parts.count() == 3
}

fn is_host(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// The name of the authoriser, where there is one.
const AUTHORIZER: &str = "callers";

/// Declares the layer. What comes out are references; nothing is called.
pub fn declare(stack: &mut Stack, spec: &ApiSpec) -> Api {
    let names = stack.name().clone();
    let name_tag = |name: &str| Tags::from([("Name".to_owned(), name.to_owned())]);

    let link_name = names.of("link");
    let link = stack.add_tagged(
        "api/vpc-link",
        VpcLink {
            name: link_name.clone(),
            subnet_ids: spec.subnets.clone(),
            security_group_ids: BTreeSet::from([spec.vpc_link_security_group.clone()]),
        },
        name_tag(&link_name),
    );

    let api_name = names.of("api");
    let api = RestApi {
        name: api_name.clone(),
        description: "Student records".into(),
        endpoint_type: "REGIONAL".into(),
        security_policy: Some(spec.security_policy.clone()),
        // Older policies have no access mode.
        endpoint_access_mode: Some(spec.endpoint_access_mode.clone())
            .filter(|_| spec.security_policy.starts_with("SecurityPolicy_")),
        execute_api_endpoint: true,
        minimum_compression_size: None,
        api_key_source: "HEADER".into(),
        policy: spec.resource_policy.clone(),
        authorizers: authorizers(&spec.authorization),
        routes: routes(spec, &link.ready().id()),
    };
    let listener = spec.listener.as_ref().map_or("", Ref::as_str);
    let definition_hash = api.definition(&[listener]);
    let api = stack.add_tagged("api/rest-api", api, name_tag(&api_name));

    let web_acl = spec.firewall.as_ref().map(|firewall| {
        let name = names.of("firewall");
        stack.add_tagged("api/web-acl", web_acl(&name, firewall), name_tag(&name))
    });

    let settings = MethodSettings {
        logging_level: spec.logging_level.clone(),
        data_trace: false,
        metrics: true,
        throttling_rate_limit: spec.throttling_rate,
        throttling_burst_limit: spec.throttling_burst,
        caching: false,
        cache_encrypted: true,
    };
    let stage = stack.add(
        "api/stage",
        Stage {
            // Ready: its methods are there to be deployed.
            rest_api_id: api.ready().id(),
            stage_name: spec.stage_name.clone(),
            definition_hash,
            access_logs: Some(AccessLogs {
                destination: spec.access_log_group.clone(),
                format: AccessLogs::json_format(),
            }),
            method_settings: BTreeMap::from([(EVERY_METHOD.to_owned(), settings)]),
            tracing: spec.tracing,
            cache_cluster: false,
            client_certificate_id: None,
            variables: BTreeMap::new(),
            web_acl_arn: web_acl.as_ref().map(|acl| acl.ready().arn()),
        },
    );
    if let Some(role) = &spec.cloudwatch_role {
        let account = ApiGatewayAccount { cloudwatch_role_arn: role.clone() };
        let account = stack.add("api/account", account);
        // A stage may not log before the account has a role.
        stack.order(&stage, &account.ready());
    }

    Api {
        rest_api_id: api.id(),
        stage_name: spec.stage_name.clone(),
        url: stage.ready().output("invoke_url"),
        stage_arn: stage.arn(),
        vpc_link_id: link.id(),
        web_acl_arn: web_acl.map(|acl| acl.arn()),
    }
}

fn authorizers(authorization: &Authorization) -> BTreeMap<String, Authorizer> {
    let authorizer = match authorization {
        Authorization::Iam => return BTreeMap::new(),
        Authorization::Cognito { user_pools, .. } => Authorizer {
            kind: "COGNITO_USER_POOLS".into(),
            user_pools: user_pools.clone(),
            function: None,
            role: None,
            identity_source: "method.request.header.Authorization".into(),
            result_ttl_seconds: 300,
        },
        Authorization::Lambda { function, role } => Authorizer {
            kind: "TOKEN".into(),
            user_pools: BTreeSet::new(),
            function: Some(function.clone()),
            role: role.clone(),
            identity_source: "method.request.header.Authorization".into(),
            result_ttl_seconds: 300,
        },
    };
    BTreeMap::from([(AUTHORIZER.to_owned(), authorizer)])
}

fn routes(spec: &ApiSpec, link: &Ref<VpcLinkId>) -> Routes {
    let mut routes = Routes::new();
    for route in &spec.routes {
        let method = method(spec, route, link);
        routes.entry(route.path.clone()).or_default().insert(route.method.clone(), method);
    }
    routes
}

fn method(spec: &ApiSpec, route: &Route, link: &Ref<VpcLinkId>) -> Method {
    let (authorization, scopes) = match &spec.authorization {
        _ if route.open => ("NONE", BTreeSet::new()),
        Authorization::Iam => ("AWS_IAM", BTreeSet::new()),
        Authorization::Cognito { scopes, .. } => ("COGNITO_USER_POOLS", scopes.clone()),
        Authorization::Lambda { .. } => ("CUSTOM", BTreeSet::new()),
    };
    let variables: Vec<&str> =
        variable_parts(&route.path).map(|(_, part)| part.trim_matches(['{', '}', '+'])).collect();
    let host = spec.backend_host.as_deref().unwrap_or(spec.load_balancer_host.as_str());
    let port = match spec.backend_port {
        443 => String::new(),
        other => format!(":{other}"),
    };
    // Greedy variables are greedy on our side only.
    let path = route.path.replace("+}", "}");
    Method {
        authorization: authorization.into(),
        authorizer: ["COGNITO_USER_POOLS", "CUSTOM"]
            .contains(&authorization)
            .then(|| AUTHORIZER.to_owned()),
        authorization_scopes: scopes,
        api_key_required: false,
        request_parameters: variables
            .iter()
            .map(|name| (format!("method.request.path.{name}"), true))
            .collect(),
        integration: Some(Integration {
            kind: "HTTP_PROXY".into(),
            http_method: route.method.clone(),
            uri: format!("https://{host}{port}{path}"),
            connection_type: "VPC_LINK".into(),
            connection_id: Some(link.clone()),
            integration_target: Some(spec.load_balancer.clone()),
            timeout_ms: spec.backend_timeout_ms,
            insecure_skip_verification: spec.backend_certificate_from_anyone,
            request_parameters: variables
                .iter()
                .map(|name| {
                    let (to, from) = ("integration.request.path", "method.request.path");
                    (format!("{to}.{name}"), format!("{from}.{name}"))
                })
                .collect(),
        }),
    }
}

fn web_acl(name: &str, firewall: &Firewall) -> WebAcl {
    let limit = Rule {
        priority: 0,
        statement: Statement::RateLimit {
            limit: firewall.rate_limit,
            window_seconds: 300,
            aggregate_by: "IP".into(),
        },
        action: "BLOCK".into(),
    };
    let groups = firewall.managed_rule_groups.iter().zip(1..).map(|(group, priority)| {
        let statement = Statement::ManagedRuleGroup {
            vendor: "AWS".into(),
            name: group.clone(),
            version: None,
        };
        (group.clone(), Rule { priority, statement, action: "BLOCK".into() })
    });
    WebAcl {
        name: name.to_owned(),
        scope: "REGIONAL".into(),
        description: "Requests to the student records API".into(),
        default_action: "ALLOW".into(),
        rules: groups.chain([("rate-limit".to_owned(), limit)]).collect(),
        metrics: true,
        // Samples would hold paths with students' ids.
        sampled_requests: false,
        logging: firewall.log_group.as_ref().map(|group| Logging {
            destination: group.clone(),
            redacted_headers: BTreeSet::from(["authorization".into(), "cookie".into()]),
            left_out: BTreeSet::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::StackName;

    fn good() -> ApiSpec {
        ApiSpec {
            subnets: BTreeSet::from(["subnet-1".into(), "subnet-2".into()]),
            vpc_link_security_group: "sg-1".into(),
            load_balancer:
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/alb/1".into(),
            load_balancer_host: "internal-alb-1.us-east-1.elb.amazonaws.com".into(),
            access_log_group: "arn:aws:logs:us-east-1:123456789012:log-group:/api/access".into(),
            ..ApiSpec::default()
        }
    }

    fn fields(spec: &ApiSpec) -> Vec<String> {
        validate(spec).into_iter().map(|mistake| mistake.field).collect()
    }

    #[test]
    fn the_default_is_good_once_its_references_are_filled_in() {
        assert_eq!(fields(&good()), Vec::<String>::new());
        let missing = fields(&ApiSpec::default());
        assert!(missing.contains(&"subnets".to_owned()), "{missing:?}");
        assert!(missing.contains(&"access_log_group".to_owned()), "{missing:?}");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let routes = ["students", "/a//b", "/a/{id+}/b", "/a b", "/{id}/{id}"];
        for path in routes {
            let spec = ApiSpec { routes: vec![Route::new("GET", path)], ..good() };
            assert_eq!(fields(&spec), ["routes[0].path"], "{path}");
        }
        let spec = ApiSpec {
            routes: vec![
                Route::new("FETCH", "/a"),
                Route::new("GET", "/a/{id}"),
                Route::new("GET", "/a/{id}"),
                Route::new("GET", "/a/{name}/b"),
            ],
            stage_name: "pro d".into(),
            throttling_rate: 0.0,
            load_balancer:
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/nlb/1".into(),
            ..good()
        };
        let expected = [
            "routes[0].method",
            "routes[2]",
            "routes[3].path",
            "load_balancer",
            "stage_name",
            "throttling_rate",
        ];
        assert_eq!(fields(&spec), expected);
    }

    fn deployed_definition(spec: &ApiSpec) -> String {
        let mut stack = Stack::new(StackName::new("student", "test"), Tags::new());
        declare(&mut stack, spec);
        let stage = stack.nodes().find(|node| node.id.as_str() == "api/stage").unwrap();
        stage.spec["definition_hash"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_new_deployment_is_made_for_what_is_served_and_for_nothing_else() {
        let before = deployed_definition(&good());
        let throttled = ApiSpec { throttling_rate: 5.0, tracing: false, firewall: None, ..good() };
        assert_eq!(deployed_definition(&throttled), before);

        let mut opened = good();
        opened.routes[0].open = true;
        assert_ne!(deployed_definition(&opened), before);
        let elsewhere = ApiSpec { backend_port: 8443, ..good() };
        assert_ne!(deployed_definition(&elsewhere), before);
    }

    #[test]
    fn a_replaced_vpc_link_makes_a_new_deployment() {
        // The link's id stands in the fingerprint, to be filled in.
        assert!(deployed_definition(&good()).contains("api/vpc-link.id"));
    }

    #[test]
    fn only_open_routes_go_without_authorisation() {
        let spec = ApiSpec {
            authorization: Authorization::Cognito {
                user_pools: BTreeSet::from([
                    "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_a".into(),
                ]),
                scopes: BTreeSet::new(),
            },
            ..good()
        };
        let routes = routes(&spec, &"link".into());
        assert_eq!(routes["/students"]["GET"].authorization, "COGNITO_USER_POOLS");
        assert_eq!(routes["/students"]["GET"].authorizer.as_deref(), Some(AUTHORIZER));
        assert_eq!(routes["/health"]["GET"].authorization, "NONE");
        assert_eq!(routes["/health"]["GET"].authorizer, None);
        let integration = routes["/students/{id}"]["GET"].integration.as_ref().unwrap();
        assert!(integration.uri.starts_with("https://"), "{}", integration.uri);
        assert_eq!(
            integration.request_parameters["integration.request.path.id"],
            "method.request.path.id"
        );
    }
}
