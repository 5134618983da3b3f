//! S3 Control: the account's public access block. Its requests come in through [`s3`](super::s3),
//! because both sign alike.

use serde::{Deserialize, Serialize};
use winterbaume_core::MockResponse;
use winterbaume_s3control::{model, wire};

use crate::call::Call;
use crate::fault::Fault;

/// What S3 Control holds in the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The public access block, if there is one.
    pub public_access: Option<model::PublicAccessBlockConfiguration>,
}

/// Whether the account lets no bucket have a public policy.
pub(crate) fn blocks_public_policy(call: &Call<'_>) -> bool {
    let block = call.account.global.s3control.public_access.as_ref();
    block.is_some_and(|block| block.block_public_policy == Some(true))
}

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let query = call.query();
    let path = call.segments();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (call.request.method.as_str(), path.as_slice()) {
        (method, [_, "configuration", "publicAccessBlock"]) => {
            let input =
                wire::deserialize_get_public_access_block_request(call.request, &[], &query)?;
            if input.account_id != call.account_id() {
                return Err(Fault::new("AccessDenied", "Access Denied").status(403));
            }
            match method {
                "GET" => match &call.account.global.s3control.public_access {
                    Some(block) => Ok(wire::serialize_get_public_access_block_response(block)),
                    None => Err(Fault::new(
                        "NoSuchPublicAccessBlockConfiguration",
                        "The public access block configuration was not found",
                    )
                    .status(404)),
                },
                "PUT" => {
                    let input = wire::deserialize_put_public_access_block_request(
                        call.request,
                        &[],
                        &query,
                    )?;
                    let asked = input.public_access_block_configuration;
                    // What a request leaves out is off.
                    let block = model::PublicAccessBlockConfiguration {
                        block_public_acls: Some(asked.block_public_acls == Some(true)),
                        ignore_public_acls: Some(asked.ignore_public_acls == Some(true)),
                        block_public_policy: Some(asked.block_public_policy == Some(true)),
                        restrict_public_buckets: Some(asked.restrict_public_buckets == Some(true)),
                    };
                    call.account.global.s3control.public_access = Some(block);
                    Ok(wire::serialize_put_public_access_block_response())
                }
                "DELETE" => {
                    call.account.global.s3control.public_access = None;
                    let mut response = wire::serialize_delete_public_access_block_response();
                    response.status = 204;
                    Ok(response)
                }
                other => Err(Fault::unknown_operation("s3control", other)),
            }
        }
        (method, path) => {
            Err(Fault::unknown_operation("s3control", &format!("{method} {}", path.join("/"))))
        }
    }
}
