//! FERPA-NET-06: every VPC's traffic is logged.

use std::collections::BTreeMap;

use engine::{Live, Status};
use network::{FlowLog, Vpc};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-06",
    title: "Every VPC has flow logs of all traffic",
    statement: "Every VPC has a flow log of all traffic, accepted and rejected, that is delivered.",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.1", "NIST SP 800-171r2 3.14.6"],
    why: "Without a record of who talked to whom, nobody can say after a breach whose records left.",
    reads: &[&[
        "ec2.vpc",
        "ec2.flow_log.resource_id",
        "ec2.flow_log.traffic_type",
        "ec2.flow_log.delivery_error",
        "ec2.flow_log.status",
    ]],
    remedy: Remedy {
        stack: "`network.flow_logs = true`, then `deploy`",
        api: "ec2:CreateFlowLogs with ResourceType=VPC and TrafficType=ALL, and a role that may write to the log group",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let logs = facts.all::<FlowLog>();
    let mut by_vpc: BTreeMap<&str, Vec<&Live<FlowLog>>> = BTreeMap::new();
    for log in logs.iter().flat_map(|logs| logs.iter()) {
        by_vpc.entry(log.spec.resource_id.as_str()).or_default().push(log);
    }
    facts.each::<Vpc>(|vpc| {
        logs.as_ref().map_err(Clone::clone)?;
        verdict(by_vpc.get(vpc.live().id.as_str()).map_or(&[], Vec::as_slice))
    })
}

fn verdict(logs: &[&Live<FlowLog>]) -> Result<Verdict, Unread> {
    let (mut accepted, mut rejected) = (false, false);
    let mut faults: Vec<String> = Vec::new();
    let mut unread = None;
    for log in logs {
        let spec = match Seen::of(log).read(&["traffic_type", "delivery_error"]) {
            Ok(spec) => spec,
            Err(why) => {
                unread = Some(why);
                continue;
            }
        };
        if let Some(error) = &spec.delivery_error {
            faults.push(format!("{} is not delivered: {error}", log.id));
        } else if log.status != Status::Ready {
            faults.push(format!("{} is not active", log.id));
        } else {
            accepted |= matches!(spec.traffic_type.as_str(), "ALL" | "ACCEPT");
            rejected |= matches!(spec.traffic_type.as_str(), "ALL" | "REJECT");
        }
    }
    // Another log may deliver what this one may not.
    if let Some(why) = unread.filter(|_| !(accepted && rejected)) {
        return Err(why);
    }
    let kinds: Vec<&str> = logs.iter().map(|log| log.spec.traffic_type.as_str()).collect();
    let missing = match (accepted, rejected) {
        (true, false) => "rejected traffic is not logged",
        (false, true) => "accepted traffic is not logged",
        _ if logs.is_empty() => "it has no flow log",
        _ => "no flow log of it works",
    };
    faults.insert(0, missing.to_owned());
    let verdict = Verdict::of(
        accepted && rejected,
        "all of its traffic is logged and the log delivered",
        faults.join("; "),
    );
    Ok(verdict.with("ec2:DescribeFlowLogs", "TrafficType", kinds))
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::ec2::{flow_logs, vpc};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn all_traffic_is_logged_by_one_log_or_by_two() {
        let one = flow_logs(vec![("ALL", None)]);
        assert_eq!(only(&judged(&CONTROL, &[vpc(), one]).await).0, Status::Pass);
        let two = flow_logs(vec![("ACCEPT", None), ("REJECT", None)]);
        assert_eq!(only(&judged(&CONTROL, &[vpc(), two]).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn no_log_half_a_log_and_one_that_does_not_arrive_fail() {
        let found = judged(&CONTROL, &[vpc()]).await;
        assert_eq!(only(&found), (Status::Fail, "it has no flow log"));
        let half = flow_logs(vec![("REJECT", None)]);
        let found = judged(&CONTROL, &[vpc(), half]).await;
        assert_eq!(only(&found), (Status::Fail, "accepted traffic is not logged"));
        let lost = flow_logs(vec![("ALL", Some("Access error"))]);
        let found = judged(&CONTROL, &[vpc(), lost]).await;
        let expected = "no flow log of it works; fl-0 is not delivered: Access error";
        assert_eq!(only(&found), (Status::Fail, expected));
    }

    #[tokio::test]
    async fn logs_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_ec2, describe_flow_logs, DescribeFlowLogsError);
        assert_eq!(only(&judged(&CONTROL, &[vpc(), denied]).await).0, Status::Unknown);
    }
}
