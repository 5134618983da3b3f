//! Where moto 5.2.5 and the embedded account differ, by name: what, why, and the AWS documentation page that says
//! who is right.
//!
//! The differential test demands that each of these differs still, so the lists only shrink: who puts a
//! difference right takes its entry out. Nothing else may differ.

/// A finding that the two do not share.
#[derive(Debug)]
pub struct Difference {
    /// The control.
    pub control: &'static str,
    /// The resource's kind.
    pub kind: &'static str,
    /// The resource: its logical id where it has one.
    pub resource: &'static str,
    /// The status in the embedded account; `None` where there is no such finding.
    pub embedded: Option<&'static str>,
    /// The status in moto.
    pub moto: Option<&'static str>,
    /// Why.
    pub reason: &'static str,
    /// What AWS does, in its own words.
    pub page: &'static str,
}

/// An attribute that moto forgets: a plan wants to set it again each time.
#[derive(Debug)]
pub struct Loss {
    /// The resource's kind.
    pub kind: &'static str,
    /// The path of the field, as plans write it; `*` stands for any one part.
    pub path: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What AWS does, in its own words.
    pub page: &'static str,
}

/// A check of the witness that reads rows (`witness/rows.py`) that moto cannot answer.
#[derive(Debug)]
pub struct UnansweredRow {
    /// The check's name.
    pub row: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What AWS does, in its own words.
    pub page: &'static str,
}

/// Something that stays in moto after `destroy`.
#[derive(Debug)]
pub struct Leftover {
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What AWS does, in its own words.
    pub page: &'static str,
}

/// Something that moto's services still hold after `destroy`, whether it shows or not.
#[derive(Debug)]
pub struct Remains {
    /// Where: the service and the field that it keeps them in.
    pub field: &'static str,
    /// How many; `None` where that says nothing.
    pub count: Option<usize>,
    /// Why.
    pub reason: &'static str,
}

/// A call that changes something and that a second deploy sends to moto.
#[derive(Debug)]
pub struct RepeatedCall {
    /// The service, as signatures name it, and the call.
    pub call: &'static str,
    /// How often.
    pub count: usize,
    /// Why.
    pub reason: &'static str,
}

const AURORA_BACKUPS: &str =
    "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Managing.Backups.html";
const BACKUP_SELECTIONS: &str =
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupSelections.html";
const CACHE_CLUSTER: &str =
    "https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CacheCluster.html";
const DB_INSTANCE: &str =
    "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html";
const INTEGRATION: &str =
    "https://docs.aws.amazon.com/apigateway/latest/api/API_GetIntegration.html";
const SECURITY_POLICY: &str = "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies.html";

const NO_NODES: &str = "moto's DescribeCacheClusters shows no nodes of a replication group; AWS shows each with its \
     engine version, subnet group and security groups";
const NO_SELECTIONS: &str = "moto has no ListBackupSelections; AWS has";
const SNAPSHOTS_AT_ONCE: &str = "moto makes automated snapshots the moment that it makes a database; AWS makes those \
     of an Aurora cluster in its backup window, and none of its instances";
const NO_INSIGHTS: &str =
    "moto's DescribeDBInstances leaves performance insights out; AWS shows them and their key";
const NO_SECURITY_POLICY: &str =
    "moto keeps neither a REST API's security policy nor its endpoint access mode; AWS keeps both";
const NO_CONNECTION: &str = "moto's GetIntegration has no connectionId; AWS's has";
const NO_TARGET: &str = "moto's GetIntegration has no integrationTarget; AWS's has";

/// The findings that differ.
pub const FINDINGS: &[Difference] = &[
    cache("FERPA-AVL-08", "data/cache", Some("pass")),
    cache("FERPA-NET-01", "data/cache", Some("pass")),
    // The others judge what a database stands in, and find nothing that this one stands in.
    cache("FERPA-NET-03", "*", None),
    cache("FERPA-NET-08", "*", None),
    cache("FERPA-NET-10", "*", None),
    cache("FERPA-NET-14", "data/cache", Some("pass")),
    snapshot("rds.cluster_snapshot", "*", Some("not_applicable"), None),
    snapshot("rds.cluster_snapshot", "data/cluster", None, Some("pass")),
    snapshot("rds.snapshot", "automated of data/instance-1", None, Some("pass")),
    snapshot("rds.snapshot", "automated of data/instance-2", None, Some("pass")),
    insights("FERPA-ENC-12", "data/instance-1"),
    insights("FERPA-ENC-12", "data/instance-2"),
    insights("FERPA-LOG-16", "data/instance-1"),
    insights("FERPA-LOG-16", "data/instance-2"),
    backup("efs.file_system", "data/files"),
    backup("rds.cluster", "data/cluster"),
    Difference {
        control: "FERPA-TLS-05",
        kind: "apigateway.rest_api",
        resource: "api/rest-api",
        embedded: Some("pass"),
        moto: Some("unknown"),
        reason: NO_SECURITY_POLICY,
        page: SECURITY_POLICY,
    },
];

const fn cache(
    control: &'static str,
    resource: &'static str,
    embedded: Option<&'static str>,
) -> Difference {
    Difference {
        control,
        kind: "elasticache.replication_group",
        resource,
        embedded,
        moto: Some("unknown"),
        reason: NO_NODES,
        page: CACHE_CLUSTER,
    }
}

const fn snapshot(
    kind: &'static str,
    resource: &'static str,
    embedded: Option<&'static str>,
    moto: Option<&'static str>,
) -> Difference {
    Difference {
        control: "FERPA-ENC-02",
        kind,
        resource,
        embedded,
        moto,
        reason: SNAPSHOTS_AT_ONCE,
        page: AURORA_BACKUPS,
    }
}

const fn insights(control: &'static str, resource: &'static str) -> Difference {
    Difference {
        control,
        kind: "rds.instance",
        resource,
        embedded: Some("pass"),
        moto: Some("unknown"),
        reason: NO_INSIGHTS,
        page: DB_INSTANCE,
    }
}

const fn backup(kind: &'static str, resource: &'static str) -> Difference {
    Difference {
        control: "FERPA-RET-02",
        kind,
        resource,
        embedded: Some("pass"),
        moto: Some("unknown"),
        reason: NO_SELECTIONS,
        page: BACKUP_SELECTIONS,
    }
}

/// The attributes that moto forgets.
pub const LOSSES: &[Loss] = &[
    Loss {
        kind: "rds.instance",
        path: "performance_insights",
        reason: NO_INSIGHTS,
        page: DB_INSTANCE,
    },
    Loss {
        kind: "elasticache.replication_group",
        path: "nodes",
        reason: NO_NODES,
        page: CACHE_CLUSTER,
    },
    Loss {
        kind: "apigateway.rest_api",
        path: "routes.*.*.integration.connection_id",
        reason: NO_CONNECTION,
        page: INTEGRATION,
    },
    Loss {
        kind: "apigateway.rest_api",
        path: "routes.*.*.integration.integration_target",
        reason: NO_TARGET,
        page: INTEGRATION,
    },
    Loss {
        kind: "apigateway.rest_api",
        path: "security_policy",
        reason: NO_SECURITY_POLICY,
        page: SECURITY_POLICY,
    },
    Loss {
        kind: "apigateway.rest_api",
        path: "endpoint_access_mode",
        reason: NO_SECURITY_POLICY,
        page: SECURITY_POLICY,
    },
];

/// The rows that moto cannot answer.
pub const ROWS: &[UnansweredRow] = &[
    UnansweredRow { row: "performance-insights", reason: NO_INSIGHTS, page: DB_INSTANCE },
    UnansweredRow { row: "integration-link", reason: NO_CONNECTION, page: INTEGRATION },
    UnansweredRow { row: "integration-target", reason: NO_TARGET, page: INTEGRATION },
    UnansweredRow {
        row: "rotation-period",
        reason: "moto's GetKeyRotationStatus has no RotationPeriodInDays; AWS's has",
        page: "https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html",
    },
    UnansweredRow { row: "backup", reason: NO_SELECTIONS, page: BACKUP_SELECTIONS },
    UnansweredRow { row: "cache-version", reason: NO_NODES, page: CACHE_CLUSTER },
    UnansweredRow { row: "security-policy", reason: NO_SECURITY_POLICY, page: SECURITY_POLICY },
];

/// What stays in moto after `destroy`.
pub const LEFTOVERS: &[Leftover] = &[Leftover {
    name: "student-cache-subnets-dev",
    reason: "moto has no DeleteCacheSubnetGroup; AWS has",
    page: "https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteCacheSubnetGroup.html",
}];

/// What moto's services hold after `destroy` and did not hold before the stack was made.
pub const REMAINS: &[Remains] = &[
    remains("backup.plans", 1, GONE_BUT_HELD),
    remains("ec2.enis", 2, "the interfaces of the NAT gateways, which moto leaves"),
    remains("ec2.nat_gateways", 2, GONE_BUT_HELD),
    remains("ec2.network_acls", 1, "the VPC's own, which moto leaves"),
    Remains { field: "ec2.tags", count: None, reason: "moto keeps the tags of what is gone" },
    remains("ec2.vpc_end_points", 7, GONE_BUT_HELD),
    remains("ecs.clusters", 1, "AWS, too, goes on showing it, as inactive"),
    remains("ecs.services", 1, "AWS, too, goes on showing it, as inactive"),
    remains("ecs.task_definitions", 1, "AWS, too, goes on showing it, as inactive"),
    remains("elasticache.cache_subnet_groups", 1, "see LEFTOVERS"),
    remains("elasticache.replication_groups", 1, "it never gets further than \"deleting\""),
    remains("kms.keys", 6, "they wait for their deletion, as on AWS"),
    remains("rds.cluster_snapshots", 2, SNAPSHOTS),
    remains("rds.db_parameter_groups", 1, "a default one of AWS's, made with the first database"),
    Remains { field: "rds.events", count: None, reason: "what has happened" },
    remains("rds.resource_map", 3, "the snapshots and the parameter group once more"),
    remains("secretsmanager.secrets", 2, "they wait for their deletion, as on AWS"),
    remains("wafv2.logging_configurations", 1, "moto leaves it when its web ACL goes"),
];

const GONE_BUT_HELD: &str = "deleted: moto holds it and shows it as that, or no longer";
const SNAPSHOTS: &str =
    "the final one, which destroy makes, and the automated one, which moto leaves";

const fn remains(field: &'static str, count: usize, reason: &'static str) -> Remains {
    Remains { field, count: Some(count), reason }
}

/// What a second deploy writes to moto. The [`LOSSES`] are set again each time.
pub const REPEATED_CALLS: &[RepeatedCall] = &[
    RepeatedCall { call: "apigateway PATCH /restapis/*", count: 1, reason: NO_SECURITY_POLICY },
    RepeatedCall {
        call: "apigateway PUT /restapis/*/resources/*/methods/GET/integration",
        count: 3,
        reason: NO_TARGET,
    },
    RepeatedCall { call: "elasticache ModifyReplicationGroup", count: 1, reason: NO_NODES },
    RepeatedCall { call: "rds ModifyDBInstance", count: 2, reason: NO_INSIGHTS },
    RepeatedCall {
        call: "ssm PutParameter",
        count: 2,
        reason: "the lease is taken and let go of, on AWS too",
    },
];

impl Loss {
    /// Whether a change of this field of a resource of this kind is that loss and no other.
    pub fn explains(&self, kind: &str, path: &str) -> bool {
        let mut parts = path.split('.');
        kind == self.kind
            && self
                .path
                .split('.')
                .all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
    }
}
