//! The credential of a store, at the moment the store is made. It goes into the calls that need it, and into
//! nothing else: no spec, output, log, error or tag.

use engine::credential::Content;
use engine::stack::STACK_TAG;
use engine::{Aws, Error, New, Result, Tags, client};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The credential for a store that does not exist yet, and that `new` is the creation of.
///
/// A secret of the stack gets a new value: nothing uses the one that it has, and who may set a value
/// need not be allowed to read any. So does a store that exists and has to get another one; `new` then has its tags, and
/// says which change it is. A creation that is tried again goes on with the value that it has set: the first
/// try may have taken effect. A secret that somebody brought keeps its value, which is read.
pub(crate) async fn for_new_store(
    aws: &Aws,
    arn: &str,
    fields: &[&str],
    content: &Content,
    new: &New,
) -> Result<SecretString> {
    let lacking = || Error::invalid(format!("the secret {arn}"), "it is not said what it holds");
    if let Some(value) = aws.credential_of(arn, &new.token) {
        return part(&value, fields).ok_or_else(lacking);
    }
    if !is_of_stack(aws, arn, &new.tags).await? {
        return read(aws, arn, fields).await;
    }
    let value = content.generate().ok_or_else(lacking)?;
    let call = client!(aws, aws_sdk_secretsmanager)
        .put_secret_value()
        .secret_id(arn)
        .secret_string(value.expose_secret());
    aws.call("secretsmanager:PutSecretValue", call.send()).await?;
    aws.keep_credential(arn, &new.token, value.clone());
    part(&value, fields).ok_or_else(lacking)
}

async fn is_of_stack(aws: &Aws, arn: &str, tags: &Tags) -> Result<bool> {
    let call = client!(aws, aws_sdk_secretsmanager).describe_secret().secret_id(arn);
    let found = aws.call("secretsmanager:DescribeSecret", call.send()).await?;
    let owner = found.tags().iter().find(|tag| tag.key() == Some(STACK_TAG));
    let ours = tags.get(STACK_TAG).map(String::as_str);
    Ok(ours.is_some() && owner.and_then(|tag| tag.value()) == ours)
}

/// The part of a secret that is meant: the first of `fields` that it has, if the secret is a JSON
/// object, else all of it.
async fn read(aws: &Aws, arn: &str, fields: &[&str]) -> Result<SecretString> {
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
