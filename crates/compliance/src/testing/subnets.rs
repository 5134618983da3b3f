//! Subnets, as EC2 describes them.

use aws_sdk_ec2::operation::describe_subnets::DescribeSubnetsOutput;
use aws_sdk_ec2::types::Subnet;
use aws_smithy_mocks::{Rule, mock};

/// Subnets of `vpc-1`, each with its zone.
pub(crate) fn subnets(all: &'static [(&'static str, &'static str)]) -> Rule {
    mock!(aws_sdk_ec2::Client::describe_subnets).then_output(move || {
        let subnet = |(id, zone): &(&str, &str)| {
            Subnet::builder()
                .subnet_id(*id)
                .vpc_id("vpc-1")
                .cidr_block("10.0.0.0/24")
                .availability_zone(*zone)
                .map_public_ip_on_launch(false)
                .build()
        };
        let all = all.iter().map(subnet).collect();
        DescribeSubnetsOutput::builder().set_subnets(Some(all)).build()
    })
}
