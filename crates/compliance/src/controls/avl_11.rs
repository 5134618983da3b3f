//! FERPA-AVL-11: who writes to a stream may encrypt with its key.

use std::collections::BTreeSet;

use compute::Role;
use data::KinesisStream;
use engine::{Inspected, Live};
use security::Key;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::grants::Grants;
use crate::key_uses::key_id;
use crate::keys::AtRest;
use crate::policy::{Document, matches};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-AVL-11",
    title: "Who writes to a stream may encrypt with its key",
    statement: "Every role that may put records into an encrypted stream may make data keys with the stream's key.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.1"],
    why: "Kinesis encrypts in the writer's name: without leave to use the key every write fails, and what should be on record is not.",
    reads: &[&[
        "iam.role.inline_policies",
        "iam.role.managed_policies",
        "iam.role.permissions_boundary",
        "iam.role.path",
        "iam.policy.document",
        "kinesis.stream.key",
        "kms.key.alias",
        "kms.key.description",
        "kms.key.policy",
        "kms.key.grants",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the tasks' role may make data keys by way of Kinesis",
        api: "iam:PutRolePolicy with kms:GenerateDataKey on the stream's key",
    },
    reach: Reach::Stack,
    judge,
};

const WRITES: &[&str] = &["kinesis:PutRecord", "kinesis:PutRecords"];
const ENCRYPTS: &str = "kms:GenerateDataKey";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let (roles, unread) = facts.listed::<Role>();
    let mut judgements = Vec::new();
    let concerns = |role: &Live<Role>| {
        facts.is_subject(Role::KIND, &role.id) && !role.spec.is_service_linked()
    };
    for role in roles.iter().filter(|role| concerns(role)) {
        let role = Seen::of(role);
        // A role that writes to no such stream is not worth a line.
        if let Some(verdict) = by_role(facts, &role).transpose() {
            judgements.push(facts.about(&role, verdict));
        }
    }
    judgements.extend(unread.map(|unread| facts.whole(Role::KIND, Err(unread))));
    judgements
}

fn by_role(facts: &Facts<'_>, role: &Seen<'_, Role>) -> Result<Option<Verdict>, Unread> {
    let grants = Grants::of_role(facts, role)?;
    let streams = written(facts, &grants)?;
    let (mut writes, mut fails, mut unread) = (Vec::new(), Vec::new(), None);
    for stream in &streams {
        match may_encrypt(facts, role, &grants, stream) {
            Ok(None) => {}
            Ok(Some(true)) => writes.push(stream.id.clone()),
            Ok(Some(false)) => fails.push(stream.id.clone()),
            Err(why) => unread = Some(why),
        }
    }
    if let Some(unread) = unread.filter(|_| fails.is_empty()) {
        return Err(unread);
    }
    if writes.is_empty() && fails.is_empty() {
        return Ok(None);
    }
    let good = format!("the role may encrypt what it writes to {}", writes.join(", "));
    let bad = format!(
        "the role may write to {} but not use {ENCRYPTS} on the key, so every write fails",
        fails.join(", ")
    );
    let verdict = Verdict::of(fails.is_empty(), good, bad);
    Ok(Some(verdict.with("kinesis:DescribeStreamSummary", "StreamName", fails)))
}

/// The streams that somebody may write to.
fn written(facts: &Facts<'_>, grants: &Grants) -> Result<Vec<Live<KinesisStream>>, Unread> {
    let mut patterns: BTreeSet<&str> = BTreeSet::new();
    for action in WRITES {
        patterns.extend(grants.resources_of(action)?);
    }
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Live<KinesisStream>> = Vec::new();
    for pattern in patterns {
        // Most policies name their stream, and accounts have many of both.
        if pattern.contains(['*', '?']) {
            let all = facts.all::<KinesisStream>()?;
            let named = |one: &&Live<KinesisStream>| {
                one.arn.as_deref().is_some_and(|arn| matches(pattern, arn))
            };
            found.extend(all.iter().filter(named).cloned());
        } else {
            found.extend(facts.find::<KinesisStream>(pattern)?.map(|one| (*one).clone()));
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.dedup_by(|a, b| a.id == b.id);
    let mut written = Vec::new();
    for stream in found {
        if may_write(grants, &stream)? {
            written.push(stream);
        }
    }
    Ok(written)
}

fn may_write(grants: &Grants, stream: &Live<KinesisStream>) -> Result<bool, Unread> {
    let arn = stream.arn.as_deref().unwrap_or(&stream.id);
    for action in WRITES {
        if !grants.which(|document| document.may_allow_on(action, arn))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a role may make data keys for a stream; `None` where the stream needs none of a key that anybody
/// has to be given.
fn may_encrypt(
    facts: &Facts<'_>,
    role: &Seen<'_, Role>,
    grants: &Grants,
    stream: &Live<KinesisStream>,
) -> Result<Option<bool>, Unread> {
    // The key of a stranger's stream is not read in the audit of a stack.
    let Some(stream) = facts.find_read::<KinesisStream>(&stream.id)? else { return Ok(None) };
    let Some(name) = &Seen::of(&*stream).read(&["key"])?.key else { return Ok(None) };
    let name = name.as_str();
    let key = match AtRest::with(facts, Some(name))? {
        // AWS's own key lets everybody in the account who comes by way of Kinesis.
        AtRest::AwsKey => return Ok(None),
        AtRest::CustomerKey => facts.find::<Key>(&key_id(facts, name))?,
        AtRest::ForeignKey(_) => None,
    };
    let arn = key.as_ref().and_then(|key| key.arn.as_deref()).unwrap_or(name);
    let by_iam = grants.which(|document| document.may_allow_on(ENCRYPTS, arn));
    if by_iam.as_ref().is_ok_and(|policies| !policies.is_empty()) {
        return Ok(Some(true));
    }
    if let (Some(key), Some(role)) = (&key, role.live().arn.as_deref()) {
        let spec = Seen::of(&**key).read(&["policy", "grants"])?;
        let lent = spec
            .grants
            .iter()
            .any(|grant| grant.grantee == role && grant.operations.contains("GenerateDataKey"));
        if lent || Document::of(&spec.policy).gives(role, ENCRYPTS) {
            return Ok(Some(true));
        }
    }
    by_iam.map(|_| Some(false))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::PolicyDetail;
    use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput;
    use aws_sdk_kinesis::operation::list_streams::ListStreamsOutput;
    use aws_sdk_kinesis::operation::list_tags_for_stream::ListTagsForStreamOutput;
    use aws_sdk_kinesis::types::{EncryptionType, StreamDescriptionSummary, StreamStatus};
    use aws_sdk_kms::types::GrantOperation;
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::DateTime;
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::iam::{details, policy, role};
    use crate::testing::kms::{grants, key, key_policy};
    use crate::testing::{KEY, denied, judged, only};

    const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/events";
    const TASK: &str = "arn:aws:iam::123456789012:role/task";

    /// The stream `events`, encrypted with this key.
    fn stream(key: Option<&'static str>) -> Vec<Rule> {
        let listed = || {
            let names = ListStreamsOutput::builder().stream_names("events");
            names.has_more_streams(false).build().unwrap()
        };
        let described = move || {
            let one = StreamDescriptionSummary::builder()
                .stream_name("events")
                .stream_arn(STREAM)
                .stream_status(StreamStatus::Active)
                .retention_period_hours(24)
                .stream_creation_timestamp(DateTime::from_secs(0))
                .set_enhanced_monitoring(Some(Vec::new()))
                .open_shard_count(1)
                .set_encryption_type(key.map(|_| EncryptionType::Kms))
                .set_key_id(key.map(str::to_owned));
            let one = one.build().unwrap();
            DescribeStreamSummaryOutput::builder().stream_description_summary(one).build()
        };
        vec![
            mock!(aws_sdk_kinesis::Client::list_streams).then_output(listed),
            mock!(aws_sdk_kinesis::Client::describe_stream_summary).then_output(described),
            mock!(aws_sdk_kinesis::Client::list_tags_for_stream).then_output(|| {
                let answer = ListTagsForStreamOutput::builder().set_tags(Some(Vec::new()));
                answer.has_more_tags(false).build().unwrap()
            }),
        ]
    }

    fn allow(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    /// The role of a task that these statements allow something.
    fn task(statements: Vec<Value>) -> Rule {
        details(move |it| {
            let own = policy(json!(statements));
            let own = PolicyDetail::builder().policy_name("own").policy_document(own).build();
            it.role_detail_list(role("task").role_policy_list(own).build())
        })
    }

    fn writer(statement: Value) -> Rule {
        task(vec![allow("kinesis:PutRecord", STREAM), statement])
    }

    async fn with(rules: Vec<Rule>) -> (Status, String) {
        let found = judged(&CONTROL, &[rules, stream(Some(KEY)), key(vec![])].concat()).await;
        let (status, message) = only(&found);
        (status, message.to_owned())
    }

    #[tokio::test]
    async fn a_writer_needs_data_keys() {
        let (status, message) = with(vec![writer(allow("kms:Decrypt", KEY))]).await;
        let why = "the role may write to events but not use kms:GenerateDataKey on the key, so every write fails";
        assert_eq!((status, message.as_str()), (Status::Fail, why));
        let another = KEY.replace("1234", "5678");
        assert_eq!(with(vec![writer(allow("kms:*", &another))]).await.0, Status::Fail);
        let (status, message) = with(vec![writer(allow("kms:GenerateDataKey*", KEY))]).await;
        assert_eq!(status, Status::Pass, "{message}");
        let via = json!({"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": KEY,
            "Condition": {"StringEquals": {"kms:ViaService": "kinesis.us-east-1.amazonaws.com"}}});
        assert_eq!(with(vec![writer(via)]).await.0, Status::Pass);
        let any = allow("kinesis:Put*", "arn:aws:kinesis:*:*:stream/*");
        assert_eq!(with(vec![task(vec![any])]).await.0, Status::Fail);
    }

    #[tokio::test]
    async fn the_key_may_give_them_by_itself() {
        let gives = || {
            key_policy(json!({"Effect": "Allow", "Principal": {"AWS": TASK}, "Resource": "*",
                "Action": "kms:GenerateDataKey"}))
        };
        let lends = || grants(vec![(TASK, GrantOperation::GenerateDataKey)]);
        for giving in [gives(), lends()] {
            let rules = vec![writer(allow("kms:Decrypt", KEY)), giving];
            assert_eq!(with(rules).await.0, Status::Pass);
        }
    }

    #[tokio::test]
    async fn who_does_not_write_and_what_needs_no_key_is_not_judged() {
        let reads = task(vec![allow("kinesis:GetRecords", STREAM)]);
        assert_eq!(with(vec![reads]).await.0, Status::NotApplicable);
        let elsewhere = task(vec![allow("kinesis:PutRecord", &STREAM.replace("events", "grades"))]);
        assert_eq!(with(vec![elsewhere]).await.0, Status::NotApplicable);
        for key in [None, Some("alias/aws/kinesis")] {
            let rules = [vec![writer(allow("s3:GetObject", "*"))], stream(key)].concat();
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::NotApplicable);
        }
    }

    #[tokio::test]
    async fn streams_and_keys_that_cannot_be_read_are_unknown() {
        let writes = || writer(allow("kms:Decrypt", KEY));
        let unlisted = denied!(aws_sdk_kinesis, list_streams, ListStreamsError);
        assert_eq!(with(vec![writes(), unlisted]).await.0, Status::Unknown);
        let unread = denied!(aws_sdk_kms, get_key_policy, GetKeyPolicyError);
        assert_eq!(with(vec![writes(), unread]).await.0, Status::Unknown);
    }
}
