//! One request, as a service sees it.

use std::collections::HashMap;

use jiff::Timestamp;
use rand::RngExt;
use winterbaume_core::{MockRequest, extract_path, extract_query_string, parse_query_string, percent_decode};

use crate::clock::Delays;
use crate::state::{Account, Region};

/// One request, with the account that it acts on.
pub struct Call<'a> {
    /// The account, whole.
    pub account: &'a mut Account,
    /// The region that the request is for.
    pub region_name: &'a str,
    /// The request.
    pub request: &'a MockRequest,
    /// The plane's time.
    pub now: Timestamp,
    pub(crate) delays: &'a Delays,
}

impl Call<'_> {
    /// The state of the request's region.
    pub fn region(&mut self) -> &mut Region {
        self.account.region(self.region_name)
    }

    /// The state of any region, to look at. `None` when nothing was ever made there.
    pub fn region_if_any(&self, name: &str) -> Option<&Region> {
        self.account.region_if_any(name)
    }

    /// The caller: the plane has one user, and it may do everything.
    pub fn caller_arn(&self) -> String {
        format!("arn:aws:iam::{}:user/embedded", self.account.id)
    }

    /// The account's twelve digits.
    pub fn account_id(&self) -> String {
        self.account.id.clone()
    }

    /// An ARN in this account and region.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region_name, self.account.id)
    }

    /// A new identifier as EC2 forms them: a prefix and 17 hexadecimal digits.
    pub fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.random_hex(17))
    }

    /// Random lower-case hexadecimal digits.
    pub fn random_hex(&self, digits: usize) -> String {
        let mut rng = rand::rng();
        (0..digits).map(|_| char::from_digit(rng.random_range(0..16), 16).unwrap_or('0')).collect()
    }

    /// Random letters and digits, as in the ids of REST APIs and the suffixes of secret ARNs.
    pub fn random_alphanumeric(&self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut rng = rand::rng();
        (0..length).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
    }

    /// Seconds since the epoch, as the JSON protocols write times.
    pub fn epoch(&self) -> f64 {
        self.now.as_second() as f64
    }

    /// The time as the XML protocols write it.
    pub fn iso8601(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
    }

    /// Starts the time that a resource of this kind takes to become ready (`ec2.nat_gateway`).
    pub fn begin(&mut self, kind: &str, id: &str) {
        let delay = self.delays.of(kind);
        if !delay.is_zero()
            && let Ok(at) = self.now.checked_add(delay)
        {
            let key = format!("{kind}/{id}");
            self.region().timers.insert(key, at);
        }
    }

    /// Whether the time since [`begin`](Self::begin) is over.
    pub fn is_ready(&mut self, kind: &str, id: &str) -> bool {
        let now = self.now;
        self.region().timers.get(&format!("{kind}/{id}")).is_none_or(|at| *at <= now)
    }

    /// The parameters of a query-protocol request, `Action` among them.
    pub fn form(&self) -> HashMap<String, String> {
        parse_query_string(&String::from_utf8_lossy(&self.request.body))
    }

    /// The operation of a JSON-protocol request.
    pub fn target(&self) -> &str {
        let header = self.request.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        header.and_then(|value| value.rsplit('.').next()).unwrap_or_default()
    }

    /// The path of a REST request, split at slashes and decoded.
    pub fn segments(&self) -> Vec<String> {
        let path = extract_path(&self.request.uri);
        path.trim_matches('/').split('/').map(percent_decode).collect()
    }

    /// The query string of a REST request. Of repeated keys, the last.
    pub fn query(&self) -> HashMap<String, String> {
        parse_query_string(extract_query_string(&self.request.uri))
    }
}
