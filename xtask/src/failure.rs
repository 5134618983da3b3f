//! How a command can fail, and with which exit code.

use std::fmt;
use std::process::ExitCode;

use engine::ApiError;
use engine::plan::Problem;
use miette::Diagnostic;
use thiserror::Error;

/// A command that did not do what it was asked to.
#[derive(Debug, Error, Diagnostic)]
pub enum Failure {
    /// The configuration is not usable.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] Box<crate::config::BadConfig>),

    /// The command line is not usable.
    #[error("{what}")]
    #[diagnostic(help("{help}"))]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },

    /// A file cannot be read or written.
    #[error("cannot {verb} {path}: {why}")]
    File {
        /// `read`, `write`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Why.
        why: String,
    },

    /// The plan must not be carried out.
    #[error("the plan is refused{}", .0)]
    Refused(Problems),

    /// The stack would break FERPA invariants. Shown by the list of findings.
    #[error("the stack would break {}: nothing was called", invariants(*.0))]
    #[diagnostic(help(
        "change the configuration as each finding says, or accept a finding for a while with a waiver in [audit]"
    ))]
    Broken(usize),

    /// Calls failed; the rest was read.
    #[error("not everything could be read:{}", unread(.0))]
    Unread(Vec<ApiError>),

    /// The saved plan is not what would be done now.
    #[error("the saved plan does not fit any more:\n{}", .0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))]
    #[diagnostic(help("make a new one with `cargo xtask plan --out`, and look at it"))]
    Stale(Vec<String>),

    /// The operator said no.
    #[error("nothing was changed")]
    Declined,

    /// AWS said no.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] engine::Error),

    /// Another run has the stack, or took it over.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lease(#[from] engine::lease::LeaseError),

    /// Somebody changed the stack between the plan and the lease.
    #[error("the stack was changed by another run since this plan was made:\n{}", .0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))]
    #[diagnostic(help("nothing was changed; run the command again, and look at the new plan"))]
    Overtaken(Vec<String>),

    /// Somebody changed the stack while it was worked on.
    #[error("all steps are done, and this is not as it should be: somebody else changed it meanwhile\n{}", .0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))]
    #[diagnostic(help("run the command again to put it right"))]
    Unsettled(Vec<String>),

    /// Steps failed; what was done stays done. Shown by the report of the run.
    #[error("{failed} steps failed, {not_tried} were not tried")]
    #[diagnostic(help("what was done stays done; run the command again to go on"))]
    Incomplete {
        /// How many failed.
        failed: usize,
        /// How many were not tried.
        not_tried: usize,
    },

    /// The run was stopped from outside.
    #[error("stopped: {not_tried} steps were not tried")]
    #[diagnostic(help("what was done stays done; run the command again to go on"))]
    Stopped {
        /// How many were not tried.
        not_tried: usize,
    },

    /// Something that is no fault of the operator's.
    #[error("{0}")]
    #[diagnostic(help("this is a bug in ferpa-stack"))]
    Bug(String),
}

fn invariants(count: usize) -> String {
    format!("{count} FERPA {}", if count == 1 { "invariant" } else { "invariants" })
}

fn unread(errors: &[ApiError]) -> String {
    let lines = errors.iter().map(|error| {
        let grant = if error.is_denied() {
            format!("\n    allow the IAM action {}", error.denied_action())
        } else {
            String::new()
        };
        format!("\n  - {error}{grant}")
    });
    lines.collect()
}

/// The problems of a plan, as a list.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            write!(f, "\n  - {problem}")?;
            match problem {
                Problem::Unreadable { error, .. } | Problem::UnreadableField { error, .. }
                    if error.is_denied() =>
                {
                    write!(f, "\n    allow the IAM action {}", error.denied_action())?;
                }
                Problem::DataLoss { .. } => {
                    write!(
                        f,
                        "\n    --allow-data-loss lets it happen, after a final snapshot where AWS has one"
                    )?;
                }
                Problem::Conflict { .. } => {
                    write!(
                        f,
                        "\n    remove or rename it, or choose another project or environment name"
                    )?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Failure {
    /// A command line that makes no sense.
    pub fn usage(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }

    /// The exit code of the contract: 1 refused, 2 usage or configuration, 3 AWS said no.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_)
            | Self::Usage { .. }
            | Self::File { .. }
            | Self::Stale(_)
            | Self::Declined => 2,
            Self::Broken(_) => 1,
            Self::Refused(problems) => problems.exit_code(),
            Self::Aws(_)
            | Self::Lease(_)
            | Self::Overtaken(_)
            | Self::Unsettled(_)
            | Self::Incomplete { .. }
            | Self::Unread(_) => 3,
            Self::Stopped { .. } => 130,
            Self::Bug(_) => 101,
        })
    }
}

impl Problems {
    fn exit_code(&self) -> u8 {
        let unread = |problem: &Problem| {
            matches!(
                problem,
                Problem::Unreadable { .. }
                    | Problem::UnreadableField { .. }
                    | Problem::Conflict { .. }
                    | Problem::Taken { .. }
            )
        };
        if self.0.iter().any(unread) { 3 } else { 1 }
    }
}
