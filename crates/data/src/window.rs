//! Backup and maintenance windows.

/// The minutes of a week.
const WEEK: u32 = 7 * 24 * 60;
const DAY: u32 = 24 * 60;

/// A span of time that comes back every day or every week, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    start: u32,
    length: u32,
    every: u32,
}

impl Window {
    /// A daily window: `03:00-04:00`.
    pub(crate) fn daily(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Self::between(time(start)?, time(end)?, DAY)
    }

    /// A weekly window: `mon:04:00-mon:05:00`.
    pub(crate) fn weekly(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Self::between(moment(start)?, moment(end)?, WEEK)
    }

    fn between(start: u32, end: u32, every: u32) -> Option<Self> {
        let length = (end + every - start) % every;
        (length > 0).then_some(Self { start, length, every })
    }

    /// How long it is.
    pub(crate) fn minutes(self) -> u32 {
        self.length
    }

    /// Whether the two are ever open at the same time.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let spans = |window: Self| {
            (0..WEEK / window.every).map(move |n| (window.start + n * window.every, window.length))
        };
        // One begins while the other is open; both may run over the end of the week.
        let begins_in = |at: u32, (start, length): (u32, u32)| (at + WEEK - start) % WEEK < length;
        spans(self).any(|a| spans(other).any(|b| begins_in(a.0, b) || begins_in(b.0, a)))
    }
}

fn moment(text: &str) -> Option<u32> {
    let (day, rest) = text.split_once(':')?;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = u32::try_from(days.iter().position(|name| *name == day)?).ok()?;
    Some(day * DAY + time(rest)?)
}

fn time(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, below: u32| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|value: &u32| digits && *value < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(daily: &str, weekly: &str) -> bool {
        Window::daily(daily).unwrap().overlaps(Window::weekly(weekly).unwrap())
    }

    #[test]
    fn windows_that_touch_do_not_overlap() {
        assert!(!overlap("03:00-04:00", "mon:04:00-mon:05:00"));
        assert!(overlap("03:00-04:01", "mon:04:00-mon:05:00"));
        assert!(overlap("04:15-04:45", "mon:04:00-mon:05:00"), "within");
        assert!(overlap("03:00-06:00", "mon:04:00-mon:05:00"), "around");
    }

    #[test]
    fn windows_run_over_midnight_and_over_the_end_of_the_week() {
        assert!(overlap("23:30-00:30", "sun:23:45-mon:00:15"));
        assert!(overlap("00:00-00:30", "sun:23:45-mon:00:15"));
        assert!(!overlap("01:00-01:30", "sun:23:45-mon:00:15"));
        assert_eq!(Window::weekly("sun:23:45-mon:00:15").unwrap().minutes(), 30);
    }

    #[test]
    fn what_aws_would_not_read_is_no_window() {
        for text in ["3:00-4:00", "03:00-24:00", "03:00-03:00", "03:00", "", "+3:00-04:00"] {
            assert_eq!(Window::daily(text), None, "{text}");
        }
        for text in ["Mon:04:00-Mon:05:00", "04:00-05:00", "mon:04:00"] {
            assert_eq!(Window::weekly(text), None, "{text}");
        }
    }
}
