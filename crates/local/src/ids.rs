//! Where the plane's identifiers come from.
//!
//! AWS's are random, and so are the plane's as a rule. A simulation wants to compare accounts: there an
//! identifier follows from what was asked for and from how often that was asked before, so that two runs
//! that make the same resource give it the same identifier, and a resource that is made twice
//! is two resources.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use winterbaume_core::MockRequest;

/// The choice, as part of the account.
#[derive(Debug, Clone, Default)]
pub(crate) enum Ids {
    /// As AWS chooses them.
    #[default]
    Random,
    /// From the requests: how often each one drew identifiers already. Shared by snapshots until one of them draws.
    Derived(Arc<BTreeMap<[u8; 32], u32>>),
}

/// What one request draws its identifiers from.
#[derive(Debug)]
pub(crate) struct Draws<'a> {
    ids: &'a Ids,
    request: &'a MockRequest,
    drawn: RefCell<Option<Drawn>>,
}

#[derive(Debug)]
struct Drawn {
    asked: [u8; 32],
    key: [u8; 32],
    times: u32,
}

/// A request that drew identifiers.
#[derive(Debug)]
pub(crate) struct Asked([u8; 32]);

impl Ids {
    /// Identifiers that follow from the requests.
    pub(crate) fn derived() -> Self {
        Self::Derived(Arc::default())
    }

    /// For one request.
    pub(crate) fn draws<'a>(&'a self, request: &'a MockRequest) -> Draws<'a> {
        Draws { ids: self, request, drawn: RefCell::default() }
    }

    /// A request that drew was granted.
    pub(crate) fn granted(&mut self, asked: Option<Asked>) {
        if let (Self::Derived(seen), Some(Asked(asked))) = (self, asked) {
            *Arc::make_mut(seen).entry(asked).or_default() += 1;
        }
    }
}

impl Draws<'_> {
    /// Sixteen bytes that were not drawn before.
    pub(crate) fn draw(&self) -> [u8; 16] {
        let Ids::Derived(seen) = self.ids else { return rand::rng().random() };
        let mut drawn = self.drawn.borrow_mut();
        let drawn = drawn.get_or_insert_with(|| {
            let asked = fingerprint(self.request);
            let before = seen.get(&asked).copied().unwrap_or_default();
            let mut hash = Sha256::new_with_prefix(asked);
            hash.update(before.to_be_bytes());
            Drawn { asked, key: hash.finalize().into(), times: 0 }
        });
        drawn.times += 1;
        let mut hash = Sha256::new_with_prefix(drawn.key);
        hash.update(drawn.times.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        std::array::from_fn(|at| digest[at])
    }

    /// The request, if it drew.
    pub(crate) fn asked(self) -> Option<Asked> {
        self.drawn.into_inner().map(|drawn| Asked(drawn.asked))
    }
}

/// What was asked for, without what is random in it: tokens, passwords, keys of certificates.
fn fingerprint(request: &MockRequest) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(request.method.as_bytes());
    hash.update(request.uri.as_bytes());
    for header in ["x-amz-target", "host"] {
        hash.update(request.headers.get(header).map_or(&b""[..], |value| value.as_bytes()));
    }
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(mut body) => {
            mask(&mut body);
            hash.update(body.to_string());
        }
        Err(_) => {
            // A form; anything else has no `&` and stays whole.
            let body = String::from_utf8_lossy(&request.body);
            for pair in body.split('&') {
                let key = pair.split('=').next().unwrap_or_default();
                if !is_random(key) {
                    hash.update(pair);
                }
            }
        }
    }
    hash.finalize().into()
}

/// Without what is random, and sorted: the SDK writes maps in any order.
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let mut kept: Vec<(String, Value)> =
                std::mem::take(fields).into_iter().filter(|(key, _)| !is_random(key)).collect();
            kept.iter_mut().for_each(|(_, value)| mask(value));
            kept.sort_by(|(a, _), (b, _)| a.cmp(b));
            fields.extend(kept);
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn is_random(key: &str) -> bool {
    const RANDOM: &[&str] = &[
        "secretstring",
        "secretbinary",
        "masteruserpassword",
        "privatekey",
        "certificate",
        "certificatechain",
        "creatorrequestid",
        "callerreference",
    ];
    let key = key.to_ascii_lowercase();
    key.ends_with("token") || RANDOM.contains(&key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> MockRequest {
        MockRequest {
            method: "POST".into(),
            uri: "https://kms.us-east-1.amazonaws.com/".into(),
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn the_same_wish_has_the_same_identifier_and_a_second_one_has_another() {
        let draw = |ids: &mut Ids, body: &str| {
            let request = request(body);
            let draws = ids.draws(&request);
            let id = draws.draw();
            let asked = draws.asked();
            ids.granted(asked);
            id
        };
        let (mut one, mut other) = (Ids::derived(), Ids::derived());
        let first = draw(&mut one, r#"{"Name":"a","ClientRequestToken":"x"}"#);
        assert_eq!(first, draw(&mut other, r#"{"ClientRequestToken":"y","Name":"a"}"#));
        assert_ne!(first, draw(&mut one, r#"{"Name":"a"}"#), "made twice");
        assert_ne!(first, draw(&mut other, r#"{"Name":"b"}"#));
        let form = draw(&mut one, "Action=CreateNatGateway&ClientToken=1&SubnetId=s");
        assert_eq!(form, draw(&mut other, "Action=CreateNatGateway&ClientToken=2&SubnetId=s"));
    }
}
