//! Who may assume a role: one AWS service, on behalf of this account only, as far as the service says
//! on whose behalf it acts.

use engine::{Place, Policy};
use serde_json::{Value, json};

/// Services that assume roles without saying on whose behalf: a trust policy that asks for
/// `aws:SourceAccount` or `aws:SourceArn` locks them out. What protects such a role is that these
/// services take a role only from a caller of its own account who may pass it (`iam:PassRole`).
pub const SAY_NO_SOURCE: &[&str] = &[
    "apigateway.amazonaws.com",
    "backup.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "lambda.amazonaws.com",
];

/// A trust in one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    service: String,
    on_behalf_of: Source,
}

/// What the service says about on whose behalf it assumes the role.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    AccountAndArn(String, String),
    Arn(String),
    ExternalId(String),
    Unsaid,
}

impl Trust {
    /// In ECS, for tasks of this account and region.
    pub fn ecs_tasks(place: &Place) -> Self {
        Self::account_and_arn("ecs-tasks.amazonaws.com", place, place.arn("ecs", "*"))
    }

    /// In the delivery of VPC flow logs of this account and region.
    pub fn vpc_flow_logs(place: &Place) -> Self {
        let flow_logs = place.arn("ec2", "vpc-flow-log/*");
        Self::account_and_arn("vpc-flow-logs.amazonaws.com", place, flow_logs)
    }

    /// In CloudWatch Logs, for subscriptions of this account and region.
    pub fn logs(place: &Place) -> Self {
        Self {
            service: "logs.amazonaws.com".into(),
            on_behalf_of: Source::Arn(place.arn("logs", "*")),
        }
    }

    /// In Firehose, which gives the account as an external id.
    pub fn firehose(place: &Place) -> Self {
        Self {
            service: "firehose.amazonaws.com".into(),
            on_behalf_of: Source::ExternalId(place.account_id.clone()),
        }
    }

    /// In one of the services that do not say on whose behalf they act: [`SAY_NO_SOURCE`].
    pub fn unnarrowed(service: &str) -> Self {
        Self { service: service.into(), on_behalf_of: Source::Unsaid }
    }

    fn account_and_arn(service: &str, place: &Place, arn: String) -> Self {
        let on_behalf_of = Source::AccountAndArn(place.account_id.clone(), arn);
        Self { service: service.into(), on_behalf_of }
    }

    /// As a policy document.
    pub fn policy(&self) -> Policy {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": self.service},
            "Action": "sts:AssumeRole",
        });
        let condition = match &self.on_behalf_of {
            Source::AccountAndArn(account, arn) => json!({
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": arn},
            }),
            Source::Arn(arn) => json!({"ArnLike": {"aws:SourceArn": arn}}),
            Source::ExternalId(id) => json!({"StringEquals": {"sts:ExternalId": id}}),
            Source::Unsaid => Value::Null,
        };
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        Policy::new(vec![statement])
    }
}
