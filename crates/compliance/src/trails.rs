//! Which trails count.

use std::collections::BTreeSet;

use engine::Inspected;
use security::Trail;
use security::trail::EventSelector;

use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// Judges the trails that the audited resources rest on: their own, or, where a stack has none, every
/// trail that records the whole account.
pub(crate) fn each(
    facts: &Facts<'_>,
    judge: impl Fn(&Seen<'_, Trail>) -> Result<Verdict, Unread>,
) -> Vec<Judgement> {
    let (known, unread) = facts.listed::<Trail>();
    let own = |id: &str| facts.is_subject(Trail::KIND, id);
    let has_own = known.iter().any(|live| own(&live.id));
    known
        .iter()
        .filter(|live| own(&live.id) || (!has_own && live.spec.multi_region))
        .map(|live| {
            let seen = Seen::of(live);
            facts.about(&seen, judge(&seen))
        })
        .chain(unread.map(|unread| facts.whole(Trail::KIND, Err(unread))))
        .collect()
}

/// Whether all calls that manage resources are recorded, those that read and those that write.
pub(crate) fn records_management(selectors: &BTreeSet<EventSelector>) -> bool {
    let recorded = |what: &str| {
        selectors.iter().any(|selector| {
            selector.management_events
                && selector.excluded_sources.is_empty()
                && (selector.read_write == "All" || selector.read_write == what)
        })
    };
    recorded("ReadOnly") && recorded("WriteOnly")
}
