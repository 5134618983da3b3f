//! FERPA-KEY-02: each store of records has a key of its own.

use std::collections::{BTreeMap, BTreeSet};

use account::{SearchDomain, Table};
use data::{DbCluster, DbInstance, FileSystem, KinesisStream, ReplicationGroup};
use engine::{Inspected, Live};
use security::{Bucket, Secret};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::key_uses::{bucket_key, key_id};
use crate::keys::AtRest;
use crate::log_buckets::LogBuckets;
use crate::records::{Holding, holding};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-02",
    title: "Each store of records has a key of its own",
    statement: "No two record stores share a customer key, so that deleting a key destroys that store and no other.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.35(b)(2)", "NIST SP 800-171r2 3.8.3"],
    why: "Records that have to be destroyed, backups included, are destroyed by deleting their key; a shared key takes others with it or cannot be deleted.",
    reads: &[&[
        "rds.cluster.kms_key",
        "rds.instance.kms_key",
        "rds.instance.cluster",
        "rds.instance.standalone",
        "elasticache.replication_group.kms_key",
        "kinesis.stream.key",
        "efs.file_system.key",
        "secretsmanager.secret.kms_key",
        "dynamodb.table.kms_key",
        "dynamodb.table.tags",
        "opensearch.domain.kms_key",
        "opensearch.domain.tags",
        "s3.bucket.encryption",
        "s3.bucket.tags",
        "s3.bucket.access_log",
        "cloudtrail.trail.bucket",
        "elbv2.load_balancer.access_logs",
        "elbv2.load_balancer.load_balancer_type",
        "kms.key.alias",
    ]],
    remedy: Remedy {
        stack: "`deploy`: every store has its own key",
        api: "kms:CreateKey for each store, then restore or copy the store with KmsKeyId",
    },
    reach: Reach::Stack,
    judge,
};

/// What holds records, or secrets. A vault is none: what it holds is copies of a store, and has that store's key so
/// that they go with it.
trait Store: Inspected {
    /// In a word.
    const NAME: &'static str;
    const CALL: &'static str;

    /// The key that encrypts it.
    fn key(seen: &Seen<'_, Self>) -> Result<Option<String>, Unread>;

    /// Whether it is one.
    fn is_store(_: &Facts<'_>, _: &Live<Self>) -> bool {
        true
    }
}

macro_rules! store {
    ($kind:ident, $field:ident, $name:literal, $call:literal $(, $is_store:expr)?) => {
        impl Store for $kind {
            const NAME: &'static str = $name;
            const CALL: &'static str = $call;

            fn key(seen: &Seen<'_, Self>) -> Result<Option<String>, Unread> {
                Ok(text(&seen.read(&[stringify!($field)])?.$field))
            }

            $(fn is_store(_: &Facts<'_>, live: &Live<Self>) -> bool {
                ($is_store)(live)
            })?
        }
    };
}

store!(DbCluster, kms_key, "database", "rds:DescribeDBClusters");
// An instance of a cluster has the cluster's storage, and AWS gives a copy in the same region its source's key.
store!(DbInstance, kms_key, "database", "rds:DescribeDBInstances", |live: &Live<DbInstance>| {
    let source = live.spec.standalone.as_ref().and_then(|own| own.replica_of.as_deref());
    live.spec.cluster.is_none() && source.is_none_or(|source| source.starts_with("arn:"))
});
store!(ReplicationGroup, kms_key, "cache", "elasticache:DescribeReplicationGroups");
store!(KinesisStream, key, "stream", "kinesis:DescribeStreamSummary");
store!(FileSystem, key, "file system", "elasticfilesystem:DescribeFileSystems");
store!(Secret, kms_key, "secret", "secretsmanager:ListSecrets");
store!(Table, kms_key, "table", "dynamodb:DescribeTable", |live: &Live<Table>| {
    holding(&live.tags) != Holding::Other
});
store!(SearchDomain, kms_key, "search domain", "es:DescribeDomains", |live: &Live<SearchDomain>| {
    holding(&live.tags) != Holding::Other
});

impl Store for Bucket {
    const NAME: &'static str = "bucket";
    const CALL: &'static str = "s3:GetEncryptionConfiguration";

    fn key(seen: &Seen<'_, Self>) -> Result<Option<String>, Unread> {
        bucket_key(seen)
    }

    /// Logs may share a key.
    fn is_store(facts: &Facts<'_>, live: &Live<Self>) -> bool {
        let logs = facts.derived::<LogBuckets>(LogBuckets::of);
        logs.may_hold_records(&Seen::of(live)).unwrap_or(true)
    }
}

/// How many of the stores that share its key a store's finding names.
const NAMED: usize = 5;

/// Which stores each key encrypts, by the key's id.
struct Shares {
    stores: BTreeMap<String, BTreeSet<One>>,
    unread: Option<Unread>,
}

/// A store.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct One {
    name: &'static str,
    kind: &'static str,
    id: String,
}

impl One {
    fn of<S: Store>(live: &Live<S>) -> Self {
        Self { name: S::NAME, kind: S::KIND, id: live.id.clone() }
    }
}

impl Shares {
    fn of(facts: &Facts<'_>) -> Self {
        let mut found = Self { stores: BTreeMap::new(), unread: None };
        found.add::<DbCluster>(facts);
        found.add::<DbInstance>(facts);
        found.add::<ReplicationGroup>(facts);
        found.add::<KinesisStream>(facts);
        found.add::<FileSystem>(facts);
        found.add::<Secret>(facts);
        found.add::<Table>(facts);
        found.add::<SearchDomain>(facts);
        found.add::<Bucket>(facts);
        found
    }

    fn add<S: Store>(&mut self, facts: &Facts<'_>) {
        let (known, unread) = facts.listed::<S>();
        self.unread = self.unread.take().or(unread);
        for live in known.iter().filter(|live| S::is_store(facts, live)) {
            match S::key(&Seen::of(live)) {
                Ok(Some(key)) => {
                    self.stores.entry(key_id(facts, &key)).or_default().insert(One::of(live));
                }
                Ok(None) => {}
                // Strangers' settings are not read in the audit of a stack.
                Err(unread) if facts.is_subject(S::KIND, &live.id) => self.unread = Some(unread),
                Err(_) => {}
            }
        }
    }
}

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    [
        each::<DbCluster>(facts),
        each::<DbInstance>(facts),
        each::<ReplicationGroup>(facts),
        each::<KinesisStream>(facts),
        each::<FileSystem>(facts),
        each::<Table>(facts),
        each::<SearchDomain>(facts),
        facts.each_where::<Bucket>(
            |live| holding(&live.tags) == Holding::Records || live.unreadable.contains_key("tags"),
            |bucket| {
                bucket.read(&["tags"])?;
                verdict(facts, bucket)
            },
        ),
    ]
    .concat()
}

fn each<S: Store>(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each_where::<S>(|live| S::is_store(facts, live), |store| verdict(facts, store))
}

fn verdict<S: Store>(facts: &Facts<'_>, store: &Seen<'_, S>) -> Result<Verdict, Unread> {
    let (key, name) = (S::key(store)?, S::NAME);
    let evidence = |verdict: Verdict| verdict.with(S::CALL, "KmsKeyId", key.clone());
    if AtRest::with(facts, key.as_deref())? != AtRest::CustomerKey {
        let why = "has no customer key, so nobody can destroy it by deleting one";
        return Ok(evidence(Verdict::fail(format!("the {name} {why}"))));
    }
    let id = key.as_deref().map(|key| key_id(facts, key)).unwrap_or_default();
    let shares = facts.derived::<Shares>(Shares::of);
    let this = One::of(store.live());
    // Where thousands share a key, each naming all others would fill the report.
    let sharing = shares.stores.get(&id);
    let count = sharing.map_or(0, |all| all.len() - usize::from(all.contains(&this)));
    if count > 0 {
        let others = sharing.into_iter().flatten().filter(|other| **other != this).take(NAMED);
        let mut names: Vec<String> =
            others.map(|one| format!("the {} {}", one.name, one.id)).collect();
        if count > names.len() {
            names.push(format!("{} more", count - names.len()));
        }
        let why = format!("the {name} shares its key with {}", names.join(", "));
        return Ok(evidence(Verdict::fail(why)));
    }
    match &shares.unread {
        Some(unread) => Err(unread.clone()),
        None => {
            let why = format!("the {name} shares its key with no other store");
            Ok(evidence(Verdict::pass(why)))
        }
    }
}

fn text(key: &Option<impl ToString>) -> Option<String> {
    key.as_ref().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use aws_sdk_efs::operation::describe_file_systems::DescribeFileSystemsOutput;
    use aws_sdk_efs::types::{
        FileSystemDescription, FileSystemSize, LifeCycleState, PerformanceMode,
    };
    use aws_sdk_rds::operation::describe_db_clusters::DescribeDbClustersOutput;
    use aws_sdk_rds::types::DbCluster;
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::buckets::{bucket, classified};
    use crate::testing::kms::key;
    use crate::testing::rds::{instances, member, standalone};
    use crate::testing::{KEY, beside, denied, judged, only};

    fn cluster(key: Option<&'static str>) -> Rule {
        clusters(&["records"], key)
    }

    fn clusters(names: &'static [&'static str], key: Option<&'static str>) -> Rule {
        mock!(aws_sdk_rds::Client::describe_db_clusters).then_output(move || {
            let cluster = |name: &&str| {
                let cluster = DbCluster::builder().db_cluster_identifier(*name);
                cluster.storage_encrypted(true).set_kms_key_id(key.map(str::to_owned)).build()
            };
            let all = names.iter().map(cluster).collect();
            DescribeDbClustersOutput::builder().set_db_clusters(Some(all)).build()
        })
    }

    fn file_system() -> Rule {
        mock!(aws_sdk_efs::Client::describe_file_systems).then_output(|| {
            let size = FileSystemSize::builder().value(0).build();
            let one = FileSystemDescription::builder()
                .owner_id("123456789012")
                .creation_token("files")
                .file_system_id("fs-1")
                .creation_time(aws_smithy_types::DateTime::from_secs(0))
                .life_cycle_state(LifeCycleState::Available)
                .number_of_mount_targets(0)
                .size_in_bytes(size)
                .performance_mode(PerformanceMode::GeneralPurpose)
                .encrypted(true)
                .kms_key_id(KEY)
                .set_tags(Some(Vec::new()))
                .build()
                .unwrap();
            DescribeFileSystemsOutput::builder().file_systems(one).build()
        })
    }

    fn status(found: &[Judgement], kind: &str) -> Status {
        found.iter().find(|one| one.resource.kind == kind).unwrap().status
    }

    #[tokio::test]
    async fn a_key_for_one_store_is_good_and_one_for_two_is_not() {
        let alone = judged(&CONTROL, &key(vec![cluster(Some(KEY))])).await;
        assert_eq!(status(&alone, "rds.cluster"), Status::Pass, "{alone:#?}");
        let shared = judged(&CONTROL, &key(vec![cluster(Some(KEY)), file_system()])).await;
        assert_eq!(status(&shared, "rds.cluster"), Status::Fail, "{shared:#?}");
        assert_eq!(status(&shared, "efs.file_system"), Status::Fail);
        let none = judged(&CONTROL, &key(vec![cluster(None)])).await;
        assert_eq!(status(&none, "rds.cluster"), Status::Fail);
    }

    #[tokio::test]
    async fn two_stores_of_a_kind_may_not_share_either() {
        let both = clusters(&["archive", "records"], Some(KEY));
        let found = judged(&CONTROL, &key(vec![both])).await;
        let said: Vec<_> = found.iter().map(|one| (one.status, one.message.as_str())).collect();
        let why = [
            (Status::Fail, "the database shares its key with the database records"),
            (Status::Fail, "the database shares its key with the database archive"),
        ];
        assert_eq!(said, why);
    }

    #[tokio::test]
    async fn of_many_that_share_a_key_a_few_are_named() {
        let many = clusters(&["a", "b", "c", "d", "e", "f", "g"], Some(KEY));
        let found = judged(&CONTROL, &key(vec![many])).await;
        let why = "the database shares its key with the database b, the database c, the database d, \
                   the database e, the database f, 1 more";
        assert_eq!(found[0].message, why);
    }

    #[tokio::test]
    async fn instances_of_a_cluster_and_copies_in_the_region_have_their_source_s_key() {
        let replica = standalone().db_instance_identifier("ledger-copy");
        let replica = replica.read_replica_source_db_instance_identifier("ledger").build();
        let other = member("archive-1", "us-east-1a").db_cluster_identifier("archive");
        let other = other.kms_key_id("another").build();
        let rules = key(vec![instances(vec![standalone().build(), replica, other])]);
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found).0, Status::Pass, "{found:#?}");
    }

    #[tokio::test]
    async fn a_table_is_a_store_unless_it_says_otherwise() {
        let with = |tags| [key(vec![cluster(Some(KEY))]), beside::table(Some(KEY), tags)].concat();
        let found = judged(&CONTROL, &with(&[])).await;
        assert_eq!(status(&found, "rds.cluster"), Status::Fail, "{found:#?}");
        assert_eq!(status(&found, "dynamodb.table"), Status::Fail);
        let found = judged(&CONTROL, &with(&[("DataClassification", "none")])).await;
        assert_eq!(status(&found, "rds.cluster"), Status::Pass, "{found:#?}");
    }

    #[tokio::test]
    async fn a_bucket_of_logs_may_share_and_one_of_records_may_not() {
        let with = |classification| {
            let mut rules = key(vec![cluster(Some(KEY)), classified(classification)]);
            rules.extend(bucket(vec![]));
            rules
        };
        let records = judged(&CONTROL, &with(Some("education-records"))).await;
        assert_eq!(status(&records, "s3.bucket"), Status::Fail);
        let unsaid = judged(&CONTROL, &with(None)).await;
        assert_eq!(status(&unsaid, "rds.cluster"), Status::Fail, "there may be records in it");
        let logs = judged(&CONTROL, &with(Some("audit-log"))).await;
        assert_eq!(status(&logs, "rds.cluster"), Status::Pass, "{logs:#?}");
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_listed_may_share() {
        let denied = denied!(aws_sdk_efs, describe_file_systems, DescribeFileSystemsError);
        let found = judged(&CONTROL, &key(vec![cluster(Some(KEY)), denied])).await;
        assert_eq!(status(&found, "rds.cluster"), Status::Unknown);
        let denied = denied!(aws_sdk_s3, get_bucket_tagging, GetBucketTaggingError);
        let found = judged(&CONTROL, &[key(vec![denied]), bucket(vec![])].concat()).await;
        assert_eq!(status(&found, "s3.bucket"), Status::Unknown);
    }
}
