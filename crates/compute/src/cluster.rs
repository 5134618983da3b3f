//! `ecs.cluster`: where services run, what it measures of them, and how people may enter a task.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{
    ClusterConfiguration, ClusterField, ClusterSetting, ClusterSettingName,
    ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, ExecuteCommandLogging, Tag,
};
use engine::vocabulary::{EcsClusterArn, EcsClusterName, ForLogs, KeyArn, LogGroupName};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll, Readiness, Ref,
    Resource, Result, Scope, Status, Tags, Traits, When, client,
};
use serde::{Deserialize, Serialize};

/// An ECS cluster. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The name: up to 255 letters, digits, hyphens and underscores.
    pub name: String,
    /// What Container Insights measures.
    pub container_insights: ContainerInsights,
    /// How `ecs execute-command` sessions are encrypted and logged. Whether there can be any is for
    /// each service to say; `None` leaves AWS's default, which neither encrypts with a customer key
    /// nor names a log group.
    pub execute_command: Option<ExecuteCommand>,
    /// `FARGATE`, `FARGATE_SPOT` or providers of one's own. None are needed for the launch type
    /// `FARGATE`.
    pub capacity_providers: BTreeSet<String>,
}

/// What Container Insights measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerInsights {
    /// Services and tasks.
    Enabled,
    /// Services, tasks and containers.
    #[default]
    Enhanced,
    /// Nothing.
    Disabled,
}

impl ContainerInsights {
    fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Enhanced => "enhanced",
            Self::Disabled => "disabled",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "enabled" => Self::Enabled,
            "enhanced" => Self::Enhanced,
            _ => Self::Disabled,
        }
    }
}

/// How `ecs execute-command` sessions are encrypted and logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecuteCommand {
    /// `NONE`, `DEFAULT` (the log driver of the task) or `OVERRIDE` (the log group below).
    pub logging: String,
    /// The key that encrypts the session between the client and the container.
    pub kms_key: Option<Ref<KeyArn<ForLogs>>>,
    /// Where sessions are logged, with `OVERRIDE`.
    pub log_group: Option<Ref<LogGroupName>>,
    /// Whether that log group has to be encrypted with a key for a session to start.
    pub log_encrypted: bool,
    /// The bucket that sessions are logged to, with `OVERRIDE`, beside the log group or instead of it. Only ever read.
    #[serde(default)]
    pub bucket: Option<String>,
}

impl ExecuteCommand {
    /// Sessions encrypted with a key and logged to a group that is encrypted too.
    pub fn logged(key: Ref<KeyArn<ForLogs>>, group: Ref<LogGroupName>) -> Self {
        Self {
            logging: "OVERRIDE".into(),
            kms_key: Some(key),
            log_group: Some(group),
            log_encrypted: true,
            bucket: None,
        }
    }
}

impl Resource for Cluster {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        gone: Poll::within(10, 2, 10),
        not_yet: &[
            // The first use of ECS in an account makes its service-linked role.
            ("InvalidParameterException", "service linked role"),
            ("ClusterContainsServicesException", ""),
            ("ClusterContainsTasksException", ""),
            ("UpdateInProgressException", ""),
        ],
        permissions: Permissions {
            read: &[Allow::to(&["ecs:ListClusters", "ecs:DescribeClusters"])],
            make: &[
                Allow::to(&["ecs:CreateCluster"]).on(&["ecs:{here}:cluster/{name}"]).for_stack(),
                Allow::to(&["ecs:PutClusterCapacityProviders", "ecs:TagResource"])
                    .on(&["ecs:{here}:cluster/{name}"]),
                Allow::to(&["ecs:UpdateCluster", "ecs:UntagResource"])
                    .on(&["ecs:{here}:cluster/{name}"])
                    .of_stack(),
                Allow::to(&["iam:CreateServiceLinkedRole"])
                    .on(&["iam::{account}:role/aws-service-role/*"])
                    .under(&[When::equals("iam:AWSServiceName", &["ecs.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["ecs:DeleteCluster"])
                .on(&["ecs:{here}:cluster/{name}"])
                .of_stack()],
        },
        ..Traits::of("ecs.cluster")
    };
    type Id = EcsClusterName;
    type Arn = EcsClusterArn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "ecs:CreateCluster";
        let configuration = self.execute_command.as_ref().map(configuration);
        let call = client!(aws, aws_sdk_ecs)
            .create_cluster()
            .cluster_name(&self.name)
            .settings(insights(self.container_insights))
            .set_configuration(configuration)
            .set_capacity_providers(Some(self.capacity_providers.iter().cloned().collect()))
            .set_tags(Some(to_ecs(&new.tags)));
        let made = aws.call(action, call.send()).await?;
        let cluster = made.cluster.ok_or_else(|| Error::incomplete(action, "the cluster"))?;
        Ok(read(action, cluster)?.with_tags(new.tags.clone()))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let word = find(aws, &live.id).await?.and_then(|cluster| cluster.status);
        let word = word.unwrap_or_else(|| "PROVISIONING".into());
        Ok(Readiness::by_status(&word, &["ACTIVE"], &["FAILED"]))
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let ecs = client!(aws, aws_sdk_ecs);
        if changes.any(&["container_insights", "execute_command"]) {
            let mut call = ecs.update_cluster().cluster(&live.id);
            if changes.has("container_insights") {
                call = call.settings(insights(self.container_insights));
            }
            if changes.has("execute_command") {
                // A configuration cannot be taken away, only be set to what AWS does without one.
                let default = ExecuteCommand {
                    logging: "DEFAULT".into(),
                    kms_key: None,
                    log_group: None,
                    log_encrypted: false,
                    bucket: None,
                };
                call = call.configuration(configuration(
                    self.execute_command.as_ref().unwrap_or(&default),
                ));
            }
            aws.call("ecs:UpdateCluster", call.send()).await?;
        }
        if changes.has("capacity_providers") {
            let call = ecs
                .put_cluster_capacity_providers()
                .cluster(&live.id)
                .set_capacity_providers(Some(self.capacity_providers.iter().cloned().collect()))
                .set_default_capacity_provider_strategy(Some(Vec::new()));
            aws.call("ecs:PutClusterCapacityProviders", call.send()).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        retag(aws, live.require_arn("ecs:DescribeClusters")?, put, remove).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_ecs).delete_cluster().cluster(&live.id);
        aws.call("ecs:DeleteCluster", call.send()).await?;
        Ok(())
    }

    async fn gone(aws: &Aws, live: &Live<Self>) -> Result<bool> {
        let found = find(aws, &live.id).await?;
        Ok(found.is_none_or(|cluster| cluster.status.as_deref() == Some("INACTIVE")))
    }
}

/// The ARNs of every cluster, those of deleted ones among them for a while.
pub(crate) async fn arns(aws: &Aws) -> Result<Vec<String>> {
    let call = client!(aws, aws_sdk_ecs).list_clusters().into_paginator().items();
    aws.once("ecs:ListClusters", aws.call("ecs:ListClusters", call.send().try_collect())).await
}

async fn list(aws: &Aws) -> Result<Vec<Live<Cluster>>> {
    let action = "ecs:DescribeClusters";
    let mut found = Vec::new();
    for batch in arns(aws).await?.chunks(100) {
        let call = client!(aws, aws_sdk_ecs)
            .describe_clusters()
            .set_clusters(Some(batch.to_vec()))
            .include(ClusterField::Tags)
            .include(ClusterField::Settings)
            .include(ClusterField::Configurations);
        let answer = aws.call(action, call.send()).await?;
        for cluster in answer.clusters.unwrap_or_default() {
            // What is deleted is shown for a while.
            if cluster.status() != Some("INACTIVE") {
                found.push(read(action, cluster)?);
            }
        }
    }
    Ok(found)
}

async fn find(aws: &Aws, name: &str) -> Result<Option<aws_sdk_ecs::types::Cluster>> {
    let call = client!(aws, aws_sdk_ecs).describe_clusters().clusters(name);
    let answer = aws.call("ecs:DescribeClusters", call.send()).await?;
    Ok(answer.clusters.unwrap_or_default().into_iter().next())
}

fn read(action: &str, cluster: aws_sdk_ecs::types::Cluster) -> Result<Live<Cluster>> {
    let name = cluster.cluster_name.ok_or_else(|| Error::incomplete(action, "a cluster's name"))?;
    let arn = cluster.cluster_arn.ok_or_else(|| Error::incomplete(action, "a cluster's ARN"))?;
    let setting = cluster
        .settings
        .unwrap_or_default()
        .into_iter()
        .find(|setting| setting.name == Some(ClusterSettingName::ContainerInsights));
    let insights = setting.and_then(|setting| setting.value).unwrap_or_default();
    let spec = Cluster {
        name: name.clone(),
        container_insights: ContainerInsights::from_word(&insights),
        execute_command: cluster
            .configuration
            .and_then(|all| all.execute_command_configuration)
            .and_then(read_execute_command),
        capacity_providers: cluster.capacity_providers.unwrap_or_default().into_iter().collect(),
    };
    let word = cluster.status.unwrap_or_default();
    let status = Status::by_word(&word, &["ACTIVE"], &["FAILED"], &["DEPROVISIONING", "INACTIVE"]);
    let tags = from_ecs(cluster.tags);
    Ok(Live::new(name, spec).with_arn(arn).with_status(status).with_tags(tags))
}

fn read_execute_command(set: ExecuteCommandConfiguration) -> Option<ExecuteCommand> {
    let logging = set.logging.map_or("DEFAULT".into(), |word| word.as_str().to_owned());
    let log = set.log_configuration;
    let read = ExecuteCommand {
        kms_key: set.kms_key_id.map(Ref::known),
        log_encrypted: log.as_ref().is_some_and(|log| log.cloud_watch_encryption_enabled),
        bucket: log.as_ref().and_then(|log| log.s3_bucket_name.clone()),
        log_group: log.and_then(|log| log.cloud_watch_log_group_name).map(Ref::known),
        logging,
    };
    // This is what AWS does without a configuration, so it means none.
    let nothing = read.logging == "DEFAULT"
        && read.kms_key.is_none()
        && read.log_group.is_none()
        && read.bucket.is_none();
    (!nothing).then_some(read)
}

fn insights(what: ContainerInsights) -> ClusterSetting {
    ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value(what.word()).build()
}

fn configuration(of: &ExecuteCommand) -> ClusterConfiguration {
    let log = of.log_group.as_ref().map(|group| {
        ExecuteCommandLogConfiguration::builder()
            .cloud_watch_log_group_name(group.as_str())
            .cloud_watch_encryption_enabled(of.log_encrypted)
            .build()
    });
    let execute = ExecuteCommandConfiguration::builder()
        .logging(ExecuteCommandLogging::from(of.logging.as_str()))
        .set_kms_key_id(of.kms_key.as_ref().map(ToString::to_string))
        .set_log_configuration(log)
        .build();
    ClusterConfiguration::builder().execute_command_configuration(execute).build()
}

/// Tags as ECS wants them.
pub(crate) fn to_ecs(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as ECS gives them.
pub(crate) fn from_ecs(tags: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    tags.unwrap_or_default().into_iter().filter_map(pair).collect()
}

/// Sets and removes tags of one ECS resource.
pub(crate) async fn retag(aws: &Aws, arn: &str, put: &Tags, remove: &[String]) -> Result<()> {
    let ecs = client!(aws, aws_sdk_ecs);
    if !put.is_empty() {
        let call = ecs.tag_resource().resource_arn(arn).set_tags(Some(to_ecs(put)));
        aws.call("ecs:TagResource", call.send()).await?;
    }
    if !remove.is_empty() {
        let call = ecs.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        aws.call("ecs:UntagResource", call.send()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_shown_is_off() {
        let found = aws_sdk_ecs::types::Cluster::builder()
            .cluster_name("c")
            .cluster_arn("arn:c")
            .status("ACTIVE")
            .build();
        let live = read("ecs:DescribeClusters", found).unwrap();
        assert_eq!(live.spec.container_insights, ContainerInsights::Disabled);
        assert_eq!(live.status, Status::Ready);
    }

    #[test]
    fn the_default_of_execute_command_means_none_was_set() {
        let set = |logging| ExecuteCommandConfiguration::builder().logging(logging).build();
        assert_eq!(read_execute_command(set(ExecuteCommandLogging::Default)), None);
        let unlogged = read_execute_command(set(ExecuteCommandLogging::None)).unwrap();
        assert_eq!(unlogged.logging, "NONE", "this one is worth seeing");
        assert!(!unlogged.log_encrypted);
    }

    #[test]
    fn execute_command_reads_back_as_it_was_asked_for() {
        let wanted = ExecuteCommand::logged(Ref::known("arn:key"), Ref::known("/ecs/exec"));
        let there = configuration(&wanted).execute_command_configuration.unwrap();
        assert_eq!(read_execute_command(there), Some(wanted));
    }
}
