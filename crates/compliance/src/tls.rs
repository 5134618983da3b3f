//! What the names of TLS security policies stand for.
//!
//! Sources: "Security policies for your Application Load Balancer" (Elastic Load Balancing user guide,
//! `describe-ssl-policies`), Security Hub's ELB.17 for which of them are current, and "Security policies for
//! REST APIs" (API Gateway developer guide). NIST SP 800-52r2 asks for TLS 1.2 at least and for support of
//! TLS 1.3.

/// What a security policy lets clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// TLS 1.2 and 1.3, or 1.3 alone, with forward secrecy.
    Current,
    /// TLS 1.2 and up, with something that a current policy has not: the words say what is wrong.
    Dated(&'static str),
    /// Older versions than TLS 1.2: the oldest.
    Old(&'static str),
}

const NO_SECRECY: Strength = Strength::Dated("lets clients choose ciphers without forward secrecy");
const NO_TLS13: Strength = Strength::Dated("does not speak TLS 1.3");
const TLS10: Strength = Strength::Old("1.0");
const TLS11: Strength = Strength::Old("1.1");
const OK: Strength = Strength::Current;

/// The policies of Elastic Load Balancing, without what they all begin with.
const LOAD_BALANCERS: &[(&str, Strength)] = &[
    ("TLS13-1-3-2021-06", OK),
    ("TLS13-1-3-PQ-2025-09", OK),
    ("TLS13-1-3-FIPS-2023-04", OK),
    ("TLS13-1-3-FIPS-PQ-2025-09", OK),
    ("TLS13-1-2-2021-06", OK),
    ("TLS13-1-2-PQ-2025-09", OK),
    ("TLS13-1-2-Res-2021-06", OK),
    ("TLS13-1-2-Res-PQ-2025-09", OK),
    ("TLS13-1-2-FIPS-2023-04", OK),
    ("TLS13-1-2-FIPS-PQ-2025-09", OK),
    ("TLS13-1-2-Res-FIPS-2023-04", OK),
    ("TLS13-1-2-Res-FIPS-PQ-2025-09", OK),
    ("TLS13-1-2-Ext1-2021-06", NO_SECRECY),
    ("TLS13-1-2-Ext1-PQ-2025-09", NO_SECRECY),
    ("TLS13-1-2-Ext2-2021-06", NO_SECRECY),
    ("TLS13-1-2-Ext2-PQ-2025-09", NO_SECRECY),
    ("TLS13-1-2-Ext0-FIPS-2023-04", NO_SECRECY),
    ("TLS13-1-2-Ext0-FIPS-PQ-2025-09", NO_SECRECY),
    ("TLS13-1-2-Ext1-FIPS-2023-04", NO_SECRECY),
    ("TLS13-1-2-Ext1-FIPS-PQ-2025-09", NO_SECRECY),
    ("TLS13-1-2-Ext2-FIPS-2023-04", NO_SECRECY),
    ("TLS13-1-2-Ext2-FIPS-PQ-2025-09", NO_SECRECY),
    ("TLS13-1-1-2021-06", TLS11),
    ("TLS13-1-1-FIPS-2023-04", TLS11),
    ("TLS13-1-0-2021-06", TLS10),
    ("TLS13-1-0-PQ-2025-09", TLS10),
    ("TLS13-1-0-FIPS-2023-04", TLS10),
    ("TLS13-1-0-FIPS-PQ-2025-09", TLS10),
    ("FS-1-2-Res-2020-10", NO_TLS13),
    ("FS-1-2-Res-2019-08", NO_TLS13),
    ("FS-1-2-2019-08", NO_TLS13),
    ("TLS-1-2-2017-01", NO_TLS13),
    ("TLS-1-2-Ext-2018-06", NO_TLS13),
    ("FS-1-1-2019-08", TLS11),
    ("TLS-1-1-2017-01", TLS11),
    ("FS-2018-06", TLS10),
    ("TLS-1-0-2015-04", TLS10),
    ("2016-08", TLS10),
    ("2015-05", TLS10),
];

/// What a policy of Elastic Load Balancing stands for. `None` for one that is not known here: AWS adds new
/// ones, and a name alone is no proof.
pub fn of_load_balancer(policy: &str) -> Option<Strength> {
    let name = policy.strip_prefix("ELBSecurityPolicy-")?;
    LOAD_BALANCERS.iter().find(|(known, _)| *known == name).map(|(_, strength)| *strength)
}

/// Whether a policy of API Gateway refuses everything older than TLS 1.2. `None` for one that is not known
/// here.
pub fn api_refuses_old(policy: &str) -> Option<bool> {
    match policy {
        "TLS_1_0" => Some(false),
        "TLS_1_2" => Some(true),
        // The enhanced ones say in their name what they begin with, and none begins with less.
        _ if policy.starts_with("SecurityPolicy_TLS13_") => Some(true),
        _ if policy.starts_with("SecurityPolicy_TLS12_") => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_judged_by_their_looks() {
        let strength = |name| of_load_balancer(&format!("ELBSecurityPolicy-{name}"));
        assert_eq!(strength("TLS13-1-2-2021-06"), Some(OK));
        assert_eq!(strength("TLS13-1-0-2021-06"), Some(TLS10), "1.3 is in its name");
        assert_eq!(strength("2016-08"), Some(TLS10), "the default of the API");
        assert_eq!(strength("TLS13-1-2-Ext2-2021-06"), Some(NO_SECRECY));
        assert_eq!(strength("TLS13-1-2-2031-06"), None);
        assert_eq!(api_refuses_old("TLS_1_0"), Some(false));
        assert_eq!(api_refuses_old("SecurityPolicy_TLS13_1_3_2025_09"), Some(true));
        assert_eq!(api_refuses_old("SecurityPolicy_TLS14"), None);
    }
}
