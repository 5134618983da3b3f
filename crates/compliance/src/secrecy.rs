//! Whether a plain setting looks like a secret, by its name and by the shape of its value. What is found is
//! never repeated: answers say where it is and what it looks like.

use serde_json::Value;

/// What a setting looks like, if it looks like a secret.
pub(crate) fn looks_like(name: &str, value: &str) -> Option<&'static str> {
    if let Some(shape) = shape(value) {
        return Some(shape);
    }
    (is_secret_name(name) && !is_harmless(value)).then_some("a secret, by its name")
}

/// What a value looks like by itself.
pub(crate) fn shape(value: &str) -> Option<&'static str> {
    let value = value.trim();
    if value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if words(value).any(is_access_key_id) {
        return Some("an AWS access key");
    }
    if is_secret_access_key(value) {
        return Some("an AWS secret access key");
    }
    if words(value).any(is_web_token) {
        return Some("a JSON Web Token");
    }
    if words(value)
        .any(|word| TOKEN_PREFIXES.iter().any(|(prefix, rest)| is_token(word, prefix, *rest)))
    {
        return Some("an access token");
    }
    if has_password_in_url(value) {
        return Some("a URL with a password");
    }
    if has_password_setting(value) {
        return Some("a connection string with a password");
    }
    match serde_json::from_str(value) {
        Ok(Value::Object(fields)) => {
            let secret = |(name, value): (&String, &Value)| looks_like(name, value.as_str()?);
            fields.iter().find_map(secret).map(|_| "a document with a secret")
        }
        _ => None,
    }
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
}
