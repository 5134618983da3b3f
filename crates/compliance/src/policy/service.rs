//! What services may do with a resource, and for whom.

use super::condition::{Condition, Narrowing};
use super::data_actions::DISCLOSING_ACTIONS;
use super::principal::{Principal, Principals};
use super::statement::Statement;

impl Statement {
    /// On behalf of which outsiders a service that an Allow names may come, where none of these Denies keeps
    /// it out. Services deliver logs for whole organisations, and often without saying for whom: that puts
    /// something in and shows nothing. What they read for somebody, they show them.
    pub(super) fn admitted_through(
        &self,
        service: Principal,
        denies: &[&Self],
        trusted: &impl Fn(&str) -> bool,
    ) -> Vec<Principal> {
        let Principal::Service(name) = &service else { return Vec::new() };
        if denies.iter().any(|deny| deny.keeps_out_service(name, trusted)) {
            return Vec::new();
        }
        let each = self.conditions.iter().map(|one| one.narrowing_of_service(trusted));
        let narrowing = each.fold(Narrowing::None, Narrowing::and);
        let discloses = || DISCLOSING_ACTIONS.iter().any(|action| self.actions.matches(action));
        match narrowing {
            Narrowing::Accounts(_) => narrowing.outsiders(trusted),
            Narrowing::Organisations(_) if discloses() => narrowing.outsiders(trusted),
            Narrowing::None if discloses() => vec![service],
            _ => Vec::new(),
        }
    }

    /// Whether this Deny keeps a service out that acts on behalf of somebody who is not trusted.
    pub(super) fn keeps_out_service(&self, service: &str, trusted: &impl Fn(&str) -> bool) -> bool {
        let about = match &self.principals {
            Principals::These(these) => these.iter().any(|principal| match principal {
                Principal::Everybody => true,
                Principal::Service(name) => name == service,
                _ => false,
            }),
            _ => false,
        };
        // A service is of no account, so it is of none of those that a Deny excepts.
        let meets = |condition: &Condition| {
            condition.is_not_on_behalf_of(trusted)
                || condition.is_met_by_services()
                || condition.is_not_from(trusted)
                || condition.all_but_organisations().is_some()
        };
        about && self.conditions.iter().all(meets)
    }
}
