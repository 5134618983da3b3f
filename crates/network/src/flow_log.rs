//! `ec2.flow_log`: a record of who talked to whom in a VPC.

use aws_sdk_ec2::types::{
    FlowLog as Described, FlowLogsResourceType, LogDestinationType, ResourceType,
    TrafficType as Traffic,
};
use engine::vocabulary::{Arn, BucketArn, FlowLogId, LogGroupArn, RoleArn, VpcId};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Ref, Resource, Result,
    Scope, Status, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

use crate::tags::{from_ec2, retag, specification};

/// A flow log of a VPC (of strangers: of a subnet or an interface, too).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLog {
    /// What is watched.
    pub resource_id: Ref<VpcId>,
    /// Which traffic: `ALL`, `ACCEPT` or `REJECT`.
    pub traffic_type: String,
    /// Where the records go.
    pub destination: FlowLogDestination,
    /// The fields of a record, as `${name}` with spaces between.
    pub log_format: String,
    /// Over how many seconds traffic is summed up: 60 or 600.
    pub max_aggregation_interval: i32,
    /// Why records do not arrive, in AWS's words; `None` when they do. What AWS reports; never wanted.
    pub delivery_error: Option<String>,
}

/// Where flow logs go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowLogDestination {
    /// A log group.
    LogGroup {
        /// Its ARN.
        log_group_arn: Ref<LogGroupArn>,
        /// The role that may write to it; trusts `vpc-flow-logs.amazonaws.com`.
        role_arn: Ref<RoleArn>,
    },
    /// A bucket, with a folder perhaps.
    Bucket {
        /// The ARN, folder included.
        bucket_arn: Ref<BucketArn>,
    },
    /// Something that this kind does not set, by its ARN or type: a Firehose stream.
    Other(String),
}

impl FlowLog {
    /// AWS's default fields, and those that tell where traffic entered and left.
    pub const DEFAULT_FORMAT: &str = "${version} ${account-id} ${vpc-id} ${subnet-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${tcp-flags} ${flow-direction} ${pkt-srcaddr} ${pkt-dstaddr} ${pkt-dst-aws-service}";
}

impl Resource for FlowLog {
    const TRAITS: Traits = Traits {
        immutable: &[
            "resource_id",
            "traffic_type",
            "destination",
            "log_format",
            "max_aggregation_interval",
        ],
        write_only: &["delivery_error"],
        not_yet: &[
            ("InvalidVpcId.NotFound", ""),
            ("InvalidVpcID.NotFound", ""),
            // The role was made a moment ago.
            ("InvalidParameter", "Unable to assume given IAM role"),
            ("InvalidParameter", "IAM role"),
        ],
        attached_by: &[("resource_id", "ec2.vpc")],
        permissions: Permissions {
            read: &[Allow::to(&["ec2:DescribeFlowLogs"])],
            make: &[
                Allow::to(&["ec2:CreateFlowLogs"]).on(&["ec2:{here}:vpc-flow-log/*"]).for_stack(),
                Allow::to(&["ec2:CreateTags"])
                    .on(&["ec2:{here}:*/*"])
                    .for_stack()
                    .under(&[When::equals("ec2:CreateAction", &["CreateFlowLogs"])]),
                Allow::to(&["ec2:CreateFlowLogs"]).on(&["ec2:{here}:vpc/*"]).of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals(
                        "iam:PassedToService",
                        &["vpc-flow-logs.amazonaws.com"],
                    )]),
                Allow::to(&["ec2:CreateTags", "ec2:DeleteTags"]).on(&["ec2:{here}:*/*"]).of_stack(),
            ],
            remove: &[Allow::to(&["ec2:DeleteFlowLogs"]).on(&["ec2:{here}:*/*"]).of_stack()],
        },
        ..Traits::of("ec2.flow_log")
    };
    type Id = FlowLogId;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ec2:CreateFlowLogs";
        let call = client!(aws, aws_sdk_ec2)
            .create_flow_logs()
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(self.resource_id.as_str())
            .traffic_type(Traffic::from(self.traffic_type.as_str()))
            .log_format(&self.log_format)
            .max_aggregation_interval(self.max_aggregation_interval)
            .client_token(&new.token)
            .tag_specifications(specification(ResourceType::VpcFlowLog, &new.tags));
        let call = match &self.destination {
            FlowLogDestination::LogGroup { log_group_arn, role_arn } => {
                let call = call
                    .log_destination_type(LogDestinationType::CloudWatchLogs)
                    .deliver_logs_permission_arn(role_arn.as_str());
                // By its name where that will do: imitations of AWS find the group by nothing else.
                match own_group(aws, log_group_arn.as_str()) {
                    Some(name) => call.log_group_name(name),
                    None => call.log_destination(log_group_arn.as_str()),
                }
            }
            FlowLogDestination::Bucket { bucket_arn } => call
                .log_destination_type(LogDestinationType::S3)
                .log_destination(bucket_arn.as_str()),
            FlowLogDestination::Other(other) => {
                return Err(Error::invalid("a flow log", format!("cannot be sent to {other}")));
            }
        };
        let answer = aws.call(action, call.send()).await?;
        // The call works even when it makes nothing.
        crate::refused(action, answer.unsuccessful.unwrap_or_default())?;
        let id = answer.flow_log_ids.unwrap_or_default().pop();
        let id = id.ok_or_else(|| Error::incomplete(action, "the flow log's id"))?;
        Ok(live(aws, id, self.clone()).with_tags(new.tags.clone()))
    }

    async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        // Nothing about it can change in place.
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, &live.id, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let action = "ec2:DeleteFlowLogs";
        let call = client!(aws, aws_sdk_ec2).delete_flow_logs().flow_log_ids(&live.id);
        let answer = aws.call(action, call.send()).await?;
        crate::refused(action, answer.unsuccessful.unwrap_or_default())
    }
}

fn live(aws: &Aws, id: String, spec: FlowLog) -> Live<FlowLog> {
    let arn = aws.arn("ec2", &format!("vpc-flow-log/{id}"));
    Live::new(id, spec).with_arn(arn)
}

/// The name of a log group, if it is in this account and region.
fn own_group<'a>(aws: &Aws, arn: &'a str) -> Option<&'a str> {
    arn.trim_end_matches(":*").strip_prefix(aws.arn("logs", "log-group:").as_str())
}

async fn list(aws: &Aws) -> Result<Vec<Live<FlowLog>>> {
    let action = "ec2:DescribeFlowLogs";
    let call = client!(aws, aws_sdk_ec2).describe_flow_logs().into_paginator().items();
    let logs: Vec<Described> = aws.call(action, call.send().try_collect()).await?;
    logs.into_iter().map(|log| read(aws, log)).collect()
}

fn read(aws: &Aws, log: Described) -> Result<Live<FlowLog>> {
    let missing = |part| Error::incomplete("ec2:DescribeFlowLogs", part);
    let id = log.flow_log_id.ok_or_else(|| missing("a flow log's id"))?;
    let arn = log.log_destination;
    let destination = match log.log_destination_type.as_ref().map(LogDestinationType::as_str) {
        Some("s3") => FlowLogDestination::Bucket { bucket_arn: arn.unwrap_or_default().into() },
        None | Some("cloud-watch-logs") => {
            let by_name =
                log.log_group_name.map(|name| aws.arn("logs", &format!("log-group:{name}")));
            let group = arn.or(by_name).unwrap_or_default();
            FlowLogDestination::LogGroup {
                log_group_arn: group.trim_end_matches(":*").into(),
                role_arn: log.deliver_logs_permission_arn.unwrap_or_default().into(),
            }
        }
        Some(other) => FlowLogDestination::Other(arn.unwrap_or_else(|| other.into())),
    };
    let error = log.deliver_logs_error_message.filter(|text| !text.is_empty());
    let error = match log.deliver_logs_status.as_deref() {
        Some("SUCCESS") => Ok(error),
        Some(failed) => Ok(error.or_else(|| Some(failed.to_owned()))),
        None => Err(missing("whether a flow log is delivered")),
    };
    let spec = FlowLog {
        resource_id: log.resource_id.unwrap_or_default().into(),
        traffic_type: log.traffic_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        destination,
        log_format: log.log_format.unwrap_or_default(),
        max_aggregation_interval: log.max_aggregation_interval.unwrap_or(600),
        delivery_error: None,
    };
    let word = log.flow_log_status.unwrap_or_default();
    let status = Status::by_word(&word, &["ACTIVE"], &[], &[]);
    let mut live = live(aws, id, spec).with_status(status).with_tags(from_ec2(log.tags));
    live.read("delivery_error", error, |spec, error| spec.delivery_error = error);
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn aws() -> Aws {
        let embedded = local::ControlPlane::in_memory().http_client();
        Aws::connect(engine::Target::Embedded(embedded), Some("us-east-1")).await.unwrap()
    }

    #[tokio::test]
    async fn a_group_of_this_account_is_called_by_its_name() {
        let aws = aws().await;
        let own = aws.arn("logs", "log-group:/vpc/records:*");
        assert_eq!(own_group(&aws, &own), Some("/vpc/records"));
        assert_eq!(own_group(&aws, "arn:aws:logs:us-east-1:111122223333:log-group:x"), None);
    }

    #[tokio::test]
    async fn a_log_of_which_aws_does_not_say_that_it_is_delivered_is_not_taken_for_one() {
        let shown = |status: Option<&str>| {
            let log = Described::builder().flow_log_id("fl-1").flow_log_status("ACTIVE");
            log.set_deliver_logs_status(status.map(str::to_owned)).build()
        };
        let aws = aws().await;
        let silent = read(&aws, shown(None)).unwrap();
        assert!(silent.unreadable.contains_key("delivery_error"));
        let delivered = read(&aws, shown(Some("SUCCESS"))).unwrap();
        assert!(delivered.unreadable.is_empty() && delivered.spec.delivery_error.is_none());
        let failed = read(&aws, shown(Some("FAILED"))).unwrap();
        assert_eq!(failed.spec.delivery_error.as_deref(), Some("FAILED"));
    }

    #[tokio::test]
    async fn a_log_that_delivers_nothing_says_so() {
        let shown = Described::builder()
            .flow_log_id("fl-1")
            .flow_log_status("ACTIVE")
            .deliver_logs_status("FAILED")
            .deliver_logs_error_message("Access error")
            .log_group_name("/vpc/flow")
            .build();
        let live = read(&aws().await, shown).unwrap();
        assert_eq!(live.spec.delivery_error.as_deref(), Some("Access error"));
        let FlowLogDestination::LogGroup { log_group_arn, .. } = live.spec.destination else {
            panic!("a log group is where it goes when AWS does not say");
        };
        assert_eq!(
            log_group_arn.as_str(),
            "arn:aws:logs:us-east-1:123456789012:log-group:/vpc/flow"
        );
    }
}
