//! The commands. Each reads from top to bottom: collect, plan, check, confirm, execute, report.

pub mod deploy;
pub mod destroy;
pub mod inventory;
pub mod outputs;
pub mod plan;
pub mod serve;

use std::io::{BufRead, IsTerminal, Write, stderr, stdin, stdout};
use std::sync::Arc;

use engine::execute::{Execution, Outcome, execute};
use engine::inventory::collect;
use engine::kind::Deletion;
use engine::plan::{Options, Plan};
use engine::steps::Steps;
use engine::{Inventory, Journal, Scope, Stack, StackName};
use tokio_util::sync::CancellationToken;

use crate::cli::{Common, TargetName};
use crate::config::{Config, Fault, Source, Zones};
use crate::failure::{Failure, Problems};
use crate::render::{Paint, progress};
use crate::stack::{self, FullStack, Site};
use crate::target::{self, Connection};

/// What a command that knows the stack starts from.
pub struct Session {
    /// The connection.
    pub connection: Connection,
    /// What the stack is called.
    pub name: StackName,
    config: Config,
    source: Source,
    journal: Arc<Journal>,
    json: bool,
}

impl Session {
    /// Reads the configuration, refuses what is wrong with it before any call, connects.
    pub async fn start(common: &Common) -> Result<Self, Failure> {
        let (mut config, source) = Config::read(common.config.as_deref())?;
        if let Some(environment) = &common.env {
            config.environment.clone_from(environment);
        }
        let mut faults = config.check();
        // The layers' own checks need no account: what they find is found before any call.
        let nowhere = Site {
            account_id: "000000000000".into(),
            region: common.region.clone().or(config.region.clone()).unwrap_or("us-east-1".into()),
            zones: config.network.availability_zones.names_or_stand_ins(),
            is_real: target::choose(common)? == TargetName::Aws,
        };
        faults.extend(FullStack::declare(&config, &nowhere).1);
        refuse_faults(&source, faults)?;
        let connection = target::connect(common, config.region.as_deref()).await?;
        let name = StackName::new(&config.project, &config.environment);
        let journal = Arc::new(connection.journal(&name)?);
        Ok(Self { connection, name, config, source, journal, json: common.json })
    }

    /// The desired graph.
    pub async fn stack(&self) -> Result<FullStack, Failure> {
        let aws = &self.connection.aws;
        let zones = match &self.config.network.availability_zones {
            Zones::Count(count) => network::availability_zones(aws, *count).await?,
            Zones::Named(names) => names.clone(),
        };
        let site = Site {
            account_id: aws.account_id().into(),
            region: aws.region().into(),
            zones,
            is_real: aws.is_real(),
        };
        let (stack, faults) = FullStack::declare(&self.config, &site);
        refuse_faults(&self.source, faults)?;
        Ok(stack)
    }

    /// What the operator has agreed to, and what the target is.
    pub fn options(&self, allow_data_loss: bool) -> Options {
        Options { allow_data_loss, imitation: !self.connection.aws.is_real() }
    }

    /// What runs.
    pub async fn collect(&self) -> Inventory {
        let scope = Scope::Stack(self.name.clone());
        collect(&self.connection.aws, &stack::kinds(), &scope, &self.journal).await
    }

    /// `student-dev in account 123456789012, us-east-1 (embedded)`.
    pub fn heading(&self) -> String {
        let aws = &self.connection.aws;
        format!(
            "{} in account {}, {} ({})",
            self.name,
            aws.account_id(),
            aws.region(),
            self.connection.label
        )
    }

    /// Carries a plan out, showing progress. `Ctrl-C` finishes the calls in flight and starts nothing.
    pub async fn execute(
        &self,
        plan: &Plan,
        stack: &Stack,
        inventory: &Inventory,
        deletion: Deletion,
    ) -> Result<Outcome, Failure> {
        let steps = Steps::of(plan, stack, inventory, &stack::kinds())
            .map_err(|circle| Failure::Bug(circle.to_string()))?;
        let stop = CancellationToken::new();
        let signals = tokio::spawn(stop_on_signal(stop.clone()));
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let progress = tokio::spawn(progress::show(events, self.json));
        let execution = Execution { deletion, stop, events: Some(sender), ..Execution::default() };
        let outcome =
            execute(&self.connection.aws, stack, steps, self.journal.clone(), execution).await;
        signals.abort();
        // The senders are gone with the run, so the display ends by itself.
        let _ = progress.await;
        Ok(outcome)
    }

    /// Asks before a real account is changed.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes || !self.connection.aws.is_real() {
            return Ok(());
        }
        if !stdin().is_terminal() {
            return Err(Failure::usage(
                "this would change a real account, and nobody is there to ask",
                "look at the plan, then pass --yes",
            ));
        }
        let caller = self.connection.aws.caller_arn();
        eprint!("{question} in {} as {caller}? Type yes: ", self.heading());
        let _ = stderr().flush();
        let mut answer = String::new();
        let read = stdin().lock().read_line(&mut answer);
        if read.is_ok() && answer.trim() == "yes" { Ok(()) } else { Err(Failure::Declined) }
    }
}

fn refuse_faults(source: &Source, faults: Vec<Fault>) -> Result<(), Failure> {
    if faults.is_empty() { Ok(()) } else { Err(source.report(faults).into()) }
}

/// The first signal asks to stop, the second ends the process.
async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for already_asked in [false, true] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if already_asked {
            std::process::exit(130);
        }
        eprintln!(
            "Stopping: calls in flight are finished, nothing is started. Once more ends at once."
        );
        stop.cancel();
    }
}

/// Refuses a plan that has problems.
pub fn refuse_problems(plan: &Plan) -> Result<(), Failure> {
    if plan.problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(Problems(plan.problems.clone())))
    }
}

/// An error for a run that did not get to its end.
pub fn require_complete(outcome: &Outcome) -> Result<(), Failure> {
    if outcome.is_complete() {
        return Ok(());
    }
    let (failed, not_tried) = (outcome.failed.len(), outcome.not_tried.len());
    if outcome.stopped && failed == 0 {
        return Err(Failure::Stopped { not_tried });
    }
    Err(Failure::Incomplete { failed, not_tried })
}

/// How to paint standard output.
pub fn paint_stdout() -> Paint {
    Paint::for_stream(stdout().is_terminal())
}

/// Prints a JSON document on standard output.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|why| Failure::Bug(why.to_string()))?;
    println!("{text}");
    Ok(())
}
