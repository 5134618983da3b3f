//! Several processes on one control plane, whose calls take turns as a seed says.
//!
//! Each process has an HTTP client of its own. Its calls wait; whenever nothing else can go on, one of the calls
//! that wait is answered. On tokio's paused clock, where time moves only when nothing else does, that makes a
//! test of concurrent processes one order of calls, and the same order for the same seed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Notify, oneshot};

use crate::plane::ControlPlane;

/// The order of the calls of several processes. Cheap to clone; clones are the same schedule.
#[derive(Clone)]
pub struct Schedule {
    plane: ControlPlane,
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

struct State {
    waiting: Vec<(usize, oneshot::Sender<()>)>,
    dead: BTreeSet<usize>,
    dice: StdRng,
    answered: u64,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").finish_non_exhaustive()
    }
}

impl Schedule {
    /// An order of calls on a plane. Nothing is answered before [`run`](Self::run).
    pub fn new(plane: ControlPlane, seed: u64) -> Self {
        let state = State {
            waiting: Vec::new(),
            dead: BTreeSet::new(),
            dice: StdRng::seed_from_u64(seed),
            answered: 0,
        };
        Self { plane, state: Arc::new(Mutex::new(state)), news: Arc::default() }
    }

    /// What the SDK clients of a process send their requests through.
    pub fn http_client(&self, process: usize) -> SharedHttpClient {
        SharedHttpClient::new(Turnstile { schedule: self.clone(), process })
    }

    /// The process is no more: its calls are never answered again, nor carried out.
    pub fn kill(&self, process: usize) {
        let mut state = self.state();
        state.dead.insert(process);
        state.waiting.retain(|(of, _)| *of != process);
    }

    /// How many calls were answered.
    pub fn answered(&self) -> u64 {
        self.state().answered
    }

    /// Answers calls, one at a time, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            while self.state().waiting.is_empty() {
                self.news.notified().await;
            }
            // On a paused clock this returns when every process waits for a call or for time.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut state = self.state();
            let count = state.waiting.len();
            if count > 0 {
                let next = state.dice.random_range(0..count);
                let (_, go) = state.waiting.remove(next);
                state.answered += 1;
                // A caller that has gone away does not mind.
                let _ = go.send(());
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone)]
struct Turnstile {
    schedule: Schedule,
    process: usize,
}

impl HttpConnector for Turnstile {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let (go, turn) = oneshot::channel();
            {
                let mut state = this.schedule.state();
                if !state.dead.contains(&this.process) {
                    state.waiting.push((this.process, go));
                }
            }
            this.schedule.news.notify_one();
            if turn.await.is_err() {
                std::future::pending::<()>().await;
            }
            this.schedule.plane.call(request).await
        })
    }
}

impl HttpClient for Turnstile {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
