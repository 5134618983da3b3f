//! Whether a web ACL is a safeguard.

use api::WebAcl;

use crate::facts::{Facts, Seen};
use crate::finding::Unread;

/// Whether a web ACL stops any request.
///
/// # Errors
/// When it is not known, was not looked into (a stranger's, in the scope of a stack), or one of its rules could
/// not be read and no other stops anything.
pub(crate) fn blocks(facts: &Facts<'_>, arn: &str) -> Result<bool, Unread> {
    let unread = || Unread { what: format!("the web ACL {arn}"), error: None };
    let found = facts.find::<WebAcl>(arn)?.ok_or_else(unread)?;
    let acl = Seen::of(&found).read(&["rules", "default_action"])?;
    let does = |action: &str| acl.rules.values().any(|rule| rule.action == action);
    match acl.default_action.as_str() {
        "BLOCK" => Ok(true),
        "ALLOW" if does("BLOCK") => Ok(true),
        "ALLOW" if does("") => Err(unread()),
        "ALLOW" => Ok(false),
        _ => Err(unread()),
    }
}
