//! FERPA-LOG-07: databases audit statements and export their log.

use std::collections::BTreeSet;

use data::{DbCluster, DbInstance};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{Members, Parameters, is_alone, is_on, restart_pending, standalone, unread};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-LOG-07",
    title: "Databases audit statements and export their log",
    statement: "Every database writes who reads and changes what (PostgreSQL: pgaudit) into a log that goes to CloudWatch Logs.",
    severity: Severity::High,
    citations: &["34 CFR 99.32", "NIST SP 800-171r2 3.3.1"],
    why: "Without the database's own record nobody can say later which records somebody saw who signed in to it.",
    reads: &[&[
        "rds.cluster.engine",
        "rds.cluster.log_exports",
        "rds.cluster.parameter_group",
        "rds.cluster.restart_pending",
        "rds.cluster_parameter_group.family",
        "rds.cluster_parameter_group.parameters",
        "rds.instance.cluster",
        "rds.instance.engine",
        "rds.instance.parameter_groups",
        "rds.instance.standalone",
        "rds.parameter_group.family",
        "rds.parameter_group.parameters",
    ]],
    remedy: Remedy {
        stack: "`deploy` exports the log and sets pgaudit, unless `database.parameters` says otherwise",
        api: "rds:ModifyDBCluster with CloudwatchLogsExportConfiguration, rds:ModifyDBClusterParameterGroup with shared_preload_libraries=pgaudit and pgaudit.log=ddl,read,role,write, then rds:RebootDBInstance",
    },
    reach: Reach::Stack,
    judge,
};

/// The classes of statements that say who saw, changed or could see what.
const CLASSES: [&str; 4] = ["ddl", "read", "role", "write"];

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let fields = ["engine", "log_exports", "parameter_group", "restart_pending"];
        let spec = cluster.read(&fields)?;
        let parameters = Parameters::of_cluster(facts, spec)?;
        let mut variants = vec![parameters.clone()];
        let mut pending = spec.restart_pending.clone();
        // An instance's parameters go before the cluster's.
        for member in Members::known(facts)?.of(cluster.live()) {
            let spec = Seen::of(member).read(&["parameter_groups"])?;
            variants.push(parameters.clone().with(Parameters::of_instance(facts, spec)?));
            pending.extend(restart_pending(member));
        }
        let problem = problem(&spec.engine, &spec.log_exports, &variants, &pending)?;
        Ok(verdict("rds:DescribeDBClusters", problem, &spec.log_exports))
    });
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| {
        let spec = instance.read(&["engine", "parameter_groups"])?;
        let exports = &standalone(instance)?.log_exports;
        let pending = restart_pending(instance.live());
        let parameters = Parameters::of_instance(facts, spec)?;
        let problem = problem(&spec.engine, exports, &[parameters], &pending)?;
        Ok(verdict("rds:DescribeDBInstances", problem, exports))
    }));
    judgements
}

fn verdict(call: &str, problem: Option<String>, exports: &BTreeSet<String>) -> Verdict {
    let verdict = match problem {
        None => Verdict::pass("statements are audited, and the log is exported"),
        Some(problem) => Verdict::fail(problem),
    };
    verdict.with(call, "EnabledCloudwatchLogsExports", exports.iter().cloned().collect::<Vec<_>>())
}

/// What is missing, where each of these sets of parameters is that of some instance.
fn problem(
    engine: &str,
    exports: &BTreeSet<String>,
    variants: &[Parameters],
    pending: &BTreeSet<String>,
) -> Result<Option<String>, Unread> {
    let (log, audited): (_, fn(&Parameters) -> Option<String>) = match engine {
        "aurora-postgresql" | "postgres" => ("postgresql", pgaudit),
        "aurora-mysql" => ("audit", server_audit),
        // Their audit is an option, or a parameter of another kind, that is not read.
        _ if exports.contains("audit") => {
            return Err(unread(format!("which statements {engine} audits")));
        }
        _ => return Ok(Some("no audit log is exported".into())),
    };
    if !exports.contains(log) {
        return Ok(Some(format!("the log {log} is not exported")));
    }
    if let Some(problem) = variants.iter().find_map(audited) {
        return Ok(Some(problem));
    }
    let pending: Vec<&str> = pending.iter().map(String::as_str).collect();
    let pending = (!pending.is_empty()).then(|| pending.join(", "));
    Ok(pending.map(|names| format!("its parameters may not hold before {names} restarts")))
}

fn pgaudit(parameters: &Parameters) -> Option<String> {
    if !parameters.lists("shared_preload_libraries", "pgaudit") {
        return Some("pgaudit is not loaded".into());
    }
    let Some(value) = parameters.get("pgaudit.log") else {
        return Some("pgaudit.log is not set, so no statement is audited".into());
    };
    let audited = classes(value);
    let missing: Vec<&str> =
        CLASSES.into_iter().filter(|class| !audited.contains(class)).collect();
    let names = missing.join(", ");
    (!missing.is_empty()).then(|| format!("pgaudit.log is {value}, which leaves out {names}"))
}

/// The classes, of those that matter, that a value of `pgaudit.log` has: a list in which `-class` takes away.
fn classes(value: &str) -> BTreeSet<&'static str> {
    let mut audited = BTreeSet::new();
    for word in value.split(',').map(|word| word.trim().to_lowercase()) {
        let (off, name) = match word.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, word.as_str()),
        };
        for class in CLASSES.into_iter().filter(|class| name == "all" || name == *class) {
            if off {
                audited.remove(class);
            } else {
                audited.insert(class);
            }
        }
    }
    audited
}

/// Aurora MySQL's own audit.
fn server_audit(parameters: &Parameters) -> Option<String> {
    if !parameters.get("server_audit_logging").is_some_and(is_on) {
        return Some("server_audit_logging is not on".into());
    }
    let has = |event| parameters.lists("server_audit_events", event);
    let all = ["QUERY_DCL", "QUERY_DDL", "QUERY_DML"].into_iter().all(has);
    let missing = !(has("QUERY") || all);
    missing.then(|| "server_audit_events leaves statements out".into())
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::DbParameterGroupStatus;

    use super::{CONTROL, classes};
    use crate::finding::Status;
    use crate::testing::rds::{
        cluster, cluster_parameters, instance_parameters, instances, member, standalone,
    };
    use crate::testing::{denied, judged, only};

    const GOOD: &[(&str, &str)] = &[
        ("shared_preload_libraries", "pg_stat_statements,pgaudit"),
        ("pgaudit.log", "ddl,read,role,write"),
    ];

    #[test]
    fn classes_are_added_and_taken_away() {
        assert_eq!(classes("ALL, -misc").len(), 4);
        assert_eq!(classes("all,-read"), ["ddl", "role", "write"].into());
        assert_eq!(classes("none"), [].into());
        assert_eq!(classes("write,ddl"), ["ddl", "write"].into());
    }

    #[tokio::test]
    async fn a_cluster_loads_pgaudit_and_says_what_it_audits() {
        for (pairs, status) in [
            (GOOD, Status::Pass),
            (&[("shared_preload_libraries", "pgaudit"), ("pgaudit.log", "all")], Status::Pass),
            (&[("pgaudit.log", "all")], Status::Fail),
            (&[("shared_preload_libraries", "pgaudit")], Status::Fail),
            (&[("shared_preload_libraries", "pgaudit"), ("pgaudit.log", "ddl")], Status::Fail),
        ] {
            let mut rules = cluster_parameters(pairs);
            rules.push(cluster(|it| it));
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn the_log_is_exported() {
        let mut rules = cluster_parameters(GOOD);
        rules.push(cluster(|it| it.set_enabled_cloudwatch_logs_exports(None)));
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found), (Status::Fail, "the log postgresql is not exported"));
    }

    #[tokio::test]
    async fn an_instance_must_not_switch_its_audit_off() {
        let mut rules = cluster_parameters(GOOD);
        rules.extend(instance_parameters(&[("pgaudit.log", "none")]));
        let group = DbParameterGroupStatus::builder().db_parameter_group_name("ledger-parameters");
        let off = member("records-2", "us-east-1b").db_parameter_groups(group.build());
        rules.extend([cluster(|it| it), instances(vec![off.build()])]);
        let found = judged(&CONTROL, &rules).await;
        let message = "pgaudit.log is none, which leaves out ddl, read, role, write";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn an_instance_that_stands_alone_audits_by_its_own_group() {
        let mysql = || standalone().engine("mysql").set_enabled_cloudwatch_logs_exports(None);
        for (instance, status) in [
            (standalone(), Status::Pass),
            (mysql(), Status::Fail),
            (mysql().enabled_cloudwatch_logs_exports("audit"), Status::Unknown),
        ] {
            let mut rules = instance_parameters(GOOD);
            rules.push(instances(vec![instance.build()]));
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn parameters_that_cannot_be_read_are_unknown() {
        let denied =
            denied!(aws_sdk_rds, describe_db_cluster_parameters, DescribeDBClusterParametersError);
        let mut rules = vec![denied, cluster(|it| it)];
        rules.extend(cluster_parameters(GOOD));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
