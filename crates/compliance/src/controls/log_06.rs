//! FERPA-LOG-06: logs are kept as long as the floor asks.

use std::collections::BTreeMap;

use compute::{LoadBalancer, LogGroup};
use engine::{Inspected, Live};
use jiff::Timestamp;
use security::bucket::LifecycleRule;
use security::{Bucket, Trail};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::disclosure::is_disclosure_log;
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-06",
    title: "Logs are kept long enough",
    statement: "Every log group, and every bucket that a trail or a load balancer logs to, keeps its events for at least the configured floor; access logs of APIs for the floor of the disclosure record.",
    severity: Severity::High,
    citations: &["34 CFR 99.32(a)(2)", "NIST SP 800-171r2 3.3.1"],
    why: "The record of who saw an education record is to be kept as long as that record; a breach is often found months later.",
    reads: &[&[
        "logs.log_group.retention_days",
        "logs.log_group.tags",
        "apigateway.stage.access_logs",
        "apigatewayv2.api.stages",
        "s3.bucket.lifecycle",
        "s3.bucket.object_lock",
        "s3.bucket.retention",
        "cloudtrail.trail.bucket",
        "cloudtrail.trail.key_prefix",
        "elbv2.load_balancer.access_logs",
    ]],
    remedy: Remedy {
        stack: "`logs.retention_days`, `logs.disclosure_retention_days`, `security.trail_lock_days` and `security.load_balancer_log_days`",
        api: "logs:PutRetentionPolicy with retentionInDays; s3:PutLifecycleConfiguration with Expiration.Days and no Expiration.Date",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<LogGroup>(|group| group_verdict(facts, group));
    let (paths, unknown) = log_paths(facts);
    judgements.extend(unknown);
    if !paths.is_empty() {
        let is_log_bucket = |bucket: &Live<Bucket>| paths.contains_key(&bucket.id);
        judgements.extend(facts.each_where::<Bucket>(is_log_bucket, |bucket| {
            bucket_verdict(facts, bucket, &paths[&bucket.live().id])
        }));
    }
    judgements
}

fn group_verdict(facts: &Facts<'_>, group: &Seen<'_, LogGroup>) -> Result<Verdict, Unread> {
    let days = group.read(&["retention_days"])?.retention_days;
    let floors = facts.settings().floors;
    let verdict = match days {
        None => Verdict::pass("events never expire"),
        Some(days) if days < floors.log_retention_days => {
            let floor = floors.log_retention_days;
            Verdict::fail(format!("events expire after {days} days, and {floor} are wanted"))
        }
        // Whose log it is matters only now.
        Some(days) if days < floors.disclosure_retention_days => {
            let floor = floors.disclosure_retention_days;
            if is_disclosure_log(facts, group.live())? {
                Verdict::fail(format!(
                    "events, which record disclosures, expire after {days} days, and {floor} are wanted"
                ))
            } else {
                Verdict::pass(format!("events expire after {days} days"))
            }
        }
        Some(days) => Verdict::pass(format!("events expire after {days} days")),
    };
    Ok(verdict.with("logs:DescribeLogGroups", "retentionInDays", days))
}

/// Where in which bucket logs are delivered to, and those who deliver and do not say where.
fn log_paths(facts: &Facts<'_>) -> (BTreeMap<String, Vec<String>>, Vec<Judgement>) {
    let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut add = |bucket: &str, prefix: &str| {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        paths.entry(bucket.to_owned()).or_default().push(format!("{prefix}AWSLogs/"));
    };
    let (trails, unread) = facts.listed::<Trail>();
    for Live { spec, .. } in trails.iter() {
        add(spec.bucket.as_str(), spec.key_prefix.as_deref().unwrap_or_default());
    }
    unknown.extend(unread.map(|unread| facts.whole(Trail::KIND, Err(unread))));
    let (balancers, unread) = facts.listed::<LoadBalancer>();
    let own = |live: &&Live<LoadBalancer>| facts.is_subject(LoadBalancer::KIND, &live.id);
    for live in balancers.iter().filter(own) {
        let seen = Seen::of(live);
        match seen.read(&["access_logs"]) {
            Ok(spec) => {
                if let Some(logs) = &spec.access_logs {
                    add(logs.bucket.as_str(), &logs.prefix);
                }
            }
            Err(unread) => unknown.push(facts.about(&seen, Err(unread))),
        }
    }
    unknown.extend(unread.map(|unread| facts.whole(LoadBalancer::KIND, Err(unread))));
    (paths, unknown)
}

fn bucket_verdict(
    facts: &Facts<'_>,
    bucket: &Seen<'_, Bucket>,
    paths: &[String],
) -> Result<Verdict, Unread> {
    let spec = bucket.read(&["lifecycle", "object_lock", "retention"])?;
    let concerns = |rule: &&LifecycleRule| {
        let at = &rule.prefix;
        rule.enabled && paths.iter().any(|path| path.starts_with(at) || at.starts_with(path))
    };
    let rules = || spec.lifecycle.values().filter(concerns);
    let days = rules().filter_map(|rule| rule.expire_after_days).min();
    let date = rules().filter_map(|rule| rule.expire_on.as_deref()).min();
    // Everything goes then, however young.
    let left = date.map(|date| days_until(facts, date));
    let expiry = days.into_iter().chain(left).min();
    // A locked object survives its expiry, as a former version.
    let lock = spec.retention.as_ref().filter(|_| spec.object_lock).map_or(0, |lock| lock.days);
    let floor = u32::try_from(facts.settings().floors.log_retention_days).unwrap_or(0);
    let verdict = match expiry.map(|days| days.max(lock)) {
        None => Verdict::pass("log files never expire"),
        Some(days) if days < floor => {
            Verdict::fail(format!("log files expire after {days} days, and {floor} are wanted"))
        }
        Some(days) => Verdict::pass(format!("log files are kept for {days} days")),
    };
    let call = "s3:GetLifecycleConfiguration";
    let verdict = verdict.with(call, "Expiration.Days", days);
    let verdict = match date {
        Some(date) => verdict.with(call, "Expiration.Date", date),
        None => verdict,
    };
    Ok(verdict.with("s3:GetBucketObjectLockConfiguration", "DefaultRetention.Days", lock))
}

/// Whole days from now; none when it is past, or no time at all.
fn days_until(facts: &Facts<'_>, date: &str) -> u32 {
    let seconds = date.parse::<Timestamp>().map_or(0, |end| end.duration_since(facts.now()).as_secs());
    u32::try_from(seconds / (24 * 60 * 60)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigatewayv2::types::{AccessLogSettings, ProtocolType};
    use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
    use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
    use aws_sdk_s3::types::{
        Bucket, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    };
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::DateTime;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::{Floors, Settings};
    use crate::testing::apigateway::http_api;
    use crate::testing::{GROUP, NOW, denied, judged, judged_with, log_group, only, stage, trail};

    #[tokio::test]
    async fn the_floor_and_for_ever_are_long_enough() {
        let found = judged(&CONTROL, &log_group(|it| it.retention_in_days(365))).await;
        assert_eq!(only(&found), (Status::Pass, "events expire after 365 days"));
        let found = judged(&CONTROL, &log_group(|it| it)).await;
        assert_eq!(only(&found), (Status::Pass, "events never expire"));
    }

    #[tokio::test]
    async fn a_week_is_not() {
        let rules = log_group(|it| it.retention_in_days(7));
        let found = judged(&CONTROL, &rules).await;
        let message = "events expire after 7 days, and 365 are wanted";
        assert_eq!(only(&found), (Status::Fail, message));
        let floors = Floors { log_retention_days: 3, ..Floors::default() };
        let settings = Settings { floors, ..Settings::default() };
        assert_eq!(only(&judged_with(&CONTROL, &rules, &settings).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn an_access_log_is_kept_as_long_as_the_record_of_disclosures() {
        let with_access_log = |days| {
            let mut rules = log_group(move |it| it.retention_in_days(days));
            rules.extend(stage(|it| it));
            rules
        };
        assert_eq!(only(&judged(&CONTROL, &with_access_log(2557)).await).0, Status::Pass);
        let found = judged(&CONTROL, &with_access_log(731)).await;
        assert_eq!(only(&found).0, Status::Fail);
        assert!(only(&found).1.contains("record disclosures"), "{}", only(&found).1);

        let side_door = |days| {
            let mut rules = log_group(move |it| it.retention_in_days(days));
            rules.extend(http_api(ProtocolType::Http, |it| it, |it| it, |it| {
                let group = format!("arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*");
                let logs = AccessLogSettings::builder().destination_arn(group).format("{}");
                it.access_log_settings(logs.build())
            }));
            rules
        };
        assert_eq!(only(&judged(&CONTROL, &side_door(731)).await).0, Status::Fail);
        assert_eq!(only(&judged(&CONTROL, &side_door(2557)).await).0, Status::Pass);

        // Whether somebody's log is an access log cannot be told without the stages.
        let mut rules = log_group(|it| it.retention_in_days(731));
        rules.push(denied!(aws_sdk_apigateway, get_rest_apis, GetRestApisError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }

    fn log_bucket(prefix: &'static str, days: i32) -> Vec<Rule> {
        expiring(prefix, LifecycleExpiration::builder().days(days).build())
    }

    fn expiring(prefix: &'static str, expiration: LifecycleExpiration) -> Vec<Rule> {
        let bucket = || Bucket::builder().name("trail-logs").build();
        let rule = move || {
            LifecycleRule::builder()
                .id("expire")
                .status(ExpirationStatus::Enabled)
                .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
                .expiration(expiration.clone())
        };
        let mut rules = vec![
            mock!(aws_sdk_s3::Client::list_buckets)
                .then_output(move || ListBucketsOutput::builder().buckets(bucket()).build()),
            mock!(aws_sdk_s3::Client::get_bucket_lifecycle_configuration).then_output(move || {
                let rule = rule().build().unwrap();
                GetBucketLifecycleConfigurationOutput::builder().rules(rule).build()
            }),
        ];
        rules.extend(crate::testing::bucket_details());
        rules.extend(trail(|it| it));
        rules
    }

    #[tokio::test]
    async fn a_trails_bucket_keeps_its_files() {
        assert_eq!(only(&judged(&CONTROL, &log_bucket("", 365)).await).0, Status::Pass);
        assert_eq!(only(&judged(&CONTROL, &log_bucket("tmp/", 1)).await).0, Status::Pass);
        let found = judged(&CONTROL, &log_bucket("AWSLogs/", 30)).await;
        let message = "log files expire after 30 days, and 365 are wanted";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn a_day_on_which_all_files_go_is_as_far_away_as_the_floor() {
        let in_days = |days: i64| {
            let day = DateTime::from_secs(NOW.as_second() + days * 24 * 60 * 60);
            expiring("", LifecycleExpiration::builder().date(day).build())
        };
        let tomorrow = judged(&CONTROL, &in_days(1)).await;
        let message = "log files expire after 1 days, and 365 are wanted";
        assert_eq!(only(&tomorrow), (Status::Fail, message));
        assert_eq!(only(&judged(&CONTROL, &in_days(-1)).await).0, Status::Fail);
        assert_eq!(only(&judged(&CONTROL, &in_days(365)).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn groups_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_cloudwatchlogs, describe_log_groups, DescribeLogGroupsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
