//! `wafv2.association`: which web ACL stands before which load balancer. It is only inspected: this
//! project's load balancer has no address on the internet.

use aws_sdk_wafv2::types::ResourceType;
use engine::{Allow, Aws, Collected, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::web_acl;

/// A web ACL before a load balancer. Its id is the load balancer's ARN, which has one web ACL at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebAclAssociation {
    /// The ARN of the web ACL.
    pub web_acl: String,
    /// The ARN of the load balancer.
    pub load_balancer: String,
}

impl Inspected for WebAclAssociation {
    const KIND: &'static str = "wafv2.association";
    const READ: &'static [Allow] =
        &[Allow::to(&["wafv2:ListWebACLs", "wafv2:ListResourcesForWebACL"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("load_balancer", "elbv2.load_balancer")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<WebAclAssociation>>> {
    let acls = web_acl::summaries(aws).await?.into_iter().filter_map(|summary| summary.arn);
    let reads = acls.map(|acl| async move { of_acl(aws, acl).await });
    let found: Vec<Result<Vec<_>>> =
        futures::stream::iter(reads).buffer_unordered(8).collect().await;
    Ok(found.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

async fn of_acl(aws: &Aws, web_acl: String) -> Result<Vec<Live<WebAclAssociation>>> {
    let call = client!(aws, aws_sdk_wafv2)
        .list_resources_for_web_acl()
        .web_acl_arn(&web_acl)
        .resource_type(ResourceType::ApplicationLoadBalancer);
    // Gone since the web ACLs were listed: it stands before nothing.
    let answer = aws.find("wafv2:ListResourcesForWebACL", call.send()).await?;
    let guarded = answer.and_then(|answer| answer.resource_arns).unwrap_or_default();
    let association = |load_balancer: String| {
        let web_acl = web_acl.clone();
        Live::new(load_balancer.clone(), WebAclAssociation { web_acl, load_balancer })
    };
    Ok(guarded.into_iter().map(association).collect())
}
