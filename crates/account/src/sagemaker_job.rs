//! `sagemaker.job`: what SageMaker reads.

use std::collections::BTreeSet;

use aws_sdk_sagemaker::operation::describe_auto_ml_job_v2::DescribeAutoMlJobV2Output;
use aws_sdk_sagemaker::operation::describe_feature_group::DescribeFeatureGroupOutput;
use aws_sdk_sagemaker::operation::describe_model::DescribeModelOutput;
use aws_sdk_sagemaker::operation::describe_processing_job::DescribeProcessingJobOutput;
use aws_sdk_sagemaker::operation::describe_training_job::DescribeTrainingJobOutput;
use aws_sdk_sagemaker::operation::describe_transform_job::DescribeTransformJobOutput;
use aws_sdk_sagemaker::primitives::DateTime;
use aws_sdk_sagemaker::types::{
    AutoMls3DataType, Channel, ContainerDefinition, ProcessingInput, ProcessingS3DataType,
    S3DataType, VpcConfig,
};
use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far back finished jobs are looked at, in days. None runs for longer, and SageMaker keeps them for
/// ever.
const DAYS: i64 = 90;

/// Something of SageMaker that reads data: a training, processing, transform or AutoML job of the last 90
/// days, a model, or a feature group. Its id is its ARN. Notebooks are not among them: what those read is
/// known to their roles only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SageMakerJob {
    /// What it is: `training job`, `processing job`, `transform job`, `AutoML job`, `model` or
    /// `feature group`.
    pub what: String,
    /// Its name.
    pub name: String,
    /// The ARN of the role that it runs as, where it has one of its own.
    pub role: Option<String>,
    /// What it reads: `s3://bucket/prefix`, and the ids of file systems (`fs-…`).
    pub inputs: BTreeSet<String>,
    /// What it reads and the description does not say where that is: manifests that list objects of any
    /// bucket, queries, data sets of a hub.
    pub indirect: BTreeSet<String>,
    /// Whether its containers are cut off from every network; `None` where there is no such switch.
    pub network_isolation: Option<bool>,
    /// The ids of its subnets.
    pub subnets: BTreeSet<String>,
    /// The ids of its security groups.
    pub security_groups: BTreeSet<String>,
}

impl Inspected for SageMakerJob {
    const KIND: &'static str = "sagemaker.job";
    const READ: &'static [Allow] = &[Allow::to(&[
        "sagemaker:ListTrainingJobs",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:ListProcessingJobs",
        "sagemaker:DescribeProcessingJob",
        "sagemaker:ListTransformJobs",
        "sagemaker:DescribeTransformJob",
        "sagemaker:ListAutoMLJobs",
        "sagemaker:DescribeAutoMLJobV2",
        "sagemaker:ListModels",
        "sagemaker:DescribeModel",
        "sagemaker:ListFeatureGroups",
        "sagemaker:DescribeFeatureGroup",
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
        let (training, processing, transform, automl, models, features) = futures::join!(
            training_jobs(aws, since),
            processing_jobs(aws, since),
            transform_jobs(aws, since),
            automl_jobs(aws, since),
            models(aws, since),
            feature_groups(aws, since),
        );
        for part in [training, processing, transform, automl, models, features] {
            let part = Collected::from_result(part);
            found.live.extend(part.live);
            found.errors.extend(part.errors);
        }
        found
    }
}

/// A job of which only the name is known.
fn named(what: &str, name: Option<String>, arn: Option<String>) -> Result<Live<SageMakerJob>> {
    let missing = |part| Error::incomplete("sagemaker:List", part);
    let arn = arn.ok_or_else(|| missing("an ARN"))?;
    let spec = SageMakerJob {
        what: what.into(),
        name: name.ok_or_else(|| missing("a name"))?,
        role: None,
        inputs: BTreeSet::new(),
        indirect: BTreeSet::new(),
        network_isolation: None,
        subnets: BTreeSet::new(),
        security_groups: BTreeSet::new(),
    };
    Ok(Live::new(&arn, spec).with_arn(&arn))
}

/// Lists one sort of job, and describes each.
macro_rules! jobs {
    ($function:ident, $what:literal, $list:ident, $list_action:literal $(, $after:ident)?;
     $name:ident, $arn:ident; $describe:ident, $describe_action:literal, $read:ident) => {
        async fn $function(aws: &Aws, since: DateTime) -> Result<Vec<Live<SageMakerJob>>> {
            let _ = since;
            let call = client!(aws, aws_sdk_sagemaker).$list()$(.$after(since))?;
            let listed = call.into_paginator().items().send().try_collect();
            let listed = aws.call($list_action, listed).await?;
            let reads = listed.into_iter().map(|one| async move {
                let mut live = named($what, one.$name, one.$arn)?;
                let call = client!(aws, aws_sdk_sagemaker).$describe().$name(&live.spec.name);
                match aws.find($describe_action, call.send()).await {
                    // It went between the listing and now.
                    Ok(None) => return Ok(None),
                    Ok(Some(found)) => live.spec.$read(found),
                    Err(error) => {
                        for field in DESCRIBED {
                            live.read(field, Err::<(), _>(error.clone()), |_, ()| {});
                        }
                    }
                }
                Ok(Some(live))
            });
            let found: Vec<Result<_>> =
                futures::stream::iter(reads).buffer_unordered(8).collect().await;
            found.into_iter().filter_map(Result::transpose).collect()
        }
    };
}

/// What only describing a job tells.
const DESCRIBED: [&str; 6] =
    ["role", "inputs", "indirect", "network_isolation", "subnets", "security_groups"];

jobs!(training_jobs, "training job", list_training_jobs, "sagemaker:ListTrainingJobs", creation_time_after;
      training_job_name, training_job_arn;
      describe_training_job, "sagemaker:DescribeTrainingJob", training);
jobs!(processing_jobs, "processing job", list_processing_jobs, "sagemaker:ListProcessingJobs", creation_time_after;
      processing_job_name, processing_job_arn;
      describe_processing_job, "sagemaker:DescribeProcessingJob", processing);
jobs!(transform_jobs, "transform job", list_transform_jobs, "sagemaker:ListTransformJobs", creation_time_after;
      transform_job_name, transform_job_arn;
      describe_transform_job, "sagemaker:DescribeTransformJob", transform);
jobs!(automl_jobs, "AutoML job", list_auto_ml_jobs, "sagemaker:ListAutoMLJobs", creation_time_after;
      auto_ml_job_name, auto_ml_job_arn;
      describe_auto_ml_job_v2, "sagemaker:DescribeAutoMLJobV2", automl);
jobs!(models, "model", list_models, "sagemaker:ListModels";
      model_name, model_arn; describe_model, "sagemaker:DescribeModel", model);
jobs!(feature_groups, "feature group", list_feature_groups, "sagemaker:ListFeatureGroups";
      feature_group_name, feature_group_arn;
      describe_feature_group, "sagemaker:DescribeFeatureGroup", feature_group);

impl SageMakerJob {
    fn training(&mut self, job: DescribeTrainingJobOutput) {
        self.role = job.role_arn;
        self.network_isolation = job.enable_network_isolation;
        self.vpc(job.vpc_config);
        for channel in job.input_data_config.unwrap_or_default() {
            self.channel(channel);
        }
    }

    fn processing(&mut self, job: DescribeProcessingJobOutput) {
        self.role = job.role_arn;
        if let Some(network) = job.network_config {
            self.network_isolation = network.enable_network_isolation;
            self.vpc(network.vpc_config);
        }
        for input in job.processing_inputs.unwrap_or_default() {
            self.input(input);
        }
    }

    fn transform(&mut self, job: DescribeTransformJobOutput) {
        let source = job.transform_input.and_then(|input| input.data_source);
        if let Some(s3) = source.and_then(|source| source.s3_data_source) {
            self.s3(s3.s3_uri, s3.s3_data_type.as_ref().map(S3DataType::as_str));
        }
    }

    fn automl(&mut self, job: DescribeAutoMlJobV2Output) {
        self.role = job.role_arn;
        self.vpc(job.security_config.and_then(|security| security.vpc_config));
        let channels = job.auto_ml_job_input_data_config.unwrap_or_default();
        for source in channels.into_iter().filter_map(|channel| channel.data_source) {
            if let Some(s3) = source.s3_data_source {
                self.s3(s3.s3_uri, s3.s3_data_type.as_ref().map(AutoMls3DataType::as_str));
            }
        }
    }

    fn model(&mut self, model: DescribeModelOutput) {
        self.role = model.execution_role_arn;
        self.network_isolation = model.enable_network_isolation;
        self.vpc(model.vpc_config);
        let containers = model.containers.unwrap_or_default();
        for container in containers.into_iter().chain(model.primary_container) {
            self.container(container);
        }
    }

    fn feature_group(&mut self, group: DescribeFeatureGroupOutput) {
        self.role = group.role_arn;
        let offline = group.offline_store_config.and_then(|store| store.s3_storage_config);
        self.s3(offline.and_then(|s3| s3.s3_uri), None);
    }

    /// Something in S3. A manifest lists objects of any bucket.
    fn s3(&mut self, uri: Option<String>, kind: Option<&str>) {
        match kind {
            Some("ManifestFile" | "AugmentedManifestFile") => {
                self.indirect.extend(uri.map(|uri| format!("the manifest {uri}")));
            }
            _ => self.inputs.extend(uri),
        }
    }

    fn vpc(&mut self, vpc: Option<VpcConfig>) {
        let Some(vpc) = vpc else { return };
        self.subnets.extend(vpc.subnets.unwrap_or_default());
        self.security_groups.extend(vpc.security_group_ids.unwrap_or_default());
    }

    fn channel(&mut self, channel: Channel) {
        let Some(source) = channel.data_source else { return };
        if let Some(s3) = source.s3_data_source {
            self.s3(s3.s3_uri, s3.s3_data_type.as_ref().map(S3DataType::as_str));
        }
        self.inputs.extend(source.file_system_data_source.and_then(|files| files.file_system_id));
        self.indirect.extend(source.dataset_source.map(|_| "a data set of a hub".to_owned()));
    }

    fn input(&mut self, input: ProcessingInput) {
        if let Some(s3) = input.s3_input {
            self.s3(s3.s3_uri, s3.s3_data_type.as_ref().map(ProcessingS3DataType::as_str));
        }
        // Never the query itself: it may name a student.
        let Some(query) = input.dataset_definition else { return };
        self.indirect.extend(query.athena_dataset_definition.map(|athena| {
            format!("a query of Athena's database {}", athena.database.unwrap_or_default())
        }));
        self.indirect.extend(query.redshift_dataset_definition.map(|redshift| {
            format!("a query of the Redshift cluster {}", redshift.cluster_id.unwrap_or_default())
        }));
    }

    fn container(&mut self, container: ContainerDefinition) {
        self.s3(container.model_data_url, None);
        let more = container.additional_model_data_sources.unwrap_or_default();
        let more = more.into_iter().filter_map(|more| more.s3_data_source);
        let main = container.model_data_source.and_then(|source| source.s3_data_source);
        for source in main.into_iter().chain(more) {
            self.s3(source.s3_uri, None);
        }
    }
}
