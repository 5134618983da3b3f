//! FERPA-TLS-02: caches require TLS.

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::unread;
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

const CALL: &str = "elasticache:DescribeReplicationGroups";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-02",
    title: "Caches require TLS",
    statement: "Every replication group speaks TLS, and nothing else (mode `required`).",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.8"],
    why: "A cache that also answers in plain sends records and its token for anybody on the path to read.",
    reads: &[&[
        "elasticache.replication_group.transit_encryption",
        "elasticache.replication_group.transit_encryption_mode",
    ]],
    remedy: Remedy {
        stack: "`cache.transit_encryption = true`",
        api: "elasticache:ModifyReplicationGroup with TransitEncryptionEnabled and TransitEncryptionMode=preferred, then TransitEncryptionMode=required",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let spec = group.read(&["transit_encryption", "transit_encryption_mode"])?;
        let mode = spec.transit_encryption_mode.as_deref();
        let verdict = match (spec.transit_encryption, mode) {
            (false, _) => Verdict::fail("the nodes do not speak TLS"),
            (true, Some("required")) => Verdict::pass("the nodes speak TLS only"),
            (true, Some(mode)) => {
                Verdict::fail(format!("the nodes answer in plain too: the mode is {mode}"))
            }
            (true, None) => {
                let id = &group.live().id;
                return Err(unread(format!("transit_encryption_mode of {id}")));
            }
        };
        Ok(verdict
            .with(CALL, "TransitEncryptionEnabled", spec.transit_encryption)
            .with(CALL, "TransitEncryptionMode", mode))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::types::TransitEncryptionMode;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::cache;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn tls_is_required() {
        for (rules, status) in [
            (cache(|it| it), Status::Pass),
            (cache(|it| it.transit_encryption_enabled(false)), Status::Fail),
            (
                cache(|it| it.transit_encryption_mode(TransitEncryptionMode::Preferred)),
                Status::Fail,
            ),
            (cache(|it| it.set_transit_encryption_mode(None)), Status::Unknown),
            (
                vec![denied!(
                    aws_sdk_elasticache,
                    describe_replication_groups,
                    DescribeReplicationGroupsError
                )],
                Status::Unknown,
            ),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}
