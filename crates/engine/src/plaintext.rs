//! Secrets in plain settings: environment variables, command lines, log options, stage variables. Anybody who may
//! describe a resource reads those, and people put passwords there all the same.
//!
//! Here is how such a secret is recognised, by the setting's name and by the shape of its value, and how it is kept out
//! of an inventory: a kind that reads plain settings hides the secrets among them before anything else sees them. What
//! stands in their place says what was there and nothing of the value. (A digest would: short passwords are
//! guessed.)

use std::collections::BTreeMap;

use serde_json::Value;

/// What a setting with a name like `DB_PASSWORD` looks like.
const BY_NAME: &str = "a secret, by its name";

type Looks = fn(&str) -> bool;

/// What values by themselves look like, most telling first.
const SHAPES: &[(&str, Looks)] = &[
    ("a private key", |value| value.contains("PRIVATE KEY-----")),
    ("an AWS access key", |value| words(value).any(is_access_key_id)),
    ("an AWS secret access key", is_secret_access_key),
    ("a JSON Web Token", |value| words(value).any(is_web_token)),
    ("an access token", |value| words(value).any(is_access_token)),
    ("a URL with a password", has_password_in_url),
    ("a connection string with a password", has_password_setting),
    ("a document with a secret", is_document_with_secret),
];

/// What a setting looks like, if it looks like a secret, or was one before it was hidden.
pub fn looks_like(name: &str, value: &str) -> Option<&'static str> {
    let by_name = || (is_secret_name(name) && !is_harmless(value)).then_some(BY_NAME);
    shape(value).or_else(by_name)
}

/// What each word of a command line looks like, where it looks like a secret: by itself, as `--password=hunter2`, or
/// after `--password`. A word may be a whole script.
pub fn in_command(words: &[String]) -> Vec<Option<&'static str>> {
    let before = std::iter::once("").chain(words.iter().map(String::as_str));
    before.zip(words).map(|(before, word)| in_word(before, word)).collect()
}

/// The settings without the secrets among them.
pub fn hide(settings: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let hide = |(name, value): (String, String)| {
        let value = looks_like(&name, &value).map_or(value, in_place_of);
        (name, value)
    };
    settings.into_iter().map(hide).collect()
}

/// The command line without the secrets in it.
pub fn hide_in_command(words: Vec<String>) -> Vec<String> {
    let secrets = in_command(&words);
    words.into_iter().zip(secrets).map(|(word, secret)| secret.map_or(word, in_place_of)).collect()
}

/// Whether a live value is a wanted one with its secrets hidden. One secret in place of another is not told apart.
pub(crate) fn is_hidden(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::String(live), Value::String(wanted)) => match hidden(live) {
            // Both have the same name: if one is a secret by it, so is the other.
            Some(BY_NAME) => shape(wanted).is_none() && !is_harmless(wanted),
            Some(secret) => shape(wanted) == Some(secret),
            None => false,
        },
        (Value::Array(live), Value::Array(wanted)) => {
            let words: Option<Vec<String>> =
                wanted.iter().map(|word| word.as_str().map(str::to_owned)).collect();
            words.is_some_and(|words| hide_in_command(words) == *live)
        }
        _ => false,
    }
}

/// What stands in an inventory in place of a secret.
fn in_place_of(secret: &str) -> String {
    format!("(hidden: {secret})")
}

/// What a value that was hidden looked like.
fn hidden(value: &str) -> Option<&'static str> {
    let secret = value.strip_prefix("(hidden: ")?.strip_suffix(')')?;
    let known = SHAPES.iter().map(|(shape, _)| *shape).chain([BY_NAME]);
    known.into_iter().find(|known| *known == secret)
}

/// What a value looks like by itself.
fn shape(value: &str) -> Option<&'static str> {
    let value = value.trim();
    let shaped = || SHAPES.iter().find(|(_, is)| is(value)).map(|(shape, _)| *shape);
    hidden(value).or_else(shaped)
}

fn in_word(before: &str, word: &str) -> Option<&'static str> {
    let whole = shape(word).or_else(|| after_option(before, word));
    let pieces: Vec<&str> = word.split_whitespace().collect();
    if pieces.len() < 2 {
        return whole.or_else(|| assigned(word));
    }
    // A script: what it works out, or takes from elsewhere, does not stand in it.
    let is_plain = |piece: &str| !piece.contains(['$', '(', '[', '{', '`']);
    let assigned =
        || pieces.iter().find_map(|piece| is_plain(piece).then(|| assigned(piece)).flatten());
    let after_option = || {
        let mut pairs = pieces.windows(2).filter(|pair| is_plain(pair[1]));
        pairs.find_map(|pair| after_option(pair[0], pair[1]))
    };
    whole.or_else(assigned).or_else(after_option)
}

/// `--password` and `hunter2`.
fn after_option(option: &str, word: &str) -> Option<&'static str> {
    let is_option = option.starts_with('-') && is_plain_name(option);
    (is_option && !word.starts_with('-')).then(|| given(option, word)).flatten()
}

/// `--token=hunter2`, or `DB_PASSWORD=hunter2` before a command.
fn assigned(word: &str) -> Option<&'static str> {
    let (name, value) = word.split_once('=')?;
    is_plain_name(name).then(|| given(name, value)).flatten()
}

/// A value that a command line gives to a name.
fn given(name: &str, value: &str) -> Option<&'static str> {
    let value = value.trim_matches(['"', '\'', ';']);
    is_literal(value).then(|| looks_like(name, value)).flatten()
}

fn is_plain_name(name: &str) -> bool {
    name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
}

/// How tokens of well-known services begin, and how much follows at least.
const TOKEN_PREFIXES: &[(&str, usize)] = &[
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("sk-", 30),
    ("AIza", 30),
    ("hvs.", 20),
    ("npm_", 30),
    ("SG.", 30),
];

/// Parts of names that secrets have.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "authkey",
    "credential",
    "connectionstring",
];

/// Last words of names that only speak about a secret: `DB_PASSWORD_FILE`, `TOKEN_TTL`.
const ABOUT: &[&str] = &[
    "arn",
    "name",
    "id",
    "file",
    "path",
    "dir",
    "url",
    "uri",
    "endpoint",
    "host",
    "port",
    "region",
    "ttl",
    "expiry",
    "expiration",
    "lifetime",
    "length",
    "age",
    "days",
    "hours",
    "minutes",
    "seconds",
    "timeout",
    "count",
    "min",
    "max",
    "enabled",
    "disabled",
    "required",
    "type",
    "algorithm",
    "header",
    "issuer",
    "audience",
    "prefix",
    "version",
    "policy",
    "rotation",
    "provider",
    "source",
    "store",
];

fn is_secret_name(name: &str) -> bool {
    let parts: Vec<String> = parts(name);
    if parts.last().is_some_and(|last| ABOUT.contains(&last.as_str())) {
        return false;
    }
    let joined = parts.concat();
    SECRET_NAMES.iter().any(|secret| joined.contains(secret))
        || parts.iter().any(|part| matches!(part.as_str(), "pass" | "pw" | "auth"))
}

/// The words of `DB_PASSWORD`, `dbPassword`, `db.password`, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut after_lower = false;
    for letter in name.chars() {
        let begins = letter.is_ascii_uppercase() && after_lower;
        if !letter.is_ascii_alphanumeric() || begins {
            parts.push(String::new());
        }
        if letter.is_ascii_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.push(letter.to_ascii_lowercase());
        }
        after_lower = letter.is_ascii_lowercase();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether a value under a secret's name is none: a switch, or a reference to where the secret is.
fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    let switch = matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null"
    );
    let path = value.starts_with('/')
        && value.matches('/').count() >= 2
        && value.bytes().all(|it| it.is_ascii_alphanumeric() || b"/-_.".contains(&it));
    // A reference to something that is yet to be made stands in these brackets.
    switch || path || value.starts_with("arn:aws") || value.contains('⟦')
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(|it: char| it.is_whitespace() || "\"'`,;=:/?&()[]{}<>".contains(it))
}

fn is_access_key_id(word: &str) -> bool {
    let rest = word.strip_prefix("AKIA").or_else(|| word.strip_prefix("ASIA"));
    rest.is_some_and(|rest| {
        rest.len() == 16 && rest.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
    })
}

/// Forty letters of base64, of all kinds: a commit's hash has only small ones.
fn is_secret_access_key(value: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    value.len() == 40
        && value.bytes().all(|it| it.is_ascii_alphanumeric() || b"+/=".contains(&it))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}

fn is_web_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3 && parts[0].starts_with("eyJ") && parts[1].starts_with("eyJ")
}

fn is_access_token(word: &str) -> bool {
    TOKEN_PREFIXES.iter().any(|(prefix, rest)| is_token(word, prefix, *rest))
}

fn is_token(word: &str, prefix: &str, rest: usize) -> bool {
    word.strip_prefix(prefix).is_some_and(|text| {
        text.len() >= rest
            && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    })
}

/// `scheme://user:password@host`.
fn has_password_in_url(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ', '"']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
        password.is_some_and(is_literal)
    })
}

/// `…;password=…;…`, as drivers take it.
fn has_password_setting(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ["password=", "pwd=", "passwd=", "accountkey=", "sharedaccesskey="].iter().any(|setting| {
        lower.match_indices(setting).any(|(at, _)| {
            let rest = value[at + setting.len()..].trim_start();
            is_literal(rest.split([';', '&', ' ']).next().unwrap_or_default())
        })
    })
}

fn is_document_with_secret(value: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(value) else { return false };
    let is_secret = |(name, value): (&String, &Value)| looks_like(name, value.as_str()?);
    fields.iter().find_map(is_secret).is_some()
}

/// Not empty, and not a variable that something else fills in.
fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['$', '%', '<', '{']) && !text.contains('⟦')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in
            ["DB_PASSWORD", "dbPassword", "PGPASSWORD", "API_KEY", "JWT_SIGNING_KEY", "REDIS_AUTH"]
        {
            assert!(looks_like(name, "hunter2").is_some(), "{name}");
        }
        for (name, value) in [
            ("DB_PASSWORD_FILE", "x"),
            ("TOKEN_TTL", "3600"),
            ("DB_SECRET_ARN", "x"),
            ("SECRET", "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"),
            ("DB_PASSWORD", "/run/secrets/db"),
            ("REQUIRE_TOKEN", "true"),
            ("DB_SECRET", "⟦security/secret.arn⟧"),
            ("KEYBOARD", "us"),
            ("AUTHOR", "x"),
            ("COMPASS", "north"),
        ] {
            assert_eq!(looks_like(name, value), None, "{name}");
        }
    }

    #[test]
    fn shapes_of_secrets() {
        for value in [
            "-----BEGIN RSA PRIVATE KEY-----\nMII",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "eyJhbGciOi.eyJzdWIi.c2ln",
            "postgres://registrar:hunter2@db.example.edu/records",
            "Server=db;User=x;Password=hunter2;",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            r#"{"username": "u", "password": "hunter2"}"#,
        ] {
            assert!(shape(value).is_some(), "{value}");
        }
        for value in [
            "postgres://registrar@db.example.edu:5432/records",
            "https://example.edu/a:b@c",
            "postgres://u:${PASSWORD}@db/records",
            "9f2c1ab0e4d5c6b7a8990011223344556677889a",
            "db.cluster-abc.us-east-1.rds.amazonaws.com",
            r#"{"level": "info"}"#,
            "import http.server as h\nh.serve_forever()",
        ] {
            assert_eq!(shape(value), None, "{value}");
        }
    }

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn secrets_in_command_lines() {
        for line in [
            &["serve", "--password", "hunter2"][..],
            &["serve", "--api-key=hunter2"],
            &["serve", "--password", "hunter2(and more"],
            &["serve", "--url=redis://:hunter2@cache"],
            &["sh", "-c", "DB_PASSWORD=hunter2 exec serve"],
            &["sh", "-c", "export API_TOKEN='hunter2'; exec serve"],
            &["sh", "-c", "curl --token hunter2 https://example.edu"],
        ] {
            let line = words(line);
            assert_eq!(in_command(&line).iter().flatten().count(), 1, "{line:?}");
            assert!(!hide_in_command(line).concat().contains("hunter2"));
        }
        for line in [
            &["serve", "--password-file", "/run/secrets/db"][..],
            &["serve", "--token", "--verbose"],
            &["sh", "-c", "TOKEN=$(cat /run/token) exec serve --secret $SECRET"],
            &["python3", "-c", "token = os.environ['TOKEN']\nclient(secret=load())"],
        ] {
            let line = words(line);
            assert_eq!(hide_in_command(line.clone()), line);
        }
    }

    #[test]
    fn what_is_hidden_says_what_it_was_and_nothing_of_the_value() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let url = "postgres://u:hunter2@db/records";
        let hidden = hide([
            pair("DB_PASSWORD", "hunter2"),
            pair("DATABASE", url),
            pair("DB_ENDPOINT", "db.example.edu"),
        ]);
        assert_eq!(hidden["DB_ENDPOINT"], "db.example.edu");
        assert_eq!(hidden["DATABASE"], "(hidden: a URL with a password)");
        assert_eq!(hidden["DB_PASSWORD"], "(hidden: a secret, by its name)");
        assert_eq!(looks_like("DATABASE", &hidden["DATABASE"]), looks_like("DATABASE", url));
        assert_eq!(hide(hidden.clone()), hidden, "hiding it again changes nothing");
        assert_eq!(shape("(hidden: hunter2)"), None, "nobody writes these but us");
    }

    #[test]
    fn a_wanted_value_is_its_own_hidden_one_and_no_other() {
        let is_hidden = |live: &str, wanted: &str| {
            is_hidden(&Value::from(in_place_of(live)), &Value::from(wanted))
        };
        assert!(is_hidden(BY_NAME, "hunter2"));
        assert!(!is_hidden(BY_NAME, "true") && !is_hidden(BY_NAME, "arn:aws:secretsmanager:x"));
        assert!(is_hidden("a URL with a password", "redis://:hunter2@cache"));
        assert!(!is_hidden("a URL with a password", "redis://cache"));

        let command = |line: &[&str]| Value::from(words(line));
        let live = Value::from(hide_in_command(words(&["serve", "--token", "hunter2"])));
        let same = super::is_hidden(&live, &command(&["serve", "--token", "hunter2"]));
        let other = super::is_hidden(&live, &command(&["serve", "--level", "hunter2"]));
        assert!(same && !other);
    }
}
