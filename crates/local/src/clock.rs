//! The plane's clock, and how long resources take to become ready.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

/// How long resources take until they are ready, by what they are (`ec2.nat_gateway`). What is not
/// listed is ready at once.
#[derive(Debug, Clone, Default)]
pub struct Delays(BTreeMap<&'static str, Duration>);

impl Delays {
    /// Everything is ready at once.
    pub fn none() -> Self {
        Self::default()
    }

    /// With a delay for a kind of resource.
    #[must_use]
    pub fn with(mut self, kind: &'static str, delay: Duration) -> Self {
        self.0.insert(kind, delay);
        self
    }

    pub(crate) fn of(&self, kind: &str) -> Duration {
        self.0.get(kind).copied().unwrap_or_default()
    }
}

/// Wall-clock time that moves with tokio's clock, so that a test can pause and advance it.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { wall: Timestamp::now(), start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        // A process does not run for longer than a timestamp can hold.
        self.wall.checked_add(self.start.elapsed()).unwrap_or(self.wall)
    }
}
