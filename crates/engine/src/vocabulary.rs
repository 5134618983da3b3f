//! What references refer to: marker types, so that one thing cannot be passed for another.
//!
//! They are AWS's nouns and nothing more: no attributes, no calls. Layers share them so that a layer
//! can take what another made without depending on it.

use std::marker::PhantomData;

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $($(#[$doc])* #[derive(Debug)] pub enum $name {})+ };
}

markers! {
    /// A VPC's id, `vpc-…`.
    VpcId,
    /// An internet gateway's id, `igw-…`.
    InternetGatewayId,
    /// The allocation id of an elastic IP address, `eipalloc-…`.
    AllocationId,
    /// A NAT gateway's id, `nat-…`.
    NatGatewayId,
    /// A route table's id, `rtb-…`.
    RouteTableId,
    /// A security group's id, `sg-…`.
    SecurityGroupId,
    /// A VPC endpoint's id, `vpce-…`.
    VpcEndpointId,
    /// A flow log's id, `fl-…`.
    FlowLogId,
    /// A secret's ARN.
    SecretArn,
    /// A bucket's name.
    BucketName,
    /// A bucket's ARN.
    BucketArn,
    /// An SNS topic's ARN.
    TopicArn,
    /// A log group's name.
    LogGroupName,
    /// A log group's ARN, without the trailing `:*`.
    LogGroupArn,
    /// An IAM role's name.
    RoleName,
    /// An IAM role's ARN.
    RoleArn,
    /// A Lambda function's name.
    FunctionName,
    /// A Lambda function's ARN.
    FunctionArn,
    /// A certificate's ARN.
    CertificateArn,
    /// A load balancer's ARN.
    LoadBalancerArn,
    /// A target group's ARN.
    TargetGroupArn,
    /// A listener's ARN.
    ListenerArn,
    /// A DB cluster's identifier.
    DbClusterId,
    /// A DB cluster's ARN.
    DbClusterArn,
    /// A cache replication group's id.
    ReplicationGroupId,
    /// A Kinesis stream's name.
    StreamName,
    /// A Kinesis stream's ARN.
    StreamArn,
    /// A Firehose delivery stream's name.
    DeliveryStreamName,
    /// A Firehose delivery stream's ARN.
    DeliveryStreamArn,
    /// A file system's id, `fs-…`.
    FileSystemId,
    /// A file system's ARN.
    FileSystemArn,
    /// An EFS access point's id, `fsap-…`.
    AccessPointId,
    /// An EFS access point's ARN.
    AccessPointArn,
    /// An ECS cluster's name.
    EcsClusterName,
    /// An ECS cluster's ARN.
    EcsClusterArn,
    /// A REST API's id.
    RestApiId,
    /// A VPC link's id (v2).
    VpcLinkId,
    /// A web ACL's ARN.
    WebAclArn,
    /// A host name.
    HostName,
    /// The name of something that is only ever referred to within its own layer.
    Name,
    /// The id of something that is only ever referred to within its own layer.
    Id,
    /// The ARN of something that is only ever referred to within its own layer.
    Arn,
    /// A subnet with a route to an internet gateway.
    Public,
    /// A subnet that reaches the internet through a NAT gateway only.
    Private,
    /// A subnet without any route to the internet, for data stores.
    Isolated,
    /// A key for Aurora.
    ForRds,
    /// A key for ElastiCache.
    ForElastiCache,
    /// A key for Kinesis.
    ForKinesis,
    /// A key for EFS.
    ForEfs,
    /// A key for Secrets Manager.
    ForSecrets,
    /// A key for CloudWatch Logs, CloudTrail and their bucket.
    ForLogs,
}

/// The id of a subnet of a tier: [`Public`], [`Private`] or [`Isolated`]. A public and a private
/// subnet are different types.
#[derive(Debug)]
pub struct SubnetId<Tier>(PhantomData<fn() -> Tier>);

/// The ARN of a KMS key that encrypts one kind of store: [`ForRds`], [`ForEfs`]…
#[derive(Debug)]
pub struct KeyArn<Purpose>(PhantomData<fn() -> Purpose>);
