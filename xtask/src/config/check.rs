//! What the types cannot say: values that AWS or the stack cannot have.

use super::{Authorizer, Config, Fault, Zones};
use crate::stack::{FullStack, Site};

/// The services that can be reached without leaving the network.
const ENDPOINTS: &[&str] = &["s3", "dynamodb", "kms", "secretsmanager", "logs", "ecr", "kinesis"];

impl Config {
    /// Every fault of the configuration that can be told without asking AWS anything: those of reading it, its
    /// own and the layers'. Those of a region only where it is known.
    pub fn faults(&self, unread: Vec<Fault>, site: &Site, region: Option<&str>) -> Vec<Fault> {
        let mut found = self.check();
        found.extend(region.map(|region| self.check_region(region)).unwrap_or_default());
        found.extend(FullStack::declare(self, site).1);
        found.retain(|fault| !unread.iter().any(|unread| fault.may_follow_from(unread)));
        [unread, found].concat()
    }

    /// What the configuration as a whole may not say.
    fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        name(&mut faults, "project", &self.project, 12);
        name(&mut faults, "environment", &self.environment, 12);
        for (key, value) in &self.tags {
            tag(&mut faults, key, value);
        }
        self.check_zones(&mut faults);
        for (key, days, floor) in [
            ("logs.retention_days", self.logs.retention_days, 365),
            ("logs.disclosure_retention_days", self.logs.disclosure_retention_days, 365),
        ] {
            if let Err(why) = compute::validate::retention_days(days) {
                faults.push(Fault::new(key, why));
            } else if days < floor {
                faults.push(Fault::new(
                    key,
                    format!("expected at least {floor}: less loses evidence"),
                ));
            }
        }
        self.check_security(&mut faults);
        self.check_authorizer(&mut faults);
        self.check_audit(&mut faults);
        faults
    }

    fn check_audit(&self, faults: &mut Vec<Fault>) {
        let audit = &self.audit;
        let floors = &audit.floors;
        for (key, days) in [
            ("log_retention_days", floors.log_retention_days),
            ("disclosure_retention_days", floors.disclosure_retention_days),
            ("backup_retention_days", floors.backup_retention_days),
            ("certificate_days", floors.certificate_days),
        ] {
            if days < 1 {
                faults.push(Fault::new(format!("audit.floors.{key}"), "expected one day or more"));
            }
        }
        for account in &audit.declared_accounts {
            if account.len() != 12 || !account.bytes().all(|digit| digit.is_ascii_digit()) {
                faults.push(Fault::new(
                    "audit.declared_accounts",
                    format!("{account} is not an account: expected twelve digits"),
                ));
            }
        }
        let regions = self.region.iter().map(|region| ("region", region));
        let declared = audit.declared_regions.iter();
        for (key, region) in
            regions.chain(declared.map(|region| ("audit.declared_regions", region)))
        {
            if !is_region(region) {
                faults.push(Fault::new(
                    key,
                    format!("{region} is not a region: expected something like us-east-1"),
                ));
            }
        }
        for (index, waiver) in audit.waivers.iter().enumerate() {
            let mut fault = |key: &str, why: String| {
                faults.push(Fault::new(format!("audit.waivers[{index}].{key}"), why));
            };
            if compliance::control(&waiver.control).is_none() {
                let control = &waiver.control;
                let why = format!("{control} is not a control: `cargo xtask controls` lists them");
                fault("control", why);
            }
            for (key, text) in [
                ("resource", &waiver.resource),
                ("reason", &waiver.reason),
                ("owner", &waiver.owner),
            ] {
                if text.trim().is_empty() {
                    fault(key, "it is empty: a waiver says what, why and who".into());
                }
            }
        }
    }

    fn check_zones(&self, faults: &mut Vec<Fault>) {
        let network = &self.network;
        let zones = network.availability_zones.count();
        let ranges = [
            ("public_cidrs", network.public_cidrs.len()),
            ("private_cidrs", network.private_cidrs.len()),
            ("data_cidrs", network.data_cidrs.len()),
        ];
        let others: Vec<_> = ranges.iter().filter(|(_, ranges)| *ranges != zones).collect();
        let zones_key = "network.availability_zones";
        if !(2..=4).contains(&zones) {
            faults.push(Fault::new(
                zones_key,
                format!("{zones} is not possible: expected two to four, so that losing one loses nothing"),
            ));
        } else if others.len() == ranges.len() {
            // None of the lists fits: it is the number of zones that is out of place.
            let lists = ranges.map(|(key, ranges)| format!("{ranges} in {key}"));
            faults.push(Fault::new(
                zones_key,
                format!(
                    "{zones} availability zones, and address ranges: {}; expected one for each zone",
                    lists.join(", ")
                ),
            ));
        } else {
            faults.extend(others.into_iter().map(|(key, ranges)| {
                let expected = "expected one for each";
                Fault::new(
                    format!("network.{key}"),
                    format!("{ranges} address ranges for {zones} availability zones: {expected}"),
                )
            }));
        }
        for (index, service) in network.endpoints.iter().enumerate() {
            if !ENDPOINTS.contains(&service.as_str()) {
                faults.push(Fault::new(
                    format!("network.endpoints[{index}]"),
                    format!("unknown service: expected one of {}", ENDPOINTS.join(", ")),
                ));
            }
        }
    }

    /// What does not lie in the region where the stack is to be.
    pub fn check_region(&self, region: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Zones::Named(names) = &self.network.availability_zones {
            for (index, zone) in names.iter().enumerate() {
                if !zone.is_empty() && !is_zone_of(zone, region) {
                    faults.push(Fault::new(
                        format!("network.availability_zones[{index}]"),
                        format!("{zone} is not a zone of {region}"),
                    ));
                }
            }
        }
        if let Some(arn) = &self.certificate.arn
            && let Err(why) = compute::validate::certificate_arn(arn, region)
        {
            faults.push(Fault::new("certificate.arn", why));
        }
        faults
    }

    fn check_security(&self, faults: &mut Vec<Fault>) {
        let security = &self.security;
        for (key, value, from, to) in [
            ("key_rotation_days", security.key_rotation_days, 90, 2560),
            ("key_deletion_days", security.key_deletion_days, 7, 30),
            ("secret_recovery_days", security.secret_recovery_days, 7, 30),
            ("secret_rotation_days", security.secret_rotation_days, 1, 1000),
            ("trail_lock_days", security.trail_lock_days, 1, 36_500),
            ("disclosure_lock_days", security.disclosure_lock_days, 1, 36_500),
            ("load_balancer_log_days", security.load_balancer_log_days, 1, 36_500),
        ] {
            if !(from..=to).contains(&value) {
                faults.push(Fault::new(
                    format!("security.{key}"),
                    format!("expected {from} to {to} days"),
                ));
            }
        }
        for (index, email) in security.alarm_emails.iter().enumerate() {
            let plausible = email
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
            if !plausible {
                faults.push(Fault::new(
                    format!("security.alarm_emails[{index}]"),
                    "expected an e-mail address",
                ));
            }
        }
    }

    fn check_authorizer(&self, faults: &mut Vec<Fault>) {
        let api = &self.api;
        match api.authorizer {
            Authorizer::Cognito if api.user_pool_arns.is_empty() => {
                faults.push(Fault::new("api.authorizer", "cognito needs api.user_pool_arns"));
            }
            Authorizer::Lambda if api.authorizer_function_arn.is_none() => {
                faults
                    .push(Fault::new("api.authorizer", "lambda needs api.authorizer_function_arn"));
            }
            _ => {}
        }
    }
}

/// Names become part of names with narrow limits: a load balancer's is 32 characters.
fn name(faults: &mut Vec<Fault>, key: &str, value: &str, longest: usize) {
    let fits = value.len() <= longest
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && !value.ends_with('-')
        && !value.contains("--")
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        faults.push(Fault::new(
            key,
            format!("expected 1 to {longest} lower-case letters, digits and single hyphens, starting with a letter"),
        ));
    }
}

fn tag(faults: &mut Vec<Fault>, key: &str, value: &str) {
    let at = format!("tags.{key}");
    let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
    if key.starts_with("aws:") || key.starts_with("ferpa-stack:") {
        faults
            .push(Fault::new(at, "tags that start with aws: or ferpa-stack: are not yours to set"));
    } else if key.len() > 128 || value.len() > 256 {
        faults.push(Fault::new(at, "a tag's key has at most 128 characters, its value 256"));
    } else if !allowed(key) || !allowed(value) {
        faults.push(Fault::new(at, "expected letters, digits, spaces and _ . : / = + - @"));
    }
}

/// Whether a zone's name begins with its region's: `us-west-2a`, and the local zone `us-west-2-lax-1a`.
fn is_zone_of(zone: &str, region: &str) -> bool {
    zone.strip_prefix(region).is_some_and(|rest| {
        let is_letter = rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_lowercase());
        is_letter || (rest.starts_with('-') && rest.ends_with(|c: char| c.is_ascii_lowercase()))
    })
}

/// Whether a name has the form of a region's. Which regions there are, AWS knows.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [words @ .., number] = parts.as_slice() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2 && words.iter().all(is_word) && number.parse::<u8>().is_ok()
}
