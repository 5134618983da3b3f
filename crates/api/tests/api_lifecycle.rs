//! The layer from nothing to nothing: on the embedded control plane, or against the server that
//! `FERPA_TEST_ENDPOINT` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use api::{
    ApiSpec, Authorization, Firewall, KINDS, Outputs, ProvisionError, Route, declare, provision,
};
use aws_sdk_apigateway::types::{Op, PatchOperation};
use engine::plan::Options;
use engine::{Aws, Change, Plan, Stack, StackName, Tags, Target, client, deploy};

/// What moto does not keep, by the end of the field's path, and how it comes back.
const LOST_BY_MOTO: &[&str] = &[
    // CreateRestApi and UpdateRestApi drop them; GetRestApis has neither.
    "security_policy",
    "endpoint_access_mode",
    // PutIntegration does not read either.
    "integration.connection_id",
    "integration.integration_target",
];

fn on_moto() -> bool {
    std::env::var("FERPA_TEST_ENDPOINT").is_ok_and(|url| !url.is_empty())
}

async fn aws() -> Aws {
    let target = Target::for_tests(local::ControlPlane::in_memory().http_client());
    Aws::connect(target, Some("us-east-1")).await.unwrap()
}

/// A VPC with three subnets and a security group.
struct Network {
    subnets: Vec<String>,
    security_group: String,
}

async fn network(aws: &Aws) -> Network {
    let ec2 = client!(aws, aws_sdk_ec2);
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let mut subnets = Vec::new();
    for (zone, range) in [("a", "10.0.11.0/24"), ("b", "10.0.12.0/24"), ("c", "10.0.13.0/24")] {
        let call = ec2
            .create_subnet()
            .vpc_id(&vpc)
            .cidr_block(range)
            .availability_zone(format!("{}{zone}", aws.region()));
        subnets.push(call.send().await.unwrap().subnet.unwrap().subnet_id.unwrap());
    }
    let call = ec2.create_security_group().vpc_id(&vpc).group_name("link").description("link");
    let security_group = call.send().await.unwrap().group_id.unwrap();
    Network { subnets, security_group }
}

/// What other layers provide, and a spec that uses it. The third subnet is spare.
async fn spec(aws: &Aws, environment: &str) -> ApiSpec {
    spec_in(aws, environment, &network(aws).await).await
}

async fn spec_in(aws: &Aws, environment: &str, network: &Network) -> ApiSpec {
    let balancer = client!(aws, aws_sdk_elasticloadbalancingv2)
        .create_load_balancer()
        .name(environment)
        .scheme(aws_sdk_elasticloadbalancingv2::types::LoadBalancerSchemeEnum::Internal)
        .subnets(&network.subnets[0])
        .subnets(&network.subnets[1])
        .security_groups(&network.security_group)
        .send()
        .await
        .unwrap()
        .load_balancers
        .unwrap()
        .remove(0);
    let logs = client!(aws, aws_sdk_cloudwatchlogs);
    let access = format!("/api/{environment}");
    let waf = format!("aws-waf-logs-{environment}");
    for group in [&access, &waf] {
        logs.create_log_group().log_group_name(group).send().await.unwrap();
    }
    let iam = client!(aws, aws_sdk_iam);
    let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
    let role = iam
        .create_role()
        .role_name(format!("api-logs-{environment}"))
        .assume_role_policy_document(trust)
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    let may_write = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}]}"#;
    iam.put_role_policy()
        .role_name(&role.role_name)
        .policy_name("logs")
        .policy_document(may_write)
        .send()
        .await
        .unwrap();
    ApiSpec {
        subnets: network.subnets[..2].iter().map(|id| id.as_str().into()).collect(),
        vpc_link_security_group: network.security_group.as_str().into(),
        load_balancer: balancer.load_balancer_arn.unwrap().into(),
        load_balancer_host: balancer.dns_name.unwrap().into(),
        access_log_group: aws.arn("logs", &format!("log-group:{access}")).into(),
        cloudwatch_role: Some(role.arn.into()),
        firewall: Some(Firewall {
            log_group: Some(aws.arn("logs", &format!("log-group:{waf}")).into()),
            ..Firewall::default()
        }),
        ..ApiSpec::default()
    }
}

fn stack(environment: &str, spec: &ApiSpec) -> Stack {
    let mut stack = Stack::new(StackName::new("student", environment), Tags::new());
    declare(&mut stack, spec);
    stack
}

/// What differs: `resource: path: old -> new`, without what moto cannot keep.
async fn drift(aws: &Aws, stack: &Stack) -> Vec<String> {
    named(&deploy::drift(aws, stack, KINDS).await)
}

fn named(plan: &Plan) -> Vec<String> {
    assert_eq!(plan.problems, [], "{plan:?}");
    let mut found = Vec::new();
    for action in &plan.actions {
        match &action.change {
            Change::Update { changes } | Change::Replace { changes, .. } => {
                for change in &changes.0 {
                    let lost = LOST_BY_MOTO.iter().any(|end| change.path.ends_with(end));
                    if !(on_moto() && lost) {
                        let (path, old, new) = (&change.path, &change.old, &change.new);
                        found.push(format!("{}: {path}: {old} -> {new}", action.resource));
                    }
                }
            }
            other => found.push(format!("{}: {other:?}", action.resource)),
        }
    }
    found
}

async fn up(aws: &Aws, environment: &str, spec: &ApiSpec) -> Outputs {
    provision(aws, StackName::new("student", environment), spec).await.unwrap()
}

async fn down(aws: &Aws, stack: &Stack) {
    deploy::down(aws, stack.name(), KINDS, Options::default()).await.unwrap();
    let after = deploy::down(aws, stack.name(), KINDS, Options::default()).await.unwrap();
    assert!(after.is_empty(), "{after:?}");
}

async fn deployments(aws: &Aws, api: &str) -> usize {
    let call = client!(aws, aws_sdk_apigateway).get_deployments().rest_api_id(api);
    call.send().await.unwrap().items().len()
}

async fn resource(aws: &Aws, api: &str, path: &str) -> String {
    let call = client!(aws, aws_sdk_apigateway).get_resources().rest_api_id(api).limit(500);
    let found = call.send().await.unwrap();
    let at = found.items().iter().find(|one| one.path() == Some(path)).unwrap();
    at.id().unwrap().to_owned()
}

fn set(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
}

#[tokio::test]
async fn the_layer_is_made_read_back_mended_and_removed() {
    let aws = aws().await;
    let spec = spec(&aws, "api-life").await;
    let stack = stack("api-life", &spec);
    let made = up(&aws, "api-life", &spec).await;
    assert_eq!(
        made.url,
        format!("https://{}.execute-api.us-east-1.amazonaws.com/prod", made.rest_api_id)
    );
    assert_eq!(drift(&aws, &stack).await, Vec::<String>::new(), "nothing left to do");

    sabotage(&aws, &made).await;
    let found = drift(&aws, &stack).await;
    let expected = [
        "api/rest-api: description: \"Ours now\" -> \"Student records\"",
        "api/rest-api: routes./health.DELETE: {",
        "api/rest-api: routes./students.GET.authorization: \"NONE\" -> \"AWS_IAM\"",
        "api/rest-api: routes./students.GET.integration.uri: \"https://elsewhere.example/\" -> \"https://",
        "api/stage: access_logs: null -> {",
        "api/stage: method_settings.*/*.data_trace: true -> false",
        "api/stage: tracing: false -> true",
        "api/stage: web_acl_arn: null -> \"arn:aws:wafv2:",
        "api/vpc-link: name: \"borrowed\" -> \"student-link-api-life\"",
        "api/web-acl: default_action: \"BLOCK\" -> \"ALLOW\"",
        "api/web-acl: logging: null -> {",
        "api/web-acl: rules.AWSManagedRulesAmazonIpReputationList: null -> {",
        "api/web-acl: rules.rate-limit.statement.rate_limit.limit: 1000000 -> 2000",
    ];
    for line in expected {
        assert!(found.iter().any(|drift| drift.starts_with(line)), "{line}\nnot in {found:#?}");
    }

    let again = up(&aws, "api-life", &spec).await;
    assert_eq!(again, made, "mended, not replaced");
    assert_eq!(drift(&aws, &stack).await, Vec::<String>::new());
    assert_eq!(deployments(&aws, &made.rest_api_id).await, 1, "what is deployed was never wrong");

    down(&aws, &stack).await;
}

/// Somebody changes one thing or more of each kind behind our back.
async fn sabotage(aws: &Aws, made: &Outputs) {
    let gateway = client!(aws, aws_sdk_apigateway);
    let api = &made.rest_api_id;
    gateway
        .update_rest_api()
        .rest_api_id(api)
        .patch_operations(set("/description", "Ours now"))
        .send()
        .await
        .unwrap();
    // A method that anyone may call, leading elsewhere.
    let students = resource(aws, api, "/students").await;
    let at = (api.as_str(), students.as_str(), "GET");
    gateway
        .delete_method()
        .rest_api_id(api)
        .resource_id(&students)
        .http_method("GET")
        .send()
        .await
        .unwrap();
    open_method(aws, at).await;
    // A method more.
    let health = resource(aws, api, "/health").await;
    open_method(aws, (api, &health, "DELETE")).await;

    gateway
        .update_stage()
        .rest_api_id(api)
        .stage_name("prod")
        .patch_operations(
            PatchOperation::builder().op(Op::Remove).path("/accessLogSettings").build(),
        )
        .patch_operations(set("/*/*/logging/dataTrace", "true"))
        .patch_operations(set("/tracingEnabled", "false"))
        .send()
        .await
        .unwrap();

    let waf = client!(aws, aws_sdk_wafv2);
    waf.disassociate_web_acl().resource_arn(&made.stage_arn).send().await.unwrap();
    let arn = made.web_acl_arn.as_deref().unwrap();
    waf.delete_logging_configuration().resource_arn(arn).send().await.unwrap();
    weaken(aws, arn).await;

    let links = client!(aws, aws_sdk_apigatewayv2);
    let call = links.update_vpc_link().vpc_link_id(&made.vpc_link_id).name("borrowed");
    call.send().await.unwrap();
}

async fn open_method(aws: &Aws, (api, resource, verb): (&str, &str, &str)) {
    let gateway = client!(aws, aws_sdk_apigateway);
    gateway
        .put_method()
        .rest_api_id(api)
        .resource_id(resource)
        .http_method(verb)
        .authorization_type("NONE")
        .send()
        .await
        .unwrap();
    gateway
        .put_integration()
        .rest_api_id(api)
        .resource_id(resource)
        .http_method(verb)
        .r#type(aws_sdk_apigateway::types::IntegrationType::HttpProxy)
        .integration_http_method("GET")
        .uri("https://elsewhere.example/")
        .send()
        .await
        .unwrap();
}

/// Leaves a web ACL with one rule, which lets nearly everything through.
async fn weaken(aws: &Aws, arn: &str) {
    use aws_sdk_wafv2::types::{
        BlockAction, DefaultAction, RateBasedStatement, RateBasedStatementAggregateKeyType, Rule,
        RuleAction, Scope, Statement,
    };
    let waf = client!(aws, aws_sdk_wafv2);
    let parts: Vec<&str> = arn.rsplit('/').collect();
    let (id, name) = (parts[0], parts[1]);
    let get = waf.get_web_acl().id(id).name(name).scope(Scope::Regional);
    let found = get.send().await.unwrap();
    let visibility = found.web_acl.unwrap().visibility_config.unwrap();
    let rate = RateBasedStatement::builder()
        .limit(1_000_000)
        .aggregate_key_type(RateBasedStatementAggregateKeyType::Ip)
        .build()
        .unwrap();
    let rule = Rule::builder()
        .name("rate-limit")
        .priority(0)
        .statement(Statement::builder().rate_based_statement(rate).build())
        .action(RuleAction::builder().block(BlockAction::builder().build()).build())
        .visibility_config(visibility.clone())
        .build()
        .unwrap();
    waf.update_web_acl()
        .id(id)
        .name(name)
        .scope(Scope::Regional)
        .lock_token(found.lock_token.unwrap())
        .default_action(DefaultAction::builder().block(BlockAction::builder().build()).build())
        .visibility_config(visibility)
        .rules(rule)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_change_of_the_api_makes_a_new_deployment_and_nothing_else_does() {
    let aws = aws().await;
    let mut spec = spec(&aws, "api-redeploy").await;
    let made = up(&aws, "api-redeploy", &spec).await;
    assert_eq!(deployments(&aws, &made.rest_api_id).await, 1);

    spec.throttling_rate = 20.0;
    spec.logging_level = "ERROR".into();
    up(&aws, "api-redeploy", &spec).await;
    assert_eq!(deployments(&aws, &made.rest_api_id).await, 1, "throttling is not deployed");

    spec.routes.push(Route::new("POST", "/students"));
    up(&aws, "api-redeploy", &spec).await;
    assert_eq!(deployments(&aws, &made.rest_api_id).await, 2);

    // Back to what was deployed before: that deployment still exists.
    spec.routes.pop();
    up(&aws, "api-redeploy", &spec).await;
    assert_eq!(deployments(&aws, &made.rest_api_id).await, 2);
    assert_eq!(drift(&aws, &stack("api-redeploy", &spec)).await, Vec::<String>::new());

    // Somebody deploys something else to our stage.
    let gateway = client!(aws, aws_sdk_apigateway);
    let theirs = gateway
        .create_deployment()
        .rest_api_id(&made.rest_api_id)
        .description("a quick fix")
        .send()
        .await
        .unwrap();
    gateway
        .update_stage()
        .rest_api_id(&made.rest_api_id)
        .stage_name("prod")
        .patch_operations(set("/deploymentId", theirs.id().unwrap()))
        .send()
        .await
        .unwrap();
    let found = drift(&aws, &stack("api-redeploy", &spec)).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("api/stage: definition_hash: \"\" -> \""), "{found:#?}");
    up(&aws, "api-redeploy", &spec).await;
    assert_eq!(drift(&aws, &stack("api-redeploy", &spec)).await, Vec::<String>::new());

    down(&aws, &stack("api-redeploy", &spec)).await;
}

#[tokio::test]
async fn callers_can_be_authorised_by_cognito_or_by_a_function() {
    let aws = aws().await;
    let mut spec = spec(&aws, "api-auth").await;
    spec.authorization = Authorization::Cognito {
        user_pools: BTreeSet::from([aws.arn("cognito-idp", "userpool/us-east-1_records").into()]),
        scopes: BTreeSet::from(["records/read".into()]),
    };
    let made = up(&aws, "api-auth", &spec).await;
    assert_eq!(drift(&aws, &stack("api-auth", &spec)).await, Vec::<String>::new());
    let students = resource(&aws, &made.rest_api_id, "/students").await;
    let method = client!(aws, aws_sdk_apigateway)
        .get_method()
        .rest_api_id(&made.rest_api_id)
        .resource_id(&students)
        .http_method("GET")
        .send()
        .await
        .unwrap();
    assert_eq!(method.authorization_type(), Some("COGNITO_USER_POOLS"));
    assert!(method.authorizer_id().is_some());

    // Back to IAM: the authoriser goes, after the methods that named it.
    spec.authorization = Authorization::Iam;
    up(&aws, "api-auth", &spec).await;
    assert_eq!(drift(&aws, &stack("api-auth", &spec)).await, Vec::<String>::new());
    let left = client!(aws, aws_sdk_apigateway).get_authorizers().rest_api_id(&made.rest_api_id);
    assert!(left.send().await.unwrap().items().is_empty());

    spec.authorization = Authorization::Lambda {
        function: aws.arn("lambda", "function:callers").into(),
        role: None,
    };
    up(&aws, "api-auth", &spec).await;
    assert_eq!(drift(&aws, &stack("api-auth", &spec)).await, Vec::<String>::new());
    down(&aws, &stack("api-auth", &spec)).await;
}

#[tokio::test]
async fn a_vpc_link_in_other_subnets_is_made_before_the_old_one_goes() {
    let aws = aws().await;
    let network = network(&aws).await;
    let mut spec = spec_in(&aws, "api-link", &network).await;
    let made = up(&aws, "api-link", &spec).await;
    spec.subnets = network.subnets[1..].iter().map(|id| id.as_str().into()).collect();
    let moved = up(&aws, "api-link", &spec).await;
    assert_ne!(moved.vpc_link_id, made.vpc_link_id);
    assert_eq!(moved.rest_api_id, made.rest_api_id, "the address stays");
    assert_eq!(deployments(&aws, &made.rest_api_id).await, 2, "deployed with the new link");
    assert_eq!(drift(&aws, &stack("api-link", &spec)).await, Vec::<String>::new());
    down(&aws, &stack("api-link", &spec)).await;
}

#[tokio::test]
async fn the_role_of_another_stack_is_left_alone() {
    let aws = aws().await;
    let first = spec(&aws, "api-role-a").await;
    up(&aws, "api-role-a", &first).await;
    let set = client!(aws, aws_sdk_apigateway).get_account().send().await.unwrap();
    let second = spec(&aws, "api-role-b").await;
    up(&aws, "api-role-b", &second).await;
    let still = client!(aws, aws_sdk_apigateway).get_account().send().await.unwrap();
    assert_eq!(still.cloudwatch_role_arn(), set.cloudwatch_role_arn());
    down(&aws, &stack("api-role-a", &first)).await;
    down(&aws, &stack("api-role-b", &second)).await;
}

#[tokio::test]
async fn a_spec_that_cannot_work_is_refused_before_anything_is_called() {
    let aws = aws().await;
    let before = aws.calls();
    let answer = provision(&aws, StackName::new("student", "api-bad"), &ApiSpec::default()).await;
    assert!(matches!(answer, Err(ProvisionError::Invalid(_))), "{answer:?}");
    assert_eq!(aws.calls(), before);
}
