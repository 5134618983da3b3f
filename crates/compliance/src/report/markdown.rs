//! Markdown, for pull requests and wikis: a summary first, then what fails, then what holds.

use std::fmt::Write;

use super::duties::DUTIES;
use crate::evaluate::Audit;
use crate::finding::{Finding, Status, Summary};

pub(super) fn render(audit: &Audit) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, audit);
    out
}

fn write(out: &mut String, audit: &Audit) -> std::fmt::Result {
    let families = super::by_family(audit);
    writeln!(out, "# FERPA audit of account {}\n", escaped(&audit.account_id))?;
    writeln!(
        out,
        "{} scope in {}, {}.\n\n{}\n",
        escaped(&audit.scope),
        escaped(&audit.region),
        super::moment(audit),
        super::NATURE
    )?;
    writeln!(out, "## Summary\n")?;
    writeln!(out, "| Family | {HEAD} |\n|---|--:|--:|--:|--:|--:|")?;
    for (family, findings) in &families {
        let summary = Summary::of(findings.iter().copied());
        writeln!(out, "| {} {} | {} |", family.code, family.name, cells(&summary))?;
    }
    writeln!(out, "| **All** | {} |\n", cells(&audit.summary))?;
    writeln!(out, "| Section | {HEAD} |\n|---|--:|--:|--:|--:|--:|")?;
    for (section, summary) in super::by_section(audit) {
        let section = if section.is_empty() { "NIST SP 800-171 alone" } else { section };
        writeln!(out, "| {} | {} |", escaped(section), cells(&summary))?;
    }
    let failing: Vec<String> = super::failing_by_severity(audit)
        .into_iter()
        .map(|(severity, count)| format!("{count} {}", super::severity(severity)))
        .collect();
    writeln!(out, "\nWhat fails: {}.", failing.join(", "))?;
    for (family, findings) in &families {
        writeln!(out, "\n## {}", format!("{} {}", family.code, family.name).trim())?;
        for finding in findings.iter().filter(|finding| is_detailed(finding.status)) {
            detail(out, finding)?;
        }
        let mut others: Vec<&Finding> =
            findings.iter().copied().filter(|finding| !is_detailed(finding.status)).collect();
        others.sort_by(|a, b| a.control.cmp(&b.control));
        if !others.is_empty() {
            writeln!(out, "\n| Control | Resource | Status | Found |\n|---|---|---|---|")?;
        }
        for finding in others {
            writeln!(
                out,
                "| {} {} | {} | {} | {} |",
                escaped(&finding.control),
                escaped(&finding.title),
                escaped(&super::name(&finding.resource)),
                super::word(finding.status),
                escaped(&finding.message)
            )?;
        }
    }
    writeln!(out, "\n## Not technically assessable\n")?;
    writeln!(out, "Duties of the organisation that no API can show.\n")?;
    writeln!(out, "| Duty | What is asked for | Ask to see | Section |\n|---|---|---|---|")?;
    for duty in DUTIES {
        let citations = duty.citations.join("; ");
        writeln!(out, "| {} | {} | {} | {citations} |", duty.title, duty.duty, duty.ask_for)?;
    }
    Ok(())
}

const HEAD: &str = "Fail | Unknown | Waived | Pass | Not applicable";

fn cells(summary: &Summary) -> String {
    super::counts(summary).map(|(_, count)| count.to_string()).join(" | ")
}

const fn is_detailed(status: Status) -> bool {
    matches!(status, Status::Fail | Status::Unknown | Status::Waived)
}

fn detail(out: &mut String, finding: &Finding) -> std::fmt::Result {
    writeln!(
        out,
        "\n### {}: {} {}\n",
        super::word(finding.status),
        escaped(&finding.control),
        escaped(&finding.title)
    )?;
    writeln!(out, "- **Resource**: {}", escaped(&super::name(&finding.resource)))?;
    if let Some(arn) = &finding.resource.arn {
        writeln!(out, "- **ARN**: {}", escaped(arn))?;
    }
    writeln!(out, "- **Severity**: {}", super::severity(finding.severity))?;
    writeln!(out, "- **Found**: {}", escaped(&finding.message))?;
    if let Some(waiver) = super::waiver(finding) {
        writeln!(out, "- **Waiver**: {}", escaped(&waiver))?;
    }
    for evidence in &finding.evidence {
        writeln!(out, "- **Evidence**: {}", escaped(&super::text::said(evidence)))?;
    }
    if finding.status != Status::Waived {
        writeln!(out, "- **Remedy**: {}", escaped(&finding.remediation))?;
    }
    writeln!(out, "- **Serves**: {}", escaped(&finding.citations.join("; ")))
}

/// Text that is text: no markup, no HTML, no mention, no link, on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::harmless(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    // GitHub makes links of bare addresses.
    out.replace("://", ":&#47;&#47;")
}
