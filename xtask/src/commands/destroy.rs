//! `destroy`: removes what the stack owns, and nothing else.

use std::collections::BTreeMap;
use std::process::ExitCode;

use engine::kind::Deletion;
use engine::plan;
use engine::{Inventory, Stack};
use serde_json::json;

use super::{Session, Work, paint_stdout, print_json, refuse_problems};
use crate::cli::{Common, Destroy};
use crate::failure::Failure;
use crate::render;

/// Runs the command.
pub async fn run(common: &Common, args: &Destroy) -> Result<ExitCode, Failure> {
    let mut session = Session::start(common).await?;
    // A simulation changes nothing, and queues for nothing.
    let queue = match args.timing.simulate {
        true => None,
        false => Some(session.turn("destroy", args.lock_timeout).await?),
    };
    let inventory = session.collect().await;
    let options = session.options(args.allow_data_loss);
    let name = session.name.clone();
    let plan_of = |now: &Inventory| plan::destroy(&name, now, &crate::stack::kinds(), options);
    let plan = plan_of(&inventory);

    let paint = paint_stdout();
    if !common.json {
        println!("{}\n", session.heading());
        print!("{}", render::plan::plan(&plan, &paint, false));
        if !plan.kept.is_empty() {
            println!("--allow-data-loss removes what stays, too.");
        }
    }
    refuse_problems(&plan)?;
    let nothing = Stack::new(session.name.clone(), BTreeMap::new());
    let picture = args.timing.timeline.as_deref();
    let Some(queue) = queue else {
        session.simulate("destroy", &plan, &nothing, &inventory, picture)?;
        return Ok(ExitCode::SUCCESS);
    };
    if !plan.actions.is_empty() {
        session.confirm("Remove this", args.yes)?;
    }

    let deletion = Deletion { allow_data_loss: args.allow_data_loss };
    let (lease, inventory) = session.take(queue, &plan, inventory, plan_of).await?;
    let picture = picture.map(|path| ("destroy", path));
    let plan_again = &plan_of;
    let work =
        Work { plan: &plan, stack: &nothing, inventory: &inventory, deletion, picture, plan_again };
    let ended = session.execute(lease, work).await?;
    if common.json {
        print_json(&json!({"plan": plan, "run": ended.outcome}))?;
    } else if !plan.actions.is_empty() {
        print!("\n{}", render::outcome::outcome(&ended.outcome, &paint));
    }
    ended.require_good()?;
    Ok(ExitCode::SUCCESS)
}
