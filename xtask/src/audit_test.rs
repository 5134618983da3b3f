//! The default stack, before and after it is made, holds every control.

use compliance::{Audit, Settings, Status, evaluate};
use engine::inventory::collect;
use engine::plan::{self, Options};
use engine::{Aws, Inventory, Journal, Scope, Target, deploy};
use jiff::Timestamp;

use crate::commands::gate::would_break;
use crate::config::Config;
use crate::stack::{FullStack, Site, kinds};

pub fn default_stack(aws: &Aws) -> FullStack {
    stack_of(aws, &Config::default())
}

fn stack_of(aws: &Aws, config: &Config) -> FullStack {
    let site = Site {
        account_id: aws.account_id().into(),
        region: aws.region().into(),
        zones: vec!["us-east-1a".into(), "us-east-1b".into()],
        is_real: false,
    };
    let (stack, faults) = FullStack::declare(config, &site);
    assert!(faults.is_empty(), "{faults:#?}");
    stack
}

pub async fn account() -> Aws {
    let embedded = local::ControlPlane::in_memory().http_client();
    Aws::connect(Target::Embedded(embedded), Some("us-east-1")).await.unwrap()
}

pub fn audited(stack: &FullStack, inventory: &Inventory) -> Audit {
    let name = stack.graph.name();
    let subjects = inventory.answerable(&kinds(), &compliance::readers(), name);
    evaluate(inventory, &Settings::default(), Some(&subjects), Timestamp::now())
}

fn those(audit: &Audit, statuses: &[Status]) -> Vec<String> {
    let those = audit.findings.iter().filter(|finding| statuses.contains(&finding.status));
    those
        .map(|finding| {
            let (control, resource) = (&finding.control, &finding.resource);
            let status = finding.status;
            format!("{control} {} {} {status:?}: {}", resource.kind, resource.id, finding.message)
        })
        .collect()
}

#[tokio::test]
async fn what_the_plan_would_lead_to_breaks_no_control() {
    let aws = account().await;
    let stack = default_stack(&aws);
    let scope = Scope::Stack(stack.graph.name().clone());
    let now = collect(&aws, &kinds(), &scope, &Journal::in_memory()).await;
    let options = Options { imitation: true, ..Options::default() };
    let plan = plan::plan(&stack.graph, &now, &kinds(), options);
    let failed = would_break(&plan, &stack.graph, &now, &Settings::default());
    assert!(failed.is_empty(), "{failed:#?}");
}

/// What an audit of the deployed default stack reads.
pub async fn deployed() -> (FullStack, Inventory) {
    let aws = account().await;
    let stack = default_stack(&aws);
    let options = Options { imitation: true, ..Options::default() };
    deploy::up(&aws, &stack.graph, &kinds(), options).await.unwrap();
    let scope = Scope::Attached(stack.graph.name().clone());
    let inventory = collect(&aws, &compliance::readers(), &scope, &Journal::in_memory()).await;
    (stack, inventory)
}

#[tokio::test]
async fn the_deployed_stack_holds_every_control_and_all_of_it_can_be_read() {
    let (stack, inventory) = deployed().await;
    let bad = those(&audited(&stack, &inventory), &[Status::Fail, Status::Unknown]);
    assert!(bad.is_empty(), "{bad:#?}");
}

#[tokio::test]
async fn an_audit_only_describes_lists_and_gets_and_reads_no_record_and_no_secret() {
    const SECRETS_AND_RECORDS: &[&str] = &[
        "GetSecretValue",
        "BatchGetSecretValue",
        "GetObject",
        "GetRecords",
        "GetItem",
        "BatchGetItem",
        "GetParameter",
        "GetParameters",
        "GetParametersByPath",
        "GetLogEvents",
        "GetQueryResults",
        "GetRandomPassword",
        "GetFunction",
        "GetPasswordData",
        "GetApiKeys",
    ];
    let aws = account().await;
    collect(&aws, &compliance::readers(), &Scope::Account, &Journal::in_memory()).await;
    for call in aws.calls().keys() {
        let operation = call.split_once('.').unwrap().1;
        let reads = ["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb));
        assert!(reads && !SECRETS_AND_RECORDS.contains(&operation), "{call}");
    }
}

#[tokio::test]
async fn people_may_enter_tasks_where_that_is_logged_and_encrypted() {
    let aws = account().await;
    let mut config = Config::default();
    config.service.execute_command = true;
    let stack = stack_of(&aws, &config);
    let options = Options { imitation: true, ..Options::default() };
    deploy::up(&aws, &stack.graph, &kinds(), options).await.unwrap();
    let scope = Scope::Attached(stack.graph.name().clone());
    let inventory = collect(&aws, &compliance::readers(), &scope, &Journal::in_memory()).await;
    let audit = audited(&stack, &inventory);
    let failed = those(&audit, &[Status::Fail]);
    assert!(failed.is_empty(), "{failed:#?}");
    let sessions = audit.findings.iter().find(|one| one.control == "FERPA-ACC-12").unwrap();
    assert_eq!(sessions.status, Status::Pass);
    assert!(sessions.message.contains("/sessions"), "{}", sessions.message);
}
