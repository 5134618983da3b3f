//! FERPA-NET-08: AWS APIs are reached within the network.

use std::collections::{BTreeMap, BTreeSet};

use account::Table;
use compute::{LogGroup, TaskDefinition};
use data::KinesisStream;
use engine::{Inspected, Live, Status};
use network::{EndpointType, Subnet, Vpc, VpcEndpoint};
use security::{Bucket, Key, Secret};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::net::{RecordPlaces, Routes};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-08",
    title: "AWS APIs are reached through VPC endpoints",
    statement: "Every VPC with stores or tasks has working endpoints for the AWS services that carry records and are in use.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.33(a)", "NIST SP 800-171r2 3.13.1"],
    why: "An endpoint's policy decides whose resources records may go to; a NAT gateway lets them go anywhere.",
    reads: &[
        &[
            "ec2.vpc",
            "ec2.vpc_endpoint.vpc_id",
            "ec2.vpc_endpoint.service_name",
            "ec2.vpc_endpoint.endpoint_type",
            "ec2.vpc_endpoint.private_dns",
            "ec2.vpc_endpoint.route_table_ids",
            "ec2.vpc_endpoint.status",
            "ecs.task_definition.containers",
            "s3.bucket",
            "kms.key",
            "secretsmanager.secret",
            "logs.log_group",
            "kinesis.stream",
            "dynamodb.table",
        ],
        RecordPlaces::READS,
        Routes::READS,
    ],
    remedy: Remedy {
        stack: "name the service in `network.endpoints`, then `deploy`",
        api: "ec2:CreateVpcEndpoint with PrivateDnsEnabled=true, or for S3 and DynamoDB with the RouteTableIds of the tasks' subnets",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let places = RecordPlaces::of(facts);
    let needed = needed(facts);
    let endpoints = facts.all::<VpcEndpoint>();
    let mut by_vpc: BTreeMap<&str, Vec<&Live<VpcEndpoint>>> = BTreeMap::new();
    for endpoint in endpoints.iter().flat_map(|all| all.iter()) {
        by_vpc.entry(endpoint.spec.vpc_id.as_str()).or_default().push(endpoint);
    }
    let mut judgements = facts.each_where::<Vpc>(
        |vpc| places.in_vpc(&vpc.id).is_some(),
        |vpc| {
            endpoints.as_ref().map_err(Clone::clone)?;
            let needed = needed.as_ref().map_err(Clone::clone)?;
            let id = vpc.live().id.as_str();
            let here = by_vpc.get(id).map_or(&[][..], Vec::as_slice);
            verdict(facts, needed, here, places.in_vpc(id))
        },
    );
    judgements.extend(places.unread(facts));
    judgements
}

/// The services that carry records, secrets or code and are in use, as the names of endpoints end.
fn needed(facts: &Facts<'_>) -> Result<Vec<&'static str>, Unread> {
    let mut needed = Vec::new();
    let mut need = |service, used: Result<bool, Unread>| used.map(|used| needed.extend(used.then_some(service)));
    need("s3", is_used::<Bucket>(facts))?;
    need("kms", is_used::<Key>(facts))?;
    need("secretsmanager", is_used::<Secret>(facts))?;
    need("logs", is_used::<LogGroup>(facts))?;
    need("kinesis-streams", is_used::<KinesisStream>(facts))?;
    need("dynamodb", is_used::<Table>(facts))?;
    let mut from_ecr = false;
    for live in facts.all::<TaskDefinition>()?.iter() {
        let containers = &Seen::of(live).read(&["containers"])?.containers;
        let is_own = facts.is_subject(TaskDefinition::KIND, &live.id);
        from_ecr |= is_own && containers.values().any(|one| is_in_ecr(&one.image));
    }
    need("ecr.api", Ok(from_ecr))?;
    need("ecr.dkr", Ok(from_ecr))?;
    Ok(needed)
}

fn is_used<T: Inspected>(facts: &Facts<'_>) -> Result<bool, Unread> {
    Ok(facts.all::<T>()?.iter().any(|live| facts.is_subject(T::KIND, &live.id)))
}

/// Whether an image is in a registry of ECR that is not public: `123456789012.dkr.ecr.us-east-1.…`.
fn is_in_ecr(image: &str) -> bool {
    let registry = image.split('/').next().unwrap_or_default();
    registry.contains(".dkr.ecr.") || registry.contains(".dkr-ecr.")
}

fn verdict(
    facts: &Facts<'_>,
    needed: &[&'static str],
    endpoints: &[&Live<VpcEndpoint>],
    tasks: Option<&BTreeSet<String>>,
) -> Result<Verdict, Unread> {
    let mut unread = None;
    let mut faults: Vec<String> = Vec::new();
    for service in needed {
        let end = format!(".{}.{service}", facts.region());
        let fips = format!("{end}-fips");
        let of_service = endpoints.iter().filter(|endpoint| {
            let name = &endpoint.spec.service_name;
            name.ends_with(&end) || name.ends_with(&fips)
        });
        let mut fault = Some(format!("there is no endpoint for {service}"));
        for endpoint in of_service {
            match flaw(facts, endpoint, tasks) {
                Ok(None) => {
                    fault = None;
                    break;
                }
                Ok(Some(why)) => fault = Some(format!("the endpoint for {service} {why}")),
                Err(why) => {
                    fault = None;
                    unread = Some(why);
                }
            }
        }
        faults.extend(fault);
    }
    if let Some(unread) = unread.filter(|_| faults.is_empty()) {
        return Err(unread);
    }
    let good = match needed {
        [] => "no AWS service that carries records is in use".to_owned(),
        needed => format!("there are endpoints for {}", needed.join(", ")),
    };
    let names: Vec<&str> = endpoints.iter().map(|one| one.spec.service_name.as_str()).collect();
    let verdict = Verdict::of(faults.is_empty(), good, faults.join("; "));
    Ok(verdict.with("ec2:DescribeVpcEndpoints", "ServiceName", names))
}

/// Why calls do not take this endpoint; `None` if they do.
fn flaw(
    facts: &Facts<'_>,
    endpoint: &Live<VpcEndpoint>,
    tasks: Option<&BTreeSet<String>>,
) -> Result<Option<String>, Unread> {
    let spec = Seen::of(endpoint).read(&["private_dns", "subnet_ids", "route_table_ids"])?;
    if endpoint.status != Status::Ready {
        return Ok(Some("is not available".into()));
    }
    match &spec.endpoint_type {
        EndpointType::Interface if spec.subnet_ids.is_empty() => {
            Ok(Some("has no network interface".into()))
        }
        EndpointType::Interface if !spec.private_dns => {
            Ok(Some("is passed by: the service's usual name leads elsewhere".into()))
        }
        EndpointType::Interface => Ok(None),
        EndpointType::Gateway => {
            let routes = Routes::of(facts);
            for subnet in tasks.into_iter().flatten() {
                let Some(found) = facts.find::<Subnet>(subnet)? else { continue };
                let table = routes.table(&found)?.map(|table| table.id.as_str());
                let routed = spec.route_table_ids.iter().any(|id| Some(id.as_str()) == table);
                if !routed {
                    return Ok(Some(format!("is not in the routes of {subnet}")));
                }
            }
            Ok(spec.route_table_ids.is_empty().then(|| "is in no route table".into()))
        }
        EndpointType::Other(word) => Ok(Some(format!("is of the type {word}"))),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_vpc_endpoints::DescribeVpcEndpointsOutput;
    use aws_sdk_ec2::types::builders::VpcEndpointBuilder;
    use aws_sdk_ec2::types::{VpcEndpoint, VpcEndpointType};
    use aws_smithy_mocks::{Rule, mock};

    use super::{CONTROL, is_in_ecr};
    use crate::finding::Status;
    use crate::testing::ec2::{database, subnets, vpc};
    use crate::testing::{beside, customer_key, denied, judged, only};

    /// A VPC with a database, whose key is the only service in use.
    fn account(endpoint: Option<fn(VpcEndpointBuilder) -> VpcEndpointBuilder>) -> Vec<Rule> {
        let mut rules = database();
        rules.extend(customer_key());
        rules.extend([vpc(), subnets(&[("subnet-a", "us-east-1a"), ("subnet-b", "us-east-1b")])]);
        rules.push(mock!(aws_sdk_ec2::Client::describe_vpc_endpoints).then_output(move || {
            let whole = VpcEndpoint::builder().vpc_endpoint_id("vpce-1").vpc_id("vpc-1");
            let whole = whole.service_name("com.amazonaws.us-east-1.kms").subnet_ids("subnet-a");
            let whole = whole.vpc_endpoint_type(VpcEndpointType::Interface);
            let whole = whole.state("available".into()).private_dns_enabled(true);
            let shown = endpoint.map(|change| change(whole).build());
            DescribeVpcEndpointsOutput::builder().set_vpc_endpoints(Some(shown.into_iter().collect())).build()
        }));
        rules
    }

    #[tokio::test]
    async fn what_is_in_use_has_an_endpoint() {
        let found = judged(&CONTROL, &account(Some(|it| it))).await;
        assert_eq!(only(&found), (Status::Pass, "there are endpoints for kms"));
        let found = judged(&CONTROL, &account(None)).await;
        assert_eq!(only(&found), (Status::Fail, "there is no endpoint for kms"));
    }

    #[tokio::test]
    async fn tables_in_use_want_an_endpoint_too() {
        let rules = [account(Some(|it| it)), beside::table(None, &[])].concat();
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found), (Status::Fail, "there is no endpoint for dynamodb"));
    }

    #[tokio::test]
    async fn an_endpoint_that_is_passed_by_or_of_another_region_is_none() {
        let by = account(Some(|it| it.private_dns_enabled(false)));
        assert_eq!(only(&judged(&CONTROL, &by).await).0, Status::Fail);
        let elsewhere = account(Some(|it| it.service_name("com.amazonaws.eu-west-1.kms")));
        assert_eq!(only(&judged(&CONTROL, &elsewhere).await).0, Status::Fail);
        let coming = account(Some(|it| it.state("pendingAcceptance".into())));
        assert_eq!(only(&judged(&CONTROL, &coming).await).0, Status::Fail);
        let fips = account(Some(|it| it.service_name("com.amazonaws.us-east-1.kms-fips")));
        assert_eq!(only(&judged(&CONTROL, &fips).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn endpoints_that_cannot_be_listed_are_unknown() {
        let mut rules = account(None);
        rules.pop();
        rules.push(denied!(aws_sdk_ec2, describe_vpc_endpoints, DescribeVpcEndpointsError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }

    #[test]
    fn only_images_of_a_private_registry_come_through_an_endpoint() {
        assert!(is_in_ecr("123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1"));
        assert!(!is_in_ecr("public.ecr.aws/nginx/nginx:1") && !is_in_ecr("docker.io/x/.dkr.ecr.:1"));
    }
}
