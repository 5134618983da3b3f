//! FERPA-LOG-09: load balancers write access logs.

use compute::LoadBalancer;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-09",
    title: "Load balancers write access logs",
    statement: "Every load balancer writes each request down in a bucket.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.3.1"],
    why: "After a breach, the requests that reached the application are the first thing that is asked for.",
    reads: &[&["elbv2.load_balancer.access_logs"]],
    remedy: Remedy {
        stack: "`deploy`: the load balancer always logs",
        api: "elasticloadbalancing:ModifyLoadBalancerAttributes with access_logs.s3.enabled and access_logs.s3.bucket",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<LoadBalancer>(|balancer| {
        let logs = &balancer.read(&["access_logs"])?.access_logs;
        let bucket = logs.as_ref().map(|logs| logs.bucket.to_string());
        let bucket = bucket.filter(|name| !name.is_empty());
        let verdict = match &bucket {
            Some(bucket) => Verdict::pass(format!("requests are logged into the bucket {bucket}")),
            None => Verdict::fail("the load balancer writes no access log"),
        };
        let call = "elasticloadbalancing:DescribeLoadBalancerAttributes";
        Ok(verdict.with(call, "access_logs.s3.bucket", bucket))
    })
}

#[cfg(test)]
mod tests {
    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::logging::balancer_that_logs;
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn requests_are_logged_or_not() {
        let found = judged(&CONTROL, &balancer_that_logs(Some("logs"))).await;
        assert_eq!(only(&found), (Status::Pass, "requests are logged into the bucket logs"));
        let found = judged(&CONTROL, &balancer_that_logs(None)).await;
        assert_eq!(only(&found), (Status::Fail, "the load balancer writes no access log"));
    }

    #[tokio::test]
    async fn attributes_that_cannot_be_read_are_unknown() {
        let denied = denied!(
            aws_sdk_elasticloadbalancingv2,
            describe_load_balancer_attributes,
            DescribeLoadBalancerAttributesError
        );
        let rules = [vec![denied], balancer_that_logs(None)].concat();
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
