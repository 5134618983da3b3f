//! Where a stack stands: what ARNs and names in policies are built from.

use crate::aws::{Aws, partition};

/// An account and a region.
///
/// Policies name things that do not exist yet, and all things of a kind: their ARNs can be written
/// down before AWS has been asked for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
}

impl Place {
    /// An account and a region.
    pub fn new(account_id: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account_id: account_id.into(), region: region.into() }
    }

    /// Where a connection leads.
    pub fn of(aws: &Aws) -> Self {
        Self::new(aws.account_id(), aws.region())
    }

    /// The partition of the region: `aws`, `aws-us-gov` or `aws-cn`.
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }

    /// An ARN in this account and region: `arn("ecs", "*")`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Self { account_id, region } = self;
        format!("arn:{}:{service}:{region}:{account_id}:{resource}", self.partition())
    }

    /// The account as a principal: whoever its IAM policies let.
    pub fn root(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition(), self.account_id)
    }

    /// The ARN of a policy that AWS keeps: `managed_policy("service-role/…")`.
    pub fn managed_policy(&self, name: &str) -> String {
        format!("arn:{}:iam::aws:policy/{name}", self.partition())
    }

    /// The name under which a service of this region calls another, as `kms:ViaService` has it:
    /// `secretsmanager.us-east-1.amazonaws.com`, with this suffix in all partitions.
    pub fn via(&self, service: &str) -> String {
        format!("{service}.{}.amazonaws.com", self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_lies_in_the_partition_of_the_region() {
        let names = |region: &str| {
            let place = Place::new("123456789012", region);
            [
                place.arn("ecs", "*"),
                place.root(),
                place.managed_policy("service-role/X"),
                place.via("rds"),
            ]
        };
        assert_eq!(
            names("us-east-1"),
            [
                "arn:aws:ecs:us-east-1:123456789012:*",
                "arn:aws:iam::123456789012:root",
                "arn:aws:iam::aws:policy/service-role/X",
                "rds.us-east-1.amazonaws.com",
            ]
        );
        assert_eq!(
            names("us-gov-west-1"),
            [
                "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:*",
                "arn:aws-us-gov:iam::123456789012:root",
                "arn:aws-us-gov:iam::aws:policy/service-role/X",
                "rds.us-gov-west-1.amazonaws.com",
            ]
        );
        assert_eq!(
            names("cn-north-1"),
            [
                "arn:aws-cn:ecs:cn-north-1:123456789012:*",
                "arn:aws-cn:iam::123456789012:root",
                "arn:aws-cn:iam::aws:policy/service-role/X",
                "rds.cn-north-1.amazonaws.com",
            ]
        );
    }
}
