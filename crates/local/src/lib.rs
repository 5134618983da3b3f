//! An AWS control plane inside the process: one account, every service that the stack uses.
//!
//! It stands behind the HTTP client of the AWS SDK, so that what is tested is the real client with its
//! real wire formats; requests and answers go through winterbaume's models of the AWS APIs. It
//! validates what AWS validates wherever a mistake of ours could hide, and keeps every attribute that
//! a tool of this workspace sets or reads. It is not the only witness of anything: the test suites
//! hold the same deploys against servers that this project did not write.

mod call;
mod clock;
mod fault;
mod ids;
pub mod latency;
mod paging;
mod plane;
mod policy;
pub mod rates;
mod schedule;
mod serve;
pub mod services;
mod state;
pub mod weather;

pub use clock::Delays;
pub use plane::{ControlPlane, OpenError};
pub use schedule::Schedule;
pub use serve::{ServeError, serve};
pub use state::{ACCOUNT_ID, Account};
