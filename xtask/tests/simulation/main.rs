//! Proof by simulation: a run is killed at every moment and run again, on the embedded account taken for AWS,
//! by a virtual clock. See `docs/reliability.md`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compare;
mod crashes;
mod faults;
mod full;
mod small;
mod world;

use std::time::Duration;

use local::Delays;

/// How long resources take to become ready, or to go.
fn delays() -> Delays {
    Delays::none()
        .with("ec2.nat_gateway", Duration::from_secs(120))
        .with("rds.cluster", Duration::from_secs(300))
        .with("rds.instance", Duration::from_secs(480))
        .with("elasticache.replication_group", Duration::from_secs(600))
        .with("elbv2.load_balancer", Duration::from_secs(180))
        .with("kinesis.stream", Duration::from_secs(30))
        .with("ecs.service", Duration::from_secs(90))
}

/// The seed of what is random: `FERPA_SEED`, to replay a failure; else always the same one, so that a test
/// fails for a change and not for a day.
fn seed() -> u64 {
    std::env::var("FERPA_SEED").map_or(20_260_101, |seed| seed.parse().expect("a number"))
}
