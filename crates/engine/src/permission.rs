//! What IAM must allow: the actions that a kind's calls need, and how narrowly each can be granted.
//!
//! Every kind says beside its calls which actions they are (see [`Traits::permissions`]), so that a policy for
//! a command is the sum of its kinds and nothing else. Resources and conditions are written as AWS's
//! Service Authorization Reference has them, with placeholders for what differs from stack to stack:
//!
//! | placeholder | stands for |
//! |---|---|
//! | `{here}` | region and account, as an ARN has them: `us-east-1:123456789012` |
//! | `{region}`, `{account}` | one of the two |
//! | `{digits}` | the account's twelve digits where they are part of a name, and not a field of an ARN |
//! | `{name}` | every name of the stack ([`StackName::of`]): `student-*-dev` |
//! | `{successor}` | the same for what is made beside its predecessor: `student-*-dev-??????` |
//! | `{perhaps}` | every name that [could be the stack's]: `*student-*-dev*` |
//! | `{project}` | the first part of every name: `student` |
//! | `{stack}` | the value of the tag of ownership: `student-dev` |
//!
//! [`Traits::permissions`]: crate::kind::Traits::permissions
//! [`StackName::of`]: crate::stack::StackName::of
//! [could be the stack's]: crate::inventory::Scope::may_be_ours

use serde_json::{Map, Value, json};

use crate::stack::{STACK_TAG, StackName};

/// What every command does to start with. Connecting asks who we are (`sts:GetCallerIdentity`), which AWS
/// lets everybody ask, even where a policy denies it:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>. So there is nothing to allow.
pub const CONNECTING: &[Allow] = &[];

/// What a command that changes a stack (deploy, destroy) needs beside what its kinds do: the [lease](crate::lease) on it.
/// `ssm:GetParametersByPath` is granted on the path itself
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html>); tags in the call that makes a
/// parameter need `ssm:AddTagsToResource`.
pub const CHANGING: &[Allow] = &[Allow::to(&[
    "ssm:GetParametersByPath",
    "ssm:GetParameter",
    "ssm:PutParameter",
    "ssm:DeleteParameters",
    "ssm:AddTagsToResource",
])
.on(&[
    "ssm:{here}:parameter/ferpa-stack/{stack}/lease",
    "ssm:{here}:parameter/ferpa-stack/{stack}/lease/*",
])];

/// Actions, the resources that they are allowed on, and the conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// IAM actions: `ec2:CreateSubnet`.
    pub actions: &'static [&'static str],
    /// The resources: ARNs without `arn:` and the partition. None is all.
    pub resources: &'static [&'static str],
    /// What must hold. All of it.
    pub conditions: &'static [When],
    /// Only resources that carry the stack's tag.
    pub of_stack: bool,
    /// Only requests that give the new resource the stack's tag.
    pub for_stack: bool,
}

/// One condition: a key has one of these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// `StringEquals`…
    pub operator: &'static str,
    /// `iam:PassedToService`…
    pub key: &'static str,
    /// The values.
    pub values: &'static [&'static str],
}

impl Allow {
    /// These actions, on anything: for those that IAM cannot narrow, and for listings, which are how it is
    /// found out what belongs to the stack.
    pub const fn to(actions: &'static [&'static str]) -> Self {
        Self { actions, resources: &[], conditions: &[], of_stack: false, for_stack: false }
    }

    /// On these resources only.
    #[must_use]
    pub const fn on(mut self, resources: &'static [&'static str]) -> Self {
        self.resources = resources;
        self
    }

    /// On resources that carry the stack's tag.
    #[must_use]
    pub const fn of_stack(mut self) -> Self {
        self.of_stack = true;
        self
    }

    /// In requests that give the new resource the stack's tag.
    #[must_use]
    pub const fn for_stack(mut self) -> Self {
        self.for_stack = true;
        self
    }

    /// The same for what is anybody's, and not only the stack's: an audit looks at strangers on purpose.
    #[must_use]
    pub fn of_anybody(mut self) -> Self {
        const OF_STACK: [&str; 4] = ["{name}", "{successor}", "{perhaps}", "{stack}"];
        let named = |arn: &&str| OF_STACK.iter().any(|name| arn.contains(name));
        if self.of_stack || self.resources.iter().any(named) {
            self.resources = &[];
            self.of_stack = false;
        }
        self
    }

    /// Under these conditions, too.
    #[must_use]
    pub const fn under(mut self, conditions: &'static [When]) -> Self {
        self.conditions = conditions;
        self
    }
}

impl When {
    /// The key has one of these values.
    pub const fn equals(key: &'static str, values: &'static [&'static str]) -> Self {
        Self { operator: "StringEquals", key, values }
    }

    /// The key matches one of these patterns.
    pub const fn like(key: &'static str, values: &'static [&'static str]) -> Self {
        Self { operator: "StringLike", key, values }
    }

    /// The key is an ARN that matches one of these patterns.
    pub const fn arn_like(key: &'static str, values: &'static [&'static str]) -> Self {
        Self { operator: "ArnLike", key, values }
    }

    /// The call is made by this service in the caller's name.
    pub const fn called_via(services: &'static [&'static str]) -> Self {
        Self { operator: "ForAnyValue:StringEquals", key: "aws:CalledVia", values: services }
    }

    /// The key is `true`.
    pub const fn is_true(key: &'static str) -> Self {
        Self { operator: "Bool", key, values: &["true"] }
    }
}

/// What the calls of a kind need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions {
    /// To list it, to read it, and to wait for it.
    pub read: &'static [Allow],
    /// To create, change and tag it.
    pub make: &'static [Allow],
    /// To let go of others, and to delete it.
    pub remove: &'static [Allow],
}

impl Permissions {
    /// None.
    pub const NONE: Self = Self { read: &[], make: &[], remove: &[] };
}

/// Where a policy is to hold, and for which stack.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// `aws`, `aws-us-gov` or `aws-cn`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account's twelve digits, or `*`.
    pub account: String,
    /// The stack.
    pub stack: StackName,
}

impl Allow {
    /// The statement of a policy that allows this.
    pub fn statement(&self, bounds: &Bounds) -> Value {
        let resources: Vec<String> = match self.resources {
            [] => vec!["*".into()],
            some => some
                .iter()
                .map(|arn| format!("arn:{}:{}", bounds.partition, bounds.fill(arn)))
                .collect(),
        };
        let mut statement = json!({
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": resources,
        });
        let conditions = self.condition_block(bounds);
        if !conditions.is_empty() {
            statement["Condition"] = conditions.into();
        }
        statement
    }

    fn condition_block(&self, bounds: &Bounds) -> Map<String, Value> {
        let mut block = Map::new();
        let mut add = |operator: &str, key: String, values: Vec<String>| {
            let keys = block.entry(operator).or_insert_with(|| json!({}));
            keys[key] = values.into();
        };
        let stack = || vec![bounds.stack.to_string()];
        if self.of_stack {
            add("StringEquals", format!("aws:ResourceTag/{STACK_TAG}"), stack());
        }
        if self.for_stack {
            add("StringEquals", format!("aws:RequestTag/{STACK_TAG}"), stack());
        }
        for condition in self.conditions {
            let values = condition.values.iter().map(|value| bounds.fill(value)).collect();
            add(condition.operator, condition.key.into(), values);
        }
        block
    }
}

impl Bounds {
    fn fill(&self, template: &str) -> String {
        let name = self.stack.of("*");
        // Any account, but not any text: what is longer is a name of another stack.
        let digits = if self.account == "*" { "????????????" } else { self.account.as_str() };
        template
            .replace("{here}", &format!("{}:{}", self.region, self.account))
            .replace("{partition}", &self.partition)
            .replace("{region}", &self.region)
            .replace("{account}", &self.account)
            .replace("{digits}", digits)
            .replace("{successor}", &format!("{name}-??????"))
            .replace("{perhaps}", &format!("*{name}*"))
            .replace("{name}", &name)
            .replace("{project}", &self.stack.project)
            .replace("{stack}", &self.stack.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: "123456789012".into(),
            stack: StackName::new("student", "dev"),
        }
    }

    #[test]
    fn a_permission_is_a_statement() {
        const PASS: Allow = Allow::to(&["iam:PassRole"])
            .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
            .under(&[When::equals("iam:PassedToService", &["ecs-tasks.amazonaws.com"])]);
        let expected = json!({
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [
                "arn:aws:iam::123456789012:role/student-*-dev",
                "arn:aws:iam::123456789012:role/student-*-dev-??????",
            ],
            "Condition": {"StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}},
        });
        assert_eq!(PASS.statement(&bounds()), expected);
        let list = json!({"Effect": "Allow", "Action": ["ec2:DescribeVpcs"], "Resource": ["*"]});
        assert_eq!(Allow::to(&["ec2:DescribeVpcs"]).statement(&bounds()), list);
    }

    #[test]
    fn what_is_read_of_the_stack_is_read_of_anybody_by_audits() {
        const NAMED: Allow =
            Allow::to(&["lambda:GetPolicy"]).on(&["lambda:{here}:function:{perhaps}"]);
        const TAGGED: Allow =
            Allow::to(&["backup:GetBackupPlan"]).on(&["backup:{here}:backup-plan:*"]).of_stack();
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:*student-*-dev*";
        assert_eq!(NAMED.statement(&bounds())["Resource"], json!([function]));
        assert_eq!(NAMED.of_anybody(), Allow::to(&["lambda:GetPolicy"]));
        assert_eq!(TAGGED.of_anybody(), Allow::to(&["backup:GetBackupPlan"]));
        const ANYBODYS: Allow =
            Allow::to(&["apigateway:GET"]).on(&["apigateway:{region}::/restapis"]);
        assert_eq!(ANYBODYS.of_anybody(), ANYBODYS);
    }

    #[test]
    fn an_account_in_a_name_has_twelve_digits() {
        const BUCKETS: Allow =
            Allow::to(&["s3:DeleteBucket"]).on(&["s3:::{name}-{digits}-{region}"]);
        let of = |account: &str| {
            let bounds = Bounds { account: account.into(), ..bounds() };
            BUCKETS.statement(&bounds)["Resource"].clone()
        };
        assert_eq!(
            of("123456789012"),
            json!(["arn:aws:s3:::student-*-dev-123456789012-eu-west-1"])
        );
        assert_eq!(of("*"), json!(["arn:aws:s3:::student-*-dev-????????????-eu-west-1"]));
    }

    #[test]
    fn tags_and_other_conditions_all_count() {
        const USE: Allow =
            Allow::to(&["kms:CreateGrant"]).on(&["kms:{here}:key/*"]).of_stack().under(&[
                When::equals("kms:ViaService", &["rds.{region}.amazonaws.com"]),
                When::is_true("kms:GrantIsForAWSResource"),
            ]);
        let made = USE.statement(&bounds());
        assert_eq!(made["Resource"], json!(["arn:aws:kms:eu-west-1:123456789012:key/*"]));
        let conditions = json!({
            "StringEquals": {
                "aws:ResourceTag/ferpa-stack:stack": ["student-dev"],
                "kms:ViaService": ["rds.eu-west-1.amazonaws.com"],
            },
            "Bool": {"kms:GrantIsForAWSResource": ["true"]},
        });
        assert_eq!(made["Condition"], conditions);
    }
}
