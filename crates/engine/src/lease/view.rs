//! What the log says: who holds the stack, or what number comes next. A pure function of the entries and the
//! time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::holder::Holder;
use super::{ENDING, MARGIN, PERIOD, later};

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Its writer holds the stack.
    Held,
    /// Its writer held the stack and has let it go.
    Released,
    /// An operator says that the holder is dead.
    Unlocked,
    /// The stack is destroyed, and its writer is about to remove the log.
    Ended,
}

/// One entry, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) state: State,
    #[serde(flatten)]
    pub(super) holder: Holder,
    /// When the run took the lease.
    pub(super) since: Timestamp,
    /// When it ends if nothing follows: for people who read it. It is computed from AWS's date of the entry.
    pub(super) expires: Timestamp,
}

/// One entry, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// AWS's date.
    pub(super) modified: Timestamp,
    /// `None` for what another version of this program wrote: it holds for its period.
    pub(super) entry: Option<Entry>,
}

impl Record {
    pub(super) fn is_of(&self, run: &str) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.holder.run == run)
    }

    fn state(&self) -> State {
        self.entry.as_ref().map_or(State::Held, |entry| entry.state)
    }

    fn holds_until(&self) -> Timestamp {
        later(self.modified, PERIOD + MARGIN)
    }
}

/// The entries, by number, as far as AWS shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View(BTreeMap<u64, Record>);

/// What else a decision needs to know.
pub(super) struct Eyes<'a> {
    /// How long AWS may take to show what was made.
    pub(super) window: Duration,
    /// The run that wrote the local journal.
    pub(super) journal_of: Option<&'a str>,
    /// Whether a holder is certainly dead, and since when that is known.
    pub(super) died: &'a dyn Fn(&Holder) -> Option<Timestamp>,
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody holds the stack. `settled` is when AWS shows all that was made, where that is not known to be over.
    Free { settled: Option<Timestamp> },
    /// Somebody holds the stack.
    Held { head: Box<Record>, until: Timestamp },
    /// A destroyed stack's log is being removed.
    Ending { until: Timestamp },
}

impl View {
    pub(super) fn insert(&mut self, number: u64, record: Record) {
        self.0.insert(number, record);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Record> {
        self.0.get(&number)
    }

    pub(super) fn last(&self) -> Option<(u64, &Record)> {
        self.0.last_key_value().map(|(number, record)| (*number, record))
    }

    pub(super) fn dates(&self) -> Vec<(u64, Timestamp)> {
        self.0.iter().map(|(number, record)| (*number, record.modified)).collect()
    }

    /// The entries that nothing follows. There is one, unless somebody wrote to a log that had been removed, and
    /// died before it noticed.
    pub(super) fn heads(&self) -> Vec<(u64, &Record)> {
        let followed = |number: &u64| self.0.contains_key(&(number + 1));
        let heads = self.0.iter().filter(|(number, _)| !followed(number));
        heads.map(|(number, record)| (*number, record)).collect()
    }

    /// Whether another entry than the one with this number may be the lease.
    pub(super) fn contests(&self, number: u64, now: Timestamp) -> bool {
        self.heads().into_iter().any(|(head, record)| {
            head > number
                || (head + 1 < number
                    && record.state() == State::Held
                    && record.holds_until() > now)
        })
    }

    pub(super) fn decide(&self, now: Timestamp, eyes: &Eyes<'_>) -> Verdict {
        let mut settled: Option<Timestamp> = None;
        for (number, head) in self.heads().into_iter().rev() {
            let holder = head.entry.as_ref().map(|entry| &entry.holder);
            // When the last call of the run can have been made.
            let quiet = match head.state() {
                State::Released => head.modified,
                // Should the holder live, it goes on until it notices, or until its own entry would have ended.
                State::Unlocked => {
                    let held = number.checked_sub(1).and_then(|before| self.get(before));
                    held.map_or(head.modified, |held| held.holds_until().max(head.modified))
                }
                State::Ended => {
                    // It waits for one window before it removes the log, and that shows within another.
                    let until = later(head.modified, ENDING + MARGIN + eyes.window * 2);
                    if until > now {
                        return Verdict::Ending { until };
                    }
                    head.modified
                }
                State::Held => match holder.and_then(|holder| (eyes.died)(holder)) {
                    Some(died) => died.min(head.holds_until()),
                    None if head.holds_until() > now => {
                        let until = head.holds_until();
                        return Verdict::Held { head: Box::new(head.clone()), until };
                    }
                    None => head.holds_until(),
                },
            };
            // What our own journal tells need not be waited for; an unlocked holder may have lived on.
            let told = head.state() != State::Unlocked
                && holder.is_some_and(|holder| eyes.journal_of == Some(holder.run.as_str()));
            if !told && !eyes.window.is_zero() {
                settled = settled.max(Some(later(quiet, eyes.window)));
            }
        }
        Verdict::Free { settled }
    }
}
