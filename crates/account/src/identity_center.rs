//! `sso.instance`: IAM Identity Center.

use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

/// An instance of Identity Center that the account can see in the audited region: the organisation's, or
/// one of its own, which is for applications only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCenter {
    /// The account that it belongs to: twelve digits.
    pub owner: Option<String>,
    /// `ACTIVE`, or that it is being made or removed.
    pub state: String,
}

impl Inspected for IdentityCenter {
    const KIND: &'static str = "sso.instance";
    const READ: &'static [Allow] = &[Allow::to(&["sso:ListInstances"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<IdentityCenter>>> {
    let action = "sso:ListInstances";
    let call = client!(aws, aws_sdk_ssoadmin).list_instances().into_paginator().items();
    let found = aws.call(action, call.send().try_collect()).await?;
    let read = |instance: aws_sdk_ssoadmin::types::InstanceMetadata| {
        let arn = instance.instance_arn.ok_or_else(|| Error::incomplete(action, "an ARN"))?;
        let spec = IdentityCenter { owner: instance.owner_account_id, state: String::new() };
        let state = instance.status.map(|state| state.as_str().to_owned());
        let state = state.ok_or_else(|| Error::incomplete(action, "an instance's status"));
        let mut live = Live::new(&arn, spec).with_arn(&arn);
        live.read("state", state, |spec, state| spec.state = state);
        Ok(live)
    };
    found.into_iter().map(read).collect()
}
