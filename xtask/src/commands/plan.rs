//! `plan`: what deploy would do.

use std::process::ExitCode;

use compliance::Finding;
use engine::plan::{self, Plan};
use serde::Serialize;

use super::{Session, paint_stdout, print_json, refuse_broken, refuse_problems};
use crate::cli::{Common, PlanArgs};
use crate::failure::Failure;
use crate::render;

/// A plan, with what would not hold once it is carried out.
#[derive(Serialize)]
struct Planned<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    findings: &'a [Finding],
}

/// Runs the command.
pub async fn run(common: &Common, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let stack = session.stack().await?;
    stack.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let inventory = session.collect().await;
    let options = session.options(args.allow_data_loss);
    let plan = plan::plan(&stack.graph, &inventory, &crate::stack::kinds(), options);
    let broken = session.would_break(&plan, &stack.graph, &inventory);
    if common.json {
        print_json(&Planned { plan: &plan, findings: &broken })?;
    } else {
        let paint = paint_stdout();
        println!("{}\n", session.heading());
        print!("{}", render::plan::plan(&plan, &paint, common.verbose > 0));
        print!("{}", render::findings::findings(&broken, &paint));
    }
    refuse_problems(&plan)?;
    refuse_broken(&broken)?;
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
