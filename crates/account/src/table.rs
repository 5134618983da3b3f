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
        let call = client!(aws, aws_sdk_dynamodb).list_tables().into_paginator().items();
        let names: Vec<String> =
            match aws.call("dynamodb:ListTables", call.send().try_collect()).await {
                Ok(names) => names,
                Err(error) => return Collected::failed(error),
            };
        let mut found = Collected::default();
        let mut reads = futures::stream::iter(names)
            .map(|name| async move { read(aws, scope, &name).await })
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

/// One table; `None` when it went away meanwhile, or the scope does not want it. Nothing but its tags can tie a
/// table to a stack: strangers' cost no more than the call for those.
async fn read(aws: &Aws, scope: &Scope, name: &str) -> Result<Option<Live<Table>>> {
    let arn = aws.arn("dynamodb", &format!("table/{name}"));
    let Some(tags) = tags_of(aws, &arn).await.transpose() else { return Ok(None) };
    if tags.as_ref().is_ok_and(|tags| !scope.wants(tags)) {
        return Ok(None);
    }
    let action = "dynamodb:DescribeTable";
    let dynamodb = client!(aws, aws_sdk_dynamodb);
    let call = dynamodb.describe_table().table_name(name);
    let Some(answer) = aws.find(action, call.send()).await? else { return Ok(None) };
    let table = answer.table.ok_or_else(|| Error::incomplete(action, "the table"))?;
    let mut live = described(name, &table).with_arn(arn);
    let backups = dynamodb.describe_continuous_backups().table_name(name);
    let backups = aws.call("dynamodb:DescribeContinuousBackups", backups.send()).await;
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

/// The tags of a table; `None` when it went away meanwhile.
async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let mut tags = BTreeMap::new();
    let mut next = None;
    loop {
        let call = client!(aws, aws_sdk_dynamodb)
            .list_tags_of_resource()
            .resource_arn(arn)
            .set_next_token(next);
        let page = aws.find("dynamodb:ListTagsOfResource", call.send()).await?;
        let Some(page) = page else { return Ok(None) };
        tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
        next = page.next_token;
        if next.is_none() {
            return Ok(Some(tags));
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::describe_continuous_backups::DescribeContinuousBackupsOutput;
    use aws_sdk_dynamodb::operation::describe_table::DescribeTableOutput;
    use aws_sdk_dynamodb::operation::list_tables::ListTablesOutput;
    use aws_sdk_dynamodb::operation::list_tags_of_resource::ListTagsOfResourceOutput;
    use aws_sdk_dynamodb::types::{SseDescription, SseType, Tag};
    use aws_smithy_mocks::{MockResponseInterceptor, RuleMode, mock};
    use engine::stack::STACK_TAG;
    use engine::{StackName, Target};

    use super::*;

    #[tokio::test]
    async fn only_tables_of_the_stack_are_described_for_it() {
        let stack = StackName::new("student", "dev");
        let owner = stack.to_string();
        let tag = Tag::builder().key(STACK_TAG).value(owner).build().unwrap();
        let rules = [
            mock!(aws_sdk_dynamodb::Client::list_tables).then_output(|| {
                ListTablesOutput::builder().table_names("grades").table_names("theirs").build()
            }),
            mock!(aws_sdk_dynamodb::Client::list_tags_of_resource)
                .match_requests(|asked| {
                    asked.resource_arn().is_some_and(|arn| arn.ends_with("table/grades"))
                })
                .then_output(move || ListTagsOfResourceOutput::builder().tags(tag.clone()).build()),
            mock!(aws_sdk_dynamodb::Client::list_tags_of_resource)
                .match_requests(|asked| {
                    asked.resource_arn().is_some_and(|arn| arn.ends_with("table/theirs"))
                })
                .then_output(|| ListTagsOfResourceOutput::builder().build()),
            mock!(aws_sdk_dynamodb::Client::describe_table)
                .match_requests(|asked| asked.table_name() == Some("grades"))
                .then_output(|| {
                    DescribeTableOutput::builder()
                        .table(TableDescription::builder().build())
                        .build()
                }),
            mock!(aws_sdk_dynamodb::Client::describe_continuous_backups)
                .then_output(|| DescribeContinuousBackupsOutput::builder().build()),
        ];
        let mocks =
            MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny).allow_passthrough();
        let mocks = rules.iter().fold(mocks, |mocks, rule| mocks.with_rule(rule));
        let embedded = local::ControlPlane::in_memory().http_client();
        let aws = Aws::connect(Target::Embedded(embedded), Some("us-east-1")).await.unwrap();
        let found = Table::inspect(&aws.with_interceptor(mocks), &Scope::Stack(stack)).await;
        assert!(found.errors.is_empty(), "{:?}", found.errors);
        let ids: Vec<_> = found.live.iter().map(|live| live.id.as_str()).collect();
        assert_eq!(ids, ["grades"]);
        assert!(found.live[0].tags.contains_key(STACK_TAG));
    }

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
