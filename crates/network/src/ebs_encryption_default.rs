//! `ec2.ebs_encryption_default`: whether new volumes are encrypted unasked, an account's setting for
//! the region.

use engine::vocabulary::Arn;
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Identity, Live, New, Permissions, Ref,
    Resource, Result, Scope, Traits, client,
};
use serde::{Deserialize, Serialize};

/// The setting. It guards the whole account and region, other stacks included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EbsEncryptionDefault {
    /// Whether every new volume and snapshot copy is encrypted.
    pub enabled: bool,
    /// The key's ARN; `None` for the one that AWS manages, `alias/aws/ebs`, and while encryption is off.
    pub kms_key_arn: Option<Ref<Arn>>,
}

/// On, with the key that AWS manages.
impl Default for EbsEncryptionDefault {
    fn default() -> Self {
        Self { enabled: true, kms_key_arn: None }
    }
}

impl Resource for EbsEncryptionDefault {
    const TRAITS: Traits = Traits {
        identity: Identity::Setting,
        optional: true,
        permissions: Permissions {
            read: &[Allow::to(&["ec2:GetEbsEncryptionByDefault", "ec2:GetEbsDefaultKmsKeyId"])],
            make: &[Allow::to(&[
                "ec2:EnableEbsEncryptionByDefault",
                "ec2:DisableEbsEncryptionByDefault",
                "ec2:ModifyEbsDefaultKmsKeyId",
                "ec2:ResetEbsDefaultKmsKeyId",
            ])],
            remove: &[],
        },
        ..Traits::of("ec2.ebs_encryption_default")
    };
    type Id = engine::vocabulary::Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(read(aws).await.map(|live| vec![live]))
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        // There is always one; this is what the engine asks for when it could not be listed.
        let live = read(aws).await?;
        set(aws, &live.spec, self).await?;
        Ok(Live { spec: self.clone(), ..live })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, _: &Changes) -> Result<()> {
        set(aws, &live.spec, self).await
    }

    async fn delete(_: &Aws, _: &Live<Self>, _: &Deletion) -> Result<()> {
        // Others share the account: the guard stays up.
        Ok(())
    }
}

async fn read(aws: &Aws) -> Result<Live<EbsEncryptionDefault>> {
    let ec2 = client!(aws, aws_sdk_ec2);
    let action = "ec2:GetEbsEncryptionByDefault";
    let answer = aws.call(action, ec2.get_ebs_encryption_by_default().send()).await?;
    let enabled = answer.ebs_encryption_by_default;
    let enabled = enabled.ok_or_else(|| Error::incomplete(action, "whether it is on"))?;
    let mut live =
        Live::new("ebs-encryption-by-default", EbsEncryptionDefault { enabled, kms_key_arn: None });
    if !enabled {
        // Then no key is in use, whichever is set.
        return Ok(live);
    }
    let key = ec2.get_ebs_default_kms_key_id().send();
    let key = aws.call("ec2:GetEbsDefaultKmsKeyId", key).await.map(|answer| answer.kms_key_id);
    live.read("kms_key_arn", key, |spec, key| {
        spec.kms_key_arn = key.filter(|key| !is_managed(key)).map(Ref::from);
    });
    Ok(live)
}

fn is_managed(key: &str) -> bool {
    key.is_empty() || key.ends_with("alias/aws/ebs")
}

async fn set(aws: &Aws, have: &EbsEncryptionDefault, want: &EbsEncryptionDefault) -> Result<()> {
    let ec2 = client!(aws, aws_sdk_ec2);
    if have.kms_key_arn != want.kms_key_arn {
        match &want.kms_key_arn {
            Some(key) => {
                let call = ec2.modify_ebs_default_kms_key_id().kms_key_id(key.as_str());
                aws.call("ec2:ModifyEbsDefaultKmsKeyId", call.send()).await?;
            }
            None => {
                let call = ec2.reset_ebs_default_kms_key_id().send();
                aws.call("ec2:ResetEbsDefaultKmsKeyId", call).await?;
            }
        }
    }
    if have.enabled != want.enabled {
        if want.enabled {
            let call = ec2.enable_ebs_encryption_by_default().send();
            aws.call("ec2:EnableEbsEncryptionByDefault", call).await?;
        } else {
            let call = ec2.disable_ebs_encryption_by_default().send();
            aws.call("ec2:DisableEbsEncryptionByDefault", call).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managed_key_is_no_key_of_ours() {
        assert!(is_managed("alias/aws/ebs"));
        assert!(is_managed("arn:aws:kms:us-east-1:123456789012:alias/aws/ebs"));
        assert!(!is_managed("arn:aws:kms:us-east-1:123456789012:key/1"));
    }
}
