//! Who administers keys, beyond using them.

use super::condition::Condition;
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
