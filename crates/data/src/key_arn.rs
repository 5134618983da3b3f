//! The ARN of a key, however a service spells it.

use engine::{Aws, Ref};

/// Services show a key as it was given to them: an ARN, a key id or an alias. Attributes hold ARNs.
pub(crate) fn key_arn<M>(aws: &Aws, key: &str) -> Ref<M> {
    if key.starts_with("arn:") {
        return Ref::known(key);
    }
    let resource = match key {
        _ if key.starts_with("alias/") || key.starts_with("key/") => key.to_owned(),
        id => format!("key/{id}"),
    };
    Ref::known(aws.arn("kms", &resource))
}
