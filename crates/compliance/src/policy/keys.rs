//! Who administers keys, beyond using them.

use super::condition::Condition;
use super::pattern::glob;
use super::principal::Principals;
use super::{Document, Statement};

/// What decides about a key rather than encrypts with it. Whoever may do one of these can lend the key to
/// others, or take the records with it.
pub const KEY_ADMINISTRATION: &[&str] = &[
    "kms:CancelKeyDeletion",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:ImportKeyMaterial",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
];

/// What encrypts, decrypts or signs with a key, or lends it to somebody who then may.
const KEY_USE: &[&str] = &[
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateMac",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:Sign",
];

/// Who may administer a key by a statement of its policy, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrators {
    /// ARNs, perhaps with wildcards; `*` is everybody whom the statement's conditions leave.
    pub principals: Vec<String>,
    /// What they may do: `kms:PutKeyPolicy`.
    pub actions: Vec<&'static str>,
}

impl Document {
    /// Whether an identity with this policy could administer some key by one of [`KEY_ADMINISTRATION`].
    pub fn administers_keys(&self, action: &str) -> bool {
        let denied = self.statements.iter().any(|statement| {
            !statement.allow
                && statement.conditions.is_empty()
                && statement.resources.covers_all()
                && !statement.resources.negated
                && statement.actions.matches(action)
        });
        !denied && self.allowing().any(|statement| statement.administers(action))
    }

    /// Who administers the key that has this policy, statement by statement.
    pub fn key_administrators(&self) -> Vec<Administrators> {
        self.allowing()
            .filter_map(|statement| {
                let administers = |action: &&&str| statement.administers(action);
                let actions: Vec<_> =
                    KEY_ADMINISTRATION.iter().filter(administers).copied().collect();
                let principals = statement.who();
                (!actions.is_empty() && !principals.is_empty())
                    .then_some(Administrators { principals, actions })
            })
            .collect()
    }

    /// The uses of a key that its policy leaves to IAM alone: it gives them to the account, or to everybody,
    /// and says neither who may use the key, nor through which service, nor for what.
    pub fn key_uses_left_to_iam(&self) -> Vec<&'static str> {
        let left = |action: &&&str| {
            self.allowing().any(|it| it.leaves_use_to_iam() && it.actions.matches(action))
                && !self
                    .statements
                    .iter()
                    .any(|it| it.actions.matches(action) && it.keeps_to_some())
        };
        KEY_USE.iter().filter(left).copied().collect()
    }

    /// Whether the policy of a key gives a principal an action by itself, so that no IAM policy has to: it
    /// names them, or everybody whom its conditions leave. The account as a whole is nobody in it.
    pub fn gives(&self, principal: &str, action: &str) -> bool {
        self.allowing().any(|statement| {
            let mut who = statement.who().into_iter();
            statement.actions.matches(action) && who.any(|who| glob(&who, principal, false))
        })
    }
}

impl Statement {
    /// Whether it allows the action, other than to services: AWS makes grants for its own services in the
    /// name of whoever uses them, and that is use.
    fn administers(&self, action: &str) -> bool {
        let to_services = action == "kms:CreateGrant"
            && self
                .conditions
                .iter()
                .any(|one| one.is("bool", "kms:grantisforawsresource", "true"));
        self.actions.matches(action) && !to_services
    }

    /// Whether it allows something to everybody whom the account's IAM policies let.
    fn leaves_use_to_iam(&self) -> bool {
        let account = |name: &String| {
            name.ends_with(":root") || name.bytes().all(|byte| byte.is_ascii_digit())
        };
        let whole = match &self.principals {
            Principals::Unsaid => false,
            Principals::AllBut(_) => true,
            Principals::These(_) => self.is_about_everybody() || self.named.iter().any(account),
        };
        whole && !self.conditions.iter().any(Condition::limits_use)
    }

    /// Whether it denies to all but some who are named.
    fn keeps_to_some(&self) -> bool {
        let named = |condition: &Condition| condition.exempts_some();
        let all_but_some = match &self.principals {
            Principals::AllBut(these) => !these.is_empty() && self.conditions.is_empty(),
            _ => self.is_about_everybody() && self.conditions.iter().any(named),
        };
        let rest = |condition: &Condition| named(condition) || condition.excepts_services();
        !self.allow && all_but_some && self.conditions.iter().all(rest)
    }

    fn who(&self) -> Vec<String> {
        let arns = self.conditions.iter().filter_map(Condition::principal_arns).next();
        let everybody = || arns.map_or_else(|| vec!["*".to_owned()], <[String]>::to_vec);
        match &self.principals {
            Principals::Unsaid => Vec::new(),
            Principals::AllBut(_) => everybody(),
            Principals::These(_) if self.is_about_everybody() => everybody(),
            Principals::These(_) => self.named.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Policy;
    use serde_json::{Value, json};

    use super::*;

    const ROOT: &str = "arn:aws:iam::123456789012:root";
    const TASK: &str = "arn:aws:iam::123456789012:role/task";

    fn document(statement: Value) -> Document {
        Document::of(&Policy::from(json!({"Statement": statement})))
    }

    fn to(principal: &str, actions: Value, condition: Value) -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions,
            "Resource": "*", "Condition": condition})
    }

    fn left(statement: Value) -> Vec<&'static str> {
        document(statement).key_uses_left_to_iam()
    }

    #[test]
    fn the_account_as_a_whole_is_no_user_of_a_key() {
        assert_eq!(left(to(ROOT, json!("kms:*"), json!({}))), KEY_USE);
        assert_eq!(left(to("123456789012", json!("kms:Dec*"), json!({}))), ["kms:Decrypt"]);
        let caller = json!({"StringEquals": {"kms:CallerAccount": "123456789012"}});
        assert_eq!(left(to("*", json!(["kms:Encrypt"]), caller)), ["kms:Encrypt"]);
        for open in [
            json!({"StringLike": {"kms:ViaService": "*"}}),
            json!({"StringLike": {"kms:ViaService": "*.amazonaws.com"}}),
            json!({"StringEqualsIfExists": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}}),
            json!({"StringLike": {"aws:PrincipalArn": "*"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
        ] {
            assert_eq!(left(to(ROOT, json!("kms:Sign"), open.clone())), ["kms:Sign"], "{open}");
        }
    }

    #[test]
    fn a_service_a_context_or_a_name_says_who_uses_a_key() {
        assert!(left(to(TASK, json!("kms:*"), json!({}))).is_empty());
        assert!(left(to(ROOT, json!(["kms:Put*", "kms:Describe*"]), json!({}))).is_empty());
        for limit in [
            json!({"StringEquals": {"kms:ViaService": ["rds.us-east-1.amazonaws.com"]}}),
            json!({"StringLike": {"kms:EncryptionContext:aws:ssm:SessionId": "*"}}),
            json!({"ArnEquals": {"aws:PrincipalArn": TASK}}),
            json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        ] {
            assert!(left(to(ROOT, json!("kms:*"), limit.clone())).is_empty(), "{limit}");
        }
        let all = to(ROOT, json!("kms:*"), json!({}));
        let deny = |condition: Value| {
            json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*",
            "Resource": "*", "Condition": condition})
        };
        let but_one = deny(json!({"ArnNotLike": {"aws:PrincipalArn": TASK},
            "Bool": {"aws:PrincipalIsAWSService": "false"}}));
        assert!(left(json!([all, but_one])).is_empty());
        let strangers = deny(json!({"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}));
        assert_eq!(left(json!([all, strangers])), KEY_USE);
    }

    #[test]
    fn a_key_gives_to_whom_it_names() {
        let gives = |statement| document(statement).gives(TASK, "kms:GenerateDataKey");
        assert!(gives(to(TASK, json!("kms:GenerateDataKey*"), json!({}))));
        let via = json!({"StringEquals": {"kms:ViaService": "kinesis.us-east-1.amazonaws.com"}});
        assert!(gives(to("*", json!("kms:*"), via)));
        assert!(!gives(to(TASK, json!("kms:Decrypt"), json!({}))));
        assert!(!gives(to(ROOT, json!("kms:*"), json!({}))), "IAM has to give it, too");
    }
}
