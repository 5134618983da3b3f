//! `accessanalyzer.analyzer`: IAM Access Analyzer, which finds what outsiders can reach.

use std::collections::HashMap;

use aws_sdk_accessanalyzer::types::{AnalyzerStatus, AnalyzerSummary, Criterion, Type};
use engine::vocabulary::{Arn, Name};
use engine::{
    Aws, Changes, Collected, Deletion, Error, Live, New, Resource, Result, Scope, Status, Tags,
    Traits, client,
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
    /// How many findings are open. What AWS reports; never wanted.
    pub active_findings: usize,
}

impl Resource for Analyzer {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name", "zone"],
        write_only: &["active_findings"],
        optional: true,
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
        if scope.wants(&live.tags) {
            let count = active_findings(aws, live.require_arn(action)?).await;
            live.read("active_findings", count, |spec, count| spec.active_findings = count);
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
        active_findings: 0,
    };
    let status = match found.status {
        AnalyzerStatus::Creating => Status::Pending("CREATING".into()),
        AnalyzerStatus::Failed => Status::Failed("FAILED".into()),
        _ => Status::Ready,
    };
    let tags = found.tags.unwrap_or_default().into_iter().collect();
    Live::new(found.name, spec).with_arn(found.arn).with_tags(tags).with_status(status)
}

async fn active_findings(aws: &Aws, analyzer: &str) -> Result<usize> {
    let active = Criterion::builder().eq("ACTIVE").build();
    let call = client!(aws, aws_sdk_accessanalyzer)
        .list_findings_v2()
        .analyzer_arn(analyzer)
        .set_filter(Some(HashMap::from([("status".to_owned(), active)])))
        .into_paginator()
        .items();
    let findings = aws.call("access-analyzer:ListFindings", call.send().try_collect()).await?;
    Ok(findings.len())
}
