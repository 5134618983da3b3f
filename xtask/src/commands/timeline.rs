//! What will happen on AWS and when, without any of it happening: `deploy --simulate`, `destroy --simulate`; and the
//! picture of that, or of what did happen, for `--timeline FILE`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use engine::aws::CONSISTENCY_WINDOW;
use engine::error::humane;
use engine::plan::Plan;
use engine::steps::Steps;
use engine::timeline::{Expectation, Latency, Timeline};
use engine::{Inventory, LogicalId, Stack};
use local::latency;
use serde_json::json;

use super::{Session, paint_stdout, print_json};
use crate::failure::Failure;
use crate::render;
use crate::stack;

/// The timeline that these steps towards a graph are expected to have on AWS, on a usual day.
pub fn expected(steps: &Steps, graph: &Stack) -> Timeline {
    // A gateway endpoint is no more than a route: it is there, and gone, at once.
    let wanted = graph.nodes().map(|node| (&node.id, &node.spec));
    let going =
        steps.all.iter().filter_map(|step| Some((&step.resource, &step.live.as_ref()?.spec)));
    let gateways: BTreeSet<&LogicalId> = wanted
        .chain(going)
        .filter(|(_, spec)| spec.get("endpoint_type").is_some_and(|kind| kind == "gateway"))
        .map(|(id, _)| id)
        .collect();
    let of = |kind: &str, id: &LogicalId| {
        if gateways.contains(id) {
            return Latency::default();
        }
        let latency::Latency { ready, change, gone, .. } = latency::of(kind);
        Latency { ready, change, gone }
    };
    let expectation = Expectation { call: latency::CALL, of: &of };
    Timeline::expected(steps, &expectation)
}

/// For how long a run on AWS keeps the lease once its steps are done: where nothing of the stack is left, until AWS shows
/// that everywhere.
fn last_look(plan: &Plan, stack: &Stack) -> Duration {
    let nothing_left = stack.nodes().next().is_none() && plan.kept.is_empty();
    match nothing_left && !plan.actions.is_empty() {
        true => CONSISTENCY_WINDOW,
        false => Duration::ZERO,
    }
}

impl Session {
    /// Shows what a plan is expected to do on AWS, and when. Nothing is called.
    pub fn simulate(
        &self,
        verb: &str,
        plan: &Plan,
        stack: &Stack,
        inventory: &Inventory,
        picture: Option<&Path>,
    ) -> Result<(), Failure> {
        let steps = Steps::of(plan, stack, inventory, &stack::kinds())
            .map_err(|circle| Failure::Bug(circle.to_string()))?;
        let timeline = expected(&steps, stack);
        if let Some(path) = picture {
            self.draw(&timeline, &format!("{verb}, expected on AWS"), path)?;
        }
        let last = last_look(plan, stack);
        if self.json {
            let seconds = (timeline.duration + last).as_secs_f64();
            return print_json(&json!({"plan": plan, "timeline": timeline, "seconds": seconds}));
        }
        print!("\n{}", render::timeline::timeline(&timeline, "Expected on AWS", &paint_stdout()));
        if !last.is_zero() {
            println!(
                "\nThen {} in which AWS may still show what is gone: {} in all.",
                humane(last),
                render::timeline::rounded(timeline.duration + last)
            );
        }
        Ok(())
    }

    /// Writes a timeline as a picture.
    pub fn draw(&self, timeline: &Timeline, what: &str, path: &Path) -> Result<(), Failure> {
        let title = format!("{}: {what}", self.name);
        std::fs::write(path, render::timeline_svg::svg(timeline, &title)).map_err(|why| {
            Failure::File { verb: "write", path: path.display().to_string(), why: why.to_string() }
        })
    }
}
