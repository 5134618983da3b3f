//! SARIF 2.1.0, for code scanning: a rule for each control that was judged, a result for each finding; and both for
//! each duty of the organisation, which is the standard's kind `review`: a person has to decide.
//!
//! What holds is a result too, of the kind `pass`. GitHub does not look at kinds and shows those as alerts:
//! who uploads there takes out what is not of the kind `fail` or `open` first.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, LogicalLocation, MultiformatMessageString,
    PhysicalLocation, PropertyBag, Region, ReportingConfiguration, ReportingDescriptor, Result,
    ResultKind, ResultLevel, Run, RunAutomationDetails, Sarif, Suppression, Tool, ToolComponent,
};

use super::duties::{DUTIES, Duty};
use super::json::pretty;
use crate::control::Severity;
use crate::evaluate::Audit;
use crate::finding::{Finding, Status};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn render(audit: &Audit) -> String {
    // One finding of each control says all that the rule needs and the catalogue may not have.
    let mut judged: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in &audit.findings {
        judged.entry(&finding.control).or_insert(finding);
    }
    let index: BTreeMap<&str, i64> = judged.keys().copied().zip(0..).collect();
    let results = audit.findings.iter().map(|finding| result(finding, index[&*finding.control]));
    let duties = DUTIES.iter().zip(index.len() as i64..).map(|(duty, rule)| review(duty, rule));
    let rules = judged.values().map(|finding| rule(finding));
    let driver = ToolComponent::builder()
        .name("ferpa-stack")
        .full_name("ferpa-stack audit")
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .full_description(text(super::NATURE))
        .rules(rules.chain(DUTIES.iter().map(duty_rule)).collect::<Vec<_>>())
        .build();
    let invocation = Invocation::builder()
        .execution_successful(true)
        .start_time_utc(audit.started_at.to_string())
        .build();
    // GitHub tells runs of different accounts apart by this.
    let category = format!("ferpa/{}/{}/{}/", audit.account_id, audit.region, audit.scope);
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .automation_details(RunAutomationDetails::builder().id(category).build())
        .invocations(vec![invocation])
        .results(results.chain(duties).collect::<Vec<_>>())
        .build();
    pretty(&Sarif::builder().schema(SCHEMA).version("2.1.0").runs(vec![run]).build())
}

fn rule(finding: &Finding) -> ReportingDescriptor {
    let control = super::control(&finding.control);
    let (statement, why) =
        control.map_or((&*finding.title, ""), |control| (control.statement, control.why));
    let citations = finding.citations.join("; ");
    let help = format!("{statement} {why}\n\n{}\n\nServes {citations}.", finding.remediation);
    let mut tags = vec!["security".to_owned(), "FERPA".to_owned()];
    tags.extend(finding.citations.iter().cloned());
    let properties = PropertyBag::builder().tags(tags).additional_properties(bag([
        ("security-severity", json!(score(finding.severity))),
        ("problem.severity", json!(level_name(finding.severity))),
        ("precision", json!("very-high")),
    ]));
    ReportingDescriptor::builder()
        .id(&finding.control)
        .name(&finding.title)
        .short_description(text(&finding.title))
        .full_description(text(statement))
        .help(text(help.trim()))
        .help_uri(super::link(&finding.citations))
        .default_configuration(
            ReportingConfiguration::builder().level(level_name(finding.severity)).build(),
        )
        .properties(properties.build())
        .build()
}

fn result(finding: &Finding, rule: i64) -> Result {
    let (kind, level) = match finding.status {
        Status::Fail | Status::Waived => (ResultKind::Fail, level(finding.severity)),
        Status::Unknown => (ResultKind::Open, ResultLevel::None),
        Status::Pass => (ResultKind::Pass, ResultLevel::None),
        Status::NotApplicable => (ResultKind::NotApplicable, ResultLevel::None),
    };
    // None may lack them where one has them.
    let suppressions: Vec<Suppression> = super::waiver(finding)
        .filter(|_| finding.status == Status::Waived)
        .map(|why| {
            Suppression::builder().kind("external").status("accepted").justification(why).build()
        })
        .into_iter()
        .collect();
    let resource = &finding.resource;
    let properties = PropertyBag::builder().additional_properties(bag([
        ("status", json!(finding.status)),
        ("severity", json!(finding.severity)),
        ("resource", json!(resource)),
        ("evidence", json!(finding.evidence)),
        ("citations", json!(finding.citations)),
        ("remediation", json!(finding.remediation)),
    ]));
    Result::builder()
        .rule_id(&finding.control)
        .rule_index(rule)
        .kind(kind)
        .level(level)
        .message(finding.message.as_str())
        .locations(vec![location(finding)])
        .partial_fingerprints(BTreeMap::from([(
            "controlAndResource/v1".to_owned(),
            super::identity(finding),
        )]))
        .suppressions(suppressions)
        .properties(properties.build())
        .build()
}

fn duty_rule(duty: &Duty) -> ReportingDescriptor {
    let citations: Vec<String> = duty.citations.iter().map(|&it| it.to_owned()).collect();
    let help = format!("Ask for {}.\n\nServes {}.", duty.ask_for, citations.join("; "));
    let mut tags = vec!["FERPA".to_owned()];
    tags.extend(citations.iter().cloned());
    ReportingDescriptor::builder()
        .id(duty.id)
        .name(duty.title)
        .short_description(text(duty.title))
        .full_description(text(duty.duty))
        .help(text(&help))
        .help_uri(super::link(&citations))
        .default_configuration(ReportingConfiguration::builder().level("none").build())
        .properties(PropertyBag::builder().tags(tags).build())
        .build()
}

fn review(duty: &Duty, rule: i64) -> Result {
    let properties = PropertyBag::builder().additional_properties(bag([
        ("citations", json!(duty.citations)),
        ("ask_for", json!(duty.ask_for)),
    ]));
    Result::builder()
        .rule_id(duty.id)
        .rule_index(rule)
        .kind(ResultKind::Review)
        .level(ResultLevel::None)
        .message(format!("not technically assessable: {}", duty.duty).as_str())
        .locations(vec![Location::builder().physical_location(configuration()).build()])
        .partial_fingerprints(BTreeMap::from([("duty/v1".to_owned(), duty.id.to_owned())]))
        .suppressions(Vec::<Suppression>::new())
        .properties(properties.build())
        .build()
}

fn location(finding: &Finding) -> Location {
    let resource = &finding.resource;
    let logical = LogicalLocation::builder()
        .name(&resource.id)
        .fully_qualified_name(resource.arn.as_ref().unwrap_or(&super::name(resource)))
        .kind(&resource.kind)
        .build();
    Location::builder().logical_locations(vec![logical]).physical_location(configuration()).build()
}

/// Where it is: a resource has no line in a file, but GitHub refuses results without one. The
/// configuration is what remedies and waivers are written in.
fn configuration() -> PhysicalLocation {
    let file = ArtifactLocation::builder().uri("ferpa.toml").uri_base_id("%SRCROOT%").build();
    PhysicalLocation::builder()
        .artifact_location(file)
        .region(Region::builder().start_line(1).build())
        .build()
}

fn text(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

fn bag<const N: usize>(properties: [(&str, Value); N]) -> BTreeMap<String, Value> {
    properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

const fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low => ResultLevel::Note,
    }
}

const fn level_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// GitHub's bands: over 9.0 critical, from 7.0 high, from 4.0 medium, below that low.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}
