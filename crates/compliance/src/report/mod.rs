//! What an audit found, in the formats that people and other tools read.
//!
//! Every format is made of an [`Audit`] and the catalogue, and of nothing else: an audit that was saved
//! renders the same as one that has just been made.

mod csv;
mod duties;
mod families;
mod html;
mod json;
mod junit;
mod markdown;
mod ocsf;
mod sarif;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::control::{Control, Severity};
use crate::controls;
use crate::evaluate::Audit;
use crate::finding::{Finding, Resource, Status, Summary};

pub use duties::{DUTIES, Duty};
pub use families::{FAMILIES, Family};

/// What FERPA asks for and what a report can say of it. Every report for people says it.
pub const NATURE: &str = "FERPA (34 CFR Part 99) prescribes no technology: it asks for reasonable \
    methods. What is reasonable is measured here by the Department of Education's PTAC data-security \
    checklist and by NIST SP 800-171. This report says which safeguards are in place; it certifies \
    nothing, and nobody can be certified under FERPA.";

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// For a terminal.
    Text,
    /// The contract for other programs.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for build servers.
    Junit,
    /// One line for each finding, for spreadsheets.
    Csv,
    /// OCSF Compliance Findings, for Security Lake and SIEMs.
    Ocsf,
    /// For pull requests and wikis.
    Markdown,
    /// One page that needs nothing else, for auditors.
    Html,
}

impl Format {
    /// Every format.
    pub const ALL: &[Self] = &[
        Self::Text,
        Self::Json,
        Self::Sarif,
        Self::Junit,
        Self::Csv,
        Self::Ocsf,
        Self::Markdown,
        Self::Html,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Csv => "csv",
            Self::Ocsf => "ocsf",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not a format: there are {}", names())]
pub struct UnknownFormat {
    name: String,
}

fn names() -> String {
    Format::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let wanted = |format: &&Self| format.name() == name;
        Self::ALL
            .iter()
            .find(wanted)
            .copied()
            .ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// How a report looks. Only text has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Whether to colour.
    pub colour: bool,
    /// Whether to show every finding, also those that hold.
    pub verbose: bool,
}

/// An audit in a format. It ends with a line break.
pub fn render(audit: &Audit, format: Format, look: Look) -> String {
    match format {
        Format::Text => text::render(audit, look),
        Format::Json => json::render(audit),
        Format::Sarif => sarif::render(audit),
        Format::Junit => junit::render(audit),
        Format::Csv => csv::render(audit),
        Format::Ocsf => ocsf::render(audit),
        Format::Markdown => markdown::render(audit),
        Format::Html => html::render(audit),
    }
}

/// The control of a finding, where this version's catalogue has it.
fn control(id: &str) -> Option<&'static Control> {
    controls::ALL.iter().copied().find(|control| control.id == id)
}

/// The findings of an audit by family, families and findings with the worst first.
fn by_family(audit: &Audit) -> Vec<(&'static Family, Vec<&Finding>)> {
    let mut families: Vec<(&Family, Vec<&Finding>)> =
        FAMILIES.iter().chain([&families::OTHERS]).map(|family| (family, Vec::new())).collect();
    for finding in &audit.findings {
        let code = families::code_of(&finding.control);
        let at = FAMILIES.iter().position(|family| family.code == code);
        families[at.unwrap_or(FAMILIES.len())].1.push(finding);
    }
    families.retain(|(_, findings)| !findings.is_empty());
    for (_, findings) in &mut families {
        findings.sort_by_key(|finding| badness(finding));
    }
    // Stable: families that are equally bad stay in the order of the catalogue.
    families.sort_by_key(|(_, findings)| findings.first().map(|worst| badness(worst)));
    families
}

/// The worst is the least. What fails is worse the more it costs; a waiver or a pass is not.
fn badness(finding: &Finding) -> (Status, std::cmp::Reverse<Severity>) {
    let counts = matches!(finding.status, Status::Fail | Status::Unknown);
    let severity = if counts { finding.severity } else { Severity::Low };
    (finding.status, std::cmp::Reverse(severity))
}

/// How the findings that serve each section of 34 CFR ended, by section. Those that serve a requirement
/// of NIST alone are under the empty name.
fn by_section(audit: &Audit) -> BTreeMap<&str, Summary> {
    let mut sections: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &audit.findings {
        let cited = finding.citations.iter().filter(|citation| citation.starts_with("34 CFR"));
        let cited: Vec<&str> = cited.map(String::as_str).collect();
        for section in if cited.is_empty() { vec![""] } else { cited } {
            sections.entry(section).or_default().push(finding);
        }
    }
    sections.into_iter().map(|(section, findings)| (section, Summary::of(findings))).collect()
}

/// How many findings fail, by severity, the worst first.
fn failing_by_severity(audit: &Audit) -> Vec<(Severity, usize)> {
    let failing = |severity: Severity| {
        let fails =
            |finding: &&Finding| finding.status == Status::Fail && finding.severity == severity;
        (severity, audit.findings.iter().filter(fails).count())
    };
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low].map(failing).into()
}

/// The counts of a summary, in the order in which reports show them.
fn counts(summary: &Summary) -> [(Status, usize); 5] {
    [
        (Status::Fail, summary.fail),
        (Status::Unknown, summary.unknown),
        (Status::Waived, summary.waived),
        (Status::Pass, summary.pass),
        (Status::NotApplicable, summary.not_applicable),
    ]
}

/// `2 fail, 1 unknown`: the counts that are not zero.
fn in_words(summary: &Summary) -> String {
    let counted = counts(summary).into_iter().filter(|(_, count)| *count > 0);
    counted
        .map(|(status, count)| format!("{count} {}", word(status)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A status as people read it.
const fn word(status: Status) -> &'static str {
    match status {
        Status::Fail => "fail",
        Status::Unknown => "unknown",
        Status::Waived => "waived",
        Status::Pass => "pass",
        Status::NotApplicable => "not applicable",
    }
}

/// A severity as people read it.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}

/// When the audit was, to the second.
fn moment(audit: &Audit) -> String {
    format!("{:.0}", audit.started_at)
}

/// `rds.cluster records`.
fn name(resource: &Resource) -> String {
    match resource.id.as_str() {
        "*" => format!("{} (as a whole)", resource.kind),
        id => format!("{} {id}", resource.kind),
    }
}

/// What makes a finding the same from one audit to the next.
fn identity(finding: &Finding) -> String {
    format!("{}/{}/{}", finding.control, finding.resource.kind, finding.resource.id)
}

/// Where to read the first of some citations.
fn link(citations: &[String]) -> String {
    let section = citations.iter().find_map(|citation| citation.strip_prefix("34 CFR "));
    match section {
        Some(paragraph) => {
            let section = paragraph.split('(').next().unwrap_or(paragraph);
            format!("https://www.ecfr.gov/current/title-34/section-{section}#p-{paragraph}")
        }
        None => "https://csrc.nist.gov/pubs/sp/800/171/r2/upd1/final".into(),
    }
}

/// A waiver in a sentence.
fn waiver(finding: &Finding) -> Option<String> {
    let waiver = finding.waiver.as_ref()?;
    Some(format!("accepted by {} until {}: {}", waiver.owner, waiver.expires, waiver.reason))
}

/// Text that does nothing to a terminal or a reader: names and values come from the account, and whoever
/// may name a resource shall not be able to hide one.
fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_harmful(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
