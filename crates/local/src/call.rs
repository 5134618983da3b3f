//! One request, as a service sees it.

use std::collections::HashMap;

use jiff::Timestamp;
use winterbaume_core::{MockRequest, extract_path, extract_query_string};

use crate::clock::Delays;
use crate::ids::Draws;
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
    pub(crate) draws: &'a Draws<'a>,
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

    /// Whether a policy may name this principal: everybody, an account, or a user or role that
    /// exists. What other accounts have is not known here.
    pub fn principal_exists(&self, principal: &str) -> bool {
        let is_account = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        if principal == "*" || is_account(principal) || principal == self.caller_arn() {
            return true;
        }
        let parts: Vec<&str> = principal.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "iam" | "sts", "", account, what] if *account == self.account.id => {
                let name = what.rsplit('/').next().unwrap_or_default();
                *what == "root"
                    || what.starts_with("assumed-role/")
                    || (what.starts_with("role/")
                        && self.account.global.iam.roles.contains_key(name))
            }
            ["arn", _, "iam" | "sts", "", account, _] => is_account(account),
            _ => false,
        }
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
        let byte = |byte: u8| char::from_digit((byte % 16).into(), 16).unwrap_or('0');
        self.bytes().take(digits).map(byte).collect()
    }

    /// A random UUID.
    pub fn new_uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.draws.draw()).into_uuid().to_string()
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        std::iter::repeat_with(|| self.draws.draw()).flatten()
    }

    /// Random letters and digits, as in the ids of REST APIs and the suffixes of secret ARNs.
    pub fn random_alphanumeric(&self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        self.bytes().take(length).map(letter).collect()
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
        form_of(self.request)
    }

    /// The operation of a JSON-protocol request.
    pub fn target(&self) -> &str {
        let header = self.request.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        header.and_then(|value| value.rsplit('.').next()).unwrap_or_default()
    }

    /// The path of a REST request, split at slashes and decoded.
    pub fn segments(&self) -> Vec<String> {
        let path = extract_path(&self.request.uri);
        path.trim_matches('/').split('/').map(decode).collect()
    }

    /// The query string of a REST request. Of repeated keys, the last.
    pub fn query(&self) -> HashMap<String, String> {
        pairs(extract_query_string(&self.request.uri)).collect()
    }

    /// Every value of a key that a query string repeats (`tagKeys`).
    pub fn query_values(&self, name: &str) -> Vec<String> {
        let all = pairs(extract_query_string(&self.request.uri));
        all.filter(|(key, _)| key == name).map(|(_, value)| value).collect()
    }
}

/// The parameters of a query-protocol request.
pub(crate) fn form_of(request: &MockRequest) -> HashMap<String, String> {
    pairs(&String::from_utf8_lossy(&request.body)).collect()
}

/// The pairs of a query string or form, decoded. A key without `=` has an empty value.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| decode(&text.replace('+', " "));
    text.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    })
}

/// Text with its `%XX` decoded. winterbaume's own decoder takes each byte for a character, and so
/// breaks everything that is not ASCII.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, pairs};

    #[test]
    fn text_beyond_ascii_survives() {
        assert_eq!(decode("a%2Fb%20%C3%A4+%"), "a/b ä+%");
        let all: Vec<_> = pairs("a=1+2%2B&versioning&b=%E2%80%93").collect();
        let own = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(all, [own("a", "1 2+"), own("versioning", ""), own("b", "–")]);
    }
}
