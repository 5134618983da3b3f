//! `kms.key`: a customer-managed key, with its policy, its yearly rotation and its alias.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_kms::types::{
    GrantListEntry, KeyListEntry, KeyManagerType, KeyMetadata, KeyState, Tag,
};
use engine::kind::REVIVE;
use engine::stack::{RESOURCE_TAG, STACK_TAG};
use engine::vocabulary::{Arn, Id};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Policy, Resource,
    Result, Scope, Status, Tags, Traits, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// The tag that keeps [`Key::deletion_window_days`]: AWS does not show the window of a key that is
/// not being deleted, and whoever destroys a stack has nothing but what AWS shows.
pub const DELETION_WINDOW_TAG: &str = "ferpa-stack:deletion-window-days";

/// The longest deletion window, and AWS's default, in days.
pub const LONGEST_DELETION_WINDOW: u32 = 30;

/// A symmetric encryption key. Its id is the key id; the output `alias` is the name of its alias, where
/// it has one.
///
/// Deletion is scheduled, never immediate: until the window is over the key, its alias and its policy
/// stay, and a deploy takes the deletion back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// What the key is for, in a sentence.
    pub description: String,
    /// The key's name, `alias/…`; unique in account and region.
    pub alias: Option<String>,
    /// Who may administer it, and who may use it through which service.
    pub policy: Policy,
    /// Whether AWS makes new key material regularly.
    pub rotation_enabled: bool,
    /// How often, in days, 90 to 2560; AWS shows 365 while rotation is off.
    pub rotation_period_days: u32,
    /// Whether it can be used.
    pub enabled: bool,
    /// How long a deletion can be taken back, in days, 7 to 30. Kept in [`DELETION_WINDOW_TAG`].
    pub deletion_window_days: u32,
    /// Whom it is lent to, beside what the policy says. Only ever read: services make and retire these.
    #[serde(default)]
    pub grants: BTreeSet<Grant>,
    /// What kind of key it is: `SYMMETRIC_DEFAULT`, `RSA_2048`… Only ever read.
    #[serde(default)]
    pub key_spec: Option<String>,
    /// Where its material comes from: `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`… Only ever read.
    #[serde(default)]
    pub origin: Option<String>,
}

/// Leave to use a key, given to one principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// AWS's id of it.
    pub id: String,
    /// Who may use the key: the ARN of an IAM principal, or an AWS service.
    pub grantee: String,
    /// For what: `Decrypt`, `GenerateDataKey`, `CreateGrant`…
    pub operations: BTreeSet<String>,
    /// Who may end it, beside the account.
    pub retiring_principal: Option<String>,
    /// The encryption context that a request needs to have: these pairs, and perhaps others.
    pub context_subset: BTreeMap<String, String>,
    /// The encryption context that a request needs to have: these pairs and no others.
    pub context_equals: BTreeMap<String, String>,
}

/// What AWS takes when rotation is switched on without a period.
const DEFAULT_ROTATION_PERIOD: u32 = 365;

impl Resource for Key {
    const TRAITS: Traits = Traits {
        name: Some("alias"),
        late: &["alias", "rotation_enabled", "rotation_period_days", "enabled"],
        write_only: &["deletion_window_days", "grants", "key_spec", "origin"],
        revivable: true,
        not_yet: &[
            // A role in the policy that IAM does not show everywhere yet.
            ("MalformedPolicyDocumentException", "invalid principals"),
            // What follows a creation may come before KMS goes by the new key's tags, and the printed policy
            // allows it on keys with the stack's:
            // https://docs.aws.amazon.com/kms/latest/developerguide/abac.html
            ("AccessDeniedException", "perform: kms:CreateAlias on resource: "),
            ("AccessDeniedException", "perform: kms:EnableKeyRotation on resource: "),
        ],
        permissions: Permissions {
            read: &[Allow::to(&[
                "kms:ListKeys",
                "kms:ListAliases",
                "kms:DescribeKey",
                "kms:ListResourceTags",
                "kms:GetKeyPolicy",
                "kms:GetKeyRotationStatus",
                "kms:ListGrants",
            ])],
            make: &[
                Allow::to(&["kms:CreateKey"]).for_stack(),
                // For the tags of CreateKey: https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
                Allow::to(&["kms:TagResource"]).on(&["kms:{here}:key/*"]).for_stack(),
                Allow::to(&["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"])
                    .on(&["kms:{here}:alias/{name}"]),
                Allow::to(&[
                    "kms:CreateAlias",
                    "kms:UpdateAlias",
                    "kms:DeleteAlias",
                    "kms:PutKeyPolicy",
                    "kms:UpdateKeyDescription",
                    "kms:EnableKeyRotation",
                    "kms:DisableKeyRotation",
                    "kms:EnableKey",
                    "kms:DisableKey",
                    "kms:CancelKeyDeletion",
                    "kms:TagResource",
                    "kms:UntagResource",
                ])
                .on(&["kms:{here}:key/*"])
                .of_stack(),
            ],
            remove: &[Allow::to(&["kms:ScheduleKeyDeletion"]).on(&["kms:{here}:key/*"]).of_stack()],
        },
        ..Traits::of("kms.key")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        list(aws, scope).await.unwrap_or_else(Collected::failed)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "kms:CreateKey";
        let call = client!(aws, aws_sdk_kms)
            .create_key()
            .description(&self.description)
            .policy(self.policy.to_string())
            .set_tags(Some(to_kms(&new.tags)?));
        let made = aws.call(action, call.send()).await?;
        let missing = || Error::incomplete(action, "the key's id and ARN");
        let metadata = made.key_metadata.ok_or_else(missing)?;
        let arn = metadata.arn.ok_or_else(missing)?;
        let spec = Self {
            alias: None,
            rotation_enabled: false,
            rotation_period_days: DEFAULT_ROTATION_PERIOD,
            enabled: true,
            ..self.clone()
        };
        Ok(Live::new(metadata.key_id, spec).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let kms = client!(aws, aws_sdk_kms);
        if changes.has(REVIVE) {
            let call = kms.cancel_key_deletion().key_id(&live.id);
            aws.call("kms:CancelKeyDeletion", call.send()).await?;
        }
        // A key that comes back is disabled; and rotation can only be set on an enabled one.
        if self.enabled && changes.any(&[REVIVE, "enabled"]) {
            let call = kms.enable_key().key_id(&live.id);
            aws.call("kms:EnableKey", call.send()).await?;
        }
        if changes.has("description") {
            let call = kms.update_key_description().key_id(&live.id).description(&self.description);
            aws.call("kms:UpdateKeyDescription", call.send()).await?;
        }
        if changes.has("policy") {
            let call = kms
                .put_key_policy()
                .key_id(&live.id)
                .policy_name("default")
                .policy(self.policy.to_string());
            aws.call("kms:PutKeyPolicy", call.send()).await?;
        }
        if changes.any(&["rotation_enabled", "rotation_period_days"]) {
            if self.rotation_enabled {
                let call = kms
                    .enable_key_rotation()
                    .key_id(&live.id)
                    .rotation_period_in_days(days(self.rotation_period_days));
                aws.call("kms:EnableKeyRotation", call.send()).await?;
            } else if live.spec.rotation_enabled {
                let call = kms.disable_key_rotation().key_id(&live.id);
                aws.call("kms:DisableKeyRotation", call.send()).await?;
            }
        }
        if changes.has("alias") {
            if let Some(alias) = &self.alias {
                name(aws, live, alias).await?;
            }
            if let Some(former) = &live.spec.alias {
                let call = kms.delete_alias().alias_name(former);
                aws.find("kms:DeleteAlias", call.send()).await?;
            }
        }
        if changes.has("enabled") && !self.enabled {
            let call = kms.disable_key().key_id(&live.id);
            aws.call("kms:DisableKey", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let kms = client!(aws, aws_sdk_kms);
        if !put.is_empty() {
            let call = kms.tag_resource().key_id(&live.id).set_tags(Some(to_kms(put)?));
            aws.call("kms:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call = kms.untag_resource().key_id(&live.id).set_tag_keys(Some(remove.to_vec()));
            aws.call("kms:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    /// Schedules the deletion. The alias stays with the key, so that a deletion taken back brings back
    /// the name too.
    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_kms)
            .schedule_key_deletion()
            .key_id(&live.id)
            .pending_window_in_days(days(live.spec.deletion_window_days));
        match aws.call("kms:ScheduleKeyDeletion", call.send()).await {
            // It is pending already.
            Err(Error::Api(error)) if error.code == "KMSInvalidStateException" => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

fn days(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Gives the key an alias. One that exists already is moved here only from a key of the same owner
/// and purpose (an earlier key whose deletion cannot be taken back any more), never from a stranger's.
async fn name(aws: &Aws, live: &Live<Key>, alias: &str) -> Result<()> {
    let kms = client!(aws, aws_sdk_kms);
    let call = kms.create_alias().alias_name(alias).target_key_id(&live.id);
    let taken = match aws.call("kms:CreateAlias", call.send()).await {
        Ok(_) => return Ok(()),
        Err(Error::Api(error)) if error.is_exists() => error,
        Err(error) => return Err(error),
    };
    let call = kms.describe_key().key_id(alias);
    let target = aws.call("kms:DescribeKey", call.send()).await?.key_metadata;
    let Some(target) = target else {
        return Err(Error::incomplete("kms:DescribeKey", "the key behind the alias"));
    };
    if target.key_id == live.id {
        return Ok(());
    }
    let theirs = tags_of(aws, &target.key_id).await?;
    let same = |tag| live.tags.contains_key(tag) && theirs.get(tag) == live.tags.get(tag);
    if !same(STACK_TAG) || !same(RESOURCE_TAG) {
        return Err(taken.into());
    }
    let call = kms.update_alias().alias_name(alias).target_key_id(&live.id);
    aws.call("kms:UpdateAlias", call.send()).await?;
    Ok(())
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Collected<Key>> {
    let kms = client!(aws, aws_sdk_kms);
    let keys = kms.list_keys().into_paginator().items();
    let keys: Vec<KeyListEntry> = aws.call("kms:ListKeys", keys.send().try_collect()).await?;
    if keys.is_empty() {
        return Ok(Collected::default());
    }
    let aliases = aliases(aws).await;
    let reads = keys.into_iter().filter_map(|key| key.key_id).map(|id| {
        let aliases = &aliases;
        async move { read(aws, scope, id, aliases).await }
    });
    let read: Vec<_> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    let mut found = Collected::default();
    for one in read {
        match one {
            Ok(Some(live)) => found.live.push(live),
            Ok(None) => {}
            Err(Error::Api(error)) => found.errors.push(error),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

/// The key, unless AWS manages it.
async fn read(
    aws: &Aws,
    scope: &Scope,
    id: String,
    aliases: &Result<BTreeMap<String, Vec<String>>>,
) -> Result<Option<Live<Key>>> {
    let names = aliases.as_ref().ok().and_then(|all| all.get(&id));
    // Keys that AWS manages carry its aliases; their tags are nobody's business.
    if names.is_some_and(|names| names.iter().any(|name| name.starts_with("alias/aws/"))) {
        return Ok(None);
    }
    let tags = match tags_of(aws, &id).await {
        // It went between the listing and now.
        Err(Error::Api(error)) if error.is_not_found() => return Ok(None),
        // A key whose own policy keeps the account out is not one that we made. Whether it was that, the
        // engine tells.
        Err(Error::Api(error)) if error.is_denied() => Err(error),
        answer => Ok(answer?),
    };
    let known = tags.as_ref().cloned().unwrap_or_default();
    let window = known.get(DELETION_WINDOW_TAG).and_then(|days| days.parse().ok());
    let spec = Key {
        description: String::new(),
        alias: None,
        policy: Policy::default(),
        rotation_enabled: false,
        rotation_period_days: DEFAULT_ROTATION_PERIOD,
        enabled: true,
        deletion_window_days: window.unwrap_or(LONGEST_DELETION_WINDOW),
        grants: BTreeSet::new(),
        key_spec: None,
        origin: None,
    };
    let arn = aws.arn("kms", &format!("key/{id}"));
    let mut live = Live::new(id.clone(), spec).with_arn(arn).with_tags(known);
    let alias = aliases.clone().map(|all| {
        let names = all.get(&id).cloned().unwrap_or_default();
        let ours = names.iter().find(|name| scope.may_be_ours(name));
        ours.or_else(|| names.first()).cloned()
    });
    live.read("alias", alias, |spec, alias| spec.alias = alias);
    live = match live.spec.alias.clone() {
        Some(alias) => live.with_output("alias", Some(alias)),
        None => live,
    };
    if let Err(error) = &tags {
        live.read("tags", Err::<(), _>(error.clone().into()), |_, ()| ());
    }
    if scope.wants(&live.tags) {
        return Ok(detail(aws, &mut live).await.then_some(live));
    }
    match tags {
        Ok(_) => live.leave_out(DETAILS, "kms:DescribeKey", "the key is not of the stack"),
        Err(error) => {
            for field in DETAILS {
                live.read(field, Err::<(), _>(error.clone().into()), |_, ()| ());
            }
        }
    }
    Ok(Some(live))
}

/// The fields that cost calls of their own.
const DETAILS: &[&str] = &[
    "description",
    "policy",
    "rotation_enabled",
    "rotation_period_days",
    "enabled",
    "grants",
    "key_spec",
    "origin",
];

/// Reads what neither the listing nor the tags say. The answer is whether it is a customer's key.
async fn detail(aws: &Aws, live: &mut Live<Key>) -> bool {
    let id = live.id.clone();
    let (metadata, policy, rotation, grants) =
        futures::join!(metadata(aws, &id), policy(aws, &id), rotation(aws, &id), grants(aws, &id));
    match metadata {
        Ok(metadata) => {
            if metadata.key_manager == Some(KeyManagerType::Aws) {
                return false;
            }
            if let Some(arn) = metadata.arn {
                live.arn = Some(arn);
            }
            live.spec.description = metadata.description.unwrap_or_default();
            live.spec.enabled = metadata.enabled;
            live.spec.key_spec = metadata.key_spec.map(|spec| spec.as_str().to_owned());
            live.spec.origin = metadata.origin.map(|origin| origin.as_str().to_owned());
            live.status = status(metadata.key_state.as_ref());
        }
        Err(error) => {
            for field in ["description", "enabled", "key_spec", "origin", "status"] {
                live.read(field, Err::<(), _>(error.clone()), |_, ()| ());
            }
        }
    }
    live.read("policy", policy, |spec, policy| spec.policy = policy);
    let period = rotation.clone().map(|(_, period)| period);
    live.read("rotation_period_days", period, |spec, period| {
        spec.rotation_period_days = period;
    });
    live.read("rotation_enabled", rotation, |spec, (on, _)| spec.rotation_enabled = on);
    live.read("grants", grants, |spec, grants| spec.grants = grants);
    true
}

/// A key that is disabled exists and is what it is: that is the field `enabled`.
fn status(state: Option<&KeyState>) -> Status {
    match state {
        Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => Status::Deleting,
        Some(KeyState::Creating | KeyState::Updating) => Status::Pending("Creating".into()),
        Some(KeyState::Unavailable) => Status::Failed("Unavailable".into()),
        _ => Status::Ready,
    }
}

async fn metadata(aws: &Aws, id: &str) -> Result<KeyMetadata> {
    let action = "kms:DescribeKey";
    let call = client!(aws, aws_sdk_kms).describe_key().key_id(id);
    let metadata = aws.call(action, call.send()).await?.key_metadata;
    metadata.ok_or_else(|| Error::incomplete(action, "the key"))
}

async fn grants(aws: &Aws, id: &str) -> Result<BTreeSet<Grant>> {
    let action = "kms:ListGrants";
    let call = client!(aws, aws_sdk_kms).list_grants().key_id(id).into_paginator().items();
    let grants = aws.call(action, call.send().try_collect()).await?;
    grants.into_iter().map(|grant| read_grant(action, grant)).collect()
}

fn read_grant(action: &str, grant: GrantListEntry) -> Result<Grant> {
    let missing = || Error::incomplete(action, "a grant's id and grantee");
    let pairs = |pairs: Option<std::collections::HashMap<String, String>>| {
        pairs.unwrap_or_default().into_iter().collect()
    };
    let (subset, equals) = grant
        .constraints
        .map(|only| (only.encryption_context_subset, only.encryption_context_equals))
        .unwrap_or_default();
    Ok(Grant {
        id: grant.grant_id.ok_or_else(missing)?,
        grantee: grant.grantee_principal.ok_or_else(missing)?,
        operations: grant
            .operations
            .unwrap_or_default()
            .iter()
            .map(|operation| operation.as_str().to_owned())
            .collect(),
        retiring_principal: grant.retiring_principal,
        context_subset: pairs(subset),
        context_equals: pairs(equals),
    })
}

async fn policy(aws: &Aws, id: &str) -> Result<Policy> {
    let action = "kms:GetKeyPolicy";
    let call = client!(aws, aws_sdk_kms).get_key_policy().key_id(id).policy_name("default");
    let text = aws.call(action, call.send()).await?.policy;
    let text = text.ok_or_else(|| Error::incomplete(action, "the policy"))?;
    Policy::parse(&text).map_err(|why| Error::invalid(format!("the policy of key {id}"), why))
}

/// Whether the key rotates, and how often. A key that does not rotate, or whose server keeps no
/// period, has AWS's default.
async fn rotation(aws: &Aws, id: &str) -> Result<(bool, u32)> {
    let call = client!(aws, aws_sdk_kms).get_key_rotation_status().key_id(id);
    match aws.call("kms:GetKeyRotationStatus", call.send()).await {
        Ok(answer) => {
            let period = answer.rotation_period_in_days.and_then(|days| u32::try_from(days).ok());
            Ok((answer.key_rotation_enabled, period.unwrap_or(DEFAULT_ROTATION_PERIOD)))
        }
        // Asymmetric and HMAC keys, and keys of other key stores, do not rotate.
        Err(Error::Api(error)) if error.code == "UnsupportedOperationException" => {
            Ok((false, DEFAULT_ROTATION_PERIOD))
        }
        Err(error) => Err(error),
    }
}

/// The aliases of all keys, sorted, by key id.
async fn aliases(aws: &Aws) -> Result<BTreeMap<String, Vec<String>>> {
    let call = client!(aws, aws_sdk_kms).list_aliases().into_paginator().items();
    let all = aws.call("kms:ListAliases", call.send().try_collect()).await?;
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for alias in all {
        if let (Some(key), Some(name)) = (alias.target_key_id, alias.alias_name) {
            by_key.entry(key).or_default().push(name);
        }
    }
    by_key.values_mut().for_each(|names| names.sort());
    Ok(by_key)
}

async fn tags_of(aws: &Aws, id: &str) -> Result<Tags> {
    let call = client!(aws, aws_sdk_kms).list_resource_tags().key_id(id).into_paginator().items();
    let tags = aws.call("kms:ListResourceTags", call.send().try_collect()).await?;
    Ok(tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect())
}

fn to_kms(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().tag_key(key).tag_value(value).build();
    let tags: std::result::Result<_, _> = tags.iter().map(tag).collect();
    tags.map_err(|why| Error::invalid("the tags of a key", why))
}
