//! STS: who is asking.

use winterbaume_core::MockResponse;
use winterbaume_sts::model::GetCallerIdentityResponse;
use winterbaume_sts::wire;

use crate::call::Call;
use crate::fault::Fault;

pub(crate) fn handle(call: &mut Call<'_>) -> Result<MockResponse, Fault> {
    let form = call.form();
    match form.get("Action").map_or("", String::as_str) {
        "GetCallerIdentity" => {
            Ok(wire::serialize_get_caller_identity_response(&GetCallerIdentityResponse {
                account: Some(call.account_id()),
                arn: Some(format!("arn:aws:iam::{}:user/embedded", call.account_id())),
                user_id: Some("EMBEDDED".into()),
            }))
        }
        other => Err(Fault::unknown_operation("sts", other)),
    }
}
