//! The lease of a stack: of all machines that deploy or destroy it, one at a time may.
//!
//! The lease is a log in the account's Parameter Store: entries `/ferpa-stack/STACK/lease/NUMBER`, numbered
//! without a gap, and none is ever overwritten. Taking the lease, renewing it, releasing it and taking it
//! away by force are all the same call: `PutParameter` of the next number *without overwriting*, which AWS
//! makes atomic. Whoever gets `ParameterAlreadyExists` was not the first, whatever a listing that lags
//! behind may have shown; so a holder learns from its own renewal that somebody has taken over.
//!
//! - [`Leases::turn`] waits until nobody holds the stack, and until AWS shows what the last holder made.
//! - [`Leases::take`] takes the lease and says whether anybody held it since that turn.
//! - [`Lease`] renews itself while the run works. When it cannot, [`Lease::stop`] is cancelled in time: nothing
//!   new is started, and [`Lease::over`] ends what still runs before another machine may begin.
//! - [`Leases::unlock`] is the operator's word that the holder is dead.
//!
//! All dates are AWS's: those of the parameters, and of the answers that show them. The machines' own clocks
//! only measure how much time goes by. `docs/leases.md` has the argument in full.

mod clock;
mod holder;
mod log;
#[cfg(test)]
mod tests;
mod view;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::error::{Error, humane};
use crate::stack::StackName;
use clock::Moment;
use log::{Log, ParameterStore};
use view::{Entry, Eyes, Record, State, Verdict, View};

pub use holder::Holder;

/// How long an entry holds the stack, from the call that wrote it.
const PERIOD: Duration = Duration::from_secs(120);
/// When the holder writes the next entry, and how soon after a failure again.
const RENEW: Duration = Duration::from_secs(40);
const RENEW_AGAIN: Duration = Duration::from_secs(5);
/// When a holder that could not renew starts nothing more; what still runs has the rest of the period.
const STOP: Duration = Duration::from_secs(90);
/// How long a holder whose lease was taken away may take to finish the calls in flight.
const FINISH: Duration = Duration::from_secs(20);
/// What others grant beyond the period: AWS's dates are rounded and its clocks are not one.
const MARGIN: Duration = Duration::from_secs(10);
/// A write that has not been answered for so long is not believed any more.
const ANSWER: Duration = Duration::from_secs(20);
/// How long superseded entries are kept. Longer than a listing may lag behind and a write may take, so that no
/// number becomes free again for somebody who still believes that it comes next.
const RETAIN: Duration = Duration::from_secs(300);
/// How long the end of a destroyed stack may take to remove its entries, once AWS shows that all is gone.
const ENDING: Duration = Duration::from_secs(30);

/// Where the lease of a stack is asked for.
#[derive(Clone)]
pub struct Leases {
    log: Arc<dyn Log>,
    stack: StackName,
    /// How long AWS may take to show what was written.
    window: Duration,
    me: Holder,
    /// Where the run that last wrote the local journal is noted.
    note: Option<PathBuf>,
    /// Holders of this machine that were found dead, and when.
    dead: Arc<Mutex<Vec<(String, Timestamp)>>>,
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("stack", &self.stack).finish_non_exhaustive()
    }
}

/// Nobody holds the stack, or nobody did when this was made.
#[derive(Debug, Clone)]
pub struct Turn {
    view: View,
    /// An imitation of AWS without Parameter Store: there is nothing to take.
    absent: bool,
}

impl Turn {
    /// Whether the lease has left anything in the account.
    pub fn has_trace(&self) -> bool {
        !self.view.is_empty()
    }

    /// Whether this is an imitation of AWS without Parameter Store: two runs are not kept apart.
    pub fn is_absent(&self) -> bool {
        self.absent
    }
}

/// Who holds a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The stack.
    pub stack: String,
    /// Who: `ana@build-7, process 4711`.
    pub holder: String,
    /// `deploy` or `destroy`.
    pub command: String,
    /// Since when; `None` where the entry could not be read.
    pub since: Option<Timestamp>,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held by {} ({})", self.stack, self.holder, self.command)?;
        if let Some(since) = self.since {
            write!(f, " since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        write!(f, ", until {} unless renewed", self.until.strftime("%H:%M:%S UTC"))
    }
}

/// Why a lease was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// Another run has it.
    TakenOver(String),
    /// It could not be renewed in time.
    NotRenewed(String),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenOver(by) => write!(f, "it was taken over by {by}"),
            Self::NotRenewed(why) => write!(f, "it could not be renewed in time: {why}"),
        }
    }
}

/// Why there is no lease.
#[derive(Debug, Clone, thiserror::Error, miette::Diagnostic)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("{0}")]
    #[diagnostic(help(
        "wait for it with --lock-timeout 30m; if that run is dead, it is over by itself at the time above, or at once with `cargo xtask unlock`"
    ))]
    Held(Held),
    /// It was lost while working.
    #[error("the lease of {stack} was lost: {why}")]
    #[diagnostic(help(
        "nothing more was started; what was done stays done; run the command again to go on"
    ))]
    Lost {
        /// The stack.
        stack: String,
        /// Why.
        why: Loss,
    },
    /// AWS said no.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] Error),
}

/// What is told to whoever waits.
pub type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

impl Leases {
    /// The lease of a stack, for a run of `command`. `note` is a file beside the intent journal: it says
    /// which run wrote the journal last, so that this machine need not wait for what its own journal tells.
    pub fn of(aws: &Aws, stack: &StackName, command: &str, note: Option<PathBuf>) -> Self {
        Self {
            log: Arc::new(ParameterStore::of(aws, stack)),
            stack: stack.clone(),
            window: aws.consistency_window(),
            me: Holder::this_process(command),
            note,
            dead: Arc::default(),
        }
    }

    /// Who holds the stack now.
    ///
    /// # Errors
    /// When the entries cannot be read.
    pub async fn held(&self) -> Result<Option<Held>, LeaseError> {
        let (view, now) = self.log.list().await?;
        Ok(match self.decide(&view, now) {
            Verdict::Held { head, until } => Some(self.held_by(&head, until)),
            Verdict::Ending { .. } | Verdict::Free { .. } => None,
        })
    }

    /// Waits, for as long as `patience`, until nobody holds the stack, and then until AWS shows what its last
    /// holder made. What is collected afterwards is complete, if nobody takes the lease in between.
    ///
    /// # Errors
    /// When somebody still holds it, or the entries cannot be read.
    pub async fn turn(&self, patience: Duration, say: Say<'_>) -> Result<Turn, LeaseError> {
        let begun = Moment::now();
        let mut told = String::new();
        let mut say = |text: String| {
            if told != text {
                say(text.clone());
                told = text;
            }
        };
        loop {
            let (view, now) = match self.log.list().await {
                Err(Error::Api(error)) if self.window.is_zero() && error.is_not_implemented() => {
                    return Ok(Turn { view: View::default(), absent: true });
                }
                other => other?,
            };
            let pause = match self.decide(&view, now) {
                Verdict::Free { settled, .. } if settled.is_none_or(|at| at <= now) => {
                    return Ok(Turn { view, absent: false });
                }
                Verdict::Free { settled, .. } => {
                    let left = until(now, settled.unwrap_or(now));
                    say(format!(
                        "waiting until AWS shows what the last run on {} made",
                        self.stack
                    ));
                    left.min(Duration::from_secs(15))
                }
                Verdict::Ending { until: end } => {
                    say(format!("waiting for the end of a destroy of {}", self.stack));
                    until(now, end).min(Duration::from_secs(1))
                }
                Verdict::Held { head, until: end } => {
                    let held = self.held_by(&head, end);
                    let left = patience.saturating_sub(begun.elapsed());
                    if left.is_zero() {
                        return Err(LeaseError::Held(held));
                    }
                    say(format!("waiting: {held}"));
                    // Its end may come sooner than its time.
                    until(now, end).min(Duration::from_secs(5)).min(left)
                }
            };
            tokio::time::sleep(pause.max(Duration::from_millis(100))).await;
        }
    }

    /// Takes the lease. The flag says whether nobody else held it since `turn`: if so, what was collected since
    /// then is still complete; if not, it has to be collected again.
    ///
    /// # Errors
    /// When somebody holds it for longer than `patience`, or the entries cannot be read or written.
    pub async fn take(
        &self,
        turn: &Turn,
        patience: Duration,
        say: Say<'_>,
    ) -> Result<(Lease, bool), LeaseError> {
        if turn.absent {
            return Ok((Lease::absent(), true));
        }
        let since = Moment::now();
        // Contention ends: somebody gets the lease, and then it is held.
        for attempt in 0..20 {
            let now = self.turn(patience.saturating_sub(since.elapsed()), say).await?;
            let next = now.view.last().map_or(1, |(number, _)| number + 1);
            let fresh = now.view.heads() == turn.view.heads();
            self.note_run()?;
            let begun = Moment::now();
            let entry = self.entry(State::Held, self.log.now());
            if let Appended::Written = self.append(next, &entry).await?
                && self.is_confirmed(next, &now.view).await?
                && begun.elapsed() < STOP
            {
                return Ok((Lease::start(self.clone(), next, entry, begun, now.view), fresh));
            }
            tokio::time::sleep(Duration::from_millis(50 * (attempt + 1))).await;
        }
        Err(LeaseError::Aws(Error::Deadline {
            what: format!("the lease of {}", self.stack),
            waited: since.elapsed(),
            hint: "see who else deploys it".into(),
        }))
    }

    /// Takes the lease away from the run that [`held`](Self::held) told of; the flag says whether it still had
    /// it. The holder, if it lives, learns of it when it renews, and stops.
    ///
    /// # Errors
    /// When the entries cannot be read or written.
    pub async fn unlock(&self, held: &Held) -> Result<bool, LeaseError> {
        for _ in 0..20 {
            let (view, now) = self.log.list().await?;
            let Verdict::Held { head, until } = self.decide(&view, now) else { return Ok(false) };
            let there = self.held_by(&head, until);
            if (&there.holder, there.since) != (&held.holder, held.since) {
                return Ok(false);
            }
            let next = view.last().map_or(1, |(number, _)| number + 1);
            let entry = self.entry(State::Unlocked, now);
            if let Appended::Written = self.append(next, &entry).await? {
                return Ok(true);
            }
        }
        Err(LeaseError::Aws(Error::invalid(
            format!("the lease of {}", self.stack),
            "it is renewed faster than it can be taken away",
        )))
    }

    fn decide(&self, view: &View, now: Timestamp) -> Verdict {
        let journal = self.note.as_deref().and_then(|note| std::fs::read_to_string(note).ok());
        view.decide(
            now,
            &Eyes {
                window: self.window,
                journal_of: journal.as_deref().map(str::trim),
                died: &|holder| self.died(holder, now),
            },
        )
    }

    /// When a holder of this machine was first seen to be dead.
    fn died(&self, holder: &Holder, now: Timestamp) -> Option<Timestamp> {
        if !holder.is_dead() {
            return None;
        }
        let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let known = dead.iter().find(|(run, _)| *run == holder.run).map(|(_, at)| *at);
        Some(known.unwrap_or_else(|| {
            dead.push((holder.run.clone(), now));
            now
        }))
    }

    fn held_by(&self, head: &Record, until: Timestamp) -> Held {
        let entry = head.entry.as_ref();
        Held {
            stack: self.stack.to_string(),
            holder: entry.map_or("somebody with another version of this program".into(), |entry| {
                entry.holder.name.clone()
            }),
            command: entry.map_or("unknown".into(), |entry| entry.holder.command.clone()),
            since: entry.map(|entry| entry.since),
            until,
        }
    }

    fn entry(&self, state: State, since: Timestamp) -> Entry {
        Entry { state, holder: self.me.clone(), since, expires: later(self.log.now(), PERIOD) }
    }

    /// Writes down that the journal is about to be this run's.
    fn note_run(&self) -> Result<(), LeaseError> {
        let Some(note) = &self.note else { return Ok(()) };
        std::fs::write(note, &self.me.run)
            .map_err(|why| LeaseError::Aws(Error::invalid(note.display().to_string(), why)))
    }

    /// Writes the entry with a number, unless there is one.
    async fn append(&self, number: u64, entry: &Entry) -> Result<Appended, Error> {
        let written = tokio::time::timeout(ANSWER, self.log.put(number, entry)).await;
        let written = written.map_err(|_| Error::Deadline {
            what: "an answer to ssm:PutParameter".into(),
            waited: ANSWER,
            hint: "see whether Systems Manager is reachable".into(),
        })??;
        if written {
            return Ok(Appended::Written);
        }
        // An attempt whose answer was lost may have been our own, so see whose it is; AWS may take a while
        // to show it.
        let begun = Moment::now();
        loop {
            if let Some(found) = self.log.get(number).await? {
                let ours = found.entry.as_ref().is_some_and(|there| {
                    there.holder.run == self.me.run && there.state == entry.state
                });
                return Ok(if ours { Appended::Written } else { Appended::Exists(Some(found)) });
            }
            if begun.elapsed() >= self.window.min(ANSWER) {
                return Ok(Appended::Exists(None));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Whether the entry that was just written is the lease: what it was built on is still there, and nothing
    /// is above it. A number can be free a second time when the stack was destroyed, with its log, between
    /// the look at the log and the write. An entry that is not the lease is withdrawn.
    async fn is_confirmed(&self, number: u64, seen: &View) -> Result<bool, Error> {
        let begun = Moment::now();
        let confirmed = loop {
            let (view, now) = self.log.list().await?;
            let contested = view.contests(number, now);
            let rooted =
                seen.last().is_none_or(|(before, record)| view.get(before) == Some(record));
            if contested || rooted {
                break rooted && !contested;
            }
            // The listing may lag behind the one before.
            if begun.elapsed() >= self.window.min(ANSWER) {
                break false;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        if !confirmed {
            self.log.delete(&[number]).await?;
        }
        Ok(confirmed)
    }
}

enum Appended {
    Written,
    /// Somebody else was first; `None` where AWS does not show who.
    Exists(Option<Record>),
}

/// The lease, held. It renews itself until it is released, lost or dropped.
#[derive(Debug)]
pub struct Lease {
    held: Option<Renewed>,
    stop: CancellationToken,
    over: CancellationToken,
    loss: Arc<OnceLock<Loss>>,
}

#[derive(Debug)]
struct Renewed {
    leases: Leases,
    first: Moment,
    done: CancellationToken,
    task: JoinHandle<Chain>,
}

impl Drop for Renewed {
    fn drop(&mut self) {
        self.done.cancel();
    }
}

/// What the holder knows of the log.
#[derive(Debug)]
struct Chain {
    number: u64,
    entry: Entry,
    /// When the newest entry was about to be written: it counts from there.
    renewed: Moment,
    /// All entries that may still be there, oldest first, with their dates.
    entries: Vec<(u64, Timestamp)>,
}

impl Lease {
    /// Nothing to hold.
    fn absent() -> Self {
        Self {
            held: None,
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            loss: Arc::default(),
        }
    }

    /// No lease, for a run that changes nothing.
    pub fn not_needed() -> Self {
        Self::absent()
    }

    fn start(leases: Leases, number: u64, entry: Entry, renewed: Moment, seen: View) -> Self {
        let mut lease = Self::absent();
        let mut entries = seen.dates();
        entries.push((number, entry.since));
        let done = CancellationToken::new();
        let keeping = Keeping {
            leases: leases.clone(),
            stop: lease.stop.clone(),
            over: lease.over.clone(),
            loss: lease.loss.clone(),
            done: done.clone(),
        };
        let chain = Chain { number, entry, renewed, entries };
        let task = tokio::spawn(keeping.keep(chain));
        lease.held = Some(Renewed { leases, first: renewed, done, task });
        lease
    }

    /// Cancelled when the lease is lost, or about to be: start nothing more.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns when everything has to be at an end, because somebody else may begin.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Lets the lease go.
    ///
    /// # Errors
    /// When it was lost meanwhile. That it cannot be written is no error: it ends by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.finish(State::Released).await
    }

    /// Lets the lease go for good, with all that it has left in the account: the stack is no more.
    ///
    /// # Errors
    /// As [`release`](Self::release), and when what it has left cannot be removed.
    pub async fn end(self) -> Result<(), LeaseError> {
        self.finish(State::Ended).await
    }

    /// The error for a lease that was lost.
    pub fn lost(&self) -> Option<LeaseError> {
        let stack = self.held.as_ref()?.leases.stack.to_string();
        self.loss.get().map(|why| LeaseError::Lost { stack, why: why.clone() })
    }

    async fn finish(mut self, state: State) -> Result<(), LeaseError> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        let window = held.leases.window;
        if state == State::Ended && !window.is_zero() {
            // Whoever looked before this run began must not find a number free that the log then had. A destroy
            // takes longer than that on AWS, or little is lost by waiting.
            tokio::select! {
                () = held.first.reaches(window + ANSWER) => {}
                () = self.stop.cancelled() => {}
            }
        }
        held.done.cancel();
        let stack = held.leases.stack.to_string();
        let mut chain = match (&mut held.task).await {
            Ok(chain) => chain,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        if let Some(why) = self.loss.get() {
            return Err(LeaseError::Lost { stack, why: why.clone() });
        }
        match held.leases.close(&mut chain, state).await {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(LeaseError::Lost { stack, why }),
            // What remains of the log is what remains of the stack.
            Err(error) if state == State::Ended => Err(LeaseError::Aws(error)),
            Err(error) => {
                tracing::warn!(%error, "the lease of {stack} was not released; it ends by itself within {}", humane(PERIOD + MARGIN));
                Ok(())
            }
        }
    }
}

impl Leases {
    /// Writes the last entry of a run. The answer says who was first, if not we.
    async fn close(&self, chain: &mut Chain, state: State) -> Result<Option<Loss>, Error> {
        let entry = self.entry(state, chain.entry.since);
        // An unanswered renewal may have used the number up.
        for _ in 0..3 {
            match self.append(chain.number + 1, &entry).await? {
                Appended::Written => {
                    let ending = self.window + ENDING;
                    let ended = Moment::now();
                    if state == State::Ended {
                        // Until here, the log keeps the next run from reading what AWS still shows of the stack.
                        ended.reaches(self.window).await;
                    }
                    chain.entries.push((chain.number + 1, self.log.now()));
                    let gone: Vec<u64> = match state {
                        State::Ended => chain.entries.iter().map(|(number, _)| *number).collect(),
                        _ => superseded(&chain.entries, self.log.now()),
                    };
                    for some in gone.chunks(10) {
                        if ended.elapsed() < ending {
                            self.log.delete(some).await?;
                        }
                    }
                    return Ok(None);
                }
                Appended::Exists(Some(found)) if found.is_of(&self.me.run) => {
                    chain.number += 1;
                    chain.entries.push((chain.number, found.modified));
                }
                Appended::Exists(found) => return Ok(Some(taken_over(found.as_ref()))),
            }
        }
        Ok(None)
    }
}

fn taken_over(found: Option<&Record>) -> Loss {
    let by = found.and_then(|record| record.entry.as_ref());
    Loss::TakenOver(by.map_or("somebody else".into(), |entry| {
        format!("{} ({})", entry.holder.name, entry.holder.command)
    }))
}

/// The numbers that nobody can still need: older than [`RETAIN`], but for the newest of those. Oldest first.
fn superseded(entries: &[(u64, Timestamp)], now: Timestamp) -> Vec<u64> {
    let old =
        entries.iter().filter(|(_, date)| later(*date, RETAIN) <= now).map(|(number, _)| *number);
    let mut old: Vec<u64> = old.collect();
    old.pop();
    old
}

/// What keeps a lease.
struct Keeping {
    leases: Leases,
    stop: CancellationToken,
    over: CancellationToken,
    loss: Arc<OnceLock<Loss>>,
    done: CancellationToken,
}

impl Keeping {
    async fn keep(self, mut chain: Chain) -> Chain {
        let mut tried: Option<Moment> = None;
        let mut trouble = "no attempt was answered".to_owned();
        loop {
            // A short beat, so that a machine that slept finds out soon after it wakes.
            tokio::select! {
                () = self.done.cancelled() => return chain,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            if chain.renewed.elapsed() >= STOP {
                return self.lose(chain, Loss::NotRenewed(trouble)).await;
            }
            let due = chain.renewed.elapsed() >= RENEW
                && tried.as_ref().is_none_or(|tried| tried.elapsed() >= RENEW_AGAIN);
            if !due {
                continue;
            }
            let begun = Moment::now();
            let entry = self.leases.entry(State::Held, chain.entry.since);
            let appended = tokio::select! {
                appended = self.leases.append(chain.number + 1, &entry) => appended,
                () = chain.renewed.reaches(STOP) => continue,
            };
            match appended {
                // An answer that comes too late is no renewal: others may have begun.
                Ok(Appended::Written) if chain.renewed.elapsed() < STOP => {
                    // An earlier attempt may be the one that was carried out.
                    chain.renewed = tried.take().unwrap_or(begun);
                    chain.number += 1;
                    chain.entry = entry;
                    chain.entries.push((chain.number, self.leases.log.now()));
                    self.clean(&mut chain).await;
                }
                Ok(Appended::Written) => {}
                Ok(Appended::Exists(found)) => {
                    return self.lose(chain, taken_over(found.as_ref())).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "the lease was not renewed");
                    trouble = error.to_string();
                    tried = Some(tried.unwrap_or(begun));
                }
            }
        }
    }

    /// Stops the run, and ends it when its time is over.
    async fn lose(&self, chain: Chain, loss: Loss) -> Chain {
        let taken = matches!(loss, Loss::TakenOver(_));
        tracing::warn!("the lease is lost: {loss}; nothing more is started");
        let _ = self.loss.set(loss);
        self.stop.cancel();
        let end = async {
            if taken {
                tokio::time::sleep(FINISH).await;
            } else {
                chain.renewed.reaches(PERIOD).await;
            }
        };
        tokio::select! {
            () = self.done.cancelled() => {}
            () = end => self.over.cancel(),
        }
        chain
    }

    async fn clean(&self, chain: &mut Chain) {
        let gone = superseded(&chain.entries, self.leases.log.now());
        let Some(some) = gone.chunks(10).next() else { return };
        match tokio::time::timeout(ANSWER, self.leases.log.delete(some)).await {
            Ok(Ok(())) => chain.entries.retain(|(number, _)| !some.contains(number)),
            Ok(Err(error)) => tracing::warn!(%error, "old entries of the lease were not removed"),
            Err(_) => tracing::debug!("old entries of the lease were not removed in time"),
        }
    }
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

fn later(than: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    than.saturating_add(by).unwrap_or(Timestamp::MAX)
}
