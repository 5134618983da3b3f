//! What would not hold, as text: each finding with what to change.

use std::fmt::Write;

use compliance::Finding;
use engine::reference::substitute_text;

use super::Paint;

/// The findings, worst first; nothing where there are none.
pub fn findings(findings: &[Finding], paint: &Paint) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut out = String::from("\nThis stack would break what FERPA asks for:\n");
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.control.cmp(&b.control)));
    for finding in sorted {
        let (remove, strong, faint) = (paint.remove, paint.strong, paint.faint);
        let severity = format!("{:?}", finding.severity).to_lowercase();
        let _ = writeln!(
            out,
            "\n  {remove}✗ {}{remove:#}  {strong}{}{strong:#}  {faint}{severity}{faint:#}",
            finding.control, finding.title
        );
        let resource = &finding.resource;
        let _ = writeln!(
            out,
            "    {} {}: {}",
            plain(&resource.id),
            resource.kind,
            plain(&finding.message)
        );
        let _ = writeln!(out, "    {faint}{}{faint:#}", finding.citations.join("; "));
        let _ = writeln!(out, "    {}", finding.remediation);
    }
    out.push('\n');
    out
}

/// What does not exist yet is named by its place in the stack.
fn plain(text: &str) -> String {
    substitute_text(text, &mut |placeholder| Some(placeholder.id.to_string()))
}
