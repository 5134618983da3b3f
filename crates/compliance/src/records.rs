//! What holds records.

use data::FileSystem;
use engine::Tags;
use security::{Bucket, BucketLocation};

use crate::facts::Facts;
use crate::finding::Unread;

/// Classifications of what is no record of a student. Everything else that is classified at all counts as
/// records: it is for the organisation to say that something is harmless.
const HARMLESS: &[&str] = &[
    "accesslog",
    "artifacts",
    "auditlog",
    "code",
    "configuration",
    "flowlog",
    "log",
    "logs",
    "none",
    "public",
];

/// What a store says of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Records: its classification is not one of something harmless.
    Records,
    /// Something else, or it is not the account's.
    Other,
    /// It does not say.
    Unsaid,
}

/// What a store holds, by its tag `DataClassification`. Tags are written by people: case and punctuation
/// do not count.
pub fn holding(tags: &Tags) -> Holding {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    match tags.iter().find(|(key, _)| plain(key) == "dataclassification") {
        Some((_, value)) if plain(value).is_empty() => Holding::Unsaid,
        Some((_, value)) if HARMLESS.contains(&plain(value).as_str()) => Holding::Other,
        Some(_) => Holding::Records,
        None => Holding::Unsaid,
    }
}

/// What is at a place that a job reads: `s3://bucket/prefix`, or a file system's id.
///
/// # Errors
/// When the account's stores could not be listed, or the place is none whose tags are known.
pub fn at(facts: &Facts<'_>, place: &str) -> Result<Holding, Unread> {
    let unknown = || Unread { what: format!("what is at {}", store_of(place)), error: None };
    if place.starts_with("fs-") {
        let found = facts.find::<FileSystem>(place)?;
        return found.map(|found| holding(&found.tags)).ok_or_else(unknown);
    }
    let bucket = bucket_of(place).ok_or_else(unknown)?;
    if let Some(found) = facts.find::<Bucket>(bucket)? {
        return Ok(holding(&found.tags));
    }
    match facts.find::<BucketLocation>(bucket)? {
        // Ours, in a region that was not looked at.
        Some(_) => Err(unknown()),
        None => Ok(Holding::Other),
    }
}

/// The bucket of an S3 URI or URL. `None` for an access point: its name does not say what is behind it.
pub fn bucket_of(uri: &str) -> Option<&str> {
    let (host, path) = match uri.strip_prefix("https://") {
        Some(rest) => rest.split_once('/')?,
        None => ("", uri.strip_prefix("s3://")?),
    };
    let name = match host.split_once(".s3") {
        Some((bucket, _)) => bucket,
        None => path.split('/').next()?,
    };
    let is_access_point = name.starts_with("arn:") || name.ends_with("-s3alias");
    (!is_access_point && !name.is_empty()).then_some(name)
}

/// A place without the prefix, which may name a student.
pub fn store_of(place: &str) -> &str {
    bucket_of(place).unwrap_or_else(|| place.split_inclusive('/').next().unwrap_or(place))
}

#[cfg(test)]
mod tests {
    use engine::Tags;

    use super::{Holding, bucket_of, holding};

    #[test]
    fn only_what_is_known_to_be_harmless_is_no_record() {
        let said =
            |key: &str, value: &str| holding(&Tags::from([(key.to_owned(), value.to_owned())]));
        assert_eq!(said("DataClassification", "education-records"), Holding::Records);
        assert_eq!(said("data-classification", "Confidential"), Holding::Records);
        assert_eq!(said("DataClassification", "Audit-Log"), Holding::Other);
        assert_eq!(said("DataClassification", ""), Holding::Unsaid);
        assert_eq!(said("Name", "education-records"), Holding::Unsaid);
    }

    #[test]
    fn a_bucket_is_found_in_uris_and_urls() {
        assert_eq!(bucket_of("s3://records/2026/grades.csv"), Some("records"));
        assert_eq!(bucket_of("s3://records"), Some("records"));
        assert_eq!(bucket_of("https://records.s3.us-east-1.amazonaws.com/a"), Some("records"));
        assert_eq!(bucket_of("https://s3.us-east-1.amazonaws.com/records/a"), Some("records"));
        assert_eq!(bucket_of("s3://arn:aws:s3:us-east-1:123456789012:accesspoint/a/b"), None);
        assert_eq!(bucket_of("s3://a-abcdef-s3alias/b"), None);
    }
}
