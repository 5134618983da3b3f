//! FERPA-IDN-11: people come through Identity Center.

use account::IdentityCenter;
use compute::Role;
use engine::Inspected;

use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Seen, Verdict};
use crate::finding::{Judgement, Unread};

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-IDN-11",
    title: "People come through Identity Center",
    statement: "People enter the account with a permission set of IAM Identity Center.",
    severity: Severity::Medium,
    citations: &["NIST SP 800-171r2 3.5.1"],
    why: "One directory that people leave when they leave the school is the only place where an account of theirs is never forgotten.",
    reads: &[&["sso.instance.state", "iam.role.path"]],
    remedy: Remedy {
        stack: "nothing: Identity Center is the organization's, and no stack of one account can enable it",
        api: "enable IAM Identity Center in the organization, then sso:CreateAccountAssignment for this account",
    },
    reach: Reach::Account,
    judge,
};

/// The path of the roles that Identity Center keeps in an account, one for each permission set.
const PERMISSION_SETS: &str = "/aws-reserved/sso.amazonaws.com/";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    vec![facts.whole(IdentityCenter::KIND, verdict(facts))]
}

fn verdict(facts: &Facts<'_>) -> Result<Verdict, Unread> {
    let mut sets = 0;
    for role in facts.all::<Role>()?.iter() {
        let path = &Seen::of(role).read(&["path"])?.path;
        sets += usize::from(path.starts_with(PERMISSION_SETS));
    }
    // Only the region of an instance shows it, so that there is none here need not mean anything.
    let instances = facts.all::<IdentityCenter>()?;
    let mut states = Vec::new();
    for instance in instances.iter() {
        states.push(Seen::of(instance).read(&["state"])?.state.as_str());
    }
    let verdict = if sets == 0 && states.is_empty() {
        Verdict::fail("there is no Identity Center, and no permission set of one in the account")
    } else if sets == 0 {
        Verdict::fail("there is an Identity Center, but none of its permission sets is in the account")
    } else if !states.is_empty() && !states.contains(&"ACTIVE") {
        Verdict::fail(format!("the Identity Center does not work: it is {}", states.join(", ")))
    } else {
        Verdict::pass(format!("Identity Center lets people in with {sets} permission sets"))
    };
    Ok(verdict
        .with("sso:ListInstances", "Instances", states)
        .with("iam:GetAccountAuthorizationDetails", "AWSReservedSSO roles", sets))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
    use aws_sdk_iam::types::RoleDetail;
    use aws_sdk_ssoadmin::operation::list_instances::ListInstancesOutput;
    use aws_sdk_ssoadmin::types::{InstanceMetadata, InstanceStatus};
    use aws_smithy_mocks::{Rule, mock};

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::{denied, judged, only};

    fn instance(status: impl Into<Option<InstanceStatus>>) -> Rule {
        let status = status.into();
        mock!(aws_sdk_ssoadmin::Client::list_instances).then_output(move || {
            let instance = InstanceMetadata::builder().instance_arn("arn:aws:sso:::instance/a");
            ListInstancesOutput::builder().instances(instance.set_status(status.clone()).build()).build()
        })
    }

    fn permission_set() -> Rule {
        mock!(aws_sdk_iam::Client::get_account_authorization_details).then_output(|| {
            let role = RoleDetail::builder()
                .role_name("AWSReservedSSO_Registrar_0123456789abcdef")
                .path("/aws-reserved/sso.amazonaws.com/eu-west-1/")
                .arn("arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Registrar_0123456789abcdef")
                .create_date(aws_smithy_types::DateTime::from_secs(0))
                .assume_role_policy_document("%7B%22Statement%22%3A%5B%5D%7D")
                .build();
            GetAccountAuthorizationDetailsOutput::builder().role_detail_list(role).build()
        })
    }

    #[tokio::test]
    async fn a_permission_set_in_the_account_is_wanted() {
        let rules = [instance(InstanceStatus::Active), permission_set()];
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
        // An instance of another region shows by its roles only.
        assert_eq!(only(&judged(&CONTROL, &[permission_set()]).await).0, Status::Pass);

        let unused = judged(&CONTROL, &[instance(InstanceStatus::Active)]).await;
        assert_eq!(only(&unused).0, Status::Fail);
        let broken = [instance(InstanceStatus::CreateFailed), permission_set()];
        assert_eq!(only(&judged(&CONTROL, &broken).await).0, Status::Fail);
        assert_eq!(only(&judged(&CONTROL, &[]).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_unknown() {
        let silent = [instance(None), permission_set()];
        assert_eq!(only(&judged(&CONTROL, &silent).await).0, Status::Unknown);
        let denied = denied!(aws_sdk_ssoadmin, list_instances, ListInstancesError);
        let found = judged(&CONTROL, &[denied, permission_set()]).await;
        assert_eq!(only(&found).0, Status::Unknown);
    }
}
