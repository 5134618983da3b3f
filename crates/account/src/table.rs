//! `dynamodb.table`: a DynamoDB table, as far as it is looked after: what encrypts it, whether it can be
//! deleted and restored. Never an item of it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, SseStatus, TableDescription};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, Status, Tags, client};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A DynamoDB table. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// `KMS` for a key in KMS; `None` for a key that DynamoDB owns.
    pub encryption_type: Option<String>,
    /// The ARN of the key in KMS.
    pub kms_key: Option<String>,
    /// Whether DynamoDB refuses to delete it.
    pub deletion_protection: bool,
    /// Whether it can be restored to any second of the last weeks.
    pub point_in_time_recovery: bool,
}

impl Inspected for Table {
    const KIND: &'static str = "dynamodb.table";
    const READ: &'static [Allow] = &[Allow::to(&[
        "dynamodb:ListTables",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:ListTagsOfResource",
    ])];
    const COSTLY: bool = true;

    async fn inspect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        // Nothing ties a table to a stack, and each costs three calls.
        if !matches!(scope, Scope::Account) {
            return Collected::default();
        }
        let call = client!(aws, aws_sdk_dynamodb).list_tables().into_paginator().items();
        let names: Vec<String> =
            match aws.call("dynamodb:ListTables", call.send().try_collect()).await {
                Ok(names) => names,
                Err(error) => return Collected::failed(error),
            };
        let mut found = Collected::default();
        let mut reads = futures::stream::iter(names)
            .map(|name| async move { read(aws, &name).await })
            .buffer_unordered(8);
        while let Some(one) = reads.next().await {
            match one {
                Ok(live) => found.live.extend(live),
                Err(error) => found.errors.extend(Collected::<Self>::failed(error).errors),
            }
        }
        found
    }
}

/// One table; `None` when it went away meanwhile.
async fn read(aws: &Aws, name: &str) -> Result<Option<Live<Table>>> {
    let action = "dynamodb:DescribeTable";
    let dynamodb = client!(aws, aws_sdk_dynamodb);
    let call = dynamodb.describe_table().table_name(name);
    let Some(answer) = aws.find(action, call.send()).await? else { return Ok(None) };
    let table = answer.table.ok_or_else(|| Error::incomplete(action, "the table"))?;
    let arn = table.table_arn.clone();
    let arn = arn.ok_or_else(|| Error::incomplete(action, "a table's ARN"))?;
    let mut live = described(name, &table).with_arn(&arn);
    let backups = dynamodb.describe_continuous_backups().table_name(name);
    let (backups, tags) = futures::join!(
        aws.call("dynamodb:DescribeContinuousBackups", backups.send()),
        tags_of(aws, &arn),
    );
    live.read("point_in_time_recovery", backups, |spec, answer| {
        let backups = answer.continuous_backups_description;
        let recovery = backups.and_then(|all| all.point_in_time_recovery_description);
        let status = recovery.and_then(|one| one.point_in_time_recovery_status);
        spec.point_in_time_recovery = status == Some(PointInTimeRecoveryStatus::Enabled);
    });
    let mut found = Tags::new();
    live.read("tags", tags, |_, tags| found = tags);
    Ok(Some(live.with_tags(found)))
}

fn described(name: &str, table: &TableDescription) -> Live<Table> {
    // A key stays on record after the table went back to DynamoDB's own.
    let encryption = table.sse_description().filter(|one| {
        matches!(one.status(), Some(SseStatus::Enabled | SseStatus::Enabling | SseStatus::Updating))
    });
    let spec = Table {
        encryption_type: encryption
            .and_then(|one| one.sse_type())
            .map(|word| word.as_str().to_owned()),
        kms_key: encryption.and_then(|one| one.kms_master_key_arn()).map(str::to_owned),
        deletion_protection: table.deletion_protection_enabled() == Some(true),
        point_in_time_recovery: false,
    };
    let word = table.table_status().map_or("", |status| status.as_str());
    let bad = &["INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED"];
    let status = Status::by_word(word, &["ACTIVE", "UPDATING"], bad, &["DELETING", "ARCHIVING"]);
    Live::new(name, spec).with_status(status)
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Tags> {
    let mut tags = BTreeMap::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_dynamodb)
            .list_tags_of_resource()
            .resource_arn(arn)
            .set_next_token(next);
        let page = aws.call("dynamodb:ListTagsOfResource", call.send()).await?;
        tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
        next = page.next_token;
        if next.is_none() {
            return Ok(tags);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{SseDescription, SseType};

    use super::*;

    #[test]
    fn a_key_that_is_not_in_use_does_not_count() {
        let with = |status: SseStatus| {
            let sse = SseDescription::builder().sse_type(SseType::Kms).kms_master_key_arn("arn:k");
            let sse = sse.status(status).build();
            described("t", &TableDescription::builder().sse_description(sse).build()).spec
        };
        assert_eq!(with(SseStatus::Enabled).kms_key.as_deref(), Some("arn:k"));
        assert_eq!(with(SseStatus::Disabling).kms_key, None);
        assert_eq!(described("t", &TableDescription::builder().build()).spec.encryption_type, None);
    }
}
