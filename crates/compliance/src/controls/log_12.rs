//! FERPA-LOG-12: alarms ring for what a breach begins with.

use std::collections::{BTreeSet, HashMap};

use compute::LogGroup;
use compute::log_group::MetricFilter;
use engine::{Inspected, Live};
use security::{Alarm, Topic, Trail};
use serde_json::{Value, json};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::filter_pattern::Pattern;
use crate::finding::{Judgement, Unread};
use crate::keys::account_of;
use crate::trails::records_management;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-12",
    title: "Alarms ring for what a breach begins with",
    statement: "Metric filters of the log group of a trail of all management calls count the use of the root user, disabled or deleted keys, stopped trails, changed security groups and denied calls, and an alarm that acts, on a topic that exists or by itself, listens to each. Who is subscribed to the topic is said and not judged.",
    severity: Severity::High,
    citations: &[
        "34 CFR 99.31(a)(1)(ii)",
        "NIST SP 800-171r2 3.3.5",
        "NIST SP 800-171r2 3.14.6",
    ],
    why: "A log that nobody is called to look at shows a breach only to those who already know of it.",
    reads: &[&[
        "cloudwatch.alarm.namespace",
        "cloudwatch.alarm.metric",
        "cloudwatch.alarm.dimensions",
        "cloudwatch.alarm.statistic",
        "cloudwatch.alarm.evaluation_periods",
        "cloudwatch.alarm.threshold",
        "cloudwatch.alarm.comparison",
        "cloudwatch.alarm.actions_enabled",
        "cloudwatch.alarm.alarm_actions",
        "cloudtrail.trail.log_group",
        "cloudtrail.trail.event_selectors",
        "logs.log_group.metric_filters",
        "sns.topic.subscriptions",
    ]],
    remedy: Remedy {
        stack: "`deploy` makes the filters and alarms; `security.alarm_emails` says who is told",
        api: "logs:PutMetricFilter on the trail's log group, cloudwatch:PutMetricAlarm with AlarmActions, sns:Subscribe",
    },
    reach: Reach::Stack,
    judge,
};

/// Something to be called for.
struct Watch {
    /// In words.
    what: &'static str,
    /// The service and names of the calls that each have to be noticed.
    calls: &'static [(&'static str, &'static str)],
    /// What such an event says beside that.
    says: fn() -> Value,
    /// How many of them may happen before the alarm rings.
    most: f64,
}

/// Filters that only look for single calls must name all of these.
const WATCHES: &[Watch] = &[
    Watch {
        what: "use of the root user",
        calls: &[("signin", "ConsoleLogin"), ("iam", "CreateAccessKey")],
        says: || json!({"userIdentity": {"type": "Root"}}),
        most: 1.0,
    },
    Watch {
        what: "disabled or deleted keys",
        calls: &[("kms", "DisableKey"), ("kms", "ScheduleKeyDeletion")],
        says: || json!({}),
        most: 1.0,
    },
    Watch {
        what: "stopped trails",
        calls: &[
            ("cloudtrail", "StopLogging"),
            ("cloudtrail", "DeleteTrail"),
            ("cloudtrail", "UpdateTrail"),
        ],
        says: || json!({}),
        most: 1.0,
    },
    Watch {
        what: "changed security groups",
        calls: &[
            ("ec2", "AuthorizeSecurityGroupIngress"),
            ("ec2", "AuthorizeSecurityGroupEgress"),
            ("ec2", "RevokeSecurityGroupIngress"),
            ("ec2", "RevokeSecurityGroupEgress"),
            ("ec2", "CreateSecurityGroup"),
            ("ec2", "DeleteSecurityGroup"),
        ],
        says: || json!({}),
        most: 1.0,
    },
    Watch {
        what: "denied calls",
        calls: &[("secretsmanager", "GetSecretValue"), ("kms", "Decrypt")],
        says: || json!({"errorCode": "AccessDenied", "errorMessage": "is not authorized"}),
        // A denial now and then is a mistake.
        most: 10.0,
    },
    Watch {
        what: "denied calls",
        calls: &[("ec2", "RunInstances")],
        says: || json!({"errorCode": "Client.UnauthorizedOperation"}),
        most: 10.0,
    },
];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    vec![facts.whole(Alarm::KIND, verdict(facts))]
}

fn verdict(facts: &Facts<'_>) -> Result<Verdict, Unread> {
    let Filters { filters, unread } = filters(facts)?;
    if filters.is_empty() {
        let bad = "no trail of all management calls delivers to a log group whose events are counted, so no alarm can ring";
        let verdict = Verdict::fail(bad).with("logs:DescribeMetricFilters", "metricFilters", 0);
        return unread.map_or(Ok(verdict), Err);
    }
    let all = facts.all::<Alarm>()?;
    let mut alarms = Listening::new();
    for alarm in all.iter() {
        let metric = (alarm.spec.namespace.as_str(), alarm.spec.metric.as_str());
        alarms.entry(metric).or_default().push(alarm);
    }
    let mut silent: Vec<String> = Vec::new();
    let mut ringing: BTreeSet<String> = BTreeSet::new();
    let mut topics: BTreeSet<String> = BTreeSet::new();
    for watch in WATCHES {
        for call in watch.calls {
            match heard(facts, watch, call, &filters, &alarms)? {
                Ok((alarm, topic)) => {
                    ringing.insert(alarm);
                    topics.insert(topic);
                }
                Err(why) => {
                    let silence = format!("{} ({}: {why})", watch.what, call.1);
                    // One example is enough for each.
                    if !silent.iter().any(|other| other.starts_with(watch.what)) {
                        silent.push(silence);
                    }
                }
            }
        }
    }
    // What could not be read may count what nothing else does.
    if let Some(unread) = unread.filter(|_| !silent.is_empty()) {
        return Err(unread);
    }
    let verdict = if silent.is_empty() {
        Verdict::pass(format!("alarms ring for all of it{}", deaf(facts, &topics)?))
    } else {
        Verdict::fail(format!("no alarm rings for {}", silent.join("; ")))
    };
    let ringing: Vec<String> = ringing.into_iter().collect();
    Ok(verdict.with("cloudwatch:DescribeAlarms", "AlarmName", ringing))
}

/// Alarms by the namespace and name of the metric that they listen to.
type Listening<'a> = HashMap<(&'a str, &'a str), Vec<&'a Live<Alarm>>>;

/// What is counted in the log groups that trails deliver to.
struct Filters {
    filters: Vec<(Pattern, MetricFilter)>,
    /// Why there may be others.
    unread: Option<Unread>,
}

fn filters(facts: &Facts<'_>) -> Result<Filters, Unread> {
    let (trails, mut unread) = facts.listed::<Trail>();
    let mut groups: BTreeSet<&str> = BTreeSet::new();
    for trail in trails.iter() {
        let Some(group) = &trail.spec.log_group else { continue };
        match Seen::of(trail).read(&["event_selectors"]) {
            // What a trail leaves out is counted nowhere.
            Ok(spec) if records_management(&spec.event_selectors) => {
                groups.insert(group.arn.as_str());
            }
            Ok(_) => {}
            Err(why) => unread = Some(why),
        }
    }
    let mut filters = Vec::new();
    for name in groups {
        let Some(group) = facts.find::<LogGroup>(name)? else { continue };
        let of_group = match Seen::of(&group).read(&["metric_filters"]) {
            Ok(spec) => &spec.metric_filters,
            Err(why) => {
                unread = Some(why);
                continue;
            }
        };
        let read = |filter: &MetricFilter| (Pattern::of(&filter.pattern), filter.clone());
        let ordinary = event(facts, ("ec2", "DescribeInstances"), json!({}));
        // An alarm that rings for everything tells nothing.
        let some = of_group.values().map(read).filter(|(pattern, _)| !pattern.matches(&ordinary));
        filters.extend(some);
    }
    Ok(Filters { filters, unread })
}

/// The alarm that rings for a call and who is told, or why none does.
fn heard(
    facts: &Facts<'_>,
    watch: &Watch,
    call: &(&str, &str),
    filters: &[(Pattern, MetricFilter)],
    alarms: &Listening<'_>,
) -> Result<Result<(String, String), String>, Unread> {
    let event = event(facts, *call, (watch.says)());
    let mut why = "no metric filter counts it".to_owned();
    for (_, filter) in filters.iter().filter(|(pattern, _)| pattern.matches(&event)) {
        let metric = (filter.namespace.as_str(), filter.metric.as_str());
        let Some(listening) = alarms.get(&metric) else {
            why = format!("no alarm listens to the metric {}", filter.metric);
            continue;
        };
        for alarm in listening {
            if !rings(&alarm.spec, filter, watch.most) {
                why = format!("the alarm {} waits for more", alarm.id);
                continue;
            }
            match told(facts, &alarm.spec)? {
                Some(who) => return Ok(Ok((alarm.id.clone(), who))),
                None => why = format!("the alarm {} tells nobody", alarm.id),
            }
        }
    }
    Ok(Err(why))
}

/// Whether so many events within a period make the alarm ring.
fn rings(alarm: &Alarm, filter: &MetricFilter, events: f64) -> bool {
    let Ok(value) = filter.value.parse::<f64>() else { return false };
    let statistic = match alarm.statistic.as_str() {
        "Sum" => value * events,
        "SampleCount" => events,
        _ => value,
    };
    let reached = match alarm.comparison.as_str() {
        "GreaterThanOrEqualToThreshold" => statistic >= alarm.threshold,
        "GreaterThanThreshold" => statistic > alarm.threshold,
        _ => false,
    };
    // A metric filter's metric has no dimensions, and what happens once is over after one period.
    reached && alarm.dimensions.is_empty() && alarm.evaluation_periods == 1
}

/// Who is told when the alarm rings: a topic that exists, or something that acts.
fn told(facts: &Facts<'_>, alarm: &Alarm) -> Result<Option<String>, Unread> {
    if !alarm.actions_enabled {
        return Ok(None);
    }
    for action in &alarm.alarm_actions {
        let action = action.as_str();
        let is_acting = [":lambda:", ":ssm:", ":ssm-incidents:"].iter().any(|s| action.contains(s));
        let is_elsewhere = account_of(action).is_some_and(|owner| owner != facts.account_id());
        if is_acting || is_elsewhere || facts.find::<Topic>(action)?.is_some() {
            return Ok(Some(action.to_owned()));
        }
    }
    Ok(None)
}

/// Says so where nobody is subscribed to the topics. That is no fault of the stack: only people can give
/// an address, and confirm it.
fn deaf(facts: &Facts<'_>, topics: &BTreeSet<String>) -> Result<&'static str, Unread> {
    for name in topics {
        let Some(topic) = facts.find::<Topic>(name)? else { return Ok("") };
        if !facts.is_subject(Topic::KIND, &topic.id)
            || !Seen::of(&topic).read(&["subscriptions"])?.subscriptions.is_empty()
        {
            return Ok("");
        }
    }
    Ok(", but nobody hears them: no topic that they notify has a subscription")
}

/// An event as CloudTrail writes it.
fn event(facts: &Facts<'_>, (service, name): (&str, &str), says: Value) -> Value {
    let account = facts.account_id();
    let mut event = json!({
        "eventVersion": "1.11",
        "eventTime": "2026-01-01T00:00:00Z",
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "eventType": if service == "signin" { "AwsConsoleSignIn" } else { "AwsApiCall" },
        "eventCategory": "Management",
        "managementEvent": true,
        "readOnly": name.starts_with("Describe") || name.starts_with("Get"),
        "awsRegion": facts.region(),
        "recipientAccountId": account,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli",
        "userIdentity": {"type": "AssumedRole", "accountId": account},
    });
    for (key, value) in says.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    event
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
    use aws_sdk_cloudtrail::types::{EventSelector, ReadWriteType};
    use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
    use aws_sdk_cloudwatch::operation::list_tags_for_resource::ListTagsForResourceOutput;
    use aws_sdk_cloudwatch::types::builders::MetricAlarmBuilder;
    use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricAlarm, Statistic};
    use aws_sdk_cloudwatchlogs::operation::describe_metric_filters::DescribeMetricFiltersOutput;
    use aws_sdk_cloudwatchlogs::types::{MetricFilter, MetricTransformation};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::{GROUP, TOPIC, denied, judged, log_group, only, topic, trail};

    /// The patterns of the CIS benchmark.
    const CIS: &[&str] = &[
        r#"{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }"#,
        "{($.eventSource = kms.amazonaws.com) && (($.eventName=DisableKey)||($.eventName=ScheduleKeyDeletion)) }",
        "{ ($.eventName = CreateTrail) || ($.eventName = UpdateTrail) || ($.eventName = DeleteTrail) || ($.eventName = StartLogging) || ($.eventName = StopLogging) }",
        "{ ($.eventName = AuthorizeSecurityGroupIngress) || ($.eventName = AuthorizeSecurityGroupEgress) || ($.eventName = RevokeSecurityGroupIngress) || ($.eventName = RevokeSecurityGroupEgress) || ($.eventName = CreateSecurityGroup) || ($.eventName = DeleteSecurityGroup) }",
        r#"{ ($.errorCode = "*UnauthorizedOperation") || ($.errorCode = "AccessDenied*") }"#,
    ];

    fn metric_filters(patterns: &'static [&'static str]) -> Rule {
        mock!(aws_sdk_cloudwatchlogs::Client::describe_metric_filters).then_output(move || {
            let filters = patterns.iter().enumerate().map(|(at, pattern)| {
                let metric = MetricTransformation::builder()
                    .metric_namespace("Trail")
                    .metric_name(format!("metric-{at}"))
                    .metric_value("1");
                MetricFilter::builder()
                    .log_group_name(GROUP)
                    .filter_name(format!("filter-{at}"))
                    .filter_pattern(*pattern)
                    .metric_transformations(metric.build().unwrap())
                    .build()
            });
            DescribeMetricFiltersOutput::builder()
                .set_metric_filters(Some(filters.collect()))
                .build()
        })
    }

    fn alarms(change: fn(MetricAlarmBuilder) -> MetricAlarmBuilder) -> Vec<Rule> {
        let listed = mock!(aws_sdk_cloudwatch::Client::describe_alarms).then_output(move || {
            let alarms = (0..5).map(|at| {
                let alarm = MetricAlarm::builder()
                    .alarm_name(format!("alarm-{at}"))
                    .alarm_arn(format!("arn:alarm-{at}"))
                    .namespace("Trail")
                    .metric_name(format!("metric-{at}"))
                    .statistic(Statistic::Sum)
                    .threshold(1.0)
                    .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
                    .period(300)
                    .evaluation_periods(1)
                    .actions_enabled(true)
                    .alarm_actions(TOPIC);
                change(alarm).build()
            });
            DescribeAlarmsOutput::builder().set_metric_alarms(Some(alarms.collect())).build()
        });
        let tags = mock!(aws_sdk_cloudwatch::Client::list_tags_for_resource)
            .then_output(|| ListTagsForResourceOutput::builder().build());
        vec![listed, tags]
    }

    async fn found(
        patterns: &'static [&'static str],
        change: fn(MetricAlarmBuilder) -> MetricAlarmBuilder,
        subscribed: bool,
    ) -> Vec<Judgement> {
        judged(&CONTROL, &account(patterns, change, subscribed)).await
    }

    /// A trail whose log group has these filters, each with an alarm on a topic.
    fn account(
        patterns: &'static [&'static str],
        change: fn(MetricAlarmBuilder) -> MetricAlarmBuilder,
        subscribed: bool,
    ) -> Vec<Rule> {
        let mut rules = vec![metric_filters(patterns)];
        rules.extend(log_group(|it| it));
        rules.extend(trail(|it| {
            let arn = "arn:aws:logs:us-east-1:123456789012:log-group:access:*";
            it.cloud_watch_logs_log_group_arn(arn).cloud_watch_logs_role_arn("arn:role")
        }));
        rules.extend(alarms(change));
        rules.extend(topic(subscribed));
        rules
    }

    #[tokio::test]
    async fn the_benchmarks_alarms_are_enough() {
        let found = found(CIS, |it| it, true).await;
        assert_eq!(only(&found), (Status::Pass, "alarms ring for all of it"));
    }

    #[tokio::test]
    async fn that_nobody_is_subscribed_is_said() {
        let found = found(CIS, |it| it, false).await;
        let message = "alarms ring for all of it, but nobody hears them: no topic that they notify has a subscription";
        assert_eq!(only(&found), (Status::Pass, message));
    }

    #[tokio::test]
    async fn an_alarm_that_does_not_ring_or_tell_is_none() {
        let silent: &[fn(MetricAlarmBuilder) -> MetricAlarmBuilder] = &[
            |it| it.threshold(100.0),
            |it| it.actions_enabled(false),
            |it| it.set_alarm_actions(None),
            |it| it.set_alarm_actions(None).alarm_actions(TOPIC.replace("alarms", "gone")),
            |it| it.namespace("Other"),
            |it| it.comparison_operator(ComparisonOperator::LessThanThreshold),
            |it| it.evaluation_periods(12),
            |it| it.set_statistic(Some(Statistic::Maximum)).threshold(2.0),
        ];
        for change in silent {
            let found = found(CIS, *change, true).await;
            let (status, message) = only(&found);
            assert_eq!(status, Status::Fail, "{message}");
            assert!(message.starts_with("no alarm rings for use of the root user"), "{message}");
        }
    }

    #[tokio::test]
    async fn patterns_that_leave_something_out_or_take_everything_fail() {
        const NO_UPDATE: &[&str] = &[
            CIS[0],
            CIS[1],
            "{ $.eventName = StopLogging || $.eventName = DeleteTrail }",
            CIS[3],
            CIS[4],
        ];
        let left_out = found(NO_UPDATE, |it| it, true).await;
        let message = "no alarm rings for stopped trails (UpdateTrail: no metric filter counts it)";
        assert_eq!(only(&left_out), (Status::Fail, message));

        let everything = found(&["", "", "", "", ""], |it| it, true).await;
        assert_eq!(only(&everything).0, Status::Fail);
    }

    #[tokio::test]
    async fn a_trail_that_leaves_out_keys_counts_for_nothing() {
        let but_kms = mock!(aws_sdk_cloudtrail::Client::get_event_selectors).then_output(|| {
            let selector = EventSelector::builder()
                .read_write_type(ReadWriteType::All)
                .include_management_events(true)
                .exclude_management_event_sources("kms.amazonaws.com");
            GetEventSelectorsOutput::builder().event_selectors(selector.build()).build()
        });
        let unread = denied!(aws_sdk_cloudtrail, get_event_selectors, GetEventSelectorsError);
        for (selectors, status) in [(but_kms, Status::Fail), (unread, Status::Unknown)] {
            let rules = [vec![selectors], account(CIS, |it| it, true)].concat();
            assert_eq!(only(&judged(&CONTROL, &rules).await).0, status);
        }
    }

    #[tokio::test]
    async fn without_a_trail_nothing_rings_and_what_cannot_be_read_is_unknown() {
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Fail);
        let denied = denied!(aws_sdk_cloudtrail, describe_trails, DescribeTrailsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
