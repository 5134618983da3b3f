//! Waiting in the middle of what a kind does: between two changes of which AWS takes one at a time.
//!
//! Such a wait is seen and ended as those of the engine itself: what is waited for shows in the progress of the
//! step, `Ctrl-C` ends it, and it has a deadline.

use std::future::Future;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::execute::{Event, StepName};
use crate::kind::{Poll, Readiness};

tokio::task_local! {
    /// Set while a step is carried out.
    static STEP: Watched;
}

/// Who sees and ends the waits of a step.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The step.
    pub(crate) step: StepName,
    /// Cancelled when nothing is to be waited for any longer.
    pub(crate) stop: CancellationToken,
    /// Where to say what is waited for.
    pub(crate) events: Option<UnboundedSender<Event>>,
}

/// Carries a step out under the eyes of `watched`.
pub(crate) async fn watching<T>(watched: Watched, step: impl Future<Output = T>) -> T {
    STEP.scope(watched, step).await
}

/// Waits until `look` says that `what` (`rds.cluster student-records-dev`) is ready. Outside of a step (while an
/// inventory is taken) nobody watches: then only the deadline ends it.
///
/// # Errors
/// [`Error::Stopped`] when the run is stopped meanwhile, [`Error::Failed`] when it never will be ready,
/// [`Error::Deadline`] when that takes too long, and what `look` failed with.
pub async fn until<Look>(what: &str, poll: Poll, mut look: impl FnMut() -> Look) -> Result<()>
where
    Look: Future<Output = Result<Readiness>>,
{
    let begun = Instant::now();
    let watched = STEP.try_with(Watched::clone).ok();
    loop {
        let pending = match look().await? {
            Readiness::Ready(_) => return Ok(()),
            Readiness::Failed(reason) => return Err(Error::Failed { what: what.into(), reason }),
            Readiness::Pending(pending) => format!("{what}: {pending}"),
        };
        let waited = begun.elapsed();
        if waited >= poll.deadline {
            return Err(Error::overdue(pending, waited));
        }
        let pause = tokio::time::sleep(poll.pause(waited));
        match &watched {
            Some(watched) => {
                watched.say(&pending);
                let ended = watched.stop.run_until_cancelled(pause).await;
                ended.ok_or(Error::Stopped)?;
            }
            None => {
                tracing::warn!("waiting for {pending}");
                pause.await;
            }
        }
    }
}

impl Watched {
    fn say(&self, what: &str) {
        if let Some(events) = &self.events {
            let _ = events.send(Event::Waiting { step: self.step.clone(), what: what.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::stack::LogicalId;

    fn watched(events: Option<UnboundedSender<Event>>) -> Watched {
        let resource = LogicalId::new("data/cache");
        let step = StepName { step: 0, resource, kind: "toy.cache", what: "update".into() };
        Watched { step, stop: CancellationToken::new(), events }
    }

    fn busy(times: usize) -> impl FnMut() -> std::future::Ready<Result<Readiness>> {
        let mut left = times;
        move || {
            let answer = match left {
                0 => Readiness::Ready(BTreeMap::new()),
                _ => Readiness::Pending("status modifying".into()),
            };
            left = left.saturating_sub(1);
            std::future::ready(Ok(answer))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_shows_what_it_waits_for() {
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let waiting = until("toy.cache one", Poll::SHORT, busy(2));
        watching(watched(Some(sender)), waiting).await.unwrap();
        let mut said = Vec::new();
        while let Ok(Event::Waiting { step, what }) = events.try_recv() {
            said.push(format!("{}: {what}", step.resource));
        }
        assert_eq!(said, ["data/cache: toy.cache one: status modifying"; 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_when_the_run_is_stopped() {
        let watched = watched(None);
        let stop = watched.stop.clone();
        let waiting = watching(watched, until("toy.cache one", Poll::LONG, busy(usize::MAX)));
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            stop.cancel();
        };
        let (waited, ()) = tokio::join!(waiting, stopping);
        assert!(matches!(waited, Err(Error::Stopped)), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_has_a_deadline_and_ends_with_a_failure() {
        let waited = until("toy.cache one", Poll::SHORT, busy(usize::MAX)).await;
        assert!(matches!(&waited, Err(Error::Deadline { what, .. }) if what.contains("modifying")));
        let failed = || std::future::ready(Ok(Readiness::Failed("create-failed".into())));
        let waited = until("toy.cache one", Poll::SHORT, failed).await;
        assert!(matches!(waited, Err(Error::Failed { .. })), "{waited:?}");
    }
}
