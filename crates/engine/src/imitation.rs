//! Where an imitation of AWS is taken for less than AWS.
//!
//! The embedded account, moto and LocalStack imitate AWS, each a part of it. A deploy to one of them is to end well all the
//! same, and what it could not do is to be said. Everything that the engine and the layers do otherwise there because an
//! imitation *lacks* something is asked here, one question for each rule, and the answer for AWS itself is always no. What
//! an imitation merely does not keep is no rule: a plan shows it as the drift that it is, and the tests name it. (The lease
//! asks by the window below: where all shows at once and Parameter Store is lacking, nobody shares the account.)
//!
//! How a single server is talked to (one host name, quick retries) is no leniency and is said where the clients are made.

use std::time::Duration;

use crate::aws::{Aws, CONSISTENCY_WINDOW, Target};
use crate::error::ApiError;

impl Aws {
    /// Whether this is AWS itself (or to be taken for it), and not something that imitates it and may lack
    /// a part.
    pub fn is_real(&self) -> bool {
        matches!(self.target(), Target::Aws | Target::Simulated(_))
    }

    /// The error says that the server has no such operation. What it was to do is left out, with a warning; what was to be
    /// read of it counts as not there.
    pub fn lacks(&self, error: &ApiError) -> bool {
        !self.is_real() && error.is_not_implemented()
    }

    /// How long AWS may take to show something that it has created. Imitations show it at once.
    pub fn consistency_window(&self) -> Duration {
        if self.is_real() { CONSISTENCY_WINDOW } else { Duration::ZERO }
    }

    /// The tags in a call that creates may be dropped (moto: Kinesis streams, buckets). They are set again by a call of
    /// their own; what has no tags and exactly the name that the stack gives it, a killed run has left without them.
    pub fn may_drop_tags(&self) -> bool {
        !self.is_real()
    }

    /// Services may be kept, and none of their tasks ever run (moto: ECS). Where there is neither a task nor an event, no
    /// rollout is waited for.
    pub fn may_run_nothing(&self) -> bool {
        !self.is_real()
    }

    /// What is being deleted may stay so for ever (moto: replication groups). Then that it is being deleted is enough.
    pub fn may_never_finish_deleting(&self) -> bool {
        !self.is_real()
    }

    /// An answer that says the right thing may be wrapped in an element that AWS does not have (moto: the versioning of a
    /// bucket). It is taken from there.
    pub fn may_misname_answers(&self) -> bool {
        !self.is_real()
    }

    /// A server of somebody else's may forget an attribute at once, or go on showing what it has deleted: when all steps are
    /// done, what it shows is said and is no failure.
    pub fn may_forget(&self) -> bool {
        matches!(self.target(), Target::Endpoint(_))
    }
}
