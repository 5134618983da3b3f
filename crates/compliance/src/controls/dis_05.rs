//! FERPA-DIS-05: no SageMaker or Bedrock job reads record buckets undeclared.

use std::collections::BTreeSet;

use account::{BedrockJob, SageMakerJob};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::records::{Holding, at, store_of};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-DIS-05",
    title: "No SageMaker or Bedrock job reads records undeclared",
    statement: "Every SageMaker or Bedrock job that reads a store of records is declared, by its name, its ARN or its role.",
    severity: Severity::High,
    citations: &["34 CFR 99.33", "34 CFR 99.31(a)(1)(i)(B)", "NIST SP 800-171r2 3.1.3"],
    why: "A model keeps what it was trained on, and whoever may call it may be told; that use of records has to be one that the school has decided on.",
    reads: &[&[
        "sagemaker.job.what",
        "sagemaker.job.name",
        "sagemaker.job.role",
        "sagemaker.job.inputs",
        "sagemaker.job.indirect",
        "bedrock.job.what",
        "bedrock.job.name",
        "bedrock.job.role",
        "bedrock.job.inputs",
        "s3.bucket.tags",
        "s3.bucket_location",
        "efs.file_system.tags",
    ]],
    remedy: Remedy {
        stack: "`audit.declared_readers`, for a job or a role that may read records",
        api: "stop the job with sagemaker:StopTrainingJob or bedrock:StopModelCustomizationJob, delete the model, and take s3:GetObject from its role",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let sagemaker = facts.each::<SageMakerJob>(|job| {
        let (arn, name) = (&job.live().id, &job.read(&["name"])?.name);
        if let Some(declared) = declared(facts, [arn, name]) {
            return Ok(declared);
        }
        let spec = job.read(&["role", "inputs", "indirect"])?;
        verdict(facts, &spec.what, spec.role.as_ref(), &spec.inputs, &spec.indirect)
    });
    let bedrock = facts.each::<BedrockJob>(|job| {
        let (arn, name) = (&job.live().id, &job.read(&["name"])?.name);
        if let Some(declared) = declared(facts, [arn, name]) {
            return Ok(declared);
        }
        let spec = job.read(&["role", "inputs"])?;
        verdict(facts, &spec.what, spec.role.as_ref(), &spec.inputs, &BTreeSet::new())
    });
    sagemaker.into_iter().chain(bedrock).collect()
}

/// A pass, where one of the names is declared.
fn declared<'a>(
    facts: &Facts<'_>,
    names: impl IntoIterator<Item = &'a String>,
) -> Option<Verdict> {
    let readers = &facts.settings().declared_readers;
    let name = names.into_iter().find(|name| readers.contains(*name))?;
    Some(Verdict::pass(format!("it may read records: {name} is declared")))
}

fn verdict(
    facts: &Facts<'_>,
    what: &str,
    role: Option<&String>,
    inputs: &BTreeSet<String>,
    indirect: &BTreeSet<String>,
) -> Result<Verdict, Unread> {
    if let Some(declared) = declared(facts, role) {
        return Ok(declared);
    }
    let stores: BTreeSet<&str> = inputs.iter().map(|place| store_of(place)).collect();
    let stores: Vec<&str> = stores.into_iter().collect();
    let mut unknown = None;
    for place in inputs {
        let store = store_of(place);
        match at(facts, place) {
            Ok(Holding::Records) => {
                let bad = format!("the {what} reads {store}, which holds records, and is not declared");
                return Ok(Verdict::fail(bad).with(described(what), "S3Uri", stores));
            }
            Ok(Holding::Other) => {}
            Ok(Holding::Unsaid) => {
                let what = format!("what {store}, which has no tag DataClassification, holds");
                unknown = Some(Unread { what, error: None });
            }
            Err(unread) => unknown = Some(unread),
        }
    }
    if let Some(unread) = unknown {
        return Err(unread);
    }
    if let Some(source) = indirect.first() {
        return Err(Unread { what: format!("where {source} leads"), error: None });
    }
    Ok(Verdict::pass(format!("the {what} reads no store of records"))
        .with(described(what), "S3Uri", stores))
}

/// The call that says what a job reads.
fn described(what: &str) -> &'static str {
    match what {
        "training job" => "sagemaker:DescribeTrainingJob",
        "processing job" => "sagemaker:DescribeProcessingJob",
        "transform job" => "sagemaker:DescribeTransformJob",
        "AutoML job" => "sagemaker:DescribeAutoMLJobV2",
        "model" => "sagemaker:DescribeModel",
        "feature group" => "sagemaker:DescribeFeatureGroup",
        "model customization job" => "bedrock:GetModelCustomizationJob",
        _ => "bedrock:ListModelInvocationJobs",
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_bedrock::operation::list_model_invocation_jobs::ListModelInvocationJobsOutput;
    use aws_sdk_bedrock::primitives::DateTime;
    use aws_sdk_bedrock::types::{
        ModelInvocationJobInputDataConfig, ModelInvocationJobOutputDataConfig,
        ModelInvocationJobS3InputDataConfig, ModelInvocationJobS3OutputDataConfig,
        ModelInvocationJobSummary,
    };
    use aws_sdk_sagemaker::operation::describe_training_job::DescribeTrainingJobOutput;
    use aws_sdk_sagemaker::operation::list_training_jobs::ListTrainingJobsOutput;
    use aws_sdk_sagemaker::types::{
        Channel, DataSource, S3DataSource, S3DataType, TrainingJobSummary,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::{classified_bucket, denied, judged, judged_with, only};

    const ROLE: &str = "arn:aws:iam::123456789012:role/research";

    fn training(uri: &'static str, kind: S3DataType) -> [Rule; 2] {
        let listed = mock!(aws_sdk_sagemaker::Client::list_training_jobs).then_output(|| {
            let job = TrainingJobSummary::builder()
                .training_job_name("dropouts")
                .training_job_arn("arn:aws:sagemaker:us-east-1:123456789012:training-job/dropouts");
            ListTrainingJobsOutput::builder().training_job_summaries(job.build()).build()
        });
        let described =
            mock!(aws_sdk_sagemaker::Client::describe_training_job).then_output(move || {
                let s3 = S3DataSource::builder().s3_uri(uri).s3_data_type(kind.clone()).build();
                let source = DataSource::builder().s3_data_source(s3).build();
                DescribeTrainingJobOutput::builder()
                    .role_arn(ROLE)
                    .input_data_config(Channel::builder().data_source(source).build())
                    .build()
            });
        [listed, described]
    }

    async fn found(classification: &'static str, jobs: [Rule; 2], readers: &[&str]) -> Status {
        let mut rules = classified_bucket(classification);
        rules.extend(jobs);
        let declared_readers = readers.iter().map(|&reader| reader.to_owned()).collect();
        let settings = Settings { declared_readers, ..Settings::default() };
        only(&judged_with(&CONTROL, &rules, &settings).await).0
    }

    #[tokio::test]
    async fn whoever_reads_records_is_declared_by_name_or_role() {
        let job = || training("s3://records/2026/", S3DataType::S3Prefix);
        assert_eq!(found("education-records", job(), &[]).await, Status::Fail);
        assert_eq!(found("education-records", job(), &["dropouts"]).await, Status::Pass);
        assert_eq!(found("education-records", job(), &[ROLE]).await, Status::Pass);
        assert_eq!(found("public", job(), &[]).await, Status::Pass);
        // An account's own records are not in a bucket of somebody else.
        let sample = training("s3://sagemaker-sample-files/a", S3DataType::S3Prefix);
        assert_eq!(found("education-records", sample, &[]).await, Status::Pass);
    }

    #[tokio::test]
    async fn what_is_behind_a_name_that_does_not_say_is_unknown() {
        let job = || training("s3://records/2026/", S3DataType::S3Prefix);
        assert_eq!(found("", job(), &[]).await, Status::Unknown);
        let manifest = || training("s3://other/list", S3DataType::ManifestFile);
        assert_eq!(found("public", manifest(), &[]).await, Status::Unknown);
        assert_eq!(found("public", manifest(), &[ROLE]).await, Status::Pass);
        let point = training("s3://grades-abc-s3alias/", S3DataType::S3Prefix);
        assert_eq!(found("public", point, &[]).await, Status::Unknown);

        let mut rules = classified_bucket("education-records");
        rules.extend(job().into_iter().take(1));
        rules.push(denied!(aws_sdk_sagemaker, describe_training_job, DescribeTrainingJobError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }

    #[tokio::test]
    async fn bedrock_is_held_to_the_same() {
        let batch = mock!(aws_sdk_bedrock::Client::list_model_invocation_jobs).then_output(|| {
            let input = ModelInvocationJobS3InputDataConfig::builder().s3_uri("s3://records/a");
            let output = ModelInvocationJobS3OutputDataConfig::builder().s3_uri("s3://out/a");
            let job = ModelInvocationJobSummary::builder()
                .job_arn("arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/a")
                .job_name("letters")
                .model_id("m")
                .role_arn(ROLE)
                .submit_time(DateTime::from_secs(0))
                .input_data_config(ModelInvocationJobInputDataConfig::S3InputDataConfig(
                    input.build().unwrap(),
                ))
                .output_data_config(ModelInvocationJobOutputDataConfig::S3OutputDataConfig(
                    output.build().unwrap(),
                ))
                .build();
            ListModelInvocationJobsOutput::builder().invocation_job_summaries(job.unwrap()).build()
        });
        let mut rules = classified_bucket("education-records");
        rules.push(batch);
        let found = judged(&CONTROL, &rules).await;
        let bad = "the batch inference job reads records, which holds records, and is not declared";
        assert_eq!(only(&found), (Status::Fail, bad));
    }
}
