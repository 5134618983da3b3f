//! What FERPA asks of an institution that no API can show. A report lists it, because silence would look
//! like a pass.

use serde::Serialize;

/// A duty that is not technically assessable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// What it is called from one audit to the next: `duty/consent`.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// The sections that ask for it.
    pub citations: &'static [&'static str],
    /// What is asked for, in a sentence.
    pub duty: &'static str,
    /// What an auditor asks to see.
    pub ask_for: &'static str,
}

/// The duties, by section.
pub const DUTIES: &[Duty] = &[
    Duty {
        id: "duty/annual-notice",
        title: "Annual notice of rights",
        citations: &["34 CFR 99.7"],
        duty: "Parents and eligible students are told each year of their rights, how to use them, and who counts as a school official with a legitimate educational interest.",
        ask_for: "this year's notice and how it reached people",
    },
    Duty {
        id: "duty/access",
        title: "Access within 45 days",
        citations: &["34 CFR 99.10"],
        duty: "Who asks to inspect an education record can do so within a reasonable time, never more than 45 days; a record for which a request is pending is not destroyed.",
        ask_for: "the log of requests with the dates of request and access",
    },
    Duty {
        id: "duty/amendment",
        title: "Amendment of records",
        citations: &["34 CFR 99.20"],
        duty: "A request to correct a record that is inaccurate or misleading is decided within a reasonable time, and a refusal comes with notice of the right to a hearing.",
        ask_for: "the procedure and recent decisions",
    },
    Duty {
        id: "duty/hearings",
        title: "Hearings",
        citations: &["34 CFR 99.21", "34 CFR 99.22"],
        duty: "Who is refused an amendment gets a fair hearing and, where it ends against them, may place a statement in the record.",
        ask_for: "the hearing procedure and who presides",
    },
    Duty {
        id: "duty/consent",
        title: "Prior written consent",
        citations: &["34 CFR 99.30"],
        duty: "Except where 99.31 allows it, records are disclosed only with a signed and dated consent that names the records, the purpose and the recipient.",
        ask_for: "the consent form, and consents for a sample of disclosures",
    },
    Duty {
        id: "duty/agreements",
        title: "Agreements with those who act for the institution",
        citations: &["34 CFR 99.31(a)(1)(i)(B)", "34 CFR 99.31(a)(6)(iii)", "34 CFR 99.35(a)(3)"],
        duty: "Contractors do what employees would do, under the institution's direct control of use and maintenance of records; studies and audits or evaluations rest on a written agreement with purpose, scope and destruction.",
        ask_for: "the contracts and agreements, the cloud provider's included",
    },
    Duty {
        id: "duty/record-of-disclosures",
        title: "The human part of the record of disclosures",
        citations: &["34 CFR 99.32"],
        duty: "For each request and disclosure the record names the party and its legitimate interest; access logs show who read what, not why.",
        ask_for: "the record of disclosures for a sample of students",
    },
    Duty {
        id: "duty/redisclosure",
        title: "Notice against redisclosure",
        citations: &["34 CFR 99.33(d)"],
        duty: "Whoever receives records is told that they may not disclose them further without consent.",
        ask_for: "the wording that goes with disclosures and data exports",
    },
    Duty {
        id: "duty/end-of-purpose",
        title: "The end of an audit's or study's purpose",
        citations: &["34 CFR 99.35(b)(2)", "34 CFR 99.31(a)(6)(iii)"],
        duty: "Somebody decides when records are no longer needed for the purpose for which they were disclosed, and has them destroyed.",
        ask_for: "the retention schedule and certificates of destruction",
    },
    Duty {
        id: "duty/directory-information",
        title: "Directory information",
        citations: &["34 CFR 99.37"],
        duty: "What is published as directory information was announced, and who opted out is left out.",
        ask_for: "the public notice and the list of those who opted out",
    },
    Duty {
        id: "duty/training",
        title: "Training",
        citations: &[
            "PTAC data-security checklist",
            "NIST SP 800-171r2 3.2.1",
            "NIST SP 800-171r2 3.2.2",
        ],
        duty: "Everybody who touches records knows what FERPA asks of them and what a risk looks like.",
        ask_for: "training material and attendance",
    },
    Duty {
        id: "duty/incidents",
        title: "Response to incidents",
        citations: &[
            "PTAC data-security checklist",
            "NIST SP 800-171r2 3.6.1",
            "NIST SP 800-171r2 3.6.3",
        ],
        duty: "A plan says who does what when records are exposed, and it is rehearsed.",
        ask_for: "the plan and the report of the last exercise",
    },
];
