//! `outputs`: what is deployed, for people and programs.

use std::process::ExitCode;

use super::{Session, print_json};
use crate::cli::Common;
use crate::failure::Failure;

/// Runs the command.
pub async fn run(common: &Common) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let stack = session.stack().await?;
    let inventory = session.collect().await;
    let live = stack.live(&inventory);
    let outputs = stack.outputs(&session.connection.aws, &live).map_err(|missing| {
        Failure::usage(
            format!("{} is not deployed as a whole: {missing}", session.name),
            "run `cargo xtask deploy` first (with the same --env, --region and target)",
        )
    })?;
    if common.json {
        print_json(&outputs)?;
    } else {
        print!("{}", outputs.to_text());
    }
    Ok(ExitCode::SUCCESS)
}
