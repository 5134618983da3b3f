//! What guards a whole account: GuardDuty, Access Analyzer, the public access block.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::HashMap;

use aws_sdk_guardduty::types::{
    DetectorFeature, DetectorFeatureConfiguration, DetectorStatus, FeatureStatus,
    FindingPublishingFrequency,
};
use common::{code, sdk};
use local::ControlPlane;

#[tokio::test]
async fn a_region_has_one_detector() {
    let client = aws_sdk_guardduty::Client::new(&sdk(&ControlPlane::in_memory()).await);
    assert!(client.list_detectors().send().await.unwrap().detector_ids().is_empty());
    let feature = DetectorFeatureConfiguration::builder()
        .name(DetectorFeature::RuntimeMonitoring)
        .status(FeatureStatus::Enabled)
        .build();
    let create = client
        .create_detector()
        .enable(true)
        .client_token("t")
        .finding_publishing_frequency(FindingPublishingFrequency::FifteenMinutes)
        .features(feature)
        .tags("owner", "us");
    let id = create.clone().send().await.unwrap().detector_id.unwrap();
    assert_eq!(create.clone().send().await.unwrap().detector_id, Some(id.clone()));
    let other = create.client_token("u").send().await;
    assert_eq!(code(other), "BadRequestException");
    let read = client.get_detector().detector_id(&id).send().await.unwrap();
    assert_eq!(read.status(), Some(&DetectorStatus::Enabled));
    assert_eq!(
        read.finding_publishing_frequency(),
        Some(&FindingPublishingFrequency::FifteenMinutes)
    );
    let on = |name: &str| {
        let all = read.features();
        let found = all.iter().find(|it| it.name().is_some_and(|it| it.as_str() == name));
        found.unwrap().status() == Some(&FeatureStatus::Enabled)
    };
    assert!(on("RUNTIME_MONITORING") && on("S3_DATA_EVENTS") && on("CLOUD_TRAIL"));
    assert!(!on("EKS_RUNTIME_MONITORING"));

    client.update_detector().detector_id(&id).enable(false).send().await.unwrap();
    let read = client.get_detector().detector_id(&id).send().await.unwrap();
    assert_eq!(read.status(), Some(&DetectorStatus::Disabled));
    let arn = format!("arn:aws:guardduty:us-east-1:123456789012:detector/{id}");
    client.tag_resource().resource_arn(&arn).tags("a", "1").tags("b", "2").send().await.unwrap();
    let untag = client.untag_resource().resource_arn(&arn).tag_keys("a").tag_keys("owner");
    untag.send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags, Some(HashMap::from([("b".to_owned(), "2".to_owned())])));
    client.delete_detector().detector_id(&id).send().await.unwrap();
    let read = client.get_detector().detector_id(&id).send().await;
    assert_eq!(code(read), "BadRequestException");
}

#[tokio::test]
async fn an_analyzer_is_made_found_and_removed() {
    use aws_sdk_accessanalyzer::types::{AnalyzerStatus, Type};
    let client = aws_sdk_accessanalyzer::Client::new(&sdk(&ControlPlane::in_memory()).await);
    let create = |name: &str, of_type: Type| {
        client.create_analyzer().analyzer_name(name).r#type(of_type).tags("owner", "us").send()
    };
    let arn = create("outside", Type::Account).await.unwrap().arn.unwrap();
    assert_eq!(code(create("outside", Type::Account).await), "ConflictException");
    assert_eq!(code(create("more", Type::Account).await), "ServiceQuotaExceededException");
    assert_eq!(code(create("1", Type::Account).await), "ValidationException");
    let read = client.get_analyzer().analyzer_name("outside").send().await.unwrap();
    let read = read.analyzer.unwrap();
    assert_eq!((read.arn(), read.status()), (arn.as_str(), &AnalyzerStatus::Active));
    assert_eq!(read.tags().unwrap()["owner"], "us");
    assert_eq!(client.list_analyzers().send().await.unwrap().analyzers().len(), 1);
    let unused = client.list_analyzers().r#type(Type::AccountUnusedAccess).send().await.unwrap();
    assert!(unused.analyzers().is_empty());
    let findings = client.list_findings_v2().analyzer_arn(&arn).send().await.unwrap();
    assert!(findings.findings().is_empty());
    assert!(client.list_findings().analyzer_arn(&arn).send().await.unwrap().findings().is_empty());
    client.tag_resource().resource_arn(&arn).tags("a", "1").send().await.unwrap();
    client.untag_resource().resource_arn(&arn).tag_keys("owner").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags, Some(HashMap::from([("a".to_owned(), "1".to_owned())])));
    client.delete_analyzer().analyzer_name("outside").send().await.unwrap();
    let read = client.get_analyzer().analyzer_name("outside").send().await;
    assert_eq!(code(read), "ResourceNotFoundException");
}

#[tokio::test]
async fn the_accounts_public_access_block_covers_its_buckets() {
    use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
    let plane = ControlPlane::in_memory();
    let config = sdk(&plane).await;
    let client = aws_sdk_s3control::Client::new(&config);
    let get = || client.get_public_access_block().account_id("123456789012").send();
    assert_eq!(code(get().await), "NoSuchPublicAccessBlockConfiguration");
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_policy(true)
        .block_public_acls(true)
        .ignore_public_acls(false)
        .restrict_public_buckets(false)
        .build();
    client
        .put_public_access_block()
        .account_id("123456789012")
        .public_access_block_configuration(block.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(get().await.unwrap().public_access_block_configuration, Some(block));

    let s3 = aws_sdk_s3::Client::new(&config);
    s3.create_bucket().bucket("open").send().await.unwrap();
    s3.delete_public_access_block().bucket("open").send().await.unwrap();
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::open/*"}]}"#;
    let put = || s3.put_bucket_policy().bucket("open").policy(policy).send();
    assert_eq!(code(put().await), "AccessDenied");
    client.delete_public_access_block().account_id("123456789012").send().await.unwrap();
    put().await.unwrap();
    assert_eq!(code(get().await), "NoSuchPublicAccessBlockConfiguration");
}
