//! The policies that `policy` prints, where a server that this project did not write enforces them: each command
//! gets through with its own policy and nothing else, and every action in it is missed when it is not there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Desk, Moto, Ran, python, python_reading};

/// How moto 5.2.5 spells an IAM action where it does not spell it as AWS does. It knows neither resources nor
/// conditions, so the test allows the actions on everything; that resources and conditions fit the actions is
/// tested beside the command, against AWS's reference.
fn moto_spells(action: &str) -> Vec<String> {
    let (service, name) = action.split_once(':').unwrap();
    let names: &[&str] = match (service, name) {
        // moto asks for the operation and not for the verb.
        ("apigateway", "GET") => &["apigateway:Get*"],
        ("apigateway", "POST") => &["apigateway:Create*", "apigateway:TagResource"],
        ("apigateway", "PUT") => &["apigateway:Put*", "apigateway:TagResource"],
        ("apigateway", "PATCH") => &["apigateway:Update*"],
        ("apigateway", "DELETE") => &["apigateway:Delete*", "apigateway:UntagResource"],
        // moto takes what it does not tell apart for the plain request of that method.
        (
            "s3",
            "GetBucketObjectLockConfiguration"
            | "GetEncryptionConfiguration"
            | "GetBucketPublicAccessBlock"
            | "GetBucketOwnershipControls",
        ) => &["s3:ListBucket"],
        (
            "s3",
            "PutBucketObjectLockConfiguration"
            | "PutEncryptionConfiguration"
            | "PutBucketPublicAccessBlock"
            | "PutBucketOwnershipControls",
        ) => &["s3:CreateBucket"],
        ("s3", "GetAccountPublicAccessBlock") => &["s3:GetPublicAccessBlock"],
        ("s3", "PutAccountPublicAccessBlock") => &["s3:PutPublicAccessBlock"],
        ("cloudwatch", _) => return vec![format!("monitoring:{name}")],
        _ => return vec![action.to_owned()],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A desk whose commands run as an IAM user.
struct Office {
    moto: Moto,
    desk: Desk,
}

impl Office {
    fn open() -> Option<Self> {
        let moto = Moto::start()?;
        let desk = Desk::at(&moto.url);
        Some(Self { moto, desk })
    }

    /// The actions of the policy for a command.
    fn printed(&self, command: &[&str]) -> BTreeSet<String> {
        let policy = self.desk.xtask(&[&["policy"], command].concat()).exits(0).json();
        let statements = policy["Statement"].as_array().unwrap().iter();
        let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
        actions.map(|action| action.as_str().unwrap().to_owned()).collect()
    }

    /// Runs a command as a user who may do this and nothing else.
    fn run_as(&self, allowed: &BTreeSet<String>, args: &[&str]) -> Ran {
        let actions: BTreeSet<String> = allowed.iter().flat_map(|one| moto_spells(one)).collect();
        // Nobody may do nothing: a statement needs an action.
        let actions = if actions.is_empty() { ["none:None".to_owned()].into() } else { actions };
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        });
        let (url, text) = (&self.moto.url, policy.to_string());
        self.moto.enforce(false);
        let keys = python_reading("iam_user.py", url, &["limited"], &text).unwrap().exits(0).json();
        self.moto.enforce(true);
        let mut command = self.desk.command(args);
        command
            .env("AWS_ACCESS_KEY_ID", keys["id"].as_str().unwrap())
            .env("AWS_SECRET_ACCESS_KEY", keys["secret"].as_str().unwrap());
        let ran = self.desk.run(command);
        self.moto.enforce(false);
        ran
    }

    /// Runs a command again and again, first without any permission, each time with those that the last run
    /// missed by name, until it gets through. What it has not asked for then is left.
    ///
    /// Every action that is named was missing in a run that had come as far as to call it: without it alone
    /// the run would have come as far, too.
    fn ask_for_each(
        &self,
        printed: &BTreeSet<String>,
        args: &[&str],
        through: i32,
    ) -> BTreeSet<String> {
        self.go_on_asking(printed, printed.clone(), args, through)
    }

    /// The same, where only these are missing to begin with.
    fn go_on_asking(
        &self,
        printed: &BTreeSet<String>,
        mut missing: BTreeSet<String>,
        args: &[&str],
        through: i32,
    ) -> BTreeSet<String> {
        loop {
            let allowed: BTreeSet<String> = printed.difference(&missing).cloned().collect();
            let ran = self.run_as(&allowed, args);
            let named: BTreeSet<String> =
                denied(&ran).into_iter().filter(|action| missing.contains(action)).collect();
            if named.is_empty() {
                ran.exits(through);
                return missing;
            }
            // An audit's findings win over what it could not read.
            let failed = matches!(ran.code, Some(1 | 3));
            assert!(failed, "{named:?}: {}\n{}", ran.stdout, ran.stderr);
            missing = missing.difference(&named).cloned().collect();
        }
    }
}

/// The actions that a command says it was denied.
fn denied(ran: &Ran) -> BTreeSet<String> {
    let said = format!("{}\n{}", ran.stdout, ran.stderr);
    // An audit lists them, one a line.
    let list = said.split_once("Allow these IAM actions").map_or("", |(_, list)| list);
    let listed = list.lines().skip(1).take_while(|line| line.starts_with("  "));
    let words: Vec<&str> = said.split_whitespace().collect();
    let mut found: BTreeSet<String> = listed.map(|line| line.trim().to_owned()).collect();
    for pair in words.windows(2) {
        if pair[1].contains("AccessDenied") || pair[0] == "action" {
            let word = if pair[0] == "action" { pair[1] } else { pair[0] };
            let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            found.extend(word.contains(':').then(|| word.to_owned()));
        }
    }
    found
}

/// What an audit found, without its time.
fn findings(audit: &Ran) -> Vec<Value> {
    audit.json()["findings"].as_array().unwrap().clone()
}

#[test]
fn each_command_gets_through_with_its_policy_and_nothing_else() {
    let Some(office) = Office::open() else { return };
    let [deploy, destroy, audit] = ["deploy", "destroy", "audit"].map(|of| office.printed(&[of]));

    office.run_as(&deploy, &["deploy"]).exits(0);
    office.run_as(&deploy, &["plan"]).exits(0);

    let with_all = office.desk.xtask(&["audit", "--json"]);
    let with_little = office.run_as(&audit, &["audit", "--json"]);
    assert_eq!(with_little.code, with_all.code, "{}", with_little.stderr);
    assert_eq!(findings(&with_little), findings(&with_all));
    let account = office.printed(&["audit", "--scope", "account"]);
    let with_all = office.desk.xtask(&["audit", "--scope", "account", "--json"]);
    let with_little = office.run_as(&account, &["audit", "--scope", "account", "--json"]);
    assert_eq!(denied(&with_little), names(IN_CHINA));
    assert_eq!(findings(&with_little).len(), findings(&with_all).len());

    office.run_as(&destroy, &["destroy", "--allow-data-loss"]).exits(0);
    let left = python("left.py", &office.moto.url, &["student-dev"]).unwrap().exits(0);
    // moto has no DeleteCacheSubnetGroup.
    assert_eq!(left.stdout.trim(), r#"["student-cache-subnets-dev"]"#);
}

#[test]
fn who_may_audit_may_change_nothing() {
    let Some(office) = Office::open() else { return };
    // A run that cannot have the lease tries nothing else: it may have that here, so that all the rest is tried.
    let lease = office.printed(&["deploy"]).into_iter().filter(|action| action.starts_with("ssm:"));
    let audit: BTreeSet<String> = office.printed(&["audit"]).into_iter().chain(lease).collect();
    // Whoever deploys looks for zones first, which no audit does.
    let zones = "[network]\navailability_zones = [\"us-east-1a\", \"us-east-1b\"]\n";
    let every_step_is_refused = |at_least: usize| {
        let refused = office.run_as(&audit, &["deploy", "--json"]).exits(3).json();
        let run = &refused["run"];
        assert_eq!(run["done"], json!([]));
        let failed = run["failed"].as_array().unwrap();
        assert!(failed.len() > at_least, "{} steps were tried", failed.len());
        for step in failed {
            assert!(step.to_string().contains("AccessDenied"), "{step}");
        }
    };
    office.desk.write("ferpa.toml", zones);
    // All that needs nothing else.
    every_step_is_refused(20);

    office.desk.xtask(&["deploy"]).exits(0);
    // What moto does not keep is in both.
    let plan = || office.desk.xtask(&["plan", "--json"]).exits(0).json();
    let outputs = || office.desk.xtask(&["outputs", "--json"]).exits(0).stdout;
    let before = (plan(), outputs());
    office.desk.write("ferpa.toml", &ANOTHER_DAY.replacen("[network]\n", zones, 1));
    every_step_is_refused(60);
    office.desk.write("ferpa.toml", zones);
    assert_eq!((plan(), outputs()), before);

    let refused =
        office.run_as(&audit, &["destroy", "--allow-data-loss", "--json"]).exits(3).json();
    // Whoever has nothing to let go of has let go without a call.
    for step in refused["run"]["done"].as_array().unwrap() {
        assert_eq!(step["what"], "detach", "{step}");
    }
    assert_eq!((plan(), outputs()), before);
}

/// A configuration that changes almost everything that the default one has made.
const ANOTHER_DAY: &str = include_str!("another_day.toml");

/// Actions that a command gets through without, in lists by the reason.
type Reasons = &'static [(&'static str, &'static str)];

fn all(reasons: Reasons) -> BTreeSet<String> {
    reasons.iter().flat_map(|(_, list)| list.split_whitespace()).map(str::to_owned).collect()
}

/// What deploy does without on moto.
const DEPLOYS_WITHOUT: Reasons = &[
    (
        "an optional kind: an imitation of AWS may lack its service; on AWS this stops a plan",
        "
        access-analyzer:ListAnalyzers
        ec2:GetEbsEncryptionByDefault
        guardduty:ListDetectors
        iam:GetAccountPasswordPolicy
        s3:GetAccountPublicAccessBlock
        ",
    ),
    (
        "moto does not have it, nor the selections of a backup plan",
        "
        backup:CreateBackupSelection backup:DeleteBackupSelection backup:GetBackupSelection
        backup:GetBackupVaultAccessPolicy
        ",
    ),
    (
        "read for audits in the same listing; plans do not compare it",
        "
        kms:ListGrants
        s3:GetBucketAcl
        ",
    ),
    (
        "moto takes it for s3:CreateBucket",
        "
        s3:PutBucketObjectLockConfiguration s3:PutBucketPublicAccessBlock s3:PutEncryptionConfiguration
        ",
    ),
    (
        "AWS does it in our name, or asks whether we might; moto does neither",
        "
        apigateway:SetWebACL apigateway:UpdateRestApiPolicy
        backup-storage:MountCapsule
        ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:DescribeAccountAttributes
        ec2:DescribeNetworkInterfaceAttribute ec2:DescribeNetworkInterfaces ec2:ModifyNetworkInterfaceAttribute
        iam:CreateServiceLinkedRole iam:PassRole
        kms:CreateGrant kms:Decrypt kms:GenerateDataKey kms:RetireGrant
        lambda:InvokeFunction
        logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeResourcePolicies logs:GetLogDelivery
        logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery
        rds:CreateDBClusterSnapshot rds:DeleteDBClusterSnapshot
        route53:AssociateVPCWithHostedZone
        s3:BypassGovernanceRetention s3:TagResource
        ssm:AddTagsToResource
        ",
    ),
    (
        "there is nothing of that in the account",
        "
        wafv2:DescribeManagedRuleGroup
        access-analyzer:ListFindings
        ec2:GetEbsDefaultKmsKeyId
        elasticache:DescribeUserGroups elasticache:DescribeUsers
        guardduty:GetDetector
        ",
    ),
    (
        "the lease: somebody else's is in the way",
        "
        ssm:GetParameter
        ",
    ),
    (
        "the lease: its last entry goes with the stack",
        "
        ssm:DeleteParameters
        ",
    ),
    (
        "another day: something is to be removed",
        "
        access-analyzer:DeleteAnalyzer
        acm:DeleteCertificate
        application-autoscaling:DeleteScalingPolicy application-autoscaling:DeregisterScalableTarget
        backup:DeleteBackupPlan backup:DeleteBackupVault backup:DeleteBackupVaultAccessPolicy
        backup:DeleteBackupVaultLockConfiguration backup:DeleteRecoveryPoint
        backup:ListRecoveryPointsByBackupVault
        cloudtrail:DeleteTrail
        cloudwatch:DeleteAlarms
        ec2:DeleteFlowLogs ec2:DeleteInternetGateway ec2:DeleteNatGateway ec2:DeleteRoute ec2:DeleteRouteTable
        ec2:DeleteSecurityGroup ec2:DeleteSubnet ec2:DeleteVpc ec2:DeleteVpcEndpoints ec2:DetachInternetGateway
        ec2:DisassociateRouteTable ec2:ReleaseAddress ec2:RevokeSecurityGroupIngress
        ecs:DeleteCluster ecs:DeleteService
        elasticache:DeleteCacheSubnetGroup elasticache:DeleteReplicationGroup
        elasticfilesystem:DeleteAccessPoint elasticfilesystem:DeleteFileSystem
        elasticfilesystem:DeleteMountTarget
        elasticloadbalancing:DeleteListener elasticloadbalancing:DeleteLoadBalancer
        elasticloadbalancing:DeleteTargetGroup
        firehose:DeleteDeliveryStream
        guardduty:DeleteDetector
        iam:DeleteRole iam:DeleteRolePolicy iam:DetachRolePolicy iam:ListAttachedRolePolicies
        iam:ListRolePolicies
        kinesis:DeleteStream
        kms:ScheduleKeyDeletion
        lambda:DeleteFunction
        logs:DeleteLogGroup logs:DeleteSubscriptionFilter
        rds:DeleteDBCluster rds:DeleteDBClusterParameterGroup rds:DeleteDBInstance rds:DeleteDBSubnetGroup
        s3:DeleteBucket s3:DeleteBucketPolicy s3:DeleteObjectVersion s3:ListBucketVersions s3:PutBucketLogging
        secretsmanager:DeleteSecret
        sns:DeleteTopic
        wafv2:DeleteWebACL wafv2:DisassociateWebACL
        ",
    ),
    (
        "another day, or another configuration: something else has changed",
        "
        backup:PutBackupVaultAccessPolicy backup:UpdateBackupPlan
        cloudtrail:StopLogging cloudtrail:UpdateTrail
        ec2:ModifySubnetAttribute ec2:ModifyVpcEndpoint ec2:ReplaceRoute ec2:ReplaceRouteTableAssociation
        ec2:UpdateSecurityGroupRuleDescriptionsEgress ec2:UpdateSecurityGroupRuleDescriptionsIngress
        ecs:PutClusterCapacityProviders
        elasticache:DecreaseReplicaCount elasticache:ModifyCacheSubnetGroup
        elasticfilesystem:DeleteFileSystemPolicy elasticfilesystem:ModifyMountTargetSecurityGroups
        elasticfilesystem:PutBackupPolicy elasticfilesystem:UpdateFileSystem
        elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets
        firehose:StartDeliveryStreamEncryption firehose:StopDeliveryStreamEncryption
        iam:DeleteRolePermissionsBoundary iam:PutRolePermissionsBoundary
        iam:UpdateAssumeRolePolicy iam:UpdateRole
        kinesis:DecreaseStreamRetentionPeriod
        kinesis:StopStreamEncryption
        kinesis:UpdateStreamMode
        kms:CancelKeyDeletion kms:DeleteAlias kms:DisableKey kms:DisableKeyRotation kms:EnableKey
        kms:UpdateAlias kms:UpdateKeyDescription
        lambda:DeleteFunctionConcurrency lambda:PutFunctionConcurrency lambda:RemovePermission
        lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration
        logs:AssociateKmsKey logs:DeleteMetricFilter logs:DeleteRetentionPolicy logs:DisassociateKmsKey
         rds:ModifyDBSubnetGroup rds:ResetDBClusterParameterGroup rds:StartDBCluster
        s3:PutBucketOwnershipControls
        secretsmanager:CancelRotateSecret secretsmanager:DeleteResourcePolicy secretsmanager:RestoreSecret
        secretsmanager:UpdateSecret
        sns:SetTopicAttributes sns:Unsubscribe
        wafv2:DeleteLoggingConfiguration wafv2:UpdateWebACL
        ",
    ),
];

/// What destroy does without on moto. It reads what deploy reads: a kind is read in one way.
const DESTROYS_WITHOUT: Reasons = &[
    (
        "an optional kind",
        "
        access-analyzer:ListAnalyzers
        ec2:GetEbsEncryptionByDefault
        guardduty:ListDetectors
        iam:GetAccountPasswordPolicy
        s3:GetAccountPublicAccessBlock
        ",
    ),
    (
        "moto does not have it, nor the selections of a backup plan",
        "
        backup:DeleteBackupSelection backup:GetBackupSelection backup:GetBackupVaultAccessPolicy
        ",
    ),
    (
        "AWS does it in our name; moto does not",
        "
        apigateway:SetWebACL
        ec2:DeleteNetworkInterface ec2:DescribeNetworkInterfaceAttribute
        rds:AddTagsToResource rds:CreateDBClusterSnapshot rds:DeleteDBClusterSnapshot
        s3:BypassGovernanceRetention
        ssm:AddTagsToResource
        ",
    ),
    (
        "the lease: somebody else's is in the way",
        "
        ssm:GetParameter
        ",
    ),
    (
        "not seen, and gone with what it belongs to",
        "
        application-autoscaling:DeleteScalingPolicy application-autoscaling:DescribeScalingPolicies
        logs:DeleteSubscriptionFilter logs:DescribeSubscriptionFilters
        ",
    ),
    (
        "an attribute of what goes, which is compared with nothing",
        "
        backup:GetBackupPlan
        cloudtrail:GetEventSelectors cloudtrail:GetTrailStatus
        ec2:DescribeVpcAttribute
        elasticache:DescribeCacheClusters
        elasticfilesystem:DescribeBackupPolicy elasticfilesystem:DescribeFileSystemPolicy
        elasticfilesystem:DescribeLifecycleConfiguration elasticfilesystem:DescribeMountTargetSecurityGroups
        elasticloadbalancing:DescribeLoadBalancerAttributes elasticloadbalancing:DescribeTargetGroupAttributes
        iam:ListRoles
        kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListAliases kms:ListGrants
        lambda:GetPolicy
        logs:DescribeMetricFilters
        rds:DescribeDBClusterParameters
        s3:GetBucketAcl s3:GetBucketLogging s3:GetBucketObjectLockConfiguration s3:GetBucketOwnershipControls
        s3:GetBucketPolicy s3:GetBucketPublicAccessBlock s3:GetBucketVersioning s3:GetEncryptionConfiguration
        s3:GetLifecycleConfiguration
        secretsmanager:GetResourcePolicy
        sns:GetTopicAttributes sns:ListSubscriptionsByTopic
        wafv2:GetLoggingConfiguration
        ",
    ),
    (
        "moto is done at once, so nothing is waited for",
        "
        backup:DescribeBackupVault
        lambda:GetFunctionConfiguration
        ",
    ),
    (
        "there is nothing of that in the account",
        "
        wafv2:DescribeManagedRuleGroup
        access-analyzer:DeleteAnalyzer access-analyzer:ListFindings
        backup:DeleteBackupVaultAccessPolicy backup:DeleteRecoveryPoint backup:ListRecoveryPointsByBackupVault
        ec2:GetEbsDefaultKmsKeyId
        elasticache:DescribeUserGroups elasticache:DescribeUsers
        guardduty:DeleteDetector guardduty:GetDetector
        rds:StartDBCluster
        s3:DeleteObjectVersion s3:PutBucketLogging
        ",
    ),
];

/// What an audit of the stack does without on moto.
const AUDITS_WITHOUT: Reasons = &[
    (
        "moto does not have it, nor the selections of a backup plan",
        "
        access-analyzer:ListAnalyzers
        backup:GetBackupSelection backup:GetBackupVaultAccessPolicy
        ",
    ),
    (
        "AWS does it in our name; moto does not",
        "
        ec2:DescribeNetworkInterfaceAttribute
        ",
    ),
    (
        "only who makes or removes one waits for it; it is part of how the kind is read",
        "
        backup:DescribeBackupVault
        lambda:GetFunctionConfiguration
        ",
    ),
    (
        "no stack has any of these, and an audit of a stack does not look at strangers of kinds that cost many calls",
        "
        iam:GetAccessKeyLastUsed iam:GetLoginProfile iam:ListAccessKeys iam:ListMFADevices iam:ListUsers
        ",
    ),
    (
        "there is nothing of that in the account",
        "
        wafv2:DescribeManagedRuleGroup
        access-analyzer:ListFindings
        dynamodb:DescribeContinuousBackups dynamodb:DescribeTable dynamodb:ListTagsOfResource
        ec2:DescribeSnapshotAttribute ec2:GetEbsDefaultKmsKeyId ec2:GetManagedPrefixListEntries
        elasticache:DescribeUserGroups elasticache:DescribeUsers
        elasticloadbalancing:DescribeRules
        es:DescribeDomains es:ListTags
        guardduty:GetDetector
        rds:DescribeDBClusterSnapshotAttributes rds:DescribeDBParameters rds:DescribeDBSnapshotAttributes
        ",
    ),
];

/// What an audit of the account does without on moto.
const ACCOUNT_AUDITS_WITHOUT: Reasons = &[
    (
        "moto does not have it, nor the selections of a backup plan",
        "
        access-analyzer:ListAnalyzers
        backup:GetBackupSelection backup:GetBackupVaultAccessPolicy
        ",
    ),
    (
        "AWS does it in our name; moto does not",
        "
        ec2:DescribeNetworkInterfaceAttribute
        ",
    ),
    (
        "only who makes or removes one waits for it; it is part of how the kind is read",
        "
        backup:DescribeBackupVault
        lambda:GetFunctionConfiguration
        ",
    ),
    (
        "asked of a recorder, and there is none",
        "
        config:DescribeConfigurationRecorderStatus config:DescribeDeliveryChannels
        ",
    ),
    (
        "there is nothing of that in the account",
        "
        wafv2:DescribeManagedRuleGroup
        access-analyzer:ListFindings
        bedrock:GetModelCustomizationJob
        cloudfront:GetDistributionConfig cloudfront:GetVpcOrigin cloudfront:ListTagsForResource
        cognito-idp:DescribeUserPool
        dynamodb:DescribeContinuousBackups dynamodb:DescribeTable dynamodb:ListTagsOfResource
        ec2:DescribeSnapshotAttribute ec2:GetEbsDefaultKmsKeyId ec2:GetManagedPrefixListEntries
        elasticache:DescribeUserGroups elasticache:DescribeUsers
        elasticloadbalancing:DescribeRules
        es:DescribeDomains es:ListTags
        guardduty:GetDetector
        macie2:DescribeBuckets
        organizations:DescribePolicy organizations:ListParents organizations:ListPoliciesForTarget
        ram:GetResourceShareAssociations
        rds:DescribeDBClusterSnapshotAttributes rds:DescribeDBParameters rds:DescribeDBSnapshotAttributes
        sagemaker:DescribeAutoMLJobV2 sagemaker:DescribeFeatureGroup sagemaker:DescribeModel
        sagemaker:DescribeProcessingJob sagemaker:DescribeTrainingJob sagemaker:DescribeTransformJob
        ",
    ),
];

/// moto shows the regions of China to everybody, and knows nobody there: it denies these in them.
const IN_CHINA: &[(&str, &str)] = &[
    ("dynamodb:ListTables", "another partition"),
    ("es:ListDomainNames", "another partition"),
    ("rds:DescribeDBClusterSnapshots", "another partition"),
    ("rds:DescribeDBClusters", "another partition"),
    ("rds:DescribeDBInstances", "another partition"),
    ("rds:DescribeDBSnapshots", "another partition"),
];

fn names(list: &[(&str, &str)]) -> BTreeSet<String> {
    list.iter().map(|(action, _)| (*action).to_owned()).collect()
}

/// The actions of the calls that a command makes, from its own log.
fn called(desk: &Desk, args: &[&str]) -> BTreeSet<String> {
    let ran = desk.xtask(&[&["-vvv"], args].concat());
    let marks = ran.stderr.split("action=").skip(1);
    let words = marks.filter_map(|rest| rest.split_whitespace().next());
    words.map(|word| word.trim_matches('"').to_owned()).collect()
}

#[test]
fn every_action_is_needed_and_named_when_it_is_missing_or_a_reason_says_why_not() {
    let Some(mut office) = Office::open() else { return };
    let [deploy, destroy, audit] = ["deploy", "destroy", "audit"].map(|of| office.printed(&[of]));
    let account = office.printed(&["audit", "--scope", "account"]);
    let away = ["destroy", "--allow-data-loss"];

    let twice = [called(&office.desk, &["deploy"]), called(&office.desk, &["deploy"])];
    let deploys: BTreeSet<String> = twice.into_iter().flatten().collect();
    let audits = called(&office.desk, &["audit"]);
    let account_audits = called(&office.desk, &["audit", "--scope", "account"]);
    let destroys = called(&office.desk, &away);
    assert!(deploys.len() > 150 && audits.len() > 100 && destroys.len() > 150);
    assert!(account_audits.len() > audits.len());
    for (calls, policy) in
        [(&deploys, &deploy), (&audits, &audit), (&account_audits, &account), (&destroys, &destroy)]
    {
        assert_eq!(calls.difference(policy).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    office.moto.reset();
    office.desk = Desk::at(&office.moto.url);
    // All that a policy has, whether the command called it or not: what it was not denied is on a list.
    let not_at_first = office.ask_for_each(&deploy, &["deploy"], 0);
    // 3: moto cannot show all that an audit looks at (see tests/moto.rs).
    assert_eq!(office.ask_for_each(&audit, &["audit"], 3), all(AUDITS_WITHOUT));
    // 1: an account that holds nothing but a stack has findings.
    let never = office.ask_for_each(&account, &["audit", "--scope", "account"], 1);
    assert_eq!(never, all(ACCOUNT_AUDITS_WITHOUT));
    office.desk.write("ferpa.toml", ANOTHER_DAY);
    // 3: moto cannot tag a REST API.
    let never = office.go_on_asking(&deploy, not_at_first, &["deploy"], 3);
    assert_eq!(never, all(DEPLOYS_WITHOUT));
    assert_eq!(office.ask_for_each(&destroy, &away, 0), all(DESTROYS_WITHOUT));
}
