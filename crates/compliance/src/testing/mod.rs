//! Controls on mocked describe calls: what every control's test is built of.

pub(crate) mod apigateway;
pub(crate) mod backup;
mod balancer;
pub(crate) mod beside;
pub(crate) mod buckets;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod efs;
pub(crate) mod elasticache;
pub(crate) mod elb;
pub(crate) mod iam;
mod keys;
pub(crate) mod kms;
pub(crate) mod logging;
mod logs;
pub(crate) mod named_log_group;
pub(crate) mod rds;
mod records;
mod s3;
pub(crate) mod secrets;
mod stage;
mod subnets;
mod topic;
mod trail;

use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode};
use engine::inventory::collect;
use engine::{Aws, Inventory, Journal, Reader, Scope, Target};
use jiff::Timestamp;

use crate::control::Control;
use crate::facts::Facts;
use crate::finding::{Judgement, Status};
use crate::settings::Settings;

pub(crate) use balancer::{BALANCER, balancer};
pub(crate) use keys::{KEY, customer_key};
pub(crate) use logs::{GROUP, log_group};
pub(crate) use records::classified_bucket;
pub(crate) use s3::bucket_details;
pub(crate) use stage::stage;
pub(crate) use subnets::subnets;
pub(crate) use topic::{TOPIC, topic};
pub(crate) use trail::trail;

/// The time at which tests audit.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_789_000_000, 0);

/// What the collectors find of the kinds that a control reads, where these rules answer. What no rule
/// answers is asked of an embedded account with nothing in it.
pub(crate) async fn collected(control: &Control, rules: &[Rule]) -> Inventory {
    let embedded = local::ControlPlane::in_memory().http_client();
    let aws = Aws::connect(Target::Embedded(embedded), Some("us-east-1")).await.unwrap();
    let mocks = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny).allow_passthrough();
    let mocks = rules.iter().fold(mocks, |mocks, rule| mocks.with_rule(rule));
    let reads: Vec<Reader> = crate::readers()
        .into_iter()
        .filter(|reader| control.kinds().contains(reader.kind))
        .collect();
    let journal = Journal::in_memory();
    collect(&aws.with_interceptor(mocks), &reads, &Scope::Account, &journal).await
}

/// What a control says of an account whose describe calls these rules answer, with the default settings.
pub(crate) async fn judged(control: &Control, rules: &[Rule]) -> Vec<Judgement> {
    judged_with(control, rules, &Settings::default()).await
}

/// As [`judged`], with settings.
pub(crate) async fn judged_with(
    control: &Control,
    rules: &[Rule],
    settings: &Settings,
) -> Vec<Judgement> {
    let inventory = collected(control, rules).await;
    control.judgements(&Facts::new(&inventory, settings, NOW))
}

/// The status of the only judgement, and its message.
#[track_caller]
pub(crate) fn only(judgements: &[Judgement]) -> (Status, &str) {
    match judgements {
        [one] => (one.status, &one.message),
        other => panic!("expected one judgement, found {other:#?}"),
    }
}

/// A rule by which a call is denied: `denied!(aws_sdk_rds, describe_db_clusters, DescribeDBClustersError)`.
macro_rules! denied {
    ($sdk:ident, $operation:ident, $error:ident) => {
        ::aws_smithy_mocks::mock!($sdk::Client::$operation).then_error(|| {
            let denied = ::aws_smithy_types::error::ErrorMetadata::builder();
            $sdk::operation::$operation::$error::generic(denied.code("AccessDenied").build())
        })
    };
}
pub(crate) use denied;
