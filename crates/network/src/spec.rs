//! What an operator may choose of the network.

use engine::vocabulary::{LogGroupArn, RoleArn};
use engine::{Ref, Tags};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// The network: what it looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSpec {
    /// The VPC's address range, /16 to /28.
    pub cidr: Ipv4Net,
    /// Two to four availability zones with their subnets.
    pub zones: Vec<Zone>,
    /// Whether what is started in a public subnet gets a public address unasked.
    pub public_addresses: bool,
    /// Whether private subnets reach the internet, each through a NAT gateway in its own zone. Without,
    /// everything has to go through the endpoints.
    pub nat_gateways: bool,
    /// Where the service may go with HTTPS.
    pub service_https_egress: HttpsEgress,
    /// Where the flow log goes; `None` for no flow log.
    pub flow_logs: Option<FlowLogsTo>,
    /// Over how many seconds the flow log sums up traffic: 60 or 600.
    pub flow_log_interval: i32,
    /// The AWS services that are reached without leaving the network.
    pub endpoints: Endpoints,
    /// Where things listen.
    pub ports: Ports,
    /// Addresses that are admitted beside the stack's own groups.
    pub admit: Vec<Admission>,
    /// The tags of what data passes through or rests in: the VPC and the isolated subnets.
    pub data_tags: Tags,
}

impl NetworkSpec {
    /// The usual network in these zones: 10.0.0.0/16, public subnets from 10.0.1.0/24, private ones
    /// from 10.0.11.0/24, isolated ones from 10.0.21.0/24.
    pub fn in_zones(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::within(Ipv4Net::new_assert([10, 0, 0, 0].into(), 16), names)
    }

    /// As [`in_zones`](Self::in_zones), in another address range: the same thirty-second parts of it,
    /// or /24s where those are smaller.
    pub fn within(cidr: Ipv4Net, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let part = |at: usize| {
            let length = (cidr.prefix_len() + 5).clamp(24, 32);
            let part = cidr.subnets(length).ok().and_then(|mut parts| parts.nth(at));
            // Too small a range to divide: the whole, which does not pass validation.
            part.unwrap_or(cidr)
        };
        let zones = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| Zone {
                name: name.into(),
                public: part(at + 1),
                private: part(at + 11),
                isolated: part(at + 21),
            })
            .collect();
        Self {
            cidr,
            zones,
            public_addresses: false,
            nat_gateways: true,
            service_https_egress: HttpsEgress::Endpoints,
            flow_logs: None,
            flow_log_interval: 60,
            endpoints: Endpoints::default(),
            ports: Ports::default(),
            admit: Vec::new(),
            data_tags: Tags::from([("DataClassification".into(), "education-records".into())]),
        }
    }
}

/// An availability zone, with a subnet of each tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name: `us-east-1a`.
    pub name: String,
    /// Where its NAT gateway stands.
    pub public: Ipv4Net,
    /// Where tasks run, and the load balancer and the endpoints have their interfaces.
    pub private: Ipv4Net,
    /// Where data stores are. No route leads out.
    pub isolated: Ipv4Net,
}

/// Where the service may go with HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpsEgress {
    /// To the endpoints only.
    #[default]
    Endpoints,
    /// To the endpoints, and through NAT to any address. Needed for images that do not come from ECR.
    Internet,
}

/// Addresses that a group admits, on its own port: a campus network behind a VPN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// The group.
    pub group: Admits,
    /// The addresses.
    pub cidr: Ipv4Net,
}

/// A group that may admit more than the stack's own groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Admits {
    /// The load balancer's, for HTTPS.
    LoadBalancer,
    /// The tasks'.
    Service,
    /// The database's.
    Database,
    /// The cache's.
    Cache,
    /// The file system's.
    FileSystem,
}

/// Where the flow log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLogsTo {
    /// The log group.
    pub log_group_arn: Ref<LogGroupArn>,
    /// The role that may write to it; trusts `vpc-flow-logs.amazonaws.com`.
    pub role_arn: Ref<RoleArn>,
}

/// The AWS services that have an endpoint in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// S3, by a route. ECR keeps the layers of images there.
    pub s3: bool,
    /// DynamoDB, by a route.
    pub dynamodb: bool,
    /// KMS.
    pub kms: bool,
    /// Secrets Manager.
    pub secretsmanager: bool,
    /// CloudWatch Logs.
    pub logs: bool,
    /// ECR's API.
    pub ecr_api: bool,
    /// ECR's registry.
    pub ecr_dkr: bool,
    /// Kinesis.
    pub kinesis_streams: bool,
    /// Sessions of people inside tasks (ECS execute-command).
    pub ssmmessages: bool,
}

/// All but those for DynamoDB, where this project keeps nothing, and for sessions, which not every stack lets
/// people have.
impl Default for Endpoints {
    fn default() -> Self {
        Self {
            s3: true,
            dynamodb: false,
            kms: true,
            secretsmanager: true,
            logs: true,
            ecr_api: true,
            ecr_dkr: true,
            kinesis_streams: true,
            ssmmessages: false,
        }
    }
}

impl Endpoints {
    /// None of them.
    pub const NONE: Self = Self {
        s3: false,
        dynamodb: false,
        kms: false,
        secretsmanager: false,
        logs: false,
        ecr_api: false,
        ecr_dkr: false,
        kinesis_streams: false,
        ssmmessages: false,
    };

    /// Whether each service has a gateway endpoint, by the end of its name.
    pub fn gateways(&self) -> [(&'static str, bool); 2] {
        [("s3", self.s3), ("dynamodb", self.dynamodb)]
    }

    /// Whether each service has an interface endpoint, by the end of its name.
    pub fn interfaces(&self) -> [(&'static str, bool); 7] {
        [
            ("kms", self.kms),
            ("secretsmanager", self.secretsmanager),
            ("logs", self.logs),
            ("ecr.api", self.ecr_api),
            ("ecr.dkr", self.ecr_dkr),
            ("kinesis-streams", self.kinesis_streams),
            ("ssmmessages", self.ssmmessages),
        ]
    }
}

/// Where things listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The container.
    pub container: u16,
    /// PostgreSQL.
    pub postgres: u16,
    /// Redis.
    pub redis: u16,
    /// NFS: EFS has no other.
    pub nfs: u16,
    /// The load balancer. Endpoints listen on 443 whatever this says.
    pub https: u16,
}

/// 8080, 5432, 6379, 2049, 443.
impl Default for Ports {
    fn default() -> Self {
        Self { container: 8080, postgres: 5432, redis: 6379, nfs: 2049, https: 443 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_subnets_are_those_of_the_documentation() {
        let spec = NetworkSpec::in_zones(["us-east-1a", "us-east-1b"]);
        let shown: Vec<String> = spec
            .zones
            .iter()
            .flat_map(|zone| [zone.public, zone.private, zone.isolated])
            .map(|range| range.to_string())
            .collect();
        let expected = [
            "10.0.1.0/24",
            "10.0.11.0/24",
            "10.0.21.0/24",
            "10.0.2.0/24",
            "10.0.12.0/24",
            "10.0.22.0/24",
        ];
        assert_eq!(shown, expected);
    }
}
