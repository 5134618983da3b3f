//! `accessanalyzer.analyzer`: IAM Access Analyzer, which finds what outsiders can reach.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_accessanalyzer::types::{
    AnalyzerStatus, AnalyzerSummary, Criterion, FindingSummary, Type,
};
use engine::vocabulary::{Arn, Name};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Resource, Result,
    Scope, Status, Tags, Traits, When, client,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

/// An analyzer. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analyzer {
    /// The name, unique in account and region.
    pub name: String,
    /// What it looks at: `ACCOUNT` or `ORGANIZATION` (and their kinds for unused access).
    pub zone: String,
    /// What it has found outsiders to reach, and nobody has archived. Only ever read.
    #[serde(default)]
    pub external_findings: BTreeSet<ExternalFinding>,
}

/// Something that outsiders can reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExternalFinding {
    /// What they can reach: an ARN.
    pub resource: String,
    /// Whether anybody can.
    pub is_public: bool,
    /// Who can, in Access Analyzer's words: an account's twelve digits, an ARN, `*`.
    pub principals: BTreeSet<String>,
}

impl Analyzer {
    /// Whether it looks for what outsiders can reach. Others look for access that nobody uses, or at
    /// access from within.
    pub fn is_external(&self) -> bool {
        matches!(self.zone.as_str(), "ACCOUNT" | "ORGANIZATION")
    }
}

impl Resource for Analyzer {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "zone"],
        write_only: &["external_findings"],
        optional: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["access-analyzer:ListAnalyzers"]),
                Allow::to(&["access-analyzer:ListFindings"])
                    .on(&["access-analyzer:{here}:analyzer/{perhaps}"]),
            ],
            make: &[
                Allow::to(&[
                    "access-analyzer:CreateAnalyzer",
                    "access-analyzer:TagResource",
                    "access-analyzer:UntagResource",
                ])
                .on(&["access-analyzer:{here}:analyzer/{name}"]),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals(
                        "iam:AWSServiceName",
                        &["access-analyzer.amazonaws.com"],
                    )]),
            ],
            remove: &[Allow::to(&["access-analyzer:DeleteAnalyzer"])
                .on(&["access-analyzer:{here}:analyzer/{name}"])
                .of_stack()],
        },
        ..Traits::of("accessanalyzer.analyzer")
    };
    type Id = Name;
    type Arn = Arn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws, scope).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "access-analyzer:CreateAnalyzer";
        let call = client!(aws, aws_sdk_accessanalyzer)
            .create_analyzer()
            .analyzer_name(&self.name)
            .r#type(Type::from(self.zone.as_str()))
            .client_token(&new.token)
            .set_tags(Some(new.tags.clone().into_iter().collect()));
        let made = aws.call(action, call.send()).await?;
        let arn = made.arn.ok_or_else(|| Error::incomplete(action, "the analyzer's ARN"))?;
        Ok(Live::new(&self.name, self.clone()).with_arn(arn).with_tags(new.tags.clone()))
    }

    async fn update(&self, _: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        // Nothing of it can change in place.
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let analyzer = client!(aws, aws_sdk_accessanalyzer);
        let arn = live.require_arn("access-analyzer:ListAnalyzers")?;
        if !put.is_empty() {
            let tags = put.clone().into_iter().collect();
            let call = analyzer.tag_resource().resource_arn(arn).set_tags(Some(tags));
            aws.call("access-analyzer:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call =
                analyzer.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("access-analyzer:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_accessanalyzer).delete_analyzer().analyzer_name(&live.id);
        aws.call("access-analyzer:DeleteAnalyzer", call.send()).await?;
        Ok(())
    }
}

async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Analyzer>>> {
    let action = "access-analyzer:ListAnalyzers";
    let call = client!(aws, aws_sdk_accessanalyzer).list_analyzers().into_paginator().items();
    let analyzers: Vec<_> = aws.call(action, call.send().try_collect()).await?;
    let reads = analyzers.into_iter().map(|analyzer| async move {
        let mut live = live(analyzer);
        if live.spec.is_external() && scope.wants(&live.tags) {
            let found = external_findings(aws, live.require_arn(action)?).await;
            live.read("external_findings", found, |spec, found| spec.external_findings = found);
        }
        Ok(live)
    });
    let found: Vec<Result<_>> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    found.into_iter().collect()
}

fn live(found: AnalyzerSummary) -> Live<Analyzer> {
    let spec = Analyzer {
        name: found.name.clone(),
        zone: found.r#type.as_str().to_owned(),
        external_findings: BTreeSet::new(),
    };
    let status = match found.status {
        AnalyzerStatus::Creating => Status::Pending("CREATING".into()),
        AnalyzerStatus::Failed => Status::Failed("FAILED".into()),
        AnalyzerStatus::Disabled => Status::Failed("DISABLED".into()),
        _ => Status::Ready,
    };
    let tags = found.tags.unwrap_or_default().into_iter().collect();
    Live::new(found.name, spec).with_arn(found.arn).with_tags(tags).with_status(status)
}

async fn external_findings(aws: &Aws, analyzer: &str) -> Result<BTreeSet<ExternalFinding>> {
    let active = Criterion::builder().eq("ACTIVE").build();
    let call = client!(aws, aws_sdk_accessanalyzer)
        .list_findings()
        .analyzer_arn(analyzer)
        .set_filter(Some(HashMap::from([("status".to_owned(), active)])))
        .into_paginator()
        .items();
    let found: Vec<_> = aws.call("access-analyzer:ListFindings", call.send().try_collect()).await?;
    Ok(found.into_iter().map(external_finding).collect())
}

fn external_finding(found: FindingSummary) -> ExternalFinding {
    ExternalFinding {
        resource: found.resource.unwrap_or_else(|| found.resource_type.as_str().to_owned()),
        is_public: found.is_public.unwrap_or(false),
        principals: found.principal.unwrap_or_default().into_values().collect(),
    }
}
