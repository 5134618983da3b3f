//! EBS: whether new volumes are encrypted, and with which key.

use winterbaume_core::MockResponse;
use winterbaume_ec2_generated::model::{
    DisableEbsEncryptionByDefaultResult, EnableEbsEncryptionByDefaultResult,
    GetEbsDefaultKmsKeyIdResult, GetEbsEncryptionByDefaultResult, ModifyEbsDefaultKmsKeyIdResult,
    ResetEbsDefaultKmsKeyIdResult,
};
use winterbaume_ec2_generated::wire;

use super::{Answer, Form, held, missing, seen};
use crate::call::Call;

pub(super) fn encryption(call: &mut Call<'_>) -> MockResponse {
    let on = seen(call).ebs_encryption_by_default;
    wire::serialize_get_ebs_encryption_by_default_response(&GetEbsEncryptionByDefaultResult {
        ebs_encryption_by_default: Some(on),
        sse_type: Some(if on { "sse-kms" } else { "none" }.into()),
    })
}

pub(super) fn set_encryption(call: &mut Call<'_>, on: bool) -> MockResponse {
    held(call).ebs_encryption_by_default = on;
    let ebs_encryption_by_default = Some(on);
    if on {
        wire::serialize_enable_ebs_encryption_by_default_response(
            &EnableEbsEncryptionByDefaultResult { ebs_encryption_by_default },
        )
    } else {
        wire::serialize_disable_ebs_encryption_by_default_response(
            &DisableEbsEncryptionByDefaultResult { ebs_encryption_by_default },
        )
    }
}

fn key_in_use(call: &mut Call<'_>) -> Option<String> {
    let chosen = seen(call).ebs_default_kms_key_id.clone();
    Some(chosen.unwrap_or_else(|| "alias/aws/ebs".into()))
}

pub(super) fn key(call: &mut Call<'_>) -> MockResponse {
    let kms_key_id = key_in_use(call);
    wire::serialize_get_ebs_default_kms_key_id_response(&GetEbsDefaultKmsKeyIdResult { kms_key_id })
}

pub(super) fn set_key(call: &mut Call<'_>, form: &Form) -> Answer {
    let key = wire::deserialize_modify_ebs_default_kms_key_id_request(form)?.kms_key_id;
    if key.is_empty() {
        return Err(missing("KmsKeyId"));
    }
    let arn = match key.as_str() {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        alias if alias.starts_with("alias/") => call.arn("kms", alias),
        id => call.arn("kms", &format!("key/{id}")),
    };
    held(call).ebs_default_kms_key_id = Some(arn.clone());
    let answer = ModifyEbsDefaultKmsKeyIdResult { kms_key_id: Some(arn) };
    Ok(wire::serialize_modify_ebs_default_kms_key_id_response(&answer))
}

pub(super) fn reset_key(call: &mut Call<'_>) -> MockResponse {
    held(call).ebs_default_kms_key_id = None;
    let kms_key_id = key_in_use(call);
    wire::serialize_reset_ebs_default_kms_key_id_response(&ResetEbsDefaultKmsKeyIdResult {
        kms_key_id,
    })
}
