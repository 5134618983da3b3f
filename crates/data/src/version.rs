//! Engine versions.

use serde_json::Value;

/// Whether `live` is `desired`, or what AWS has moved it on to within the same major version:
/// `17.6` for `17` or `17.5`, `7.1.0` for `7.1`. AWS upgrades minor versions in the maintenance
/// window, and completes a version that was given in part.
pub(crate) fn is_same_or_newer_minor(desired: &Value, live: &Value) -> bool {
    let (Some(desired), Some(live)) = (numbers(desired), numbers(live)) else { return false };
    desired.first() == live.first() && live >= desired
}

fn numbers(version: &Value) -> Option<Vec<u32>> {
    version.as_str()?.split('.').map(|part| part.parse().ok()).collect()
}

/// The major version: `17` of `17.6`.
pub(crate) fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_newer_minor_version_is_fine_and_anything_else_is_not() {
        let fine =
            |desired: &str, live: &str| is_same_or_newer_minor(&json!(desired), &json!(live));
        assert!(fine("17", "17.6"));
        assert!(fine("16.6", "16.10"), "ten is more than six");
        assert!(fine("7.1", "7.1.0"));
        assert!(!fine("16.10", "16.6"), "older");
        assert!(!fine("16.6", "17.2"), "another major version");
        assert!(!fine("17", "17.6-R1"), "what cannot be read is not assumed to be right");
        assert!(!is_same_or_newer_minor(&json!("17"), &json!(null)));
    }
}
