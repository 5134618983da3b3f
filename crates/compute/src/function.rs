//! `lambda.function`: a small program that AWS runs for another service, its code made into an archive
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, EnvironmentResponse, FunctionCode, FunctionConfiguration,
    LastUpdateStatus, LoggingConfig, Runtime, State, VpcConfig,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::plaintext::hide;
use engine::vocabulary::{
    Arn, FunctionArn, FunctionName, LogGroupName, Private, RoleArn, SecurityGroupId, SubnetId,
};
use engine::{
    Allow, ApiError, Aws, Changes, Collected, Deletion, Error, Live, New, Permissions, Poll,
    Readiness, Ref, Resource, Result, Scope, Status, Tags, Traits, When, client, wait,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::gathered::{gathered, incomplete};

/// How many functions are read at a time.
const CONCURRENT: usize = 8;
/// How long a change takes to arrive before the next one may come.
const ARRIVAL: Poll = Poll::within(5, 1, 2);

/// A Lambda function. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name, unique in the region: letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// What it does, at most 256 characters.
    pub description: String,
    /// The runtime: `python3.13`.
    pub runtime: String,
    /// `arm64` or `x86_64`.
    pub architecture: String,
    /// What is called: `{file}.{function}`.
    pub handler: String,
    /// The role whose permissions it has.
    pub role: Ref<RoleArn>,
    /// Its files, by name. Only ever written; [`code_sha256`](Self::code_sha256) is compared.
    #[serde(default)]
    pub source: BTreeMap<String, String>,
    /// The digest of the archive of its files, in base64 as Lambda writes it.
    pub code_sha256: String,
    /// Environment variables. Never secrets: anybody who may describe the function reads them. What is read and looks
    /// like a secret is [hidden](engine::plaintext).
    pub environment: BTreeMap<String, String>,
    /// After how many seconds it is stopped: 1 to 900.
    pub timeout_seconds: i32,
    /// Its memory in MB: 128 to 10,240.
    pub memory_mb: i32,
    /// The key that encrypts the environment. `None`: a key that AWS owns.
    pub kms_key: Option<Ref<Arn>>,
    /// Where it logs.
    pub log_group: Ref<LogGroupName>,
    /// The subnets that it has network interfaces in. Empty: it is in no VPC of ours.
    #[serde(default)]
    pub subnets: BTreeSet<Ref<SubnetId<Private>>>,
    /// What its network interfaces may reach, in a VPC.
    #[serde(default)]
    pub security_groups: BTreeSet<Ref<SecurityGroupId>>,
    /// How many may run at once. `None`: as many as the account has left.
    pub reserved_concurrency: Option<i32>,
    /// Who may call it, by statement id.
    pub permissions: BTreeMap<String, Permission>,
}

/// A service may call the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// What it may do: `lambda:InvokeFunction`.
    #[serde(default)]
    pub action: String,
    /// The service: `secretsmanager.amazonaws.com`.
    pub principal: String,
    /// Only on behalf of this account.
    pub source_account: Option<String>,
    /// Only on behalf of this resource.
    pub source_arn: Option<Ref<Arn>>,
}

impl Function {
    /// A Python function of one file, whose `handler` is called with each event. 128 MB, a minute, one
    /// at a time as far as the account's limits go.
    pub fn python(
        name: impl Into<String>,
        role: Ref<RoleArn>,
        log_group: Ref<LogGroupName>,
        file: (&str, &str),
    ) -> Self {
        let (module, text) = file;
        let source = BTreeMap::from([(format!("{module}.py"), text.to_owned())]);
        Self {
            name: name.into(),
            description: String::new(),
            runtime: "python3.13".into(),
            architecture: "arm64".into(),
            handler: format!("{module}.handler"),
            role,
            code_sha256: digest(&archive(&source)),
            source,
            environment: BTreeMap::new(),
            timeout_seconds: 60,
            memory_mb: 128,
            kms_key: None,
            log_group,
            subnets: BTreeSet::new(),
            security_groups: BTreeSet::new(),
            reserved_concurrency: None,
            permissions: BTreeMap::new(),
        }
    }
}

impl Resource for Function {
    const TRAITS: Traits = Traits {
        name: Some("name"),
        immutable: &["name"],
        late: &["reserved_concurrency", "permissions"],
        // Changes are refused while it is being made.
        late_when_ready: true,
        ready: Poll::SHORT.expecting(5),
        write_only: &["source"],
        not_yet: &[
            // The role was made a moment ago, or its permissions were.
            ("InvalidParameterValueException", "cannot be assumed by Lambda"),
            ("InvalidParameterValueException", "execution role does not have permissions"),
            ("InvalidParameterValueException", "KMS key is invalid"),
            // An earlier change is still on its way.
            ("ResourceConflictException", "in progress"),
            ("ResourceConflictException", "currently in the following state"),
        ],
        attached_by: &[("subnets", "ec2.subnet"), ("security_groups", "ec2.security_group")],
        costly: true,
        permissions: Permissions {
            read: &[
                Allow::to(&["lambda:ListFunctions"]),
                Allow::to(&[
                    "lambda:GetFunction",
                    "lambda:GetFunctionConfiguration",
                    "lambda:GetPolicy",
                ])
                .on(&["lambda:{here}:function:{perhaps}"]),
            ],
            make: &[
                Allow::to(&["lambda:CreateFunction"])
                    .on(&["lambda:{here}:function:{name}"])
                    .for_stack(),
                Allow::to(&[
                    "lambda:PutFunctionConcurrency",
                    "lambda:AddPermission",
                    "lambda:TagResource",
                ])
                .on(&["lambda:{here}:function:{name}"]),
                Allow::to(&[
                    "lambda:UpdateFunctionCode",
                    "lambda:UpdateFunctionConfiguration",
                    "lambda:DeleteFunctionConcurrency",
                    "lambda:RemovePermission",
                    "lambda:UntagResource",
                ])
                .on(&["lambda:{here}:function:{name}"])
                .of_stack(),
                Allow::to(&["iam:PassRole"])
                    .on(&["iam::{account}:role/{name}", "iam::{account}:role/{successor}"])
                    .under(&[When::equals("iam:PassedToService", &["lambda.amazonaws.com"])]),
            ],
            remove: &[Allow::to(&["lambda:DeleteFunction"])
                .on(&["lambda:{here}:function:{name}"])
                .of_stack()],
        },
        ..Traits::of("lambda.function")
    };
    type Id = FunctionName;
    type Arn = FunctionArn;

    async fn collect(aws: &Aws, scope: &Scope) -> Collected<Self> {
        match listed(aws).await {
            Ok(functions) => {
                let reads = functions.into_iter().map(|function| read(aws, scope, function));
                gathered(futures::stream::iter(reads).buffer_unordered(CONCURRENT)).await
            }
            Err(error) => Collected::failed(error),
        }
    }

    async fn create(&self, aws: &Aws, new: &New) -> Result<Live<Self>> {
        let action = "lambda:CreateFunction";
        let call = client!(aws, aws_sdk_lambda)
            .create_function()
            .function_name(&self.name)
            .description(&self.description)
            .runtime(Runtime::from(self.runtime.as_str()))
            .architectures(Architecture::from(self.architecture.as_str()))
            .handler(&self.handler)
            .role(self.role.as_str())
            .code(FunctionCode::builder().zip_file(Blob::new(archive(&self.source))).build())
            .environment(self.variables())
            .timeout(self.timeout_seconds)
            .memory_size(self.memory_mb)
            .set_kms_key_arn(self.kms_key.as_ref().map(ToString::to_string))
            .logging_config(self.logging())
            .set_vpc_config((!self.subnets.is_empty()).then(|| self.vpc()))
            .set_tags(Some(new.tags.clone().into_iter().collect()));
        let made = aws.call(action, call.send()).await?;
        let arn =
            made.function_arn.ok_or_else(|| Error::incomplete(action, "the function's ARN"))?;
        let spec =
            Self { reserved_concurrency: None, permissions: BTreeMap::new(), ..self.clone() };
        let status = status(made.state.as_ref(), made.state_reason.as_deref());
        Ok(Live::new(&self.name, spec)
            .with_arn(arn)
            .with_tags(new.tags.clone())
            .with_status(status))
    }

    async fn ready(aws: &Aws, live: &Live<Self>) -> Result<Readiness> {
        let call =
            client!(aws, aws_sdk_lambda).get_function_configuration().function_name(&live.id);
        let found = aws.call("lambda:GetFunctionConfiguration", call.send()).await?;
        if found.last_update_status == Some(LastUpdateStatus::InProgress) {
            return Ok(Readiness::Pending("an update is in progress".into()));
        }
        Ok(match status(found.state.as_ref(), found.state_reason.as_deref()) {
            Status::Pending(word) => Readiness::Pending(word),
            Status::Failed(why) => Readiness::Failed(why),
            Status::Ready | Status::Deleting => Readiness::ready(),
        })
    }

    async fn update(&self, aws: &Aws, live: &Live<Self>, changes: &Changes) -> Result<()> {
        let lambda = client!(aws, aws_sdk_lambda);
        if changes.any(&["code_sha256", "architecture"]) {
            let call = lambda
                .update_function_code()
                .function_name(&live.id)
                .architectures(Architecture::from(self.architecture.as_str()))
                .zip_file(Blob::new(archive(&self.source)));
            aws.call("lambda:UpdateFunctionCode", call.send()).await?;
            arrived(aws, &live.id).await?;
        }
        let configuration = [
            "description",
            "runtime",
            "handler",
            "role",
            "environment",
            "timeout_seconds",
            "memory_mb",
            "kms_key",
            "log_group",
            "subnets",
            "security_groups",
        ];
        if changes.any(&configuration) {
            let call = lambda
                .update_function_configuration()
                .function_name(&live.id)
                .description(&self.description)
                .runtime(Runtime::from(self.runtime.as_str()))
                .handler(&self.handler)
                .role(self.role.as_str())
                .environment(self.variables())
                .timeout(self.timeout_seconds)
                .memory_size(self.memory_mb)
                // Empty: the key that AWS owns.
                .kms_key_arn(self.kms_key.as_ref().map_or("", Ref::as_str))
                .logging_config(self.logging())
                // Without subnets: it leaves the VPC.
                .set_vpc_config(changes.any(&["subnets", "security_groups"]).then(|| self.vpc()));
            aws.call("lambda:UpdateFunctionConfiguration", call.send()).await?;
            arrived(aws, &live.id).await?;
        }
        if changes.has("reserved_concurrency") {
            self.reserve(aws, &live.id).await?;
        }
        if changes.has("permissions") {
            self.permit(aws, live).await?;
        }
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, put: &Tags, remove: &[String]) -> Result<()> {
        let lambda = client!(aws, aws_sdk_lambda);
        let arn = live.require_arn("lambda:GetFunction")?;
        if !put.is_empty() {
            let tags = put.clone().into_iter().collect();
            let call = lambda.tag_resource().resource(arn).set_tags(Some(tags));
            aws.call("lambda:TagResource", call.send()).await?;
        }
        if !remove.is_empty() {
            let call = lambda.untag_resource().resource(arn).set_tag_keys(Some(remove.to_vec()));
            aws.call("lambda:UntagResource", call.send()).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>, _: &Deletion) -> Result<()> {
        let call = client!(aws, aws_sdk_lambda).delete_function().function_name(&live.id);
        aws.find("lambda:DeleteFunction", call.send()).await?;
        Ok(())
    }
}

impl Function {
    fn variables(&self) -> Environment {
        let variables = self.environment.clone().into_iter().collect();
        Environment::builder().set_variables(Some(variables)).build()
    }

    fn logging(&self) -> LoggingConfig {
        LoggingConfig::builder().log_group(self.log_group.as_str()).build()
    }

    fn vpc(&self) -> VpcConfig {
        VpcConfig::builder()
            .set_subnet_ids(Some(self.subnets.iter().map(ToString::to_string).collect()))
            .set_security_group_ids(Some(
                self.security_groups.iter().map(ToString::to_string).collect(),
            ))
            .build()
    }

    async fn reserve(&self, aws: &Aws, name: &str) -> Result<()> {
        let lambda = client!(aws, aws_sdk_lambda);
        match self.reserved_concurrency {
            Some(count) => {
                let call = lambda.put_function_concurrency().function_name(name);
                let call = call.reserved_concurrent_executions(count);
                aws.call("lambda:PutFunctionConcurrency", call.send()).await?;
            }
            None => {
                let call = lambda.delete_function_concurrency().function_name(name);
                aws.call("lambda:DeleteFunctionConcurrency", call.send()).await?;
            }
        }
        Ok(())
    }

    /// A statement cannot change: it goes and comes again.
    async fn permit(&self, aws: &Aws, live: &Live<Self>) -> Result<()> {
        let lambda = client!(aws, aws_sdk_lambda);
        for (id, permission) in &live.spec.permissions {
            if self.permissions.get(id) != Some(permission) {
                let call = lambda.remove_permission().function_name(&live.id).statement_id(id);
                aws.find("lambda:RemovePermission", call.send()).await?;
            }
        }
        for (id, permission) in &self.permissions {
            if live.spec.permissions.get(id) == Some(permission) {
                continue;
            }
            let call = lambda
                .add_permission()
                .function_name(&live.id)
                .statement_id(id)
                .action(&permission.action)
                .principal(&permission.principal)
                .set_source_account(permission.source_account.clone())
                .set_source_arn(permission.source_arn.as_ref().map(ToString::to_string));
            aws.call("lambda:AddPermission", call.send()).await?;
        }
        Ok(())
    }
}

/// The files as a zip archive: the same files give the same bytes, whoever packs them and when.
/// Uncompressed, so that no compressor's version shows.
fn archive(source: &BTreeMap<String, String>) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in source {
        zip.start_file(name.as_str(), options).expect("a memory buffer takes another entry");
        zip.write_all(text.as_bytes()).expect("a memory buffer takes more bytes");
    }
    zip.finish().expect("a memory buffer takes the directory").into_inner()
}

fn digest(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// Waits until a change has arrived: until then Lambda refuses the next one.
async fn arrived(aws: &Aws, name: &str) -> Result<()> {
    let look = || async {
        let call = client!(aws, aws_sdk_lambda).get_function_configuration().function_name(name);
        let found = aws.call("lambda:GetFunctionConfiguration", call.send()).await?;
        Ok(match found.last_update_status {
            Some(LastUpdateStatus::InProgress) => {
                Readiness::Pending("an update is in progress".into())
            }
            Some(LastUpdateStatus::Failed) => {
                Readiness::Failed(found.last_update_status_reason.unwrap_or_default())
            }
            _ => Readiness::ready(),
        })
    };
    wait::until(&format!("lambda.function {name}"), ARRIVAL, look).await
}

fn status(state: Option<&State>, reason: Option<&str>) -> Status {
    match state {
        Some(State::Failed) => Status::Failed(reason.unwrap_or("Failed").into()),
        Some(State::Pending) => Status::Pending("Pending".into()),
        Some(State::Deleting) => Status::Deleting,
        _ => Status::Ready,
    }
}

async fn listed(aws: &Aws) -> Result<Vec<FunctionConfiguration>> {
    let call = client!(aws, aws_sdk_lambda).list_functions().into_paginator().items();
    aws.call("lambda:ListFunctions", call.send().try_collect()).await
}

/// One function; none if it has gone since it was listed. Tags, concurrency and policy cost calls.
async fn read(aws: &Aws, scope: &Scope, listed: FunctionConfiguration) -> Collected<Function> {
    let mut live = match live(listed) {
        Ok(live) => live,
        Err(error) => return Collected::failed(error),
    };
    if !scope.may_be_ours(&live.id) {
        let fields = ["tags", "reserved_concurrency", "permissions"];
        live.leave_out(&fields, "lambda:GetFunction", "its name is none of the stack's");
        return Collected::of(vec![live]);
    }
    let call = client!(aws, aws_sdk_lambda).get_function().function_name(&live.id);
    match aws.find("lambda:GetFunction", call.send()).await {
        Ok(Some(found)) => complete(&mut live, found),
        Ok(None) => return Collected::default(),
        Err(error) => return incomplete(live, error),
    }
    if scope.wants(&live.tags) {
        let permissions = permissions(aws, &live.id).await;
        live.read("permissions", permissions, |spec, found| spec.permissions = found);
    } else {
        live.leave_out(&["permissions"], "lambda:GetPolicy", "it does not belong to the stack");
    }
    Collected::of(vec![live])
}

fn complete(live: &mut Live<Function>, found: GetFunctionOutput) {
    live.tags = found.tags.unwrap_or_default().into_iter().collect();
    let concurrency = found.concurrency.and_then(|one| one.reserved_concurrent_executions);
    live.spec.reserved_concurrency = concurrency;
    if let Some(configuration) = found.configuration {
        let reason = configuration.state_reason.as_deref();
        live.status = status(configuration.state.as_ref(), reason);
    }
}

fn live(found: FunctionConfiguration) -> Result<Live<Function>> {
    let action = "lambda:ListFunctions";
    let missing = |what: &str| Error::incomplete(action, what);
    let name = found.function_name.ok_or_else(|| missing("a function's name"))?;
    let arn = found.function_arn.ok_or_else(|| missing("a function's ARN"))?;
    let architecture = found.architectures.unwrap_or_default().into_iter().next();
    let environment = found.environment.unwrap_or_else(|| EnvironmentResponse::builder().build());
    let log_group = found.logging_config.and_then(|logging| logging.log_group);
    let vpc = found.vpc_config.as_ref();
    let spec = Function {
        name: name.clone(),
        description: found.description.unwrap_or_default(),
        // Functions from container images have none.
        runtime: found.runtime.map_or_else(String::new, |word| word.as_str().to_owned()),
        architecture: architecture.map_or_else(|| "x86_64".into(), |word| word.as_str().to_owned()),
        handler: found.handler.unwrap_or_default(),
        role: Ref::known(found.role.unwrap_or_default()),
        source: BTreeMap::new(),
        code_sha256: found.code_sha256.unwrap_or_default(),
        environment: hide(environment.variables.unwrap_or_default()),
        timeout_seconds: found.timeout.unwrap_or(3),
        memory_mb: found.memory_size.unwrap_or(128),
        kms_key: found.kms_key_arn.filter(|key| !key.is_empty()).map(Ref::known),
        // Where a function logs that was not told where.
        log_group: Ref::known(log_group.unwrap_or_else(|| format!("/aws/lambda/{name}"))),
        subnets: vpc.into_iter().flat_map(|vpc| vpc.subnet_ids()).map(Ref::known).collect(),
        security_groups: vpc
            .into_iter()
            .flat_map(|vpc| vpc.security_group_ids())
            .map(Ref::known)
            .collect(),
        reserved_concurrency: None,
        permissions: BTreeMap::new(),
    };
    let mut live = Live::new(name, spec).with_arn(arn);
    if let Some(error) = environment.error {
        // The function's key keeps us from its environment, and Lambda tells the rest.
        let error = ApiError {
            action: action.into(),
            code: error.error_code.unwrap_or_default(),
            message: error.message.unwrap_or_default(),
            status: None,
        };
        live.unreadable.insert("environment".into(), error);
    }
    Ok(live)
}

async fn permissions(aws: &Aws, name: &str) -> Result<BTreeMap<String, Permission>> {
    let action = "lambda:GetPolicy";
    let call = client!(aws, aws_sdk_lambda).get_policy().function_name(name);
    let Some(found) = aws.find(action, call.send()).await? else { return Ok(BTreeMap::new()) };
    let text = found.policy.ok_or_else(|| Error::incomplete(action, "the policy"))?;
    let policy: Value = serde_json::from_str(&text)
        .map_err(|why| Error::invalid(format!("the policy of the function {name}"), why))?;
    let statements = policy["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(statements.iter().map(permission).collect())
}

/// A statement as AddPermission writes it.
fn permission(statement: &Value) -> (String, Permission) {
    let principal = &statement["Principal"];
    let principal = ["Service", "AWS"].iter().find_map(|kind| principal[kind].as_str());
    let principal = principal.or(statement["Principal"].as_str());
    let condition = |operator: &str, key: &str| {
        statement["Condition"][operator][key].as_str().map(str::to_owned)
    };
    // AddPermission writes one action; whoever writes a policy in another way may name several.
    let actions: Vec<&str> = match &statement["Action"] {
        Value::Array(actions) => actions.iter().filter_map(Value::as_str).collect(),
        one => vec![one.as_str().unwrap_or_default()],
    };
    let permission = Permission {
        action: actions.join(", "),
        principal: principal.unwrap_or_default().to_owned(),
        source_account: condition("StringEquals", "AWS:SourceAccount"),
        source_arn: condition("ArnLike", "AWS:SourceArn").map(Ref::known),
    };
    (statement["Sid"].as_str().unwrap_or_default().to_owned(), permission)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_lambda::types::{EnvironmentError, VpcConfigResponse};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_files_give_the_same_archive() {
        let one = BTreeMap::from([("a.py".to_owned(), "pass".to_owned())]);
        let other = BTreeMap::from([("a.py".to_owned(), "pass\n".to_owned())]);
        assert_eq!(digest(&archive(&one)), digest(&archive(&one)));
        assert_ne!(digest(&archive(&one)), digest(&archive(&other)));
        // The bytes are part of the contract: another digest means that every deploy changes the code.
        assert_eq!(archive(&one)[10..14], [0, 0, 0x21, 0], "the time stamp is the zip epoch");
    }

    #[test]
    fn a_statement_is_read_as_it_was_written() {
        let (id, permission) = permission(&json!({
            "Sid": "secrets", "Effect": "Allow", "Action": "lambda:InvokeFunction",
            "Principal": {"Service": "secretsmanager.amazonaws.com"}, "Resource": "arn:…",
            "Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}},
        }));
        assert_eq!((id.as_str(), permission.action.as_str()), ("secrets", "lambda:InvokeFunction"));
        assert_eq!(permission.source_account.as_deref(), Some("123456789012"));
        assert_eq!(permission.source_arn, None);
    }

    #[test]
    fn a_statement_that_allows_something_else_is_another_one() {
        let statement = |action: Value| {
            let (_, permission) = permission(&json!({
                "Sid": "secrets", "Effect": "Allow", "Action": action,
                "Principal": {"Service": "secretsmanager.amazonaws.com"}, "Resource": "arn:…",
            }));
            permission
        };
        assert_ne!(statement(json!("lambda:InvokeFunction")), statement(json!("lambda:*")));
    }

    #[test]
    fn a_function_that_was_not_told_where_to_log_logs_under_its_name() {
        let found = FunctionConfiguration::builder().function_name("f").function_arn("arn").build();
        let live = live(found).unwrap();
        assert_eq!(live.spec.log_group.as_str(), "/aws/lambda/f");
        assert_eq!(live.spec.kms_key, None);
    }

    #[test]
    fn a_function_says_where_it_stands_and_hides_secrets() {
        let variables = HashMap::from([("DB_PASSWORD".into(), "hunter2".into())]);
        let environment = EnvironmentResponse::builder().set_variables(Some(variables)).build();
        let vpc = VpcConfigResponse::builder().subnet_ids("subnet-1").security_group_ids("sg-1");
        let found = FunctionConfiguration::builder()
            .function_name("f")
            .function_arn("arn")
            .environment(environment)
            .vpc_config(vpc.build())
            .build();
        let live = live(found).unwrap();
        assert!(live.spec.subnets.contains(&Ref::known("subnet-1")));
        assert!(live.spec.security_groups.contains(&Ref::known("sg-1")));
        assert!(!format!("{live:?}").contains("hunter2"), "{live:?}");
    }

    #[test]
    fn an_environment_that_cannot_be_decrypted_is_not_an_empty_one() {
        let error = EnvironmentError::builder().error_code("KMSAccessDeniedException").build();
        let environment = EnvironmentResponse::builder().error(error).build();
        let found = FunctionConfiguration::builder()
            .function_name("f")
            .function_arn("arn")
            .environment(environment);
        let live = live(found.build()).unwrap();
        assert_eq!(live.unreadable["environment"].code, "KMSAccessDeniedException");
    }
}
