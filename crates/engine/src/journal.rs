//! The intent journal: what was about to be created, written before the call.
//!
//! AWS may take seconds to show a resource that it has created. A process that is killed in those
//! seconds and started again would not see it, and would make it twice. The journal bridges
//! exactly that: it holds the client token of each create call (the same token again means the same
//! resource) and the id once it is known. It holds no attribute and no secret, and deleting it loses
//! nothing once AWS shows what there is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::inventory::Inventory;
use crate::stack::{LogicalId, RESOURCE_TAG};

/// How long an entry can matter. AWS shows a resource within a minute or so, and keeps client tokens
/// for longer.
const RELEVANT: SignedDuration = SignedDuration::from_mins(10);

/// The journal of one stack in one account and region.
#[derive(Debug)]
pub struct Journal {
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    file: Option<(PathBuf, File)>,
    /// Held, shared, for as long as the file may be written to.
    _lock: Option<File>,
    intents: BTreeMap<LogicalId, Intent>,
}

/// Wall-clock time that goes with tokio's clock: what is waited for by one is measured by the other.
#[derive(Debug, Clone, Copy)]
struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Clock {
    fn from(wall: Timestamp) -> Self {
        Self { wall, start: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        // A process does not run for longer than a timestamp can hold.
        self.wall.checked_add(self.start.elapsed()).unwrap_or(self.wall)
    }
}

/// A create call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The resource.
    pub resource: LogicalId,
    /// Its kind.
    pub kind: String,
    /// The client token of the call.
    pub token: String,
    /// When.
    pub at: Timestamp,
    /// What AWS called it; `None` until it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// It has been deleted since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Journal {
    /// A journal in memory, for tests and for use as a library.
    pub fn in_memory() -> Self {
        Self::resumed([], Timestamp::now())
    }

    /// A journal in memory that goes on, at a time, from what another one held: as one that is opened again
    /// after its process has died.
    pub fn resumed(intents: impl IntoIterator<Item = Intent>, now: Timestamp) -> Self {
        let relevant = intents.into_iter().filter(|intent| is_relevant(intent, now));
        let intents = relevant.map(|intent| (intent.resource.clone(), intent)).collect();
        Self {
            state: Mutex::new(State { file: None, _lock: None, intents }),
            clock: Clock::from(now),
        }
    }

    /// What it holds.
    pub fn intents(&self) -> Vec<Intent> {
        self.lock().intents.values().cloned().collect()
    }

    /// Opens the journal at `path`, or starts one. A torn last line (the process was killed while
    /// writing it) is dropped: its call was not made yet.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // Another process may be writing to the file: then it stays the file that it is.
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))?;
        let alone = lock.try_lock().is_ok();
        let mut intents = BTreeMap::new();
        let now = Timestamp::now();
        match File::open(path) {
            Ok(file) => {
                for line in BufReader::new(file).lines() {
                    let Ok(intent) = serde_json::from_str::<Intent>(&line?) else { continue };
                    if is_relevant(&intent, now) {
                        intents.insert(intent.resource.clone(), intent);
                    } else {
                        intents.remove(&intent.resource);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The note beside it would promise that this journal tells what that run made.
                match std::fs::remove_file(note_beside(path)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Err(error) => return Err(error),
        }
        if alone {
            // Start each run with what still matters; a rename is atomic, so a kill here loses nothing.
            let fresh = path.with_extension("new");
            let mut file = File::create(&fresh)?;
            for intent in intents.values() {
                write_line(&mut file, intent)?;
            }
            file.sync_data()?;
            std::fs::rename(&fresh, path)?;
            lock.unlock()?;
        }
        lock.lock_shared()?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let file = Some((path.to_owned(), file));
        let state = State { file, _lock: Some(lock), intents };
        Ok(Self { state: Mutex::new(state), clock: Clock::from(now) })
    }

    /// Announces a create call, before it is made. Returns the client token to use: that of an
    /// unanswered call for the same resource, if there is one, so that AWS gives the same
    /// resource again. The flag says whether there was one.
    ///
    /// # Errors
    /// When the journal cannot be written; the call must not be made then.
    pub fn intend(&self, resource: &LogicalId, kind: &str) -> io::Result<(String, bool)> {
        let mut state = self.lock();
        let unanswered = state
            .intents
            .get(resource)
            .filter(|intent| intent.kind == kind && intent.id.is_none() && !intent.deleted);
        let resumed = unanswered.is_some();
        let token = unanswered
            .map_or_else(|| uuid::Uuid::new_v4().to_string(), |intent| intent.token.clone());
        let intent = Intent {
            resource: resource.clone(),
            kind: kind.to_owned(),
            token: token.clone(),
            at: self.clock.now(),
            id: None,
            deleted: false,
        };
        state.record(intent)?;
        Ok((token, resumed))
    }

    /// Notes what AWS called the resource.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn created(&self, resource: &LogicalId, id: &str) -> io::Result<()> {
        let mut state = self.lock();
        match state.intents.get(resource).cloned() {
            Some(intent) => state.record(Intent { id: Some(id.to_owned()), ..intent }),
            None => Ok(()),
        }
    }

    /// Notes that AWS refused the call: there is nothing to wait for.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn refused(&self, resource: &LogicalId) -> io::Result<()> {
        self.forget(|intent| &intent.resource == resource)
    }

    /// Notes that a resource is gone.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn deleted(&self, id: &str) -> io::Result<()> {
        self.forget(|intent| intent.id.as_deref() == Some(id))
    }

    /// The kinds of which something was created within the last minutes that the inventory does not
    /// show.
    pub fn hidden(&self, inventory: &Inventory) -> BTreeSet<String> {
        let now = self.clock.now();
        let state = self.lock();
        let mut by_kind: BTreeMap<&str, Vec<&Intent>> = BTreeMap::new();
        for intent in state.intents.values() {
            if !intent.deleted && is_relevant(intent, now) {
                by_kind.entry(&intent.kind).or_default().push(intent);
            }
        }
        let hidden = by_kind.into_iter().filter(|(kind, intents)| {
            let shown = inventory.of_kind(kind);
            let ids: HashSet<&str> = shown.iter().map(|live| live.id.as_str()).collect();
            let named = shown.iter().filter_map(|live| live.tags.get(RESOURCE_TAG));
            let resources: HashSet<&str> = named.map(String::as_str).collect();
            intents.iter().any(|intent| match &intent.id {
                Some(id) => !ids.contains(id.as_str()),
                None => !resources.contains(intent.resource.as_str()),
            })
        });
        hidden.map(|(kind, _)| kind.to_owned()).collect()
    }

    fn forget(&self, which: impl Fn(&Intent) -> bool) -> io::Result<()> {
        let mut state = self.lock();
        let gone: Vec<Intent> = state.intents.values().filter(|i| which(i)).cloned().collect();
        for intent in gone {
            state.record(Intent { deleted: true, ..intent })?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn record(&mut self, intent: Intent) -> io::Result<()> {
        if let Some((path, file)) = &mut self.file {
            write_line(file, &intent).and_then(|()| file.sync_data()).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
        }
        self.intents.insert(intent.resource.clone(), intent);
        Ok(())
    }
}

/// Where it is noted which run wrote the journal at `path` last.
pub fn note_beside(path: &Path) -> PathBuf {
    path.with_extension("run")
}

fn is_relevant(intent: &Intent, now: Timestamp) -> bool {
    now.duration_since(intent.at) <= RELEVANT
}

/// One write call a line, so that a line is there whole or torn, never mixed with another.
fn write_line(file: &mut File, intent: &Intent) -> io::Result<()> {
    let mut line = serde_json::to_vec(intent)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unanswered_call_keeps_its_token_over_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let vpc = LogicalId::new("network/vpc");
        let (token, resumed) = Journal::open(&path).unwrap().intend(&vpc, "ec2.vpc").unwrap();
        assert!(!resumed);
        // Killed while writing the next line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"resou").unwrap();

        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.intend(&vpc, "ec2.vpc").unwrap(), (token.clone(), true));
        journal.created(&vpc, "vpc-1").unwrap();
        let (next, resumed) = journal.intend(&vpc, "ec2.vpc").unwrap();
        assert!(!resumed && next != token, "an answered call is over");
    }

    #[test]
    fn a_second_process_does_not_take_the_file_from_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let vpc = LogicalId::new("network/vpc");
        let deploy = Journal::open(&path).unwrap();
        let plan = Journal::open(&path).unwrap();
        let (token, _) = deploy.intend(&vpc, "ec2.vpc").unwrap();
        drop((plan, deploy));
        let next = Journal::open(&path).unwrap();
        assert_eq!(next.intend(&vpc, "ec2.vpc").unwrap(), (token, true));
    }

    #[test]
    fn a_journal_that_is_gone_is_not_vouched_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        drop(Journal::open(&path).unwrap());
        std::fs::write(note_beside(&path), "a run").unwrap();
        drop(Journal::open(&path).unwrap());
        assert!(note_beside(&path).exists());
        std::fs::remove_file(&path).unwrap();
        drop(Journal::open(&path).unwrap());
        assert!(!note_beside(&path).exists());
    }

    #[test]
    fn what_aws_does_not_show_yet_is_hidden_until_deleted() {
        let journal = Journal::in_memory();
        let vpc = LogicalId::new("network/vpc");
        journal.intend(&vpc, "ec2.vpc").unwrap();
        journal.created(&vpc, "vpc-1").unwrap();
        let inventory = Inventory::empty("123456789012", "us-east-1");
        assert!(journal.hidden(&inventory).contains("ec2.vpc"));
        journal.deleted("vpc-1").unwrap();
        assert!(journal.hidden(&inventory).is_empty());
    }
}
