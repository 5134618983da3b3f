//! The control plane: it takes requests, finds their service, and keeps the account.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

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
use winterbaume_core::auth::{extract_region_from_headers, extract_service_from_headers};
use winterbaume_core::{MockRequest, MockResponse};

use crate::call::Call;
use crate::clock::{Clock, Delays};
use crate::fault::{Fault, Protocol};
use crate::services;
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
    clock: Clock,
    delays: Delays,
}

struct Held {
    account: Account,
    store: Option<Store>,
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
        plane.inner.held.lock().unwrap_or_else(PoisonError::into_inner).account = account;
        Ok(plane)
    }

    fn new(store: Option<Store>, delays: Delays) -> Self {
        let held = Mutex::new(Held { account: Account::default(), store });
        Self { inner: Arc::new(Inner { held, clock: Clock::start(), delays }) }
    }

    /// What an SDK client sends its requests through.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Answers one request.
    pub fn handle(&self, request: &MockRequest) -> MockResponse {
        let service = extract_service_from_headers(&request.headers).unwrap_or_default();
        let region = extract_region_from_headers(&request.headers);
        let region = region.unwrap_or_else(|| "us-east-1".into());
        let Some(service) = services::find(&service) else {
            return Fault::unknown_operation(&service, "at all").response(Protocol::Json);
        };
        let mut held = self.inner.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { account, store } = &mut *held;
        if let Some(store) = store
            && let Err(why) = store.enter(account)
        {
            return broken(&why).response(service.protocol);
        }
        let mut call = Call {
            account,
            region_name: &region,
            request,
            now: self.inner.clock.now(),
            delays: &self.inner.delays,
        };
        let answer = (service.handle)(&mut call);
        if let Some(store) = store
            && let Err(why) = store.leave(account)
        {
            return broken(&why).response(service.protocol);
        }
        answer.unwrap_or_else(|fault| fault.response(service.protocol))
    }
}

fn broken(why: &std::io::Error) -> Fault {
    Fault::new("InternalFailure", format!("the embedded account cannot be kept: {why}")).status(500)
}

impl HttpConnector for ControlPlane {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
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
            let request = MockRequest { method, uri, headers, body };
            return HttpConnectorFuture::ready(Ok(to_http(self.handle(&request))));
        }
        // A body that is not in memory has to be read first.
        let plane = self.clone();
        HttpConnectorFuture::new(async move {
            let body = ByteStream::new(request.into_body()).collect().await;
            let body = body.map_err(|why| ConnectorError::user(Box::new(why)))?.into_bytes();
            Ok(to_http(plane.handle(&MockRequest { method, uri, headers, body })))
        })
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

fn to_http(answer: MockResponse) -> HttpResponse {
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
