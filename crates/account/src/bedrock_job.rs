//! `bedrock.job`: what Bedrock reads.

use std::collections::BTreeSet;

use aws_sdk_bedrock::operation::get_model_customization_job::GetModelCustomizationJobOutput;
use aws_sdk_bedrock::primitives::DateTime;
use aws_sdk_bedrock::types::{
    InvocationLogSource, ModelInvocationJobInputDataConfig, ModelInvocationJobSummary, VpcConfig,
};
use engine::{Allow, Aws, Collected, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far back jobs are looked at, in days. None runs for longer, and Bedrock keeps them for ever.
const DAYS: i64 = 90;

/// A job of Bedrock of the last 90 days that reads data: the customisation of a model, or a batch
/// inference. Its id is its ARN. Knowledge bases, and the data sets of evaluations, are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BedrockJob {
    /// What it is: `model customization job` or `batch inference job`.
    pub what: String,
    /// Its name.
    pub name: String,
    /// The ARN of the role that it runs as.
    pub role: Option<String>,
    /// What it reads: `s3://bucket/prefix`.
    pub inputs: BTreeSet<String>,
    /// The ids of its subnets.
    pub subnets: BTreeSet<String>,
    /// The ids of its security groups.
    pub security_groups: BTreeSet<String>,
}

impl Inspected for BedrockJob {
    const KIND: &'static str = "bedrock.job";
    const READ: &'static [Allow] = &[Allow::to(&[
        "bedrock:ListModelCustomizationJobs",
        "bedrock:GetModelCustomizationJob",
        "bedrock:ListModelInvocationJobs",
    ])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] =
        &[("subnets", "ec2.subnet"), ("security_groups", "ec2.security_group")];
    const COSTLY: bool = true;

    async fn inspect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        let mut found = Collected::default();
        // No stack makes any.
        if !matches!(scope, Scope::Account) {
            return found;
        }
        let since = DateTime::from_secs(Timestamp::now().as_second() - DAYS * 86_400);
        let (customizations, inferences) =
            futures::join!(customizations(aws, since), inferences(aws, since));
        for part in [customizations, inferences] {
            let part = Collected::from_result(part);
            found.live.extend(part.live);
            found.errors.extend(part.errors);
        }
        found
    }
}

async fn customizations(aws: &Aws, since: DateTime) -> Result<Vec<Live<BedrockJob>>> {
    let call = client!(aws, aws_sdk_bedrock).list_model_customization_jobs();
    let listed = call.creation_time_after(since).into_paginator().items().send().try_collect();
    let listed = aws.call("bedrock:ListModelCustomizationJobs", listed).await?;
    let reads = listed.into_iter().map(|job| async move {
        let mut live = named("model customization job", job.job_name, job.job_arn);
        let call = client!(aws, aws_sdk_bedrock).get_model_customization_job();
        let call = call.job_identifier(&live.id).send();
        match aws.find("bedrock:GetModelCustomizationJob", call).await {
            // It went between the listing and now.
            Ok(None) => return None,
            Ok(Some(found)) => live.spec.customization(found),
            Err(error) => {
                for field in ["role", "inputs", "subnets", "security_groups"] {
                    live.read(field, Err::<(), _>(error.clone()), |_, ()| {});
                }
            }
        }
        Some(live)
    });
    let found: Vec<_> = futures::stream::iter(reads).buffer_unordered(8).collect().await;
    Ok(found.into_iter().flatten().collect())
}

async fn inferences(aws: &Aws, since: DateTime) -> Result<Vec<Live<BedrockJob>>> {
    let call = client!(aws, aws_sdk_bedrock).list_model_invocation_jobs().submit_time_after(since);
    let listed = call.into_paginator().items().send().try_collect();
    let listed = aws.call("bedrock:ListModelInvocationJobs", listed).await?;
    let read = |job: ModelInvocationJobSummary| {
        let mut live = named("batch inference job", job.job_name, job.job_arn);
        live.spec.role = Some(job.role_arn);
        live.spec.vpc(job.vpc_config);
        if let Some(ModelInvocationJobInputDataConfig::S3InputDataConfig(s3)) =
            job.input_data_config
        {
            live.spec.inputs.insert(s3.s3_uri);
        }
        live
    };
    Ok(listed.into_iter().map(read).collect())
}

/// A job of which only the name is known.
fn named(what: &str, name: String, arn: String) -> Live<BedrockJob> {
    let spec = BedrockJob {
        what: what.into(),
        name,
        role: None,
        inputs: BTreeSet::new(),
        subnets: BTreeSet::new(),
        security_groups: BTreeSet::new(),
    };
    Live::new(&arn, spec).with_arn(&arn)
}

impl BedrockJob {
    fn customization(&mut self, job: GetModelCustomizationJobOutput) {
        self.role = Some(job.role_arn);
        self.vpc(job.vpc_config);
        let validators = job.validation_data_config.map(|data| data.validators);
        self.inputs.extend(validators.unwrap_or_default().into_iter().map(|data| data.s3_uri));
        let Some(training) = job.training_data_config else { return };
        self.inputs.extend(training.s3_uri);
        let logs = training.invocation_logs_config.and_then(|logs| logs.invocation_log_source);
        if let Some(InvocationLogSource::S3Uri(uri)) = logs {
            self.inputs.insert(uri);
        }
    }

    fn vpc(&mut self, vpc: Option<VpcConfig>) {
        let Some(vpc) = vpc else { return };
        self.subnets.extend(vpc.subnet_ids);
        self.security_groups.extend(vpc.security_group_ids);
    }
}
