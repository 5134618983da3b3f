//! FERPA-AVL-12: VPC links lead to what they can reach.

use api::VpcLinkV1;
use engine::Status as Condition;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-12",
    title: "VPC links lead to what they can reach",
    statement: "Every VPC link of version 1 leads to a network load balancer, and works.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10"],
    why: "Such a link reaches no other kind of load balancer: behind one that leads elsewhere nobody gets to see their records.",
    reads: &[&[
        "apigateway.vpc_link.targets",
        "apigateway.vpc_link.status_message",
        "apigateway.vpc_link.status",
    ]],
    remedy: Remedy {
        stack: "`deploy`: its link is of version 2 and leads to the application load balancer; the other can be deleted",
        api: "apigatewayv2:CreateVpcLink, and apigateway:UpdateIntegration with connectionId and integrationTarget",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<VpcLinkV1>(|link| {
        let spec = link.read(&["targets", "status_message", "status"])?;
        if spec.targets.is_empty() {
            let what = format!("where the link {} leads", link.live().id);
            return Err(Unread { what, error: None });
        }
        let strange = spec.targets.iter().filter(|arn| !is_network_load_balancer(arn));
        let strange: Vec<&str> = strange.map(String::as_str).collect();
        let message = spec.status_message.as_deref();
        let verdict = match &link.live().status {
            Condition::Deleting => Verdict::not_applicable("the link is being deleted"),
            _ if !strange.is_empty() => Verdict::fail(format!(
                "the link leads to {}, and reaches network load balancers only",
                strange.join(", ")
            )),
            Condition::Failed(_) => Verdict::fail(format!(
                "the link does not work: {}",
                message.unwrap_or("AWS says no more")
            )),
            _ => Verdict::pass("the link leads to a network load balancer"),
        };
        let targets: Vec<&str> = spec.targets.iter().map(String::as_str).collect();
        Ok(verdict.with("apigateway:GET", "targetArns", targets).with(
            "apigateway:GET",
            "statusMessage",
            message,
        ))
    })
}

fn is_network_load_balancer(arn: &str) -> bool {
    arn.contains(":loadbalancer/net/")
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::operation::get_vpc_links::GetVpcLinksOutput;
    use aws_sdk_apigateway::types::{VpcLink, VpcLinkStatus};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn link(target: &'static str, status: VpcLinkStatus) -> Rule {
        mock!(aws_sdk_apigateway::Client::get_vpc_links).then_output(move || {
            let arn = format!(
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/{target}"
            );
            let one = VpcLink::builder().id("abc").name("records").target_arns(arn);
            let one = one.status(status.clone()).status_message("endpoint service is gone").build();
            GetVpcLinksOutput::builder().items(one).build()
        })
    }

    #[tokio::test]
    async fn a_link_leads_to_a_network_load_balancer_and_works() {
        for (target, status, expected) in [
            ("net/front/1", VpcLinkStatus::Available, Status::Pass),
            ("net/front/1", VpcLinkStatus::Pending, Status::Pass),
            ("app/front/1", VpcLinkStatus::Available, Status::Fail),
            ("net/front/1", VpcLinkStatus::Failed, Status::Fail),
            ("app/front/1", VpcLinkStatus::Deleting, Status::NotApplicable),
        ] {
            let found = judged(&CONTROL, &[link(target, status.clone())]).await;
            assert_eq!(only(&found).0, expected, "{target} {status}");
        }
        let failed = judged(&CONTROL, &[link("net/front/1", VpcLinkStatus::Failed)]).await;
        assert_eq!(only(&failed).1, "the link does not work: endpoint service is gone");
    }

    #[tokio::test]
    async fn links_that_lead_nowhere_or_cannot_be_listed_are_unknown() {
        let nowhere = mock!(aws_sdk_apigateway::Client::get_vpc_links).then_output(|| {
            let one = VpcLink::builder().id("abc").status(VpcLinkStatus::Available).build();
            GetVpcLinksOutput::builder().items(one).build()
        });
        assert_eq!(only(&judged(&CONTROL, &[nowhere]).await).0, Status::Unknown);
        let denied = denied!(aws_sdk_apigateway, get_vpc_links, GetVpcLinksError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
