//! The verbs put together, for a program that wants its stack up (or gone) and nothing else.
//!
//! The command line composes the same verbs itself, to show the plan and to ask in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::error::Error;
use crate::execute::{Execution, Outcome, StepName, execute};
use crate::inventory::{Inventory, Scope, collect, refresh};
use crate::journal::Journal;
use crate::kind::{Deletion, Kind, Live};
use crate::mistake::Mistake;
use crate::plan::{self, Change, Options, Plan};
use crate::reference::{Ref, substitute_text};
use crate::stack::{LogicalId, Stack, StackName};
use crate::steps::{Circular, Steps, What};

/// A stack that is up.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The plan that was carried out.
    pub plan: Plan,
    /// The stack's live resources, by logical id.
    pub live: BTreeMap<LogicalId, Live>,
}

impl Deployed {
    /// What a reference of the stack stands for: an id, an ARN, a host name.
    ///
    /// # Errors
    /// When the resource has no such output.
    pub fn resolve<M>(&self, reference: &Ref<M>) -> Result<String, Error> {
        resolve(&self.live, reference)
    }
}

/// What a reference stands for, given the live resources.
///
/// # Errors
/// When a resource is missing or has no such output.
pub fn resolve<M>(live: &BTreeMap<LogicalId, Live>, reference: &Ref<M>) -> Result<String, Error> {
    let text = substitute_text(reference.as_str(), &mut |placeholder| {
        live.get(&placeholder.id)?.output(&placeholder.output).map(str::to_owned)
    });
    if Ref::<M>::known(text.clone()).is_pending() {
        let readable = substitute_text(&text, &mut |missing| {
            Some(format!("the {} of {}", missing.output, missing.id))
        });
        return Err(Error::invalid(readable, "nothing that is deployed has it"));
    }
    Ok(text)
}

/// Why a stack is not up (or not gone).
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The plan must not be carried out.
    #[error("the plan was refused: {}", list(.0.problems.iter()))]
    Refused(Box<Plan>),
    /// What was specified cannot be.
    #[error("{}", list(.0.iter()))]
    Invalid(Vec<Mistake>),
    /// The layers ask for something impossible.
    #[error(transparent)]
    Circular(#[from] Circular),
    /// Steps failed; the outcome says which, and what was not tried. Running again goes on from here.
    #[error("{}", failures(.0))]
    Failed(Box<Outcome>),
    /// All steps are done, and still this is left to do: somebody changed the stack meanwhile.
    #[error("all is done, and not as it should be: {}", list(.0.lines().iter()))]
    Unsettled(Box<Plan>),
}

fn list<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join("; ")
}

fn failures(outcome: &Outcome) -> String {
    let failed = outcome
        .failed
        .iter()
        .map(|(step, error)| format!("{} {}: {error}", step.what, step.resource));
    format!("{} ({} steps not tried)", list(failed), outcome.not_tried.len())
}

/// What is still to be done once a run has done all its steps: nothing, unless somebody changed or deleted something
/// meanwhile, or the server does not keep what it was given. AWS is asked for as long as it may take to show what was done.
/// `None` when the run was stopped before that was known.
pub async fn left_to_do(
    aws: &Aws,
    kinds: &[Kind],
    name: &StackName,
    journal: &Journal,
    stop: &CancellationToken,
    plan_of: impl Fn(&Inventory) -> Plan,
) -> Option<Plan> {
    stop.run_until_cancelled(ask_what_is_left(aws, kinds, name, journal, plan_of)).await
}

async fn ask_what_is_left(
    aws: &Aws,
    kinds: &[Kind],
    name: &StackName,
    journal: &Journal,
    plan_of: impl Fn(&Inventory) -> Plan,
) -> Plan {
    let scope = Scope::Stack(name.clone());
    let give_up = Instant::now() + aws.consistency_window();
    let mut pause = Duration::from_secs(1);
    let mut inventory = collect(aws, kinds, &scope, journal).await;
    loop {
        let plan = plan_of(&inventory);
        if plan.is_empty() || Instant::now() + pause > give_up {
            return plan;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(15));
        let concerned: BTreeSet<&str> = plan.actions.iter().map(|one| one.kind.as_str()).collect();
        let again = kinds
            .iter()
            .filter(|kind| !plan.problems.is_empty() || concerned.contains(kind.name()));
        refresh(aws, &again.copied().collect::<Vec<_>>(), &scope, &mut inventory).await;
    }
}

/// Whether what is [left to do](left_to_do) is nothing, or only what an imitation of AWS cannot do: an attribute that it
/// forgets, what was left out because it has no operation for it, and what it goes on showing after its deletion. On AWS
/// itself anything that is left is too much.
pub fn is_settled(aws: &Aws, outcome: &Outcome, left: &Plan) -> bool {
    if left.is_empty() {
        return true;
    }
    let left_out =
        |resource: &LogicalId| outcome.left_out.iter().any(|(step, _)| step.resource == *resource);
    let deleted = |resource: &LogicalId| {
        let done =
            |step: &StepName| step.resource == *resource && step.what == What::Delete.to_string();
        outcome.done.iter().any(|(step, _)| done(step))
    };
    aws.may_forget()
        && left.problems.is_empty()
        && left.actions.iter().all(|action| {
            left_out(&action.resource)
                || match action.change {
                    Change::Update { .. } => true,
                    Change::Delete { .. } => deleted(&action.resource),
                    _ => false,
                }
        })
}

/// The options, with what the connection says of the target.
fn on(aws: &Aws, options: Options) -> Options {
    Options { imitation: !aws.is_real(), ..options }
}

/// Plans a stack: what would have to be done.
pub async fn drift(aws: &Aws, stack: &Stack, kinds: &[Kind]) -> Plan {
    let scope = Scope::Stack(stack.name().clone());
    let inventory = collect(aws, kinds, &scope, &Journal::in_memory()).await;
    plan::plan(stack, &inventory, kinds, on(aws, Options::default()))
}

/// Brings a stack up: collects, plans, executes, waits until all is ready.
///
/// # Errors
/// When the plan is refused or a step fails. What was done stays done; calling again goes on.
pub async fn up(
    aws: &Aws,
    stack: &Stack,
    kinds: &[Kind],
    options: Options,
) -> Result<Deployed, DeployError> {
    let journal = Arc::new(Journal::in_memory());
    let scope = Scope::Stack(stack.name().clone());
    let inventory = collect(aws, kinds, &scope, &journal).await;
    let plan = plan::plan(stack, &inventory, kinds, on(aws, options));
    if !plan.problems.is_empty() {
        return Err(DeployError::Refused(Box::new(plan)));
    }
    let steps = Steps::of(&plan, stack, &inventory, kinds)?;
    let plan_again = |now: &Inventory| plan::plan(stack, now, kinds, on(aws, options));
    let deletion = Deletion { allow_data_loss: options.allow_data_loss };
    let outcome = carry_out(aws, stack, kinds, steps, journal, deletion, plan_again).await?;
    Ok(Deployed { plan, live: outcome.live })
}

/// Executes the steps of a plan, and sees whether all is as it should be then.
async fn carry_out(
    aws: &Aws,
    stack: &Stack,
    kinds: &[Kind],
    steps: Steps,
    journal: Arc<Journal>,
    deletion: Deletion,
    plan_again: impl Fn(&Inventory) -> Plan,
) -> Result<Outcome, DeployError> {
    let nothing_to_do = steps.all.is_empty();
    let execution = Execution { deletion, ..Execution::default() };
    let stop = execution.stop.clone();
    let outcome = execute(aws, stack, steps, journal.clone(), execution).await;
    if !outcome.is_complete() {
        return Err(DeployError::Failed(Box::new(outcome)));
    }
    if !nothing_to_do {
        let left = left_to_do(aws, kinds, stack.name(), &journal, &stop, plan_again).await;
        if let Some(left) = left.filter(|left| !is_settled(aws, &outcome, left)) {
            return Err(DeployError::Unsettled(Box::new(left)));
        }
    }
    Ok(outcome)
}

/// Removes what a stack owns. What holds data stays without `allow_data_loss`; the plan that is
/// returned lists it.
///
/// # Errors
/// When it cannot be told what exists, or a step fails.
pub async fn down(
    aws: &Aws,
    name: &StackName,
    kinds: &[Kind],
    options: Options,
) -> Result<Plan, DeployError> {
    let journal = Arc::new(Journal::in_memory());
    let inventory = collect(aws, kinds, &Scope::Stack(name.clone()), &journal).await;
    let plan = plan::destroy(name, &inventory, kinds, on(aws, options));
    if !plan.problems.is_empty() {
        return Err(DeployError::Refused(Box::new(plan)));
    }
    let stack = Stack::new(name.clone(), BTreeMap::new());
    let steps = Steps::of(&plan, &stack, &inventory, kinds)?;
    let plan_again = |now: &Inventory| plan::destroy(name, now, kinds, on(aws, options));
    let deletion = Deletion { allow_data_loss: options.allow_data_loss };
    carry_out(aws, &stack, kinds, steps, journal, deletion, plan_again).await?;
    Ok(plan)
}
