//! `apigateway.domain_name`: a name of one's own at which APIs answer. This project makes none.

use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

use crate::tags::from_map;

/// A custom domain name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainName {
    /// The TLS versions and ciphers that clients may use. Absent where AWS does not say.
    pub security_policy: Option<String>,
}

impl Inspected for DomainName {
    const KIND: &'static str = "apigateway.domain_name";
    const READ: &'static [Allow] =
        &[Allow::to(&["apigateway:GET"]).on(&["apigateway:{region}::/domainnames"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<DomainName>>> {
    let action = "apigateway:GET";
    let call = client!(aws, aws_sdk_apigateway).get_domain_names().limit(500).into_paginator();
    let found = aws.call(action, call.items().send().try_collect()).await?;
    found
        .into_iter()
        .map(|one: aws_sdk_apigateway::types::DomainName| {
            let name =
                one.domain_name.ok_or_else(|| Error::incomplete(action, "a domain name's name"))?;
            let policy = one.security_policy.map(|policy| policy.as_str().to_owned());
            let mut live = Live::new(name, DomainName { security_policy: policy });
            live.arn = one.domain_name_arn;
            Ok(live.with_tags(from_map(one.tags)))
        })
        .collect()
}
