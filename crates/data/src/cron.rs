//! AWS's form of cron: six fields, with `?` for "whatever the other day field says".

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Why the text is not a schedule that AWS Backup takes; `None` for a good one.
pub(crate) fn fault(schedule: &str) -> Option<String> {
    let inner = schedule.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
    let Some(inner) = inner else {
        return Some(format!(
            "{schedule} is not of the form cron(minutes hours day month weekday year)"
        ));
    };
    let fields: Vec<&str> = inner.split_whitespace().collect();
    let [minute, hour, day, month, weekday, year] = fields[..] else {
        return Some(format!("{schedule} has {} fields instead of six", fields.len()));
    };
    if minute.parse::<u32>().is_err() {
        return Some("backups begin once an hour at most: the minutes are a single number".into());
    }
    if (day == "?") == (weekday == "?") {
        return Some(
            "one of the day of the month and the day of the week is ?, the other is not".into(),
        );
    }
    let fields = [
        ("minutes", minute, 0, 59, &[][..]),
        ("hours", hour, 0, 23, &[]),
        ("day of the month", day, 1, 31, &[]),
        ("month", month, 1, 12, MONTHS),
        ("day of the week", weekday, 1, 7, DAYS),
        ("year", year, 1970, 2199, &[]),
    ];
    fields.into_iter().find_map(|(name, text, least, most, names)| {
        let good = text.split(',').all(|item| is_item(name, item, least, most, names));
        (!good).then(|| format!("{text} is no {name}"))
    })
}

fn is_item(field: &str, item: &str, least: u32, most: u32, names: &[&str]) -> bool {
    let value = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + least);
        number.or_else(|| text.parse().ok()).filter(|number| (least..=most).contains(number))
    };
    if field.starts_with("day") {
        // The last, the weekday nearest to a day, the nth weekday of a month.
        let of_month = field == "day of the month";
        let special = match item {
            "?" | "L" => true,
            _ if of_month => {
                item == "LW" || item.strip_suffix('W').is_some_and(|day| value(day).is_some())
            }
            _ => {
                item.strip_suffix('L').is_some_and(|day| value(day).is_some())
                    || item.split_once('#').is_some_and(|(day, nth)| {
                        value(day).is_some() && matches!(nth, "1" | "2" | "3" | "4" | "5")
                    })
            }
        };
        if special {
            return true;
        }
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let good_step =
        step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=most).contains(&step)));
    let good_range = range == "*"
        || match range.split_once('-') {
            Some((from, to)) => {
                matches!((value(from), value(to)), (Some(from), Some(to)) if from <= to)
            }
            None => value(range).is_some(),
        };
    good_range && good_step
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn schedules_that_aws_takes() {
        for good in [
            "cron(0 5 ? * * *)",
            "cron(0 5 1 * ? *)",
            "cron(30 0/6 * * ? *)",
            "cron(0 2 ? * MON-FRI *)",
            "cron(0 2 L * ? 2026-2030)",
            "cron(15 3 ? JAN,JUL 2#1 *)",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn schedules_that_it_does_not() {
        for bad in [
            "0 5 * * *",
            "rate(1 day)",
            "cron(0 5 * * *)",
            "cron(0 5 * * * *)",
            "cron(0 5 ? * ? *)",
            "cron(*/5 * * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 5 32 * ? *)",
            "cron(0 5 ? FOO * *)",
            "cron(0 5 ? * 8 *)",
            "cron(0 5 ? * MON#6 *)",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
