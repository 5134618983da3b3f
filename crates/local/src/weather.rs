//! Bad weather on the way to the account: what can happen to a call, at the HTTP boundary, so that the
//! SDK's own retries and timeouts are part of what is tested.
//!
//! A [`Weather`] stands between the SDK and a [`ControlPlane`]. A [`Forecast`] decides what becomes of each
//! call; forecasts are plain functions of what they see (and of a seed), so that a run can be replayed. All
//! time is tokio's: with a paused clock, a minute's timeout takes no time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use jiff::Timestamp;
use tokio::sync::Notify;
use winterbaume_core::{MockRequest, MockResponse};

use crate::call::form_of;
use crate::fault::{Fault, Protocol};
use crate::plane::{ControlPlane, Read, addressed, read, to_http};
use crate::services;
use crate::state::Account;

/// For how long an account's past is remembered: longer than any call is behind.
const PAST: Duration = Duration::from_secs(60);

/// A call, as a forecast sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The how-manieth call since the weather began, from 0. The SDK's retries are calls of their own.
    pub number: usize,
    /// The service in its signature: `ec2`.
    pub service: String,
    /// The operation where the protocol says it (`CreateVpc`), else method and path.
    pub operation: String,
    /// Whether it may change the account.
    pub writes: bool,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Fair,
    /// It never reaches the service.
    RequestLost(Loss),
    /// It takes effect, and nobody hears of it.
    ResponseLost(Loss),
    /// The service wants fewer calls, in its own words.
    Throttled,
    /// 503.
    Unavailable,
    /// 500, without an effect.
    Broken,
    /// A quota is reached.
    OverQuota,
    /// The part of the service that answers is that far behind. A read shows the account as it was then. A
    /// write is refused if it would have been refused then, because what it needs is not there yet or what
    /// has to be gone is still there; else it takes effect.
    Behind(Duration),
    /// It is answered with another word: for a state that the account itself never gets into.
    Says {
        /// What stands before the word in the answer: `<state>`, `"status":"`.
        after: &'static str,
        /// The word.
        word: &'static str,
    },
    /// The process ends.
    Dies(Moment),
}

/// How a loss shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection breaks at once.
    Reset,
    /// Nothing ever comes back.
    Silence,
}

/// When a process ends, as its last call sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call has an effect.
    Before,
    /// After its effect, before its answer.
    Between,
    /// Right after its answer.
    After,
}

/// Who decides what becomes of calls.
pub trait Forecast: Send {
    /// What becomes of this call. It has not had an effect yet.
    fn fate(&mut self, call: &Seen) -> Fate;

    /// This call has just had its effect, and nobody has heard of it.
    fn effect(&mut self, call: &Seen) {
        let _ = call;
    }
}

impl<F: FnMut(&Seen) -> Fate + Send> Forecast for F {
    fn fate(&mut self, call: &Seen) -> Fate {
        self(call)
    }
}

/// How long calls take on their way.
#[derive(Debug, Clone, Copy, Default)]
pub enum Pace {
    /// No time.
    #[default]
    None,
    /// Between 5 and 200 ms each way, chosen by a seed for each call: which of several calls under way comes
    /// first is another question for each seed.
    Seeded(u64),
}

impl Pace {
    fn each_way(self, call: usize) -> [Duration; 2] {
        let Self::Seeded(seed) = self else { return [Duration::ZERO; 2] };
        let of = |way: u64| Duration::from_millis(5 + chance(seed, call as u64 * 2 + way) % 196);
        [of(0), of(1)]
    }
}

/// A number that looks random, for a seed and a place: the same ones always give the same.
pub fn chance(seed: u64, place: u64) -> u64 {
    // SplitMix64 (Steele, Lea and Flood, 2014), which needs no state to skip to a place.
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The way to an account, and its weather. Clones are the same way.
#[derive(Clone)]
pub struct Weather {
    plane: ControlPlane,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    forecast: Box<dyn Forecast>,
    pace: Pace,
    calls: Vec<Seen>,
    /// States of the account, each with the time from which it was so.
    past: VecDeque<(Timestamp, Arc<Account>)>,
    death: Arc<Notify>,
}

impl fmt::Debug for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weather").finish_non_exhaustive()
    }
}

impl Weather {
    /// Fair weather over a plane.
    pub fn over(plane: ControlPlane) -> Self {
        let inner = Inner {
            forecast: Box::new(|_: &Seen| Fate::Fair),
            pace: Pace::None,
            calls: Vec::new(),
            past: VecDeque::new(),
            death: Arc::default(),
        };
        Self { plane, inner: Arc::new(Mutex::new(inner)) }
    }

    /// The account below.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// From now on: this forecast, this pace, and calls are numbered from 0 again.
    pub fn begin(&self, forecast: impl Forecast + 'static, pace: Pace) {
        let mut inner = self.inner();
        inner.forecast = Box::new(forecast);
        inner.pace = pace;
        inner.calls.clear();
        inner.death = Arc::default();
    }

    /// What the account was in the last minute, for [`set_past`](Self::set_past).
    pub fn past(&self) -> Vec<(Timestamp, Arc<Account>)> {
        self.inner().past.iter().cloned().collect()
    }

    /// Sets what the account was in the last minute: nothing, when nothing is behind any more.
    pub fn set_past(&self, past: Vec<(Timestamp, Arc<Account>)>) {
        self.inner().past = past.into();
    }

    /// The calls since the weather began.
    pub fn calls(&self) -> Vec<Seen> {
        self.inner().calls.clone()
    }

    /// Comes when a call's fate was that the process dies.
    pub async fn death(&self) {
        let death = self.inner().death.clone();
        death.notified().await;
    }

    /// What an SDK client sends its requests through.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry(&self, request: MockRequest) -> Result<HttpResponse, ConnectorError> {
        let (call, fate, [there, back]) = {
            let mut inner = self.inner();
            let call = seen(&request, inner.calls.len());
            inner.calls.push(call.clone());
            let ways = inner.pace.each_way(call.number);
            let fate = inner.forecast.fate(&call);
            (call, fate, ways)
        };
        pass(there).await;
        let answer = match fate {
            Fate::RequestLost(loss) => return lost(loss).await,
            Fate::Dies(Moment::Before) => return self.die().await,
            Fate::Throttled => throttled(&call).response(protocol(&call)),
            Fate::Unavailable => refusal("ServiceUnavailable", 503).response(protocol(&call)),
            Fate::Broken => refusal("InternalFailure", 500).response(protocol(&call)),
            Fate::OverQuota => over_quota(&call).response(protocol(&call)),
            Fate::Behind(lag) => self.behind(&call, &request, lag),
            Fate::Says { after, word } => reworded(self.effect(&call, &request), after, word),
            Fate::Fair | Fate::ResponseLost(_) | Fate::Dies(_) => self.effect(&call, &request),
        };
        match fate {
            Fate::ResponseLost(loss) => return lost(loss).await,
            Fate::Dies(Moment::Between) => return self.die().await,
            Fate::Dies(_) => {
                let death = self.inner().death.clone();
                tokio::spawn(async move {
                    // The answer is on its way to the caller first.
                    tokio::time::sleep(back + Duration::from_millis(1)).await;
                    death.notify_one();
                });
            }
            _ => {}
        }
        pass(back).await;
        Ok(to_http(answer))
    }

    /// The call reaches the account as it is.
    fn effect(&self, call: &Seen, request: &MockRequest) -> MockResponse {
        if !call.writes {
            return self.plane.handle(request);
        }
        let now = self.plane.now();
        if self.inner().past.is_empty() {
            let before = Arc::new(self.plane.snapshot());
            self.inner().past.push_back((now - PAST, before));
        }
        let answer = self.plane.handle(request);
        let after = Arc::new(self.plane.snapshot());
        let mut inner = self.inner();
        inner.past.push_back((now, after));
        // The oldest one stands for all time before the second.
        while inner.past.get(1).is_some_and(|(since, _)| *since <= now - PAST) {
            inner.past.pop_front();
        }
        inner.forecast.effect(call);
        answer
    }

    /// The call reaches a part of the service that is behind.
    fn behind(&self, call: &Seen, request: &MockRequest, lag: Duration) -> MockResponse {
        let then = self.plane.now() - lag;
        let past = {
            let inner = self.inner();
            let at = inner.past.iter().rev().find(|(since, _)| *since <= then);
            at.or(inner.past.front()).map(|(_, account)| Account::clone(account))
        };
        let Some(mut account) = past else { return self.effect(call, request) };
        let answer = self.plane.handle_on(&mut account, then, request);
        match call.writes {
            true if answer.status < 400 => self.effect(call, request),
            true => answer,
            false => {
                // The account moves on by itself, however its parts answer: the plane moves when it is asked.
                self.plane.handle(request);
                answer
            }
        }
    }

    async fn die(&self) -> Result<HttpResponse, ConnectorError> {
        self.inner().death.notify_one();
        std::future::pending().await
    }
}

impl HttpConnector for Weather {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let weather = self.clone();
        let request = read(request);
        HttpConnectorFuture::new(async move {
            let request = match request {
                Read::Whole(request) => request,
                Read::Streamed(request) => request.await?,
            };
            weather.carry(request).await
        })
    }
}

impl HttpClient for Weather {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The answer, with this word wherever one stands after that text.
fn reworded(answer: MockResponse, after: &str, word: &str) -> MockResponse {
    let text = String::from_utf8_lossy(&answer.body);
    let mut parts = text.split(after);
    let mut body = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(['<', '"']).map_or("", |end| &part[end..]);
        body.extend([after, word, rest]);
    }
    MockResponse { body: body.into(), ..answer }
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

async fn lost(loss: Loss) -> Result<HttpResponse, ConnectorError> {
    match loss {
        Loss::Silence => std::future::pending().await,
        Loss::Reset => {
            let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            Err(ConnectorError::io(Box::new(reset)))
        }
    }
}

fn protocol(call: &Seen) -> Protocol {
    services::find(&call.service).map_or(Protocol::Json, |service| service.protocol)
}

fn seen(request: &MockRequest, number: usize) -> Seen {
    let (service, _) = addressed(request);
    let path = winterbaume_core::extract_path(&request.uri).to_owned();
    let named = match services::find(&service).map(|service| service.protocol) {
        Some(Protocol::Ec2 | Protocol::Query) => form_of(request).remove("Action"),
        Some(Protocol::Json) => request
            .headers
            .get("x-amz-target")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.rsplit('.').next())
            .map(str::to_owned),
        Some(Protocol::Cbor) => path.rsplit('/').next().map(str::to_owned),
        Some(Protocol::RestJson | Protocol::RestXml) | None => None,
    };
    let writes = match &named {
        Some(name) => !["Describe", "List", "Get"].iter().any(|verb| name.starts_with(verb)),
        None => !matches!(request.method.as_str(), "GET" | "HEAD"),
    };
    let operation = named.unwrap_or_else(|| format!("{} {path}", request.method));
    Seen { number, service, operation, writes }
}

/// Throttling, as each service words it. The SDK knows these codes.
fn throttled(call: &Seen) -> Fault {
    let (code, status) = match (call.service.as_str(), protocol(call)) {
        ("s3", _) => ("SlowDown", 503),
        (_, Protocol::Ec2) => ("RequestLimitExceeded", 503),
        (_, Protocol::Query) => ("Throttling", 400),
        (_, Protocol::RestJson) => ("TooManyRequestsException", 429),
        _ => ("ThrottlingException", 400),
    };
    Fault::new(code, "Rate exceeded").status(status)
}

/// A quota, as each protocol's services word it.
fn over_quota(call: &Seen) -> Fault {
    let code = match protocol(call) {
        Protocol::Ec2 => "ResourceLimitExceeded",
        Protocol::Query => "LimitExceeded",
        Protocol::RestXml => "TooManyBuckets",
        _ => "ServiceQuotaExceededException",
    };
    Fault::new(code, "You have reached the quota of this account; request an increase")
}

fn refusal(code: &str, status: u16) -> Fault {
    Fault::new(code, "We encountered an internal error. Please try again.").status(status)
}
