//! What roles, users and groups may do: by policies of their own and attached ones, within what bounds
//! them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use account::{Group, ManagedPolicy, User};
use compute::Role;
use engine::{Inspected, Policy};

use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};
use crate::policy::Document;

/// The fields that grants are read from.
const FIELDS: &[&str] = &["inline_policies", "managed_policies", "permissions_boundary"];

/// What [`judge`] reads, as [`Control::reads`](crate::Control::reads) has it.
pub const READS: &[&str] = &[
    "iam.role.inline_policies",
    "iam.role.managed_policies",
    "iam.role.permissions_boundary",
    "iam.role.path",
    "iam.user.inline_policies",
    "iam.user.managed_policies",
    "iam.user.permissions_boundary",
    "iam.group.inline_policies",
    "iam.group.managed_policies",
    "iam.policy.aws_managed",
    "iam.policy.document",
    "iam.policy.roles",
    "iam.policy.users",
    "iam.policy.groups",
    "iam.policy.bounds",
];

/// What somebody may do.
pub struct Grants {
    /// By the name of the policy, or its ARN where it is attached.
    policies: Vec<(String, Document)>,
    /// All of them, with what they take back from each other.
    together: Document,
    /// What they may grant at most.
    boundary: Option<Result<Document, Unread>>,
    /// An attached policy that could not be read.
    unread: Option<Unread>,
}

/// The documents of managed policies by ARN, read once.
struct Managed(Result<HashMap<String, Result<Document, Unread>>, Unread>);

impl Grants {
    /// What a role may do.
    ///
    /// # Errors
    /// When its policies could not be read.
    pub fn of_role(facts: &Facts<'_>, role: &Seen<'_, Role>) -> Result<Self, Unread> {
        let spec = role.read(FIELDS)?;
        let boundary = spec.permissions_boundary.as_deref();
        Ok(Self::gather(facts, &spec.inline_policies, &spec.managed_policies, boundary))
    }

    /// What a user may do, its groups' policies aside.
    ///
    /// # Errors
    /// When its policies could not be read.
    pub fn of_user(facts: &Facts<'_>, user: &Seen<'_, User>) -> Result<Self, Unread> {
        let spec = user.read(FIELDS)?;
        let boundary = spec.permissions_boundary.as_deref();
        Ok(Self::gather(facts, &spec.inline_policies, &spec.managed_policies, boundary))
    }

    /// What a group's members may do.
    ///
    /// # Errors
    /// When its policies could not be read.
    pub fn of_group(facts: &Facts<'_>, group: &Seen<'_, Group>) -> Result<Self, Unread> {
        let spec = group.read(FIELDS)?;
        Ok(Self::gather(facts, &spec.inline_policies, &spec.managed_policies, None))
    }

    fn gather(
        facts: &Facts<'_>,
        inline: &BTreeMap<String, Policy>,
        attached: &BTreeSet<String>,
        boundary: Option<&str>,
    ) -> Self {
        let managed = |arn: &str| facts.derived::<Managed>(Managed::of).get(arn);
        let own = inline.iter().map(|(name, policy)| (name.clone(), Document::of(policy)));
        let mut policies: Vec<(String, Document)> = own.collect();
        let mut unread = None;
        for arn in attached {
            match managed(arn) {
                Ok(document) => policies.push((arn.clone(), document)),
                Err(why) => unread = Some(why),
            }
        }
        let together = Document::joined(policies.iter().map(|(_, document)| document));
        Self { policies, together, boundary: boundary.map(managed), unread }
    }

    /// The policies that give what `question` asks for, and that no other policy takes back nor the
    /// boundary holds back.
    ///
    /// # Errors
    /// When none gives it and one could not be read, or the boundary decides and could not be read.
    pub fn which(&self, question: impl Fn(&Document) -> bool) -> Result<Vec<&str>, Unread> {
        let gives = self.policies.iter().filter(|(_, document)| question(document));
        let names: Vec<&str> = gives.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() || !question(&self.together) {
            return self.unread.clone().map_or(Ok(Vec::new()), Err);
        }
        match &self.boundary {
            Some(Ok(boundary)) if !question(boundary) => Ok(Vec::new()),
            Some(Err(why)) => Err(why.clone()),
            _ => Ok(names),
        }
    }

    /// The patterns of the resources on which an action is allowed, before anything is taken back.
    ///
    /// # Errors
    /// When a policy could not be read.
    pub fn resources_of(&self, action: &str) -> Result<BTreeSet<&str>, Unread> {
        self.unread.clone().map_or_else(|| Ok(self.together.resources_of(action)), Err)
    }

    /// Wildcards in actions that take in data actions, whatever the resources.
    ///
    /// # Errors
    /// When there are none and a policy could not be read.
    pub fn wildcards_on_data(&self) -> Result<Vec<String>, Unread> {
        let found = self.together.wildcards_on_data();
        match &self.unread {
            Some(why) if found.is_empty() => Err(why.clone()),
            _ => Ok(found),
        }
    }
}

impl Managed {
    fn of(facts: &Facts<'_>) -> Self {
        Self(facts.all::<ManagedPolicy>().map(|all| {
            let documents = all.iter().map(|live| {
                let policy = Seen::of(live);
                let document = policy.read(&["document"]).map(|spec| Document::of(&spec.document));
                (live.id.clone(), document)
            });
            documents.collect()
        }))
    }

    fn get(&self, arn: &str) -> Result<Document, Unread> {
        let documents = self.0.as_ref().map_err(Clone::clone)?;
        documents.get(arn).cloned().unwrap_or_else(|| {
            Err(Unread { what: format!("the document of the policy {arn}"), error: None })
        })
    }
}

/// Judges every role, user and group, and every policy of the customer's, by whether it gives what
/// `question` asks for. `what` goes on from "allows": "every action on every resource".
pub fn judge(facts: &Facts<'_>, question: fn(&Document) -> bool, what: &str) -> Vec<Judgement> {
    let held = |grants: Grants| {
        let names = grants.which(question)?;
        let verdict = Verdict::of(
            names.is_empty(),
            format!("none of its policies allows {what}"),
            format!("its policy {} allows {what}", names.join(" and its policy ")),
        );
        Ok(verdict.with("iam:GetAccountAuthorizationDetails", "PolicyName", names))
    };
    let mut found = facts.each_where::<Role>(
        |role| !role.spec.is_service_linked(),
        |role| held(Grants::of_role(facts, role)?),
    );
    // Users and groups are no part of any stack.
    if facts.is_subject(User::KIND, "*") {
        found.extend(facts.each::<User>(|user| held(Grants::of_user(facts, user)?)));
        found.extend(facts.each::<Group>(|group| held(Grants::of_group(facts, group)?)));
    }
    found.extend(facts.each_where::<ManagedPolicy>(
        // AWS's own are judged where somebody has them.
        |policy| !policy.spec.aws_managed,
        |policy| {
            let spec = policy.read(&["document", "roles", "users", "groups", "bounds"])?;
            let gives = question(&Document::of(&spec.document));
            let verdict = if gives && !spec.is_attached() && !spec.bounds.is_empty() {
                Verdict::pass(format!("allows {what}, but only bounds others and grants nothing"))
            } else {
                Verdict::of(!gives, format!("does not allow {what}"), format!("allows {what}"))
            };
            let version = spec.document.document().clone();
            Ok(verdict.with("iam:GetAccountAuthorizationDetails", "PolicyVersionList", version))
        },
    ));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(effect: &str, action: &str) -> Document {
        let statement = json!([{"Effect": effect, "Action": action, "Resource": "*"}]);
        Document::of(&Policy::from(json!({ "Statement": statement })))
    }

    fn grants(policies: Vec<Document>) -> Grants {
        let together = Document::joined(&policies);
        let named = policies.into_iter().enumerate();
        let policies = named.map(|(at, document)| (format!("p{at}"), document)).collect();
        Grants { policies, together, boundary: None, unread: None }
    }

    #[test]
    fn a_deny_of_another_policy_and_a_boundary_hold_back() {
        let all = || document("Allow", "*");
        let which = |grants: &Grants| {
            let names = grants.which(Document::allows_everything);
            names.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(which(&grants(vec![document("Allow", "s3:*"), all()])), Ok(vec!["p1".into()]));
        assert_eq!(which(&grants(vec![all(), document("Deny", "*")])), Ok(vec![]));

        let unread = Unread { what: "a policy".into(), error: None };
        let mut bounded = grants(vec![all()]);
        bounded.boundary = Some(Ok(document("Allow", "kinesis:*")));
        assert_eq!(which(&bounded), Ok(vec![]));
        bounded.boundary = Some(Ok(all()));
        assert_eq!(which(&bounded), Ok(vec!["p0".into()]));
        bounded.boundary = Some(Err(unread.clone()));
        assert_eq!(which(&bounded), Err(unread.clone()));

        // What is known to be too much is so whatever else there is.
        let mut partly = grants(vec![all()]);
        partly.unread = Some(unread.clone());
        assert_eq!(which(&partly), Ok(vec!["p0".into()]));
        let mut partly = grants(vec![document("Allow", "s3:*")]);
        partly.unread = Some(unread.clone());
        assert_eq!(which(&partly), Err(unread));
    }
}
