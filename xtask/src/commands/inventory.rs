//! `inventory`: a snapshot of what runs, for `audit --from` and for keeping.

use std::collections::BTreeMap;
use std::process::ExitCode;

use engine::{ApiError, Inventory};

use super::{Session, print_json};
use crate::cli::{Common, InventoryArgs};
use crate::failure::Failure;

/// Runs the command. What could not be read is in the snapshot, and makes the exit code 3.
pub async fn run(common: &Common, args: &InventoryArgs) -> Result<ExitCode, Failure> {
    let session = Session::start(common).await?;
    let inventory = session.inspect(args.scope).await;
    let text =
        serde_json::to_string_pretty(&inventory).map_err(|why| Failure::Bug(why.to_string()))?;
    std::fs::write(&args.output, text + "\n").map_err(|why| Failure::File {
        verb: "write",
        path: args.output.display().to_string(),
        why: why.to_string(),
    })?;
    let resources: usize = inventory.resources.values().map(Vec::len).sum();
    // What an imitation of AWS does not have at all is no news to whoever runs it.
    let counts = |error: &&ApiError| !session.connection.aws.lacks(error);
    let mut errors: Vec<ApiError> =
        inventory.errors.values().flatten().filter(counts).cloned().collect();
    errors.extend(denied_fields(&inventory).into_iter().cloned());
    if common.json {
        print_json(&serde_json::json!({"resources": resources, "errors": inventory.errors}))?;
    } else {
        println!("{resources} resources written to {}", args.output.display());
    }
    if errors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Unread(errors))
}

/// Why fields could not be read for want of a permission, once for each that is missing. What keeps our account
/// out by itself, a stranger's key or bucket, is not for us to permit.
fn denied_fields(inventory: &Inventory) -> Vec<&ApiError> {
    let fields = inventory.resources.values().flatten().flat_map(|live| live.unreadable.values());
    let denied = fields.filter(|error| error.is_denied() && !error.is_denied_by_resource());
    let by_action: BTreeMap<&str, &ApiError> =
        denied.map(|error| (error.denied_action(), error)).collect();
    by_action.into_values().collect()
}

#[cfg(test)]
mod tests {
    use engine::Live;

    use super::*;

    #[test]
    fn a_field_that_was_denied_is_told_once_for_each_missing_permission() {
        let error = |code: &str, message: &str| ApiError {
            action: "kms:GetKeyPolicy".into(),
            code: code.into(),
            message: message.into(),
            status: Some(400),
        };
        let shut = "because no resource-based policy allows the kms:GetKeyPolicy action";
        let mut keys = Vec::new();
        for (id, field, error) in [
            ("1", "policy", error("AccessDeniedException", "")),
            ("2", "policy", error("AccessDeniedException", "")),
            ("3", "policy", error("AccessDeniedException", shut)),
            ("4", "rotation", error("InternalError", "")),
        ] {
            let mut live = Live::new(id, serde_json::json!({}));
            live.unreadable.insert(field.into(), error);
            keys.push(live);
        }
        let mut inventory = Inventory::empty("123456789012", "us-east-1");
        assert!(denied_fields(&inventory).is_empty());
        inventory.resources.insert("kms.key".into(), keys);
        assert_eq!(denied_fields(&inventory).len(), 1);
    }
}
