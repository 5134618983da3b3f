//! The services: a file for each, a line for each.

use winterbaume_core::MockResponse;

use crate::call::Call;
use crate::fault::{Fault, Protocol};

pub mod ec2;
pub mod kms;
pub mod iam;
pub mod logs;
mod sts;

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
    Service { name: "ec2", protocol: Protocol::Ec2, handle: ec2::handle },
    Service { name: "kms", protocol: Protocol::Json, handle: kms::handle },
    Service { name: "iam", protocol: Protocol::Query, handle: iam::handle },
    Service { name: "logs", protocol: Protocol::Json, handle: logs::handle },
    Service { name: "sts", protocol: Protocol::Query, handle: sts::handle },
];

pub(crate) fn find(name: &str) -> Option<&'static Service> {
    ALL.iter().find(|service| service.name == name)
}
