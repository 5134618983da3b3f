//! FERPA-ENC-10: disks are encrypted, and new ones unasked.

use account::Volume;
use network::EbsEncryptionDefault;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ENC-10",
    title: "Disks are encrypted, and new ones unasked",
    statement: "EBS encryption by default is on, and no volume is unencrypted.",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.16"],
    why: "A disk that was started in plain takes whatever is written to it, and its snapshots with it, in plain to wherever they are copied.",
    reads: &[&["ec2.volume.encrypted", "ec2.ebs_encryption_default.enabled"]],
    remedy: Remedy {
        stack: "`guards.ebs_encryption = true`, then `deploy`; it changes no volume that exists",
        api: "ec2:EnableEbsEncryptionByDefault; ec2:CopySnapshot with Encrypted=true and ec2:CreateVolume replace a volume in plain",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<Volume>(|volume| {
        let encrypted = volume.read(&["encrypted"])?.encrypted;
        let verdict =
            Verdict::of(encrypted, "the volume is encrypted", "the volume is not encrypted");
        Ok(verdict.with("ec2:DescribeVolumes", "Encrypted", encrypted))
    });
    judgements.extend(facts.each::<EbsEncryptionDefault>(|setting| {
        let on = setting.read(&["enabled"])?.enabled;
        let verdict = Verdict::of(
            on,
            "new volumes are encrypted unasked",
            "new volumes are encrypted only if somebody asks for it",
        );
        Ok(verdict.with("ec2:GetEbsEncryptionByDefault", "EbsEncryptionByDefault", on))
    }));
    judgements
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_volumes::DescribeVolumesOutput;
    use aws_sdk_ec2::operation::get_ebs_encryption_by_default::GetEbsEncryptionByDefaultOutput;
    use aws_sdk_ec2::types::Volume;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged};

    fn account(volume: bool, default: bool) -> [Rule; 2] {
        [
            mock!(aws_sdk_ec2::Client::describe_volumes).then_output(move || {
                let volume = Volume::builder().volume_id("vol-1").encrypted(volume).build();
                DescribeVolumesOutput::builder().volumes(volume).build()
            }),
            mock!(aws_sdk_ec2::Client::get_ebs_encryption_by_default).then_output(move || {
                GetEbsEncryptionByDefaultOutput::builder().ebs_encryption_by_default(default).build()
            }),
        ]
    }

    async fn statuses(rules: &[Rule]) -> Vec<Status> {
        judged(&CONTROL, rules).await.iter().map(|one| one.status).collect()
    }

    #[tokio::test]
    async fn each_volume_and_the_default_are_judged() {
        assert_eq!(statuses(&account(true, true)).await, [Status::Pass, Status::Pass]);
        assert_eq!(statuses(&account(false, true)).await, [Status::Fail, Status::Pass]);
        assert_eq!(statuses(&account(true, false)).await, [Status::Pass, Status::Fail]);
    }

    #[tokio::test]
    async fn volumes_that_cannot_be_listed_are_unknown() {
        let [_, default] = account(true, true);
        let denied = denied!(aws_sdk_ec2, describe_volumes, DescribeVolumesError);
        assert_eq!(statuses(&[denied, default]).await, [Status::Unknown, Status::Pass]);
    }
}
