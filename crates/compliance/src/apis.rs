//! What APIs have in common, whichever of API Gateway's two services they belong to: who may call, and how
//! the caller is known afterwards.

/// How a method or route finds out who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authorized {
    /// Requests are signed with AWS credentials.
    Iam,
    /// A token of a Cognito user pool, or another one that is checked by its signature.
    Token,
    /// A Lambda function decides.
    Function,
    /// Nobody asks.
    Not,
}

impl Authorized {
    /// What a method's authorisation means: AWS's word, and whether there is the authoriser that it needs.
    pub fn by(word: &str, authorizer: bool) -> Self {
        match (word, authorizer) {
            ("AWS_IAM", _) => Self::Iam,
            ("COGNITO_USER_POOLS" | "JWT", true) => Self::Token,
            ("CUSTOM", true) => Self::Function,
            _ => Self::Not,
        }
    }

    /// Whether one of the variables in an access log's line says who called. Each way of authorisation
    /// fills variables of its own and leaves the others empty. An address is not a person, and neither is an
    /// API key or an AWS account.
    pub fn is_named_by(self, variables: &[&str]) -> bool {
        variables.iter().any(|variable| match self {
            Self::Iam => matches!(
                *variable,
                "identity.userArn"
                    | "identity.user"
                    | "identity.caller"
                    | "identity.cognitoIdentityId"
            ),
            Self::Token => ["authorizer.claims.", "authorizer.jwt.claims."]
                .iter()
                .any(|claims| variable.strip_prefix(claims).is_some_and(identifies)),
            Self::Function => variable.strip_prefix("authorizer.").is_some_and(is_told_by_function),
            Self::Not => false,
        })
    }
}

/// Whether an authoriser's variable is what the function said of the caller: beside the principal that is
/// its own choice. AWS's own variables say how the call went, and claims are empty.
fn is_told_by_function(variable: &str) -> bool {
    const OF_AWS: [&str; 6] =
        ["error", "integrationLatency", "integrationStatus", "latency", "requestId", "status"];
    !OF_AWS.contains(&variable) && !variable.contains("claims.")
}

/// Whether a claim says who somebody is: `iss`, `aud` or `scope` do not.
fn identifies(claim: &str) -> bool {
    ["sub", "username", "cognito:username", "preferred_username", "email"].contains(&claim)
}

/// The `$context` variables of an access log's format, without `$context.`.
pub fn variables(format: &str) -> Vec<&str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':'));
    format
        .split("$context.")
        .skip(1)
        .map(|rest| rest.split(ends).next().unwrap_or_default().trim_end_matches(['.', ':']))
        .collect()
}

/// Whether a method is a health probe, which load balancers and monitors call without credentials: a read of
/// one of a few fixed paths at the root, so that `/students/health` is not one.
pub fn is_probe(verb: &str, path: &str) -> bool {
    const PATHS: [&str; 5] = ["/health", "/healthz", "/livez", "/readyz", "/ping"];
    matches!(verb, "GET" | "HEAD") && PATHS.contains(&path)
}

/// The rate that AWS gives an account in a region: a limit that is not lower is none.
pub const ACCOUNT_RATE: f64 = 10_000.0;

/// Whether a rate limits anything. -1 stands for the account's limit, and so does what AWS leaves out.
pub fn limits(rate: f64) -> bool {
    rate > 0.0 && rate < ACCOUNT_RATE
}

/// `a, b, c and 4 more`.
pub fn listed(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_called_is_in_the_variables_of_the_authorisation() {
        let agent = variables("$context.identity.userAgent $context.identity.sourceIp");
        assert_eq!(agent, ["identity.userAgent", "identity.sourceIp"]);
        assert!(!Authorized::Iam.is_named_by(&agent));
        let json = variables(r#"{"who":"$context.identity.userArn","id":"$context.requestId"}"#);
        assert!(Authorized::Iam.is_named_by(&json));
        assert!(!Authorized::Token.is_named_by(&json), "IAM's variables are empty then");
        let claims = variables("$context.authorizer.claims.cognito:username");
        assert!(Authorized::Token.is_named_by(&claims));
        assert!(!Authorized::Token.is_named_by(&variables("$context.authorizer.claims.iss")));
        assert!(Authorized::Function.is_named_by(&variables("$context.authorizer.principalId")));
        assert!(!Authorized::Function.is_named_by(&variables("$context.authorizer.latency")));
    }

    #[test]
    fn an_authoriser_that_is_not_there_authorises_nobody() {
        assert_eq!(Authorized::by("CUSTOM", false), Authorized::Not);
        assert_eq!(Authorized::by("NONE", true), Authorized::Not);
        assert_eq!(Authorized::by("AWS_IAM", false), Authorized::Iam);
    }

    #[test]
    fn records_of_health_are_no_probe() {
        assert!(is_probe("GET", "/health"));
        for (verb, path) in [("POST", "/health"), ("ANY", "/health"), ("GET", "/students/health")] {
            assert!(!is_probe(verb, path), "{verb} {path}");
        }
    }
}
