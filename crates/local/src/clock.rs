//! The plane's clock, and how long resources take to become ready.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::latency;

/// How long resources take until they are ready, by what they are (`ec2.nat_gateway`); until a change is
/// done (`kinesis.stream.change`); until they are gone (`ec2.nat_gateway.deletion`). What is not listed
/// takes no time.
#[derive(Debug, Clone, Default)]
pub struct Delays(BTreeMap<String, Duration>);

impl Delays {
    /// Everything is ready at once.
    pub fn none() -> Self {
        Self::default()
    }

    /// As AWS documents it and its users report: the table of [`latency`].
    pub fn documented() -> Self {
        latency::ALL.iter().fold(Self::none(), |delays, one| {
            delays
                .with(one.kind, one.ready)
                .with(&format!("{}.change", one.kind), one.change)
                .with(&format!("{}.deletion", one.kind), one.gone)
        })
    }

    /// With a delay for a kind of resource.
    #[must_use]
    pub fn with(mut self, kind: &str, delay: Duration) -> Self {
        self.0.insert(kind.to_owned(), delay);
        self
    }

    /// All of them this many times as long: AWS on a good or on a bad day.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        self.0.values_mut().for_each(|delay| *delay = delay.mul_f64(factor));
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

    /// From now on it is this late.
    pub(crate) fn set(&mut self, wall: Timestamp) {
        *self = Self { wall, start: tokio::time::Instant::now() };
    }

    pub(crate) fn now(&self) -> Timestamp {
        // A process does not run for longer than a timestamp can hold.
        self.wall.checked_add(self.start.elapsed()).unwrap_or(self.wall)
    }
}
