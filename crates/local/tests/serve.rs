//! The plane over HTTP, as the AWS CLI and boto3 reach it: one address for every service.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use local::{ControlPlane, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

async fn started() -> (SdkConfig, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(serve(ControlPlane::in_memory(), listener, async {
        let _ = stopped.await;
    }));
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .region(Region::from_static("us-east-1"))
        .load()
        .await;
    (sdk, stop)
}

#[tokio::test]
async fn every_protocol_goes_over_http() {
    let (sdk, _stop) = started().await;
    let kms = aws_sdk_kms::Client::new(&sdk);
    kms.create_key().send().await.unwrap();
    assert_eq!(kms.list_keys().send().await.unwrap().keys().len(), 1);
    let sns = aws_sdk_sns::Client::new(&sdk);
    sns.create_topic().name("a").send().await.unwrap();
    let alarms = aws_sdk_cloudwatch::Client::new(&sdk);
    assert!(alarms.describe_alarms().send().await.unwrap().metric_alarms().is_empty());
    let detectors = aws_sdk_guardduty::Client::new(&sdk);
    assert!(detectors.list_detectors().send().await.unwrap().detector_ids().is_empty());

    let path_style = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(path_style);
    s3.create_bucket().bucket("records").send().await.unwrap();
    s3.head_bucket().bucket("records").send().await.unwrap();
    let body = ByteStream::from_static(b"hello");
    s3.put_object().bucket("records").key("a/b").body(body).send().await.unwrap();
    let get = s3.get_object().bucket("records").key("a/b").send().await.unwrap();
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"hello");
    let head = s3.head_object().bucket("records").key("a/b").send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert!(s3.head_object().bucket("records").key("none").send().await.is_err());
}
