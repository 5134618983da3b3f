//! A deploy and a destroy of the full stack in virtual time: the real engine and the real SDK, on a plane where
//! everything takes as long as on AWS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::deploy::left_to_do;
use engine::execute::{Execution, Outcome, execute};
use engine::inventory::collect;
use engine::kind::Deletion;
use engine::plan::{self, Options, Plan};
use engine::steps::Steps;
use engine::timeline::{self, CriticalPath, Expectation, Latency, Recording, Timeline};
use engine::{Aws, Inventory, Journal, LogicalId, Scope, Stack, StackName, Target};
use local::rates::Gate;
use local::{ControlPlane, Delays, latency};
use tokio::time::Instant;
use xtask::config::Config;
use xtask::stack::{FullStack, Site, kinds};

/// An account on which everything takes time, and the connection to it.
pub struct World {
    /// The way to it.
    pub gate: Gate,
    /// The connection.
    pub aws: Aws,
    journal: Arc<Journal>,
    /// The documented latencies times this are what it takes.
    pub factor: f64,
}

/// What a run did.
pub struct Ran {
    /// How long it took, with collecting and planning.
    pub took: Duration,
    /// The plan.
    pub plan: Plan,
    /// How it ended.
    pub outcome: Outcome,
    /// When it did what.
    pub timeline: Timeline,
    /// The calls that it made.
    pub calls: BTreeMap<String, u64>,
}

/// Which limits there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rates {
    /// None.
    Unlimited,
    /// Those that AWS documents.
    Documented,
}

impl World {
    /// An empty account.
    pub async fn new(rates: Rates, factor: f64) -> Self {
        let plane = ControlPlane::in_memory_with(Delays::documented().times(factor));
        let gate = Gate::new(plane.http_client()).with_call_time(latency::CALL);
        let gate = if rates == Rates::Documented { gate.with_rates() } else { gate };
        let target = Target::Simulated(gate.http_client());
        let aws = Aws::connect(target, Some("us-east-1")).await.expect("the plane answers");
        let journal = Arc::new(Journal::in_memory());
        Self { gate, aws, journal, factor }
    }

    /// The full stack, as it is without a configuration.
    pub async fn stack(&self) -> FullStack {
        let config = Config::default();
        let count = config.network.availability_zones.count();
        let zones =
            network::availability_zones(&self.aws, count).await.expect("the plane has zones");
        let site = Site {
            account_id: self.aws.account_id().into(),
            region: self.aws.region().into(),
            zones,
            is_real: false,
        };
        let (stack, faults) = FullStack::declare(&config, &site);
        assert!(faults.is_empty(), "{faults:?}");
        stack
    }

    /// How long things take here.
    pub fn latency(&self, kind: &str) -> Latency {
        let documented = latency::of(kind);
        Latency {
            ready: documented.ready.mul_f64(self.factor),
            change: documented.change.mul_f64(self.factor),
            gone: documented.gone.mul_f64(self.factor),
        }
    }

    /// The critical paths of a graph: of its creation, and of its deletion.
    pub fn critical_paths(&self, graph: &Stack) -> (CriticalPath, CriticalPath) {
        let gateway = |id: &LogicalId| {
            let spec = graph.node(id).map(|node| &node.spec);
            spec.is_some_and(|spec| spec.get("endpoint_type").is_some_and(|kind| kind == "gateway"))
        };
        // A gateway endpoint is there at once.
        let of = |kind: &str, id: &LogicalId| match gateway(id) {
            true => Latency::default(),
            false => self.latency(kind),
        };
        let expectation = Expectation { call: latency::CALL, of: &of };
        (timeline::creation(graph, &expectation), timeline::deletion(graph, &expectation))
    }

    /// What is there.
    pub async fn inventory(&self, name: &StackName) -> Inventory {
        collect(&self.aws, &kinds(), &Scope::Stack(name.clone()), &self.journal).await
    }

    /// Deploys.
    pub async fn deploy(&self) -> Ran {
        let begun = Instant::now();
        let before = self.aws.calls();
        let stack = self.stack().await;
        let inventory = self.inventory(stack.graph.name()).await;
        let plan_of = |now: &Inventory| plan::plan(&stack.graph, now, &kinds(), Options::default());
        self.carry_out(begun, before, &stack.graph, &inventory, plan_of).await
    }

    /// Destroys everything.
    pub async fn destroy(&self, name: &StackName) -> Ran {
        let begun = Instant::now();
        let before = self.aws.calls();
        let inventory = self.inventory(name).await;
        let options = Options { allow_data_loss: true, ..Options::default() };
        let plan_of = |now: &Inventory| plan::destroy(name, now, &kinds(), options);
        let nothing = Stack::new(name.clone(), BTreeMap::new());
        self.carry_out(begun, before, &nothing, &inventory, plan_of).await
    }

    async fn carry_out(
        &self,
        begun: Instant,
        before: BTreeMap<String, u64>,
        graph: &Stack,
        inventory: &Inventory,
        plan_of: impl Fn(&Inventory) -> Plan,
    ) -> Ran {
        let plan = plan_of(inventory);
        assert!(plan.problems.is_empty(), "{:#?}", plan.problems);
        let steps = Steps::of(&plan, graph, inventory, &kinds()).expect("no circle");
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let recorder = tokio::spawn(async move {
            let mut recording = Recording::start();
            while let Some(event) = events.recv().await {
                recording.note(&event);
            }
            recording
        });
        let deletion = Deletion { allow_data_loss: true };
        let execution = Execution { deletion, events: Some(sender), ..Execution::default() };
        let stop = execution.stop.clone();
        let outcome =
            execute(&self.aws, graph, steps.clone(), self.journal.clone(), execution).await;
        if outcome.is_complete() && !plan.actions.is_empty() {
            let (kinds, journal) = (kinds(), &self.journal);
            let left = left_to_do(&self.aws, &kinds, graph.name(), journal, &stop, plan_of).await;
            let left = left.expect("nobody stops it");
            assert!(left.is_empty(), "{left:#?}");
        }
        let took = begun.elapsed();
        let timeline = recorder.await.expect("the recorder ends").timeline(&steps);
        let mut calls = self.aws.calls();
        for (call, count) in before {
            calls.entry(call).and_modify(|all| *all -= count);
        }
        calls.retain(|_, count| *count > 0);
        Ran { took, plan, outcome, timeline, calls }
    }
}

/// A critical path, a line for each resource on it.
pub fn describe(path: &CriticalPath) -> String {
    let line = |leg: &timeline::Leg| {
        let until = leg.until.as_secs_f64();
        format!(
            "  {until:8.1} s  {:8.1} s  {} ({})\n",
            leg.took.as_secs_f64(),
            leg.resource,
            leg.kind
        )
    };
    path.legs.iter().map(line).collect()
}

/// Why a run took longer than it had to: the steps that it waited for.
pub fn blame(ran: &Ran) -> String {
    let line = |span: &&timeline::Span| {
        let (start, end) = (span.start.as_secs_f64(), span.end.as_secs_f64());
        format!("  {start:8.1} s to {end:8.1} s  {} {} ({})\n", span.what, span.resource, span.kind)
    };
    ran.timeline.critical_spans().iter().map(line).collect()
}
