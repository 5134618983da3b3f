//! `iam.account_summary`: what IAM says of the root user.

use aws_sdk_iam::types::SummaryKeyType;
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

/// The account's root user. There is one; its id is `account-summary`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSummary {
    /// Whether signing in as root takes a second factor.
    pub root_mfa: bool,
    /// How many access keys root has, active or not.
    pub root_access_keys: i32,
    /// Whether root has a password at all: an organisation can take it away from its member accounts.
    /// `None` where IAM does not say.
    pub root_password: Option<bool>,
}

impl Inspected for AccountSummary {
    const KIND: &'static str = "iam.account_summary";
    const READ: &'static [Allow] = &[Allow::to(&["iam:GetAccountSummary"])];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(read(aws).await.map(|live| vec![live]))
    }
}

async fn read(aws: &Aws) -> Result<Live<AccountSummary>> {
    let action = "iam:GetAccountSummary";
    let call = client!(aws, aws_sdk_iam).get_account_summary();
    let answer = aws.call(action, call.send()).await?;
    let map = answer.summary_map.unwrap_or_default();
    let count = |key: SummaryKeyType| map.get(&key).copied();
    let said = |key: SummaryKeyType| {
        let name = key.as_str().to_owned();
        count(key).ok_or_else(|| Error::incomplete(action, &name))
    };
    let spec = AccountSummary {
        root_mfa: false,
        root_access_keys: 0,
        root_password: count(SummaryKeyType::AccountPasswordPresent).map(|count| count > 0),
    };
    let mut live = Live::new("account-summary", spec);
    live.read("root_mfa", said(SummaryKeyType::AccountMfaEnabled), |spec, count| {
        spec.root_mfa = count > 0;
    });
    live.read("root_access_keys", said(SummaryKeyType::AccountAccessKeysPresent), |spec, count| {
        spec.root_access_keys = count;
    });
    Ok(live)
}
