//! The commands. Each reads from top to bottom: collect, plan, check, confirm, execute, report.

pub mod audit;
pub mod controls;
pub mod deploy;
pub mod destroy;
pub mod gate;
pub mod inventory;
pub mod outputs;
pub mod plan;
pub mod policy;
pub mod serve;
pub mod timeline;
pub mod unlock;

use std::io::{BufRead, IsTerminal, Write, stderr, stdin, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use compliance::Finding;
use engine::deploy::{is_settled, left_to_do};
use engine::execute::{Execution, Outcome, execute};
use engine::inventory::collect;
use engine::kind::Deletion;
use engine::lease::{LeaseError, Turn};
use engine::plan::{Options, Plan};
use engine::steps::Steps;
use engine::timeline::Recording;
use engine::{Inventory, Journal, Lease, Leases, Scope, Stack, StackName};
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
        let (config, source) = configuration(common)?;
        let connection = target::connect(common, config.region.as_deref()).await?;
        let name = StackName::new(&config.project, &config.environment);
        let journal = Arc::new(connection.journal(&name)?);
        Ok(Self { connection, name, config, source, journal, json: common.json })
    }

    /// The desired graph.
    pub async fn stack(&self) -> Result<FullStack, Failure> {
        let aws = &self.connection.aws;
        refuse_faults(&self.source, self.config.check_region(aws.region()))?;
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

    /// What would not hold once a plan is carried out.
    pub fn would_break(&self, plan: &Plan, stack: &Stack, inventory: &Inventory) -> Vec<Finding> {
        gate::would_break(plan, stack, inventory, &self.config.audit)
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

    /// Waits until no other run works on the stack, for as long as `patience`, and until AWS shows what the last
    /// one made.
    pub async fn turn(&mut self, command: &str, patience: Duration) -> Result<Queue, Failure> {
        let leases = self.connection.leases(&self.name, command);
        let turn = leases.turn(patience, &say).await;
        if let (true, Err(LeaseError::Held(held))) = (self.json, &turn) {
            print_json(&serde_json::json!({"run": null, "held": held}))?;
        }
        let turn = turn?;
        // A run of this machine that was waited for has written to the journal since it was opened.
        self.journal = Arc::new(self.connection.journal(&self.name)?);
        if turn.is_absent() {
            say(format!(
                "{} has no Parameter Store: no lease keeps others out",
                self.connection.label
            ));
        }
        Ok(Queue { leases, turn, patience })
    }

    /// Takes the lease for a plan, if there is anything to do. Should another run have changed the stack since the
    /// plan was made, it is made again; if it is another one, nothing is carried out.
    pub async fn take(
        &mut self,
        queue: Queue,
        plan: &Plan,
        inventory: Inventory,
        plan_again: impl Fn(&Inventory) -> Plan,
    ) -> Result<(Lease, Inventory), Failure> {
        let Queue { leases, turn, patience } = queue;
        // The log of a stack that is gone is what a killed destroy has left.
        let remnant = turn.has_trace() && plan.kept.is_empty() && plan.unchanged == 0;
        if plan.actions.is_empty() && !remnant {
            return Ok((Lease::not_needed(), inventory));
        }
        let (lease, fresh) = leases.take(&turn, patience, &say).await?;
        let nothing_there = || inventory.owned(&stack::kinds(), &self.name).is_empty();
        // A stack that was made and destroyed meanwhile leaves no trace, and nothing either.
        if fresh && (turn.has_trace() || nothing_there()) {
            return Ok((lease, inventory));
        }
        self.journal = Arc::new(self.connection.journal(&self.name)?);
        let inventory = self.collect().await;
        let differences = plan_again(&inventory).differences(plan);
        if differences.is_empty() {
            return Ok((lease, inventory));
        }
        lease.release().await?;
        Err(Failure::Overtaken(differences))
    }

    /// Carries a plan out under a lease, showing progress, sees whether all is as it should be then, lets the lease go, and
    /// draws what did happen where a picture is wanted. `Ctrl-C` finishes the calls in flight and starts nothing; so does
    /// the loss of the lease.
    pub async fn execute(&self, lease: Lease, work: Work<'_>) -> Result<Ended, Failure> {
        let Work { plan, stack, inventory, deletion, picture, plan_again } = work;
        let steps = Steps::of(plan, stack, inventory, &stack::kinds())
            .map_err(|circle| Failure::Bug(circle.to_string()))?;
        let stop = lease.stop().child_token();
        let signals = tokio::spawn(stop_on_signal(stop.clone()));
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let (shown, to_show) = tokio::sync::mpsc::unbounded_channel();
        let progress = tokio::spawn(progress::show(to_show, self.json));
        let recorder = tokio::spawn(async move {
            let mut recording = Recording::start();
            while let Some(event) = events.recv().await {
                recording.note(&event);
                let _ = shown.send(event);
            }
            recording
        });
        let drawn = picture.map(|picture| (picture, steps.clone()));
        let execution = Execution {
            deletion,
            stop: stop.clone(),
            events: Some(sender),
            ..Execution::default()
        };
        let (aws, journal) = (&self.connection.aws, self.journal.clone());
        let run = async {
            let outcome = execute(aws, stack, steps, journal.clone(), execution).await;
            let look = outcome.is_complete() && !plan.actions.is_empty();
            let left = match look {
                true => {
                    let (kinds, name) = (stack::kinds(), &self.name);
                    left_to_do(aws, &kinds, name, &journal, &stop, plan_again).await
                }
                false => None,
            };
            (outcome, left)
        };
        let outcome = tokio::select! {
            outcome = run => Some(outcome),
            () = lease.over() => None,
        };
        // The senders are gone with the run, so the display ends by itself.
        let recorded = recorder.await;
        let _ = progress.await;
        if let Some(((what, path), steps)) = drawn
            && let Ok(recording) = recorded
        {
            // What was done is more important than its picture.
            if let Err(why) = self.draw(&recording.timeline(&steps), what, path) {
                eprintln!("{:?}", miette::Report::new(why));
            }
        }
        let Some((outcome, left)) = outcome else {
            // Somebody else may have begun: what was in flight is in the journal.
            return Err(lease.release().await.err().map_or(Failure::Declined, Failure::from));
        };
        let settled = left.as_ref().is_none_or(|left| is_settled(aws, &outcome, left));
        let stopped = stop.is_cancelled();
        let nothing_left = stack.nodes().next().is_none() && plan.kept.is_empty();
        let let_go = match nothing_left && outcome.is_complete() && settled && !stopped {
            true => {
                if self.connection.aws.is_real() {
                    say("waiting a minute until AWS shows that everything is gone".to_owned());
                }
                lease.end().await
            }
            false => lease.release().await,
        };
        signals.abort();
        let left = left.map(|left| left.lines()).unwrap_or_default();
        if settled && !left.is_empty() {
            say(format!("{} cannot do all of it, and still shows:", self.connection.label));
            left.iter().for_each(|line| say(format!("  {line}")));
        }
        let unsettled = if settled { Vec::new() } else { left };
        Ok(Ended { outcome, unsettled, stopped, let_go: let_go.map_err(Failure::from) })
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

/// A plan to carry out.
pub struct Work<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// Towards what.
    pub stack: &'a Stack,
    /// From where.
    pub inventory: &'a Inventory,
    /// How to delete.
    pub deletion: Deletion,
    /// What a picture is wanted of, and its file.
    pub picture: Option<(&'a str, &'a Path)>,
    /// What would be to do, given what runs then.
    pub plan_again: &'a dyn Fn(&Inventory) -> Plan,
}

/// How carrying out a plan ended.
pub struct Ended {
    /// What was done, and what failed.
    pub outcome: Outcome,
    /// What is not as it should be although all was done, a line each.
    pub unsettled: Vec<String>,
    /// Whether it was stopped from outside.
    stopped: bool,
    let_go: Result<(), Failure>,
}

impl Ended {
    /// Whether the stack is what it should be.
    pub fn is_good(&self) -> bool {
        self.outcome.is_complete() && self.unsettled.is_empty() && !self.stopped
    }

    /// An error for a run that did not get there, or whose lease was lost on the way.
    pub fn require_good(self) -> Result<(), Failure> {
        self.let_go?;
        let Outcome { failed, not_tried, .. } = &self.outcome;
        let (failed, not_tried) = (failed.len(), not_tried.len());
        match (failed, not_tried, self.unsettled.is_empty()) {
            (0, ..) if self.stopped => Err(Failure::Stopped { not_tried }),
            (0, 0, true) => Ok(()),
            (0, 0, false) => Err(Failure::Unsettled(self.unsettled)),
            _ => Err(Failure::Incomplete { failed, not_tried }),
        }
    }
}

/// Where a command stands among the runs on its stack.
pub struct Queue {
    leases: Leases,
    turn: Turn,
    patience: Duration,
}

/// Tells whoever waits what for.
fn say(text: String) {
    eprintln!("{text}");
}

/// The configuration, with what the command line overrides; refused with everything that is wrong with it.
pub fn configuration(common: &Common) -> Result<(Config, Source), Failure> {
    let (mut config, source, unread) = Config::read(common.config.as_deref())?;
    if let Some(environment) = &common.env {
        config.environment.clone_from(environment);
    }
    if common.region.is_some() {
        config.region.clone_from(&common.region);
    }
    let site = nowhere(common, &config)?;
    // On AWS the profile may say which region it is.
    let region = (!site.is_real || config.region.is_some()).then_some(site.region.as_str());
    let faults = config.faults(unread, &site, region);
    refuse_faults(&source, faults)?;
    Ok((config, source))
}

/// A place for a stack of which only the shape matters.
fn nowhere(common: &Common, config: &Config) -> Result<Site, Failure> {
    Ok(Site {
        account_id: "000000000000".into(),
        region: config.region.clone().unwrap_or("us-east-1".into()),
        zones: config.network.availability_zones.names_or_stand_ins(),
        is_real: target::choose(common)? == TargetName::Aws,
    })
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

/// Refuses a stack that would break FERPA invariants.
pub fn refuse_broken(broken: &[Finding]) -> Result<(), Failure> {
    if broken.is_empty() { Ok(()) } else { Err(Failure::Broken(broken.len())) }
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
