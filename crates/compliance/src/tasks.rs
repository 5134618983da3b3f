//! Which task definitions matter: revisions pile up, and only what runs, or would run next, can harm.

use std::collections::{BTreeMap, BTreeSet};

use compute::task_definition::Container;
use compute::{Service, TaskDefinition};
use engine::{Inspected, Live};

use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// What [`each_in_force`] reads, beside what its `judge` does.
pub(crate) const READS: &[&str] =
    &["ecs.task_definition.family", "ecs.task_definition.outputs", "ecs.service.task_definition"];

/// The revisions that matter, and what is not known of them.
struct InForce {
    /// The ids of the revisions.
    revisions: BTreeSet<String>,
    /// Services whose revision is not among those that could be read.
    unlisted: Vec<(Live<Service>, String)>,
    /// Why it is not known which revisions services run.
    unread: Option<Unread>,
}

/// Judges, of the task definitions that a control concerns, the latest active revision of each family and
/// those that a service runs. Whoever runs one answers for it: a revision without our tags in a service
/// of ours is judged too.
pub(crate) fn each_in_force(
    facts: &Facts<'_>,
    concerns: impl Fn(&TaskDefinition) -> bool,
    judge: impl Fn(&Seen<'_, TaskDefinition>) -> Result<Verdict, Unread>,
) -> Vec<Judgement> {
    let kind = TaskDefinition::KIND;
    let (known, unread) = facts.listed::<TaskDefinition>();
    let in_force = facts.derived(|facts| in_force(facts, &known));
    let mut found = Vec::new();
    for live in known.iter().filter(|live| in_force.revisions.contains(&live.id)) {
        let seen = Seen::of(live);
        if concerns(&live.spec) {
            found.push(facts.about(&seen, judge(&seen)));
        }
    }
    for (service, revision) in &in_force.unlisted {
        let what = format!("{revision}, which {} runs,", service.spec.name);
        found.push(facts.about(&Seen::of(service), Err(Unread { what, error: None })));
    }
    let unread = unread.or_else(|| in_force.unread.clone());
    found.extend(unread.map(|unread| facts.whole(kind, Err(unread))));
    found
}

fn in_force(facts: &Facts<'_>, all: &[Live<TaskDefinition>]) -> InForce {
    let is_ours = |live: &Live<TaskDefinition>| facts.is_subject(TaskDefinition::KIND, &live.id);
    let mut latest: BTreeMap<&str, &Live<TaskDefinition>> = BTreeMap::new();
    for live in all {
        let known = latest.entry(&live.spec.family).or_insert(live);
        if revision(live) > revision(known) {
            *known = live;
        }
    }
    let families: BTreeSet<&str> =
        all.iter().filter(|live| is_ours(live)).map(|live| live.spec.family.as_str()).collect();
    let mut found = InForce {
        revisions: families.iter().map(|family| latest[family].id.clone()).collect(),
        unlisted: Vec::new(),
        unread: None,
    };
    let (services, unread) = facts.listed::<Service>();
    found.unread = unread;
    for service in services.iter() {
        let runs = service.spec.task_definition.as_str();
        let ours = facts.is_subject(Service::KIND, &service.id);
        match facts.find::<TaskDefinition>(runs) {
            Ok(Some(live)) if ours || is_ours(&live) => {
                found.revisions.insert(live.id.clone());
            }
            // Deregistered, or of a family that was not read.
            Ok(None) if ours => found.unlisted.push((service.clone(), runs.to_owned())),
            _ => {}
        }
    }
    found
}

/// The number of a revision. One that is yet to be made is later than all.
fn revision(live: &Live<TaskDefinition>) -> u64 {
    live.output("revision").and_then(|number| number.parse().ok()).unwrap_or(u64::MAX)
}

/// Puts a verdict on all containers of a task together: what is wrong with each, with its name.
pub(crate) fn of_containers(
    task: &TaskDefinition,
    good: &str,
    faults: impl Fn(&Container) -> Vec<String>,
) -> Verdict {
    let mut found = Vec::new();
    for (name, container) in &task.containers {
        let faults = faults(container);
        if !faults.is_empty() {
            found.push(format!("{name} {}", faults.join(" and ")));
        }
    }
    Verdict::of(found.is_empty(), good, found.join("; "))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionError;
    use aws_smithy_mocks::mock;
    use aws_smithy_types::error::ErrorMetadata;

    use crate::controls::ALL;
    use crate::finding::Status;
    use crate::testing::{denied, ecs, judged};

    const ROOT: fn(ecs::ContainerBuilder) -> ecs::ContainerBuilder = |it| it.user("root");
    const GOOD: fn(ecs::ContainerBuilder) -> ecs::ContainerBuilder = |it| it;

    async fn acc_11(rules: &[aws_smithy_mocks::Rule]) -> Vec<(String, Status)> {
        let control = ALL.iter().find(|control| control.id == "FERPA-ACC-11").unwrap();
        let found = judged(control, rules).await;
        found.into_iter().map(|one| (one.resource.id, one.status)).collect()
    }

    #[tokio::test]
    async fn only_the_latest_revision_and_those_that_run_count() {
        let three = ecs::revisions(&[ROOT, ROOT, GOOD]);
        let alone = acc_11(&three).await;
        assert_eq!(alone, [(ecs::revision(3), Status::Pass)]);

        let run = [three, ecs::service(|it| it.task_definition(ecs::revision(2)))].concat();
        let both = acc_11(&run).await;
        assert_eq!(both, [(ecs::revision(2), Status::Fail), (ecs::revision(3), Status::Pass)]);
    }

    #[tokio::test]
    async fn what_runs_and_was_not_read_is_unknown() {
        let one = ecs::revisions(&[GOOD]);
        let gone = [one.clone(), ecs::service(|it| it.task_definition(ecs::revision(7)))].concat();
        let found = acc_11(&gone).await;
        assert_eq!(found[1], (ecs::SERVICE.to_owned(), Status::Unknown));

        let latest = mock!(aws_sdk_ecs::Client::describe_task_definition)
            .match_requests(|asked| asked.task_definition() == Some(ecs::revision(2).as_str()))
            .then_error(|| {
                let throttled = ErrorMetadata::builder().code("ThrottlingException").build();
                DescribeTaskDefinitionError::generic(throttled)
            });
        let found = acc_11(&[vec![latest], ecs::revisions(&[ROOT, GOOD])].concat()).await;
        let known = [(ecs::revision(1), Status::Fail), ("*".to_owned(), Status::Unknown)];
        assert_eq!(found, known, "what could be read is judged beside it");

        let denied = denied!(aws_sdk_ecs, list_clusters, ListClustersError);
        let found = acc_11(&[one, vec![denied]].concat()).await;
        assert_eq!(found, [(ecs::revision(1), Status::Pass), ("*".to_owned(), Status::Unknown)]);
    }
}
