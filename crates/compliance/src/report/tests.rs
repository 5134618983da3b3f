//! Every format of one small audit.

use serde_json::{Value, json};

use super::{Format, Look, render};
use crate::control::Severity;
use crate::evaluate::Audit;
use crate::finding::{Evidence, Finding, Resource, Status, Summary};
use crate::settings::Waiver;

/// A finding as an audit would have it. Ids and texts are what somebody who may name resources would try.
fn finding(control: &str, status: Status, severity: Severity, id: &str) -> Finding {
    Finding {
        control: control.into(),
        title: "Something holds".into(),
        status,
        severity,
        resource: Resource {
            kind: "rds.cluster".into(),
            id: id.into(),
            arn: (id != "*").then(|| format!("arn:aws:rds:us-east-1:123456789012:cluster:{id}")),
            region: "us-east-1".into(),
        },
        message: format!("it was {}", super::word(status)),
        evidence: vec![Evidence {
            call: "rds:DescribeDBClusters".into(),
            field: "StorageEncrypted".into(),
            value: json!(status == Status::Pass),
        }],
        citations: vec!["34 CFR 99.31(a)(1)(ii)".into(), "NIST SP 800-171r2 3.13.16".into()],
        remediation: "In a stack of ferpa-stack: `deploy`. Elsewhere: rds:ModifyDBCluster.".into(),
        waiver: None,
    }
}

fn audit() -> Audit {
    use Severity::{Critical, High, Low, Medium};
    use Status::{Fail, NotApplicable, Pass, Unknown, Waived};
    let waived = Finding {
        waiver: Some(Waiver {
            control: "FERPA-NET-12".into(),
            resource: "legacy".into(),
            reason: "it is switched off in June".into(),
            owner: "ciso@example.edu".into(),
            expires: "2026-06-30".parse().unwrap(),
        }),
        citations: vec!["NIST SP 800-171r2 3.13.1".into()],
        ..finding("FERPA-NET-12", Waived, Medium, "legacy")
    };
    let hostile = Finding {
        message: "=HYPERLINK(\"https://x.example\") <script>alert(1)</script> | `x` \u{1b}[2J"
            .into(),
        ..finding("FERPA-ENC-99", Fail, Critical, "<b>=1+1</b>")
    };
    let findings = vec![
        hostile,
        finding("FERPA-ENC-99", Pass, Critical, "records"),
        finding("FERPA-LOG-08", Unknown, High, "*"),
        waived,
        finding("FERPA-TLS-04", Fail, High, "front"),
        finding("FERPA-TLS-04", NotApplicable, High, "*"),
        finding("FERPA-AVL-07", Pass, Low, "records"),
    ];
    Audit {
        schema_version: crate::evaluate::SCHEMA_VERSION,
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        scope: "stack".into(),
        started_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        summary: Summary::of(&findings),
        findings,
    }
}

fn rendered(format: Format) -> String {
    let version = env!("CARGO_PKG_VERSION");
    render(&audit(), format, Look::default()).replace(version, "VERSION")
}

#[test]
fn formats_have_names() {
    for &format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
        assert!(rendered(format).ends_with('\n'), "{format}");
    }
    let error = "pdf".parse::<Format>().unwrap_err();
    assert!(error.to_string().contains("text, json, sarif"), "{error}");
}

#[test]
fn text() {
    insta::assert_snapshot!(rendered(Format::Text));
    let verbose = render(&audit(), Format::Text, Look { verbose: true, colour: false });
    insta::assert_snapshot!("text_verbose", verbose);
}

#[test]
fn text_is_coloured_only_when_asked_and_carries_no_escapes_of_others() {
    assert!(!rendered(Format::Text).contains('\u{1b}'));
    let coloured = render(&audit(), Format::Text, Look { colour: true, verbose: false });
    assert!(coloured.contains("\u{1b}[31m") && !coloured.contains("\u{1b}[2J"));
}

#[test]
fn json_is_the_contract() {
    let text = rendered(Format::Json);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["summary"]["not_applicable"], 1);
    assert_eq!(document["findings"][0]["resource"]["kind"], "rds.cluster");
    assert_eq!(document["findings"][2]["resource"]["arn"], Value::Null);
    assert!(document["organisational_duties"].as_array().unwrap().len() >= 10);
    assert_eq!(serde_json::from_str::<Audit>(&text).unwrap(), audit(), "it can be read back");
    insta::assert_snapshot!(text);
}

fn conforms(document: &Value, schema: &str) {
    let path = format!("{}/tests/schemas/{schema}", env!("CARGO_MANIFEST_DIR"));
    // SARIF's own pattern for languages has a bracket too many.
    let schema = std::fs::read_to_string(path).unwrap().replace("{2}]?$", "{2}$");
    let schema = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong =
        |error: jsonschema::ValidationError<'_>| format!("{} at {}", error, error.instance_path());
    let errors: Vec<String> = validator.iter_errors(document).map(wrong).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn sarif_is_what_the_standard_wants() {
    let text = rendered(Format::Sarif);
    let document: Value = serde_json::from_str(&text).unwrap();
    conforms(&document, "sarif-2.1.0.json");
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let level = &result["level"];
        assert_eq!(result["kind"] == "fail", level != "none", "only what fails has a level");
        let waived = result["properties"]["status"] == "waived";
        assert_eq!(result["suppressions"].as_array().unwrap().len(), usize::from(waived));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn no_report_is_silent_about_what_no_api_can_show() {
    for &format in Format::ALL {
        let text = rendered(format).replace("&apos;", "'");
        for duty in super::DUTIES {
            assert!(text.contains(duty.title), "{} in {format}", duty.title);
        }
    }
    let sarif: Value = serde_json::from_str(&rendered(Format::Sarif)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let reviews = results.iter().filter(|result| result["kind"] == "review").count();
    assert_eq!((results.len() - reviews, reviews), (7, super::DUTIES.len()));
    let junit = quick_junit::Report::deserialize_from_str(&rendered(Format::Junit)).unwrap();
    let duties = junit.test_suites.last().unwrap();
    assert_eq!((duties.tests, duties.failures, duties.errors), (super::DUTIES.len(), 0, 0));
    let ocsf: Vec<Value> = serde_json::from_str(&rendered(Format::Ocsf)).unwrap();
    let of_duties = &ocsf[7..];
    assert_eq!(of_duties.len(), super::DUTIES.len());
    assert!(of_duties.iter().all(|event| event["compliance"]["status_id"] == 99));
}

#[test]
fn junit() {
    let text = rendered(Format::Junit);
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let findings = report.tests - super::DUTIES.len();
    assert_eq!((findings, report.failures, report.errors), (7, 2, 1));
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!(text);
}

#[test]
fn csv_is_no_formula() {
    let text = rendered(Format::Csv);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    for row in rows.records() {
        for cell in &row.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn ocsf_events_are_what_the_schema_wants() {
    let text = rendered(Format::Ocsf);
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    for event in &events {
        conforms(event, "ocsf-1.5.0-compliance-finding.json");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn markdown_shows_names_as_names() {
    let text = rendered(Format::Markdown);
    assert!(!text.contains("<script") && !text.contains("<b>"));
    insta::assert_snapshot!(text);
}

#[test]
fn html_needs_nothing_else_and_shows_names_as_names() {
    let text = rendered(Format::Html);
    for foreign in ["<script", "<b>=", "src=", "@import", "url(", "<link", "\u{1b}"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn people_read_when_it_was_to_the_second() {
    let audit = Audit { started_at: "2026-03-01T12:00:00.25Z".parse().unwrap(), ..audit() };
    let people = [Format::Text, Format::Markdown, Format::Html];
    for format in people {
        let text = render(&audit, format, Look::default());
        assert!(text.contains("2026-03-01T12:00:00Z"), "{format}");
    }
}

#[test]
fn no_report_claims_a_certificate() {
    for &format in Format::ALL {
        let text = rendered(format).to_lowercase();
        assert!(!text.contains("ferpa certified") && !text.contains("ferpa-certified"), "{format}");
    }
}
