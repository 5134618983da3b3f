//! `deploy`: brings the stack up, or to what the configuration says.

use std::path::Path;
use std::process::ExitCode;

use engine::Inventory;
use engine::kind::Deletion;
use engine::plan::{self, Plan};
use serde_json::json;

use super::{Session, Work, paint_stdout, print_json, refuse_broken, refuse_problems};
use crate::cli::{Common, Deploy};
use crate::failure::Failure;
use crate::render;

/// Runs the command.
pub async fn run(common: &Common, args: &Deploy) -> Result<ExitCode, Failure> {
    let mut session = Session::start(common).await?;
    let saved = args.plan_file.as_deref().map(read_plan).transpose()?;
    let stack = session.stack().await?;
    stack.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    // A simulation changes nothing, and queues for nothing.
    let queue = match args.timing.simulate {
        true => None,
        false => Some(session.turn("deploy", args.lock_timeout).await?),
    };
    let inventory = session.collect().await;
    let options = session.options(args.allow_data_loss);
    let plan_of = |now: &Inventory| plan::plan(&stack.graph, now, &crate::stack::kinds(), options);
    let plan = plan_of(&inventory);

    let broken = session.would_break(&plan, &stack.graph, &inventory);

    let paint = paint_stdout();
    if !common.json {
        println!("{}\n", session.heading());
        print!("{}", render::plan::plan(&plan, &paint, common.verbose > 0));
        print!("{}", render::findings::findings(&broken, &paint));
    } else if !broken.is_empty() || !plan.problems.is_empty() {
        print_json(&json!({"plan": plan, "findings": broken, "run": null, "outputs": null}))?;
    }
    refuse_problems(&plan)?;
    refuse_broken(&broken)?;
    if let Some(saved) = saved {
        let differences = plan.differences(&saved);
        if !differences.is_empty() {
            return Err(Failure::Stale(differences));
        }
    }
    let picture = args.timing.timeline.as_deref();
    let Some(queue) = queue else {
        session.simulate("deploy", &plan, &stack.graph, &inventory, picture)?;
        return Ok(ExitCode::SUCCESS);
    };
    if !plan.actions.is_empty() {
        session.confirm("Carry this plan out", args.yes)?;
    }

    let deletion = Deletion { allow_data_loss: args.allow_data_loss };
    let (lease, inventory) = session.take(queue, &plan, inventory, plan_of).await?;
    let picture = picture.map(|path| ("deploy", path));
    let (stack_of, plan_again) = (&stack.graph, &plan_of);
    let work =
        Work { plan: &plan, stack: stack_of, inventory: &inventory, deletion, picture, plan_again };
    let ended = session.execute(lease, work).await?;
    let outcome = &ended.outcome;
    let outputs = match ended.is_good() {
        true => Some(stack.outputs(&session.connection.aws, &outcome.live)?),
        false => None,
    };
    if common.json {
        print_json(&json!({"plan": plan, "findings": broken, "run": outcome, "outputs": outputs}))?;
    } else {
        if !plan.actions.is_empty() || outputs.is_none() {
            print!("\n{}", render::outcome::outcome(outcome, &paint));
        }
        if let Some(outputs) = outputs {
            print!("\n{}", outputs.to_text());
        }
    }
    ended.require_good()?;
    Ok(ExitCode::SUCCESS)
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let unreadable =
        |why: String| Failure::File { verb: "read", path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|why| unreadable(why.to_string()))?;
    let plan: Plan = serde_json::from_str(&text)
        .map_err(|why| unreadable(format!("it is not a saved plan: {why}")))?;
    if plan.schema_version != plan::SCHEMA_VERSION {
        let version = plan.schema_version;
        return Err(unreadable(format!(
            "its schema version is {version}, this program writes {}",
            plan::SCHEMA_VERSION
        )));
    }
    Ok(plan)
}
