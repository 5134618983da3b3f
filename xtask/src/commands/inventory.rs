//! `inventory`: a snapshot of what runs, for `audit --from` and for keeping.

use std::collections::BTreeMap;
use std::process::ExitCode;

use engine::inventory::collect;
use engine::{Journal, Scope, Stack, plan};

use super::{Session, print_json};
use crate::cli::{Common, InventoryArgs, ScopeName};
use crate::failure::{Failure, Problems};

/// Runs the command. What could not be read is in the snapshot, and makes the exit code 3.
pub async fn run(common: &Common, args: &InventoryArgs) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let scope = match args.scope {
        ScopeName::Stack => Scope::Stack(session.name.clone()),
        ScopeName::Account => Scope::Account,
    };
    let journal = Journal::in_memory();
    let inventory =
        collect(&session.connection.aws, &crate::stack::kinds(), &scope, &journal).await;
    let text =
        serde_json::to_string_pretty(&inventory).map_err(|why| Failure::Bug(why.to_string()))?;
    std::fs::write(&args.output, text + "\n").map_err(|why| Failure::File {
        verb: "write",
        path: args.output.display().to_string(),
        why: why.to_string(),
    })?;
    let resources: usize = inventory.resources.values().map(Vec::len).sum();
    if common.json {
        print_json(&serde_json::json!({"resources": resources, "errors": inventory.errors}))?;
    } else {
        println!("{resources} resources written to {}", args.output.display());
    }
    let nothing = Stack::new(session.name.clone(), BTreeMap::new());
    let problems =
        plan::unreadable(&nothing, &inventory, &crate::stack::kinds(), session.options(false));
    if problems.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::Refused(Problems(problems)))
    }
}
