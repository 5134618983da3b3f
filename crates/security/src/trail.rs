//! `cloudtrail.trail`: the record of every call to AWS, delivered into a bucket.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types::{
    AdvancedEventSelector, AdvancedFieldSelector, DataResource,
    EventSelector as TrailEventSelector, ReadWriteType, Tag, Trail as DescribedTrail,
};
use engine::vocabulary::{Arn, BucketName, ForLogs, KeyArn, LogGroupArn, Name, RoleArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A trail. Its id is its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// The name, unique in account and region.
    pub name: String,
    /// Where the log files go. Its policy has to let CloudTrail in.
    pub bucket: Ref<BucketName>,
    /// What the names of the log files begin with, without a slash at the end.
    pub key_prefix: Option<String>,
    /// Whether it records the calls in all regions.
    pub multi_region: bool,
    /// Whether it records the calls to services that have no region: IAM, STS, CloudFront.
    pub include_global_services: bool,
    /// Whether each hour a signed digest of the log files is delivered.
    pub log_file_validation: bool,
    /// The key that encrypts the log files; `None` is SSE-S3.
    pub kms_key: Option<Ref<KeyArn<ForLogs>>>,
    /// The log group that gets the events too; what alarms are made from.
    pub log_group: Option<TrailLogGroup>,
    /// What is recorded.
    pub event_selectors: BTreeSet<EventSelector>,
    /// Whether it records.
    pub logging: bool,
    /// Why the last delivery failed, in AWS's words: to the bucket, of a digest, or to the log group.
    /// What AWS reports; never wanted.
    pub delivery_error: Option<String>,
}

/// Delivery to a log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailLogGroup {
    /// The log group's ARN, without the trailing `:*`.
    pub arn: Ref<LogGroupArn>,
    /// The role in which CloudTrail writes to it.
    pub role: Ref<RoleArn>,
}

/// Which events are recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventSelector {
    /// `All`, `ReadOnly` or `WriteOnly`.
    pub read_write: String,
    /// Whether calls that manage resources are recorded.
    pub management_events: bool,
    /// Whose data events are recorded, by the type of resource: `AWS::S3::Object` with the beginnings of
    /// ARNs, others with ARNs. `arn:aws:s3` and `arn:aws:lambda` are all, and so is a beginning that is
    /// followed by `*` (which a basic selector cannot say).
    pub data_resources: BTreeMap<String, BTreeSet<String>>,
    /// Whose calls that manage resources are left out: `kms.amazonaws.com`.
    #[serde(default)]
    pub excluded_sources: BTreeSet<String>,
}

impl EventSelector {
    /// All management events, no data events: what a new trail records.
    pub fn management() -> Self {
        Self {
            read_write: "All".into(),
            management_events: true,
            data_resources: BTreeMap::new(),
            excluded_sources: BTreeSet::new(),
        }
    }
}

impl Resource for Trail {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        late: &["event_selectors", "logging"],
        write_only: &["delivery_error"],
        not_yet: &[
            ("InsufficientS3BucketPolicyException", ""),
            ("InsufficientEncryptionPolicyException", ""),
            ("S3BucketDoesNotExistException", ""),
            // The role or its policy is not seen everywhere yet.
            ("InvalidCloudWatchLogsRoleArnException", ""),
            ("InvalidCloudWatchLogsLogGroupArnException", ""),
        ],
        permissions: Permissions {
            read: &[
                Allow::to(&["cloudtrail:DescribeTrails", "cloudtrail:ListTags"]),
                Allow::to(&["cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors"])
                    .on(&["cloudtrail:{here}:trail/{perhaps}"]),
            ],
            make: &[
                Allow::to(&["cloudtrail:CreateTrail"])
                    .on(&["cloudtrail:{here}:trail/{name}"])
                    .for_stack(),
                Allow::to(&[
                    "cloudtrail:PutEventSelectors",
                    "cloudtrail:StartLogging",
                    "cloudtrail:AddTags",
                ])
                .on(&["cloudtrail:{here}:trail/{name}"]),
                Allow::to(&[
                    "cloudtrail:UpdateTrail",
                    "cloudtrail:StopLogging",
                    "cloudtrail:RemoveTags",
                ])
                .on(&["cloudtrail:{here}:trail/{name}"])
                .of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["cloudtrail.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["cloudtrail:DeleteTrail"])
                .on(&["cloudtrail:{here}:trail/{name}"])
                .of_stack()],
        },
        ..Traits::of("cloudtrail.trail")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "cloudtrail:CreateTrail";
        let group = self.log_group.as_ref();
        let call = client!(aws, aws_sdk_cloudtrail)
            .create_trail()
            .name(&self.name)
            .s3_bucket_name(self.bucket.as_str())
            .set_s3_key_prefix(self.key_prefix.clone())
            .is_multi_region_trail(self.multi_region)
            .include_global_service_events(self.include_global_services)
            .enable_log_file_validation(self.log_file_validation)
            .set_kms_key_id(self.kms_key.as_ref().map(ToString::to_string))
            .set_cloud_watch_logs_log_group_arn(group.map(|group| whole_group(&group.arn)))
            .set_cloud_watch_logs_role_arn(group.map(|group| group.role.to_string()))
            .set_tags_list(Some(to_cloudtrail(&new.tags)?));
        let made = aws.call(action, call.send()).await?;
        let arn = made.trail_arn.ok_or_else(|| Error::incomplete(action, "the trail's ARN"))?;
        // A new trail does not record yet.
        let spec = Self {
            event_selectors: BTreeSet::new(),
            logging: false,
            delivery_error: None,
            ..self.clone()
        };
        Ok(Live::new(&self.name, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let cloudtrail = client!(aws, aws_sdk_cloudtrail);
        let attributes = [
            "bucket",
            "key_prefix",
            "multi_region",
            "include_global_services",
            "log_file_validation",
            "kms_key",
            "log_group",
        ];
        if changes.any(&attributes) {
            let group = self.log_group.as_ref();
            let (arn, role) = group
                .map(|group| (whole_group(&group.arn), group.role.to_string()))
                .unwrap_or_default();
            let key = self.kms_key.as_ref().map(ToString::to_string).unwrap_or_default();
            // An empty string takes away; what is not named stays.
            let call = cloudtrail
                .update_trail()
                .name(&live.id)
                .s3_bucket_name(self.bucket.as_str())
                .set_s3_key_prefix(
                    changes.has("key_prefix").then(|| self.key_prefix.clone().unwrap_or_default()),
                )
                .is_multi_region_trail(self.multi_region)
                .include_global_service_events(self.include_global_services)
                .enable_log_file_validation(self.log_file_validation)
                .set_kms_key_id(changes.has("kms_key").then_some(key))
                .set_cloud_watch_logs_log_group_arn(changes.has("log_group").then_some(arn))
                .set_cloud_watch_logs_role_arn(changes.has("log_group").then_some(role));
            aws.call("cloudtrail:UpdateTrail", call.send()).await?;
        }
        if changes.has("event_selectors") {
            let call = cloudtrail
                .put_event_selectors()
                .trail_name(&live.id)
                .set_event_selectors(Some(self.event_selectors.iter().map(to_selector).collect()));
            aws.call("cloudtrail:PutEventSelectors", call.send()).await?;
        }
        if changes.has("logging") {
            if self.logging {
                let call = cloudtrail.start_logging().name(&live.id);
                aws.call("cloudtrail:StartLogging", call.send()).await?;
            } else {
                let call = cloudtrail.stop_logging().name(&live.id);
                aws.call("cloudtrail:StopLogging", call.send()).await?;
            }
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let cloudtrail = client!(aws, aws_sdk_cloudtrail);
        let arn = live.require_arn("cloudtrail:DescribeTrails")?;
        if !put.is_empty() {
            let call =
                cloudtrail.add_tags().resource_id(arn).set_tags_list(Some(to_cloudtrail(put)?));
            aws.call("cloudtrail:AddTags", call.send()).await?;
        }
        if !remove.is_empty() {
            let gone =
                remove.iter().filter_map(|key| Some((key.clone(), live.tags.get(key)?.clone())));
            let call = cloudtrail
                .remove_tags()
                .resource_id(arn)
                .set_tags_list(Some(to_cloudtrail(&gone.collect())?));
            aws.call("cloudtrail:RemoveTags", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_cloudtrail).delete_trail().name(&live.id);
        aws.call("cloudtrail:DeleteTrail", call.send()).await?;
        Ok(())
    }
}

/// How CloudTrail wants a log group named: all its streams.
fn whole_group(arn: &Ref<LogGroupArn>) -> String {
    format!("{arn}:*")
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Trail>>> {
    let action = "cloudtrail:DescribeTrails";
    // Trails of other regions and of the organisation record this region too: an audit of the account
    // counts them.
    let shadows = matches!(scope, Scope::Account);
    let call = client!(aws, aws_sdk_cloudtrail).describe_trails().include_shadow_trails(shadows);
    let trails = aws.call(action, call.send()).await?.trail_list.unwrap_or_default();
    let here: Vec<String> = trails
        .iter()
        .filter_map(|trail| trail.trail_arn.clone())
        .filter(|arn| arn.contains(&format!(":{}:{}:", aws.region(), aws.account_id())))
        .collect();
    let tags = tags_of(aws, &here).await?;
    let reads = trails.into_iter().map(|trail| {
        let tags = &tags;
        async move {
            let mut live = live(action, trail)?;
            live.tags =
                live.arn.as_ref().and_then(|arn| tags.get(arn)).cloned().unwrap_or_default();
            if scope.wants(&live.tags) {
                detail(aws, &mut live).await;
            } else {
                let why = "the trail is not of the stack";
                let (status, selectors) =
                    ("cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors");
                live.leave_out(&["logging", "delivery_error"], status, why);
                live.leave_out(&["event_selectors"], selectors, why);
            }
            Ok(live)
        }
    });
    let found: Vec<Result<_>> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    found.into_iter().collect()
}

fn live(action: &str, trail: DescribedTrail) -> Result<Live<Trail>> {
    let missing = || Error::incomplete(action, "a trail's name and ARN");
    let name = trail.name.ok_or_else(missing)?;
    let arn = trail.trail_arn.ok_or_else(missing)?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let log_group = some(trail.cloud_watch_logs_log_group_arn).map(|group| TrailLogGroup {
        arn: group.strip_suffix(":*").unwrap_or(&group).into(),
        role: trail.cloud_watch_logs_role_arn.unwrap_or_default().into(),
    });
    let spec = Trail {
        name: name.clone(),
        bucket: trail.s3_bucket_name.unwrap_or_default().into(),
        key_prefix: some(trail.s3_key_prefix),
        multi_region: trail.is_multi_region_trail.unwrap_or(false),
        include_global_services: trail.include_global_service_events.unwrap_or(false),
        log_file_validation: trail.log_file_validation_enabled.unwrap_or(false),
        kms_key: some(trail.kms_key_id).map(Ref::known),
        log_group,
        event_selectors: BTreeSet::new(),
        logging: false,
        delivery_error: None,
    };
    Ok(Live::new(name, spec).with_arn(arn))
}

/// Reads what a trail's description does not say.
async fn detail(aws: &Aws, live: &mut Live<Trail>) {
    let cloudtrail = client!(aws, aws_sdk_cloudtrail);
    // By ARN: the home of a trail may be another region.
    let trail = live.arn.clone().unwrap_or_else(|| live.id.clone());
    let (status, selectors) = futures::join!(
        aws.call("cloudtrail:GetTrailStatus", cloudtrail.get_trail_status().name(&trail).send()),
        aws.call(
            "cloudtrail:GetEventSelectors",
            cloudtrail.get_event_selectors().trail_name(&trail).send()
        ),
    );
    let logging = status.clone().map(|status| status.is_logging.unwrap_or(false));
    live.read("logging", logging, |spec, on| spec.logging = on);
    live.read("delivery_error", status, |spec, status| {
        let errors = [
            status.latest_delivery_error,
            status.latest_digest_delivery_error,
            status.latest_cloud_watch_logs_delivery_error,
        ];
        spec.delivery_error = errors.into_iter().flatten().find(|error| !error.is_empty());
    });
    live.read("event_selectors", selectors, |spec, answer| {
        let basic = answer.event_selectors.unwrap_or_default().into_iter().map(from_selector);
        let advanced = answer.advanced_event_selectors.unwrap_or_default();
        spec.event_selectors =
            basic.chain(advanced.into_iter().filter_map(from_advanced)).collect();
    });
}

/// The tags of these trails, by ARN. CloudTrail takes twenty at a time, and refuses all of them if one
/// went between the listing and now: then they are asked for one by one.
async fn tags_of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>> {
    let mut found = BTreeMap::new();
    for some in arns.chunks(20) {
        match tags_of_some(aws, some).await {
            Ok(tags) => found.extend(tags),
            Err(Error::Api(error)) if error.is_not_found() => {
                for one in some {
                    match tags_of_some(aws, std::slice::from_ref(one)).await {
                        Ok(tags) => found.extend(tags),
                        Err(Error::Api(error)) if error.is_not_found() => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn tags_of_some(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>> {
    let call = client!(aws, aws_sdk_cloudtrail)
        .list_tags()
        .set_resource_id_list(Some(arns.to_vec()))
        .into_paginator()
        .items();
    let tagged = aws.call("cloudtrail:ListTags", call.send().try_collect()).await?;
    let pair = |tag: Tag| (tag.key, tag.value.unwrap_or_default());
    let tags = tagged.into_iter().map(|one| {
        let tags = one.tags_list.unwrap_or_default().into_iter().map(pair).collect();
        (one.resource_id.unwrap_or_default(), tags)
    });
    Ok(tags.collect())
}

fn to_cloudtrail(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: std::result::Result<_, _> = tags.iter().map(tag).collect();
    tags.map_err(|why| Error::invalid("the tags of a trail", why))
}

fn to_selector(selector: &EventSelector) -> TrailEventSelector {
    let data = selector.data_resources.iter().map(|(kind, arns)| {
        DataResource::builder()
            .r#type(kind)
            .set_values(Some(arns.iter().cloned().collect()))
            .build()
    });
    let excluded: Vec<String> = selector.excluded_sources.iter().cloned().collect();
    TrailEventSelector::builder()
        .read_write_type(ReadWriteType::from(selector.read_write.as_str()))
        .include_management_events(selector.management_events)
        .set_data_resources(Some(data.collect()))
        .set_exclude_management_event_sources(Some(excluded).filter(|all| !all.is_empty()))
        .build()
}

fn from_selector(selector: TrailEventSelector) -> EventSelector {
    let data = selector.data_resources.unwrap_or_default().into_iter().filter_map(|data| {
        Some((data.r#type?, data.values.unwrap_or_default().into_iter().collect()))
    });
    EventSelector {
        read_write: selector.read_write_type.map_or_else(|| "All".into(), |t| t.as_str().into()),
        management_events: selector.include_management_events.unwrap_or(true),
        data_resources: data.collect(),
        excluded_sources: selector
            .exclude_management_event_sources
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }
}

/// What an advanced selector records, as far as a basic one can say it. One that narrows the events
/// by anything else than category, type and ARN records less than it seems, and is left out.
fn from_advanced(selector: AdvancedEventSelector) -> Option<EventSelector> {
    let mut found = EventSelector { management_events: false, ..EventSelector::management() };
    let (mut types, mut named) = (Vec::new(), None);
    for field in selector.field_selectors {
        if excepts(&field) {
            return None;
        }
        let equals = field.equals.unwrap_or_default();
        match field.field.as_str() {
            "eventCategory" => found.management_events = equals.iter().any(|e| e == "Management"),
            "resources.type" => types = equals,
            "resources.ARN" => named = Some((equals, field.starts_with.unwrap_or_default())),
            "readOnly" => {
                let only_reads = equals.iter().any(|value| value == "true");
                found.read_write = if only_reads { "ReadOnly" } else { "WriteOnly" }.into();
            }
            _ => return None,
        }
    }
    let arns = |kind: &str| -> BTreeSet<String> {
        let Some((equals, starts)) = &named else { return BTreeSet::from(["arn:*".to_owned()]) };
        if kind == "AWS::S3::Object" {
            // One object, spelled out, says nothing about others whose names begin like it.
            return starts.iter().cloned().collect();
        }
        equals.iter().cloned().chain(starts.iter().map(|start| format!("{start}*"))).collect()
    };
    found.data_resources = types.iter().map(|kind| (kind.clone(), arns(kind))).collect();
    Some(found)
}

/// Whether a field is matched by its end, or by what it is not.
fn excepts(field: &AdvancedFieldSelector) -> bool {
    [&field.ends_with, &field.not_equals, &field.not_starts_with, &field.not_ends_with]
        .iter()
        .any(|values| values.as_ref().is_some_and(|values| !values.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, equals: &[&str]) -> AdvancedFieldSelector {
        let equals = equals.iter().map(ToString::to_string).collect();
        AdvancedFieldSelector::builder().field(name).set_equals(Some(equals)).build().unwrap()
    }

    fn advanced(fields: Vec<AdvancedFieldSelector>) -> Option<EventSelector> {
        let selector = AdvancedEventSelector::builder().set_field_selectors(Some(fields));
        from_advanced(selector.build().unwrap())
    }

    #[test]
    fn an_advanced_selector_of_all_management_events_is_the_basic_one() {
        let found = advanced(vec![field("eventCategory", &["Management"])]);
        assert_eq!(found, Some(EventSelector::management()));
    }

    #[test]
    fn what_a_selector_leaves_out_is_kept() {
        let but = EventSelector {
            excluded_sources: ["kms.amazonaws.com".to_owned()].into(),
            ..EventSelector::management()
        };
        for selector in [EventSelector::management(), but] {
            assert_eq!(from_selector(to_selector(&selector)), selector);
        }
    }

    #[test]
    fn a_selector_that_is_narrowed_is_not_taken_for_a_whole_one() {
        let fields = vec![
            field("eventCategory", &["Management"]),
            field("eventSource", &["kms.amazonaws.com"]),
        ];
        assert_eq!(advanced(fields), None);
    }

    #[test]
    fn data_events_without_an_arn_are_those_of_all_and_an_exception_is_not_overlooked() {
        let data = || field("eventCategory", &["Data"]);
        let objects = || field("resources.type", &["AWS::S3::Object"]);
        let all = advanced(vec![data(), objects()]).unwrap();
        assert_eq!(all.data_resources["AWS::S3::Object"], BTreeSet::from(["arn:*".to_owned()]));
        let one = field("resources.ARN", &["arn:aws:s3:::records/"]);
        let one = advanced(vec![data(), objects(), one]).unwrap();
        assert!(one.data_resources["AWS::S3::Object"].is_empty());
        let but = AdvancedFieldSelector::builder().field("resources.ARN");
        let but = but.not_starts_with("arn:aws:s3:::records/").build().unwrap();
        assert_eq!(advanced(vec![data(), objects(), but]), None);
        let function = field("resources.type", &["AWS::Lambda::Function"]);
        let some = AdvancedFieldSelector::builder().field("resources.ARN");
        let some = some.starts_with("arn:aws:lambda:r:1:function:a").build().unwrap();
        let some = advanced(vec![data(), function, some]).unwrap();
        let arns = &some.data_resources["AWS::Lambda::Function"];
        assert_eq!(arns.first().unwrap(), "arn:aws:lambda:r:1:function:a*");
    }

    #[test]
    fn a_described_trail_says_where_it_delivers() {
        let described = DescribedTrail::builder()
            .name("t")
            .trail_arn("arn:t")
            .cloud_watch_logs_log_group_arn("arn:g:*")
            .cloud_watch_logs_role_arn("arn:r")
            .build();
        let found = live("cloudtrail:DescribeTrails", described).unwrap().spec;
        assert_eq!(found.log_group.unwrap().arn, Ref::known("arn:g"));
        assert!(!found.multi_region && found.kms_key.is_none(), "what is not said is not so");
        assert!(live("cloudtrail:DescribeTrails", DescribedTrail::builder().build()).is_err());
    }
}
