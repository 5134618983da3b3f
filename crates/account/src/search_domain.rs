//! `opensearch.domain`: an OpenSearch (or Elasticsearch) domain, as far as it is locked: what encrypts it,
//! what it speaks, who may reach it. Never a document of it.

use std::collections::BTreeSet;

use aws_sdk_opensearch::types::DomainStatus;
use engine::{
    Allow, Aws, Collected, Error, Inspected, Live, Policy, Result, Scope, Status, Tags, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// An OpenSearch domain. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchDomain {
    /// Whether its disks are encrypted.
    pub encrypted: bool,
    /// The key for that.
    pub kms_key: Option<String>,
    /// Whether its nodes speak TLS among themselves.
    pub node_to_node_encryption: bool,
    /// Whether it refuses plain HTTP.
    pub enforce_https: bool,
    /// `Policy-Min-TLS-1-2-PFS-2023-10`…: which versions of TLS it speaks.
    pub tls_policy: Option<String>,
    /// The VPC that it is in; `None` for an endpoint on the internet.
    pub vpc: Option<String>,
    /// Its subnets, in a VPC.
    pub subnets: BTreeSet<String>,
    /// What guards it, in a VPC.
    pub security_groups: BTreeSet<String>,
    /// Who may do what with it.
    pub access_policy: Option<Policy>,
}

impl Inspected for SearchDomain {
    const KIND: &'static str = "opensearch.domain";
    const READ: &'static [Allow] =
        &[Allow::to(&["es:ListDomainNames", "es:DescribeDomains", "es:ListTags"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("vpc", "ec2.vpc"), ("subnets", "ec2.subnet")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<SearchDomain>>> {
    let opensearch = client!(aws, aws_sdk_opensearch);
    let call = opensearch.list_domain_names();
    let names = aws.call("es:ListDomainNames", call.send()).await?.domain_names;
    let names: Vec<String> =
        names.unwrap_or_default().into_iter().filter_map(|one| one.domain_name).collect();
    let mut found = Vec::new();
    // Five is all that one call takes.
    for batch in names.chunks(5) {
        let call = opensearch.describe_domains().set_domain_names(Some(batch.to_vec()));
        let answer = aws.call("es:DescribeDomains", call.send()).await?;
        for domain in answer.domain_status_list {
            if domain.deleted != Some(true) {
                found.push(described(domain)?);
            }
        }
    }
    Ok(futures::stream::iter(found)
        .map(|live| tagged(aws, live))
        .buffer_unordered(8)
        .collect()
        .await)
}

async fn tagged(aws: &Aws, mut live: Live<SearchDomain>) -> Live<SearchDomain> {
    let arn = live.arn.clone().unwrap_or_default();
    let call = client!(aws, aws_sdk_opensearch).list_tags().arn(arn);
    let answer = aws.call("es:ListTags", call.send()).await;
    let mut tags = Tags::new();
    live.read("tags", answer, |_, answer| {
        let list = answer.tag_list.unwrap_or_default();
        tags = list.into_iter().map(|tag| (tag.key, tag.value)).collect();
    });
    live.with_tags(tags)
}

fn described(domain: DomainStatus) -> Result<Live<SearchDomain>> {
    let rest = domain.encryption_at_rest_options;
    let endpoint = domain.domain_endpoint_options;
    let vpc = domain.vpc_options;
    let name = domain.domain_name;
    let policy = domain.access_policies.filter(|text| !text.is_empty());
    let policy = policy.map(|text| Policy::parse(&text)).transpose();
    let policy = policy.map_err(|why| Error::invalid(format!("the policy of {name}"), why));
    let spec = SearchDomain {
        encrypted: rest.as_ref().and_then(|rest| rest.enabled) == Some(true),
        kms_key: rest.and_then(|rest| rest.kms_key_id),
        node_to_node_encryption: domain
            .node_to_node_encryption_options
            .and_then(|options| options.enabled)
            == Some(true),
        enforce_https: endpoint.as_ref().and_then(|one| one.enforce_https) == Some(true),
        tls_policy: endpoint
            .and_then(|one| one.tls_security_policy)
            .map(|word| word.as_str().to_owned()),
        vpc: vpc.as_ref().and_then(|vpc| vpc.vpc_id.clone()),
        subnets: vpc.iter().flat_map(|vpc| vpc.subnet_ids()).cloned().collect(),
        security_groups: vpc.iter().flat_map(|vpc| vpc.security_group_ids()).cloned().collect(),
        access_policy: None,
    };
    let status = match domain.processing {
        Some(true) => Status::Pending("processing".into()),
        _ => Status::Ready,
    };
    let mut live = Live::new(name, spec).with_arn(domain.arn).with_status(status);
    live.read("access_policy", policy, |spec, policy| spec.access_policy = policy);
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_taken_for_good() {
        let bare = DomainStatus::builder().domain_id("1/d").domain_name("d").arn("arn:d");
        let bare = bare.cluster_config(aws_sdk_opensearch::types::ClusterConfig::builder().build());
        let live = described(bare.clone().build().unwrap()).unwrap();
        assert!(!live.spec.encrypted && !live.spec.enforce_https && live.spec.vpc.is_none());
        let odd = described(bare.access_policies("{").build().unwrap()).unwrap();
        assert!(odd.unreadable.contains_key("access_policy"));
    }
}
