//! FERPA-ACC-02: the roles of workloads name what they may touch.

use std::collections::BTreeSet;

use compute::{Function, Role, TaskDefinition};

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::grants::Grants;
use crate::policy::DATA_ACTIONS;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-ACC-02",
    title: "Task roles name their resources",
    statement: "The roles of ECS tasks and Lambda functions allow data actions by name, on named resources.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.1.5"],
    why: "Whoever breaks into a container or function reads what its role may read: the records that it serves, or all.",
    reads: &[&[
        "iam.role.inline_policies",
        "iam.role.managed_policies",
        "iam.role.permissions_boundary",
        "iam.policy.document",
        "ecs.task_definition.task_role",
        "ecs.task_definition.execution_role",
        "lambda.function.role",
    ]],
    remedy: Remedy {
        stack: "`deploy`: task, execution and rotation roles name the stack's own stores",
        api: "iam:PutRolePolicy with a PolicyDocument that lists actions in Action and ARNs in Resource",
    },
    reach: Reach::Stack,
    judge,
};

/// The ARNs or names of the roles that tasks and functions have.
struct Workloads(Result<BTreeSet<String>, Unread>);

impl Workloads {
    fn of(facts: &Facts<'_>) -> Self {
        Self(Self::roles(facts))
    }

    fn roles(facts: &Facts<'_>) -> Result<BTreeSet<String>, Unread> {
        let mut roles = BTreeSet::new();
        for task in facts.all::<TaskDefinition>()?.iter() {
            let task = Seen::of(task).read(&["task_role", "execution_role"])?;
            let both = task.task_role.iter().chain(&task.execution_role);
            roles.extend(both.map(|role| role.as_str().to_owned()));
        }
        for function in facts.all::<Function>()?.iter() {
            roles.insert(Seen::of(function).read(&["role"])?.role.as_str().to_owned());
        }
        Ok(roles)
    }
}

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let workloads = facts.derived::<Workloads>(Workloads::of);
    let roles = match &workloads.0 {
        Ok(roles) => roles,
        Err(unread) => return vec![facts.whole("iam.role", Err(unread.clone()))],
    };
    facts.each_where::<Role>(
        // Task definitions may name a role without its ARN.
        |role| role.arn.iter().chain([&role.id]).any(|name| roles.contains(name)),
        |role| {
            let grants = Grants::of_role(facts, role)?;
            let mut open = Vec::new();
            let mut unread = None;
            for &action in DATA_ACTIONS {
                match grants.which(|document| document.allows_on_any(action)) {
                    Ok(policies) if policies.is_empty() => {}
                    Ok(_) => open.push(action),
                    Err(why) => unread = Some(why),
                }
            }
            let call = "iam:GetAccountAuthorizationDetails";
            if let [first, others @ ..] = &open[..] {
                let more = match others.len() {
                    0 => String::new(),
                    count => format!(", and {count} more data actions,"),
                };
                let message = format!("it allows {first}{more} on every resource");
                return Ok(Verdict::fail(message).with(call, "Action", open));
            }
            if let Some(why) = unread {
                return Err(why);
            }
            let wild = grants.wildcards_on_data()?;
            let verdict = Verdict::of(
                wild.is_empty(),
                "it allows data actions by name and on named resources only",
                format!("it allows data actions by wildcard: {}", wild.join(", ")),
            );
            Ok(verdict.with(call, "Action", wild))
        },
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{PolicyDetail, RoleDetail};
    use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
    use aws_sdk_lambda::operation::list_functions::ListFunctionsOutput;
    use aws_sdk_lambda::types::FunctionConfiguration;
    use aws_smithy_mocks::{Rule, mock};
    use serde_json::json;

    use super::CONTROL;
    use crate::finding::{Judgement, Status};
    use crate::testing::iam::{attached, details, inline, managed, policy, role};
    use crate::testing::{denied, judged, only};

    /// A function whose role is called `work`.
    fn function() -> Vec<Rule> {
        let function = || {
            FunctionConfiguration::builder()
                .function_name("work")
                .function_arn("arn:aws:lambda:us-east-1:123456789012:function:work")
                .role("arn:aws:iam::123456789012:role/work")
                .build()
        };
        let listed = mock!(aws_sdk_lambda::Client::list_functions)
            .then_output(move || ListFunctionsOutput::builder().functions(function()).build());
        let found = mock!(aws_sdk_lambda::Client::get_function)
            .then_output(|| GetFunctionOutput::builder().build());
        vec![listed, found]
    }

    async fn with(work: fn() -> RoleDetail) -> Vec<Judgement> {
        let mut rules = function();
        rules.push(details(move |it| {
            let s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
            let read = json!({"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"});
            it.role_detail_list(work())
                .role_detail_list(role("other").role_policy_list(inline("x", "*", "*")).build())
                .policies(managed(s3, read))
        }));
        judged(&CONTROL, &rules).await
    }

    #[tokio::test]
    async fn named_resources_pass_and_only_workloads_are_looked_at() {
        let found = with(|| {
            let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/events";
            let random = inline("random", "secretsmanager:GetRandomPassword", "*");
            let write = inline("write", "kinesis:PutRecord", stream);
            role("work").role_policy_list(write).role_policy_list(random).build()
        });
        let good = "it allows data actions by name and on named resources only";
        assert_eq!(only(&found.await), (Status::Pass, good));
    }

    #[tokio::test]
    async fn every_resource_fails_and_so_does_a_wildcard() {
        let found = with(|| {
            role("work").role_policy_list(inline("x", "kinesis:PutRecord", "*")).build()
        });
        let bad = "it allows kinesis:PutRecord on every resource";
        assert_eq!(only(&found.await), (Status::Fail, bad));

        for as_good_as_every in [
            "arn:aws:kinesis:us-east-1:123456789012:stream/*-*",
            "arn:aws:kinesis",
        ] {
            let mut rules = function();
            rules.push(details(move |it| {
                let write = inline("x", "kinesis:PutRecord", as_good_as_every);
                it.role_detail_list(role("work").role_policy_list(write).build())
            }));
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found), (Status::Fail, bad), "{as_good_as_every}");
        }

        let found = with(|| {
            let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/events";
            role("work").role_policy_list(inline("x", "kinesis:*", stream)).build()
        });
        let bad = "it allows data actions by wildcard: kinesis:*";
        assert_eq!(only(&found.await), (Status::Fail, bad));

        let found = with(|| {
            let s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
            role("work").attached_managed_policies(attached(s3)).build()
        });
        assert!(only(&found.await).1.starts_with("it allows s3:GetObject, and"));
    }

    #[tokio::test]
    async fn a_tag_names_resources_too() {
        let found = with(|| {
            let tagged = json!({"StringEquals": {"aws:ResourceTag/Stack": "student-dev"}});
            let statement = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": tagged});
            let tagged = PolicyDetail::builder().policy_name("x").policy_document(policy(statement));
            role("work").role_policy_list(tagged.build()).build()
        });
        assert_eq!(only(&found.await).0, Status::Pass);
    }

    #[tokio::test]
    async fn workloads_or_policies_that_cannot_be_read_are_unknown() {
        let denied = denied!(aws_sdk_lambda, list_functions, ListFunctionsError);
        let roles = details(|it| it.role_detail_list(role("work").build()));
        assert_eq!(only(&judged(&CONTROL, &[denied, roles]).await).0, Status::Unknown);

        let found = with(|| {
            let hidden = "arn:aws:iam::123456789012:policy/hidden";
            role("work").attached_managed_policies(attached(hidden)).build()
        });
        assert_eq!(only(&found.await).0, Status::Unknown);
    }
}
