//! One resource of each kind that audits look at and no test makes, written by hand.

use engine::{Inventory, Live};
use serde_json::{Value, json};

/// A resource: its kind, its id and its attributes.
type Beside = (&'static str, &'static str, Value);

fn beside() -> Vec<Beside> {
    let own = |rest: &str| format!("arn:aws:{rest}");
    let key = own("kms:us-east-1:123456789012:key/3f4c");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [own("s3:::grades/*")]},
    ]});
    vec![
        ("apigateway.domain_name", "api.example.edu", json!({"security_policy": "TLS_1_2"})),
        (
            "apigateway.vpc_link",
            "l1n2k3",
            json!({
                "name": "grades",
                "targets": [own("elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/x/1")],
                "status_message": null,
            }),
        ),
        (
            "apigatewayv2.api",
            "a1b2",
            json!({
                "name": "grades", "protocol": "HTTP",
                "routes": {"GET /grades": {
                    "authorization": "JWT", "authorizer": "z1", "api_key_required": false,
                }},
                "integrations": {"i1": {
                    "type": "HTTP_PROXY", "uri": "https://grades.example.edu",
                    "connection_type": "INTERNET", "server_name": null,
                }},
                "stages": {"$default": {
                    "access_log_destination": own("logs:us-east-1:123456789012:log-group:grades"),
                    "access_log_format": "$context.requestId $context.authorizer.claims.sub",
                    "rate_limit": 50.0, "route_rate_limits": {"GET /grades": 5.0},
                    "variables": {"level": "info"},
                }},
                "vpc_links": [], "targets": ["https://grades.example.edu"],
            }),
        ),
        (
            "bedrock.job",
            "tune",
            json!({
                "what": "model customization job", "name": "tune",
                "role": own("iam::123456789012:role/tune"), "inputs": ["s3://grades/essays"],
                "subnets": ["subnet-9"], "security_groups": ["sg-9"],
            }),
        ),
        (
            "cloudfront.distribution",
            "E1",
            json!({
                "enabled": true, "viewer_protocol_policies": {"*": "redirect-to-https"},
                "minimum_tls_version": "TLSv1.2_2021",
                "origin_protocol_policies": {"grades": "https-only"},
                "origin_tls_versions": {"grades": ["TLSv1.2"]},
                "web_acl": null, "log_bucket": "logs",
            }),
        ),
        ("cognito.user_pool", "us-east-1_x", json!({"name": "students", "mfa": "ON"})),
        (
            "config.recorder",
            "default",
            json!({
                "recording": true, "types": "all", "global_types": true, "last_status": "Success",
                "bucket": "history",
            }),
        ),
        (
            "dynamodb.table",
            "grades",
            json!({
                "encryption_type": "KMS", "kms_key": key, "deletion_protection": true,
                "point_in_time_recovery": true,
            }),
        ),
        (
            "ec2.instance",
            "i-1",
            json!({
                "vpc_id": "vpc-9", "subnet_id": "subnet-9", "public_address": "203.0.113.7",
                "security_groups": ["sg-9"],
                "instance_profile": own("iam::123456789012:instance-profile/web"),
                "imds_v2_required": true, "state": "running",
            }),
        ),
        (
            "ec2.network_interface",
            "eni-1",
            json!({
                "vpc_id": "vpc-9", "subnet_id": "subnet-9", "security_groups": ["sg-9"],
                "public_address": "203.0.113.7", "description": "", "requester": null,
                "used_by": "other",
            }),
        ),
        (
            "ec2.prefix_list",
            "pl-1",
            json!({
                "name": "campus", "of_aws": false, "entries": ["198.51.100.0/24"],
            }),
        ),
        (
            "ec2.region_use",
            "eu-west-1",
            json!({
                "network_interfaces": ["eni-9"], "volumes": [], "snapshots": [], "db_clusters": [],
                "db_instances": [], "db_cluster_snapshots": [], "db_snapshots": [], "tables": ["old"],
                "domains": [],
            }),
        ),
        (
            "ec2.snapshot",
            "snap-1",
            json!({
                "encrypted": true, "kms_key": key, "volume": "vol-1", "shared_with": [],
            }),
        ),
        (
            "ec2.transit_gateway_attachment",
            "tgw-attach-1",
            json!({
                "transit_gateway": "tgw-1", "gateway_account": "123456789012",
                "resource_type": "vpc", "resource_id": "vpc-9",
                "resource_account": "123456789012", "state": "available",
            }),
        ),
        (
            "ec2.volume",
            "vol-1",
            json!({
                "encrypted": true, "kms_key": key, "instances": ["i-1"],
            }),
        ),
        (
            "ec2.vpc_peering_connection",
            "pcx-1",
            json!({
                "requester_account": "123456789012", "requester_vpc": "vpc-9",
                "accepter_account": "123456789012", "accepter_vpc": "vpc-8", "state": "active",
            }),
        ),
        (
            "elbv2.listener_rule",
            "rule-1",
            json!({
                "listener": own("elasticloadbalancing:us-east-1:123456789012:listener/app/x/1/2"),
                "action": {"type": "other", "name": "fixed-response"},
            }),
        ),
        (
            "iam.account_summary",
            "account",
            json!({
                "root_mfa": true, "root_access_keys": 0, "root_password": true,
            }),
        ),
        (
            "iam.group",
            "registrars",
            json!({
                "name": "registrars", "managed_policies": [], "inline_policies": {"read": policy},
            }),
        ),
        (
            "iam.policy",
            "arn:aws:iam::123456789012:policy/read",
            json!({
                "name": "read", "aws_managed": false, "document": policy, "roles": [],
                "users": ["ada"], "groups": ["registrars"], "bounds": [],
            }),
        ),
        (
            "iam.user",
            "ada",
            json!({
                "name": "ada", "created_at": "2026-01-01T00:00:00Z", "has_password": true,
                "password_last_used_at": "2026-11-01T00:00:00Z", "has_mfa": true,
                "access_keys": [{"active": true, "created_at": "2026-11-01T00:00:00Z"}],
                "access_keys_last_used_at": "2026-11-01T00:00:00Z", "groups": ["registrars"],
                "managed_policies": [], "inline_policies": {"read": policy},
                "permissions_boundary": null,
            }),
        ),
        (
            "lakeformation.permission",
            "1",
            json!({
                "principal": own("iam::123456789012:role/analyst"),
                "resource": "table records.grades", "permissions": ["SELECT"], "grantable": [],
            }),
        ),
        (
            "macie.session",
            "macie",
            json!({
                "state": "ENABLED",
                "buckets": {"grades": {"discovery": true, "job": false, "error": null}},
            }),
        ),
        (
            "opensearch.domain",
            "search",
            json!({
                "encrypted": true, "kms_key": key, "node_to_node_encryption": true,
                "enforce_https": true, "tls_policy": "Policy-Min-TLS-1-2-PFS-2023-10",
                "vpc": "vpc-9", "subnets": ["subnet-9"], "security_groups": ["sg-9"],
                "access_policy": policy,
            }),
        ),
        (
            "organizations.organization",
            "o-1",
            json!({
                "feature_set": "ALL", "management_account": "210987654321",
                "service_control_policies": [{"target": "r-1", "policies": {"p-1": policy}}],
            }),
        ),
        (
            "ram.resource_share",
            "share-1",
            json!({
                "name": "subnets", "external_allowed": false, "principals": ["123456789012"],
                "resources": [own("ec2:us-east-1:123456789012:subnet/subnet-9")],
            }),
        ),
        (
            "rds.cluster_snapshot",
            "grades-1",
            json!({
                "cluster": "grades", "snapshot_type": "manual", "encrypted": true, "kms_key": key,
                "shared_with": [],
            }),
        ),
        (
            "rds.parameter_group",
            "grades",
            json!({
                "family": "postgres17", "parameters": {"rds.force_ssl": "1"},
            }),
        ),
        (
            "rds.snapshot",
            "grades-2",
            json!({
                "instance": "grades", "snapshot_type": "manual", "encrypted": true, "kms_key": key,
                "shared_with": [],
            }),
        ),
        (
            "sagemaker.job",
            "train",
            json!({
                "what": "training job", "name": "train",
                "role": own("iam::123456789012:role/train"), "inputs": ["s3://grades/marks"],
                "indirect": [], "network_isolation": true, "subnets": ["subnet-9"],
                "security_groups": ["sg-9"],
            }),
        ),
        ("sso.instance", "ssoins-1", json!({"owner": "123456789012", "state": "ACTIVE"})),
        (
            "wafv2.association",
            "1",
            json!({
                "web_acl": own("wafv2:us-east-1:123456789012:regional/webacl/x/1"),
                "load_balancer": own("elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/1"),
            }),
        ),
    ]
}

/// Puts them into an inventory, as if they had been read.
pub fn add_to(inventory: &mut Inventory) {
    for (kind, id, spec) in beside() {
        let reader = compliance::readers().into_iter().find(|reader| reader.kind == kind);
        assert!(reader.is_some_and(|reader| reader.fits(&spec)), "{kind}: {spec}");
        let service = kind.split('.').next().unwrap_or(kind);
        let arn = format!("arn:aws:{service}:us-east-1:123456789012:{id}");
        inventory.errors.remove(kind);
        let all = inventory.resources.entry(kind.into()).or_default();
        all.push(Live::new(id, spec).with_arn(arn));
        all.sort_by(|a, b| a.id.cmp(&b.id));
    }
}
