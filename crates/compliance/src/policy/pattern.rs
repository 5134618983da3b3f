//! Patterns with `*` and `?`, in actions and resources.

use serde_json::Value;

/// A list of patterns, or all but those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) patterns: Vec<String>,
    pub(super) negated: bool,
    /// Actions are compared without case; ARNs with it.
    pub(super) caseless: bool,
}

impl Matcher {
    pub(super) fn matches(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| glob(pattern, text, self.caseless)) != self.negated
    }

    /// Whether a pattern (or all that is not excluded) is everything there is.
    pub(super) fn covers_all(&self) -> bool {
        // All but a few is as good as all.
        self.patterns.iter().any(|pattern| is_everything(pattern)) != self.negated
    }

    /// Whether everything that the pattern `inner` matches is matched.
    pub(super) fn covers(&self, inner: &str) -> bool {
        !self.negated && self.patterns.iter().any(|outer| glob(outer, inner, self.caseless))
    }

    pub(super) fn is_within(&self, outer: &Self) -> bool {
        if outer.covers_all() && !outer.negated {
            return true;
        }
        !self.negated && self.patterns.iter().all(|pattern| outer.covers(pattern))
    }
}

/// Whether an action or resource pattern matches everything: `*`, `*:*`, `arn:aws:*`.
pub(super) fn is_everything(pattern: &str) -> bool {
    const ACTIONS: &[&str] = &["iam:passrole", "kinesis:putrecord", "s3:getobject"];
    const RESOURCES: &[&str] = &[
        "arn:aws:s3:::records",
        "arn:aws:iam::123456789012:role/registrar",
        "arn:aws:kinesis:us-east-1:123456789012:stream/events",
    ];
    let pattern = pattern.to_lowercase();
    let plain = ["arn:aws-us-gov:", "arn:aws-cn:"].iter().find_map(|it| pattern.strip_prefix(it));
    let pattern = plain.map_or(pattern.clone(), |rest| format!("arn:aws:{rest}"));
    let matches_all = |texts: &[&str]| texts.iter().all(|text| glob(&pattern, text, false));
    matches_all(ACTIONS) || matches_all(RESOURCES)
}

/// An ARN pattern with all its six parts: IAM takes those that are missing at its end for `*`.
pub(super) fn completed(pattern: &str) -> String {
    let missing = match pattern.starts_with("arn:") {
        true => 6_usize.saturating_sub(pattern.split(':').count()),
        false => 0,
    };
    format!("{pattern}{}", ":*".repeat(missing))
}

/// Whether a resource pattern leaves every resource of its type open, or as good as every one: what comes
/// after a leading wildcard names nothing.
pub(super) fn is_open(pattern: &str) -> bool {
    let is_any = |text: &str| text.trim_start_matches('?').starts_with('*');
    if is_everything(pattern) {
        return true;
    }
    let pattern = completed(pattern);
    // arn:partition:service:region:account:resource
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let [arn, _, service, _, account, resource] = parts[..] else { return false };
    if arn != "arn" {
        return false;
    }
    let separators = ['/', ':'];
    if service == "s3" && account.is_empty() {
        // bucket/key: the bucket must be named.
        return resource.split('/').next().is_some_and(is_any);
    }
    let Some((_, name)) = resource.split_once(separators) else { return is_any(resource) };
    let mut segments = name.split(separators).filter(|segment| !segment.is_empty());
    // Roles have paths before their names.
    if service == "iam" { segments.all(is_any) } else { segments.next().is_some_and(is_any) }
}

pub(super) fn is_wild(value: &str) -> bool {
    value.contains(['*', '?'])
}

/// The account in an ARN, where it is spelled out.
pub(super) fn account_of(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then(|| account.to_owned())
}

pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        Some(one) => vec![text(one)],
        None => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Matches `*` (any run) and `?` (any one character). The text may be a pattern itself: its `*` is then
/// matched by `*` only, so that `a*` covers `ab*` but `ab*` does not cover `a*`.
pub(super) fn glob(pattern: &str, text: &str, caseless: bool) -> bool {
    if !is_wild(pattern) {
        // Most patterns are names, and large accounts compare millions of them.
        return if caseless { pattern.eq_ignore_ascii_case(text) } else { pattern == text };
    }
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
