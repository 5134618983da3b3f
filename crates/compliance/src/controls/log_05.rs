//! FERPA-LOG-05: who reads records is recorded.

use compute::Function;
use security::{Bucket, Trail};
use serde_json::json;

use crate::buckets;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::log_buckets::LogBuckets;
use crate::records::{Holding, holding};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-05",
    title: "Who reads records is recorded",
    statement: "A trail that is logging records every read and write of objects in buckets, and every call of functions, that may hold records.",
    severity: Severity::High,
    citations: &["34 CFR 99.32(a)(1)", "NIST SP 800-171r2 3.3.1"],
    why: "A trail records by itself who changes a bucket, and not who reads what is in it.",
    reads: &[&[
        "s3.bucket.tags",
        "s3.bucket.name",
        "s3.bucket.access_log",
        "lambda.function.tags",
        "cloudtrail.trail.event_selectors",
        "cloudtrail.trail.logging",
        "cloudtrail.trail.bucket",
        "elbv2.load_balancer.access_logs",
        "elbv2.load_balancer.load_balancer_type",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the trail records the data events of the stack's buckets and functions",
        api: "cloudtrail:PutEventSelectors with DataResources of AWS::S3::Object and AWS::Lambda::Function; tag what holds none with DataClassification",
    },
    reach: Reach::Account,
    judge,
};

/// What the trails that are logging record of data events.
struct Recorded {
    selected: Vec<Selected>,
    unread: Option<Unread>,
}

/// Some data events.
struct Selected {
    /// The type of resource.
    kind: String,
    /// An ARN, or its beginning.
    arn: String,
    reads: bool,
    writes: bool,
}

impl Recorded {
    fn of(facts: &Facts<'_>) -> Self {
        let mut found = Self { selected: Vec::new(), unread: None };
        let (trails, unread) = facts.listed::<Trail>();
        found.unread = unread;
        for live in trails.iter() {
            let spec = match Seen::of(live).read(&["event_selectors", "logging"]) {
                Ok(spec) => spec,
                Err(unread) => {
                    found.unread = Some(unread);
                    continue;
                }
            };
            for selector in spec.event_selectors.iter().filter(|_| spec.logging) {
                let reads = selector.read_write != "WriteOnly";
                let writes = selector.read_write != "ReadOnly";
                for (kind, arns) in &selector.data_resources {
                    let one = |arn: &String| {
                        let (kind, arn) = (kind.clone(), arn.clone());
                        Selected { kind, arn, reads, writes }
                    };
                    found.selected.extend(arns.iter().map(one));
                }
            }
        }
        found
    }

    fn verdict(&self, kind: &str, arn: &str) -> Result<Verdict, Unread> {
        let covers = |selected: &str| match kind {
            "AWS::S3::Object" => arn.starts_with(selected.trim_end_matches('*')),
            _ => {
                // All functions are `arn:aws:lambda`; one is its whole ARN.
                let all = selected.matches(':').count() < 3 && arn.starts_with(selected);
                let beginning = selected.strip_suffix('*');
                all || selected == arn || beginning.is_some_and(|start| arn.starts_with(start))
            }
        };
        let of_kind = self.selected.iter().filter(|one| one.kind == kind);
        let by: Vec<&Selected> = of_kind.filter(|one| covers(&one.arn)).collect();
        let (reads, writes) = (by.iter().any(|one| one.reads), by.iter().any(|one| one.writes));
        let verdict = match (reads, writes, &self.unread) {
            (true, true, _) => Verdict::pass("a trail records every read and write"),
            (_, _, Some(unread)) => return Err(unread.clone()),
            (true, false, _) => Verdict::fail("trails record reads, and no writes"),
            (false, true, _) => Verdict::fail("trails record writes, and no reads"),
            (false, false, _) => Verdict::fail("no trail that is logging records its data events"),
        };
        let arns: Vec<&str> = by.iter().map(|one| one.arn.as_str()).collect();
        Ok(verdict.with("cloudtrail:GetEventSelectors", "DataResources.Values", json!(arns)))
    }
}

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let recorded = facts.derived::<Recorded>(Recorded::of);
    let logs = facts.derived::<LogBuckets>(LogBuckets::of);
    let buckets = facts.each::<Bucket>(|bucket| {
        if !logs.may_hold_records(bucket)? {
            let why = "the bucket holds logs, or is classified as one without records";
            return Ok(Verdict::not_applicable(why));
        }
        let objects = format!("{}/", buckets::arn(facts, &bucket.live().spec));
        recorded.verdict("AWS::S3::Object", &objects)
    });
    let functions = facts.each::<Function>(|function| {
        function.read(&["tags"])?;
        let live = function.live();
        if holding(&live.tags) == Holding::Other {
            return Ok(Verdict::not_applicable("the function is classified as one without records"));
        }
        recorded.verdict("AWS::Lambda::Function", live.arn.as_deref().unwrap_or(&live.id))
    });
    [buckets, functions].concat()
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
    use aws_sdk_cloudtrail::types::{
        AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType,
    };
    use aws_smithy_mocks::Rule;

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::buckets::{bucket, classified};
    use crate::testing::logging::{balancer_that_logs, trail_that_selects};
    use crate::testing::{denied, judged, only};

    fn basic(how: ReadWriteType, arn: &'static str) -> GetEventSelectorsOutput {
        let data = DataResource::builder().r#type("AWS::S3::Object").values(arn).build();
        let selector = EventSelector::builder().read_write_type(how).data_resources(data);
        GetEventSelectorsOutput::builder().event_selectors(selector.build()).build()
    }

    fn advanced(starts_with: Option<&str>) -> GetEventSelectorsOutput {
        let field = |name: &str| AdvancedFieldSelector::builder().field(name);
        let mut selector = AdvancedEventSelector::builder()
            .field_selectors(field("eventCategory").equals("Data").build().unwrap())
            .field_selectors(field("resources.type").equals("AWS::S3::Object").build().unwrap());
        if let Some(start) = starts_with {
            let arn = field("resources.ARN").starts_with(start).build().unwrap();
            selector = selector.field_selectors(arn);
        }
        GetEventSelectorsOutput::builder()
            .advanced_event_selectors(selector.build().unwrap())
            .build()
    }

    async fn with(trail: Vec<Rule>) -> Vec<Judgement> {
        judged(&CONTROL, &[bucket(vec![]), trail].concat()).await
    }

    #[tokio::test]
    async fn a_trail_covers_the_bucket_by_name_or_with_all_others() {
        use ReadWriteType::{All, ReadOnly, WriteOnly};
        for (how, arn, status) in [
            (All, "arn:aws:s3:::records/", Status::Pass),
            (All, "arn:aws:s3", Status::Pass),
            (All, "arn:aws:s3:::another/", Status::Fail),
            (All, "arn:aws:s3:::records/some/", Status::Fail),
            (ReadOnly, "arn:aws:s3:::records/", Status::Fail),
            (WriteOnly, "arn:aws:s3:::records/", Status::Fail),
        ] {
            let found = with(trail_that_selects(true, move || basic(how.clone(), arn))).await;
            assert_eq!(only(&found).0, status, "{arn}: {found:#?}");
        }
        for (start, status) in [
            (None, Status::Pass),
            (Some("arn:aws:s3:::records/"), Status::Pass),
            (Some("arn:aws:s3:::another/"), Status::Fail),
        ] {
            let found = with(trail_that_selects(true, move || advanced(start))).await;
            assert_eq!(only(&found).0, status, "{start:?}");
        }
        let silent = trail_that_selects(false, || advanced(None));
        assert_eq!(only(&with(silent).await).0, Status::Fail, "it is not logging");
        assert_eq!(only(&with(vec![]).await).0, Status::Fail, "there is no trail");
    }

    #[tokio::test]
    async fn buckets_without_records_need_none_if_that_is_said_or_plain() {
        let logs = bucket(vec![classified(Some("access-log"))]);
        assert_eq!(only(&judged(&CONTROL, &logs).await).0, Status::NotApplicable);
        let unsaid = || bucket(vec![classified(None)]);
        assert_eq!(only(&judged(&CONTROL, &unsaid()).await).0, Status::Fail);
        let target = [unsaid(), balancer_that_logs(Some("records"))].concat();
        assert_eq!(only(&judged(&CONTROL, &target).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let denied = denied!(aws_sdk_cloudtrail, get_event_selectors, GetEventSelectorsError);
        let trail = trail_that_selects(true, || advanced(None));
        assert_eq!(only(&with([vec![denied], trail].concat()).await).0, Status::Unknown);
        let denied = denied!(aws_sdk_s3, get_bucket_tagging, GetBucketTaggingError);
        assert_eq!(only(&judged(&CONTROL, &bucket(vec![denied])).await).0, Status::Unknown);
    }
}
