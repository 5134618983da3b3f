//! What a deployed stack offers to others.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

/// The outputs. The names are a contract.
#[derive(Debug, Clone, Serialize)]
pub struct Outputs {
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// The VPC.
    pub vpc_id: String,
    /// The public subnets, by zone.
    pub public_subnet_ids: Vec<String>,
    /// The private subnets, by zone.
    pub private_subnet_ids: Vec<String>,
    /// The data subnets, by zone.
    pub data_subnet_ids: Vec<String>,
    /// The ECS cluster.
    pub ecs_cluster_name: String,
    /// The ECS service.
    pub ecs_service_name: String,
    /// The Aurora cluster's identifier.
    pub aurora_cluster_id: String,
    /// Its writer endpoint.
    pub aurora_cluster_endpoint: String,
    /// Its reader endpoint.
    pub aurora_reader_endpoint: String,
    /// The replication group.
    pub redis_replication_group_id: String,
    /// Its primary endpoint.
    pub redis_endpoint: String,
    /// The stream.
    pub kinesis_stream_name: String,
    /// The file system.
    pub efs_file_system_id: String,
    /// The REST API.
    pub rest_api_id: String,
    /// Its stage.
    pub api_stage_name: String,
    /// Where it answers.
    pub api_gateway_url: String,
    /// The load balancer.
    pub alb_arn: String,
    /// Its DNS name.
    pub alb_dns_name: String,
    /// The secret with the database credentials.
    pub db_secret_arn: String,
    /// The trail.
    pub trail_name: String,
    /// The keys, by purpose.
    pub kms_key_arns: BTreeMap<String, String>,
}

impl Outputs {
    /// A line for each output.
    pub fn to_text(&self) -> String {
        let mut out = String::from("Outputs:\n");
        let fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => return out,
        };
        for (name, value) in fields {
            match value {
                Value::String(text) => {
                    let _ = writeln!(out, "  {name:<28}{text}");
                }
                Value::Array(items) => {
                    let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                    let _ = writeln!(out, "  {name:<28}{}", items.join(", "));
                }
                Value::Object(entries) => {
                    for (key, entry) in entries {
                        let _ = writeln!(
                            out,
                            "  {:<28}{}",
                            format!("{name}.{key}"),
                            entry.as_str().unwrap_or_default()
                        );
                    }
                }
                _ => {}
            }
        }
        out
    }
}
