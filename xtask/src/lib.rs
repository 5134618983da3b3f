//! The command line: wires the layers into the full stack.
//!
//! A library beside its program, so that tests and benchmarks can take the full stack without a process.

#[cfg(test)]
mod audit_property_test;
#[cfg(test)]
mod audit_test;
mod cli;
mod commands;
pub mod config;
mod failure;
#[cfg(test)]
mod one_of_each;
pub mod outputs;
pub mod policy;
#[cfg(test)]
mod policy_test;
mod render;
pub mod stack;
mod target;

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, Common};
use failure::Failure;

/// The program: reads the command line, does what it says, and answers with the exit code.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli.common);
    match run(&cli).await {
        Ok(code) => code,
        Err(failure) => {
            let code = failure.exit_code();
            eprintln!("{:?}", miette::Report::new(failure));
            code
        }
    }
}

async fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    let common = &cli.common;
    match &cli.command {
        Command::Deploy(args) => commands::deploy::run(common, args).await,
        Command::Plan(args) => commands::plan::run(common, args).await,
        Command::Destroy(args) => commands::destroy::run(common, args).await,
        Command::Unlock(args) => commands::unlock::run(common, args).await,
        Command::Outputs => commands::outputs::run(common).await,
        Command::Audit(args) => commands::audit::run(common, args).await,
        Command::Explain(args) => commands::controls::explain(common, args),
        Command::Controls => commands::controls::list(common),
        Command::Inventory(args) => commands::inventory::run(common, args).await,
        Command::Policy(args) => commands::policy::run(common, args),
        Command::Serve(args) => commands::serve::run(common, args).await,
    }
}

/// Logs go to standard error. Only our own crates speak: the SDK's debug output holds request bodies,
/// and with them passwords.
fn start_log(common: &Common) {
    let level = match common.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let ours = [
        "xtask",
        "engine",
        "network",
        "security",
        "data",
        "compute",
        "api",
        "account",
        "compliance",
        "local",
    ];
    let filter = ours.map(|name| format!("{name}={level}")).join(",");
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
}
