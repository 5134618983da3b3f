//! What a filter pattern of CloudWatch Logs matches.
//!
//! Patterns are judged by what they do to an event, because the same can be said in many ways. Of the two
//! languages for JSON events, both are understood as far as people use them on a trail: expressions
//! (`{ $.eventName = StopLogging || … }`) and words (`?StopLogging ?DeleteTrail`). What is not understood
//! (regular expressions) matches nothing, so it never makes a pattern look better than it is.

use serde_json::Value;

/// A pattern, read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pattern {
    /// An expression on the fields of a JSON event.
    Fields(Expression),
    /// Words in the text of an event.
    Words(Vec<Word>),
    /// Something else.
    Unknown,
}

/// An expression on fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// All of them hold.
    All(Vec<Expression>),
    /// One of them holds.
    Any(Vec<Expression>),
    /// A field is like this.
    Test(Vec<Step>, Test),
}

/// One step of the way to a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// `.name`
    Name(String),
    /// `[0]`
    At(usize),
}

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// `=`, with `*` for anything.
    Like(String),
    /// `!=`
    Unlike(String),
    /// `<`, `<=`, `>`, `>=`
    Order(&'static str, f64),
    /// `EXISTS`
    Exists,
    /// `NOT EXISTS`
    Missing,
    /// `IS NULL`, `IS TRUE`, `IS FALSE`
    Is(Value),
    /// A test that is not understood: never met.
    Never,
}

/// A word to look for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Word {
    /// It is there.
    All(String),
    /// One of these is there.
    Any(String),
    /// It is not there.
    Not(String),
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn of(text: &str) -> Self {
        let text = text.trim();
        match (text.strip_prefix('{'), text.starts_with(['[', '%'])) {
            (Some(inner), _) => inner
                .strip_suffix('}')
                .and_then(|inner| Reader { rest: inner }.whole())
                .map_or(Self::Unknown, Self::Fields),
            (None, true) => Self::Unknown,
            (None, false) => Self::Words(words(text)),
        }
    }

    /// Whether it matches an event.
    pub(crate) fn matches(&self, event: &Value) -> bool {
        match self {
            Self::Fields(expression) => expression.holds(event),
            Self::Words(words) => {
                let text = event.to_string();
                let required = words.iter().any(|word| matches!(word, Word::All(_)));
                let optional = words.iter().any(|word| matches!(word, Word::Any(_)));
                // Beside a word that must be there, those that may be there say nothing.
                let one = required || !optional;
                let found = |word: &Word| matches!(word, Word::Any(word) if text.contains(word));
                (one || words.iter().any(found))
                    && words.iter().all(|word| match word {
                        Word::All(word) => text.contains(word),
                        Word::Not(word) => !text.contains(word),
                        Word::Any(_) => true,
                    })
            }
            Self::Unknown => false,
        }
    }
}

impl Expression {
    fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Test(path, test) => {
                let field = path.iter().try_fold(event, |value, step| match step {
                    Step::Name(name) => value.get(name),
                    Step::At(index) => value.get(index),
                });
                test.holds(field)
            }
        }
    }
}

impl Test {
    /// A field that is not there is neither like nor unlike anything.
    fn holds(&self, field: Option<&Value>) -> bool {
        match (self, field) {
            (Self::Missing, field) => field.is_none(),
            (Self::Exists, field) => field.is_some(),
            (Self::Never, _) | (_, None) => false,
            (Self::Like(pattern), Some(field)) => is_like(field, pattern),
            (Self::Unlike(pattern), Some(field)) => !is_like(field, pattern),
            (Self::Is(value), Some(field)) => field == value,
            (Self::Order(operator, than), Some(field)) => {
                field.as_f64().is_some_and(|number| match *operator {
                    "<" => number < *than,
                    "<=" => number <= *than,
                    ">" => number > *than,
                    _ => number >= *than,
                })
            }
        }
    }
}

fn is_like(field: &Value, pattern: &str) -> bool {
    match field {
        Value::String(text) => starred(pattern, text),
        Value::Number(number) => pattern.parse().ok() == number.as_f64(),
        Value::Bool(value) => pattern.parse().ok() == Some(*value),
        _ => false,
    }
}

/// Whether a text is like a pattern in which `*` stands for anything.
fn starred(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// What is left to read of an expression.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn whole(mut self) -> Option<Expression> {
        let expression = self.any()?;
        self.rest.trim().is_empty().then_some(expression)
    }

    fn any(&mut self) -> Option<Expression> {
        let mut parts = vec![self.all()?];
        while self.take("||") {
            parts.push(self.all()?);
        }
        Some(Expression::Any(parts))
    }

    fn all(&mut self) -> Option<Expression> {
        let mut parts = vec![self.one()?];
        while self.take("&&") {
            parts.push(self.one()?);
        }
        Some(Expression::All(parts))
    }

    fn one(&mut self) -> Option<Expression> {
        if self.take("(") {
            let inner = self.any()?;
            return self.take(")").then_some(inner);
        }
        let path = self.path()?;
        Some(Expression::Test(path, self.test()?))
    }

    fn path(&mut self) -> Option<Vec<Step>> {
        if !self.take("$") {
            return None;
        }
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('[') {
                let (index, rest) = rest.split_once(']')?;
                let name = index.trim().trim_matches(['\'', '"']);
                steps.push(match index.trim().parse() {
                    Ok(index) => Step::At(index),
                    Err(_) => Step::Name(name.to_owned()),
                });
                self.rest = rest;
            } else if let Some(rest) = self.rest.strip_prefix('.') {
                let name =
                    |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '@');
                let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
                if end > 0 {
                    steps.push(Step::Name(rest[..end].to_owned()));
                }
                self.rest = &rest[end..];
            } else {
                return Some(steps);
            }
        }
    }

    fn test(&mut self) -> Option<Test> {
        for (words, test) in [
            (&["NOT", "EXISTS"][..], Test::Missing),
            (&["EXISTS"], Test::Exists),
            (&["IS", "NOT", "NULL"], Test::Never),
            (&["IS", "NULL"], Test::Is(Value::Null)),
            (&["IS", "TRUE"], Test::Is(Value::Bool(true))),
            (&["IS", "FALSE"], Test::Is(Value::Bool(false))),
        ] {
            if self.words(words) {
                return Some(test);
            }
        }
        // The longer ones first.
        for operator in ["!=", "<=", ">=", "=", "<", ">"] {
            if self.take(operator) {
                let (value, is_regex) = self.value()?;
                return Some(match operator {
                    _ if is_regex => Test::Never,
                    "=" => Test::Like(value),
                    "!=" => Test::Unlike(value),
                    order => value.parse().map_or(Test::Never, |than| Test::Order(order, than)),
                });
            }
        }
        None
    }

    /// A value, and whether it is a regular expression.
    fn value(&mut self) -> Option<(String, bool)> {
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix('%') {
            let (regex, rest) = rest.split_once('%')?;
            self.rest = rest;
            return Some((regex.to_owned(), true));
        }
        if self.rest.starts_with('"') {
            let (text, rest) = quoted(self.rest)?;
            self.rest = rest;
            return Some((text, false));
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, ')' | '(' | '&' | '|' | '}');
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!text.is_empty()).then(|| (text.to_owned(), false))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let mut rest = self.rest;
        for word in words {
            let trimmed = rest.trim_start();
            match trimmed.get(..word.len()) {
                Some(head) if head.eq_ignore_ascii_case(word) => rest = &trimmed[word.len()..],
                _ => return false,
            }
        }
        self.rest = rest;
        true
    }
}

/// A text in quotes at the beginning, and what comes after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((found, &text[at + 1..])),
            '\\' => found.push(chars.next()?.1),
            c => found.push(c),
        }
    }
    None
}

/// The words of a pattern without fields.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (kind, after): (fn(String) -> Word, &str) = match rest.as_bytes()[0] {
            b'?' => (Word::Any, &rest[1..]),
            b'-' => (Word::Not, &rest[1..]),
            _ => (Word::All, rest),
        };
        let (word, after) = match quoted(after).filter(|_| after.starts_with('"')) {
            Some(found) => found,
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        found.push(kind(word));
        rest = after.trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stop() -> Value {
        json!({
            "eventSource": "cloudtrail.amazonaws.com",
            "eventName": "StopLogging",
            "userIdentity": {"type": "AssumedRole"},
            "readOnly": false,
            "resources": [{"type": "AWS::CloudTrail::Trail"}],
            "count": 3,
        })
    }

    #[track_caller]
    fn matches(pattern: &str, wanted: bool) {
        assert_eq!(Pattern::of(pattern).matches(&stop()), wanted, "{pattern}");
    }

    #[test]
    fn the_same_can_be_said_in_many_ways() {
        matches(r#"{ $.eventName = "StopLogging" }"#, true);
        matches("{($.eventName=StopLogging)||($.eventName=DeleteTrail)}", true);
        matches("{ ($.eventName = CreateTrail) || ($.eventName = StopLogging) }", true);
        matches(
            "{$.eventSource=cloudtrail.* && ($.eventName = Stop* || $.eventName = \"x\")}",
            true,
        );
        matches(r#"{ $.eventName = "*Log*" && $.userIdentity.type != "Root" }"#, true);
        matches(r#"{ $.errorCode NOT EXISTS && $.eventName exists }"#, true);
        matches(r#"{ $.readOnly IS FALSE && $.resources[0].type = "*Trail" }"#, true);
        matches("{ $.count >= 3 }", true);
        matches("?DeleteTrail ?StopLogging", true);
        matches(r#""eventName\":\"StopLogging" -Root"#, true);
        matches("", true);
    }

    #[test]
    fn what_narrows_a_pattern_is_not_overlooked() {
        matches(r#"{ $.eventName = "stoplogging" }"#, false);
        matches(r#"{ $.eventName = "StopLogging" && $.userIdentity.type = "Root" }"#, false);
        matches(r#"{ $.eventName = "DeleteTrail" || $.eventName = "CreateTrail" }"#, false);
        matches(r#"{ $.errorCode != "AccessDenied" }"#, false);
        matches("{ $.count > 3 }", false);
        matches("?DeleteTrail ?UpdateTrail", false);
        matches("StopLogging Root", false);
        matches("StopLogging -AssumedRole", false);
    }

    #[test]
    fn what_is_not_understood_matches_nothing() {
        matches("{ $.eventName = %Stop.*% }", false);
        matches("{ $.eventName = ", false);
        matches("{ $.eventName = StopLogging ", false);
        matches("[a, b, c]", false);
        matches("%StopLogging%", false);
    }
}
