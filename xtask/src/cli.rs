//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{
    Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum, value_parser,
};
use compliance::Severity;
use compliance::report::Format;
use jiff::SignedDuration;

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
    /// Say more: attributes in plans and what was read (-v), what the engine does (-vv), every call (-vvv)
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
    /// Say who deploys or destroys the stack, and take it away from a run that is dead
    Unlock(Unlock),
    /// Print the outputs of what is deployed
    Outputs,
    /// Say, with evidence, which FERPA invariants hold for what runs
    Audit(AuditArgs),
    /// Explain a control: what it demands, why, what it reads, how to put it right
    Explain(Explain),
    /// List the controls
    Controls,
    /// Write a snapshot of what runs, for `audit --from`
    Inventory(InventoryArgs),
    /// Print the IAM policy that a command needs, and nothing else
    Policy(PolicyArgs),
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
    /// When what happens.
    #[command(flatten)]
    pub timing: Timing,
    /// How long to wait for another run on the same stack to end: 30s, 10m [default: fail at once]
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration)]
    pub lock_timeout: Duration,
}

/// Options of `deploy` and `destroy` about when what happens.
#[derive(Debug, Args)]
pub struct Timing {
    /// Show what will happen on AWS and how long it takes, and change nothing
    #[arg(long)]
    pub simulate: bool,
    /// Draw what happens when, as an SVG picture: what did happen, or with --simulate what will
    #[arg(long, value_name = "FILE")]
    pub timeline: Option<PathBuf>,
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
    /// When what happens.
    #[command(flatten)]
    pub timing: Timing,
    /// How long to wait for another run on the same stack to end: 30s, 10m [default: fail at once]
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = duration)]
    pub lock_timeout: Duration,
}

/// Options of `unlock`.
#[derive(Debug, Args)]
pub struct Unlock {
    /// Do not ask before taking a real account's stack away from its holder
    #[arg(long)]
    pub yes: bool,
}

/// A length of time, as people write it: `90s`, `10m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|why: jiff::Error| why.to_string())?;
    Duration::try_from(duration).map_err(|_| "it is negative".to_owned())
}

/// Options of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to audit
    #[arg(long, value_enum, default_value = "stack")]
    pub scope: ScopeName,
    /// The reports, each with where it goes.
    #[command(flatten)]
    pub reports: Reports,
    /// Exit with 1 when something of this severity or above does not hold
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "low")]
    pub fail_on: FailOn,
    /// Audit this snapshot, written by `inventory`, and call nothing
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

/// From which severity on an audit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Hygiene and above: everything
    Low,
    /// What weakens a safeguard, and above
    Medium,
    /// A missing safeguard, or a breach that would go unseen, and above
    High,
    /// Only what could expose records now
    Critical,
}

impl From<FailOn> for Severity {
    fn from(from: FailOn) -> Self {
        match from {
            FailOn::Low => Self::Low,
            FailOn::Medium => Self::Medium,
            FailOn::High => Self::High,
            FailOn::Critical => Self::Critical,
        }
    }
}

/// Reports: `--format html --output a.html --format sarif --output a.sarif`. An output belongs to the
/// format before it; the format without one goes to standard output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reports(pub Vec<(Format, Option<PathBuf>)>);

impl Args for Reports {
    fn augment_args(command: clap::Command) -> clap::Command {
        let names = Format::ALL.iter().map(|format| format.name());
        command
            .arg(
                Arg::new("format")
                    .long("format")
                    .value_name("FORMAT")
                    .value_parser(PossibleValuesParser::new(names))
                    .action(ArgAction::Append)
                    .help("The report's format [default: text]; may be given several times"),
            )
            .arg(
                Arg::new("output")
                    .long("output")
                    .short('o')
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .action(ArgAction::Append)
                    .help("Where the report of the --format before it goes [default: standard output]"),
            )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Reports {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let places = |name: &str| matches.indices_of(name).into_iter().flatten();
        let formats = matches.get_many::<String>("format").into_iter().flatten();
        let outputs = matches.get_many::<PathBuf>("output").into_iter().flatten();
        let mut reports: Vec<(usize, Format, Option<PathBuf>)> = places("format")
            .zip(formats)
            .map(|(at, name)| (at, name.parse().expect("clap has checked the name"), None))
            .collect();
        for (at, path) in places("output").zip(outputs) {
            if reports.is_empty() {
                reports.push((0, Format::Text, Some(path.clone())));
                continue;
            }
            match reports.iter_mut().rfind(|(format_at, ..)| *format_at < at) {
                Some((_, _, output @ None)) => *output = Some(path.clone()),
                _ => {
                    let why = format!("--output {} has no --format before it", path.display());
                    return Err(clap::Error::raw(ErrorKind::ArgumentConflict, why + "\n"));
                }
            }
        }
        if reports.iter().filter(|(.., output)| output.is_none()).count() > 1 {
            let why =
                "two reports cannot both go to standard output: give each --format an --output\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, why));
        }
        Ok(Self(reports.into_iter().map(|(_, format, output)| (format, output)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The control: `FERPA-ENC-01`, or `enc-01`
    pub control: String,
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

/// Options of `policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// The account, for the policy to name; without it, it says `*`, which allows nothing elsewhere either
    #[arg(long, global = true, value_name = "ID", value_parser = account_id)]
    pub account: Option<String>,
    /// Write it to this folder instead, in as many files as managed policies need
    #[arg(long, global = true, value_name = "DIR")]
    pub split: Option<PathBuf>,
    /// For which command
    #[command(subcommand)]
    pub of: PolicyOf,
}

/// The commands that need a policy.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum PolicyOf {
    /// What `deploy` and `plan` need
    Deploy,
    /// What `destroy` needs
    Destroy,
    /// What `audit` and `inventory` need
    Audit {
        /// What is audited
        #[arg(long, value_enum, default_value = "stack")]
        scope: ScopeName,
    },
}

fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account's id is twelve digits".to_owned())
    }
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

    #[test]
    fn a_lock_timeout_is_written_as_people_write_it() {
        let waits = |text: &str| {
            let args = ["xtask", "deploy", "--lock-timeout", text];
            let Command::Deploy(args) = Cli::try_parse_from(args)?.command else { unreachable!() };
            Ok::<_, clap::Error>(args.lock_timeout.as_secs())
        };
        assert_eq!(waits("30s").unwrap(), 30);
        assert_eq!(waits("5m").unwrap(), 300);
        assert_eq!(waits("1h 30m").unwrap(), 5400);
        for wrong in ["5", "-5m", "soon"] {
            assert!(waits(wrong).is_err(), "{wrong}");
        }
    }

    fn reports(line: &str) -> Result<Reports, clap::Error> {
        let words = ["xtask", "audit"].into_iter().chain(line.split_whitespace());
        let Command::Audit(args) = Cli::try_parse_from(words)?.command else { unreachable!() };
        Ok(args.reports)
    }

    #[test]
    fn an_output_belongs_to_the_format_before_it() {
        let path = |name: &str| Some(PathBuf::from(name));
        let both = reports("--format html --output a.html --format sarif -o a.sarif").unwrap();
        assert_eq!(both.0, [(Format::Html, path("a.html")), (Format::Sarif, path("a.sarif"))]);
        let one = reports("--format json --format html --output a.html").unwrap();
        assert_eq!(one.0, [(Format::Json, None), (Format::Html, path("a.html"))]);
        assert_eq!(reports("--output a.txt").unwrap().0, [(Format::Text, path("a.txt"))]);
        assert!(reports("").unwrap().0.is_empty());
    }

    #[test]
    fn reports_do_not_share_a_place() {
        for line in ["--format json --format html", "--format json -o a -o b"] {
            assert!(reports(line).is_err(), "{line}");
        }
    }
}
