//! FERPA-IDN-09: caches ask who connects.

use std::collections::BTreeSet;

use data::ReplicationGroup;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

const CALL: &str = "elasticache:DescribeReplicationGroups";

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-09",
    title: "Caches ask who connects",
    statement: "Every replication group asks for an AUTH token, or for a user of a user group without open users.",
    severity: Severity::Critical,
    citations: &["NIST SP 800-171r2 3.5.2"],
    why: "A cache without authentication gives its records to whatever reaches its port.",
    reads: &[&[
        "elasticache.replication_group.auth_token",
        "elasticache.replication_group.user_groups",
        "elasticache.replication_group.open_users",
    ]],
    remedy: Remedy {
        stack: "`cache.transit_encryption = true`: with TLS the cache always has a token",
        api: "elasticache:ModifyReplicationGroup with AuthToken, or with UserGroupIdsToAdd; give user groups a default user that is off",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ReplicationGroup>(|group| {
        let spec = group.read(&["auth_token", "user_groups", "open_users"])?;
        let verdict = if !spec.open_users.is_empty() {
            let open = list(&spec.open_users);
            Verdict::fail(format!("users may sign in without a password: {open}"))
        } else if spec.auth_token {
            Verdict::pass("clients have to present a token")
        } else if !spec.user_groups.is_empty() {
            let groups = list(&spec.user_groups);
            Verdict::pass(format!("clients have to sign in as a user of {groups}"))
        } else {
            Verdict::fail("nobody is asked who connects")
        };
        let groups: Vec<String> = spec.user_groups.iter().cloned().collect();
        Ok(verdict.with(CALL, "AuthTokenEnabled", spec.auth_token).with(
            CALL,
            "UserGroupIds",
            groups,
        ))
    })
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::operation::describe_user_groups::DescribeUserGroupsOutput;
    use aws_sdk_elasticache::operation::describe_users::DescribeUsersOutput;
    use aws_sdk_elasticache::types::{Authentication, AuthenticationType, User, UserGroup};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::elasticache::cache;
    use crate::testing::{denied, judged, only};

    fn by_user(authentication: AuthenticationType) -> Vec<Rule> {
        let mut rules =
            cache(|it| it.auth_token_enabled(false).user_group_ids("students"));
        rules.push(mock!(aws_sdk_elasticache::Client::describe_user_groups).then_output(|| {
            let group = UserGroup::builder().user_group_id("students").user_ids("first");
            DescribeUserGroupsOutput::builder().user_groups(group.build()).build()
        }));
        rules.push(mock!(aws_sdk_elasticache::Client::describe_users).then_output(move || {
            let how = Authentication::builder().r#type(authentication.clone()).build();
            let user = User::builder().user_id("first").access_string("on ~* +@all");
            DescribeUsersOutput::builder().users(user.authentication(how).build()).build()
        }));
        rules
    }

    #[tokio::test]
    async fn a_token_or_a_user_is_asked_for() {
        let mut unlisted = vec![denied!(aws_sdk_elasticache, describe_users, DescribeUsersError)];
        unlisted.extend(by_user(AuthenticationType::Password));
        for (rules, status) in [
            (cache(|it| it), Status::Pass),
            (cache(|it| it.auth_token_enabled(false)), Status::Fail),
            (by_user(AuthenticationType::Iam), Status::Pass),
            (by_user(AuthenticationType::NoPassword), Status::Fail),
            (unlisted, Status::Unknown),
        ] {
            let found = judged(&CONTROL, &rules).await;
            assert_eq!(only(&found).0, status, "{found:?}");
        }
    }
}
