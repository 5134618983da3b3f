//! FERPA-NET-07: no public addresses.

use account::{Instance, NetworkInterface, UsedBy};
use compute::Service;
use engine::Live;
use network::Subnet;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::net::RecordPlaces;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-07",
    title: "Tasks have no public address and subnets assign none",
    statement: "Tasks get no public address, neither do machines in a VPC with records, and no subnet assigns one unasked.",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.5"],
    why: "What has a public address is one rule away from being reached by everybody.",
    reads: &[
        &[
            "ecs.service.assign_public_ip",
            "ec2.subnet.map_public_ip_on_launch",
            "ec2.network_interface.vpc_id",
            "ec2.network_interface.used_by",
            "ec2.network_interface.public_address",
            "ec2.instance.vpc_id",
            "ec2.instance.public_address",
        ],
        RecordPlaces::READS,
    ],
    remedy: Remedy {
        stack: "`network.public_ip_on_launch = false`, then `deploy`; tasks never get a public address",
        api: "ecs:UpdateService with assignPublicIp=DISABLED; ec2:ModifySubnetAttribute with MapPublicIpOnLaunch=false; a machine has to be started anew without",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let places = RecordPlaces::of(facts);
    let mut judgements = facts.each::<Service>(|service| {
        let public = service.read(&["assign_public_ip"])?.assign_public_ip;
        let verdict = Verdict::of(
            !public,
            "its tasks get no public address",
            "its tasks get public addresses",
        );
        Ok(verdict.with("ecs:DescribeServices", "assignPublicIp", public))
    });
    judgements.extend(facts.each::<Subnet>(|subnet| {
        let public = subnet.read(&["map_public_ip_on_launch"])?.map_public_ip_on_launch;
        let verdict = Verdict::of(
            !public,
            "it assigns no public address",
            "what is started in it gets a public address unasked",
        );
        Ok(verdict.with("ec2:DescribeSubnets", "MapPublicIpOnLaunch", public))
    }));
    // A task that no service runs shows only by its interface.
    judgements.extend(facts.each_where::<NetworkInterface>(
        |interface| interface.spec.used_by == UsedBy::Ecs,
        |interface| {
            let address = interface.read(&["public_address"])?.public_address.as_deref();
            Ok(verdict("ec2:DescribeNetworkInterfaces", "PublicIp", "the task", address))
        },
    ));
    let beside_records = |machine: &Live<Instance>| {
        machine.spec.vpc_id.as_deref().is_some_and(|vpc| places.in_vpc(vpc).is_some())
    };
    judgements.extend(facts.each_where::<Instance>(
        |machine| beside_records(machine) || places.all_read().is_err(),
        |machine| {
            let address = machine.read(&["public_address"])?.public_address.as_deref();
            if address.is_some() && !beside_records(machine.live()) {
                places.all_read()?;
            }
            Ok(verdict("ec2:DescribeInstances", "PublicIpAddress", "the machine", address))
        },
    ));
    judgements
}

fn verdict(call: &str, field: &str, what: &str, address: Option<&str>) -> Verdict {
    let shown = address.unwrap_or_default();
    let verdict = Verdict::of(
        address.is_none(),
        format!("{what} has no public address"),
        format!("{what} has the public address {shown}"),
    );
    verdict.with(call, field, address)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::describe_subnets::DescribeSubnetsOutput;
    use aws_sdk_ec2::types::{NetworkInterfaceAssociation, Subnet};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{interface, service};
    use crate::testing::{denied, judged, only};

    fn subnet(public: bool) -> Rule {
        mock!(aws_sdk_ec2::Client::describe_subnets).then_output(move || {
            let subnet = Subnet::builder().subnet_id("subnet-a").vpc_id("vpc-1");
            let subnet = subnet.cidr_block("10.0.1.0/24").map_public_ip_on_launch(public);
            DescribeSubnetsOutput::builder().subnets(subnet.build()).build()
        })
    }

    #[tokio::test]
    async fn subnets_assign_none() {
        assert_eq!(only(&judged(&CONTROL, &[subnet(false)]).await).0, Status::Pass);
        assert_eq!(only(&judged(&CONTROL, &[subnet(true)]).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn tasks_get_none_with_a_service_or_without() {
        let found = judged(&CONTROL, &service(true)).await;
        assert_eq!(only(&found), (Status::Fail, "its tasks get public addresses"));
        assert_eq!(only(&judged(&CONTROL, &service(false)).await).0, Status::Pass);
        let task = interface(|it| {
            let public = NetworkInterfaceAssociation::builder().public_ip("192.0.2.1").build();
            let about = "arn:aws:ecs:us-east-1:123456789012:attachment/1";
            it.requester_managed(true).description(about).association(public)
        });
        let found = judged(&CONTROL, &[task]).await;
        assert_eq!(only(&found), (Status::Fail, "the task has the public address 192.0.2.1"));
    }

    #[tokio::test]
    async fn subnets_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_ec2, describe_subnets, DescribeSubnetsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
