//! The verbs put together, for a program that wants its stack up (or gone) and nothing else.
//!
//! The command line composes the same verbs itself, to show the plan and to ask in between.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::aws::Aws;
use crate::error::Error;
use crate::execute::{Execution, Outcome, execute};
use crate::inventory::{Scope, collect};
use crate::journal::Journal;
use crate::kind::{Deletion, Kind, Live};
use crate::plan::{self, Options, Plan};
use crate::reference::{Ref, substitute_text};
use crate::stack::{LogicalId, Stack, StackName};
use crate::steps::{Circular, Steps};

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
    /// The layers ask for something impossible.
    #[error(transparent)]
    Circular(#[from] Circular),
    /// Steps failed; the outcome says which, and what was not tried. Running again goes on from here.
    #[error("{}", failures(.0))]
    Failed(Box<Outcome>),
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
    let deletion = Deletion { allow_data_loss: options.allow_data_loss };
    let outcome =
        execute(aws, stack, steps, journal, Execution { deletion, ..Execution::default() }).await;
    if !outcome.is_complete() {
        return Err(DeployError::Failed(Box::new(outcome)));
    }
    Ok(Deployed { plan, live: outcome.live })
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
    let deletion = Deletion { allow_data_loss: options.allow_data_loss };
    let outcome =
        execute(aws, &stack, steps, journal, Execution { deletion, ..Execution::default() }).await;
    if !outcome.is_complete() {
        return Err(DeployError::Failed(Box::new(outcome)));
    }
    Ok(plan)
}
