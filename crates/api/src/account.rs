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
/// left alone. The role of a stack that goes is taken back: a setting that names a role that is no more would keep all
/// APIs of the account from logging, and look right to the next stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiGatewayAccount {
    /// The role that API Gateway assumes to write execution and access logs. Without one, AWS
    /// refuses to switch on a stage's logs. Empty where none is set.
    pub cloudwatch_role_arn: Ref<RoleArn>,
}

impl Resource for ApiGatewayAccount {
    const TRAITS: Traits = Traits {
        identity: Identity::Setting,
        lent: Some("cloudwatch_role_arn"),
        used_by: &["apigateway.stage"],
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
            remove: &[Allow::to(&["apigateway:PATCH"]).on(&["apigateway:{region}::/account"])],
        },
        ..Traits::of("apigateway.account")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(read(aws).await.map(|live| vec![live]))
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        set_role(aws, self.cloudwatch_role_arn.as_str()).await?;
        Ok(live(aws, self.clone()))
    }

    async fn update(&self, aws: &Aws, _: &Live<Self>, changes: &Changes) -> Result<()> {
        if changes.has("cloudwatch_role_arn") {
            set_role(aws, self.cloudwatch_role_arn.as_str()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, ours: &Live<Self>, _: &Deletion) -> Result<()> {
        // Somebody may have set another role meanwhile.
        if read(aws).await?.spec == ours.spec {
            // AWS takes an empty role for none.
            set_role(aws, "").await?;
        }
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

async fn set_role(aws: &Aws, role: &str) -> Result<()> {
    let patch =
        PatchOperation::builder().op(Op::Replace).path("/cloudwatchRoleArn").value(role).build();
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

    /// The role of the account after the deletion of a stack that has lent it `lent`, where `now` is set by then.
    async fn left(lent: &str, now: &str) -> Option<String> {
        let plane = local::ControlPlane::in_memory();
        let target = engine::Target::Embedded(plane.http_client());
        let aws = Aws::connect(target, Some("us-east-1")).await.unwrap();
        let iam = client!(aws, aws_sdk_iam);
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "apigateway.amazonaws.com"},
        }]});
        let may = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*",
        }]});
        for name in ["ours", "theirs"] {
            let call = iam.create_role().role_name(name);
            call.assume_role_policy_document(trust.to_string()).send().await.unwrap();
            let call = iam.put_role_policy().role_name(name).policy_name("logs");
            call.policy_document(may.to_string()).send().await.unwrap();
        }
        let role = |name: &str| format!("arn:aws:iam::{}:role/{name}", aws.account_id());
        set_role(&aws, &role(now)).await.unwrap();
        let ours = live(&aws, ApiGatewayAccount { cloudwatch_role_arn: role(lent).into() });
        ApiGatewayAccount::delete(&aws, &ours, &Deletion::default()).await.unwrap();
        let found = read(&aws).await.unwrap().spec.cloudwatch_role_arn;
        found.as_str().rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    #[tokio::test]
    async fn a_stack_takes_its_role_back_and_nobody_elses() {
        assert_eq!(left("ours", "ours").await, None);
        assert_eq!(left("ours", "theirs").await.as_deref(), Some("theirs"));
    }
}
