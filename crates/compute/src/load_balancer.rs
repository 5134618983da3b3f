//! `elbv2.load_balancer`: an application load balancer, with its attributes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as ElbLoadBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerTypeEnum, Tag,
};
use engine::vocabulary::{
    BucketName, HostName, Id, LoadBalancerArn, Private, SecurityGroupId, SubnetId,
};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Handle, Live, New, Permissions, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A load balancer. Its id is its ARN. Outputs: `dns_name`, and `zone_id`, the hosted zone for alias
/// records.
///
/// It holds no data: deleting it switches its own deletion protection off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// The name: up to 32 letters, digits and hyphens, not beginning with `internal-`.
    pub name: String,
    /// `application`, `network` or `gateway`.
    pub load_balancer_type: String,
    /// Whether it has private addresses only.
    pub internal: bool,
    /// Its subnets, in two availability zones at least.
    pub subnets: BTreeSet<Ref<SubnetId<Private>>>,
    /// What guards it.
    pub security_groups: BTreeSet<Ref<SecurityGroupId>>,
    /// Whether a delete call is refused.
    pub deletion_protection: bool,
    /// Whether header fields that HTTP does not allow are dropped.
    pub drop_invalid_header_fields: bool,
    /// `monitor`, `defensive` or `strictest`: what is done about requests that two servers could
    /// read in two ways.
    pub desync_mitigation_mode: String,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// Seconds until a silent connection is closed.
    pub idle_timeout_seconds: u32,
    /// Where each request is recorded. `None`: nowhere.
    pub access_logs: Option<AccessLogs>,
}

/// Where a load balancer records its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogs {
    /// The bucket, in the load balancer's region. Its policy has to let the service write.
    pub bucket: Ref<BucketName>,
    /// The first part of the objects' names, without slashes at its ends. May be empty.
    pub prefix: String,
}

impl LoadBalancer {
    /// An application load balancer with private addresses, as AWS makes it but for header fields that HTTP does not
    /// allow, which it drops. It records nothing: see [`access_logs`](Self::access_logs).
    pub fn internal(
        name: impl Into<String>,
        subnets: &[Ref<SubnetId<Private>>],
        security_group: Ref<SecurityGroupId>,
    ) -> Self {
        Self {
            name: name.into(),
            load_balancer_type: "application".into(),
            internal: true,
            subnets: subnets.iter().cloned().collect(),
            security_groups: BTreeSet::from([security_group]),
            deletion_protection: false,
            drop_invalid_header_fields: true,
            desync_mitigation_mode: "defensive".into(),
            http2: true,
            idle_timeout_seconds: 60,
            access_logs: None,
        }
    }
}

/// The load balancer's host name.
pub fn dns_name(load_balancer: &Handle<LoadBalancer>) -> Ref<HostName> {
    load_balancer.output("dns_name")
}

/// The hosted zone to name in an alias record.
pub fn zone_id(load_balancer: &Handle<LoadBalancer>) -> Ref<Id> {
    load_balancer.output("zone_id")
}

const DELETION_PROTECTION: &str = "deletion_protection.enabled";
const DROP_INVALID: &str = "routing.http.drop_invalid_header_fields.enabled";
const DESYNC: &str = "routing.http.desync_mitigation_mode";
const HTTP2: &str = "routing.http2.enabled";
const IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";
const LOGS: &str = "access_logs.s3.enabled";
const LOGS_BUCKET: &str = "access_logs.s3.bucket";
const LOGS_PREFIX: &str = "access_logs.s3.prefix";

/// The fields that are attributes to AWS: set by a call of their own.
const ATTRIBUTES: &[&str] = &[
    "deletion_protection",
    "drop_invalid_header_fields",
    "desync_mitigation_mode",
    "http2",
    "idle_timeout_seconds",
    "access_logs",
];

impl Resource for LoadBalancer {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "load_balancer_type", "internal"],
        late: ATTRIBUTES,
        ready: Poll::MINUTES.expecting(180),
        not_yet: &[
            ("InvalidSubnet", ""),
            ("SubnetNotFound", ""),
            ("InvalidSecurityGroup", ""),
            // The first use in an account makes the service-linked role.
            ("OperationNotPermitted", "service linked role"),
            // The bucket's policy has just been written.
            ("InvalidConfigurationRequest", "Access Denied for bucket"),
        ],
        attached_by: &[("subnets", "ec2.subnet")],
        permissions: Permissions {
            read: &[Allow::to(&[
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeLoadBalancerAttributes",
                "elasticloadbalancing:DescribeTags",
            ])],
            make: &[
                Allow::to(&["elasticloadbalancing:CreateLoadBalancer"])
                    .on(&["elasticloadbalancing:{here}:loadbalancer/app/{name}/*"])
                    .for_stack(),
                Allow::to(&[
                    "elasticloadbalancing:ModifyLoadBalancerAttributes",
                    "elasticloadbalancing:AddTags",
                ])
                .on(&["elasticloadbalancing:{here}:loadbalancer/app/{name}/*"]),
                Allow::to(&[
                    "elasticloadbalancing:SetSubnets",
                    "elasticloadbalancing:SetSecurityGroups",
                    "elasticloadbalancing:RemoveTags",
                ])
                .on(&["elasticloadbalancing:{here}:loadbalancer/app/{name}/*"])
                .of_stack(),
                // Elastic Load Balancing asks whether the caller may, when it makes the first of an account:
                // https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html
                Allow::to(&["ec2:DescribeAccountAttributes"]),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals(
                        "iam:AWSServiceName",
                        &["elasticloadbalancing.amazonaws.com"],
                    )]),
            ],
            remove: &[Allow::to(&[
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:DeleteLoadBalancer",
            ])
            .on(&["elasticloadbalancing:{here}:loadbalancer/app/{name}/*"])
            .of_stack()],
        },
        ..Traits::of("elbv2.load_balancer")
    };
    type Id = LoadBalancerArn;
    type Arn = LoadBalancerArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(collect(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "elasticloadbalancing:CreateLoadBalancer";
        let scheme = match self.internal {
            true => LoadBalancerSchemeEnum::Internal,
            false => LoadBalancerSchemeEnum::InternetFacing,
        };
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .create_load_balancer()
            .name(&self.name)
            .r#type(LoadBalancerTypeEnum::from(self.load_balancer_type.as_str()))
            .scheme(scheme)
            .set_subnets(Some(texts(&self.subnets)))
            .set_security_groups(Some(texts(&self.security_groups)))
            .set_tags(Some(to_elb(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let made = made.load_balancers.unwrap_or_default().into_iter().next();
        let made = made.ok_or_else(|| Error::incomplete(action, "the load balancer"))?;
        Ok(read(action, made)?.with_tags(new.tags.clone()))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .describe_load_balancers()
            .load_balancer_arns(&live.id);
        let answer = aws.call("elasticloadbalancing:DescribeLoadBalancers", call.send()).await?;
        let state = answer.load_balancers().first().and_then(|one| one.state());
        let word =
            state.and_then(|state| state.code()).map_or("provisioning", |code| code.as_str());
        // `active_impaired` forwards, without enough room to grow; AWS goes on trying.
        let reason = state.and_then(|state| state.reason()).unwrap_or_default();
        Ok(match Readiness::by_status(word, &["active", "active_impaired"], &["failed"]) {
            Readiness::Failed(why) => Readiness::Failed(format!("{why}: {reason}")),
            other => other,
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
        if changes.has("subnets") {
            let call = elb
                .set_subnets()
                .load_balancer_arn(&live.id)
                .set_subnets(Some(texts(&self.subnets)));
            aws.call("elasticloadbalancing:SetSubnets", call.send()).await?;
        }
        if changes.has("security_groups") {
            let call = elb
                .set_security_groups()
                .load_balancer_arn(&live.id)
                .set_security_groups(Some(texts(&self.security_groups)));
            aws.call("elasticloadbalancing:SetSecurityGroups", call.send()).await?;
        }
        if changes.any(ATTRIBUTES) {
            set_attributes(aws, &live.id, self.attributes()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    /// Its last log must not fall into a bucket that has been emptied for its own deletion.
    async fn detach(aws: &Aws, live: &Live<Self>) -> Result<()> {
        if live.spec.access_logs.is_none() && !live.unreadable.contains_key("access_logs") {
            return Ok(());
        }
        set_attributes(aws, &live.id, vec![(LOGS, "false".to_owned())]).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let unsure = live.unreadable.contains_key("deletion_protection");
        if live.spec.deletion_protection || unsure {
            let off = vec![(DELETION_PROTECTION, "false".to_owned())];
            set_attributes(aws, &live.id, off).await?;
        }
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .delete_load_balancer()
            .load_balancer_arn(&live.id);
        aws.call("elasticloadbalancing:DeleteLoadBalancer", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .describe_load_balancers()
            .load_balancer_arns(&live.id);
        let found = aws.find("elasticloadbalancing:DescribeLoadBalancers", call.send()).await?;
        Ok(found.is_none_or(|answer| answer.load_balancers().is_empty()))
    }
}

impl LoadBalancer {
    fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            (DELETION_PROTECTION, self.deletion_protection.to_string()),
            (DROP_INVALID, self.drop_invalid_header_fields.to_string()),
            (DESYNC, self.desync_mitigation_mode.clone()),
            (HTTP2, self.http2.to_string()),
            (IDLE_TIMEOUT, self.idle_timeout_seconds.to_string()),
            (LOGS, self.access_logs.is_some().to_string()),
        ];
        if let Some(logs) = &self.access_logs {
            all.push((LOGS_BUCKET, logs.bucket.to_string()));
            all.push((LOGS_PREFIX, logs.prefix.clone()));
        }
        all
    }

    /// Attributes that are not shown are as AWS sets them on a new load balancer.
    fn set(&mut self, found: &BTreeMap<String, String>) {
        let get = |key: &str| found.get(key).map(String::as_str);
        self.deletion_protection = get(DELETION_PROTECTION) == Some("true");
        self.drop_invalid_header_fields = get(DROP_INVALID) == Some("true");
        self.desync_mitigation_mode = get(DESYNC).unwrap_or("defensive").to_owned();
        self.http2 = get(HTTP2) != Some("false");
        self.idle_timeout_seconds =
            get(IDLE_TIMEOUT).and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
        self.access_logs = (get(LOGS) == Some("true")).then(|| AccessLogs {
            bucket: Ref::known(get(LOGS_BUCKET).unwrap_or_default()),
            prefix: get(LOGS_PREFIX).unwrap_or_default().to_owned(),
        });
    }
}

fn texts<M>(references: &BTreeSet<Ref<M>>) -> Vec<String> {
    references.iter().map(ToString::to_string).collect()
}

/// Every load balancer in the region, without tags and attributes.
pub(crate) async fn all(aws: &Aws) -> Result<Vec<ElbLoadBalancer>> {
    let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
    let call = elb.describe_load_balancers().into_paginator().items();
    let action = "elasticloadbalancing:DescribeLoadBalancers";
    aws.once(action, aws.call(action, call.send().try_collect())).await
}

async fn collect(aws: &Aws, scope: &Scope) -> Result<Vec<Live<LoadBalancer>>> {
    let action = "elasticloadbalancing:DescribeLoadBalancers";
    let mut found = Vec::new();
    for one in all(aws).await? {
        // Gateway load balancers have nothing in common with the others.
        if one.r#type != Some(LoadBalancerTypeEnum::Gateway) {
            found.push(read(action, one)?);
        }
    }
    let tags = tags(aws, found.iter().map(|live| live.id.clone()).collect()).await?;
    let detailed = futures::stream::iter(found).map(|mut live| {
        let tags = tags.get(&live.id).cloned().unwrap_or_default();
        async move {
            // A request for each load balancer: only where the answer matters.
            if scope.wants(&tags) {
                match attributes(aws, &live.id).await {
                    Ok(found) => live.spec.set(&found),
                    Err(error) => {
                        for field in ATTRIBUTES {
                            live.read(field, Err::<(), _>(error.clone()), |_, ()| {});
                        }
                    }
                }
            } else {
                let action = "elasticloadbalancing:DescribeLoadBalancerAttributes";
                live.leave_out(ATTRIBUTES, action, "the load balancer is not of the stack");
            }
            live.with_tags(tags)
        }
    });
    Ok(detailed.buffer_unordered(8).collect().await)
}

async fn attributes(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>> {
    let call = client!(aws, aws_sdk_elasticloadbalancingv2)
        .describe_load_balancer_attributes()
        .load_balancer_arn(arn);
    let action = "elasticloadbalancing:DescribeLoadBalancerAttributes";
    let answer = aws.call(action, call.send()).await?;
    let pair = |one: LoadBalancerAttribute| Some((one.key?, one.value.unwrap_or_default()));
    Ok(answer.attributes.unwrap_or_default().into_iter().filter_map(pair).collect())
}

async fn set_attributes(aws: &Aws, arn: &str, pairs: Vec<(&str, String)>) -> Result<()> {
    let attribute = |(key, value): (&str, String)| {
        LoadBalancerAttribute::builder().key(key).value(value).build()
    };
    let call = client!(aws, aws_sdk_elasticloadbalancingv2)
        .modify_load_balancer_attributes()
        .load_balancer_arn(arn)
        .set_attributes(Some(pairs.into_iter().map(attribute).collect()));
    aws.call("elasticloadbalancing:ModifyLoadBalancerAttributes", call.send()).await?;
    Ok(())
}

/// A load balancer as it is listed, its attributes as AWS sets them on a new one.
fn read(action: &str, found: ElbLoadBalancer) -> Result<Live<LoadBalancer>> {
    let arn = found.load_balancer_arn;
    let arn = arn.ok_or_else(|| Error::incomplete(action, "a load balancer's ARN"))?;
    let zones = found.availability_zones.unwrap_or_default().into_iter();
    let mut spec = LoadBalancer {
        name: found.load_balancer_name.unwrap_or_default(),
        load_balancer_type: found
            .r#type
            .map_or("application".into(), |kind| kind.as_str().to_owned()),
        internal: found.scheme == Some(LoadBalancerSchemeEnum::Internal),
        subnets: zones.filter_map(|zone| zone.subnet_id).map(Ref::known).collect(),
        security_groups: found
            .security_groups
            .unwrap_or_default()
            .into_iter()
            .map(Ref::known)
            .collect(),
        deletion_protection: false,
        drop_invalid_header_fields: false,
        desync_mitigation_mode: String::new(),
        http2: true,
        idle_timeout_seconds: 60,
        access_logs: None,
    };
    spec.set(&BTreeMap::new());
    let word = found.state.and_then(|state| state.code);
    let word = word.as_ref().map_or("provisioning", |code| code.as_str());
    let status = Status::by_word(word, &["active", "active_impaired"], &["failed"], &[]);
    Ok(Live::new(arn.clone(), spec)
        .with_arn(arn)
        .with_status(status)
        .with_output("dns_name", found.dns_name)
        .with_output("zone_id", found.canonical_hosted_zone_id))
}

/// Tags as Elastic Load Balancing wants them.
pub(crate) fn to_elb(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

/// The tags of many resources, by ARN.
pub(crate) async fn tags(aws: &Aws, arns: Vec<String>) -> Result<BTreeMap<String, Tags>> {
    let mut found = BTreeMap::new();
    // Twenty is all that one call takes.
    for batch in arns.chunks(20) {
        let call = client!(aws, aws_sdk_elasticloadbalancingv2)
            .describe_tags()
            .set_resource_arns(Some(batch.to_vec()));
        let answer = aws.call("elasticloadbalancing:DescribeTags", call.send()).await?;
        for one in answer.tag_descriptions.unwrap_or_default() {
            let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
            let tags = one.tags.unwrap_or_default().into_iter().filter_map(pair).collect();
            found.insert(one.resource_arn.unwrap_or_default(), tags);
        }
    }
    Ok(found)
}

/// Sets and removes tags of one resource.
pub(crate) async fn retag(aws: &Aws, arn: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let elb = client!(aws, aws_sdk_elasticloadbalancingv2);
    if !put.is_empty() {
        let call = elb.add_tags().resource_arns(arn).set_tags(Some(to_elb(put)));
        aws.call("elasticloadbalancing:AddTags", call.send()).await?;
    }
    if !remove.is_empty() {
        let call = elb.remove_tags().resource_arns(arn).set_tag_keys(Some(remove.to_vec()));
        aws.call("elasticloadbalancing:RemoveTags", call.send()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> LoadBalancer {
        let found = ElbLoadBalancer::builder()
            .load_balancer_arn("arn:b")
            .scheme(LoadBalancerSchemeEnum::Internal)
            .build();
        read("elasticloadbalancing:DescribeLoadBalancers", found).unwrap().spec
    }

    #[test]
    fn attributes_read_back_as_they_were_asked_for() {
        let logs = AccessLogs { bucket: Ref::known("logs"), prefix: "alb".into() };
        let wanted = LoadBalancer {
            deletion_protection: true,
            drop_invalid_header_fields: true,
            desync_mitigation_mode: "strictest".into(),
            http2: false,
            idle_timeout_seconds: 30,
            access_logs: Some(logs),
            ..found()
        };
        let attributes = wanted.attributes().into_iter();
        let mut read = found();
        read.set(&attributes.map(|(key, value)| (key.to_owned(), value)).collect());
        assert_eq!(read, wanted);
    }

    #[test]
    fn protection_that_is_not_shown_is_not_there() {
        let new = found();
        assert!(!new.deletion_protection && !new.drop_invalid_header_fields);
        assert_eq!(new.access_logs, None);
    }

    #[test]
    fn what_has_no_scheme_is_not_internal() {
        let found = ElbLoadBalancer::builder().load_balancer_arn("arn:b").build();
        let live = read("elasticloadbalancing:DescribeLoadBalancers", found).unwrap();
        assert!(!live.spec.internal);
    }
}
