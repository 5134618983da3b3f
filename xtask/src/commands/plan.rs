//! `plan`: what deploy would do.

use std::process::ExitCode;

use engine::plan;

use super::{Session, paint_stdout, print_json, refuse_problems};
use crate::cli::{Common, PlanArgs};
use crate::failure::Failure;
use crate::render;

/// Runs the command.
pub async fn run(common: &Common, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let stack = session.stack().await?;
    let inventory = session.collect().await;
    let options = session.options(args.allow_data_loss);
    let plan = plan::plan(&stack.graph, &inventory, &crate::stack::kinds(), options);
    if common.json {
        print_json(&plan)?;
    } else {
        println!("{}\n", session.heading());
        print!("{}", render::plan::plan(&plan, &paint_stdout(), common.verbose > 0));
    }
    refuse_problems(&plan)?;
    if let Some(path) = &args.out {
        let text =
            serde_json::to_string_pretty(&plan).map_err(|why| Failure::Bug(why.to_string()))?;
        std::fs::write(path, text).map_err(|why| Failure::File {
            verb: "write",
            path: path.display().to_string(),
            why: why.to_string(),
        })?;
    }
    let changes = args.detailed_exitcode && !plan.actions.is_empty();
    Ok(ExitCode::from(if changes { 2 } else { 0 }))
}
