//! The control plane over HTTP, for clients outside this process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use winterbaume_core::MockRequest;

use crate::plane::ControlPlane;

/// The largest request body: what a Lambda function's code may be at most.
const LARGEST_BODY: usize = 64 << 20;

/// Why the server stopped.
#[derive(Debug, thiserror::Error)]
#[error("the server stopped: {0}")]
pub struct ServeError(#[from] std::io::Error);

/// Answers requests on a listener until `stop` resolves.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    plane: ControlPlane,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let app = Router::new().fallback(answer).with_state(plane);
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

async fn answer(State(plane): State<ControlPlane>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(why) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, &why.to_string()),
    };
    // Services see the URI as the SDK builds it, host included.
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = MockRequest {
        method: parts.method.to_string(),
        uri: format!("http://{host}{path}"),
        headers: parts.headers,
        body,
    };
    let answer = plane.handle(&request);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    response
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(why.to_owned()));
    *response.status_mut() = status;
    response
}
