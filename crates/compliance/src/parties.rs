//! Who somebody is that something is shared with.

use crate::facts::Facts;
use crate::keys::account_of;

/// Says who a principal of RAM or Lake Formation is, where records may not be shared with it: another
/// account that is not declared, or an organisation or a unit of one, which is open for accounts to come.
/// `None` for all others: our own account, declared ones, and AWS's services.
pub fn undeclared(facts: &Facts<'_>, principal: &str) -> Option<String> {
    // Lake Formation's words for "whoever IAM admits", in this account and in any.
    let principal = principal.strip_suffix(":IAMPrincipals").unwrap_or(principal);
    if principal == "IAM_ALLOWED_PRINCIPALS" || principal.ends_with(".amazonaws.com") {
        return None;
    }
    let is_account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
    // The account in an organisation's ARN is the one that manages it, not the one that is meant.
    let account = match principal.split(':').nth(2) {
        Some("organizations") => None,
        _ => account_of(principal).or(is_account.then_some(principal)),
    };
    match account {
        Some(account) if facts.is_declared_account(account) => None,
        Some(account) => Some(format!("the account {account}")),
        None => Some(principal.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use engine::Inventory;

    use super::undeclared;
    use crate::facts::Facts;
    use crate::settings::Settings;
    use crate::testing::NOW;

    #[test]
    fn accounts_are_known_by_number_and_arn_and_organisations_are_open() {
        let inventory = Inventory::empty("123456789012", "us-east-1");
        let settings =
            Settings { declared_accounts: ["111111111111".into()].into(), ..Settings::default() };
        let facts = Facts::new(&inventory, &settings, NOW);
        for fine in [
            "123456789012",
            "111111111111",
            "arn:aws:iam::111111111111:role/registrar",
            "111111111111:IAMPrincipals",
            "IAM_ALLOWED_PRINCIPALS",
            "pca-connector-ad.amazonaws.com",
        ] {
            assert_eq!(undeclared(&facts, fine), None, "{fine}");
        }
        for stranger in [
            "999999999999",
            "999999999999:IAMPrincipals",
            "arn:aws:iam::999999999999:root",
            "arn:aws:organizations::123456789012:organization/o-abc",
            "arn:aws:organizations::111111111111:ou/o-abc/ou-abcd-12345678",
        ] {
            assert!(undeclared(&facts, stranger).is_some(), "{stranger}");
        }
    }
}
