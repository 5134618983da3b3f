//! FERPA invariants as pure functions of an inventory, and reports of what they found.
//!
//! FERPA (34 CFR Part 99) prescribes no technology. It asks for reasonable methods to identify, to
//! authenticate and to keep records from those who may not see them, for a record of each disclosure, and
//! for destruction when the purpose is over. NIST SP 800-171 and the Department of Education's PTAC
//! data-security checklist are what "reasonable" is measured by. A control here is one invariant of what
//! runs in an account that serves one of those sections; that all controls hold does not make anybody
//! "FERPA certified".
//!
//! A control is a pure function ([`Control::judge`]) of [`Facts`]: the same on a live account, on a saved
//! snapshot, on mocked describe calls, and on the inventory that a plan would lead to. It is
//! three-valued: what could not be read is [`Status::Unknown`], never a pass.

pub mod age;
pub mod apis;
pub mod buckets;
pub mod control;
pub mod controls;
pub mod databases;
mod disclosure;
pub mod evaluate;
pub mod facts;
mod filter_pattern;
pub mod finding;
pub mod grants;
pub mod key_uses;
pub mod keys;
pub mod log_buckets;
mod marks;
pub mod net;
pub mod parties;
mod placement;
pub mod policy;
pub mod records;
pub mod report;
pub mod settings;
pub mod support;
mod tasks;
#[cfg(test)]
mod testing;
pub mod tls;
mod trails;
mod waf;

use std::collections::BTreeSet;

use engine::{Kind, Reader};

pub use control::{Control, Reach, Remedy, Severity};
pub use controls::control;
pub use evaluate::{Audit, evaluate};
pub use facts::{Facts, Seen};
pub use finding::{Evidence, Finding, Status, Summary};
pub use settings::{Floors, Settings, Waiver};

/// The kinds that the layers make.
const LAYERS: &[&[Kind]] = &[
    network::KINDS,
    security::KINDS,
    data::KINDS,
    compute::KINDS,
    &[Kind::of::<compute::PasswordPolicy>()],
    api::KINDS,
];

/// What an audit reads: every kind that the layers make, and those that only audits look at.
pub fn readers() -> Vec<Reader> {
    let made = LAYERS.iter().flat_map(|kinds| kinds.iter().map(|&kind| Reader::from(kind)));
    let looked_at = [security::READERS, api::READERS, compute::READERS, account::READERS];
    made.chain(looked_at.into_iter().flatten().copied()).collect()
}

/// What the controls of a scope read, and nothing else: an audit of a stack asks no organisation.
pub fn readers_for(reach: Reach) -> Vec<Reader> {
    let read: BTreeSet<&str> = controls::ALL
        .iter()
        .filter(|control| reach == Reach::Account || control.reach == Reach::Stack)
        .flat_map(|control| control.kinds())
        .collect();
    // Ownership passes down from what carries tags, so a stack's audit needs all that it is made of.
    let made: BTreeSet<&str> =
        LAYERS.iter().flat_map(|kinds| kinds.iter().map(Kind::name)).collect();
    let wanted = |reader: &Reader| read.contains(reader.kind) || made.contains(reader.kind);
    readers().into_iter().filter(wanted).collect()
}
