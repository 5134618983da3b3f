//! How long ago something was.

use jiff::Timestamp;

use crate::facts::Facts;
use crate::finding::Unread;

/// How many whole days ago a time was; negative for one to come.
///
/// # Errors
/// When the text is no time.
pub fn days_since(facts: &Facts<'_>, time: &str) -> Result<i64, Unread> {
    let then: Timestamp =
        time.parse().map_err(|_| Unread { what: format!("the time {time:?}"), error: None })?;
    Ok(facts.now().duration_since(then).as_hours().div_euclid(24))
}
