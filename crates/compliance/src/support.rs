//! Until when AWS supports which version of an engine.
//!
//! The dates are those of standard support: after them AWS mends only what is critical, for money, and
//! upgrades by itself in the end. Taken in August 2026 from AWS's calendars:
//!
//! - Aurora PostgreSQL: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/aurorapostgresql-release-calendar.html>
//! - RDS for PostgreSQL: <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html>
//! - Aurora MySQL: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraMySQLReleaseNotes/AuroraMySQL.release-calendars.html>
//! - RDS for MySQL: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/MySQL.Concepts.VersionMgmt.html>
//! - RDS for MariaDB: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/MariaDB.Concepts.VersionMgmt.html>
//! - ElastiCache: <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html>

use jiff::civil::{Date, date};

/// How AWS supports a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Until the end of this day.
    Until(Date),
    /// AWS has announced no end.
    NoEnd,
    /// It ended before the oldest version whose end is known here.
    Ended,
}

/// An engine, a major version of it, and the last day of standard support, where one is announced. The
/// versions of an engine are in order.
const RELEASES: &[(&str, &str, Option<Date>)] = &[
    ("aurora-mysql", "5.7", Some(date(2024, 10, 31))),
    ("aurora-mysql", "8.0", Some(date(2028, 4, 30))),
    ("aurora-postgresql", "11", Some(date(2024, 2, 29))),
    ("aurora-postgresql", "12", Some(date(2025, 2, 28))),
    ("aurora-postgresql", "13", Some(date(2026, 2, 28))),
    ("aurora-postgresql", "14", Some(date(2027, 2, 28))),
    ("aurora-postgresql", "15", Some(date(2028, 2, 29))),
    ("aurora-postgresql", "16", Some(date(2029, 2, 28))),
    ("aurora-postgresql", "17", Some(date(2030, 2, 28))),
    ("aurora-postgresql", "18", Some(date(2031, 2, 28))),
    ("mariadb", "10.4", Some(date(2025, 2, 28))),
    ("mariadb", "10.5", Some(date(2026, 8, 31))),
    ("mariadb", "10.6", Some(date(2026, 12, 31))),
    ("mariadb", "10.11", Some(date(2028, 2, 29))),
    ("mariadb", "11.4", Some(date(2029, 5, 31))),
    ("mariadb", "11.8", Some(date(2028, 6, 30))),
    ("mysql", "5.7", Some(date(2024, 2, 29))),
    ("mysql", "8.0", Some(date(2026, 7, 31))),
    ("mysql", "8.4", Some(date(2029, 7, 31))),
    ("postgres", "11", Some(date(2024, 2, 29))),
    ("postgres", "12", Some(date(2025, 2, 28))),
    ("postgres", "13", Some(date(2026, 2, 28))),
    ("postgres", "14", Some(date(2027, 2, 28))),
    ("postgres", "15", Some(date(2028, 2, 29))),
    ("postgres", "16", Some(date(2029, 2, 28))),
    ("postgres", "17", Some(date(2030, 2, 28))),
    ("postgres", "18", Some(date(2031, 2, 28))),
    ("redis", "4", Some(date(2026, 1, 31))),
    ("redis", "5", Some(date(2026, 1, 31))),
    ("redis", "6", Some(date(2027, 1, 31))),
    ("redis", "7", None),
    ("valkey", "7", None),
    ("valkey", "8", None),
];

/// The oldest minor versions that AWS still supports of some major ones. A major version's support is that of
/// its newer minor versions: those before these have left it.
const OLDEST_MINORS: &[(&str, &str)] = &[("aurora-postgresql", "15.5")];

/// How AWS supports a version of an engine, as describe calls name both. `None`: it is not known here.
pub fn support(engine: &str, version: &str) -> Option<Support> {
    let version = numbers(version);
    if version.is_empty() {
        return None;
    }
    let retired = |(of, oldest): &(&str, &str)| {
        let oldest = numbers(oldest);
        *of == engine && version.len() > 1 && version[0] == oldest[0] && version < oldest
    };
    if OLDEST_MINORS.iter().any(retired) {
        return Some(Support::Ended);
    }
    let mut releases = RELEASES.iter().filter(|(of, ..)| *of == engine).peekable();
    let (_, oldest, _) = releases.peek()?;
    if version < numbers(oldest) {
        return Some(Support::Ended);
    }
    let (.., end) = releases.find(|(_, release, _)| version.starts_with(&numbers(release)))?;
    Some(end.map_or(Support::NoEnd, Support::Until))
}

/// The numbers that a version begins with: 8 and 0 of `8.0.mysql_aurora.3.08.0`.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_by_what_they_begin_with() {
        let until = |engine, version| match support(engine, version) {
            Some(Support::Until(day)) => day.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(until("aurora-postgresql", "17"), "2030-02-28");
        assert_eq!(until("aurora-postgresql", "13.9"), "2026-02-28");
        assert_eq!(until("mariadb", "10.11.6"), "2028-02-29");
        assert_eq!(until("aurora-mysql", "5.7.mysql_aurora.2.11.3"), "2024-10-31");
        assert_eq!(until("aurora-mysql", "8.0.mysql_aurora.3.08.0"), "2028-04-30");
        assert_eq!(support("redis", "7.1.0"), Some(Support::NoEnd));
        assert_eq!(support("postgres", "9.6.24"), Some(Support::Ended));
        assert_eq!(support("aurora-postgresql", "15.4"), Some(Support::Ended));
        assert_eq!(until("aurora-postgresql", "15.10"), "2028-02-29");
        assert_eq!(until("aurora-postgresql", "15"), "2028-02-29");
    }

    #[test]
    fn what_is_not_in_the_calendars_is_not_known() {
        assert_eq!(support("aurora-postgresql", "19.1"), None);
        assert_eq!(support("aurora-postgresql", ""), None);
        assert_eq!(support("docdb", "5.0.0"), None);
    }

    #[test]
    fn the_calendar_is_in_order() {
        let key =
            |(engine, version, _): &(&'static str, &str, Option<Date>)| (*engine, numbers(version));
        assert!(RELEASES.is_sorted_by_key(key));
    }
}
