//! What stores say of themselves: the tags of [`data::Classification`].

use engine::Tags;
use jiff::civil::Date;

/// What a store's tags say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    /// What is in there.
    pub classification: Option<String>,
    /// How long a record stays, as the tag says it.
    pub retention_days: Option<String>,
    /// When the store as a whole has to be gone, as the tag says it.
    pub retention_until: Option<String>,
}

impl Marks {
    /// Reads them. Keys are taken as people write them: `RetentionUntil`, `retention-until`.
    pub(crate) fn of(tags: &Tags) -> Self {
        let find = |wanted: &str| {
            let is_it = |key: &str| {
                let letters = key.chars().filter(char::is_ascii_alphanumeric);
                letters.map(|letter| letter.to_ascii_lowercase()).eq(wanted.chars())
            };
            let found = tags.iter().find(|(key, _)| is_it(key));
            found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Self {
            classification: find("dataclassification"),
            retention_days: find("retentiondays"),
            retention_until: find("retentionuntil"),
        }
    }

    /// The last day on which the store may be there.
    pub(crate) fn last_day(&self) -> Option<Date> {
        self.retention_until.as_ref()?.parse().ok()
    }

    /// What is missing or makes no sense.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.classification.is_none() {
            faults.push("no tag DataClassification says what it holds".to_owned());
        }
        match (&self.retention_days, &self.retention_until) {
            (None, None) => {
                faults.push("no tag RetentionDays or RetentionUntil says for how long".to_owned());
            }
            (Some(days), _) if !days.parse::<u32>().is_ok_and(|days| days > 0) => {
                faults.push(format!("its tag RetentionDays is {days:?}, no number of days"));
            }
            (_, Some(date)) if self.last_day().is_none() => {
                faults.push(format!("its tag RetentionUntil is {date:?}, no date as YYYY-MM-DD"));
            }
            _ => {}
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(tags: &[(&str, &str)]) -> Marks {
        Marks::of(&tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn what_our_own_stores_say_is_enough() {
        assert!(Marks::of(&data::Classification::default().tags()).faults().is_empty());
        let until = [("data-classification", "transcripts"), ("retention-until", "2031-06-30")];
        assert!(marks(&until).faults().is_empty());
    }

    #[test]
    fn empty_and_senseless_tags_are_none() {
        assert_eq!(marks(&[]).faults().len(), 2);
        assert_eq!(marks(&[("DataClassification", " "), ("RetentionDays", "0")]).faults().len(), 2);
        let odd = [("DataClassification", "x"), ("RetentionUntil", "next June")];
        assert_eq!(marks(&odd).faults().len(), 1);
    }
}
