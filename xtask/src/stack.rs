//! The full stack: the layers, wired together.

use std::collections::BTreeMap;

use api::{ApiSpec, Authorization, Firewall};
use compute::cluster::ExecuteCommand;
use compute::composition::CacheSecret;
use compute::log_group::{
    LogGroup, LogGroupSpec, MetricFilter, SubscriptionFilter, declare_log_group,
};
use compute::rotation::RotationSpec;
use compute::{Certificate, ComputeSpec, Function, Inputs, PasswordPolicy, roles, rotation};
use data::{BackupSpec, CacheSpec, DatabaseSpec, DisclosureSpec, FilesSpec, StreamSpec};
use engine::deploy::resolve;
use engine::stack::LogicalId;
use engine::vocabulary::{CertificateArn, ForLogs, KeyArn};
use engine::{Aws, Handle, Inventory, Kind, Live, Mistake, Place, Ref, Stack, StackName, plan};
use ipnet::Ipv4Net;
use network::{
    EbsEncryptionDefault, Endpoints, FlowLogsTo, HttpsEgress, Network, NetworkSpec, Ports, Zone,
};
use security::alarms::{AlarmsSpec, declare_alarms};
use security::audit_trail::{AuditTrail, TrailSpec, declare_trail};
use security::bucket::{LockMode, Retention};
use security::credentials::{Credentials, CredentialsSpec, declare_credentials};
use security::guards::{GuardsSpec, declare_guards};
use security::keys::{Keys, KeysSpec, declare_keys};
use security::secret::Rotation;
use security::topic::Subscription;
use security::trail::TrailLogGroup;

use crate::config::{Authorizer, Config, Fault, ObjectLock, PLACEHOLDER_IMAGE};
use crate::outputs::Outputs;

/// All kinds of all layers.
pub fn kinds() -> Vec<Kind> {
    let account = &[Kind::of::<PasswordPolicy>()];
    [network::KINDS, security::KINDS, data::KINDS, compute::KINDS, account, api::KINDS].concat()
}

/// Where a stack stands, and on what.
#[derive(Debug, Clone)]
pub struct Site {
    /// The account's twelve digits.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// The availability zones, two to four.
    pub zones: Vec<String>,
    /// Whether this is AWS itself: there a self-signed certificate is no use.
    pub is_real: bool,
}

/// The desired graph, and what its outputs refer to.
pub struct FullStack {
    /// The desired graph.
    pub graph: Stack,
    /// What is allowed and deserves a second look, a line each.
    pub warnings: Vec<String>,
    network: Network,
    keys: Keys,
    credentials: Credentials,
    trail: AuditTrail,
    database: data::Database,
    cache: data::Cache,
    stream: data::RecordStream,
    files: data::Files,
    compute: compute::Compute,
    api: api::Api,
}

impl FullStack {
    /// Declares the layers one after the other; each gets the references of those before it. Also gives
    /// every fault that the layers find with what is asked of them, by the key of the configuration.
    pub fn declare(config: &Config, site: &Site) -> (Self, Vec<Fault>) {
        let mut wiring = Wiring::new(config, site);
        let keys = wiring.keys();
        let credentials = wiring.credentials(&keys);
        let trail = wiring.evidence(&keys);
        wiring.guards();
        let network = wiring.network(&keys);
        let stores = wiring.stores(&keys, &credentials, &network);
        let access_log = wiring.disclosures(&keys, &trail);
        let compute = wiring.service(&keys, &credentials, &trail, &network, &stores);
        let api = wiring.api(&keys, &network, &compute, &access_log);
        let Stores { database, cache, stream, files } = stores;
        let Wiring { stack: graph, faults, warnings, .. } = wiring;
        let stack = Self {
            graph,
            warnings,
            network,
            keys,
            credentials,
            trail,
            database,
            cache,
            stream,
            files,
            compute,
            api,
        };
        (stack, faults)
    }

    /// Which live resource each resource of the stack is.
    pub fn live(&self, inventory: &Inventory) -> BTreeMap<LogicalId, Live> {
        plan::live_of(&self.graph, inventory, &kinds())
    }

    /// The outputs.
    ///
    /// # Errors
    /// When something is not deployed.
    pub fn outputs(
        &self,
        aws: &Aws,
        live: &BTreeMap<LogicalId, Live>,
    ) -> Result<Outputs, engine::Error> {
        fn all<M>(
            live: &BTreeMap<LogicalId, Live>,
            references: &[Ref<M>],
        ) -> Result<Vec<String>, engine::Error> {
            references.iter().map(|reference| resolve(live, reference)).collect()
        }
        let keys = &self.keys;
        let kms_key_arns = [
            ("rds", resolve(live, &keys.rds)?),
            ("elasticache", resolve(live, &keys.elasticache)?),
            ("kinesis", resolve(live, &keys.kinesis)?),
            ("efs", resolve(live, &keys.efs)?),
            ("secrets", resolve(live, &keys.secrets)?),
            ("logs", resolve(live, &keys.logs)?),
        ];
        Ok(Outputs {
            account_id: aws.account_id().into(),
            region: aws.region().into(),
            vpc_id: resolve(live, &self.network.vpc)?,
            public_subnet_ids: all(live, &self.network.public_subnets)?,
            private_subnet_ids: all(live, &self.network.private_subnets)?,
            data_subnet_ids: all(live, &self.network.isolated_subnets)?,
            ecs_cluster_name: resolve(live, &self.compute.cluster_name)?,
            ecs_service_name: resolve(live, &self.compute.service_name)?,
            aurora_cluster_id: resolve(live, &self.database.cluster)?,
            aurora_cluster_endpoint: resolve(live, &self.database.endpoint)?,
            aurora_reader_endpoint: resolve(live, &self.database.reader_endpoint)?,
            redis_replication_group_id: resolve(live, &self.cache.replication_group)?,
            redis_endpoint: resolve(live, &self.cache.endpoint)?,
            kinesis_stream_name: resolve(live, &self.stream.name)?,
            efs_file_system_id: resolve(live, &self.files.file_system)?,
            rest_api_id: resolve(live, &self.api.rest_api_id)?,
            api_stage_name: self.api.stage_name.clone(),
            api_gateway_url: resolve(live, &self.api.url)?,
            alb_arn: resolve(live, &self.compute.load_balancer)?,
            alb_dns_name: resolve(live, &self.compute.dns_name)?,
            db_secret_arn: resolve(live, &self.credentials.database)?,
            trail_name: resolve(live, &self.trail.trail)?,
            kms_key_arns: kms_key_arns.into_iter().map(|(name, arn)| (name.into(), arn)).collect(),
        })
    }
}

/// The stores of the data layer.
struct Stores {
    database: data::Database,
    cache: data::Cache,
    stream: data::RecordStream,
    files: data::Files,
}

/// A stack in the making.
struct Wiring<'a> {
    config: &'a Config,
    site: &'a Site,
    name: StackName,
    stack: Stack,
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

impl<'a> Wiring<'a> {
    fn new(config: &'a Config, site: &'a Site) -> Self {
        let name = StackName::new(&config.project, &config.environment);
        let mut tags = config.tags.clone();
        tags.entry("Environment".into()).or_insert_with(|| config.environment.clone());
        let stack = Stack::new(name.clone(), tags);
        Self { config, site, name, stack, faults: Vec::new(), warnings: Vec::new() }
    }

    /// Takes a layer's mistakes as faults of keys that begin with `section`.
    fn blame(&mut self, section: &str, mistakes: impl IntoIterator<Item = Mistake>) {
        // How many subnets there are follows from the number of zones, which the configuration's own check judges.
        let of_zones = |field: &str| {
            matches!(field.rsplit('.').next(), Some("subnets" | "zones" | "availability_zones"))
        };
        let mistakes = mistakes.into_iter().filter(|mistake| !of_zones(&mistake.field));
        self.faults.extend(mistakes.map(|Mistake { field, message }| {
            Fault::new(
                if section.is_empty() { field } else { format!("{section}.{field}") },
                message,
            )
        }));
    }

    /// Where the stack stands, as the layers know it.
    fn place(&self) -> Place {
        Place::new(&self.site.account_id, &self.site.region)
    }

    /// A log group with the stack's key and retention.
    fn log_group(
        &mut self,
        id: &str,
        name: String,
        key: &Ref<KeyArn<ForLogs>>,
    ) -> Handle<LogGroup> {
        let spec = LogGroupSpec::new(name, key.clone()).kept_for(self.config.logs.retention_days);
        declare_log_group(&mut self.stack, id, &spec)
    }

    fn keys(&mut self) -> Keys {
        let spec = KeysSpec {
            rotation_period_days: self.config.security.key_rotation_days,
            deletion_window_days: self.config.security.key_deletion_days,
            sessions: self.config.service.execute_command,
            ..KeysSpec::new(self.place())
        };
        declare_keys(&mut self.stack, &spec)
    }

    /// The generated credentials, and the function that rotates the database's.
    fn credentials(&mut self, keys: &Keys) -> Credentials {
        let (config, place) = (self.config, self.place());
        let spec = CredentialsSpec {
            username: config.database.master_username.clone(),
            database: config.database.database_name.clone(),
            port: config.database.port,
            database_identifier: Some(data::database::cluster_name(&self.name)),
            recovery_window_days: config.security.secret_recovery_days,
            rotation: Some(Rotation {
                // The function's permissions name the secret: one of the two comes later.
                function: Handle::<Function>::later("compute/rotation").ready().arn(),
                days: config.security.secret_rotation_days,
            }),
            ..CredentialsSpec::new(place.clone(), keys.secrets.clone())
        };
        let credentials = declare_credentials(&mut self.stack, &spec);
        let rotation = RotationSpec {
            secret: credentials.database.clone(),
            secrets_key: keys.secrets.clone(),
            cluster_id: data::database::cluster_name(&self.name),
            logs_key: keys.logs.clone(),
            log_retention_days: config.logs.retention_days,
        };
        rotation::declare(&mut self.stack, &place, &rotation);
        credentials
    }

    /// The trail, its buckets, and the alarms that listen to it.
    fn evidence(&mut self, keys: &Keys) -> AuditTrail {
        let (security, place) = (&self.config.security, self.place());
        let alarms = AlarmsSpec {
            place: place.clone(),
            kms_key: keys.logs.clone(),
            subscriptions: security
                .alarm_emails
                .iter()
                .map(|email| Subscription::to("email", email))
                .collect(),
        };
        let alarms = declare_alarms(&mut self.stack, &alarms);
        let mut group = LogGroupSpec::new(
            format!("/aws/cloudtrail/{}", self.name.of("trail")),
            keys.logs.clone(),
        )
        .kept_for(self.config.logs.retention_days);
        group.metric_filters = alarms
            .metric_filters
            .into_iter()
            .map(|filter| {
                let counted = MetricFilter {
                    pattern: filter.pattern,
                    namespace: filter.metric_namespace,
                    metric: filter.metric_name,
                    value: "1".into(),
                };
                (filter.name, counted)
            })
            .collect();
        let group = declare_log_group(&mut self.stack, "compute/trail-log", &group);
        let role = roles::TrailRole { log_group: group.arn() }.declare(&mut self.stack, &place);

        let mode = match security.object_lock {
            ObjectLock::Governance => LockMode::Governance,
            ObjectLock::Compliance => LockMode::Compliance,
        };
        let spec = TrailSpec {
            retention: Retention { mode, days: security.trail_lock_days },
            disclosure_retention: Retention { mode, days: security.disclosure_lock_days },
            load_balancer_log_days: security.load_balancer_log_days,
            log_group: Some(TrailLogGroup { arn: group.arn(), role }),
            // Whoever calls the function that sets the database's password.
            data_events: BTreeMap::from([(
                "AWS::Lambda::Function".into(),
                [place.arn("lambda", &format!("function:{}", self.name.of("rotation")))].into(),
            )]),
            ..TrailSpec::new(place, keys.logs.clone())
        };
        declare_trail(&mut self.stack, &spec)
    }

    /// What guards the whole account, as far as it is wanted.
    fn guards(&mut self) {
        let guards = &self.config.guards;
        declare_guards(
            &mut self.stack,
            &GuardsSpec {
                guardduty: guards.guardduty,
                access_analyzer: guards.access_analyzer,
                block_public_access: guards.s3_public_access_block,
            },
        );
        if guards.password_policy {
            self.stack.add("compute/password-policy", PasswordPolicy::default());
        }
        if guards.ebs_encryption {
            let on = EbsEncryptionDefault::default();
            self.stack.add("network/ebs-encryption", on);
        }
    }

    fn network(&mut self, keys: &Keys) -> Network {
        let config = &self.config.network;
        let place = self.place();
        let flow_logs = config.flow_logs.then(|| {
            let name = format!("/aws/vpc/{}", self.name.of("flow-logs"));
            let group = self.log_group("compute/flow-log", name, &keys.logs);
            let role = roles::FlowLogRole { log_group: group.arn() };
            let role_arn = role.declare(&mut self.stack, &place);
            FlowLogsTo { log_group_arn: group.arn(), role_arn }
        });
        let ports = Ports {
            container: self.config.service.port,
            postgres: self.config.database.port,
            redis: self.config.cache.port,
            ..Ports::default()
        };
        let has = |service: &str| config.endpoints.iter().any(|wanted| wanted == service);
        let zones = self.site.zones.iter().enumerate().map(|(at, name)| {
            let of = |cidrs: &[Ipv4Net]| cidrs.get(at).copied().unwrap_or(config.cidr);
            Zone {
                name: name.clone(),
                public: of(&config.public_cidrs),
                private: of(&config.private_cidrs),
                isolated: of(&config.data_cidrs),
            }
        });
        let spec = NetworkSpec {
            cidr: config.cidr,
            zones: zones.collect(),
            public_addresses: config.public_ip_on_launch,
            service_https_egress: match config.service_https_egress {
                true => HttpsEgress::Internet,
                false => HttpsEgress::Endpoints,
            },
            flow_logs,
            endpoints: Endpoints {
                s3: has("s3"),
                dynamodb: has("dynamodb"),
                kms: has("kms"),
                secretsmanager: has("secretsmanager"),
                logs: has("logs"),
                ecr_api: has("ecr"),
                ecr_dkr: has("ecr"),
                kinesis_streams: has("kinesis"),
                ssmmessages: self.config.service.execute_command,
            },
            ports,
            admit: config.admit.clone(),
            ..NetworkSpec::within(config.cidr, self.site.zones.iter().cloned())
        };
        // Where lists have other lengths than there are zones, the configuration's own check has said so.
        let lists = [&config.public_cidrs, &config.private_cidrs, &config.data_cidrs];
        let complete = lists.map(Vec::len).into_iter().min().unwrap_or_default();
        let zones = spec.zones.iter().take(complete).cloned().collect();
        let problems = network::validate(&NetworkSpec { zones, ..spec.clone() });
        let problems = problems.into_iter();
        self.blame("", problems.map(|it| Mistake::new(network_key(&it.field), it.message)));
        network::declare(&mut self.stack, &spec, &place)
    }

    fn stores(&mut self, keys: &Keys, credentials: &Credentials, network: &Network) -> Stores {
        let config = self.config;
        let subnets = || network.isolated_subnets.clone();

        let name = data::database::log_group_name(&self.name);
        let log = self.log_group("compute/database-log", name, &keys.logs);
        let spec = DatabaseSpec {
            subnets: subnets(),
            zones: self.site.zones.clone(),
            security_group: network.database.clone(),
            key: keys.rds.clone(),
            secret: credentials.database.clone(),
            log_group: Some(log.id()),
            settings: config.database.clone(),
        };
        let problems = data::database::validate(&self.name, &spec);
        self.blame("", problems);
        let database = data::database::declare(&mut self.stack, &spec);

        let group = |kind: &str| format!("/aws/elasticache/{}/{kind}", self.name.of("cache"));
        let (slow, engine) = (group("slow-log"), group("engine-log"));
        let spec = CacheSpec {
            subnets: subnets(),
            security_group: network.cache.clone(),
            key: keys.elasticache.clone(),
            secret: credentials.cache.clone(),
            slow_log: self.log_group("compute/cache-slow-log", slow, &keys.logs).id(),
            engine_log: self.log_group("compute/cache-engine-log", engine, &keys.logs).id(),
            settings: config.cache.clone(),
        };
        let problems = data::cache::validate(&self.name, &spec);
        self.blame("", problems);
        let cache = data::cache::declare(&mut self.stack, &spec);

        let spec = StreamSpec { key: keys.kinesis.clone(), settings: config.stream.clone() };
        let problems = data::stream::validate(&self.name, &spec);
        self.blame("", problems);
        let stream = data::stream::declare(&mut self.stack, &spec);

        let spec = FilesSpec {
            subnets: subnets(),
            security_group: network.file_system.clone(),
            key: keys.efs.clone(),
            settings: config.files.clone(),
        };
        let problems = data::files::validate(&self.name, &spec);
        self.blame("", problems);
        let files = data::files::declare(&mut self.stack, &spec);

        if config.backups {
            let place = self.place();
            let spec = BackupSpec {
                key: keys.efs.clone(),
                role: roles::BackupRole.declare(&mut self.stack, &place),
                cluster: Some(database.arn.clone()),
                file_system: Some(files.file_system_arn.clone()),
                access_policy: None,
                settings: config.backup.clone(),
            };
            let problems = data::backup::validate(&self.name, &spec);
            self.blame("", problems);
            data::backup::declare(&mut self.stack, &spec);
        }
        Stores { database, cache, stream, files }
    }

    /// The API's access log, and the way of its lines into the locked record of disclosures.
    fn disclosures(&mut self, keys: &Keys, trail: &AuditTrail) -> Handle<LogGroup> {
        let (config, place) = (self.config, self.place());
        let name = format!("/aws/kinesisfirehose/{}", self.name.of("disclosures"));
        let errors = self.log_group("compute/disclosure-error-log", name, &keys.logs);
        let role = roles::FirehoseRole {
            thing: "disclosures".into(),
            bucket: trail.disclosure_bucket_arn.clone(),
            bucket_key: keys.logs.clone(),
            log_group: errors.arn(),
        };
        let spec = DisclosureSpec {
            bucket: trail.disclosure_bucket_arn.clone(),
            role: role.declare(&mut self.stack, &place),
            key: keys.logs.clone(),
            object_key: Some(keys.logs.clone()),
            error_log: Some(errors.id()),
            settings: config.disclosure.clone(),
        };
        let problems = data::disclosure::validate(&self.name, &spec);
        self.blame("", problems);
        let disclosure = data::disclosure::declare(&mut self.stack, &spec);

        let subscription =
            roles::SubscriptionRole { thing: "disclosures".into(), stream: disclosure.arn.clone() };
        let role = subscription.declare(&mut self.stack, &place);
        let mut spec = LogGroupSpec::new(
            format!("/aws/apigateway/{}", self.name.of("access")),
            keys.logs.clone(),
        )
        .kept_for(config.logs.disclosure_retention_days);
        spec.subscription_filters = BTreeMap::from([(
            "disclosures".into(),
            SubscriptionFilter {
                destination: disclosure.handle.ready().arn().cast(),
                role: Some(role),
                pattern: String::new(),
            },
        )]);
        declare_log_group(&mut self.stack, "compute/access-log", &spec)
    }

    fn service(
        &mut self,
        keys: &Keys,
        credentials: &Credentials,
        trail: &AuditTrail,
        network: &Network,
        stores: &Stores,
    ) -> compute::Compute {
        let (config, place) = (self.config, self.place());
        let certificate = match &config.certificate.arn {
            Some(arn) => {
                if self.site.is_real && config.certificate.host.is_none() {
                    self.faults.push(Fault::new(
                        "certificate.arn",
                        "certificate.host is missing: API Gateway checks that the certificate is for the host \
                         that it calls, so it has to know a name that the certificate is for",
                    ));
                }
                Ref::<CertificateArn>::known(arn)
            }
            None => {
                if self.site.is_real {
                    self.faults.push(Fault::new(
                        "certificate.arn",
                        "on AWS the load balancer needs a certificate: request or import one in ACM, in \
                         this region, and put its ARN here",
                    ));
                }
                let own = Certificate::self_signed(format!("{}.internal", self.name.of("api")));
                self.stack.add("compute/certificate", own).arn()
            }
        };
        if config.service.redirect_http {
            self.faults.push(Fault::new(
                "service.redirect_http",
                "nothing reaches port 80: the load balancer's group admits the API's link on 443 only",
            ));
        }
        if self.site.is_real
            && config.service.image == PLACEHOLDER_IMAGE
            && !config.network.service_https_egress
        {
            self.faults.push(Fault::new(
                "service.image",
                "the placeholder image is not in ECR, and tasks reach no other registry: put your own image \
                 here, or set network.service_https_egress = true",
            ));
        }
        let secrets = vec![credentials.database.clone(), credentials.cache.clone()];
        // `arn:…:secret:name-suffix:key::` names one key of the secret that the role has to read.
        let secret_of =
            |value: &String| Ref::known(value.split(':').take(7).collect::<Vec<_>>().join(":"));
        let more = config.service.secrets.values().map(secret_of);
        let execution_role = roles::ExecutionRole {
            secrets: secrets.iter().cloned().chain(more).collect(),
            secrets_key: keys.secrets.clone(),
        };
        let sessions = config.service.execute_command.then(|| {
            let name = format!("/ecs/{}/sessions", self.name.of("api"));
            self.log_group("compute/session-log", name, &keys.logs)
        });
        let task_role = roles::TaskRole {
            secrets,
            secrets_key: keys.secrets.clone(),
            stream: stores.stream.arn.clone(),
            stream_key: keys.kinesis.clone(),
            file_system: stores.files.file_system_arn.clone(),
            access_point: stores.files.access_point_arn.clone(),
            database: None,
            sessions: sessions
                .as_ref()
                .map(|log| roles::Sessions { log_group: log.arn(), key: keys.logs.clone() }),
            more: BTreeMap::new(),
        };
        let log = self.log_group(
            "compute/service-log",
            format!("/ecs/{}", self.name.of("api")),
            &keys.logs,
        );
        let spec = ComputeSpec {
            workload: config.service.clone(),
            inputs: Inputs {
                region: self.site.region.clone(),
                vpc: network.vpc.clone(),
                subnets: network.private_subnets.clone(),
                load_balancer_security_group: network.load_balancer.clone(),
                task_security_group: network.service.clone(),
                certificate,
                access_log_bucket: trail.load_balancer_log_bucket.clone(),
                execution_role: execution_role.declare(&mut self.stack, &place),
                task_role: task_role.declare(&mut self.stack, &place),
                log_group: log.id(),
                file_system: stores.files.file_system.clone(),
                access_point: stores.files.access_point.clone(),
                database_endpoint: stores.database.endpoint.clone(),
                cache_endpoint: stores.cache.endpoint.clone(),
                stream: stores.stream.name.clone(),
                database_secret: credentials.database.clone(),
                cache_secret: Some(CacheSecret { secret: credentials.cache.clone(), key: None }),
                execute_command: sessions
                    .map(|log| ExecuteCommand::logged(keys.logs.clone(), log.id())),
            },
        };
        // What is wrong with the certificate is said of its own key.
        let problems = compute::composition::validate(&self.name, &spec).into_iter();
        self.blame("service", problems.filter(|mistake| mistake.field != "certificate"));
        let warnings = compute::composition::warnings(&spec).into_iter();
        self.warnings.extend(warnings.map(|warning| format!("service.{warning}")));
        let compute = compute::declare(&mut self.stack, &spec);
        // Tasks mount the file system when they start, although no value flows from the mount targets.
        for target in &stores.files.mount_targets {
            self.stack.order(&compute.service, &target.ready());
        }
        compute
    }

    fn api(
        &mut self,
        keys: &Keys,
        network: &Network,
        compute: &compute::Compute,
        access_log: &Handle<LogGroup>,
    ) -> api::Api {
        let (config, place) = (self.config, self.place());
        let choice = &config.api;
        let firewall = choice.waf.then(|| {
            // WAF only logs to groups whose name begins like this.
            let name = format!("aws-waf-logs-{}", self.name.of("api"));
            let group = self.log_group("compute/waf-log", name, &keys.logs);
            Firewall {
                rate_limit: choice.waf_rate_limit,
                log_group: Some(group.arn()),
                ..Firewall::default()
            }
        });
        let arns = |arns: &[String]| arns.iter().map(Ref::known).collect();
        let authorization = match choice.authorizer {
            Authorizer::Iam => Authorization::Iam,
            Authorizer::Cognito => Authorization::Cognito {
                user_pools: arns(&choice.user_pool_arns),
                scopes: choice.oauth_scopes.iter().cloned().collect(),
            },
            Authorizer::Lambda => Authorization::Lambda {
                function: Ref::known(choice.authorizer_function_arn.clone().unwrap_or_default()),
                role: None,
            },
        };
        let spec = ApiSpec {
            routes: choice.routes.clone(),
            authorization,
            subnets: network.private_subnets.iter().cloned().collect(),
            vpc_link_security_group: network.link.clone(),
            load_balancer: compute.load_balancer.clone(),
            load_balancer_host: compute.dns_name.clone(),
            listener: Some(compute.listener.clone()),
            backend_host: config.certificate.host.clone(),
            // Nobody vouches for the self-signed certificate.
            backend_certificate_from_anyone: config.certificate.arn.is_none(),
            stage_name: choice.stage.clone(),
            access_log_group: access_log.arn(),
            logging_level: choice.logging_level.clone(),
            cloudwatch_role: Some(roles::ApiGatewayLogRole.declare(&mut self.stack, &place)),
            throttling_rate: choice.throttling_rate,
            throttling_burst: choice.throttling_burst,
            tracing: choice.tracing,
            firewall,
            ..ApiSpec::default()
        };
        let problems = api::validate(&spec);
        let problems = problems.into_iter();
        self.blame("", problems.map(|it| Mistake::new(api_key(&it.field), it.message)));
        api::declare(&mut self.stack, &spec)
    }
}

/// The key of the configuration that a field of the network's specification comes from.
fn network_key(field: &str) -> String {
    match field {
        "ports.container" => return "service.port".into(),
        "ports.postgres" => return "database.port".into(),
        "ports.redis" => return "cache.port".into(),
        _ => {}
    }
    // zones[1].public is the second entry of public_cidrs.
    let tier = field.strip_prefix("zones[").and_then(|rest| rest.split_once("]."));
    let key = match tier {
        Some((index, "public")) => format!("public_cidrs[{index}]"),
        Some((index, "private")) => format!("private_cidrs[{index}]"),
        Some((index, "isolated")) => format!("data_cidrs[{index}]"),
        Some((index, _)) => format!("availability_zones[{index}]"),
        None if field == "zones" => "availability_zones".into(),
        None if field.starts_with("endpoints.") => "endpoints".into(),
        None => field.into(),
    };
    format!("network.{key}")
}

/// The key of the configuration that a field of the API's specification comes from.
fn api_key(field: &str) -> String {
    match field {
        "backend_host" => "certificate.host".into(),
        "stage_name" => "api.stage".into(),
        "firewall.rate_limit" => "api.waf_rate_limit".into(),
        "authorization.function" => "api.authorizer_function_arn".into(),
        "authorization.user_pools" => "api.user_pool_arns".into(),
        other => format!("api.{other}"),
    }
}
