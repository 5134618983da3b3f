//! What an audit asks for and nothing here makes: machines, disks and their copies, ways to other networks.

use winterbaume_core::MockResponse;
use winterbaume_ec2_generated::model::{
    DescribeSnapshotsResult, DescribeVolumesResult, DescribeVpcPeeringConnectionsResult,
};
use winterbaume_ec2_generated::wire;

use super::{Answer, Form, not_found};

/// The answer to an operation; `None` if it is not one of those.
pub(super) fn answer(action: &str, form: &Form) -> Option<Answer> {
    Some(match action {
        "DescribeInstances" => empty(form, "InstanceId", "InvalidInstanceID.NotFound", || {
            nothing_in("DescribeInstances", "reservationSet")
        }),
        "DescribeVolumes" => empty(form, "VolumeId", "InvalidVolume.NotFound", || {
            wire::serialize_describe_volumes_response(&DescribeVolumesResult::default())
        }),
        "DescribeSnapshots" | "DescribeSnapshotAttribute" => {
            empty(form, "SnapshotId", "InvalidSnapshot.NotFound", || {
                wire::serialize_describe_snapshots_response(&DescribeSnapshotsResult::default())
            })
        }
        "DescribeVpcPeeringConnections" => {
            empty(form, "VpcPeeringConnectionId", "InvalidVpcPeeringConnectionID.NotFound", || {
                let nothing = DescribeVpcPeeringConnectionsResult::default();
                wire::serialize_describe_vpc_peering_connections_response(&nothing)
            })
        }
        "DescribeTransitGatewayAttachments" => empty(
            form,
            "TransitGatewayAttachmentId",
            "InvalidTransitGatewayAttachmentID.NotFound",
            || nothing_in("DescribeTransitGatewayAttachments", "transitGatewayAttachments"),
        ),
        _ => return None,
    })
}

/// Nothing, unless one is asked for by its id.
fn empty(form: &Form, ids: &str, code: &str, nothing: impl Fn() -> MockResponse) -> Answer {
    match form.iter().find(|(key, _)| key.starts_with(ids)) {
        Some((_, id)) => Err(not_found(code, "resource", id)),
        None => Ok(nothing()),
    }
}

/// An answer whose model is not compiled: half of EC2's model is machines and transit gateways, and an empty list is all that
/// this account ever says of them.
fn nothing_in(action: &str, list: &str) -> MockResponse {
    let namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
    let body = format!("<{action}Response xmlns=\"{namespace}\"><{list}/></{action}Response>");
    MockResponse::xml(200, body)
}
