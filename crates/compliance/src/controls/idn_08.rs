//! FERPA-IDN-08: database credentials are managed and rotated, and IAM can sign in.

use std::collections::HashMap;
use std::sync::Arc;

use data::{DbCluster, DbInstance};
use engine::{Live, Status};
use security::Secret;
use security::secret::DATABASE_TAG;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{is_alone, standalone, unread};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-08",
    title: "Database credentials are managed and rotated, and IAM can sign in",
    statement: "The master user's password of every database is in Secrets Manager and rotated, and IAM authentication is on.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(c)", "NIST SP 800-171r2 3.5.2"],
    why: "A password that somebody keeps and nobody changes identifies nobody; IAM says who signs in.",
    reads: &[&[
        "rds.cluster.iam_authentication",
        "rds.cluster.identifier",
        "rds.cluster.managed_secret",
        "rds.cluster.master_secret",
        "rds.instance.cluster",
        "rds.instance.standalone",
        "secretsmanager.secret.rotation",
        "secretsmanager.secret.status",
        "secretsmanager.secret.tags",
    ]],
    remedy: Remedy {
        stack: "`security.secret_rotation_days`; `deploy` always switches IAM authentication on",
        api: "rds:ModifyDBCluster or rds:ModifyDBInstance with ManageMasterUserPassword and EnableIAMDatabaseAuthentication; or secretsmanager:RotateSecret for a secret with the tag ferpa-stack:database",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let fields = ["iam_authentication", "identifier", "managed_secret", "master_secret"];
        let spec = cluster.read(&fields)?;
        let own = spec.master_secret.as_ref().map(|secret| secret.as_str());
        let credentials = Credentials {
            named: spec.managed_secret.as_deref().or(own),
            database: &spec.identifier,
            arn: cluster.live().arn.as_deref(),
        };
        let problems = problems(spec.iam_authentication, credentials.problem(facts)?);
        Ok(verdict("rds:DescribeDBClusters", spec.iam_authentication, &problems))
    });
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| {
        let spec = standalone(instance)?;
        let credentials = Credentials {
            named: spec.managed_secret.as_deref(),
            database: &instance.live().id,
            arn: instance.live().arn.as_deref(),
        };
        // A replica has the users and passwords of its source.
        let problem = match &spec.replica_of {
            Some(_) => None,
            None => credentials.problem(facts)?,
        };
        let problems = problems(spec.iam_authentication, problem);
        Ok(verdict("rds:DescribeDBInstances", spec.iam_authentication, &problems))
    }));
    judgements
}

/// Where a database's credentials may be.
struct Credentials<'a> {
    /// The secret that the database names.
    named: Option<&'a str>,
    /// The database, as a secret may name it.
    database: &'a str,
    /// Its ARN, by which RDS's own secrets name it.
    arn: Option<&'a str>,
}

impl Credentials<'_> {
    /// What is wrong with them.
    fn problem(&self, facts: &Facts<'_>) -> Result<Option<String>, Unread> {
        if let Some(named) = self.named {
            let secret = facts.find::<Secret>(named)?;
            let secret = secret.ok_or_else(|| unread(format!("the secret {named}")))?;
            return unrotated(&secret);
        }
        let secrets = Secrets::known(facts)?;
        let names = std::iter::once(self.database).chain(self.arn);
        let own: Vec<_> = names.flat_map(|name| secrets.of(name)).collect();
        if own.is_empty() {
            return Ok(Some("no secret in Secrets Manager is known to hold its password".into()));
        }
        // Each of them opens the database.
        for secret in own {
            if let Some(problem) = unrotated(secret)? {
                return Ok(Some(problem));
            }
        }
        Ok(None)
    }
}

fn unrotated(secret: &Live<Secret>) -> Result<Option<String>, Unread> {
    let name = &secret.id;
    if secret.status == Status::Deleting {
        return Ok(Some(format!("the secret {name} is being deleted")));
    }
    let rotation = &Seen::of(secret).read(&["rotation"])?.rotation;
    Ok(rotation.is_none().then(|| format!("the secret {name} is not rotated")))
}

/// The secrets that say of which database they are.
struct Secrets {
    all: Arc<Vec<Live<Secret>>>,
    by_database: HashMap<String, Vec<usize>>,
}

/// How a secret names its database: our tag, and those that RDS puts on its own.
const TAGS: [&str; 3] =
    [DATABASE_TAG, "aws:rds:primaryDBClusterArn", "aws:rds:primaryDBInstanceArn"];

impl Secrets {
    fn known(facts: &Facts<'_>) -> Result<Arc<Self>, Unread> {
        let all = facts.all::<Secret>()?;
        Ok(facts.derived(|_| {
            let mut by_database: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, secret) in all.iter().enumerate() {
                for database in TAGS.iter().filter_map(|tag| secret.tags.get(*tag)) {
                    by_database.entry(database.clone()).or_default().push(at);
                }
            }
            Self { all, by_database }
        }))
    }

    fn of(&self, database: &str) -> impl Iterator<Item = &Live<Secret>> {
        self.by_database.get(database).into_iter().flatten().map(|&at| &self.all[at])
    }
}

fn problems(iam: bool, credentials: Option<String>) -> Vec<String> {
    let iam = (!iam).then(|| "IAM authentication is off".to_owned());
    iam.into_iter().chain(credentials).collect()
}

fn verdict(call: &str, iam: bool, problems: &[String]) -> Verdict {
    let verdict = if problems.is_empty() {
        Verdict::pass("its credentials are rotated, and IAM authentication is on")
    } else {
        Verdict::fail(problems.join("; "))
    };
    verdict.with(call, "IAMDatabaseAuthenticationEnabled", iam)
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::MasterUserSecret;
    use aws_sdk_secretsmanager::operation::list_secrets::ListSecretsOutput;
    use aws_sdk_secretsmanager::types::{SecretListEntry, Tag};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{cluster, instances, standalone};
    use crate::testing::{denied, judged, only};

    const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-Ab12Cd";

    fn secret(database: Option<&'static str>, rotated: bool) -> Rule {
        mock!(aws_sdk_secretsmanager::Client::list_secrets).then_output(move || {
            let tag = |name: &str| Tag::builder().key("ferpa-stack:database").value(name).build();
            let secret = SecretListEntry::builder()
                .name("db")
                .arn(ARN)
                .rotation_enabled(rotated)
                .set_tags(database.map(|name| vec![tag(name)]));
            ListSecretsOutput::builder().secret_list(secret.build()).build()
        })
    }

    fn managed() -> MasterUserSecret {
        MasterUserSecret::builder().secret_arn(ARN).secret_status("active").build()
    }

    #[tokio::test]
    async fn a_secret_that_names_the_cluster_is_rotated() {
        for (secret, status) in [
            (secret(Some("records"), true), Status::Pass),
            (secret(Some("records"), false), Status::Fail),
            (secret(Some("other"), true), Status::Fail),
            (denied!(aws_sdk_secretsmanager, list_secrets, ListSecretsError), Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[cluster(|it| it), secret]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_secret_of_rds_is_rotated() {
        let own = || cluster(|it| it.master_user_secret(managed()));
        let found = judged(&CONTROL, &[own(), secret(None, true)]).await;
        assert_eq!(only(&found).0, Status::Pass);
        let found = judged(&CONTROL, &[own(), secret(None, false)]).await;
        let message = format!("the secret {ARN} is not rotated");
        assert_eq!(only(&found), (Status::Fail, message.as_str()));
        let found = judged(&CONTROL, &[own()]).await;
        assert_eq!(only(&found).0, Status::Unknown, "it is not among those that are listed");
    }

    #[tokio::test]
    async fn iam_authentication_is_on() {
        let off = cluster(|it| it.iam_database_authentication_enabled(false));
        let found = judged(&CONTROL, &[off, secret(Some("records"), true)]).await;
        assert_eq!(only(&found), (Status::Fail, "IAM authentication is off"));
    }

    #[tokio::test]
    async fn so_it_is_for_an_instance_that_stands_alone() {
        let replica = standalone().read_replica_source_db_instance_identifier("other");
        for (instance, status) in [
            (standalone().master_user_secret(managed()), Status::Pass),
            (standalone(), Status::Fail),
            (replica, Status::Pass),
        ] {
            let rules = [instances(vec![instance.build()]), secret(None, true)];
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}
