//! One HTML page that needs nothing else: it may be mailed, archived and opened without a network. The
//! filters are CSS; there is no script, and the page forbids any.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Duty, Family, duties::DUTIES};
use crate::control::Severity;
use crate::evaluate::Audit;
use crate::finding::{Finding, Status, Summary};

const STYLE: &str = include_str!("html.css");

/// Nothing is loaded and nothing runs, whatever a name in the account may say.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STATUSES: [Status; 5] =
    [Status::Fail, Status::Unknown, Status::Waived, Status::Pass, Status::NotApplicable];
const SEVERITIES: [Severity; 4] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];

pub(super) fn render(audit: &Audit) -> String {
    let families = super::by_family(audit);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "FERPA audit of account " (shown(&audit.account_id)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "FERPA audit of account " (shown(&audit.account_id)) }
                    p {
                        (shown(&audit.scope)) " scope in " (shown(&audit.region)) ", "
                        time datetime=(audit.started_at) { (super::moment(audit)) }
                    }
                    p.nature { (super::NATURE) }
                }
                main {
                    (totals(audit))
                    (summaries(audit, &families))
                    (filters())
                    @for (family, findings) in &families { (section(family, findings)) }
                    (duties())
                }
                footer { "ferpa-stack " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    page.into_string() + "\n"
}

fn totals(audit: &Audit) -> Markup {
    let failing = super::failing_by_severity(audit).into_iter().filter(|(_, count)| *count > 0);
    html! {
        ul.totals {
            @for (status, count) in super::counts(&audit.summary) {
                li class=(class(status)) { b { (count) } " " (super::word(status)) }
            }
            li { b { (DUTIES.len()) } " not technically assessable" }
        }
        @if audit.summary.fail > 0 {
            p {
                "What fails: "
                @for (at, (severity, count)) in failing.enumerate() {
                    @if at > 0 { ", " }
                    (count) " " (super::severity(severity))
                }
                "."
            }
        }
    }
}

fn summaries(audit: &Audit, families: &[(&Family, Vec<&Finding>)]) -> Markup {
    let by_family = families.iter().map(|(family, findings)| {
        let name = html! { a href={ "#" (anchor(family)) } { (family.code) " " (family.name) } };
        (name, Summary::of(findings.iter().copied()))
    });
    let by_section = super::by_section(audit).into_iter().map(|(section, summary)| {
        let name = if section.is_empty() { "NIST SP 800-171 alone" } else { section };
        (html! { (shown(name)) }, summary)
    });
    html! {
        div.summaries {
            (table("By family", by_family))
            (table("By section", by_section))
        }
    }
}

fn table(caption: &str, rows: impl Iterator<Item = (Markup, Summary)>) -> Markup {
    html! {
        table {
            caption { (caption) }
            thead {
                tr {
                    th scope="col" {}
                    @for status in STATUSES { th scope="col" { (super::word(status)) } }
                }
            }
            tbody {
                @for (name, summary) in rows {
                    tr {
                        th scope="row" { (name) }
                        @for (status, count) in super::counts(&summary) {
                            td class=[(count > 0).then(|| class(status))] { (count) }
                        }
                    }
                }
            }
        }
    }
}

fn filters() -> Markup {
    html! {
        form.filters autocomplete="off" {
            fieldset {
                legend { "Show status" }
                @for status in STATUSES { (filter(class(status), super::word(status))) }
            }
            fieldset {
                legend { "Show severity" }
                @for severity in SEVERITIES {
                    (filter(super::severity(severity), super::severity(severity)))
                }
            }
        }
    }
}

fn filter(class: &str, word: &str) -> Markup {
    html! { label { input type="checkbox" checked id={ "show-" (class) }; " " (word) } }
}

fn section(family: &Family, findings: &[&Finding]) -> Markup {
    html! {
        section id=(anchor(family)) {
            h2 {
                (family.code) " " (family.name) " "
                small { (super::in_words(&Summary::of(findings.iter().copied()))) }
            }
            @for finding in findings { (article(finding)) }
        }
    }
}

fn article(finding: &Finding) -> Markup {
    let resource = &finding.resource;
    let (status, severity) = (class(finding.status), super::severity(finding.severity));
    html! {
        article.finding.(status).(severity) {
            h3 {
                span.status { (super::word(finding.status)) } " "
                span.severity { (severity) } " "
                (shown(&finding.control)) " " (shown(&finding.title))
            }
            p.resource {
                code { (shown(&super::name(resource))) }
                @if let Some(arn) = resource.arn.as_ref().filter(|arn| **arn != resource.id) {
                    " " code.arn { (shown(arn)) }
                }
            }
            p { (shown(&finding.message)) }
            @if let Some(waiver) = super::waiver(finding) { p.waiver { (shown(&waiver)) } }
            @if matches!(finding.status, Status::Fail | Status::Unknown) {
                p { b { "Remedy: " } (shown(&finding.remediation)) }
            }
            details {
                summary { "Evidence and citations" }
                @if let Some(control) = super::control(&finding.control) {
                    p { (control.statement) " " (control.why) }
                }
                @if !finding.evidence.is_empty() {
                    table.evidence {
                        thead {
                            tr {
                                th scope="col" { "Call" }
                                th scope="col" { "Field" }
                                th scope="col" { "Value" }
                            }
                        }
                        tbody {
                            @for evidence in &finding.evidence {
                                tr {
                                    td { code { (shown(&evidence.call)) } }
                                    td { code { (shown(&evidence.field)) } }
                                    td { code { (shown(&evidence.value.to_string())) } }
                                }
                            }
                        }
                    }
                }
                p { "Serves " (shown(&finding.citations.join("; "))) "." }
            }
        }
    }
}

fn duties() -> Markup {
    html! {
        section id="duties" {
            h2 { "Not technically assessable " small { (DUTIES.len()) " duties" } }
            p { "Duties of the organisation that no API can show." }
            table.duties {
                thead {
                    tr {
                        th scope="col" { "Duty" }
                        th scope="col" { "What is asked for" }
                        th scope="col" { "Ask to see" }
                        th scope="col" { "Section" }
                    }
                }
                tbody { @for duty in DUTIES { (row(duty)) } }
            }
        }
    }
}

fn row(duty: &Duty) -> Markup {
    html! {
        tr {
            th scope="row" { (duty.title) }
            td { (duty.duty) }
            td { (duty.ask_for) }
            td { (duty.citations.join("; ")) }
        }
    }
}

/// Text as text: maud escapes markup, this takes out what plays tricks on readers.
fn shown(text: &str) -> String {
    super::harmless(text)
}

fn anchor(family: &Family) -> String {
    format!("family-{}", family.code.to_lowercase())
}

const fn class(status: Status) -> &'static str {
    match status {
        Status::Fail => "fail",
        Status::Unknown => "unknown",
        Status::Waived => "waived",
        Status::Pass => "pass",
        Status::NotApplicable => "not-applicable",
    }
}
