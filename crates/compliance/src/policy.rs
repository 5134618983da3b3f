//! What a policy document means: who it admits, to what, under which conditions.
//!
//! Controls ask this module questions; they never look at a document's spelling. It answers for the
//! worst case: what a statement *could* allow to somebody, given that only conditions which really
//! narrow count. It is no simulator of single requests.

use engine::Policy;
use serde_json::Value;

/// A document, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    allow: bool,
    principals: Principals,
    actions: Matcher,
    resources: Matcher,
    conditions: Vec<Condition>,
}

/// Who a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Principals {
    /// It says nothing: an identity policy.
    Unsaid,
    /// These.
    These(Vec<Principal>),
    /// All but these.
    AllBut(Vec<Principal>),
}

/// One principal of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Everybody, signed in or not.
    Everybody,
    /// An account, or somebody in it: twelve digits.
    Account(String),
    /// An AWS service: `logs.us-east-1.amazonaws.com`.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// Anything else that a policy may name (a canonical user, a deleted principal's id).
    Other(String),
}

/// A list of patterns, or all but those.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Matcher {
    patterns: Vec<String>,
    negated: bool,
    /// Actions are compared without case; ARNs with it.
    caseless: bool,
}

/// One condition: an operator, a key, its values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// What a statement's conditions leave of "everybody".
#[derive(Debug, Clone, PartialEq, Eq)]
enum Narrowing {
    /// Nothing: still everybody.
    None,
    /// Somebody who is tied to something of ours (an organisation, a VPC, a resource without account).
    Tied,
    /// These accounts.
    Accounts(Vec<String>),
}

impl Document {
    /// Reads a document.
    pub fn of(policy: &Policy) -> Self {
        let statements = match policy.document().get("Statement") {
            Some(Value::Array(items)) => items.iter().map(Statement::of).collect(),
            Some(one @ Value::Object(_)) => vec![Statement::of(one)],
            _ => Vec::new(),
        };
        Self { statements }
    }

    /// Who from outside the document admits: everybody, or an account that is not trusted, where no
    /// condition narrows the statement and no Deny takes it back.
    pub fn outsiders(&self, trusted: impl Fn(&str) -> bool) -> Vec<Principal> {
        let mut found = Vec::new();
        for statement in self.statements.iter().filter(|statement| statement.allow) {
            if self.denies_strangers(statement, &trusted) {
                continue;
            }
            found.extend(statement.admitted(&trusted));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Whether an Allow statement covers every action on every resource (ACC-01).
    pub fn allows_everything(&self) -> bool {
        self.allowing()
            .any(|statement| statement.actions.covers_all() && statement.resources.covers_all())
    }

    /// Whether an action is allowed on every resource of its kind: the resource pattern ends in nothing
    /// but wildcards after the type (`*`, `arn:aws:iam::123456789012:role/*`). Conditions do not count:
    /// what they leave is still every resource.
    pub fn allows_on_any(&self, action: &str) -> bool {
        self.allowing().filter(|statement| statement.actions.matches(action)).any(|statement| {
            statement.resources.negated || statement.resources.patterns.iter().any(|p| is_open(p))
        })
    }

    /// Whether any statement allows the action on anything.
    pub fn allows(&self, action: &str) -> bool {
        self.allowing().any(|statement| statement.actions.matches(action))
    }

    /// Whether an action is allowed on a resource, as far as it can be told without a request.
    pub fn allows_on(&self, action: &str, resource: &str) -> bool {
        let about = |statement: &&Statement| {
            statement.actions.matches(action) && statement.resources.matches(resource)
        };
        let denied = |statement: &Statement| {
            !statement.allow && statement.conditions.is_empty() && about(&statement)
        };
        self.allowing().any(|statement| about(&statement)) && !self.statements.iter().any(denied)
    }

    /// Actions of a service that are allowed with a wildcard among them or on every resource: what
    /// ACC-02 looks for. `prefixes` are the data services (`kinesis:`, `secretsmanager:`).
    pub fn open_actions(&self, prefixes: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for statement in self.allowing() {
            let open_resource = statement.resources.negated
                || statement.resources.patterns.iter().any(|pattern| is_open(pattern));
            if statement.actions.negated {
                found.push("everything but some actions".to_owned());
                continue;
            }
            for action in &statement.actions.patterns {
                let lower = action.to_lowercase();
                let concerns = prefixes.iter().any(|prefix| {
                    lower.starts_with(prefix)
                        || (lower.contains('*') && could_match(&lower, prefix))
                });
                if concerns && (open_resource || lower.contains('*')) {
                    found.push(action.clone());
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Whether plain transport is denied to everybody for every action that starts with `service:`.
    pub fn denies_plain_transport(&self, service: &str) -> bool {
        let every = format!("{service}:*");
        self.statements.iter().any(|statement| {
            !statement.allow
                && statement.is_about_everybody()
                && (statement.actions.covers(&every) || statement.actions.covers_all())
                && statement.conditions.len() == 1
                && statement.conditions[0].is("bool", "aws:securetransport", "false")
        })
    }

    /// The services that may assume the role, each with whether it is narrowed to a source account or ARN.
    pub fn trusted_services(&self, trusted: impl Fn(&str) -> bool) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        for statement in self.allowing() {
            let Principals::These(principals) = &statement.principals else { continue };
            let narrowed = match statement.narrowing() {
                Narrowing::None => false,
                Narrowing::Tied => true,
                Narrowing::Accounts(accounts) => accounts.iter().all(|account| trusted(account)),
            };
            for principal in principals {
                if let Principal::Service(name) = principal {
                    found.push((name.clone(), narrowed));
                }
            }
        }
        found
    }

    fn allowing(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.allow)
    }

    /// Whether a Deny takes back what `allowed` gives to those who are not trusted.
    fn denies_strangers(&self, allowed: &Statement, trusted: &impl Fn(&str) -> bool) -> bool {
        self.statements.iter().any(|deny| {
            !deny.allow
                && deny.is_about_everybody_but(trusted)
                && allowed.actions.is_within(&deny.actions)
                && allowed.resources.is_within(&deny.resources)
                && match &deny.conditions[..] {
                    [] => matches!(deny.principals, Principals::AllBut(_)),
                    [condition] => condition.is_not_from(trusted),
                    _ => false,
                }
        })
    }
}

impl Statement {
    fn of(value: &Value) -> Self {
        let list = |name: &str| strings(value.get(name));
        let matcher = |plain: &str, negated: &str, caseless: bool| {
            let (patterns, negated) = match value.get(negated) {
                Some(_) => (list(negated), true),
                None => (list(plain), false),
            };
            Matcher { patterns, negated, caseless }
        };
        let principals = match (value.get("Principal"), value.get("NotPrincipal")) {
            (Some(these), _) => Principals::These(principals(these)),
            (None, Some(not)) => Principals::AllBut(principals(not)),
            (None, None) => Principals::Unsaid,
        };
        let mut conditions = Vec::new();
        for (operator, keys) in
            value.get("Condition").and_then(Value::as_object).into_iter().flatten()
        {
            for (key, values) in keys.as_object().into_iter().flatten() {
                conditions.push(Condition {
                    operator: operator.to_lowercase(),
                    key: key.to_lowercase(),
                    values: strings(Some(values)),
                });
            }
        }
        let mut resources = matcher("Resource", "NotResource", false);
        if resources.patterns.is_empty() && !resources.negated {
            // Resource policies may leave it out: the resource that they are on.
            resources.patterns.push("*".into());
        }
        Self {
            allow: value.get("Effect").and_then(Value::as_str) == Some("Allow"),
            principals,
            actions: matcher("Action", "NotAction", true),
            resources,
            conditions,
        }
    }

    fn is_about_everybody(&self) -> bool {
        matches!(&self.principals, Principals::These(these) if these.contains(&Principal::Everybody))
    }

    fn is_about_everybody_but(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        match &self.principals {
            Principals::AllBut(these) => these.iter().all(|principal| match principal {
                Principal::Account(account) => trusted(account),
                Principal::Service(_) => true,
                _ => false,
            }),
            _ => self.is_about_everybody(),
        }
    }

    /// Who, of those whom an Allow names, is an outsider.
    fn admitted(&self, trusted: &impl Fn(&str) -> bool) -> Vec<Principal> {
        let named: Vec<Principal> = match &self.principals {
            Principals::Unsaid => Vec::new(),
            // Allow with NotPrincipal admits everybody else.
            Principals::AllBut(_) => vec![Principal::Everybody],
            Principals::These(these) => these.clone(),
        };
        let narrowing = self.narrowing();
        named
            .into_iter()
            .flat_map(|principal| match (&principal, &narrowing) {
                (Principal::Everybody, Narrowing::None) => vec![principal],
                (Principal::Everybody, Narrowing::Tied) => Vec::new(),
                (Principal::Everybody, Narrowing::Accounts(accounts)) => accounts
                    .iter()
                    .filter(|account| !trusted(account))
                    .map(|account| Principal::Account(account.clone()))
                    .collect(),
                (Principal::Account(account), _) if !trusted(account) => vec![principal],
                (Principal::Other(_), _) => vec![principal],
                _ => Vec::new(),
            })
            .collect()
    }

    /// What the conditions leave. Conditions hold together, so the strictest counts.
    fn narrowing(&self) -> Narrowing {
        let mut found = Narrowing::None;
        for condition in &self.conditions {
            match condition.narrowing() {
                Narrowing::None => {}
                accounts @ Narrowing::Accounts(_) => return accounts,
                Narrowing::Tied => found = Narrowing::Tied,
            }
        }
        found
    }
}

impl Condition {
    fn is(&self, operator: &str, key: &str, value: &str) -> bool {
        self.operator == operator && self.key == key && self.values == [value]
    }

    /// Whether the condition is met by all who are not from a trusted account.
    fn is_not_from(&self, trusted: &impl Fn(&str) -> bool) -> bool {
        let negative = [
            "stringnotequals",
            "stringnotlike",
            "stringnotequalsifexists",
            "stringnotlikeifexists",
        ];
        let by_account = matches!(self.key.as_str(), "aws:principalaccount" | "kms:calleraccount");
        negative.contains(&self.operator.as_str())
            && ((by_account && self.values.iter().all(|value| trusted(value)))
                || (self.key == "aws:principalorgid"
                    && self.values.iter().all(|value| !is_wild(value))))
    }

    fn narrowing(&self) -> Narrowing {
        // `…IfExists` holds for requests without the key, and `ForAllValues` for those with no value.
        let positive = matches!(
            self.operator.as_str(),
            "stringequals"
                | "stringlike"
                | "stringequalsignorecase"
                | "arnequals"
                | "arnlike"
                | "foranyvalue:stringequals"
                | "foranyvalue:stringlike"
                | "foranyvalue:arnlike"
        );
        if !positive || self.values.is_empty() {
            return Narrowing::None;
        }
        match self.key.as_str() {
            "aws:principalaccount"
            | "aws:sourceaccount"
            | "kms:calleraccount"
            | "aws:sourceowner"
            | "s3:dataaccesspointaccount"
            | "aws:resourceaccount:source" => {
                if self.values.iter().any(|value| is_wild(value)) {
                    Narrowing::None
                } else {
                    Narrowing::Accounts(self.values.clone())
                }
            }
            "aws:sourcearn" | "aws:principalarn" => {
                let mut accounts = Vec::new();
                for value in &self.values {
                    match account_of(value) {
                        Some(account) => accounts.push(account),
                        // A bucket's ARN has no account, but names one bucket.
                        None if value.starts_with("arn:aws:s3:::") && !is_wild(value) => {}
                        None => return Narrowing::None,
                    }
                }
                if accounts.is_empty() { Narrowing::Tied } else { Narrowing::Accounts(accounts) }
            }
            "aws:principalorgid"
            | "aws:sourceorgid"
            | "aws:principalorgpaths"
            | "aws:sourceorgpaths"
            | "aws:sourcevpc"
            | "aws:sourcevpce"
            | "kms:encryptioncontext:aws:cloudtrail:arn"
            | "kms:encryptioncontext:aws:logs:arn" => {
                let open = |value: &String| value.trim_matches(['*', '?']).is_empty();
                if self.values.iter().any(open) { Narrowing::None } else { Narrowing::Tied }
            }
            _ => Narrowing::None,
        }
    }
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| glob(pattern, text, self.caseless)) != self.negated
    }

    /// Whether a pattern (or all that is not excluded) is everything there is.
    fn covers_all(&self) -> bool {
        if self.negated {
            // All but a few is as good as all.
            return !self.patterns.iter().any(|pattern| pattern.trim_matches('*').is_empty());
        }
        self.patterns.iter().any(|pattern| matches!(pattern.as_str(), "*" | "*:*" | "arn:*" | "**"))
    }

    /// Whether everything that the pattern `inner` matches is matched.
    fn covers(&self, inner: &str) -> bool {
        !self.negated && self.patterns.iter().any(|outer| glob(outer, inner, self.caseless))
    }

    fn is_within(&self, outer: &Self) -> bool {
        if outer.covers_all() && !outer.negated {
            return true;
        }
        !self.negated && self.patterns.iter().all(|pattern| outer.covers(pattern))
    }
}

/// Whether a resource pattern leaves every resource of its type open.
fn is_open(pattern: &str) -> bool {
    if pattern.trim_matches('*').is_empty() {
        return true;
    }
    // arn:partition:service:region:account:resource
    let resource = pattern.splitn(6, ':').nth(5).unwrap_or(pattern);
    let name = resource.rsplit_once(['/', ':']).map_or(resource, |(_, name)| name);
    resource == "*" || (name == "*" && resource.matches(['/', ':']).count() <= 1)
}

fn is_wild(value: &str) -> bool {
    value.contains(['*', '?'])
}

/// The account in an ARN, where it is spelled out.
fn account_of(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then(|| account.to_owned())
}

fn principals(value: &Value) -> Vec<Principal> {
    match value {
        Value::String(text) if text == "*" => vec![Principal::Everybody],
        Value::String(text) => vec![aws_principal(text)],
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, who)| {
                strings(Some(who)).into_iter().map(move |who| match kind.as_str() {
                    "AWS" => aws_principal(&who),
                    "Service" if who == "*" => Principal::Everybody,
                    "Service" => Principal::Service(who),
                    "Federated" => Principal::Federated(who),
                    _ => Principal::Other(who),
                })
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn aws_principal(text: &str) -> Principal {
    if text == "*" || text.starts_with("arn:aws:iam::*") {
        return Principal::Everybody;
    }
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Principal::Account(text.into());
    }
    account_of(text).map_or_else(|| Principal::Other(text.into()), Principal::Account)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        Some(one) => vec![text(one)],
        None => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a pattern with `*` and `?` could match something that starts with `prefix`.
fn could_match(pattern: &str, prefix: &str) -> bool {
    let fixed = pattern.split(['*', '?']).next().unwrap_or_default();
    prefix.starts_with(fixed) || fixed.starts_with(prefix)
}

/// Matches `*` (any run) and `?` (any one character). The text may be a pattern itself: its `*` is then
/// matched by `*` only, so that `a*` covers `ab*` but `ab*` does not cover `a*`.
fn glob(pattern: &str, text: &str, caseless: bool) -> bool {
    let lower = |text: &str| if caseless { text.to_lowercase() } else { text.to_owned() };
    let (pattern, text): (Vec<char>, Vec<char>) =
        (lower(pattern).chars().collect(), lower(text).chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len()
            && (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '*'))
        {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            t = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OURS: &str = "123456789012";
    const THEIRS: &str = "999999999999";

    fn document(statement: Value) -> Document {
        Document::of(&Policy::from(json!({"Version": "2012-10-17", "Statement": statement})))
    }

    fn outsiders(statement: Value) -> Vec<Principal> {
        document(statement).outsiders(|account| account == OURS)
    }

    #[test]
    fn everybody_is_everybody_however_it_is_spelled() {
        for principal in [
            json!("*"),
            json!({"AWS": "*"}),
            json!({"AWS": ["*"]}),
            json!({"AWS": "arn:aws:iam::*:root"}),
        ] {
            let found = outsiders(
                json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}),
            );
            assert_eq!(found, [Principal::Everybody], "{principal}");
        }
        let not = outsiders(
            json!([{"Effect": "Allow", "NotPrincipal": {"AWS": THEIRS}, "Action": "s3:*"}]),
        );
        assert_eq!(not, [Principal::Everybody]);
    }

    #[test]
    fn another_account_is_an_outsider_by_number_and_by_arn() {
        for principal in [json!(THEIRS), json!(format!("arn:aws:iam::{THEIRS}:role/x"))] {
            let found = outsiders(
                json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:GetObject"}),
            );
            assert_eq!(found, [Principal::Account(THEIRS.into())]);
        }
        assert!(
            outsiders(json!({"Effect": "Allow", "Principal": {"AWS": OURS}, "Action": "*"}))
                .is_empty()
        );
        assert!(outsiders(json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "*"})).is_empty());
    }

    #[test]
    fn only_conditions_that_really_narrow_count() {
        let with = |condition: Value| {
            outsiders(
                json!({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Condition": condition}),
            )
        };
        for narrow in [
            json!({"StringEquals": {"aws:SourceAccount": OURS}}),
            json!({"StringEquals": {"kms:CallerAccount": OURS, "kms:ViaService": "rds.us-east-1.amazonaws.com"}}),
            json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:cloudtrail:*:{OURS}:trail/*")}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}),
            json!({"StringEquals": {"aws:sourceVpce": "vpce-1"}}),
        ] {
            assert!(with(narrow.clone()).is_empty(), "{narrow}");
        }
        for open in [
            json!({"StringLike": {"aws:PrincipalArn": "*"}}),
            json!({"StringLike": {"aws:SourceAccount": "*"}}),
            json!({"StringEqualsIfExists": {"aws:SourceAccount": OURS}}),
            json!({"StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}}),
            json!({"StringNotEquals": {"aws:PrincipalAccount": THEIRS}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-abc"}}),
        ] {
            assert_eq!(with(open.clone()), [Principal::Everybody], "{open}");
        }
        let theirs = with(json!({"StringEquals": {"aws:PrincipalAccount": THEIRS}}));
        assert_eq!(theirs, [Principal::Account(THEIRS.into())]);
    }

    #[test]
    fn a_deny_for_strangers_takes_an_allow_back() {
        let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
        let deny = |action: &str| {
            json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*",
                   "Condition": {"StringNotEquals": {"aws:PrincipalAccount": OURS}}})
        };
        assert!(outsiders(json!([allow, deny("s3:*")])).is_empty());
        assert_eq!(outsiders(json!([allow, deny("s3:Put*")])).len(), 1, "it denies something else");
    }

    #[test]
    fn wildcards_in_actions_and_resources_are_understood() {
        let all = document(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
        assert!(all.allows_everything() && all.allows_on_any("iam:PassRole"));
        let but = document(json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}));
        assert!(
            but.allows_everything() && !but.allows("iam:PassRole") && but.allows("s3:GetObject")
        );
        let roles = document(
            json!({"Effect": "Allow", "Action": "IAM:pass*", "Resource": format!("arn:aws:iam::{OURS}:role/*")}),
        );
        assert!(roles.allows_on_any("iam:PassRole"));
        let one = document(
            json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": format!("arn:aws:iam::{OURS}:role/x")}),
        );
        assert!(!one.allows_on_any("iam:PassRole") && one.allows("iam:PassRole"));
    }

    #[test]
    fn data_actions_with_wildcards_or_on_everything_are_open() {
        let open = |statement| document(statement).open_actions(&["kinesis:", "secretsmanager:"]);
        assert_eq!(
            open(
                json!({"Effect": "Allow", "Action": "kinesis:*", "Resource": "arn:aws:kinesis:r:1:stream/a"})
            ),
            ["kinesis:*"]
        );
        assert_eq!(
            open(json!({"Effect": "Allow", "Action": ["kinesis:PutRecord"], "Resource": "*"})),
            ["kinesis:PutRecord"]
        );
        assert!(open(json!({"Effect": "Allow", "Action": ["kinesis:PutRecord"], "Resource": "arn:aws:kinesis:r:1:stream/a"})).is_empty());
        assert_eq!(open(json!({"Effect": "Allow", "Action": "*", "Resource": "*"})), ["*"]);
        assert!(
            open(
                json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"})
            )
            .is_empty()
        );
    }

    #[test]
    fn plain_transport_is_denied_only_by_a_deny_to_everybody() {
        let deny = |action: &str, principal: Value| {
            document(
                json!({"Effect": "Deny", "Principal": principal, "Action": action, "Resource": "*",
                            "Condition": {"Bool": {"aws:SecureTransport": false}}}),
            )
        };
        assert!(deny("s3:*", json!("*")).denies_plain_transport("s3"));
        assert!(deny("*", json!({"AWS": "*"})).denies_plain_transport("s3"));
        assert!(!deny("s3:Put*", json!("*")).denies_plain_transport("s3"));
        assert!(!deny("s3:*", json!({"AWS": OURS})).denies_plain_transport("s3"));
    }

    #[test]
    fn service_trust_is_narrowed_by_source() {
        let trust = |condition: Value| {
            document(json!({"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                            "Action": "sts:AssumeRole", "Condition": condition}))
            .trusted_services(|account| account == OURS)
        };
        let service = |narrowed| vec![("ecs-tasks.amazonaws.com".to_owned(), narrowed)];
        assert_eq!(trust(json!({"StringEquals": {"aws:SourceAccount": OURS}})), service(true));
        assert_eq!(trust(json!({})), service(false));
        assert_eq!(trust(json!({"StringEquals": {"aws:SourceAccount": THEIRS}})), service(false));
    }
}
