//! Services that an account does not use say so in many ways; none of them is an error.

use engine::inventory::collect;
use engine::{Aws, Journal, Reader, Scope, Target};

#[tokio::test]
async fn services_that_are_not_in_use_have_nothing() {
    let embedded = local::ControlPlane::in_memory().http_client();
    let aws = Aws::connect(Target::Embedded(embedded), Some("us-east-1")).await.unwrap();
    let beside = [
        Reader::of::<account::UserPool>(),
        Reader::of::<account::Organization>(),
        Reader::of::<account::IdentityCenter>(),
        Reader::of::<account::ResourceShare>(),
        Reader::of::<account::LakePermission>(),
        Reader::of::<account::Macie>(),
        Reader::of::<account::SageMakerJob>(),
        Reader::of::<account::BedrockJob>(),
    ];
    let found = collect(&aws, &beside, &Scope::Account, &Journal::in_memory()).await;
    assert!(found.errors.is_empty(), "{:#?}", found.errors);
    for reader in beside {
        assert!(found.of_kind(reader.kind).is_empty(), "{}", reader.kind);
    }
}

#[tokio::test]
async fn every_other_region_is_looked_at() {
    let embedded = local::ControlPlane::in_memory().http_client();
    let aws = Aws::connect(Target::Embedded(embedded), Some("us-east-1")).await.unwrap();
    let reader = [Reader::of::<account::RegionUse>()];
    let found = collect(&aws, &reader, &Scope::Account, &Journal::in_memory()).await;
    let regions: Vec<_> =
        found.of_kind("ec2.region_use").iter().map(|live| live.id.as_str()).collect();
    assert_eq!(regions, ["us-east-2", "us-west-1", "us-west-2"]);
}
