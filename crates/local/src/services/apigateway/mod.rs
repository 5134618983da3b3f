//! API Gateway: REST APIs, and of its second API the VPC links. One name signs the requests of both;
//! the path tells them apart.

mod v1;
mod v2;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use winterbaume_apigateway::model;
use winterbaume_core::{MockResponse, extract_query_string, percent_decode};

use crate::call::Call;
use crate::fault::Fault;

pub(crate) use v1::{set_web_acl, stage_of};

/// What API Gateway holds in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The settings of the account.
    pub account: model::Account,
    /// REST APIs by id.
    pub apis: BTreeMap<String, Api>,
    /// VPC links of version 2 by id.
    pub vpc_links: BTreeMap<String, winterbaume_apigatewayv2::model::VpcLink>,
    /// The network interfaces of VPC links, by the link's id.
    pub interfaces: BTreeMap<String, Vec<String>>,
}

/// A REST API and what belongs to it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Api {
    /// Its attributes.
    pub api: model::RestApi,
    /// By id, with their methods and integrations.
    pub resources: BTreeMap<String, model::Resource>,
    /// By id.
    pub authorizers: BTreeMap<String, model::Authorizer>,
    /// By id.
    pub deployments: BTreeMap<String, model::Deployment>,
    /// By name.
    pub stages: BTreeMap<String, model::Stage>,
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let segments = call.segments();
    match segments.first().map(String::as_str) {
        Some("v2") => v2::handle(call, &segments[1..]),
        _ => v1::handle(call, &segments),
    }
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new("BadRequestException", message)
}

fn missing(message: impl Into<String>) -> Fault {
    Fault::new("NotFoundException", message).status(404)
}

fn conflict(message: impl Into<String>) -> Fault {
    Fault::new("ConflictException", message).status(409)
}

/// The query string with the values of a repeated key joined by commas, as the wire parsers expect
/// lists. ([`Call::query`] keeps the last of repeated keys, which loses all tag keys but one.)
fn query(call: &Call<'_>) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    for pair in extract_query_string(&call.request.uri).split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode(value);
        found
            .entry(percent_decode(key))
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    found
}

/// Tags as AWS takes them.
fn check_tags(tags: Option<&HashMap<String, String>>) -> Result<(), Fault> {
    for (key, value) in tags.into_iter().flatten() {
        if key.is_empty() || key.len() > 128 || key.starts_with("aws:") || value.len() > 256 {
            return Err(bad(format!("Invalid tag '{key}' specified")));
        }
    }
    Ok(())
}

fn state<'a>(call: &'a Call<'_>) -> Option<&'a State> {
    call.account.region_if_any(call.region_name).map(|region| &*region.apigateway)
}
