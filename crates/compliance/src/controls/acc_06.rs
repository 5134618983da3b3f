//! FERPA-ACC-06: file systems are mounted through access points, with IAM, not as root.

use data::{AccessPoint, FileSystem};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::policy::Document;
use crate::tasks::{READS, each_in_force};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-06",
    title: "File systems are mounted through access points, with IAM, not as root",
    statement: "Every EFS volume of a task goes through an access point with IAM; every access point makes of whoever comes one user who is not root; every file system's policy admits nobody without an identity and makes nobody root.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.5"],
    why: "Without these, whoever reaches port 2049 reads and changes every file as root, and nothing says who it was.",
    reads: &[
        &[
            "efs.file_system.policy",
            "efs.access_point.posix_user",
            "ecs.task_definition.volumes",
        ],
        READS,
    ],
    remedy: Remedy {
        stack: "`files.uid` and `files.gid`; the access point, IAM and the policy come with every `deploy`",
        api: "elasticfilesystem:CreateAccessPoint with PosixUser; ecs:RegisterTaskDefinition with authorizationConfig (accessPointId, iam ENABLED); elasticfilesystem:PutFileSystemPolicy",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut found = facts.each::<FileSystem>(|file_system| {
        let policy = file_system.read(&["policy"])?.policy.as_ref();
        let arn = file_system.live().arn.as_deref().unwrap_or_default();
        let verdict = match policy.map(Document::of) {
            Some(policy) if policy.admits_nameless("elasticfilesystem:ClientMount", arn) => {
                Verdict::fail("its policy lets everybody who reaches it mount it, without an identity")
            }
            Some(policy) if policy.admits_anyone("elasticfilesystem:ClientRootAccess", arn) => {
                Verdict::fail("its policy lets somebody who mounts it be root")
            }
            Some(_) => Verdict::pass("its policy admits nobody without an identity, and nobody as root"),
            None => Verdict::fail(
                "it has no policy, so everybody who reaches it may mount it as root, without an identity",
            ),
        };
        let document = policy.map(|policy| policy.document().clone());
        Ok(verdict.with("elasticfilesystem:DescribeFileSystemPolicy", "Policy", document))
    });
    found.extend(facts.each::<AccessPoint>(|point| {
        let user = point.read(&["posix_user"])?.posix_user.as_ref();
        let uid = user.map(|user| user.uid);
        let verdict = match uid {
            Some(0) => Verdict::fail("whoever comes through it is root"),
            Some(uid) => Verdict::pass(format!("whoever comes through it is the user {uid}")),
            None => Verdict::fail("whoever comes through it may be any user, root too"),
        };
        Ok(verdict.with("elasticfilesystem:DescribeAccessPoints", "PosixUser.Uid", uid))
    }));
    found.extend(each_in_force(
        facts,
        |task| task.volumes.values().any(|volume| volume.efs.is_some()),
        |task| {
            let volumes = &task.read(&["volumes"])?.volumes;
            let mut faults = Vec::new();
            for (name, volume) in volumes {
                let Some(efs) = &volume.efs else { continue };
                if efs.access_point.is_none() {
                    faults.push(format!("the volume {name} is mounted past every access point"));
                }
                if !efs.iam {
                    faults.push(format!("the volume {name} is mounted without IAM"));
                }
            }
            let call = "ecs:DescribeTaskDefinition";
            let points: Vec<Option<&str>> = volumes
                .values()
                .filter_map(|volume| volume.efs.as_ref())
                .map(|efs| efs.access_point.as_ref().map(|point| point.as_str()))
                .collect();
            let good = "its file systems are mounted through access points, with IAM";
            Ok(Verdict::of(faults.is_empty(), good, faults.join("; "))
                .with(call, "authorizationConfig.accessPointId", points))
        },
    ));
    found
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::EfsAuthorizationConfig;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::efs::{FileSystem, access_point, file_system};
    use crate::testing::{denied, ecs, judged, only};

    #[tokio::test]
    async fn volumes_go_through_access_points_with_iam() {
        assert_eq!(only(&judged(&CONTROL, &ecs::task_with_volume(|it| it)).await).0, Status::Pass);
        let past = ecs::task_with_volume(|it| {
            it.authorization_config(EfsAuthorizationConfig::builder().build())
        });
        let found = judged(&CONTROL, &past).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Fail);
        assert!(message.contains("past every access point") && message.contains("without IAM"));
    }

    #[tokio::test]
    async fn nobody_is_root_behind_an_access_point() {
        for (uid, status) in [(Some(1000), Status::Pass), (Some(0), Status::Fail), (None, Status::Fail)] {
            assert_eq!(only(&judged(&CONTROL, &[access_point(uid)]).await).0, status, "{uid:?}");
        }
    }

    #[tokio::test]
    async fn nobody_comes_without_a_name() {
        let by_place = r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}}}"#;
        let root = r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}}}"#;
        let role = r#"{"Statement": {"Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:role/task"},
            "Action": "elasticfilesystem:ClientMount"}}"#;
        let role_as_root = r#"{"Statement": {"Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:role/task"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientRootAccess"]}}"#;
        for (policy, status) in [
            (Some(role), Status::Pass),
            (Some(role_as_root), Status::Fail),
            (Some(by_place), Status::Fail),
            (Some(root), Status::Fail),
            (None, Status::Fail),
        ] {
            let rules = file_system(FileSystem { policy, ..<_>::default() });
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, status, "{policy:?}");
        }
    }

    #[tokio::test]
    async fn access_points_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_efs, describe_access_points, DescribeAccessPointsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
