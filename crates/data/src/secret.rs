//! Reading a secret at the moment it is used. What is read goes into the one call that needs it, and
//! into nothing else: no spec, output, log, error or tag.

use engine::{Aws, Error, Result, client};
use secrecy::SecretString;
use serde_json::Value;

/// The part of a secret that is meant: the first of `fields` that it has, if the secret is a JSON
/// object, else all of it.
pub(crate) async fn read(aws: &Aws, arn: &str, fields: &[&str]) -> Result<SecretString> {
    let action = "secretsmanager:GetSecretValue";
    let call = client!(aws, aws_sdk_secretsmanager).get_secret_value().secret_id(arn);
    let text = aws.call(action, call.send()).await?.secret_string.map(SecretString::from);
    let text = text.ok_or_else(|| Error::incomplete(action, "a text"))?;
    part(&text, fields).ok_or_else(|| {
        // Not a word of what is in there.
        Error::invalid(format!("the secret {arn}"), format!("it has no {}", fields.join(" or ")))
    })
}

fn part(text: &SecretString, fields: &[&str]) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    match serde_json::from_str(text.expose_secret()) {
        Ok(Value::Object(object)) => {
            let found = fields.iter().find_map(|field| object.get(*field)?.as_str());
            found.filter(|value| !value.is_empty()).map(SecretString::from)
        }
        _ => Some(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn found(text: &str) -> Option<String> {
        let part = part(&SecretString::from(text), &["auth_token", "password"]);
        part.map(|part| part.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_is_an_object_with_the_field_or_the_value_itself() {
        assert_eq!(found(r#"{"username":"a","password":"hunter22"}"#).as_deref(), Some("hunter22"));
        assert_eq!(found("plain").as_deref(), Some("plain"));
        assert_eq!(found("12345678").as_deref(), Some("12345678"), "digits are no JSON object");
        assert_eq!(found(r#"{"username":"a"}"#), None);
        assert_eq!(found(r#"{"password":""}"#), None);
    }
}
