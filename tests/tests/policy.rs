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
        let moto = Moto::start_enforcing()?;
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
        let mut missing = printed.clone();
        loop {
            let allowed: BTreeSet<String> = printed.difference(&missing).cloned().collect();
            let ran = self.run_as(&allowed, args);
            let named: BTreeSet<String> =
                denied(&ran).into_iter().filter(|action| missing.contains(action)).collect();
            if named.is_empty() {
                ran.exits(through);
                return missing;
            }
            assert_eq!(ran.code, Some(3), "{named:?}: {}\n{}", ran.stdout, ran.stderr);
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
    office
        .desk
        .write("ferpa.toml", "[network]\navailability_zones = [\"us-east-1a\", \"us-east-1b\"]\n");
    let refused = office.run_as(&audit, &["deploy", "--json"]).exits(3).json();
    let run = &refused["run"];
    let writes = |step: &&Value| step["what"].to_string().contains("create");
    let done: Vec<&Value> = run["done"].as_array().unwrap().iter().filter(writes).collect();
    assert!(done.is_empty(), "{done:?}");
    let failed = run["failed"].as_array().unwrap();
    assert!(failed.len() > 20, "all that needs nothing else was tried: {}", failed.len());
    for step in failed {
        assert!(step.to_string().contains("AccessDenied"), "{step}");
    }

    office.desk.xtask(&["deploy"]).exits(0);
    let before = office.desk.xtask(&["outputs", "--json"]).exits(0).stdout;
    office.run_as(&audit, &["destroy", "--allow-data-loss"]).exits(3);
    let plan = office.desk.xtask(&["plan", "--json"]).exits(0).json();
    let gone = |action: &&Value| action["action"] == "create";
    assert_eq!(plan["actions"].as_array().unwrap().iter().filter(gone).count(), 0);
    assert_eq!(office.desk.xtask(&["outputs", "--json"]).exits(0).stdout, before);
}

/// What deploy calls on moto and gets through without. Of all else that it calls, nothing.
const DEPLOYS_WITHOUT: &[(&str, &str)] = &[
    // An imitation of AWS may lack the services of kinds that nobody asked for; on AWS this stops a plan.
    ("access-analyzer:ListAnalyzers", "an optional kind"),
    ("ec2:GetEbsEncryptionByDefault", "an optional kind"),
    ("guardduty:ListDetectors", "an optional kind"),
    ("iam:GetAccountPasswordPolicy", "an optional kind"),
    ("s3:GetAccountPublicAccessBlock", "an optional kind"),
    ("backup:GetBackupVaultAccessPolicy", "moto does not have it"),
    // Read for audits in the same listing; plans do not compare them.
    ("kms:ListGrants", "not compared"),
    ("s3:GetBucketAcl", "not compared"),
    // moto takes them for s3:CreateBucket.
    ("s3:PutBucketObjectLockConfiguration", "moto cannot tell"),
    ("s3:PutBucketPublicAccessBlock", "moto cannot tell"),
    ("s3:PutEncryptionConfiguration", "moto cannot tell"),
];

/// The same for changes that destroy makes. What it only looks at, it mostly does without: attributes of
/// what goes are not compared with anything.
const DESTROYS_WITHOUT: &[(&str, &str)] = &[
    // Without the permission to see them it does not know of them, and they go with what they belong to.
    ("application-autoscaling:DeleteScalingPolicy", "goes with its target"),
    ("logs:DeleteSubscriptionFilter", "goes with its log group"),
];

/// The same for audits.
const AUDITS_WITHOUT: &[(&str, &str)] = &[
    ("access-analyzer:ListAnalyzers", "moto does not have the service"),
    ("backup:GetBackupVaultAccessPolicy", "moto does not have it"),
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
fn every_action_is_needed_and_named_when_it_is_missing() {
    let Some(mut office) = Office::open() else { return };
    let printed = |of: &str| office.printed(&[of]);
    let (deploy, audit, destroy) = (printed("deploy"), printed("audit"), printed("destroy"));
    let away = ["destroy", "--allow-data-loss"];

    let twice = [called(&office.desk, &["deploy"]), called(&office.desk, &["deploy"])];
    let deploys: BTreeSet<String> = twice.into_iter().flatten().collect();
    let audits = called(&office.desk, &["audit"]);
    let destroys = called(&office.desk, &away);
    assert!(deploys.len() > 150 && audits.len() > 100 && destroys.len() > 150);
    for (calls, policy) in [(&deploys, &deploy), (&audits, &audit), (&destroys, &destroy)] {
        assert_eq!(calls.difference(policy).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    office.moto.reset();
    office.desk = Desk::at(&office.moto.url);
    let never = office.ask_for_each(&deploy, &["deploy"], 0);
    assert_eq!(&deploys & &never, names(DEPLOYS_WITHOUT));
    // 3: moto cannot show all that an audit looks at (see tests/moto.rs).
    let never = office.ask_for_each(&audit, &["audit"], 3);
    assert_eq!(&audits & &never, names(AUDITS_WITHOUT));
    let never = office.ask_for_each(&destroy, &away, 0);
    let changes = |action: &String| {
        !["Describe", "List", "Get", "GET"].iter().any(|verb| action.contains(&format!(":{verb}")))
    };
    let missed: BTreeSet<String> = (&destroys & &never).into_iter().filter(changes).collect();
    assert_eq!(missed, names(DESTROYS_WITHOUT));
}
