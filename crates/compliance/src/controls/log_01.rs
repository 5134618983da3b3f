//! FERPA-LOG-01: a trail records every call, in all regions.

use engine::Inspected;
use security::Trail;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::trails::records_management;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-01",
    title: "A trail records every region",
    statement: "A CloudTrail trail of the account or its organisation records all management calls in all regions, those of services without a region included.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.1"],
    why: "Without a record of calls to AWS, nobody can say who opened a store of records, or where.",
    reads: &[&[
        "cloudtrail.trail.multi_region",
        "cloudtrail.trail.include_global_services",
        "cloudtrail.trail.event_selectors",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the stack has such a trail",
        api: "cloudtrail:CreateTrail with IsMultiRegionTrail and IncludeGlobalServiceEvents = true",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    vec![facts.whole(Trail::KIND, verdict(facts))]
}

fn verdict(facts: &Facts<'_>) -> Result<Verdict, Unread> {
    let call = "cloudtrail:DescribeTrails";
    let (trails, mut unread) = facts.listed::<Trail>();
    let mut lacks = Vec::new();
    for live in trails.iter() {
        match lack(&Seen::of(live)) {
            Ok(None) => {
                let good = format!("the trail {} records all calls in all regions", live.id);
                return Ok(Verdict::pass(good).with(call, "IsMultiRegionTrail", true));
            }
            Ok(Some(lack)) => lacks.push(format!("{} {lack}", live.id)),
            Err(why) => unread = Some(why),
        }
    }
    match unread {
        Some(why) => Err(why),
        None if lacks.is_empty() => Ok(Verdict::fail("there is no trail").with(call, "trailList", 0)),
        None => {
            let bad = format!("no trail records all calls in all regions: {}", lacks.join("; "));
            Ok(Verdict::fail(bad).with(call, "trailList", lacks.len()))
        }
    }
}

/// What a trail lacks.
fn lack(trail: &Seen<'_, Trail>) -> Result<Option<&'static str>, Unread> {
    let spec = trail.read(&["multi_region", "include_global_services"])?;
    if !spec.multi_region {
        return Ok(Some("records one region"));
    }
    if !spec.include_global_services {
        return Ok(Some("leaves out services without a region"));
    }
    let all = records_management(&trail.read(&["event_selectors"])?.event_selectors);
    Ok((!all).then_some("leaves out management calls"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
    use aws_sdk_cloudtrail::types::{EventSelector, ReadWriteType};
    use aws_smithy_mocks::mock;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only, trail};

    #[tokio::test]
    async fn one_trail_of_everything_is_enough() {
        let found = judged(&CONTROL, &trail(|it| it)).await;
        assert_eq!(only(&found), (Status::Pass, "the trail all records all calls in all regions"));
    }

    #[tokio::test]
    async fn a_trail_of_less_is_none() {
        assert_eq!(only(&judged(&CONTROL, &[]).await), (Status::Fail, "there is no trail"));
        let rules = trail(|it| it.is_multi_region_trail(false));
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found).0, Status::Fail);
        assert!(only(&found).1.ends_with("all records one region"), "{}", only(&found).1);
        let rules = trail(|it| it.include_global_service_events(false));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);

        let reads = mock!(aws_sdk_cloudtrail::Client::get_event_selectors).then_output(|| {
            let selector = EventSelector::builder()
                .read_write_type(ReadWriteType::ReadOnly)
                .include_management_events(true);
            GetEventSelectorsOutput::builder().event_selectors(selector.build()).build()
        });
        let but_kms = mock!(aws_sdk_cloudtrail::Client::get_event_selectors).then_output(|| {
            let selector = EventSelector::builder()
                .read_write_type(ReadWriteType::All)
                .include_management_events(true)
                .exclude_management_event_sources("kms.amazonaws.com");
            GetEventSelectorsOutput::builder().event_selectors(selector.build()).build()
        });
        for less in [reads, but_kms] {
            let mut rules = vec![less];
            rules.extend(trail(|it| it));
            let found = judged(&CONTROL, &rules).await;
            let (status, message) = only(&found);
            assert_eq!(status, Status::Fail);
            assert!(message.ends_with("leaves out management calls"), "{message}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let denied_list = denied!(aws_sdk_cloudtrail, describe_trails, DescribeTrailsError);
        assert_eq!(only(&judged(&CONTROL, &[denied_list]).await).0, Status::Unknown);
        let mut rules =
            vec![denied!(aws_sdk_cloudtrail, get_event_selectors, GetEventSelectorsError)];
        rules.extend(trail(|it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
