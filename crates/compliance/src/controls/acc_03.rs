//! FERPA-ACC-03: service roles trust one service, on behalf of this account.

use compute::Role;
use compute::trust::SAY_NO_SOURCE;
use engine::Live;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::policy::{Document, Principal, Source, Trust, service_of};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-03",
    title: "Service roles trust one service, on behalf of this account",
    statement: "A role that a service may assume trusts that service only, narrowed to a source account or ARN where the service gives one.",
    severity: Severity::Medium,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.2"],
    why: "A service that acts for many customers can be talked into using a role for somebody else's.",
    reads: &[&["iam.role.assume_role_policy", "iam.role.path"]],
    remedy: Remedy {
        stack: "`deploy`: each role trusts one service, with aws:SourceAccount and aws:SourceArn where it gives them",
        api: "iam:UpdateAssumeRolePolicy with a PolicyDocument that asks for aws:SourceAccount",
    },
    reach: Reach::Stack,
    judge,
};

/// Instances take a role by their instance profile, and EC2 gives no source.
const EC2: &str = "ec2";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let trust = |role: &Role| {
        let document = Document::of(&role.assume_role_policy);
        let trust = document.trust(|account| facts.is_declared_account(account));
        (trust, document.trusts_everybody())
    };
    facts.each_where::<Role>(
        |role: &Live<Role>| {
            let (trust, everybody) = trust(&role.spec);
            !role.spec.is_service_linked() && (everybody || !trust.services.is_empty())
        },
        |role| {
            let spec = role.read(&["assume_role_policy"])?;
            let (trust, everybody) = trust(spec);
            let verdict = if everybody {
                Verdict::fail("everybody may assume it, on behalf of whatever account")
            } else {
                verdict(&trust)
            };
            let document = spec.assume_role_policy.document().clone();
            Ok(verdict.with(
                "iam:GetAccountAuthorizationDetails",
                "AssumeRolePolicyDocument",
                document,
            ))
        },
    )
}

fn verdict(trust: &Trust) -> Verdict {
    let names: Vec<&str> = trust.services.keys().map(String::as_str).collect();
    let [(service, source)] = trust.services.iter().collect::<Vec<_>>()[..] else {
        return Verdict::fail(format!("it trusts several services: {}", names.join(", ")));
    };
    if !trust.others.is_empty() {
        let others: Vec<String> = trust.others.iter().map(name).collect();
        return Verdict::fail(format!("it trusts {service}, and {} too", others.join(", ")));
    }
    let silent = service == EC2 || SAY_NO_SOURCE.iter().any(|it| service_of(it) == service);
    match source {
        Source::Trusted => {
            Verdict::pass(format!("it trusts {service} only, on behalf of a named account or source"))
        }
        Source::Stranger(account) => Verdict::fail(format!(
            "it trusts {service} on behalf of the account {account}, which is not declared"
        )),
        Source::Anybody if silent => Verdict::pass(format!(
            "it trusts {service} only, which does not say on whose behalf it acts; only callers of this account can give it the role"
        )),
        Source::Anybody => {
            Verdict::fail(format!("it trusts {service} on behalf of whatever account"))
        }
    }
}

fn name(principal: &Principal) -> String {
    match principal {
        Principal::Everybody => "everybody".into(),
        Principal::Account(account) => format!("the account {account}"),
        Principal::Organisation(name)
        | Principal::Service(name)
        | Principal::Federated(name)
        | Principal::Other(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::iam::{details, role, trusting};
    use crate::testing::{denied, judged, only};

    fn allow(principal: Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    }

    async fn with(statement: fn() -> Value) -> Vec<Judgement> {
        let rule = details(move |it| it.role_detail_list(trusting("r", statement()).build()));
        judged(&CONTROL, &[rule]).await
    }

    #[tokio::test]
    async fn one_narrowed_service_passes() {
        let found = judged(&CONTROL, &[details(|it| it.role_detail_list(role("r").build()))]).await;
        let good = "it trusts ecs-tasks only, on behalf of a named account or source";
        assert_eq!(only(&found), (Status::Pass, good));

        let firehose = with(|| {
            let mut statement = allow(json!({"Service": "firehose.amazonaws.com"}));
            statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": "123456789012"}});
            statement
        });
        assert_eq!(only(&firehose.await).0, Status::Pass);
    }

    #[tokio::test]
    async fn a_service_that_gives_no_source_passes_and_it_is_said() {
        let found = with(|| allow(json!({"Service": "lambda.amazonaws.com"}))).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Pass);
        assert!(message.contains("does not say on whose behalf"), "{message}");
    }

    #[tokio::test]
    async fn more_than_that_fails() {
        let everybody = with(|| allow(json!("*"))).await;
        assert!(only(&everybody).1.starts_with("everybody may assume it"));
        let open = with(|| allow(json!({"Service": "ecs-tasks.amazonaws.com"}))).await;
        let bad = "it trusts ecs-tasks on behalf of whatever account";
        assert_eq!(only(&open), (Status::Fail, bad));
        let two = with(|| {
            allow(json!({"Service": ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]}))
        });
        let bad = "it trusts several services: ecs-tasks, lambda";
        assert_eq!(only(&two.await), (Status::Fail, bad));
        let mixed = with(|| {
            allow(json!({"Service": "lambda.amazonaws.com", "AWS": "123456789012"}))
        });
        let bad = "it trusts lambda, and the account 123456789012 too";
        assert_eq!(only(&mixed.await), (Status::Fail, bad));
        let theirs = with(|| {
            let mut statement = allow(json!({"Service": "sns.amazonaws.com"}));
            statement["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "999999999999"}});
            statement
        });
        assert_eq!(only(&theirs.await).0, Status::Fail);
    }

    #[tokio::test]
    async fn roles_of_people_and_service_linked_ones_are_not_judged() {
        let people = with(|| allow(json!({"AWS": "123456789012"}))).await;
        assert_eq!(only(&people).0, Status::NotApplicable);
        let linked = details(|it| {
            let service = allow(json!({"Service": "ecs.amazonaws.com"}));
            let path = "/aws-service-role/ecs.amazonaws.com/";
            it.role_detail_list(trusting("l", service).path(path).build())
        });
        assert_eq!(only(&judged(&CONTROL, &[linked]).await).0, Status::NotApplicable);
        let denied = denied!(
            aws_sdk_iam,
            get_account_authorization_details,
            GetAccountAuthorizationDetailsError
        );
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
