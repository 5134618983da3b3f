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

pub mod control;
pub mod controls;
pub mod evaluate;
pub mod facts;
pub mod finding;
pub mod policy;
pub mod settings;

pub use control::{Control, Reach, Remedy, Severity};
pub use evaluate::{Audit, evaluate};
pub use facts::{Facts, Seen};
pub use finding::{Evidence, Finding, Status, Summary};
pub use settings::{Floors, Settings, Waiver};
