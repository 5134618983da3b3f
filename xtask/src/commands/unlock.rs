//! `unlock`: takes the stack away from a run that is dead.

use std::process::ExitCode;

use serde_json::json;

use super::{Session, print_json};
use crate::cli::{Common, Unlock};
use crate::failure::Failure;

/// Runs the command.
pub async fn run(common: &Common, args: &Unlock) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let leases = session.connection.leases(&session.name, "unlock");
    let held = leases.held().await?;
    if let Some(held) = &held {
        if !common.json {
            println!("{held}.");
            println!("If that run lives, it finds out within a minute, and stops.");
        }
        session.confirm("Take the stack away from it", args.yes)?;
    }
    // Whoever may have taken it in between is not whom the operator was asked about.
    let unlocked = match &held {
        Some(held) => leases.unlock(held).await?,
        None => false,
    };
    if common.json {
        print_json(&json!({"held": held, "unlocked": unlocked}))?;
    } else {
        println!(
            "{}",
            match (&held, unlocked) {
                (None, _) => format!("Nobody holds {}.", session.name),
                (Some(_), true) => format!("{} is unlocked.", session.name),
                (Some(_), false) => "It was let go meanwhile.".to_owned(),
            }
        );
    }
    Ok(ExitCode::SUCCESS)
}
