//! Who delivers logs into which bucket.

use std::collections::{BTreeMap, BTreeSet};

use compute::LoadBalancer;
use engine::{Inspected, Live};
use security::{Bucket, Trail};

use crate::facts::{Facts, Seen};
use crate::finding::Unread;
use crate::records::{Holding, holding};

/// Who delivers logs into a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogWriter {
    /// A trail.
    Trail,
    /// An application load balancer.
    LoadBalancer,
    /// S3 itself: the requests to another bucket.
    ServerAccessLog,
}

/// The buckets into which something delivers logs, by name. Worked out once.
pub struct LogBuckets {
    writers: BTreeMap<String, BTreeSet<LogWriter>>,
    unread: Option<Unread>,
}

impl LogBuckets {
    /// Works them out.
    pub fn of(facts: &Facts<'_>) -> Self {
        let mut found = Self { writers: BTreeMap::new(), unread: None };
        found.add(facts, LogWriter::Trail, |trail: &Seen<'_, Trail>| {
            Ok(Some(trail.read(&["bucket"])?.bucket.to_string()))
        });
        found.add(facts, LogWriter::LoadBalancer, |balancer: &Seen<'_, LoadBalancer>| {
            let spec = balancer.read(&["access_logs", "load_balancer_type"])?;
            // The others can deliver into a bucket with a customer key.
            let logs =
                spec.access_logs.as_ref().filter(|_| spec.load_balancer_type == "application");
            Ok(logs.map(|logs| logs.bucket.to_string()))
        });
        found.add(facts, LogWriter::ServerAccessLog, |bucket: &Seen<'_, Bucket>| {
            let log = bucket.read(&["access_log"])?.access_log.as_ref();
            Ok(log.map(|log| log.bucket.to_string()))
        });
        found
    }

    fn add<T: Inspected>(
        &mut self,
        facts: &Facts<'_>,
        writer: LogWriter,
        target: impl Fn(&Seen<'_, T>) -> Result<Option<String>, Unread>,
    ) {
        let (known, unread) = facts.listed::<T>();
        self.unread = self.unread.take().or(unread);
        for live in known.iter() {
            match target(&Seen::of(live)) {
                Ok(Some(bucket)) => {
                    self.writers.entry(bucket).or_default().insert(writer);
                }
                Ok(None) => {}
                // Strangers' settings are not read in the audit of a stack.
                Err(unread) if facts.is_subject(T::KIND, &live.id) => self.unread = Some(unread),
                Err(_) => {}
            }
        }
    }

    /// Who delivers logs into a bucket.
    ///
    /// # Errors
    /// When nobody is known to, and what somebody else does could not be read.
    pub fn writers(&self, bucket: &Live<Bucket>) -> Result<BTreeSet<LogWriter>, Unread> {
        // A bucket that is yet to be made is referred to by its placeholder.
        let names = [&bucket.id, &bucket.spec.name];
        match (names.iter().find_map(|name| self.writers.get(*name)), &self.unread) {
            (Some(writers), _) => Ok(writers.clone()),
            (None, Some(unread)) => Err(unread.clone()),
            (None, None) => Ok(BTreeSet::new()),
        }
    }

    /// Whether a bucket may hold records: it is said to, or nothing is said and no log is delivered into
    /// it.
    ///
    /// # Errors
    /// When neither its tags nor who writes to it could be read.
    pub fn may_hold_records(&self, bucket: &Seen<'_, Bucket>) -> Result<bool, Unread> {
        bucket.read(&["tags"])?;
        match holding(&bucket.live().tags) {
            Holding::Records => Ok(true),
            Holding::Other => Ok(false),
            Holding::Unsaid => Ok(self.writers(bucket.live())?.is_empty()),
        }
    }
}
