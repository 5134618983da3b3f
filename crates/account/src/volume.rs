//! `ec2.volume`: a disk.

use std::collections::BTreeSet;

use engine::{Allow, Aws, Collected, Error, Inspected, Live, Result, Scope, client};
use serde::{Deserialize, Serialize};

use crate::ec2_tags::tags;

/// An EBS volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key for that.
    pub kms_key: Option<String>,
    /// The instances that use it.
    pub instances: BTreeSet<String>,
}

impl Inspected for Volume {
    const KIND: &'static str = "ec2.volume";
    const READ: &'static [Allow] = &[Allow::to(&["ec2:DescribeVolumes"])];
    const ATTACHED_BY: &'static [(&'static str, &'static str)] = &[("instances", "ec2.instance")];

    async fn inspect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(list(aws).await)
    }
}

async fn list(aws: &Aws) -> Result<Vec<Live<Volume>>> {
    let action = "ec2:DescribeVolumes";
    let call = client!(aws, aws_sdk_ec2).describe_volumes().into_paginator().items();
    let volumes = aws.call(action, call.send().try_collect()).await?;
    volumes.into_iter().map(|volume| read(aws, volume)).collect()
}

fn read(aws: &Aws, volume: aws_sdk_ec2::types::Volume) -> Result<Live<Volume>> {
    let missing = |part| Error::incomplete("ec2:DescribeVolumes", part);
    let id = volume.volume_id.ok_or_else(|| missing("a volume's id"))?;
    let spec = Volume {
        encrypted: volume.encrypted.ok_or_else(|| missing("whether a volume is encrypted"))?,
        kms_key: volume.kms_key_id,
        instances: volume
            .attachments
            .unwrap_or_default()
            .into_iter()
            .filter_map(|attachment| attachment.instance_id)
            .collect(),
    };
    let arn = aws.arn("ec2", &format!("volume/{id}"));
    Ok(Live::new(id, spec).with_arn(arn).with_tags(tags(volume.tags)))
}
