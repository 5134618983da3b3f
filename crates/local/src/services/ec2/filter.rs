//! The filters of describe calls.

use winterbaume_ec2_generated::model::{FilterList, TagList};

use super::invalid;
use crate::fault::Fault;
use crate::paging;

/// What filters look at.
pub(super) trait Filtered {
    /// The values of a filter of this name; `None` if there is no such filter.
    fn values(&self, filter: &str) -> Option<Vec<String>>;
    /// The tags.
    fn tags(&self) -> Option<&TagList>;
}

/// A value that may be absent, as a filter sees it.
pub(super) fn one(value: &Option<impl ToString>) -> Option<Vec<String>> {
    Some(value.iter().map(ToString::to_string).collect())
}

/// Those that all filters let through.
pub(super) fn select<T: Filtered>(
    items: impl IntoIterator<Item = T>,
    filters: Option<&FilterList>,
) -> Result<Vec<T>, Fault> {
    let mut left: Vec<T> = items.into_iter().collect();
    for filter in filters.map_or(&[][..], |list| &list.items) {
        let name = filter.name.as_deref().unwrap_or_default();
        let wanted = filter.values.as_ref().map_or(&[][..], |list| &list.items);
        let mut kept = Vec::new();
        for item in left {
            let values = values(&item, name)
                .ok_or_else(|| invalid(format!("The filter '{name}' is invalid")))?;
            if values.iter().any(|value| wanted.iter().any(|pattern| matches(pattern, value))) {
                kept.push(item);
            }
        }
        left = kept;
    }
    Ok(left)
}

fn values(item: &impl Filtered, name: &str) -> Option<Vec<String>> {
    let tags = item.tags().map_or(&[][..], |list| &list.items);
    if let Some(key) = name.strip_prefix("tag:") {
        let of_key = tags.iter().filter(|tag| tag.key.as_deref() == Some(key));
        return Some(of_key.map(|tag| tag.value.clone().unwrap_or_default()).collect());
    }
    match name {
        "tag-key" => Some(tags.iter().filter_map(|tag| tag.key.clone()).collect()),
        _ => item.values(name),
    }
}

/// Whether a value fits a pattern with `*` and `?`.
fn matches(pattern: &str, value: &str) -> bool {
    match pattern.chars().next() {
        None => value.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            (0..=value.len())
                .filter(|at| value.is_char_boundary(*at))
                .any(|at| matches(rest, &value[at..]))
        }
        Some(want) => match value.chars().next() {
            Some(have) if want == '?' || want == have => {
                matches(&pattern[want.len_utf8()..], &value[have.len_utf8()..])
            }
            _ => false,
        },
    }
}

/// One page, as EC2 forms it.
pub(super) fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = match limit {
        None => usize::MAX,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (5..=1000).contains(limit))
            .ok_or_else(|| {
                invalid(format!("Value ( {limit} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."))
            })?,
    };
    paging::page(items, token, limit)
        .ok_or_else(|| Fault::new("InvalidNextToken", "The token is not valid"))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_any_text_or_one_character() {
        assert!(matches("student-*-dev", "student-api-dev"));
        assert!(matches("us-east-1?", "us-east-1a"));
        assert!(!matches("student-*-dev", "student-api-prod"));
        assert!(!matches("", "x"));
    }
}
