//! `apigatewayv2.api`: an HTTP or WebSocket API. This project makes none; an audit must not be blind to an
//! open one, least of all to one that leads into the stack.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigatewayv2::types::{Api, Integration, Route, Stage};
use engine::plaintext::hide;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::tags::from_map;

const ACTION: &str = "apigateway:GET";

/// An HTTP or WebSocket API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpApi {
    /// Its name. AWS does not ask that it be unique.
    pub name: String,
    /// `HTTP` or `WEBSOCKET`.
    pub protocol: String,
    /// Its routes, by key: `GET /students`, `ANY /{proxy+}`, `$default`, `$connect`.
    pub routes: BTreeMap<String, HttpRoute>,
    /// What answers, by id.
    pub integrations: BTreeMap<String, HttpIntegration>,
    /// Its stages, by name.
    pub stages: BTreeMap<String, HttpStage>,
    /// The VPC links that its integrations use.
    pub vpc_links: BTreeSet<String>,
    /// The addresses of its integrations; behind a VPC link, ARNs of listeners.
    pub targets: BTreeSet<String>,
}

/// A route of an HTTP or WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRoute {
    /// `AWS_IAM`, `JWT`, `CUSTOM` (a Lambda authoriser), or `NONE`: anyone.
    pub authorization: String,
    /// The id of the authoriser, for `JWT` and `CUSTOM`.
    pub authorizer: Option<String>,
    /// Whether an API key is asked for.
    pub api_key_required: bool,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpIntegration {
    /// `HTTP_PROXY`, `HTTP`, `AWS_PROXY`, `AWS` or `MOCK`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A URL, a function's ARN, or the ARN of a listener behind a VPC link.
    pub uri: String,
    /// `VPC_LINK` or `INTERNET`.
    pub connection_type: String,
    /// The name that the certificate behind a VPC link must have. Absent: plain HTTP behind the link.
    pub server_name: Option<String>,
}

/// A stage of an HTTP or WebSocket API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpStage {
    /// Where access logs go: an ARN. Absent: none are written.
    pub access_log_destination: Option<String>,
    /// What a line of them says.
    pub access_log_format: Option<String>,
    /// Requests a second, for routes without a limit of their own. Absent: the account's limit.
    pub rate_limit: Option<f64>,
    /// Requests a second, for the routes that have a limit of their own.
    pub route_rate_limits: BTreeMap<String, f64>,
    /// Stage variables. What looks like a secret is [hidden](engine::plaintext).
    pub variables: BTreeMap<String, String>,
}

impl Inspected for HttpApi {
    const KIND: &'static str = "apigatewayv2.api";
    const READ: &'static [Allow] = &[Allow::to(&["apigateway:GET"])
        .on(&["apigateway:{region}::/apis", "apigateway:{region}::/apis/*"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("vpc_links", "apigatewayv2.vpc_link"), ("targets", "elbv2.listener")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

/// Every page of a listing: this SDK has no paginators.
macro_rules! pages {
    ($aws:ident, $call:expr) => {{
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = $aws.call(ACTION, $call.set_next_token(next).send()).await?;
            found.extend(page.items.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break found;
            }
        }
    }};
}

async fn list(aws: &Aws) -> Result<Vec<Live<HttpApi>>> {
    let gateway = client!(aws, aws_sdk_apigatewayv2);
    let apis: Vec<Api> = pages!(aws, gateway.get_apis());
    let reads = apis.into_iter().map(|api| read(aws, api));
    // API Gateway allows few calls a second, whoever makes them.
    let found: Vec<Result<Live<HttpApi>>> =
        futures::stream::iter(reads).buffer_unordered(4).collect().await;
    found.into_iter().collect()
}

async fn read(aws: &Aws, api: Api) -> Result<Live<HttpApi>> {
    let id = api.api_id.ok_or_else(|| Error::incomplete(ACTION, "an API's id"))?;
    let protocol = api.protocol_type.map(|protocol| protocol.as_str().to_owned());
    let spec = HttpApi {
        name: api.name.unwrap_or_default(),
        protocol: protocol.ok_or_else(|| Error::incomplete(ACTION, "an API's protocol"))?,
        routes: BTreeMap::new(),
        integrations: BTreeMap::new(),
        stages: BTreeMap::new(),
        vpc_links: BTreeSet::new(),
        targets: BTreeSet::new(),
    };
    let arn = format!("arn:{}:apigateway:{}::/apis/{id}", aws.partition(), aws.region());
    let mut live = Live::new(id.clone(), spec).with_arn(arn).with_tags(from_map(api.tags));
    let (routes, integrations, stages) =
        futures::join!(routes(aws, &id), integrations(aws, &id), stages(aws, &id));
    live.read("routes", routes, |spec, routes| spec.routes = routes);
    live.read("integrations", integrations, |spec, found: Vec<Integration>| {
        for one in found {
            spec.vpc_links.extend(one.connection_id.clone().filter(|id| !id.is_empty()));
            spec.targets.extend(one.integration_uri.clone());
            let id = one.integration_id.clone().unwrap_or_default();
            spec.integrations.insert(id, read_integration(one));
        }
    });
    live.read("stages", stages, |spec, stages| spec.stages = stages);
    Ok(live)
}

async fn routes(aws: &Aws, api: &str) -> Result<BTreeMap<String, HttpRoute>> {
    let gateway = client!(aws, aws_sdk_apigatewayv2);
    let routes: Vec<Route> = pages!(aws, gateway.get_routes().api_id(api));
    let read = |route: Route| {
        let key = route.route_key.ok_or_else(|| Error::incomplete(ACTION, "a route's key"))?;
        let authorization = route.authorization_type.map(|kind| kind.as_str().to_owned());
        let route = HttpRoute {
            // AWS leaves it out where there is none.
            authorization: authorization.unwrap_or_else(|| "NONE".into()),
            authorizer: route.authorizer_id.filter(|id| !id.is_empty()),
            api_key_required: route.api_key_required.unwrap_or(false),
        };
        Ok((key, route))
    };
    routes.into_iter().map(read).collect()
}

async fn integrations(aws: &Aws, api: &str) -> Result<Vec<Integration>> {
    let gateway = client!(aws, aws_sdk_apigatewayv2);
    Ok(pages!(aws, gateway.get_integrations().api_id(api)))
}

fn read_integration(found: Integration) -> HttpIntegration {
    let connection = found.connection_type.map(|kind| kind.as_str().to_owned());
    HttpIntegration {
        kind: found.integration_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        uri: found.integration_uri.unwrap_or_default(),
        connection_type: connection.unwrap_or_else(|| "INTERNET".into()),
        server_name: found.tls_config.and_then(|tls| tls.server_name_to_verify),
    }
}

async fn stages(aws: &Aws, api: &str) -> Result<BTreeMap<String, HttpStage>> {
    let gateway = client!(aws, aws_sdk_apigatewayv2);
    let stages: Vec<Stage> = pages!(aws, gateway.get_stages().api_id(api));
    let read = |stage: Stage| {
        let name = stage.stage_name.ok_or_else(|| Error::incomplete(ACTION, "a stage's name"))?;
        let logs = stage.access_log_settings;
        let limits = stage.route_settings.unwrap_or_default().into_iter();
        let stage = HttpStage {
            access_log_destination: logs.as_ref().and_then(|logs| logs.destination_arn.clone()),
            access_log_format: logs.and_then(|logs| logs.format),
            rate_limit: stage.default_route_settings.and_then(|all| all.throttling_rate_limit),
            route_rate_limits: limits
                .filter_map(|(route, settings)| Some((route, settings.throttling_rate_limit?)))
                .collect(),
            variables: hide(stage.stage_variables.unwrap_or_default()),
        };
        Ok((name, stage))
    };
    stages.into_iter().map(read).collect()
}
