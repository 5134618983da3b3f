//! The command line: wires the layers into the full stack.

mod cli;
mod commands;
mod config;
mod failure;
mod outputs;
mod render;
mod stack;
mod target;

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, Common};
use failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
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
        Command::Outputs => commands::outputs::run(common).await,
        Command::Inventory(args) => commands::inventory::run(common, args).await,
        Command::Serve(args) => commands::serve::run(common, args).await,
    }
}

/// Logs go to standard error. Only our own crates speak: the SDK's debug output holds request bodies,
/// and with them passwords.
fn start_log(common: &Common) {
    let level = match common.verbose {
        0 | 1 => "warn",
        2 => "debug",
        _ => "trace",
    };
    let ours = ["xtask", "engine", "network", "security", "data", "compute", "api", "local"];
    let filter = ours.map(|name| format!("{name}={level}")).join(",");
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
}
