//! `destroy`: removes what the stack owns, and nothing else.

use std::collections::BTreeMap;
use std::process::ExitCode;

use engine::Stack;
use engine::kind::Deletion;
use engine::plan;
use serde_json::json;

use super::{Session, paint_stdout, print_json, refuse_problems, require_complete};
use crate::cli::{Common, Destroy};
use crate::failure::Failure;
use crate::render;

/// Runs the command.
pub async fn run(common: &Common, args: &Destroy) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let inventory = session.collect().await;
    let options = session.options(args.allow_data_loss);
    let plan = plan::destroy(&session.name, &inventory, &crate::stack::kinds(), options);

    let paint = paint_stdout();
    if !common.json {
        println!("{}\n", session.heading());
        print!("{}", render::plan::plan(&plan, &paint, false));
        if !plan.kept.is_empty() {
            println!("--allow-data-loss removes what stays, too.");
        }
    }
    refuse_problems(&plan)?;
    if !plan.actions.is_empty() {
        session.confirm("Remove this", args.yes)?;
    }

    let nothing = Stack::new(session.name.clone(), BTreeMap::new());
    let deletion = Deletion { allow_data_loss: args.allow_data_loss };
    let outcome = session.execute(&plan, &nothing, &inventory, deletion).await?;
    if common.json {
        print_json(&json!({"plan": plan, "run": outcome}))?;
    } else if !plan.actions.is_empty() {
        print!("\n{}", render::outcome::outcome(&outcome, &paint));
    }
    require_complete(&outcome)?;
    Ok(ExitCode::SUCCESS)
}
