//! Which account a command works on.

use std::path::PathBuf;

use engine::journal::note_beside;
use engine::{Aws, Journal, Leases, StackName, Target};
use local::ControlPlane;

use crate::cli::{Common, TargetName};
use crate::failure::Failure;

/// A connection, and how to speak of it.
#[derive(Debug)]
pub struct Connection {
    /// The account.
    pub aws: Aws,
    /// `embedded`, `aws`, or the endpoint's URL.
    pub label: String,
    state_dir: PathBuf,
    journal_folder: String,
}

/// The target that the command line asks for. Credentials in the environment never make it AWS.
pub fn choose(common: &Common) -> Result<TargetName, Failure> {
    match (common.target, &common.endpoint_url) {
        (Some(TargetName::Aws), Some(url)) => Err(Failure::usage(
            format!("--target aws and the endpoint {url} exclude each other"),
            "unset AWS_ENDPOINT_URL or leave --endpoint-url out",
        )),
        (Some(TargetName::Endpoint), None) => Err(Failure::usage(
            "--target endpoint needs an address",
            "pass --endpoint-url http://127.0.0.1:5000 or set AWS_ENDPOINT_URL",
        )),
        (Some(target), _) => Ok(target),
        (None, Some(_)) => Ok(TargetName::Endpoint),
        (None, None) => Ok(TargetName::Embedded),
    }
}

/// Connects. `configured_region` is what the configuration says.
pub async fn connect(
    common: &Common,
    configured_region: Option<&str>,
) -> Result<Connection, Failure> {
    let chosen = choose(common)?;
    let region = common.region.as_deref().or(configured_region);
    let (target, region, label, folder) = match chosen {
        TargetName::Embedded => {
            let plane = open_embedded(common)?;
            (
                Target::Embedded(plane.http_client()),
                Some(region.unwrap_or("us-east-1")),
                "embedded".to_owned(),
                "embedded".to_owned(),
            )
        }
        TargetName::Endpoint => {
            let url = common.endpoint_url.clone().unwrap_or_default();
            let folder: String =
                url.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            (Target::Endpoint(url.clone()), Some(region.unwrap_or("us-east-1")), url, folder)
        }
        TargetName::Aws => (Target::Aws, region, "aws".to_owned(), "aws".to_owned()),
    };
    let aws = Aws::connect(target, region).await?;
    Ok(Connection { aws, label, state_dir: common.state_dir.clone(), journal_folder: folder })
}

/// The embedded account, kept in the state directory.
pub fn open_embedded(common: &Common) -> Result<ControlPlane, Failure> {
    let folder = common.state_dir.join("embedded");
    ControlPlane::open(&folder).map_err(|why| Failure::File {
        verb: "open",
        path: folder.display().to_string(),
        why: why.to_string(),
    })
}

impl Connection {
    /// The intent journal of a stack in this account and region.
    pub fn journal(&self, stack: &StackName) -> Result<Journal, Failure> {
        let path = self.journal_path(stack);
        Journal::open(&path).map_err(|why| Failure::File {
            verb: "open",
            path: path.display().to_string(),
            why: why.to_string(),
        })
    }

    /// The lease of a stack, for a run of this command. Which run wrote the journal last is noted beside it.
    pub fn leases(&self, stack: &StackName, command: &str) -> Leases {
        let note = note_beside(&self.journal_path(stack));
        Leases::of(&self.aws, stack, command, Some(note))
    }

    fn journal_path(&self, stack: &StackName) -> PathBuf {
        let (account, region) = (self.aws.account_id(), self.aws.region());
        let folder = self.state_dir.join("journal").join(&self.journal_folder);
        folder.join(format!("{account}-{region}-{stack}.jsonl"))
    }
}
