//! What an account looks like to somebody who may not see all of it: what could not be read is said, and
//! never taken for good.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use compute::function::Permission;
use compute::trust::Trust;
use compute::{Certificate, Function, LogGroup, Role};
use engine::plan::Options;
use engine::{Aws, Collected, Resource, Scope, Stack, StackName, Target, deploy};

/// A control plane that denies the requests in which a text occurs.
#[derive(Debug, Clone)]
struct Denying {
    plane: local::ControlPlane,
    what: &'static str,
}

impl HttpConnector for Denying {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let text = format!("{} {} {target} {body}", request.method(), request.uri());
        if self.what.is_empty() || !text.contains(self.what) {
            return self.plane.call(request);
        }
        let status = 403.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::empty())))
    }
}

impl HttpClient for Denying {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// One of each kind, seen by somebody to whom `what` is denied.
async fn seen<T: Resource>(what: &'static str) -> Collected<T> {
    let plane = local::ControlPlane::in_memory();
    let name = StackName::new("student", "denied");
    let all = connect(plane.clone(), "").await;
    let mut stack = Stack::new(name.clone(), BTreeMap::new());
    stack.add("compute/certificate", Certificate::self_signed("students.internal"));
    let group = LogGroup {
        name: name.of("/app"),
        class: "STANDARD".into(),
        kms_key: None,
        retention_days: Some(365),
        metric_filters: BTreeMap::new(),
        subscription_filters: BTreeMap::new(),
    };
    let group = stack.add("compute/log", group);
    let trust = Trust::unnarrowed("lambda.amazonaws.com");
    let role =
        stack.add("compute/role", Role::for_service(name.of("f"), "runs a function", &trust));
    let anybody = Permission {
        action: "lambda:InvokeFunction".into(),
        principal: "sns.amazonaws.com".into(),
        source_account: None,
        source_arn: None,
    };
    let function = Function {
        permissions: BTreeMap::from([("sns".into(), anybody)]),
        ..Function::python(name.of("f"), role.arn(), group.id(), ("f", "pass\n"))
    };
    stack.add("compute/function", function);
    deploy::up(&all, &stack, compute::KINDS, Options::default()).await.unwrap();
    let some = connect(plane, what).await;
    T::collect(&some, &Scope::Stack(name)).await
}

async fn connect(plane: local::ControlPlane, what: &'static str) -> Aws {
    let client = SharedHttpClient::new(Denying { plane, what });
    Aws::connect(Target::Embedded(client), Some("us-east-1")).await.unwrap()
}

#[tokio::test]
async fn a_listing_that_is_denied_is_an_error_and_not_an_empty_account() {
    let denied = |errors: &[engine::ApiError]| errors.iter().any(engine::ApiError::is_denied);
    assert!(denied(&seen::<Role>("Action=GetAccountAuthorizationDetails").await.errors));
    assert!(denied(&seen::<LogGroup>("DescribeLogGroups").await.errors));
    assert!(denied(&seen::<Certificate>("ListCertificates").await.errors));
    assert!(denied(&seen::<Function>("/2015-03-31/functions").await.errors));
}

#[tokio::test]
async fn a_detail_that_is_denied_is_unreadable_and_the_rest_is_there() {
    let roles = seen::<Role>("Action=ListRoles").await;
    assert!(roles.errors.is_empty());
    let role = &roles.live[0];
    assert!(role.unreadable.contains_key("max_session_seconds"));
    assert!(role.unreadable["description"].is_denied());
    assert_eq!(role.spec.assume_role_policy, Trust::unnarrowed("lambda.amazonaws.com").policy());

    let groups = seen::<LogGroup>("DescribeMetricFilters").await;
    assert!(groups.live[0].unreadable.contains_key("metric_filters"));
    assert_eq!(groups.live[0].spec.retention_days, Some(365));
    let groups = seen::<LogGroup>("DescribeSubscriptionFilters").await;
    assert!(groups.live[0].unreadable.contains_key("subscription_filters"));

    let functions = seen::<Function>("/policy").await;
    assert!(functions.live[0].unreadable.contains_key("permissions"));
}

#[tokio::test]
async fn what_cannot_be_told_to_be_ours_is_an_error_beside_the_resource() {
    let groups = seen::<LogGroup>("ListTagsForResource").await;
    assert_eq!((groups.live.len(), groups.errors.len()), (1, 1));
    let certificates = seen::<Certificate>("ListTagsForCertificate").await;
    assert_eq!((certificates.live.len(), certificates.errors.len()), (1, 1));
}
