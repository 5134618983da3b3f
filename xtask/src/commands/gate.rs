//! The controls at plan time: a stack that would break a FERPA invariant is refused before any call.

use compliance::{Finding, Settings, Status, Waiver, evaluate};
use engine::plan::{self, Plan};
use engine::{Inventory, Stack};

use crate::stack::kinds;

/// What would not hold once the plan is carried out. Only what the stack itself would have is judged: a
/// stranger's mistake beside it is for the audit to find, and nothing that a deploy could mend. What cannot
/// be told before it exists is not held against the plan.
pub fn would_break(
    plan: &Plan,
    stack: &Stack,
    inventory: &Inventory,
    settings: &Settings,
) -> Vec<Finding> {
    let mut then = plan::foresee(stack, inventory, &kinds(), plan);
    // A plan does not look at what only audits inspect, and makes nothing of it.
    for reader in compliance::readers() {
        then.resources.entry(reader.kind.into()).or_default();
    }
    let own = then.answerable(&kinds(), &[], stack.name());
    let audit = evaluate(&then, settings, Some(&own), inventory.taken_at);
    // A waiver that is over and not needed breaks nothing: it is for the audit to find.
    let broken =
        |finding: &Finding| finding.status == Status::Fail && finding.resource.kind != Waiver::KIND;
    audit.findings.into_iter().filter(broken).collect()
}
