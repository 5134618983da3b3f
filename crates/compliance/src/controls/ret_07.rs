//! FERPA-RET-07: databases, load balancers and tables are protected from deletion.

use account::Table;
use compute::LoadBalancer;
use data::{DbCluster, DbInstance};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::databases::{is_alone, standalone};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-RET-07",
    title: "What serves records is protected from deletion",
    statement: "AWS refuses to delete databases, load balancers and tables until somebody switches that protection off.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.10"],
    why: "One mistaken call must not take away the records that a parent or student may ask to inspect.",
    reads: &[&[
        "rds.cluster.deletion_protection",
        "rds.instance.cluster",
        "rds.instance.standalone",
        "elbv2.load_balancer.deletion_protection",
        "dynamodb.table.deletion_protection",
    ]],
    remedy: Remedy {
        stack: "`database.deletion_protection`, `service.deletion_protection`",
        api: "rds:ModifyDBCluster or rds:ModifyDBInstance with DeletionProtection, elasticloadbalancing:ModifyLoadBalancerAttributes with deletion_protection.enabled=true, dynamodb:UpdateTable with DeletionProtectionEnabled",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let mut judgements = facts.each::<DbCluster>(|cluster| {
        let on = cluster.read(&["deletion_protection"])?.deletion_protection;
        Ok(verdict("rds:DescribeDBClusters", "DeletionProtection", on))
    });
    // An instance of a cluster holds nothing.
    judgements.extend(facts.each_where::<DbInstance>(is_alone, |instance| {
        let on = standalone(instance)?.deletion_protection;
        Ok(verdict("rds:DescribeDBInstances", "DeletionProtection", on))
    }));
    judgements.extend(facts.each::<LoadBalancer>(|balancer| {
        let on = balancer.read(&["deletion_protection"])?.deletion_protection;
        let call = "elasticloadbalancing:DescribeLoadBalancerAttributes";
        Ok(verdict(call, "deletion_protection.enabled", on))
    }));
    judgements.extend(facts.each::<Table>(|table| {
        let on = table.read(&["deletion_protection"])?.deletion_protection;
        Ok(verdict("dynamodb:DescribeTable", "DeletionProtectionEnabled", on))
    }));
    judgements
}

fn verdict(call: &str, field: &str, on: bool) -> Verdict {
    Verdict::of(on, "it is protected from deletion", "it is not protected from deletion")
        .with(call, field, on)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::describe_table::DescribeTableOutput;
    use aws_sdk_dynamodb::types::TableDescription;
    use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancer_attributes::DescribeLoadBalancerAttributesOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
    use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerAttribute};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::beside::table;
    use crate::testing::rds::{cluster, instances, member, standalone};
    use crate::testing::{denied, judged, only};

    fn load_balancer(protected: &'static str) -> Vec<Rule> {
        vec![
            mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancers).then_output(
                || {
                    let one = LoadBalancer::builder().load_balancer_arn("arn:lb").build();
                    DescribeLoadBalancersOutput::builder().load_balancers(one).build()
                },
            ),
            mock!(aws_sdk_elasticloadbalancingv2::Client::describe_tags)
                .then_output(|| DescribeTagsOutput::builder().build()),
            mock!(aws_sdk_elasticloadbalancingv2::Client::describe_load_balancer_attributes)
                .then_output(move || {
                let attribute = LoadBalancerAttribute::builder()
                    .key("deletion_protection.enabled")
                    .value(protected);
                DescribeLoadBalancerAttributesOutput::builder().attributes(attribute.build()).build()
            }),
        ]
    }

    #[tokio::test]
    async fn databases_are_protected() {
        for (rule, status) in [
            (cluster(|it| it), Status::Pass),
            (cluster(|it| it.deletion_protection(false)), Status::Fail),
            (instances(vec![standalone().build()]), Status::Pass),
            (instances(vec![standalone().deletion_protection(false).build()]), Status::Fail),
            (instances(vec![member("records-1", "us-east-1a").build()]), Status::NotApplicable),
            (denied!(aws_sdk_rds, describe_db_instances, DescribeDBInstancesError), Status::Unknown),
        ] {
            let found = judged(&CONTROL, &[rule]).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }

    #[tokio::test]
    async fn tables_are_protected() {
        let found = judged(&CONTROL, &table(None, &[])).await;
        assert_eq!(only(&found).0, Status::Fail, "DynamoDB does not protect by itself");
        let mut protected = vec![mock!(aws_sdk_dynamodb::Client::describe_table).then_output(|| {
            let table = TableDescription::builder().table_name("grades").table_arn("arn:table");
            let table = table.deletion_protection_enabled(true).build();
            DescribeTableOutput::builder().table(table).build()
        })];
        protected.extend(table(None, &[]));
        assert_eq!(only(&judged(&CONTROL, &protected).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn load_balancers_are_protected() {
        let mut unread = vec![denied!(
            aws_sdk_elasticloadbalancingv2,
            describe_load_balancer_attributes,
            DescribeLoadBalancerAttributesError
        )];
        unread.extend(load_balancer("true"));
        for (rules, status) in [
            (load_balancer("true"), Status::Pass),
            (load_balancer("false"), Status::Fail),
            (unread, Status::Unknown),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}
