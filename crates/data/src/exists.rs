//! "It exists already", from services whose error code does not say so.

use engine::{ApiError, Error};

/// Kinesis, Firehose and EFS have one code for a name that is taken and for a resource that is busy.
/// The code of the former becomes one that the engine takes for what it is: an earlier call of ours
/// took effect, or the name belongs to somebody else.
pub(crate) fn told_apart(error: Error) -> Error {
    match error {
        Error::Api(mut api)
            if !api.is_exists() && api.message.to_ascii_lowercase().contains("already exists") =>
        {
            api.code.push_str(".AlreadyExists");
            Error::Api(api)
        }
        other => other,
    }
}

/// What AWS would answer to the creation of what exists.
pub(crate) fn already(action: &str, code: &str, name: &str) -> Error {
    Error::Api(ApiError {
        action: action.into(),
        code: code.into(),
        message: format!("{name} exists already"),
        status: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use(message: &str) -> Error {
        Error::Api(ApiError {
            action: "kinesis:CreateStream".into(),
            code: "ResourceInUseException".into(),
            message: message.into(),
            status: Some(400),
        })
    }

    #[test]
    fn a_taken_name_is_not_a_busy_resource() {
        let taken = told_apart(in_use("Stream a under account 1 already exists."));
        assert!(taken.api().unwrap().is_exists());
        let busy =
            told_apart(in_use("Stream a under account 1 not ACTIVE, instead in state UPDATING"));
        assert!(!busy.api().unwrap().is_exists());
    }
}
