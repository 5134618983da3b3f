//! FERPA-KEY-07: keys have a name.

use engine::Status as Condition;
use security::Key;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-KEY-07",
    title: "Keys have an alias",
    statement: "Every customer key has an alias.",
    severity: Severity::Low,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.10"],
    why: "Deleting a key destroys what it encrypts, and an id that nobody can tell from another is how the wrong one is deleted.",
    reads: &[&["kms.key.alias", "kms.key.status"]],
    remedy: Remedy {
        stack: "`deploy`: every key has an alias with the stack's name",
        api: "kms:CreateAlias",
    },
    reach: Reach::Stack,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<Key>(|key| {
        let spec = key.read(&["alias", "status"])?;
        if key.live().status == Condition::Deleting {
            return Ok(Verdict::not_applicable("the key is being deleted"));
        }
        let verdict = match &spec.alias {
            Some(alias) => Verdict::pass(format!("the key is called {alias}")),
            None => Verdict::fail("the key has no alias"),
        };
        Ok(verdict.with("kms:ListAliases", "AliasName", spec.alias.as_deref()))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::operation::list_aliases::ListAliasesOutput;
    use aws_sdk_kms::types::{AliasListEntry, KeyState};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::kms::{described, key};
    use crate::testing::{denied, judged, only};

    fn called(name: &'static str) -> Rule {
        mock!(aws_sdk_kms::Client::list_aliases).then_output(move || {
            let alias = AliasListEntry::builder().alias_name(name).target_key_id("1234").build();
            ListAliasesOutput::builder().aliases(alias).build()
        })
    }

    #[tokio::test]
    async fn a_key_has_a_name_or_not() {
        let found = judged(&CONTROL, &key(vec![called("alias/records")])).await;
        assert_eq!(only(&found), (Status::Pass, "the key is called alias/records"));
        let found = judged(&CONTROL, &key(vec![])).await;
        assert_eq!(only(&found), (Status::Fail, "the key has no alias"));
        let dying = described(|it| it.key_state(KeyState::PendingDeletion));
        assert_eq!(only(&judged(&CONTROL, &key(vec![dying])).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn aliases_that_cannot_be_listed_are_unknown() {
        let denied = denied!(aws_sdk_kms, list_aliases, ListAliasesError);
        assert_eq!(only(&judged(&CONTROL, &key(vec![denied])).await).0, Status::Unknown);
    }
}
