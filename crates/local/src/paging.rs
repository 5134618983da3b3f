//! Lists in pages.

/// One page of a list, and the token of the next. `None` for a token that this plane did not give.
pub(crate) fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: usize,
) -> Option<(Vec<T>, Option<String>)> {
    let start = match token {
        None => 0,
        Some(token) => token.strip_prefix("from-")?.parse::<usize>().ok()?,
    };
    let end = start.saturating_add(limit.max(1));
    let next = (items.len() > end).then(|| format!("from-{end}"));
    Some((items.into_iter().skip(start).take(end - start).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let (first, token) = page(vec![1, 2, 3], None, 2).unwrap();
        assert_eq!(first, [1, 2]);
        let (rest, end) = page(vec![1, 2, 3], token.as_deref(), 2).unwrap();
        assert_eq!((rest, end), (vec![3], None));
        assert!(page(vec![1], Some("somebody else's"), 2).is_none());
    }
}
