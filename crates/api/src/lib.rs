//! The way in: a REST API with its VPC link, authorisation, stage and web ACL.
//!
//! A request passes the web ACL, is authorised (by IAM, unless the spec says otherwise), is written
//! to an access log that names the caller, and goes over the VPC link, with TLS, to an application
//! load balancer in private subnets.
//!
//! [`provision`] brings the layer up by itself, [`declare`] composes it into a larger stack. By itself:
//!
//! ```
//! use api::{ApiSpec, provision};
//! use engine::{Aws, StackName, Target, client};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let plane = local::ControlPlane::in_memory();
//! let aws = Aws::connect(Target::Embedded(plane.http_client()), Some("us-east-1")).await?;
//!
//! // What other layers provide: private subnets, a security group, a load balancer, a log group, and
//! // a role with which API Gateway writes to it.
//! client!(aws, aws_sdk_cloudwatchlogs).create_log_group().log_group_name("/api/access").send().await?;
//! let iam = client!(aws, aws_sdk_iam);
//! let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
//!     "Principal": {"Service": "apigateway.amazonaws.com"}}]}"#;
//! let role = iam.create_role().role_name("api-logs").assume_role_policy_document(trust).send().await?;
//! let push = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
//! iam.attach_role_policy().role_name("api-logs").policy_arn(push).send().await?;
//! # let ec2 = client!(aws, aws_sdk_ec2);
//! # let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await?;
//! # let vpc = vpc.vpc.and_then(|vpc| vpc.vpc_id).unwrap();
//! # let mut subnets = Vec::new();
//! # for (zone, range) in [("us-east-1a", "10.0.11.0/24"), ("us-east-1b", "10.0.12.0/24")] {
//! #     let call = ec2.create_subnet().vpc_id(&vpc).cidr_block(range).availability_zone(zone);
//! #     subnets.push(call.send().await?.subnet.and_then(|subnet| subnet.subnet_id).unwrap());
//! # }
//! # let group = ec2.create_security_group().vpc_id(&vpc).group_name("link").description("link");
//! # let group = group.send().await?.group_id.unwrap();
//! # let balancer = client!(aws, aws_sdk_elasticloadbalancingv2).create_load_balancer();
//! # let balancer = balancer.name("records").set_subnets(Some(subnets.clone())).security_groups(&group);
//! # let balancer = balancer.send().await?.load_balancers.unwrap().remove(0);
//!
//! let spec = ApiSpec {
//!     subnets: subnets.into_iter().map(Into::into).collect(),
//!     vpc_link_security_group: group.into(),
//!     load_balancer: balancer.load_balancer_arn.unwrap_or_default().into(),
//!     load_balancer_host: balancer.dns_name.unwrap_or_default().into(),
//!     access_log_group: aws.arn("logs", "log-group:/api/access").into(),
//!     cloudwatch_role: role.role.map(|role| role.arn.into()),
//!     ..ApiSpec::default()
//! };
//! let up = provision(&aws, StackName::new("student", "dev"), &spec).await?;
//! assert!(up.url.ends_with(".execute-api.us-east-1.amazonaws.com/prod"));
//! # Ok(())
//! # }
//! ```
//!
//! In one stack with a network and a load balancer, of which none exists yet:
//!
//! ```
//! use api::{ApiSpec, Route};
//! use compute::LoadBalancer;
//! use compute::load_balancer::dns_name;
//! use compute::log_group::{LogGroupSpec, declare_log_group};
//! use compute::roles::ApiGatewayLogRole;
//! use engine::plan::Options;
//! use engine::{Aws, Place, Stack, StackName, Tags, Target, deploy};
//! use network::NetworkSpec;
//! use security::{KeysSpec, declare_keys};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let target = Target::Embedded(local::ControlPlane::in_memory().http_client());
//! # let aws = Aws::connect(target, Some("us-east-1")).await?;
//! let place = Place::of(&aws);
//! let mut stack = Stack::new(StackName::new("registrar", "dev"), Tags::new());
//! let keys = declare_keys(&mut stack, &KeysSpec::new(place.clone()));
//! let spec = NetworkSpec::in_zones(["us-east-1a", "us-east-1b"]);
//! let network = network::declare(&mut stack, &spec, &place);
//! let balancer =
//!     LoadBalancer::internal("registrar", &network.private_subnets, network.load_balancer);
//! let balancer = stack.add("registrar/balancer", balancer);
//! let log = LogGroupSpec::new("/api/registrar-access-dev", keys.logs).kept_for(2557);
//! let log = declare_log_group(&mut stack, "registrar/access-log", &log);
//!
//! let spec = ApiSpec {
//!     routes: vec![Route::new("GET", "/transcripts/{id}")],
//!     subnets: network.private_subnets.into_iter().collect(),
//!     vpc_link_security_group: network.link,
//!     load_balancer: balancer.arn(),
//!     load_balancer_host: dns_name(&balancer),
//!     access_log_group: log.arn(),
//!     cloudwatch_role: Some(ApiGatewayLogRole.declare(&mut stack, &place)),
//!     ..ApiSpec::default()
//! };
//! let api = api::declare(&mut stack, &spec);
//!
//! let kinds = [security::KINDS, network::KINDS, compute::KINDS, api::KINDS].concat();
//! let deployed = deploy::up(&aws, &stack, &kinds, Options::default()).await?;
//! assert!(api.resolve(&deployed)?.url.ends_with(".execute-api.us-east-1.amazonaws.com/prod"));
//! # Ok(())
//! # }
//! ```

pub mod account;
pub mod domain_name;
pub mod http_api;
pub mod rest_api;
pub mod spec;
pub mod stage;
mod tags;
pub mod vpc_link;
pub mod vpc_link_v1;
pub mod web_acl;
pub mod web_acl_association;

use engine::plan::Options;
use engine::{Aws, DeployError, Error, Kind, Mistake, Reader, Stack, StackName, Tags, deploy};

pub use account::ApiGatewayAccount;
pub use domain_name::DomainName;
pub use http_api::HttpApi;
pub use rest_api::{Authorizer, Integration, Method, RestApi, Routes};
pub use spec::{
    Api, ApiSpec, Authorization, Firewall, InvokeUrl, Outputs, Route, declare, validate,
};
pub use stage::{AccessLogs, MethodSettings, Stage};
pub use vpc_link::VpcLink;
pub use vpc_link_v1::VpcLinkV1;
pub use web_acl::WebAcl;
pub use web_acl_association::WebAclAssociation;

/// The kinds of this layer.
pub const KINDS: &[Kind] = &[
    Kind::of::<ApiGatewayAccount>(),
    Kind::of::<RestApi>(),
    Kind::of::<Stage>(),
    Kind::of::<VpcLink>(),
    Kind::of::<WebAcl>(),
];

/// What only audits look at.
pub const READERS: &[Reader] = &[
    Reader::of::<DomainName>(),
    Reader::of::<HttpApi>(),
    Reader::of::<VpcLinkV1>(),
    Reader::of::<WebAclAssociation>(),
];

/// Why the layer is not up.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The spec cannot be carried out; nothing was called.
    #[error("the API cannot be built: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Mistake>),
    /// The plan was refused, or a step failed.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// What runs does not say what it should.
    #[error(transparent)]
    Outputs(#[from] Error),
}

/// Brings the layer up by itself and waits until it answers. Calling it again changes what differs.
///
/// # Errors
/// When the spec is not valid, the plan is refused, or a step fails. What was done stays done; calling
/// again goes on.
pub async fn provision(
    aws: &Aws,
    name: StackName,
    spec: &ApiSpec,
) -> Result<Outputs, ProvisionError> {
    let problems = validate(spec);
    if !problems.is_empty() {
        return Err(ProvisionError::Invalid(problems));
    }
    let mut stack = Stack::new(name, Tags::new());
    let api = declare(&mut stack, spec);
    let deployed = deploy::up(aws, &stack, KINDS, Options::default()).await?;
    Ok(api.resolve(&deployed)?)
}
