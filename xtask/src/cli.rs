//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Provisions and audits a FERPA-compliant student-records platform on AWS.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
pub struct Cli {
    /// What all commands take.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands take.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration; without the flag, `ferpa.toml` where there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The environment, a part of every name [default: dev, or what the configuration says]
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// The AWS region [default: what the configuration says, else us-east-1; on AWS, the profile's]
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// Where to go [default: endpoint where a URL is given, else embedded]
    #[arg(long, global = true, value_enum)]
    pub target: Option<TargetName>,
    /// The address of a server that speaks the AWS APIs (moto, LocalStack)
    #[arg(long, global = true, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    pub endpoint_url: Option<String>,
    /// Where the embedded account and the journal are kept
    #[arg(long, global = true, value_name = "DIR", default_value = ".ferpa")]
    pub state_dir: PathBuf,
    /// Print one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more: attributes in plans (-v), what the engine does (-vv), every call (-vvv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Where calls go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// A control plane inside this process
    Embedded,
    /// A server that speaks the AWS APIs
    Endpoint,
    /// AWS itself
    Aws,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the stack up, or to what the configuration says
    Deploy(Deploy),
    /// Show what deploy would do
    Plan(PlanArgs),
    /// Remove everything that the stack owns, and nothing else
    Destroy(Destroy),
    /// Print the outputs of what is deployed
    Outputs,
    /// Write a snapshot of what runs
    Inventory(InventoryArgs),
    /// Serve the embedded account over HTTP on 127.0.0.1
    Serve(Serve),
}

/// Options of `deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Do not ask before changing a real account
    #[arg(long)]
    pub yes: bool,
    /// Carry out exactly this saved plan, or refuse and say what has changed since
    #[arg(long, value_name = "FILE")]
    pub plan_file: Option<PathBuf>,
    /// Allow resources that hold data to be replaced or deleted
    #[arg(long)]
    pub allow_data_loss: bool,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Save the plan, for `deploy --plan-file`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Plan as `deploy --allow-data-loss` would
    #[arg(long)]
    pub allow_data_loss: bool,
}

/// Options of `destroy`.
#[derive(Debug, Args)]
pub struct Destroy {
    /// Do not ask before changing a real account
    #[arg(long)]
    pub yes: bool,
    /// Remove what holds data, too: final snapshots are still taken where AWS has them, but locked buckets
    /// are emptied as far as their lock allows, and recovery points are deleted
    #[arg(long)]
    pub allow_data_loss: bool,
}

/// Options of `inventory`.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// Where to write the snapshot
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// What to read
    #[arg(long, value_enum, default_value = "stack")]
    pub scope: ScopeName,
}

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeName {
    /// The stack, and what is attached to it
    Stack,
    /// Everything in the account and region
    Account,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 4566)]
    pub port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
