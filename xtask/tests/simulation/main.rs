//! Proof by simulation: a run is killed at every moment and run again, on the embedded account taken for AWS,
//! by a virtual clock. See `docs/reliability.md`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compare;
mod crashes;
mod faults;
mod full;
mod small;
mod two;
mod world;

use local::Delays;

/// How long resources take to become ready, to change, and to go: as on AWS.
fn delays() -> Delays {
    Delays::documented()
}

/// The seed of what is random: `FERPA_SEED`, to replay a failure; else always the same one, so that a test
/// fails for a change and not for a day.
fn seed() -> u64 {
    std::env::var("FERPA_SEED").map_or(20_260_101, |seed| seed.parse().expect("a number"))
}
