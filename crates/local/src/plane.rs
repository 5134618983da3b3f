//! The control plane: it takes requests, finds their service, and keeps the account.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use winterbaume_core::auth::{extract_region_from_headers, extract_service_from_headers};
use winterbaume_core::{MockRequest, MockResponse};

use crate::call::Call;
use crate::clock::{Clock, Delays};
use crate::fault::{Fault, Protocol};
use crate::services::{self, Service};
use crate::state::{Account, Store};

/// Why a kept account could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the embedded account in {folder}: {why}; remove the folder to start with an empty account"
)]
pub struct OpenError {
    folder: String,
    #[source]
    why: std::io::Error,
}

/// An AWS account inside this process. Cheap to clone; clones are the same account.
#[derive(Clone)]
pub struct ControlPlane {
    inner: Arc<Inner>,
}

struct Inner {
    held: Mutex<Held>,
    delays: Delays,
}

struct Held {
    account: Account,
    store: Option<Store>,
    clock: Clock,
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane").finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// An empty account that is gone with the last clone of this value. To be called within a tokio
    /// runtime, whose clock it follows.
    pub fn in_memory() -> Self {
        Self::in_memory_with(Delays::none())
    }

    /// As [`in_memory`](Self::in_memory), with resources that take time to become ready.
    pub fn in_memory_with(delays: Delays) -> Self {
        Self::new(None, delays)
    }

    /// The account that is kept in a folder; an empty one if the folder does not exist. Every change
    /// is on disk before it is answered; several processes may use one folder.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let failed = |why| OpenError { folder: folder.display().to_string(), why };
        let mut store = Store::open(folder).map_err(failed)?;
        // Find out now whether it can be read.
        let mut account = Account::default();
        store.enter(&mut account).and_then(|()| store.leave(&mut account)).map_err(failed)?;
        let plane = Self::new(Some(store), Delays::none());
        plane.held().account = account;
        Ok(plane)
    }

    fn new(store: Option<Store>, delays: Delays) -> Self {
        let held = Held { account: Account::default(), store, clock: Clock::start() };
        Self { inner: Arc::new(Inner { held: Mutex::new(held), delays }) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plane's time.
    pub fn now(&self) -> Timestamp {
        self.held().clock.now()
    }

    /// The account as it is now.
    pub fn snapshot(&self) -> Account {
        self.held().account.clone()
    }

    /// Goes on from a snapshot, at a time. For accounts in memory: what is kept in a folder stays what it
    /// is.
    pub fn restore(&self, account: Account, now: Timestamp) {
        let mut held = self.held();
        held.account = account;
        held.clock.set(now);
    }

    /// Changes the account behind everybody's back, as another user of it would.
    pub fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(&mut self.held().account)
    }

    /// What an SDK client sends its requests through.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Answers one request.
    pub fn handle(&self, request: &MockRequest) -> MockResponse {
        let (name, region) = addressed(request);
        let Some(service) = services::find(&name) else {
            return Fault::unknown_operation(&name, "at all").response(Protocol::Json);
        };
        let mut held = self.held();
        let now = held.clock.now();
        let Held { account, store, .. } = &mut *held;
        if let Some(store) = store
            && let Err(why) = store.enter(account)
        {
            return broken(&why).response(service.protocol);
        }
        let answer = self.serve_on(account, now, service, &region, request);
        if let Some(store) = store
            && let Err(why) = store.leave(account)
        {
            return broken(&why).response(service.protocol);
        }
        answer.unwrap_or_else(|fault| fault.response(service.protocol))
    }

    /// Answers one request from an account that is not the plane's own: an older state of it, for
    /// instance. What the request does is done to that account.
    pub fn handle_on(
        &self,
        account: &mut Account,
        now: Timestamp,
        request: &MockRequest,
    ) -> MockResponse {
        let (name, region) = addressed(request);
        let Some(service) = services::find(&name) else {
            return Fault::unknown_operation(&name, "at all").response(Protocol::Json);
        };
        let answer = self.serve_on(account, now, service, &region, request);
        answer.unwrap_or_else(|fault| fault.response(service.protocol))
    }

    fn serve_on(
        &self,
        account: &mut Account,
        now: Timestamp,
        service: &Service,
        region_name: &str,
        request: &MockRequest,
    ) -> Result<MockResponse, Fault> {
        let mut ids = std::mem::take(&mut account.ids);
        let draws = ids.draws(request);
        let delays = &self.inner.delays;
        let mut call = Call { account, region_name, request, now, delays, draws: &draws };
        let answer = (service.handle)(&mut call);
        let asked = draws.asked();
        if answer.as_ref().is_ok_and(|answer| answer.status < 400) {
            ids.granted(asked);
        }
        account.ids = ids;
        answer
    }
}

/// The service and the region that a request is for, as its signature says.
pub(crate) fn addressed(request: &MockRequest) -> (String, String) {
    let service = extract_service_from_headers(&request.headers).unwrap_or_default();
    let region = extract_region_from_headers(&request.headers);
    (service, region.unwrap_or_else(|| "us-east-1".into()))
}

fn broken(why: &std::io::Error) -> Fault {
    Fault::new("InternalFailure", format!("the embedded account cannot be kept: {why}")).status(500)
}

impl HttpConnector for ControlPlane {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let plane = self.clone();
        match read(request) {
            Read::Whole(request) => HttpConnectorFuture::ready(Ok(to_http(plane.handle(&request)))),
            Read::Streamed(request) => {
                HttpConnectorFuture::new(async move { Ok(to_http(plane.handle(&request.await?))) })
            }
        }
    }
}
impl HttpClient for ControlPlane {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A request of the SDK, as the services want it.
pub(crate) enum Read {
    /// Its body was in memory.
    Whole(MockRequest),
    /// Its body has to be read first.
    Streamed(BoxFuture<'static, Result<MockRequest, ConnectorError>>),
}

pub(crate) fn read(request: HttpRequest) -> Read {
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers() {
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::from_bytes(name.as_bytes()), http::HeaderValue::from_str(value))
        {
            headers.append(name, value);
        }
    }
    let (method, uri) = (request.method().to_owned(), request.uri().to_owned());
    if let Some(body) = request.body().bytes() {
        let body = Bytes::copy_from_slice(body);
        return Read::Whole(MockRequest { method, uri, headers, body });
    }
    Read::Streamed(Box::pin(async move {
        let body = ByteStream::new(request.into_body()).collect().await;
        let body = body.map_err(|why| ConnectorError::user(Box::new(why)))?.into_bytes();
        Ok(MockRequest { method, uri, headers, body })
    }))
}

pub(crate) fn to_http(answer: MockResponse) -> HttpResponse {
    let status = StatusCode::try_from(answer.status)
        .unwrap_or_else(|_| StatusCode::try_from(500).expect("500 is a status code"));
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    for (name, value) in &answer.headers {
        if let Ok(value) = value.to_str() {
            response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    response
}
