//! FERPA-TLS-01: databases refuse plain connections.

use std::collections::BTreeSet;

use data::{DbCluster, DbInstance};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{Parameters, is_alone, is_on, restart_pending, unread};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-01",
    title: "Databases refuse plain connections",
    statement: "Every database accepts TLS connections only (PostgreSQL: `rds.force_ssl`), and its parameters are in force.",
    severity: Severity::High,
    citations: &["NIST SP 800-171r2 3.13.8"],
    why: "A client that connects in plain sends its password and receives records for anybody on the path to read.",
    reads: &[&[
        "rds.cluster.engine",
        "rds.cluster.parameter_group",
        "rds.cluster.restart_pending",
        "rds.cluster_parameter_group.family",
        "rds.cluster_parameter_group.parameters",
        "rds.instance.cluster",
        "rds.instance.engine",
        "rds.instance.parameter_groups",
        "rds.parameter_group.family",
        "rds.parameter_group.parameters",
    ]],
    remedy: Remedy {
        stack: "`deploy`: `rds.force_ssl` is 1 unless `database.parameters` says otherwise",
        api: "rds:ModifyDBClusterParameterGroup or rds:ModifyDBParameterGroup with rds.force_ssl=1 (MySQL: require_secure_transport=1), on a group of your own",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let spec = cluster.read(&["engine", "parameter_group", "restart_pending"])?;
        let parameters = Parameters::of_cluster(facts, spec)?;
        let call = "rds:DescribeDBClusterParameters";
        verdict(call, &spec.engine, &parameters, &spec.restart_pending)
    });
    // For an instance of a cluster this is a parameter of the cluster.
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| {
        let spec = instance.read(&["engine", "parameter_groups"])?;
        let parameters = Parameters::of_instance(facts, spec)?;
        let pending = restart_pending(instance.live());
        verdict("rds:DescribeDBParameters", &spec.engine, &parameters, &pending)
    }));
    judgements
}

fn verdict(
    call: &str,
    engine: &str,
    parameters: &Parameters,
    pending: &BTreeSet<String>,
) -> Result<Verdict, Unread> {
    let Some((name, by_default)) = parameter(engine, parameters) else {
        return Err(unread(format!("whether {engine} refuses plain connections")));
    };
    let value = parameters.get(name);
    let refuses = value.map_or(by_default, |value| match engine {
        // `enabled`, or a kind of it: `fips-140-3`, `tls1.2+`.
        "docdb" => value != "disabled",
        _ => is_on(value),
    });
    let shown = match value {
        Some(value) => format!("{name} is {value}"),
        None => format!("{name} is not set"),
    };
    let waiting: Vec<&str> = pending.iter().map(String::as_str).collect();
    let verdict = if !refuses {
        Verdict::fail(format!("plain connections are accepted: {shown}"))
    } else if !waiting.is_empty() {
        let waiting = waiting.join(", ");
        Verdict::fail(format!("{shown}, which may not hold before {waiting} restarts"))
    } else if value.is_none() {
        Verdict::pass(format!("plain connections are refused: {shown}, and on by default"))
    } else {
        Verdict::pass(format!("plain connections are refused: {shown}"))
    };
    Ok(verdict.with(call, name, value))
}

/// The parameter by which an engine refuses plain connections, and whether it does so by default. Other
/// engines have options for that, or nothing.
fn parameter(engine: &str, parameters: &Parameters) -> Option<(&'static str, bool)> {
    match engine {
        // On since 15: AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html.
        "postgres" => Some(("rds.force_ssl", parameters.major().is_some_and(|major| major >= 15))),
        "aurora-postgresql" => Some(("rds.force_ssl", false)),
        // AmazonRDS/latest/UserGuide/SQLServer.Concepts.General.SSL.Using.html.
        _ if engine.starts_with("sqlserver-") => Some(("rds.force_ssl", false)),
        "aurora-mysql" | "mariadb" | "mysql" => Some(("require_secure_transport", false)),
        // documentdb/latest/developerguide/security.encryption.ssl.html.
        "docdb" => Some(("tls", true)),
        // neptune/latest/userguide/security-ssl.html.
        "neptune" => Some(("neptune_enforce_ssl", true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{DbClusterMember, DbParameterGroupStatus};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::rds::{
        cluster, cluster_parameters, instance_parameters, instances, standalone,
    };
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn a_cluster_has_to_force_tls_by_a_parameter() {
        for (pairs, status) in [
            (&[("rds.force_ssl", "1")][..], Status::Pass),
            (&[("rds.force_ssl", "0")][..], Status::Fail),
            (&[][..], Status::Fail),
        ] {
            let mut rules = cluster_parameters(pairs);
            rules.push(cluster(|it| it));
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
        let default = cluster(|it| it.db_cluster_parameter_group("default.aurora-postgresql16"));
        let found = judged(&CONTROL, &[default]).await;
        let message = "plain connections are accepted: rds.force_ssl is not set";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn a_parameter_that_waits_for_a_restart_does_not_hold() {
        let mut rules = cluster_parameters(&[("rds.force_ssl", "1")]);
        rules.push(cluster(|it| {
            let member = DbClusterMember::builder().db_instance_identifier("records-1");
            it.db_cluster_members(
                member.db_cluster_parameter_group_status("pending-reboot").build(),
            )
        }));
        let found = judged(&CONTROL, &rules).await;
        let message = "rds.force_ssl is 1, which may not hold before records-1 restarts";
        assert_eq!(only(&found), (Status::Fail, message));
    }

    #[tokio::test]
    async fn an_instance_is_judged_by_its_own_group_and_what_its_engine_does_by_default() {
        let with = |group: &str| {
            let group = DbParameterGroupStatus::builder().db_parameter_group_name(group).build();
            standalone().set_db_parameter_groups(Some(vec![group]))
        };
        for (instance, status) in [
            (with("default.postgres15"), Status::Pass),
            (with("default.postgres14"), Status::Fail),
            (with("ledger-parameters"), Status::Fail),
            (with("default.mysql8.0").engine("mysql"), Status::Fail),
            (with("default.oracle-ee-19").engine("oracle-ee"), Status::Unknown),
            (with("removed"), Status::Unknown),
        ] {
            let mut rules = instance_parameters(&[("rds.force_ssl", "0")]);
            rules.push(instances(vec![instance.build()]));
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_read_is_unknown() {
        let mut rules =
            vec![denied!(aws_sdk_rds, describe_db_cluster_parameters, DescribeDBClusterParametersError)];
        rules.extend(cluster_parameters(&[("rds.force_ssl", "1")]));
        rules.push(cluster(|it| it));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Unknown);
        assert!(message.contains("allow rds:DescribeDBClusterParameters"), "{message}");
    }
}
