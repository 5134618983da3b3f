//! FERPA-ACC-11: containers run without root, on a read-only root, unprivileged, from a pinned image.

use compute::task_definition::Container;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::Facts;
use crate::finding::Judgement;
use crate::tasks::{READS, each_in_force, of_containers};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-11",
    title: "Containers are confined",
    statement: "No container runs as root, writes to its root file system or is privileged, and every image is pinned: by digest, or by a tag that names one version.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.4.6"],
    why: "A program that is taken over can do what its container may do, and an image that changes under its name is nobody's decision.",
    reads: &[&["ecs.task_definition.containers"], READS],
    remedy: Remedy {
        stack: "`service.user`, `service.readonly_root_filesystem` and `service.image`",
        api: "ecs:RegisterTaskDefinition with user, readonlyRootFilesystem, privileged and image (repository@sha256:…)",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    each_in_force(
        facts,
        |_| true,
        |task| {
            let spec = task.read(&["containers"])?;
            let good = "its containers are not root, cannot write to their root, are not privileged and have \
                        pinned images";
            let verdict = of_containers(spec, good, faults);
            let values = |of: fn(&Container) -> serde_json::Value| {
                spec.containers.values().map(of).collect::<Vec<_>>()
            };
            let call = "ecs:DescribeTaskDefinition";
            Ok(verdict
                .with(call, "containerDefinitions.user", values(|it| it.user.clone().into()))
                .with(
                    call,
                    "containerDefinitions.readonlyRootFilesystem",
                    values(|it| it.readonly_root_filesystem.into()),
                )
                .with(call, "containerDefinitions.privileged", values(|it| it.privileged.into()))
                .with(call, "containerDefinitions.image", values(|it| it.image.clone().into())))
        },
    )
}

fn faults(container: &Container) -> Vec<String> {
    let mut faults = Vec::new();
    match container.user.as_deref() {
        None | Some("") => faults.push("runs as whom its image names, which may be root".into()),
        Some(user) if is_root(user) => faults.push(format!("runs as root ({user})")),
        Some(_) => {}
    }
    if !container.readonly_root_filesystem {
        faults.push("can write to its root file system".into());
    }
    if container.privileged {
        faults.push("is privileged".into());
    }
    let mighty = container.add_capabilities.iter().find(|one| matches!(one.as_str(), "ALL" | "SYS_ADMIN"));
    if let Some(capability) = mighty {
        faults.push(format!("has the capability {capability}, which is as good as privileged"));
    }
    if !is_pinned(&container.image) {
        faults.push(format!("has an image that can change under its name ({})", container.image));
    }
    faults
}

/// `user`, `uid`, `user:group`…
fn is_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default().trim();
    user.is_empty() || user == "root" || user.parse() == Ok(0)
}

/// By digest, or by a tag that names one version: three numbers (`3.13.1-slim`), a commit or a date.
fn is_pinned(image: &str) -> bool {
    if let Some((_, digest)) = image.split_once('@') {
        return digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64);
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').is_some_and(|(_, tag)| names_one_version(tag))
}

fn names_one_version(tag: &str) -> bool {
    tag.split(['-', '_', '+']).any(|part| {
        let numbers = part.strip_prefix('v').unwrap_or(part);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let release = numbers.split('.').take_while(|part| is_number(part)).count() >= 3;
        let commit = part.len() >= 7
            && part.bytes().all(|it| it.is_ascii_hexdigit())
            && part.bytes().any(|it| it.is_ascii_digit());
        let date = part.len() >= 6 && is_number(part);
        release || commit || date
    })
}

#[cfg(test)]
mod tests {
    use super::{CONTROL, is_pinned, is_root};
    use crate::finding::Status;
    use crate::testing::ecs::{ContainerBuilder, task};
    use crate::testing::{denied, judged, only};

    #[test]
    fn root_by_any_name() {
        for root in ["root", "0", "0:1000", "root:wheel", "00", ""] {
            assert!(is_root(root), "{root}");
        }
        assert!(!is_root("1000:0") && !is_root("app"));
    }

    #[test]
    fn a_floating_tag_pins_nothing() {
        let digest = format!("r/api@sha256:{}", "0a".repeat(32));
        for pinned in [&digest, "r/api:1.4.2", "h:5000/python:3.13.1-slim", "a:v2.0.1", "a:9f2c1ab"] {
            assert!(is_pinned(pinned), "{pinned}");
        }
        for floating in ["api", "h:5000/api", "api:latest", "api:3", "a:3.13", "a:prod", "a:deadbeef@x"] {
            assert!(!is_pinned(floating), "{floating}");
        }
    }

    #[tokio::test]
    async fn a_container_is_confined() {
        let good = judged(&CONTROL, &task(|it| it)).await;
        assert_eq!(only(&good).0, Status::Pass);
        type Change = fn(ContainerBuilder) -> ContainerBuilder;
        let bad: [(Change, &str); 5] = [
            (|it| it.user("0:0"), "api runs as root (0:0)"),
            (|it| it.set_user(None), "api runs as whom its image names, which may be root"),
            (|it| it.readonly_root_filesystem(false), "api can write to its root file system"),
            (|it| it.privileged(true), "api is privileged"),
            (|it| it.image("nginx:latest"), "api has an image that can change under its name (nginx:latest)"),
        ];
        for (change, why) in bad {
            let found = judged(&CONTROL, &task(change)).await;
            assert_eq!(only(&found), (Status::Fail, why));
        }
    }

    #[tokio::test]
    async fn task_definitions_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_ecs, list_task_definitions, ListTaskDefinitionsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
