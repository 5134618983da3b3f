//! What happens, while it happens: a line for each resource in flight and what it waits for on a
//! terminal, a line for each step that is done elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use engine::execute::{Event, StepName};
use engine::steps::StepId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Paint;
use super::outcome::seconds;

/// Shows events on standard error until the sender is gone.
pub async fn show(mut events: UnboundedReceiver<Event>, json: bool) {
    if json {
        while let Some(event) = events.recv().await {
            if let Ok(line) = serde_json::to_string(&event) {
                eprintln!("{line}");
            }
        }
    } else if stderr().is_terminal() {
        Live::new().show(events).await;
    } else {
        while let Some(event) = events.recv().await {
            if let Some(line) = line(&event, &Paint::default()) {
                eprintln!("{line}");
            }
        }
    }
}

/// The line of a step that has ended; nothing for what is only of interest while it lasts.
fn line(event: &Event, paint: &Paint) -> Option<String> {
    let (add, remove, faint) = (paint.add, paint.remove, paint.faint);
    match event {
        Event::Done { step, took_ms } if counts(step) => {
            let took = seconds(Duration::from_millis(u64::try_from(*took_ms).unwrap_or(u64::MAX)));
            Some(format!("  {add}✓{add:#} {} {} {faint}{took}{faint:#}", step.what, step.resource))
        }
        Event::Failed { step, error } => {
            Some(format!("  {remove}✗ {} {}: {error}{remove:#}", step.what, step.resource))
        }
        _ => None,
    }
}

/// Whether a person wants to read of it: waiting for what was ready at once is not news.
fn counts(step: &StepName) -> bool {
    !matches!(step.what.as_str(), "wait for" | "configure" | "detach")
}

struct Live {
    bars: MultiProgress,
    total: ProgressBar,
    running: HashMap<StepId, ProgressBar>,
    paint: Paint,
}

impl Live {
    fn new() -> Self {
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new(0));
        // The templates are constants of this file; a wrong one shows in the first run.
        let style = ProgressStyle::with_template("  {bar:30} {pos}/{len} {elapsed}");
        total.set_style(style.expect("a valid template"));
        total.enable_steady_tick(Duration::from_millis(200));
        Self { bars, total, running: HashMap::new(), paint: Paint::for_stream(true) }
    }

    async fn show(mut self, mut events: UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            match &event {
                Event::Begun { steps } => self.total.set_length(*steps as u64),
                Event::Started { step } => {
                    let bar = self.bars.insert_before(&self.total, ProgressBar::new_spinner());
                    let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed}");
                    bar.set_style(style.expect("a valid template"));
                    bar.set_message(format!("{} {}", step.what, step.resource));
                    bar.enable_steady_tick(Duration::from_millis(200));
                    self.running.insert(step.step, bar);
                }
                Event::Waiting { step, what } => {
                    if let Some(bar) = self.running.get(&step.step) {
                        let faint = self.paint.faint;
                        bar.set_message(format!(
                            "{} {} {faint}{what}{faint:#}",
                            step.what, step.resource
                        ));
                    }
                }
                Event::Done { step, .. } | Event::Failed { step, .. } => {
                    if let Some(bar) = self.running.remove(&step.step) {
                        bar.finish_and_clear();
                        self.bars.remove(&bar);
                    }
                    self.total.inc(1);
                    if let Some(line) = line(&event, &self.paint) {
                        let _ = self.bars.println(line);
                    }
                }
            }
        }
        self.total.finish_and_clear();
    }
}
