//! Which trails count.

use engine::Inspected;
use security::Trail;

use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// Judges the trails that the audited resources rest on: their own, or, where a stack has none, every
/// trail that records the whole account.
pub(crate) fn each(
    facts: &Facts<'_>,
    judge: impl Fn(&Seen<'_, Trail>) -> Result<Verdict, Unread>,
) -> Vec<Judgement> {
    let all = match facts.all::<Trail>() {
        Ok(all) => all,
        Err(unread) => return vec![facts.whole(Trail::KIND, Err(unread))],
    };
    let own = |id: &str| facts.is_subject(Trail::KIND, id);
    let has_own = all.iter().any(|live| own(&live.id));
    all.iter()
        .filter(|live| own(&live.id) || (!has_own && live.spec.multi_region))
        .map(|live| {
            let seen = Seen::of(live);
            facts.about(&seen, judge(&seen))
        })
        .collect()
}
