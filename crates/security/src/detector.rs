//! `guardduty.detector`: GuardDuty in this account and region. There is at most one.

use aws_sdk_guardduty::types::{DetectorStatus, FindingPublishingFrequency};
use engine::vocabulary::{Arn, Id};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Resource, Result,
    Scope, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// A detector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detector {
    /// Whether it looks.
    pub enabled: bool,
    /// How often it repeats a finding that goes on: `FIFTEEN_MINUTES`, `ONE_HOUR` or `SIX_HOURS`.
    pub publishing_frequency: String,
}

impl Resource for Detector {
    const TRAITS: Traits = Traits {
        optional: true,
        single: true,
        permissions: Permissions {
            read: &[Allow::to(&["guardduty:ListDetectors", "guardduty:GetDetector"])],
            make: &[
                Allow::to(&["guardduty:CreateDetector"]).for_stack(),
                Allow::to(&["guardduty:TagResource"])
                    .on(&["guardduty:{here}:detector/*"])
                    .for_stack(),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals("iam:AWSServiceName", &["guardduty.amazonaws.com"])]),
                Allow::to(&[
                    "guardduty:UpdateDetector",
                    "guardduty:TagResource",
                    "guardduty:UntagResource",
                ])
                .on(&["guardduty:{here}:detector/*"])
                .of_stack(),
            ],
            remove: &[Allow::to(&["guardduty:DeleteDetector"])
                .on(&["guardduty:{here}:detector/*"])
                .of_stack()],
        },
        ..Traits::of("guardduty.detector")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "guardduty:CreateDetector";
        let call = client!(aws, aws_sdk_guardduty)
            .create_detector()
            .enable(self.enabled)
            .finding_publishing_frequency(self.frequency())
            .client_token(&new.token)
            .set_tags(Some(new.tags.clone().into_iter().collect()));
        let made = aws.call(action, call.send()).await?;
        let id = made.detector_id.ok_or_else(|| Error::incomplete(action, "the detector's id"))?;
        Ok(live(aws, id, self.clone()).with_tags(new.tags.clone()))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, _: &Changes) -> Result<()> {
        let call = client!(aws, aws_sdk_guardduty)
            .update_detector()
            .detector_id(&live.id)
            .enable(self.enabled)
            .finding_publishing_frequency(self.frequency());
        aws.call("guardduty:UpdateDetector", call.send()).await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let guardduty = client!(aws, aws_sdk_guardduty);
        let arn = live.require_arn("guardduty:GetDetector")?;
        if !put.is_empty() {
            let tags = put.clone().into_iter().collect();
            let call = guardduty.tag_resource().resource_arn(arn).set_tags(Some(tags));
            aws.call("guardduty:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call =
                guardduty.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("guardduty:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_guardduty).delete_detector().detector_id(&live.id);
        aws.call("guardduty:DeleteDetector", call.send()).await?;
        Ok(())
    }
}

impl Detector {
    fn frequency(&self) -> FindingPublishingFrequency {
        FindingPublishingFrequency::from(self.publishing_frequency.as_str())
    }
}

fn live(aws: &Aws, id: String, spec: Detector) -> Live<Detector> {
    let arn = aws.arn("guardduty", &format!("detector/{id}"));
    Live::new(id, spec).with_arn(arn)
}

/// Every detector with all its attributes: there is one at most.
async fn list(aws: &Aws) -> Result<Vec<Live<Detector>>> {
    let call = client!(aws, aws_sdk_guardduty).list_detectors().into_paginator().items();
    let ids = aws.call("guardduty:ListDetectors", call.send().try_collect()).await?;
    let reads = ids.into_iter().map(|id| async move {
        let call = client!(aws, aws_sdk_guardduty).get_detector().detector_id(&id);
        // `None`: it went between the listing and now.
        let Some(found) = aws.find("guardduty:GetDetector", call.send()).await? else {
            return Ok(None);
        };
        let spec = Detector {
            enabled: found.status == Some(DetectorStatus::Enabled),
            publishing_frequency: found
                .finding_publishing_frequency
                .map_or_else(|| "SIX_HOURS".into(), |often| often.as_str().into()),
        };
        let tags = found.tags.unwrap_or_default().into_iter().collect();
        Ok(Some(live(aws, id, spec).with_tags(tags)))
    });
    let found: Vec<Result<_>> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}
