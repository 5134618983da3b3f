//! `cognito.user_pool`: people who sign in to applications.

use aws_sdk_cognitoidentityprovider::types::{UserPoolDescriptionType, UserPoolType};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A Cognito user pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPool {
    /// Its name.
    pub name: String,
    /// Whether signing in takes a second factor: `ON`, `OPTIONAL` (each user decides) or `OFF`.
    pub mfa: String,
}

impl Inspected for UserPool {
    const KIND: &'static str = "cognito.user_pool";
    const READ: &'static [Allow] =
        &[Allow::to(&["cognito-idp:ListUserPools", "cognito-idp:DescribeUserPool"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<UserPool>>> {
    let call = client!(aws, aws_sdk_cognitoidentityprovider).list_user_pools().max_results(60);
    let listed = call.into_paginator().items().send().try_collect();
    let listed = aws.call("cognito-idp:ListUserPools", listed).await?;
    let reads = listed.into_iter().map(|pool| read(aws, pool));
    let found: Vec<Result<_>> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}

/// `None`: it went between the listing and now.
async fn read(aws: &Aws, listed: UserPoolDescriptionType) -> Result<Option<Live<UserPool>>> {
    let missing = |part| Error::incomplete("cognito-idp:ListUserPools", part);
    let id = listed.id.ok_or_else(|| missing("a user pool's id"))?;
    let spec = UserPool { name: listed.name.unwrap_or_default(), mfa: String::new() };
    let arn = aws.arn("cognito-idp", &format!("userpool/{id}"));
    let mut live = Live::new(&id, spec).with_arn(arn);
    let action = "cognito-idp:DescribeUserPool";
    let call = client!(aws, aws_sdk_cognitoidentityprovider).describe_user_pool().user_pool_id(&id);
    let pool: Result<UserPoolType> = match aws.find(action, call.send()).await {
        Ok(None) => return Ok(None),
        Ok(Some(found)) => found.user_pool.ok_or_else(|| Error::incomplete(action, "the pool")),
        Err(error) => Err(error),
    };
    if let Ok(pool) = &pool {
        live.tags = pool.user_pool_tags.clone().unwrap_or_default().into_iter().collect();
    }
    let mfa = pool.and_then(|pool| {
        pool.mfa_configuration.ok_or_else(|| Error::incomplete(action, "whether a pool wants MFA"))
    });
    live.read("mfa", mfa, |spec, mfa| spec.mfa = mfa.as_str().into());
    Ok(Some(live))
}
