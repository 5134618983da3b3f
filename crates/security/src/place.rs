//! Where a stack is: what ARNs in policies are built from.

use engine::Aws;

/// An account and a region. Policies name ARNs of things that do not exist yet, and of all things of
/// a kind; both are built from these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
}

impl Place {
    /// A place.
    pub fn new(account_id: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account_id: account_id.into(), region: region.into() }
    }

    /// The partition: `aws`, `aws-us-gov` or `aws-cn`.
    pub fn partition(&self) -> &'static str {
        engine::aws::partition(&self.region)
    }

    /// An ARN in this account and region.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Self { account_id, region } = self;
        format!("arn:{}:{service}:{region}:{account_id}:{resource}", self.partition())
    }

    /// The account as a principal: whoever its IAM policies let.
    pub fn root(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition(), self.account_id)
    }

    /// A service as `kms:ViaService` names it.
    pub(crate) fn service(&self, name: &str) -> String {
        format!("{name}.{}.amazonaws.com", self.region)
    }
}

impl From<&Aws> for Place {
    fn from(aws: &Aws) -> Self {
        Self::new(aws.account_id(), aws.region())
    }
}
