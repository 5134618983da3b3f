//! A timeline as text that fits a screen: the critical path by name, and the longest of the rest as bars.

use std::fmt::Write;
use std::time::Duration;

use engine::error::humane;
use engine::timeline::{Bar, Ending, Timeline};

use super::Paint;

/// How many resources have a bar of their own.
const BARS: usize = 16;
/// How many columns a bar has.
const WIDTH: usize = 48;

/// What a step has to take to be named on the critical path.
fn is_long(took: Duration, all: Duration) -> bool {
    took * 100 >= all && took >= Duration::from_secs(1)
}

/// The timeline. `title` says what it is of: `Expected on AWS`.
pub fn timeline(timeline: &Timeline, title: &str, paint: &Paint) -> String {
    let mut out = String::new();
    let (strong, faint) = (paint.strong, paint.faint);
    if timeline.spans.is_empty() {
        return format!("{strong}{title}:{strong:#} nothing to do.\n");
    }
    let _ = writeln!(
        out,
        "{strong}{title}: {} for {} steps{strong:#}\n\nCritical path:",
        rounded(timeline.duration),
        timeline.spans.len()
    );
    for leg in legs(timeline) {
        let _ = match leg {
            CriticalLeg::Long { what, took } => {
                writeln!(out, "  {strong}{:>12}{strong:#}  {what}", rounded(took))
            }
            CriticalLeg::Short { steps, took } => {
                let s = if steps == 1 { "" } else { "s" };
                let words = format!("{steps} short step{s}");
                writeln!(out, "  {faint}{:>12}  {words}{faint:#}", rounded(took))
            }
        };
    }

    let (shown, rest) = longest(timeline, BARS);
    let names = shown.iter().map(|bar| name(bar).chars().count()).max().unwrap_or_default();
    let _ = writeln!(out, "\n{:names$}    {faint}{}{faint:#}", "", axis(timeline.duration));
    for bar in &shown {
        let mark = if bar.is_critical { '*' } else { ' ' };
        let colour = match bar.ending {
            Ending::Failed | Ending::Stopped => paint.remove,
            Ending::Done if bar.goes => paint.change,
            Ending::Done => paint.add,
        };
        let _ = writeln!(
            out,
            "{mark} {:names$}  {colour}{}{colour:#}  {faint}{}{faint:#}",
            name(bar),
            cells(bar, timeline.duration),
            rounded(bar.busy())
        );
    }
    if let Some(most) = rest.iter().map(Bar::busy).max() {
        let _ = writeln!(
            out,
            "  {faint}{} other resources: {} each at most{faint:#}",
            rest.len(),
            rounded(most)
        );
    }
    let _ = writeln!(out, "\n{faint}* on the critical path, · waits for another resource{faint:#}");
    out
}

/// A part of the critical path, as it is shown.
enum CriticalLeg {
    Long { what: String, took: Duration },
    Short { steps: usize, took: Duration },
}

/// The critical path, short steps in a row put together.
fn legs(timeline: &Timeline) -> Vec<CriticalLeg> {
    let mut legs: Vec<CriticalLeg> = Vec::new();
    let mut now = Duration::ZERO;
    for span in timeline.critical_spans() {
        let took = span.end.saturating_sub(now);
        now = span.end;
        if is_long(took, timeline.duration) {
            let what = format!("{} {} ({})", span.what, span.resource, span.kind);
            legs.push(CriticalLeg::Long { what, took });
        } else if let Some(CriticalLeg::Short { steps, took: so_far }) = legs.last_mut() {
            *steps += 1;
            *so_far += took;
        } else {
            legs.push(CriticalLeg::Short { steps: 1, took });
        }
    }
    legs
}

/// The bars that take longest, by their beginning, and the others.
pub fn longest(timeline: &Timeline, most: usize) -> (Vec<Bar>, Vec<Bar>) {
    let mut bars = timeline.bars();
    bars.sort_by_key(|bar| (bar.ending == Ending::Done, std::cmp::Reverse(bar.busy())));
    // A bar that cannot be seen says nothing.
    let seen = bars
        .iter()
        .take(most)
        .take_while(|bar| bar.ending != Ending::Done || bar.busy() * 100 >= timeline.duration)
        .count();
    let rest = bars.split_off(seen);
    bars.sort_by(|a, b| (a.start, a.end, &a.resource).cmp(&(b.start, b.end, &b.resource)));
    (bars, rest)
}

/// The resource, with what happens to it where that is not to be made.
pub fn name(bar: &Bar) -> String {
    let verb = if bar.goes { "− " } else { "" };
    let how = match bar.ending {
        Ending::Done => "",
        Ending::Failed => " (failed)",
        Ending::Stopped => " (stopped)",
    };
    format!("{verb}{}{how}", bar.resource)
}

fn cells(bar: &Bar, all: Duration) -> String {
    let column = |time: Duration| (time.as_secs_f64() / all.as_secs_f64() * WIDTH as f64) as usize;
    let within = |from: Duration, to: Duration, at: usize| {
        let (from, to) = (column(from), column(to));
        (from..to.max(from + 1)).contains(&at)
    };
    let cell = |at: usize| {
        if bar.parts.iter().any(|(from, to)| to > from && within(*from, *to, at)) {
            '█'
        } else if within(bar.start, bar.end, at) {
            '·'
        } else {
            ' '
        }
    };
    let cells: String = (0..WIDTH).map(cell).collect();
    cells
}

/// Every how many seconds the axis has a mark: at most so many of them.
pub fn marks(all: Duration, most: u64) -> u64 {
    const STEPS: [u64; 10] = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
    let fits = |step: &&u64| all.as_secs() / **step <= most;
    STEPS.iter().find(fits).copied().unwrap_or(7200)
}

fn axis(all: Duration) -> String {
    let step = marks(all, 6);
    let mut line = String::new();
    for at in (0..=all.as_secs()).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let column = (at as f64 / all.as_secs_f64() * WIDTH as f64) as usize;
        let width = line.chars().count();
        if column >= width {
            line.extend(std::iter::repeat_n(' ', column - width));
            line.push_str(&mark(at, step));
        }
    }
    line
}

/// A mark of the axis: in minutes, where its steps are.
pub fn mark(at: u64, step: u64) -> String {
    if step < 60 { format!("{at} s") } else { format!("{} min", at / 60) }
}

/// A duration, to the second where it is one.
pub fn rounded(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        humane(Duration::from_secs(time.as_secs_f64().round() as u64))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use engine::Inventory;
    use engine::plan::{self, Options};
    use engine::steps::Steps;

    use super::*;
    use crate::commands::timeline::expected;
    use crate::config::Config;
    use crate::stack::{FullStack, Site, kinds};

    /// The expected timeline of a fresh deploy of the default stack.
    pub(crate) fn fresh_deploy() -> Timeline {
        let site = Site {
            account_id: "123456789012".into(),
            region: "us-east-1".into(),
            zones: vec!["us-east-1a".into(), "us-east-1b".into()],
            is_real: false,
        };
        let (stack, _) = FullStack::declare(&Config::default(), &site);
        let nothing = Inventory::empty("123456789012", "us-east-1");
        let plan = plan::plan(&stack.graph, &nothing, &kinds(), Options::default());
        let steps = Steps::of(&plan, &stack.graph, &nothing, &kinds()).unwrap();
        expected(&steps, &stack.graph)
    }

    #[test]
    fn a_fresh_deploy_fits_a_screen() {
        let text = timeline(&fresh_deploy(), "Expected on AWS", &Paint::default());
        assert!(text.lines().count() <= 40, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_to_do_is_said() {
        let nothing = Timeline { spans: vec![], critical_path: vec![], duration: Duration::ZERO };
        let text = timeline(&nothing, "Expected on AWS", &Paint::default());
        assert_eq!(text, "Expected on AWS: nothing to do.\n");
    }
}
