//! A client configuration for a control plane.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use local::ControlPlane;

/// The SDK, talking to a plane.
pub async fn sdk(plane: &ControlPlane) -> SdkConfig {
    sdk_in(plane, "us-east-1").await
}

/// The SDK, talking to a plane, in a region.
#[allow(dead_code)]
pub async fn sdk_in(plane: &ControlPlane, region: &'static str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(plane.http_client())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .region(Region::from_static(region))
        .load()
        .await
}

/// AWS's code of the error that a call ended in.
#[allow(dead_code)]
#[track_caller]
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata, R>(
    result: Result<T, SdkError<E, R>>,
) -> String {
    match result {
        Ok(answer) => panic!("an error was expected, not {answer:?}"),
        Err(SdkError::ServiceError(error)) => error.err().code().unwrap_or("none").to_owned(),
        Err(_) => panic!("AWS's error was expected"),
    }
}
