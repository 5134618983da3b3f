//! The shortest deploy: no longer than the critical path of the graph, but for a few calls.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod calls;
mod run;

use std::time::Duration;

use run::{Rates, World, blame, describe};

/// Deploys and destroys, and holds both against the critical paths.
async fn hold(rates: Rates, factor: f64, bound: f64) {
    let world = World::new(rates, factor).await;
    let stack = world.stack().await;
    let (creation, deletion) = world.critical_paths(&stack.graph);

    let deploy = world.deploy().await;
    assert!(deploy.outcome.is_complete(), "{:#?}", deploy.outcome.failed);
    let destroy = world.destroy(stack.graph.name()).await;
    assert!(destroy.outcome.is_complete(), "{:#?}", destroy.outcome.failed);

    for (what, ran, path) in [("deploy", &deploy, &creation), ("destroy", &destroy, &deletion)] {
        let ratio = ran.took.as_secs_f64() / path.duration.as_secs_f64();
        println!(
            "{what}: {:.1} s, critical path {:.1} s, ratio {ratio:.4}\ncritical path of the graph:\n{}\
             what the run waited for:\n{}throttled: {:?}",
            ran.took.as_secs_f64(),
            path.duration.as_secs_f64(),
            describe(path),
            blame(ran),
            world.gate.throttled(),
        );
        assert!(path.duration > Duration::from_secs(60), "the critical path is not empty");
        assert!(ran.took >= path.duration, "nothing is faster than the critical path");
        assert!(ratio <= bound, "{what} takes {ratio:.3} × the critical path");
    }
}

#[tokio::test(start_paused = true)]
async fn with_unlimited_rates_a_deploy_takes_as_long_as_its_critical_path() {
    hold(Rates::Unlimited, 1.0, 1.02).await;
}

#[tokio::test(start_paused = true)]
async fn with_the_documented_rates_a_deploy_takes_a_tenth_more_at_most() {
    hold(Rates::Documented, 1.0, 1.10).await;
}
