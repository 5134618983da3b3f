//! What an identity policy gives to the one who has it.

use std::collections::BTreeSet;

use super::{Condition, DATA_ACTIONS, Document, Statement, glob, is_open, is_wild};

impl Document {
    /// The statements of all these documents: what one principal is given, with what is taken back.
    pub fn joined<'a>(documents: impl IntoIterator<Item = &'a Self>) -> Self {
        let statements = documents.into_iter().flat_map(|document| document.statements.clone());
        Self { statements: statements.collect() }
    }

    /// Whether every action is allowed on every resource; all but a few count as all.
    pub fn allows_everything(&self) -> bool {
        self.allowing().any(|statement| {
            statement.actions.covers_all()
                && statement.resources.covers_all()
                && !statement.names_resources_by_condition()
                && !self.denying().any(|deny| deny.leaves_little_of(statement))
        })
    }

    /// Whether an action is allowed on every resource of its type (`*`,
    /// `arn:aws:kinesis:us-east-1:123456789012:stream/*`). Of conditions, only those count that say which
    /// resources.
    pub fn allows_on_any(&self, action: &str) -> bool {
        self.open_for(action).next().is_some()
    }

    /// Whether every role may be passed, to any service. AWS's own validator takes `iam:PassedToService`
    /// for enough of a limit, and so do we: a role must trust that service besides.
    pub fn allows_passing_any_role(&self) -> bool {
        let limited = |statement: &Statement| {
            statement.conditions.iter().any(|condition| {
                condition.key == "iam:passedtoservice"
                    && condition.wants_a_value()
                    && !condition.values.iter().any(|value| is_wild(value))
            })
        };
        self.open_for("iam:passrole").any(|statement| !limited(statement))
    }

    /// The wildcards in allowed actions that take in one of [`DATA_ACTIONS`], and `NotAction` where it
    /// does.
    pub fn wildcards_on_data(&self) -> Vec<String> {
        let touches_data = |pattern: &str| DATA_ACTIONS.iter().any(|it| glob(pattern, it, true));
        let mut found = Vec::new();
        for statement in self.allowing() {
            if statement.actions.negated {
                if DATA_ACTIONS.iter().any(|action| statement.actions.matches(action)) {
                    found.push(format!("all but {}", statement.actions.patterns.join(", ")));
                }
                continue;
            }
            let patterns = statement.actions.patterns.iter();
            found.extend(patterns.filter(|it| is_wild(it) && touches_data(it)).cloned());
        }
        found.sort();
        found.dedup();
        found
    }

    /// Whether an action may be allowed on a resource, by its ARN. Whether conditions are met only a request
    /// tells: here an Allow does not wait for them, and a Deny does.
    pub fn may_allow_on(&self, action: &str, resource: &str) -> bool {
        let about = |it: &Statement| it.actions.matches(action) && it.resources.matches(resource);
        self.allowing().any(about) && !self.denying().any(about)
    }

    /// The patterns of the resources on which an action is allowed, before anything is taken back; `*` where
    /// a statement says only which they are not.
    pub fn resources_of(&self, action: &str) -> BTreeSet<&str> {
        let allowing = self.allowing().filter(|statement| statement.actions.matches(action));
        allowing
            .flat_map(|statement| match statement.resources.negated {
                true => vec!["*"],
                false => statement.resources.patterns.iter().map(String::as_str).collect(),
            })
            .collect()
    }

    fn denying(&self) -> impl Iterator<Item = &Statement> {
        // A Deny with a condition leaves the requests that do not meet it.
        self.statements.iter().filter(|it| !it.allow && it.conditions.is_empty())
    }

    /// The statements that allow an action on every resource of its type.
    fn open_for(&self, action: &str) -> impl Iterator<Item = &Statement> {
        self.allowing().filter(move |statement| {
            let resources = &statement.resources;
            statement.actions.matches(action)
                && (resources.negated || resources.patterns.iter().any(|it| is_open(it)))
                && !statement.names_resources_by_condition()
                && !self.denying().any(|deny| {
                    deny.actions.matches(action) && deny.leaves_few_resources_of(statement)
                })
        })
    }
}

impl Statement {
    /// Whether a condition says on which resources, as an ARN would.
    fn names_resources_by_condition(&self) -> bool {
        self.conditions.iter().any(|condition| {
            let key = condition.key.as_str();
            let says_which = key.contains(":resourcetag/")
                || key.starts_with("kms:encryptioncontext:")
                || matches!(
                    key,
                    "elasticfilesystem:accesspointarn"
                        | "s3:dataaccesspointarn"
                        | "kms:resourcealiases"
                );
            says_which
                && condition.wants_a_value()
                && !condition.values.iter().any(|value| is_open(value))
        })
    }

    /// Whether this Deny leaves, of what the other allows, a few resources at most.
    fn leaves_few_resources_of(&self, allowed: &Self) -> bool {
        let denied = &self.resources;
        if denied.negated {
            return !denied.patterns.iter().any(|pattern| is_open(pattern));
        }
        allowed.resources.is_within(denied)
    }

    /// Whether this Deny leaves a few actions or resources at most of a statement that allows all.
    fn leaves_little_of(&self, allowed: &Self) -> bool {
        if self.actions.negated {
            // All but these are denied.
            return self.actions.covers_all() && allowed.resources.is_within(&self.resources);
        }
        self.actions.covers_all() && self.leaves_few_resources_of(allowed)
    }
}

impl Condition {
    /// Whether it holds only where the key is there and has one of the values.
    pub(super) fn wants_a_value(&self) -> bool {
        let operator = self.operator.trim_start_matches("foranyvalue:");
        let positive = matches!(
            operator,
            "stringequals" | "stringlike" | "stringequalsignorecase" | "arnequals" | "arnlike"
        );
        positive && !self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Policy;
    use serde_json::{Value, json};

    fn document(statement: Value) -> Document {
        Document::of(&Policy::from(json!({"Version": "2012-10-17", "Statement": statement})))
    }

    fn allow(action: Value, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    #[test]
    fn everything_is_everything_however_it_is_spelled() {
        let not = |action: &str| json!({"Effect": "Allow", "NotAction": action, "Resource": "*"});
        for all in [
            allow(json!("*"), "*"),
            allow(json!(["*:*", "s3:GetObject"]), "arn:aws:*"),
            allow(json!("*"), "arn:*:*:*:*:*"),
            allow(json!("*"), "arn:aws-us-gov:*"),
            allow(json!("*"), "arn:aws"),
            not("iam:*"),
            json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::logs/*"}),
            json!([allow(json!("*"), "*"), {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]),
            json!({"Effect": "Allow", "Action": "*", "Resource": "*",
                   "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
            json!([allow(json!("*"), "*"), {"Effect": "Deny", "NotAction": "sts:*", "Resource": "*",
                   "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}]),
        ] {
            assert!(document(all.clone()).allows_everything(), "{all}");
        }
        for less in [
            allow(json!("s3:*"), "*"),
            allow(json!("*"), "arn:aws:s3:::*"),
            not("*"),
            json!([allow(json!("*"), "*"), {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}]),
            json!([allow(json!("*"), "*"), {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}]),
            json!({"Effect": "Allow", "Action": "*", "Resource": "*",
                   "Condition": {"StringEquals": {"aws:ResourceTag/Team": "registrar"}}}),
        ] {
            assert!(!document(less.clone()).allows_everything(), "{less}");
        }
    }

    #[test]
    fn a_pattern_is_open_when_nothing_in_it_names_the_resource() {
        for open in [
            "*",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::*",
            "arn:aws:iam::*:role/?*",
            "arn:aws:kinesis:*:*:stream/*",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:*",
            "arn:aws:logs:us-east-1:123456789012:log-group:*:log-stream:*",
            "arn:aws:logs:us-east-1:123456789012:log-group:/*",
            "arn:aws:s3:::*/*",
            "arn:aws:sqs:us-east-1:123456789012:*",
            "arn:aws:rds-db:us-east-1:123456789012:dbuser:*/admin",
            "arn:aws:kinesis:us-east-1:123456789012:stream/*-*",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:?*-??????",
            "arn:aws:s3:::*a*/*",
            "arn:aws:kinesis",
            "arn:aws:kinesis:us-east-1:123456789012",
        ] {
            assert!(is_open(open), "{open}");
        }
        for named in [
            "arn:aws:s3:::records/*",
            "arn:aws:iam::123456789012:role/tasks/*",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-??????",
            "arn:aws:kinesis:us-east-1:123456789012:stream/events-*",
            "arn:aws:logs:us-east-1:123456789012:log-group:app:*",
            "arn:aws:sqs:us-east-1:123456789012:events",
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/*",
            "⟦data/bucket.arn⟧/*",
            "⟦compute/log-group.arn⟧:*",
            "arn:aws:s3:::⟦data/bucket.id⟧/*",
        ] {
            assert!(!is_open(named), "{named}");
        }
    }

    #[test]
    fn passing_any_role_is_seen_behind_wildcards_and_what_is_left_out() {
        let with = |condition: Value| json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition});
        let deny = |action: &str, resource: &str| json!([allow(json!("iam:*"), "*"), {"Effect": "Deny", "Action": action, "Resource": resource}]);
        for any in [
            allow(json!("IAM:pass*"), "arn:aws:iam::123456789012:role/*"),
            allow(json!("*"), "*"),
            json!({"Effect": "Allow", "NotAction": ["organizations:*"], "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "iam:PassRole", "NotResource": "arn:aws:iam::123456789012:role/a"}),
            with(json!({"StringLike": {"iam:PassedToService": "*"}})),
            with(json!({"StringEqualsIfExists": {"iam:PassedToService": "ec2.amazonaws.com"}})),
            with(json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})),
            deny("iam:PassRole", "arn:aws:iam::123456789012:role/admin"),
        ] {
            assert!(document(any.clone()).allows_passing_any_role(), "{any}");
        }
        for some in [
            allow(json!("iam:PassRole"), "arn:aws:iam::123456789012:role/x"),
            allow(json!("iam:Get*"), "*"),
            json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
            with(json!({"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})),
            with(json!({"StringEquals": {"aws:ResourceTag/Team": "registrar"}})),
            deny("iam:Pass*", "*"),
        ] {
            assert!(!document(some.clone()).allows_passing_any_role(), "{some}");
        }
    }

    #[test]
    fn data_actions_want_names_and_no_wildcards() {
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/a";
        let wild = |statement| document(statement).wildcards_on_data();
        assert_eq!(wild(allow(json!("kinesis:*"), stream)), ["kinesis:*"]);
        assert_eq!(wild(allow(json!(["*", "s3:Get*", "kinesis:Put?ecord"]), stream)).len(), 3);
        assert_eq!(wild(allow(json!(["kinesis:Describe*", "ecr:*", "s3:ListAll*"]), "*")).len(), 0);
        let not = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
        assert_eq!(wild(not), ["all but iam:*"]);

        let open = |statement| document(statement).allows_on_any("kinesis:putrecord");
        assert!(open(allow(json!("kinesis:PutRecord"), "*")));
        assert!(open(allow(json!("kinesis:PutRecord"), "arn:aws:kinesis")));
        assert!(!open(allow(json!("kinesis:PutRecord"), stream)));
        let cut_short =
            json!({"Effect": "Deny", "Action": "kinesis:*", "Resource": "arn:aws:kinesis"});
        let all = allow(json!("kinesis:PutRecord"), "arn:aws:kinesis:*:*:stream/*");
        assert!(!open(json!([all, cut_short])), "it denies all streams");
        assert!(!open(allow(json!("kinesis:PutRecords"), "*")));
        let point =
            json!({"StringEquals": {"elasticfilesystem:AccessPointArn": "⟦data/point.arn⟧"}});
        let mount = json!({"Effect": "Allow", "Action": "elasticfilesystem:ClientMount", "Resource": "*", "Condition": point});
        assert!(!document(mount).allows_on_any("elasticfilesystem:clientmount"));
    }

    #[test]
    fn what_may_be_allowed_waits_for_no_condition_and_is_gone_with_a_plain_deny() {
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/a";
        let via = json!({"StringEquals": {"kms:ViaService": "kinesis.us-east-1.amazonaws.com"}});
        let put = |effect: &str, resource: &str, condition: Value| json!({"Effect": effect, "Action": "kinesis:Put*", "Resource": resource, "Condition": condition});
        let may = |statement| document(statement).may_allow_on("kinesis:PutRecord", stream);
        assert!(may(put("Allow", stream, via.clone())) && may(put("Allow", "*", json!({}))));
        assert!(!may(put("Allow", "arn:aws:kinesis:us-east-1:123456789012:stream/b", json!({}))));
        let all = put("Allow", "*", json!({}));
        assert!(!may(json!([all, put("Deny", stream, json!({}))])));
        assert!(may(json!([all, put("Deny", stream, via)])));
        let but_one = json!({"Effect": "Allow", "Action": "kinesis:*", "NotResource": stream});
        let both = document(json!([put("Allow", stream, json!({})), but_one]));
        assert_eq!(Vec::from_iter(both.resources_of("kinesis:putrecord")), ["*", stream]);
        assert!(both.resources_of("s3:getobject").is_empty());
    }

    #[test]
    fn what_one_policy_gives_another_may_take_back() {
        let give = document(allow(json!("kinesis:*"), "*"));
        let take = document(json!({"Effect": "Deny", "Action": "kinesis:Put*", "Resource": "*"}));
        let both = Document::joined([&give, &take]);
        assert!(give.allows_on_any("kinesis:putrecord"));
        assert!(
            !both.allows_on_any("kinesis:putrecord") && both.allows_on_any("kinesis:getrecords")
        );
    }
}
