//! Text for a terminal: what fails in detail, what holds as counts, and a summary that fits one screen at
//! the end, where the eye is.

use anstyle::{AnsiColor, Style};

use super::{Family, Look, duties::DUTIES};
use crate::control::Severity;
use crate::evaluate::Audit;
use crate::finding::{Evidence, Finding, Status, Summary};

/// How wide lines get.
const WIDTH: usize = 100;

pub(super) fn render(audit: &Audit, look: Look) -> String {
    let mut page = Page { out: String::new(), paint: Paint::of(look.colour), look };
    page.heading(audit);
    for (family, findings) in super::by_family(audit) {
        page.family(family, &findings);
    }
    page.duties();
    page.summary(audit);
    page.out
}

struct Page {
    out: String,
    paint: Paint,
    look: Look,
}

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    /// A paragraph with every line indented.
    fn paragraph(&mut self, indent: usize, style: Style, text: &str) {
        for line in wrapped(&super::harmless(text), WIDTH - indent) {
            self.line(format!("{:indent$}{style}{line}{style:#}", ""));
        }
    }

    fn heading(&mut self, audit: &Audit) {
        let strong = self.paint.strong;
        self.line(format!(
            "{strong}FERPA audit of account {} in {}{strong:#} ({} scope, {})",
            super::harmless(&audit.account_id),
            super::harmless(&audit.region),
            super::harmless(&audit.scope),
            super::moment(audit)
        ));
        self.line("");
        self.paragraph(0, self.paint.faint, super::NATURE);
    }

    fn family(&mut self, family: &Family, findings: &[&Finding]) {
        let (strong, faint) = (self.paint.strong, self.paint.faint);
        let counts = super::in_words(&Summary::of(findings.iter().copied()));
        self.line("");
        self.line(format!(
            "{strong}{} {}{strong:#}  {faint}{counts}{faint:#}",
            family.code, family.name
        ));
        let detailed = |finding: &&&Finding| {
            self.look.verbose
                || matches!(finding.status, Status::Fail | Status::Unknown | Status::Waived)
        };
        let (detailed, held): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().copied().partition(|finding| detailed(&finding));
        for finding in detailed {
            self.finding(finding);
        }
        self.held(&held);
    }

    fn finding(&mut self, finding: &Finding) {
        let (status, strong) = (self.paint.status(finding.status), self.paint.strong);
        let severity = self.paint.severity(finding.severity);
        self.line(format!(
            "  {status}{:14}{status:#} {severity}{:8}{severity:#} {strong}{}{strong:#} {}",
            super::word(finding.status).to_uppercase(),
            super::severity(finding.severity),
            super::harmless(&finding.control),
            super::harmless(&finding.title),
        ));
        let indent = 6;
        self.paragraph(indent, self.paint.plain, &super::name(&finding.resource));
        self.paragraph(indent, self.paint.plain, &finding.message);
        if let Some(waiver) = super::waiver(finding) {
            self.paragraph(indent, self.paint.plain, &waiver);
        }
        for evidence in &finding.evidence {
            self.paragraph(indent, self.paint.faint, &shortened(said(evidence)));
        }
        if matches!(finding.status, Status::Fail | Status::Unknown) {
            self.paragraph(indent, self.paint.plain, &format!("Remedy: {}", finding.remediation));
        }
        self.paragraph(indent, self.paint.faint, &finding.citations.join("; "));
    }

    /// What holds: a line for each control.
    fn held(&mut self, findings: &[&Finding]) {
        let mut findings = findings.to_vec();
        findings.sort_by(|a, b| a.control.cmp(&b.control));
        for of_control in findings.chunk_by(|a, b| a.control == b.control) {
            let (pass, first) = (self.paint.status(Status::Pass), of_control[0]);
            let counts = super::in_words(&Summary::of(of_control.iter().copied()));
            let style = if of_control.iter().any(|one| one.status == Status::Pass) {
                pass
            } else {
                self.paint.faint
            };
            self.line(format!(
                "  {style}{counts:18}{style:#}      {} {}",
                super::harmless(&first.control),
                super::harmless(&first.title)
            ));
        }
    }

    fn duties(&mut self) {
        let (strong, faint) = (self.paint.strong, self.paint.faint);
        self.line("");
        self.line(format!(
            "{strong}Not technically assessable{strong:#}  {faint}duties of the organisation that no API \
             can show{faint:#}"
        ));
        for duty in DUTIES {
            let citations = duty.citations.join("; ");
            self.line(format!("  {} {faint}({citations}){faint:#}", duty.title));
            if self.look.verbose {
                self.paragraph(6, self.paint.plain, duty.duty);
                self.paragraph(6, self.paint.faint, &format!("Ask for {}.", duty.ask_for));
            }
        }
    }

    fn summary(&mut self, audit: &Audit) {
        let strong = self.paint.strong;
        self.line("");
        self.line(format!("{strong}Summary{strong:#}"));
        for (family, findings) in super::by_family(audit) {
            let counts = super::in_words(&Summary::of(findings.iter().copied()));
            let style = self
                .paint
                .status(findings.iter().map(|one| one.status).min().unwrap_or(Status::Pass));
            self.line(format!("  {style}{:4}{style:#} {:40} {counts}", family.code, family.name));
        }
        self.line("");
        for (status, count) in super::counts(&audit.summary) {
            let style = if count > 0 { self.paint.status(status) } else { self.paint.faint };
            let severities = if status == Status::Fail { failing(audit) } else { String::new() };
            self.line(format!("  {style}{count:6} {}{style:#}{severities}", super::word(status)));
        }
        self.line(format!("  {:6} not technically assessable", DUTIES.len()));
        self.line("");
        let (style, verdict) = if audit.summary.fail > 0 {
            (self.paint.status(Status::Fail), "There are findings to mend.")
        } else if audit.summary.unknown > 0 {
            (self.paint.status(Status::Unknown), "Nothing fails, but not everything could be read.")
        } else {
            (self.paint.status(Status::Pass), "Nothing that was assessed fails.")
        };
        self.line(format!("{style}{verdict}{style:#}"));
    }
}

/// `: 1 critical, 2 high`.
fn failing(audit: &Audit) -> String {
    let counted = super::failing_by_severity(audit).into_iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> =
        counted.map(|(severity, count)| format!("{count} {}", super::severity(severity))).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

/// `rds:DescribeDBClusters StorageEncrypted = false`.
pub(super) fn said(evidence: &Evidence) -> String {
    format!("{} {} = {}", evidence.call, evidence.field, evidence.value)
}

/// The beginning of what is long: a policy or a log format fills a screen, and other formats have it all.
fn shortened(text: String) -> String {
    const SHOWN: usize = 240;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Text in lines of at most so many characters. Words that are longer stay whole: ARNs are copied.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.push_str(word);
            room = width.saturating_sub(length);
        } else if length < room {
            line.push(' ');
            line.push_str(word);
            room -= length + 1;
        } else {
            lines.push(word.to_owned());
            room = width.saturating_sub(length);
        }
    }
    lines
}

/// How to paint. Plain styles without colour.
struct Paint {
    plain: Style,
    strong: Style,
    faint: Style,
    red: Style,
    yellow: Style,
    green: Style,
    blue: Style,
}

impl Paint {
    fn of(colour: bool) -> Self {
        let paint = |style: Style| if colour { style } else { Style::new() };
        Self {
            plain: Style::new(),
            strong: paint(Style::new().bold()),
            faint: paint(Style::new().dimmed()),
            red: paint(AnsiColor::Red.on_default()),
            yellow: paint(AnsiColor::Yellow.on_default()),
            green: paint(AnsiColor::Green.on_default()),
            blue: paint(AnsiColor::Blue.on_default()),
        }
    }

    fn status(&self, status: Status) -> Style {
        match status {
            Status::Fail => self.red,
            Status::Unknown => self.yellow,
            Status::Waived => self.blue,
            Status::Pass => self.green,
            Status::NotApplicable => self.faint,
        }
    }

    fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Critical => self.red,
            Severity::High => self.yellow,
            Severity::Medium => self.plain,
            Severity::Low => self.faint,
        }
    }
}
