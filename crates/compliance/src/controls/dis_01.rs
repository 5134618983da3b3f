//! FERPA-DIS-01: RAM shares only to declared accounts.

use account::ResourceShare;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::parties::undeclared;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-DIS-01",
    title: "RAM shares only to declared accounts",
    statement: "Every resource share of RAM is for declared accounts only.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.31(a)(1)(i)(B)", "34 CFR 99.33", "NIST SP 800-171r2 3.1.3"],
    why: "Who is outsourced to has to be under the school's control and may not pass records on, so every account that something is shared with must be known.",
    reads: &[&["ram.resource_share.principals"]],
    remedy: Remedy {
        stack: "`audit.declared_accounts`, for an account that records may be shared with",
        api: "ram:DisassociateResourceShare with the principal",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<ResourceShare>(|share| {
        let principals = &share.read(&["principals"])?.principals;
        let strangers: Vec<String> =
            principals.iter().filter_map(|who| undeclared(facts, who)).collect();
        let verdict = if principals.is_empty() {
            Verdict::pass("it is shared with nobody")
        } else {
            Verdict::of(
                strangers.is_empty(),
                "it is shared with declared accounts only",
                format!("it is shared with {}, undeclared", strangers.join(", ")),
            )
        };
        let call = "ram:GetResourceShareAssociations";
        Ok(verdict.with(call, "associatedEntity", principals.iter().cloned().collect::<Vec<_>>()))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ram::operation::get_resource_share_associations::GetResourceShareAssociationsOutput;
    use aws_sdk_ram::operation::get_resource_shares::GetResourceSharesOutput;
    use aws_sdk_ram::types::{
        ResourceShare, ResourceShareAssociation, ResourceShareAssociationStatus,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::settings::Settings;
    use crate::testing::{denied, judged, judged_with, only};

    const SHARE: &str = "arn:aws:ram:us-east-1:123456789012:resource-share/a";

    fn share() -> Rule {
        mock!(aws_sdk_ram::Client::get_resource_shares).then_output(|| {
            let share = ResourceShare::builder().resource_share_arn(SHARE).name("reports");
            GetResourceSharesOutput::builder().resource_shares(share.build()).build()
        })
    }

    fn with(principal: &'static str, status: ResourceShareAssociationStatus) -> Rule {
        mock!(aws_sdk_ram::Client::get_resource_share_associations).then_output(move || {
            let association = ResourceShareAssociation::builder()
                .resource_share_arn(SHARE)
                .associated_entity(principal)
                .status(status.clone());
            GetResourceShareAssociationsOutput::builder()
                .resource_share_associations(association.build())
                .build()
        })
    }

    #[tokio::test]
    async fn other_accounts_have_to_be_declared() {
        // An invitation that nobody has accepted yet is a share.
        let rules = [share(), with("999999999999", ResourceShareAssociationStatus::Associating)];
        let found = judged(&CONTROL, &rules).await;
        let bad = "it is shared with the account 999999999999, undeclared";
        assert_eq!(only(&found), (Status::Fail, bad));

        let declared_accounts = ["999999999999".into()].into();
        let settings = Settings { declared_accounts, ..Settings::default() };
        let found = judged_with(&CONTROL, &rules, &settings).await;
        assert_eq!(only(&found), (Status::Pass, "it is shared with declared accounts only"));

        let rules = [share(), with("999999999999", ResourceShareAssociationStatus::Disassociated)];
        let found = judged(&CONTROL, &rules).await;
        assert_eq!(only(&found), (Status::Pass, "it is shared with nobody"));
    }

    #[tokio::test]
    async fn a_whole_organization_is_not_declared() {
        let organization = "arn:aws:organizations::123456789012:organization/o-abc";
        let rules = [share(), with(organization, ResourceShareAssociationStatus::Associated)];
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn principals_that_cannot_be_listed_are_unknown() {
        let denied = denied!(
            aws_sdk_ram,
            get_resource_share_associations,
            GetResourceShareAssociationsError
        );
        assert_eq!(only(&judged(&CONTROL, &[share(), denied]).await).0, Status::Unknown);
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::NotApplicable);
    }
}
