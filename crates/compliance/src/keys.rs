//! Whose a key is.

use security::Key;

use crate::facts::{Facts, Seen, Verdict};
use crate::finding::Unread;
use crate::key_uses::key_id;

/// What something at rest is encrypted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtRest {
    /// A key that the customer manages: its policy, rotation and deletion are theirs.
    CustomerKey,
    /// A key that AWS manages: nobody can narrow its policy or destroy the data by destroying it.
    AwsKey,
    /// A key of another account.
    ForeignKey(String),
}

impl AtRest {
    /// What a key, as a describe call names it, is. `None` stands for AWS's own key, which most services
    /// leave unsaid.
    ///
    /// # Errors
    /// When the account's keys could not be listed.
    pub fn with(facts: &Facts<'_>, key: Option<&str>) -> Result<Self, Unread> {
        let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(Self::AwsKey) };
        if key.contains("alias/aws/") {
            return Ok(Self::AwsKey);
        }
        if let Some(owner) = account_of(key).filter(|owner| *owner != facts.account_id()) {
            return Ok(Self::ForeignKey(owner.to_owned()));
        }
        // AWS's keys are not among those that are listed, as far as AWS has said whose each is.
        let Some(found) = facts.find::<Key>(&key_id(facts, key))? else { return Ok(Self::AwsKey) };
        let seen = Seen::of(&found);
        seen.read(&["alias"]).or_else(|_| seen.read(&["description"]))?;
        Ok(Self::CustomerKey)
    }

    /// The verdict that data must be encrypted with a customer key. `what` begins the sentence:
    /// "the cluster's storage".
    pub fn verdict(&self, what: &str) -> Verdict {
        match self {
            Self::CustomerKey => Verdict::pass(format!("{what} is encrypted with a customer key")),
            Self::AwsKey => Verdict::fail(format!(
                "{what} is encrypted with a key that AWS manages, not with a customer key"
            )),
            Self::ForeignKey(owner) => Verdict::fail(format!(
                "{what} is encrypted with a key of the account {owner}, which can take it away"
            )),
        }
    }
}

/// The account in an ARN.
pub fn account_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next()? == "arn").then(|| parts.nth(3)).flatten().filter(|account| !account.is_empty())
}
