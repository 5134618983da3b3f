//! FERPA-NET-13: nobody logs on from anywhere.

use network::SecurityGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::net::Openings;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-13",
    title: "No SSH or RDP from anywhere",
    statement: "No security group admits the internet at large on the ports of SSH (22) and RDP (3389).",
    severity: Severity::Critical,
    citations: &["NIST SP 800-171r2 3.1.12"],
    why: "Ports on which people log on are the first that are tried, and one weak password is enough.",
    reads: &[&["ec2.security_group.ingress"], Openings::READS],
    remedy: Remedy {
        stack: "`deploy`: no group of the stack admits these ports; use Session Manager where somebody has to log on",
        api: "ec2:RevokeSecurityGroupIngress",
    },
    reach: Reach::Account,
    judge,
};

/// Where people log on, with how it is called.
const LOGONS: [(&str, i32, &str); 3] =
    [("tcp", 22, "SSH"), ("tcp", 3389, "RDP"), ("udp", 3389, "RDP over UDP")];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<SecurityGroup>(|group| {
        let openings = Openings::of(facts, &group.read(&["ingress"])?.ingress);
        let open: Vec<&str> = LOGONS
            .iter()
            .filter(|(protocol, port, _)| openings.open_at(protocol, *port))
            .map(|(_, _, name)| *name)
            .collect();
        if open.is_empty() {
            openings.all_read()?;
        }
        let verdict = Verdict::of(
            open.is_empty(),
            "it admits neither SSH nor RDP from anywhere",
            format!("it admits {} from anywhere", open.join(", ")),
        );
        Ok(verdict.with("ec2:DescribeSecurityGroups", "IpPermissions", open))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{all_from, group, groups, port_from, ports_from};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_range_of_ports_and_all_of_them_have_22_in_them() {
        let range = ports_from(20, 3400, "0.0.0.0/0");
        for (admits, expected) in [
            (vec![port_from(22, "0.0.0.0/0")], "it admits SSH from anywhere"),
            (vec![port_from(3389, "::/0")], "it admits RDP from anywhere"),
            (vec![range], "it admits SSH, RDP from anywhere"),
            (vec![all_from("0.0.0.0/0")], "it admits SSH, RDP, RDP over UDP from anywhere"),
        ] {
            let found = judged(&CONTROL, &[groups(vec![group("sg-1", admits, vec![])])]).await;
            assert_eq!(only(&found), (Status::Fail, expected));
        }
    }

    #[tokio::test]
    async fn an_office_and_other_ports_pass() {
        let admits = vec![port_from(22, "198.51.100.7/32"), port_from(443, "0.0.0.0/0")];
        let found = judged(&CONTROL, &[groups(vec![group("sg-1", admits, vec![])])]).await;
        assert_eq!(only(&found).0, Status::Pass);
    }

    #[tokio::test]
    async fn groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_ec2, describe_security_groups, DescribeSecurityGroupsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
