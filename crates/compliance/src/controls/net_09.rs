//! FERPA-NET-09: no way to the network of an undeclared account.

use account::{TransitGatewayAttachment, VpcPeeringConnection};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-NET-09",
    title: "Networks are joined with declared accounts only",
    statement: "No peering connection and no transit gateway joins a network with that of an undeclared account.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(i)(B)"],
    why: "Whoever works with records on the school's behalf is under its direct control; a network nobody has declared is under nobody's.",
    reads: &[&[
        "ec2.vpc_peering_connection.requester_account",
        "ec2.vpc_peering_connection.accepter_account",
        "ec2.vpc_peering_connection.state",
        "ec2.transit_gateway_attachment.gateway_account",
        "ec2.transit_gateway_attachment.resource_account",
        "ec2.transit_gateway_attachment.state",
    ]],
    remedy: Remedy {
        stack: "name the account in `audit.declared_accounts` if an agreement covers it",
        api: "ec2:DeleteVpcPeeringConnection or ec2:DeleteTransitGatewayVpcAttachment",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<VpcPeeringConnection>(|connection| {
        let spec =
            connection.read(&["requester_account", "accepter_account", "state"])?;
        let asked = spec.state == "pending-acceptance";
        let (requester, accepter) =
            (known(&spec.requester_account, "requester")?, known(&spec.accepter_account, "accepter")?);
        let verdict = verdict(facts, "peering connection", asked, requester, accepter);
        let call = "ec2:DescribeVpcPeeringConnections";
        Ok(verdict
            .with(call, "RequesterVpcInfo.OwnerId", requester)
            .with(call, "AccepterVpcInfo.OwnerId", accepter))
    });
    judgements.extend(facts.each::<TransitGatewayAttachment>(|attachment| {
        let spec = attachment.read(&["gateway_account", "resource_account", "state"])?;
        let asked = spec.state == "pendingAcceptance";
        let (resource, gateway) =
            (known(&spec.resource_account, "resource's")?, known(&spec.gateway_account, "gateway's")?);
        let verdict = verdict(facts, "attachment", asked, resource, gateway);
        let call = "ec2:DescribeTransitGatewayAttachments";
        Ok(verdict
            .with(call, "ResourceOwnerId", resource)
            .with(call, "TransitGatewayOwnerId", gateway))
    }));
    judgements
}

fn known<'a>(account: &'a Option<String>, whose: &str) -> Result<&'a str, Unread> {
    let account = account.as_deref().filter(|account| !account.is_empty());
    account.ok_or_else(|| Unread { what: format!("the {whose} account"), error: None })
}

/// Of a way that `from` asked for and `to` has to accept.
fn verdict(facts: &Facts<'_>, what: &str, only_asked: bool, from: &str, to: &str) -> Verdict {
    let undeclared = [from, to].into_iter().find(|account| !facts.is_declared_account(account));
    match undeclared {
        None => Verdict::pass(format!("the {what} is between this account and declared ones")),
        // Anybody may ask.
        Some(stranger) if only_asked && stranger == from => Verdict::not_applicable(format!(
            "the undeclared account {stranger} has asked for the {what}, and nobody has accepted it"
        )),
        Some(stranger) => {
            Verdict::fail(format!("the {what} is with {stranger}, an undeclared account"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_ec2::operation::describe_transit_gateway_attachments::DescribeTransitGatewayAttachmentsOutput;
    use aws_sdk_ec2::operation::describe_vpc_peering_connections::DescribeVpcPeeringConnectionsOutput;
    use aws_sdk_ec2::types::{
        TransitGatewayAttachment, VpcPeeringConnection, VpcPeeringConnectionStateReason,
        VpcPeeringConnectionVpcInfo,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::{denied, judged, judged_with, only};

    const OWN: &str = "123456789012";
    const OTHER: &str = "111122223333";

    fn peering(from: &'static str, to: &'static str, state: &'static str) -> Rule {
        let side = |owner: &str| VpcPeeringConnectionVpcInfo::builder().owner_id(owner).build();
        mock!(aws_sdk_ec2::Client::describe_vpc_peering_connections).then_output(move || {
            let state = VpcPeeringConnectionStateReason::builder().code(state.into()).build();
            let shown = VpcPeeringConnection::builder().vpc_peering_connection_id("pcx-1");
            let shown = shown.requester_vpc_info(side(from)).accepter_vpc_info(side(to));
            DescribeVpcPeeringConnectionsOutput::builder()
                .vpc_peering_connections(shown.status(state).build())
                .build()
        })
    }

    fn attachment(gateway: &'static str) -> Rule {
        mock!(aws_sdk_ec2::Client::describe_transit_gateway_attachments).then_output(move || {
            let shown = TransitGatewayAttachment::builder().transit_gateway_attachment_id("tgw-1");
            let shown = shown.transit_gateway_owner_id(gateway).resource_owner_id(OWN);
            DescribeTransitGatewayAttachmentsOutput::builder()
                .transit_gateway_attachments(shown.state("available".into()).build())
                .build()
        })
    }

    #[tokio::test]
    async fn only_declared_accounts_are_joined() {
        let status = async |rule| only(&judged(&CONTROL, &[rule]).await).0;
        assert_eq!(status(peering(OWN, OWN, "active")).await, Status::Pass);
        assert_eq!(status(peering(OWN, OTHER, "active")).await, Status::Fail);
        assert_eq!(status(peering(OTHER, OWN, "active")).await, Status::Fail);
        assert_eq!(status(attachment(OWN)).await, Status::Pass);
        assert_eq!(status(attachment(OTHER)).await, Status::Fail);
        let declared_accounts = BTreeSet::from([OTHER.to_owned()]);
        let settings = Settings { declared_accounts, ..Settings::default() };
        let found = judged_with(&CONTROL, &[attachment(OTHER)], &settings).await;
        assert_eq!(only(&found).0, Status::Pass);
    }

    #[tokio::test]
    async fn what_a_stranger_asks_for_is_no_way_in() {
        let status = async |rule| only(&judged(&CONTROL, &[rule]).await).0;
        assert_eq!(status(peering(OTHER, OWN, "pending-acceptance")).await, Status::NotApplicable);
        assert_eq!(status(peering(OWN, OTHER, "pending-acceptance")).await, Status::Fail);
        assert_eq!(status(peering(OWN, OTHER, "rejected")).await, Status::NotApplicable);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_unknown() {
        let denied =
            denied!(aws_sdk_ec2, describe_vpc_peering_connections, DescribeVpcPeeringConnectionsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
