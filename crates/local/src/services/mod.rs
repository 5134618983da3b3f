//! The services: a file for each, a line for each.

use winterbaume_core::MockResponse;

use crate::call::Call;
use crate::fault::{Fault, Protocol};

pub mod accessanalyzer;
pub mod acm;
pub mod apigateway;
pub mod application_autoscaling;
pub mod backup;
pub mod cloudtrail;
pub mod ec2;
pub mod ecs;
pub mod elasticache;
pub mod elasticfilesystem;
pub mod elasticloadbalancing;
pub mod firehose;
pub mod guardduty;
pub mod iam;
pub mod kinesis;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod monitoring;
pub mod rds;
pub mod s3;
pub mod s3control;
pub mod secretsmanager;
pub mod sns;
pub mod ssm;
mod sts;
mod unused;
pub mod wafv2;

/// A service of the plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// The name in the signature of its requests.
    pub(crate) name: &'static str,
    /// How it speaks.
    pub(crate) protocol: Protocol,
    /// What answers.
    pub(crate) handle: fn(&mut Call<'_>) -> Result<MockResponse, Fault>,
}

const ALL: &[Service] = &[
    Service {
        name: "application-autoscaling",
        protocol: Protocol::Json,
        handle: application_autoscaling::handle,
    },
    Service { name: "ecs", protocol: Protocol::Json, handle: ecs::handle },
    Service {
        name: "elasticloadbalancing",
        protocol: Protocol::Query,
        handle: elasticloadbalancing::handle,
    },
    Service { name: "apigateway", protocol: Protocol::RestJson, handle: apigateway::handle },
    Service { name: "wafv2", protocol: Protocol::Json, handle: wafv2::handle },
    Service { name: "ec2", protocol: Protocol::Ec2, handle: ec2::handle },
    Service { name: "kms", protocol: Protocol::Json, handle: kms::handle },
    Service { name: "iam", protocol: Protocol::Query, handle: iam::handle },
    Service { name: "logs", protocol: Protocol::Json, handle: logs::handle },
    Service { name: "secretsmanager", protocol: Protocol::Json, handle: secretsmanager::handle },
    Service { name: "s3", protocol: Protocol::RestXml, handle: s3::handle },
    Service { name: "elasticache", protocol: Protocol::Query, handle: elasticache::handle },
    Service { name: "rds", protocol: Protocol::Query, handle: rds::handle },
    Service { name: "cloudtrail", protocol: Protocol::Json, handle: cloudtrail::handle },
    Service { name: "sns", protocol: Protocol::Query, handle: sns::handle },
    Service { name: "ssm", protocol: Protocol::Json, handle: ssm::handle },
    Service { name: "guardduty", protocol: Protocol::RestJson, handle: guardduty::handle },
    Service {
        name: "access-analyzer",
        protocol: Protocol::RestJson,
        handle: accessanalyzer::handle,
    },
    Service { name: "monitoring", protocol: Protocol::Cbor, handle: monitoring::handle },
    Service { name: "kinesis", protocol: Protocol::Json, handle: kinesis::handle },
    Service { name: "firehose", protocol: Protocol::Json, handle: firehose::handle },
    Service {
        name: "elasticfilesystem",
        protocol: Protocol::RestJson,
        handle: elasticfilesystem::handle,
    },
    Service { name: "backup", protocol: Protocol::RestJson, handle: backup::handle },
    Service { name: "acm", protocol: Protocol::Json, handle: acm::handle },
    Service { name: "lambda", protocol: Protocol::RestJson, handle: lambda::handle },
    Service { name: "sts", protocol: Protocol::Query, handle: sts::handle },
];

pub(crate) fn find(name: &str) -> Option<&'static Service> {
    ALL.iter().chain(unused::ALL).find(|service| service.name == name)
}
