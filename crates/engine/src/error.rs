//! What can go wrong, told apart as far as a retry, an exit code or a reader needs it.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::{Deserialize, Serialize};

/// The result of anything that talks to AWS.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a resource could not be read, made, changed or removed.
#[derive(Debug, Clone, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    /// AWS answered with an error, or did not answer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Api(#[from] ApiError),

    /// Something did not happen within its deadline.
    #[error("waited {} for {what}", humane(*.waited))]
    #[diagnostic(help(
        "run the command again: it goes on where this run stopped; if it keeps happening, {hint}"
    ))]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// What to look at.
        hint: String,
    },

    /// The run was stopped while this was waited for. Nothing is lost: the next run goes on from here.
    #[error("stopped while waiting")]
    Stopped,

    /// A resource went into a state from which it does not recover by itself.
    #[error("{what} failed: {reason}")]
    #[diagnostic(help("the next deploy replaces it, unless it holds data"))]
    Failed {
        /// The resource.
        what: String,
        /// AWS's own words.
        reason: String,
    },

    /// AWS's answer lacks something that it always has.
    #[error("{action} answered without {missing}")]
    #[diagnostic(help("the endpoint does not behave as AWS documents; nothing was assumed"))]
    Incomplete {
        /// The action that was called.
        action: String,
        /// The missing part.
        missing: String,
    },

    /// A value that AWS gave, or that we were asked to set, is not what the kind can hold.
    #[error("{what}: {why}")]
    #[diagnostic(help("put that right, and run the command again: it goes on from here"))]
    Invalid {
        /// What is wrong.
        what: String,
        /// Why.
        why: String,
    },

    /// The deletion is refused because it would lose data that nobody agreed to lose.
    #[error("{what} stays: {why}")]
    #[diagnostic(help("--allow-data-loss lets it go, after a final snapshot where AWS has one"))]
    Kept {
        /// The resource.
        what: String,
        /// Why it stays.
        why: String,
    },
}

impl Error {
    /// The call whose answer lacks something.
    pub fn incomplete(action: &str, missing: &str) -> Self {
        Self::Incomplete { action: action.into(), missing: missing.into() }
    }

    /// A value that does not fit.
    pub fn invalid(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Invalid { what: what.into(), why: why.to_string() }
    }

    /// What was waited for did not happen in time.
    pub fn overdue(what: impl Into<String>, waited: Duration) -> Self {
        let hint = "look at the resource in the AWS console".into();
        Self::Deadline { what: what.into(), waited, hint }
    }

    /// The API error, where it is one.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }
}

/// The code of calls that were not made.
const NOT_ASKED: &str = "NotAsked";

/// AWS said no (or nothing).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{action}: {code}{}{message}", if .message.is_empty() { "" } else { ": " })]
pub struct ApiError {
    /// The IAM action that was called, `ec2:CreateVpc`.
    pub action: String,
    /// AWS's error code, or `Unreachable`, `Timeout`, `Unparsable`, `NotAsked` where there was none.
    pub code: String,
    /// AWS's message.
    pub message: String,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
}

impl miette::Diagnostic for ApiError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        if self.is_denied() {
            return Some(Box::new(format!(
                "allow the IAM action {} to the credentials in use",
                self.denied_action()
            )));
        }
        match self.code.as_str() {
            "Unreachable" => Some(Box::new(
                "is the endpoint up, and is the address right? then run it again: it goes on from here",
            )),
            _ if self.is_throttled() => {
                Some(Box::new("AWS throttled the call to the end of the retries; run it again"))
            }
            _ if self.is_over_quota() => Some(Box::new(
                "request a higher quota in Service Quotas (or remove what is not needed), and run it again",
            )),
            _ if self.is_not_found() => Some(Box::new(
                "it was removed during the run, or AWS does not show it yet: run it again",
            )),
            _ if self.code == "Timeout" || self.status.is_some_and(|status| status >= 500) => {
                Some(Box::new(
                    "AWS did not do it, or did not say so: run it again, it goes on from here",
                ))
            }
            _ if self.is_in_use() => {
                Some(Box::new("something still uses it: see what, and run it again"))
            }
            _ if self.is_exists() => Some(Box::new(
                "see whose it is: rename or remove it, or choose another project or environment name",
            )),
            _ => Some(Box::new(
                "put right what AWS complains about, in the configuration or in the account, and run it again",
            )),
        }
    }
}

impl ApiError {
    /// Reads an SDK error. `action` is the IAM action that the call needs.
    pub fn from_sdk<E>(action: &str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let (code, message) = match &error {
            SdkError::ServiceError(service) => {
                let meta = service.err();
                let code = meta.code().map(str::to_owned);
                let message = meta.message().map(str::to_owned);
                // Some servers deny in a format that the protocol does not have.
                let code = code.unwrap_or_else(|| match status {
                    Some(401 | 403) => "AccessDenied".into(),
                    Some(404) => "NotFound".into(),
                    _ => "Unparsable".into(),
                });
                (code, message.unwrap_or_default())
            }
            SdkError::ResponseError(_) if matches!(status, Some(401 | 403)) => {
                ("AccessDenied".into(), String::new())
            }
            SdkError::ResponseError(_) => ("Unparsable".into(), chain(&error)),
            SdkError::TimeoutError(_) => ("Timeout".into(), chain(&error)),
            SdkError::DispatchFailure(_) => ("Unreachable".into(), chain(&error)),
            _ => ("InvalidRequest".into(), chain(&error)),
        };
        Self { action: action.to_owned(), code, message, status }
    }

    /// A call that was not made, for a reason.
    pub fn not_asked(action: &str, why: &str) -> Self {
        Self { action: action.into(), code: NOT_ASKED.into(), message: why.into(), status: None }
    }

    /// The call was not made.
    pub fn is_not_asked(&self) -> bool {
        self.code == NOT_ASKED
    }

    /// The thing that was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        let code = self.code.as_str();
        code.contains("NotFound")
            || code.contains("NoSuch")
            || code.contains("DoesNotExist")
            || code == "WAFNonexistentItemException"
    }

    /// Something with that name exists.
    pub fn is_exists(&self) -> bool {
        let code = self.code.as_str();
        code.contains("AlreadyExists")
            || code.contains("AlreadyOwnedByYou")
            || code.ends_with(".Duplicate")
            || code.starts_with("Duplicate")
            || (code == "InvalidParameterException" && self.message.contains("not idempotent"))
            || code.contains("ResourceExists")
            || code == "WAFDuplicateItemException"
    }

    /// Something still depends on it.
    pub fn is_in_use(&self) -> bool {
        let code = self.code.as_str();
        code == "DependencyViolation"
            || code.contains("InUse")
            || code == "DeleteConflict"
            || code == "WAFAssociatedItemException"
            || code.starts_with("Dependent")
    }

    /// The credentials may not do this.
    pub fn is_denied(&self) -> bool {
        let code = self.code.as_str();
        code.starts_with("AccessDenied")
            || code == "UnauthorizedOperation"
            || code == "AuthorizationError"
            || code == "NotAuthorized"
            || code == "AuthorizationErrorException"
    }

    /// The resource itself keeps the credentials out, whatever else they may do: AWS then names a
    /// resource-based policy, as in
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
    pub fn is_denied_by_resource(&self) -> bool {
        self.is_denied() && self.message.contains("resource-based policy")
    }

    /// The server does not have the operation at all. Imitations of AWS say so in several ways, or fail
    /// without a word that the protocol knows; AWS itself has all its operations.
    pub fn is_not_implemented(&self) -> bool {
        self.status == Some(501)
            || self.code.starts_with("NotImplemented")
            || self.code.starts_with("UnknownOperation")
            || (self.status == Some(500) && self.code == "Unparsable")
    }

    /// AWS wants fewer calls.
    pub fn is_throttled(&self) -> bool {
        let code = self.code.as_str();
        code.contains("Throttl")
            || code.contains("RequestLimitExceeded")
            || code.contains("TooManyRequests")
            || code == "SlowDown"
            // Kinesis and Firehose have one code for both.
            || (code.contains("LimitExceeded") && self.message.contains("ate exceeded"))
    }

    /// The account has as many of these as it may.
    pub fn is_over_quota(&self) -> bool {
        let code = self.code.as_str();
        code.contains("LimitExceeded") && !self.is_throttled()
            || code.contains("QuotaExceeded")
            || code == "TooManyBuckets"
    }

    /// The IAM action that is missing: the one that AWS names in its message, else the one called.
    pub fn denied_action(&self) -> &str {
        let named = self.message.split_once("perform: ").map(|(_, rest)| rest);
        let named = named.and_then(|rest| rest.split([' ', '\n']).next());
        match named {
            Some(action) if action.contains(':') => action,
            _ => &self.action,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(source) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// A duration as a person says it: `45 s`, `2 min 5 s`.
pub fn humane(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, 0) => format!("{} ms", duration.as_millis()),
        (0, s) => format!("{s} s"),
        (m, 0) => format!("{m} min"),
        (m, s) => format!("{m} min {s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> ApiError {
        ApiError {
            action: "ec2:CreateVpc".into(),
            code: code.into(),
            message: message.into(),
            status: Some(403),
        }
    }

    #[test]
    fn a_denial_names_the_missing_action() {
        let silent = error("AccessDenied", "");
        assert_eq!(silent.denied_action(), "ec2:CreateVpc");
        let named = error(
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/a is not authorized to perform: kms:CreateGrant on resource: x",
        );
        assert!(named.is_denied());
        assert_eq!(named.denied_action(), "kms:CreateGrant");
    }

    #[test]
    fn a_resource_that_keeps_us_out_is_told_from_a_missing_permission() {
        let denied = |why: &str| {
            let message = format!(
                "User: arn:aws:iam::1:user/a is not authorized to perform: kms:ListResourceTags on \
                 resource: x because no {why} policy allows the kms:ListResourceTags action"
            );
            error("AccessDeniedException", &message)
        };
        assert!(denied("resource-based").is_denied_by_resource());
        assert!(!denied("identity-based").is_denied_by_resource());
        assert!(!error("AccessDenied", "").is_denied_by_resource());
    }

    #[test]
    fn codes_are_told_apart() {
        assert!(error("InvalidVpcID.NotFound", "").is_not_found());
        assert!(error("InvalidGroup.Duplicate", "").is_exists());
        assert!(error("InvalidGroup.InUse", "").is_in_use());
        assert!(error("ThrottlingException", "").is_throttled());
        assert!(error("TooManyRequestsException", "").is_throttled());
        let quota = error("LimitExceededException", "This request would exceed the shard limit");
        assert!(quota.is_over_quota() && !quota.is_throttled());
        let rate = error("LimitExceededException", "Rate exceeded for stream x");
        assert!(rate.is_throttled() && !rate.is_over_quota());
        assert!(!error("ValidationError", "").is_not_found());
    }
}
