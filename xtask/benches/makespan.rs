//! How long a deploy and a destroy of the full stack take, against what no run can do without: `cargo bench --package
//! xtask --bench makespan`.
//!
//! The time is virtual: resources take as long as on AWS, and nobody waits for them.

use run::{Ran, Rates, World, describe};

#[path = "../tests/makespan/run.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod run;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    for (rates, factor) in [
        (Rates::Unlimited, 1.0),
        (Rates::Documented, 1.0),
        (Rates::Documented, 0.7),
        (Rates::Documented, 1.5),
    ] {
        runtime.block_on(measure(rates, factor));
    }
}

async fn measure(rates: Rates, factor: f64) {
    let world = World::new(rates, factor).await;
    let stack = world.stack().await;
    let (creation, deletion) = world.critical_paths(&stack.graph);
    println!("{rates:?} rates, {factor} × the documented latencies");
    let deploy = world.deploy().await;
    let destroy = world.destroy(stack.graph.name()).await;
    for (what, ran, path) in [("deploy", deploy, creation), ("destroy", destroy, deletion)] {
        let Ran { took, outcome, calls, .. } = ran;
        assert!(outcome.is_complete(), "{:#?}", outcome.failed);
        println!(
            "{what}: {:.1} s, {:.4} × the critical path of {:.1} s; {} calls\n{}",
            took.as_secs_f64(),
            took.as_secs_f64() / path.duration.as_secs_f64(),
            path.duration.as_secs_f64(),
            calls.values().sum::<u64>(),
            describe(&path)
        );
    }
    let throttled: u64 = world.gate.throttled().values().sum();
    println!("{throttled} calls were throttled\n");
}
