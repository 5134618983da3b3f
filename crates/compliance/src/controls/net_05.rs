//! FERPA-NET-05: default security groups are closed.

use network::Vpc;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-05",
    title: "Default security groups are closed",
    statement: "The default security group of every VPC admits and lets out nothing.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.13.6"],
    why: "Whatever is started without a security group gets this one, and would reach all others that did.",
    reads: &[&["ec2.vpc.default_security_group_closed"]],
    remedy: Remedy {
        stack: "`deploy`: the default group of the stack's VPC is emptied",
        api: "ec2:RevokeSecurityGroupIngress and ec2:RevokeSecurityGroupEgress for every rule of the group `default`",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Vpc>(|vpc| {
        let closed = vpc.read(&["default_security_group_closed"])?.default_security_group_closed;
        let verdict = Verdict::of(
            closed,
            "the default security group has no rules",
            "the default security group has rules: what is started without a group of its own can be reached by them",
        );
        let rules = if closed { "none" } else { "some" };
        Ok(verdict.with("ec2:DescribeSecurityGroups", "IpPermissions, IpPermissionsEgress", rules))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{all_from, default_group, groups, vpc};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_default_group_has_no_rules() {
        let empty = groups(vec![default_group(vec![], vec![])]);
        assert_eq!(only(&judged(&CONTROL, &[vpc(), empty]).await).0, Status::Pass);
        for (ingress, egress) in
            [(vec![all_from("10.0.0.0/8")], vec![]), (vec![], vec![all_from("0.0.0.0/0")])]
        {
            let open = groups(vec![default_group(ingress, egress)]);
            assert_eq!(only(&judged(&CONTROL, &[vpc(), open]).await).0, Status::Fail);
        }
    }

    #[tokio::test]
    async fn groups_that_cannot_be_read_are_unknown() {
        let denied = denied!(aws_sdk_ec2, describe_security_groups, DescribeSecurityGroupsError);
        assert_eq!(only(&judged(&CONTROL, &[vpc(), denied]).await).0, Status::Unknown);
    }
}
