//! FERPA-DIS-02: no Lake Formation grant to an undeclared account.

use account::LakePermission;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::Judgement;
use crate::parties::undeclared;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-DIS-02",
    title: "No Lake Formation grant to an undeclared account",
    statement: "Every permission of Lake Formation is held by the account itself or by a declared one.",
    severity: Severity::Critical,
    citations: &["34 CFR 99.33", "NIST SP 800-171r2 3.1.3"],
    why: "A grant on a table opens its rows to another account without a trace in any bucket policy.",
    reads: &[&["lakeformation.permission.principal", "lakeformation.permission.permissions"]],
    remedy: Remedy {
        stack: "`audit.declared_accounts`, for an account that records may be shared with",
        api: "lakeformation:RevokePermissions with the principal and the resource",
    },
    reach: Reach::Account,
    judge,
};

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    facts.each::<LakePermission>(|permission| {
        let spec = permission.read(&["principal", "permissions"])?;
        let words: Vec<&str> = spec.permissions.iter().map(String::as_str).collect();
        let verdict = match undeclared(facts, &spec.principal) {
            Some(stranger) => Verdict::fail(format!(
                "{stranger}, undeclared, is granted {}",
                words.join(", ")
            )),
            None => Verdict::pass("it is held by a declared account"),
        };
        let call = "lakeformation:ListPermissions";
        Ok(verdict
            .with(call, "DataLakePrincipalIdentifier", spec.principal.as_str())
            .with(call, "Permissions", words))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_lakeformation::operation::get_data_lake_settings::GetDataLakeSettingsOutput;
    use aws_sdk_lakeformation::operation::list_permissions::ListPermissionsOutput;
    use aws_sdk_lakeformation::types::{
        DataLakePrincipal, DataLakeSettings, DatabaseResource, Permission,
        PrincipalResourcePermissions, Resource,
    };
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn granted_to(principal: &'static str) -> Rule {
        mock!(aws_sdk_lakeformation::Client::list_permissions).then_output(move || {
            let who = DataLakePrincipal::builder().data_lake_principal_identifier(principal);
            let database = DatabaseResource::builder().name("grades").build().unwrap();
            let permission = PrincipalResourcePermissions::builder()
                .principal(who.build())
                .resource(Resource::builder().database(database).build())
                .permissions(Permission::Describe);
            ListPermissionsOutput::builder()
                .principal_resource_permissions(permission.build())
                .build()
        })
    }

    #[tokio::test]
    async fn another_account_has_to_be_declared() {
        for (principal, status) in [
            ("arn:aws:iam::123456789012:role/analyst", Status::Pass),
            ("IAM_ALLOWED_PRINCIPALS", Status::Pass),
            ("999999999999", Status::Fail),
            ("arn:aws:organizations::123456789012:organization/o-abc", Status::Fail),
        ] {
            let found = judged(&CONTROL, &[granted_to(principal)]).await;
            assert_eq!(only(&found).0, status, "{principal}");
        }
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::NotApplicable);
    }

    #[tokio::test]
    async fn a_list_that_may_be_filtered_is_unknown() {
        let ours = "arn:aws:iam::123456789012:role/analyst";
        let other = mock!(aws_sdk_lakeformation::Client::get_data_lake_settings).then_output(|| {
            let admin = DataLakePrincipal::builder()
                .data_lake_principal_identifier("arn:aws:iam::123456789012:role/lake")
                .build();
            let settings = DataLakeSettings::builder().data_lake_admins(admin).build();
            GetDataLakeSettingsOutput::builder().data_lake_settings(settings).build()
        });
        for (principal, status) in [(ours, Status::Pass), ("999999999999", Status::Fail)] {
            let found = judged(&CONTROL, &[granted_to(principal), other.clone()]).await;
            let statuses: Vec<Status> = found.iter().map(|one| one.status).collect();
            assert_eq!(statuses, [status, Status::Unknown], "what is shown is judged all the same");
            assert!(found[1].message.contains("ReadOnlyAdmins"), "{found:#?}");
        }

        let denied = denied!(aws_sdk_lakeformation, list_permissions, ListPermissionsError);
        assert_eq!(only(&judged(&CONTROL, &[denied]).await).0, Status::Unknown);
    }
}
