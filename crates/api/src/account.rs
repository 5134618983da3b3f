//! `apigateway.account`: the role with which API Gateway writes to CloudWatch Logs, one for the whole
//! account and region.

use aws_sdk_apigateway::types::{Op, PatchOperation};
use engine::vocabulary::{Arn, Id, RoleArn};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Identity, Live, New, Permissions, Ref, Resource,
    Result, Scope, Traits, When, client,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// API Gateway's settings of the account and region.
///
/// Every stack of the account shares them: a role that is set already does the job of ours and is
/// left alone, and nothing is taken back when the stack goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiGatewayAccount {
    /// The role that API Gateway assumes to write execution and access logs. Without one, AWS
    /// refuses to switch on a stage's logs. Empty where none is set.
    pub cloudwatch_role_arn: Ref<RoleArn>,
}

impl Resource for ApiGatewayAccount {
    const TRAITS: Traits = Traits {
        identity: Identity::Setting,
        not_yet: &[
            // IAM shows a new role and its policy to API Gateway only after a while.
            ("BadRequestException", "The role ARN does not have required permissions"),
            ("BadRequestException", "could not successfully write to CloudWatch Logs"),
            // One change in twenty seconds is allowed.
            ("TooManyRequestsException", ""),
        ],
        permissions: Permissions {
            read: &[Allow::to(&["apigateway:GET"]).on(&["apigateway:{region}::/account"])],
            make: &[
                Allow::to(&["apigateway:PATCH"]).on(&["apigateway:{region}::/account"]),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["apigateway.amazonaws.com"])]),
            ],
            remove: &[],
        },
        ..Traits::of("apigateway.account")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(read(aws).await.map(|live| vec![live]))
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        set_role(aws, self).await?;
        Ok(live(aws, self.clone()))
    }

    async fn update(&self, aws: &Aws, _: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("cloudwatch_role_arn") {
            set_role(aws, self).await?;
        }
        Ok(())
    }

    async fn delete(_: &Aws, _: &Live<Self>, _: &Deletion) -> Result<()> {
        // Others share the account.
        Ok(())
    }

    fn settled(field: &str, _: &Value, live: &Value) -> bool {
        field == "cloudwatch_role_arn" && live.as_str().is_some_and(|arn| !arn.is_empty())
    }
}

fn live(aws: &Aws, spec: ApiGatewayAccount) -> Live<ApiGatewayAccount> {
    let arn = format!("arn:{}:apigateway:{}::/account", aws.partition(), aws.region());
    Live::new("account", spec).with_arn(arn)
}

async fn read(aws: &Aws) -> Result<Live<ApiGatewayAccount>> {
    let call = client!(aws, aws_sdk_apigateway).get_account();
    let account = aws.call("apigateway:GET", call.send()).await?;
    let role = account.cloudwatch_role_arn.unwrap_or_default();
    Ok(live(aws, ApiGatewayAccount { cloudwatch_role_arn: role.into() }))
}

async fn set_role(aws: &Aws, account: &ApiGatewayAccount) -> Result<()> {
    let patch = PatchOperation::builder()
        .op(Op::Replace)
        .path("/cloudwatchRoleArn")
        .value(account.cloudwatch_role_arn.as_str())
        .build();
    let call = client!(aws, aws_sdk_apigateway).update_account().patch_operations(patch);
    aws.call("apigateway:PATCH", call.send()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_role_that_is_set_is_as_good_as_ours() {
        let ours = json!("arn:aws:iam::123456789012:role/ours");
        let theirs = json!("arn:aws:iam::123456789012:role/theirs");
        assert!(ApiGatewayAccount::settled("cloudwatch_role_arn", &ours, &theirs));
        assert!(!ApiGatewayAccount::settled("cloudwatch_role_arn", &ours, &json!("")));
    }
}
