//! `cloudfront.distribution`: what CloudFront speaks to viewers and to origins, and what guards and
//! records it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types::{
    DistributionConfig, DistributionSummary, Origin, OriginSslProtocols,
};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, Status, Tags, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A CloudFront distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Whether it answers.
    pub enabled: bool,
    /// `allow-all`, `https-only` or `redirect-to-https`, by the path pattern of the behaviour; the default
    /// one's is `*`.
    pub viewer_protocol_policies: BTreeMap<String, String>,
    /// The least version of TLS for viewers, as `TLSv1.2_2021`. A distribution with CloudFront's own
    /// certificate has `TLSv1`, whatever else is set.
    pub minimum_tls_version: Option<String>,
    /// How origins are spoken to, by the origin's id: `http-only`, `https-only` or `match-viewer`. A
    /// bucket is spoken to as the viewer speaks, so it has the last.
    pub origin_protocol_policies: BTreeMap<String, String>,
    /// The versions of TLS that each origin may be spoken to with, by the origin's id, as `TLSv1.2`; empty where AWS
    /// does not say. A bucket has none: CloudFront chooses.
    #[serde(default)]
    pub origin_tls_versions: BTreeMap<String, BTreeSet<String>>,
    /// The ARN of the web ACL before it.
    pub web_acl: Option<String>,
    /// The bucket that its requests are recorded in, where they are (standard logging).
    pub log_bucket: Option<String>,
}

impl Inspected for Distribution {
    const KIND: &'static str = "cloudfront.distribution";
    const READ: &'static [Allow] = &[Allow::to(&[
        "cloudfront:ListDistributions",
        "cloudfront:GetDistributionConfig",
        "cloudfront:ListTagsForResource",
        "cloudfront:GetVpcOrigin",
    ])];
    const COSTLY: bool = true;

    async fn inspect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        // Nothing ties a distribution to a stack, and each costs two calls.
        if !matches!(scope, Scope::Account) {
            return Collected::default();
        }
        let call = client!(aws, aws_sdk_cloudfront).list_distributions().into_paginator().items();
        let listed = aws.call("cloudfront:ListDistributions", call.send().try_collect()).await;
        let listed: Vec<DistributionSummary> = match listed {
            Ok(listed) => listed,
            Err(error) => return Collected::failed(error),
        };
        let reads = futures::stream::iter(listed).map(|one| read(aws, one));
        Collected::of(reads.buffer_unordered(8).collect().await)
    }
}

async fn read(aws: &Aws, one: DistributionSummary) -> Live<Distribution> {
    let (id, arn) = (one.id.clone(), one.arn.clone());
    let cloudfront = client!(aws, aws_sdk_cloudfront);
    let config = cloudfront.get_distribution_config().id(&id);
    let tags = cloudfront.list_tags_for_resource().resource(&arn);
    let (config, tags, origins) = futures::join!(
        aws.call("cloudfront:GetDistributionConfig", config.send()),
        aws.call("cloudfront:ListTagsForResource", tags.send()),
        origins(aws, one.origins.as_ref().map_or(&[], |all| all.items())),
    );
    let mut live = described(one);
    let versions = origins.clone().map(|all| {
        let of_own =
            all.iter().filter_map(|(id, (_, versions))| Some((id.clone(), versions.clone()?)));
        of_own.collect()
    });
    live.read("origin_protocol_policies", origins, |spec, all| {
        let policies = all.into_iter().map(|(id, (policy, _))| (id, policy));
        spec.origin_protocol_policies = policies.collect();
    });
    live.read("origin_tls_versions", versions, |spec, all| spec.origin_tls_versions = all);
    let config = config.and_then(|answer| {
        let config = answer.distribution_config;
        config.ok_or_else(|| Error::incomplete("cloudfront:GetDistributionConfig", "the config"))
    });
    live.read("log_bucket", config, |spec, config| spec.log_bucket = log_bucket(&config));
    let mut found = Tags::new();
    live.read("tags", tags, |_, answer| {
        let tags = answer.tags.into_iter().flat_map(|tags| tags.items.unwrap_or_default());
        found = tags.map(|tag| (tag.key, tag.value.unwrap_or_default())).collect();
    });
    live.with_tags(found)
}

/// How an origin is spoken to: the policy, and the versions of TLS where it is no bucket.
type Spoken = (String, Option<BTreeSet<String>>);

/// How each origin is spoken to. That of an origin in a VPC is told by the VPC origin only.
async fn origins(aws: &Aws, origins: &[Origin]) -> Result<BTreeMap<String, Spoken>> {
    let versions = |all: Option<&OriginSslProtocols>| {
        let all = all.map_or(&[][..], OriginSslProtocols::items);
        Some(all.iter().map(|version| version.as_str().to_owned()).collect())
    };
    let mut found = BTreeMap::new();
    for origin in origins {
        let spoken = match (origin.custom_origin_config(), origin.vpc_origin_config()) {
            (Some(custom), _) => (
                custom.origin_protocol_policy().as_str().to_owned(),
                versions(custom.origin_ssl_protocols()),
            ),
            (None, Some(vpc)) => {
                let action = "cloudfront:GetVpcOrigin";
                let call = client!(aws, aws_sdk_cloudfront).get_vpc_origin();
                let answer = aws.call(action, call.id(vpc.vpc_origin_id()).send()).await?;
                let config = answer.vpc_origin.and_then(|one| one.vpc_origin_endpoint_config);
                let config = config.ok_or_else(|| Error::incomplete(action, "the endpoint"))?;
                let policy = config.origin_protocol_policy.as_str().to_owned();
                (policy, versions(config.origin_ssl_protocols.as_ref()))
            }
            (None, None) => ("match-viewer".into(), None),
        };
        found.insert(origin.id().to_owned(), spoken);
    }
    Ok(found)
}

fn described(one: DistributionSummary) -> Live<Distribution> {
    let default = one.default_cache_behavior.iter();
    let default = default.map(|it| ("*".to_owned(), it.viewer_protocol_policy.as_str().to_owned()));
    let others = one.cache_behaviors.iter().flat_map(|all| all.items());
    let others = others.map(|behavior| {
        let policy = behavior.viewer_protocol_policy().as_str().to_owned();
        (behavior.path_pattern().to_owned(), policy)
    });
    let certificate = one.viewer_certificate.as_ref();
    let spec = Distribution {
        enabled: one.enabled,
        viewer_protocol_policies: default.chain(others).collect(),
        minimum_tls_version: certificate
            .and_then(|it| it.minimum_protocol_version())
            .map(|word| word.as_str().to_owned()),
        origin_protocol_policies: BTreeMap::new(),
        origin_tls_versions: BTreeMap::new(),
        web_acl: Some(one.web_acl_id).filter(|arn| !arn.is_empty()),
        log_bucket: None,
    };
    let status = Status::by_word(&one.status, &["Deployed"], &[], &[]);
    Live::new(one.id, spec).with_arn(one.arn).with_status(status)
}

fn log_bucket(config: &DistributionConfig) -> Option<String> {
    let logging = config.logging().filter(|logging| logging.enabled())?;
    Some(logging.bucket().to_owned()).filter(|bucket| !bucket.is_empty())
}
