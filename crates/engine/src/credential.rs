//! What secrets hold, and how their values are made. Nobody sees a value: it is generated where it is needed,
//! goes into the calls that need it, and into no field, plan, snapshot, log or error.

use rand::seq::{IndexedRandom, SliceRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// What a secret is to hold. The description, not the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// A JSON object with `username`, `password`, `engine`, `port` and, where given, `dbname`: what RDS,
    /// its rotation functions and the Data API expect. The password is generated.
    DatabaseCredentials {
        /// The user.
        username: String,
        /// The engine as rotation functions name it: `postgres`.
        engine: String,
        /// The port.
        port: u16,
        /// The database.
        dbname: Option<String>,
    },
    /// An ElastiCache AUTH token, as plain text.
    AuthToken {
        /// How many characters, 16 to 128.
        length: usize,
    },
    /// Not known: what a describe call gives.
    Unknown,
}

/// What AWS has in a new database password beside letters and digits. RDS refuses `/`, `"`, `@` and
/// space; quotes, `\`, `$`, `%`, `:` and `&` get lost in URLs and shells.
const PASSWORD_SIGNS: &[u8] = b"!#*+-.=?^_~";
/// ElastiCache takes only these beside letters and digits.
const TOKEN_SIGNS: &[u8] = b"!#-^";
/// Longer than anyone guesses, shorter than any limit of RDS's engines (41 is MySQL's).
const PASSWORD_LENGTH: usize = 40;

impl Content {
    /// The AUTH token of a cache.
    pub const AUTH_TOKEN: Self = Self::AuthToken { length: 64 };

    /// A user of a PostgreSQL database.
    pub fn postgres(username: &str, port: u16, dbname: Option<&str>) -> Self {
        Self::DatabaseCredentials {
            username: username.into(),
            engine: "postgres".into(),
            port,
            dbname: dbname.map(str::to_owned),
        }
    }

    /// A new value. `None` for [`Content::Unknown`].
    pub fn generate(&self) -> Option<SecretString> {
        match self {
            Self::DatabaseCredentials { username, engine, port, dbname } => {
                let password = random_text(PASSWORD_LENGTH, PASSWORD_SIGNS);
                let mut value = serde_json::json!({
                    "username": username,
                    "password": password.expose_secret(),
                    "engine": engine,
                    "port": port,
                });
                if let Some(dbname) = dbname {
                    value["dbname"] = dbname.clone().into();
                }
                Some(SecretString::from(value.to_string()))
            }
            Self::AuthToken { length } => Some(random_text(*length, TOKEN_SIGNS)),
            Self::Unknown => None,
        }
    }
}

/// Characters from the thread's cryptographic generator, with at least one of each class.
fn random_text(length: usize, signs: &[u8]) -> SecretString {
    const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    const DIGITS: &[u8] = b"0123456789";
    let classes = [UPPER, LOWER, DIGITS, signs];
    let all = classes.concat();
    let mut random = rand::rng();
    let pick = |from: &[u8], random: &mut rand::rngs::ThreadRng| {
        char::from(*from.choose(random).expect("no class of characters is empty"))
    };
    let mut text: Vec<char> = classes.iter().map(|class| pick(class, &mut random)).collect();
    while text.len() < length {
        text.push(pick(&all, &mut random));
    }
    text.shuffle(&mut random);
    SecretString::from(text.into_iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_what_elasticache_takes() {
        for length in [16, 64, 128] {
            let token = Content::AuthToken { length }.generate().unwrap();
            let token = token.expose_secret();
            assert_eq!(token.len(), length);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || TOKEN_SIGNS.contains(&b)));
        }
    }

    #[test]
    fn passwords_differ_and_have_every_class() {
        let content = Content::DatabaseCredentials {
            username: "u".into(),
            engine: "postgres".into(),
            port: 5432,
            dbname: None,
        };
        let password = || {
            let value = content.generate().unwrap();
            let value: serde_json::Value = serde_json::from_str(value.expose_secret()).unwrap();
            assert!(value.get("dbname").is_none());
            value["password"].as_str().unwrap().to_owned()
        };
        let (one, other) = (password(), password());
        assert_ne!(one, other);
        assert!(!one.contains(['/', '"', '@', ' ', '\\', '\'']));
        for class in [char::is_uppercase, char::is_lowercase, char::is_numeric] {
            assert!(one.contains(class));
        }
        assert!(one.bytes().any(|b| PASSWORD_SIGNS.contains(&b)));
    }
}
