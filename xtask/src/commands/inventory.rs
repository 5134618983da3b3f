//! `inventory`: a snapshot of what runs, for `audit --from` and for keeping.

use std::process::ExitCode;

use engine::ApiError;

use super::{Session, print_json};
use crate::cli::{Common, InventoryArgs};
use crate::failure::Failure;

/// Runs the command. What could not be read is in the snapshot, and makes the exit code 3.
pub async fn run(common: &Common, args: &InventoryArgs) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let inventory = session.inspect(args.scope).await;
    let text =
        serde_json::to_string_pretty(&inventory).map_err(|why| Failure::Bug(why.to_string()))?;
    std::fs::write(&args.output, text + "\n").map_err(|why| Failure::File {
        verb: "write",
        path: args.output.display().to_string(),
        why: why.to_string(),
    })?;
    let resources: usize = inventory.resources.values().map(Vec::len).sum();
    // What an imitation of AWS does not have at all is no news to whoever runs it.
    let real = session.connection.aws.is_real();
    let counts = |error: &&ApiError| real || !error.is_not_implemented();
    let errors: Vec<&ApiError> = inventory.errors.values().flatten().filter(counts).collect();
    if common.json {
        print_json(&serde_json::json!({"resources": resources, "errors": inventory.errors}))?;
    } else {
        println!("{resources} resources written to {}", args.output.display());
    }
    if errors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Unread(errors.into_iter().cloned().collect()))
}
