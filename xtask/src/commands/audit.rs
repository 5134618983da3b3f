//! `audit`: which FERPA invariants hold for what runs, with evidence.

use std::path::Path;
use std::process::ExitCode;

use compliance::report::{Format, Look, render};
use compliance::{Audit, Reach, Severity, Status, evaluate, readers_for};
use engine::inventory::{SCHEMA_VERSION, collect};
use engine::{Inventory, Journal, Scope, StackName};

use super::{Session, configuration};
use crate::cli::{AuditArgs, Common, ScopeName};
use crate::config::Config;
use crate::failure::Failure;
use crate::render::Paint;
use crate::stack::kinds;

/// Runs the command.
pub async fn run(common: &Common, args: &AuditArgs) -> Result<ExitCode, Failure> {
    let reports = reports(common, args)?;
    let (config, inventory) = match &args.from {
        Some(path) => (configuration(common)?.0, read_snapshot(path)?),
        None => {
            let session = Session::start(common).await?;
            let inventory = session.inspect(args.scope).await;
            (session.config, inventory)
        }
    };
    let audit = judge(&config, &inventory, args.scope)?;
    let denied: Vec<&str> = inventory.denied_actions().into_iter().collect();
    if !denied.is_empty() {
        eprintln!(
            "Not everything could be read. Allow these IAM actions to the credentials in use:\n  {}",
            denied.join("\n  ")
        );
    }
    for (format, output) in reports {
        let look = Look {
            colour: output.is_none() && Paint::stdout_has_colours(),
            verbose: common.verbose > 0,
        };
        let text = render(&audit, format, look);
        match output {
            None => print!("{text}"),
            Some(path) => std::fs::write(&path, text).map_err(|why| Failure::File {
                verb: "write",
                path: path.display().to_string(),
                why: why.to_string(),
            })?,
        }
    }
    Ok(ExitCode::from(exit_code(&audit, args.fail_on.into())))
}

impl Session {
    /// Everything that the controls of a scope read.
    pub async fn inspect(&self, scope: ScopeName) -> Inventory {
        let (scope, reach) = match scope {
            ScopeName::Stack => (Scope::Attached(self.name.clone()), Reach::Stack),
            ScopeName::Account => (Scope::Account, Reach::Account),
        };
        // An audit looks at what AWS shows now: there is nothing to wait for.
        collect(&self.connection.aws, &readers_for(reach), &scope, &Journal::in_memory()).await
    }
}

/// Where each report goes. `--json` is a report in JSON on standard output.
fn reports(
    common: &Common,
    args: &AuditArgs,
) -> Result<Vec<(Format, Option<std::path::PathBuf>)>, Failure> {
    let mut reports = args.reports.0.clone();
    let printed = reports.iter().find(|(_, output)| output.is_none()).map(|(format, _)| *format);
    match (common.json, printed) {
        (true, Some(format)) if format != Format::Json => {
            return Err(Failure::usage(
                format!("--json and --format {} both go to standard output", format.name()),
                "give the format an --output",
            ));
        }
        (true, None) => reports.push((Format::Json, None)),
        (false, None) if reports.is_empty() => reports.push((Format::Text, None)),
        _ => {}
    }
    Ok(reports)
}

fn judge(config: &Config, inventory: &Inventory, scope: ScopeName) -> Result<Audit, Failure> {
    // A snapshot carries its time, so that auditing it again says the same.
    let now = inventory.taken_at;
    let configured = StackName::new(&config.project, &config.environment);
    match (scope, &inventory.stack) {
        (ScopeName::Account, None) => Ok(evaluate(inventory, &config.audit, None, now)),
        (ScopeName::Account, Some(stack)) => Err(Failure::usage(
            format!("the snapshot holds the stack {stack} only"),
            "take one with `inventory --scope account`, or audit it with --scope stack",
        )),
        (ScopeName::Stack, Some(stack)) if *stack != configured => Err(Failure::usage(
            format!("the snapshot is of the stack {stack}, the configuration of {configured}"),
            "pass the --config and --env that it was taken with",
        )),
        (ScopeName::Stack, _) => {
            let subjects = inventory.answerable(&kinds(), &compliance::readers(), &configured);
            Ok(evaluate(inventory, &config.audit, Some(&subjects), now))
        }
    }
}

/// Findings win over what could not be read.
fn exit_code(audit: &Audit, fail_on: Severity) -> u8 {
    let fails = audit
        .findings
        .iter()
        .any(|finding| finding.status == Status::Fail && finding.severity >= fail_on);
    match (fails, audit.summary.unknown) {
        (true, _) => 1,
        (false, 0) => 0,
        (false, _) => 3,
    }
}

fn read_snapshot(path: &Path) -> Result<Inventory, Failure> {
    let unreadable =
        |why: String| Failure::File { verb: "read", path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|why| unreadable(why.to_string()))?;
    let inventory: Inventory = serde_json::from_str(&text)
        .map_err(|why| unreadable(format!("it is not a snapshot of `inventory`: {why}")))?;
    if inventory.schema_version != SCHEMA_VERSION {
        let version = inventory.schema_version;
        return Err(unreadable(format!(
            "its schema version is {version}, this program reads {SCHEMA_VERSION}"
        )));
    }
    Ok(inventory)
}
