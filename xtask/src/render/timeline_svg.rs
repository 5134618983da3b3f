//! A timeline as a picture: one self-contained SVG file, readable on light and on dark ground.

use std::fmt::Write;

use engine::timeline::{Bar, Ending, Timeline};

use super::timeline::{longest, mark, marks, name, rounded};

/// How many resources have a bar of their own.
const BARS: usize = 40;
const LEFT: f64 = 230.0;
const WIDTH: f64 = 960.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 78.0;
const ROW: f64 = 20.0;

// The colours carry white and black ground alike; text turns with the reader's scheme.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#57606a}\
.title{font-size:16px;font-weight:600;fill:#24292f}\
.name{text-anchor:end}\
.critical{font-weight:600;fill:#24292f}\
.grid{stroke:#8b949e;stroke-opacity:.35}\
.wait{fill:#8b949e;fill-opacity:.28}\
.make{fill:#3f83c8}.go{fill:#8a63d2}.path{fill:#dd7a1f}.bad{fill:#cf222e}\
@media(prefers-color-scheme:dark){text{fill:#9da7b3}.title,.critical{fill:#e6edf3}}";

/// The picture. `title` says what it is of.
pub fn svg(timeline: &Timeline, title: &str) -> String {
    let (bars, rest) = longest(timeline, BARS);
    let all = timeline.duration.as_secs_f64().max(0.001);
    let x = |seconds: f64| LEFT + seconds / all * (WIDTH - LEFT - RIGHT);
    let bottom = TOP + ROW * bars.len() as f64;
    let height = bottom + 44.0;
    let heading = format!("{title}: {}", rounded(timeline.duration));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"16\" y=\"26\">{}</text>",
        escaped(&heading),
        escaped(&heading)
    );
    legend(&mut out, bars.iter().any(|bar| bar.goes), bars.iter().any(|bar| !bar.goes));

    let step = marks(timeline.duration, 12);
    for at in (0..=timeline.duration.as_secs()).step_by(usize::try_from(step).unwrap_or(usize::MAX))
    {
        let x = x(at as f64);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\"/>\
             <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            TOP - 6.0,
            TOP - 12.0,
            mark(at, step)
        );
    }
    for (row, bar) in bars.iter().enumerate() {
        draw(&mut out, bar, TOP + ROW * row as f64, &x);
    }
    if let Some(most) = rest.iter().map(Bar::busy).max() {
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.0}\">{} other resources: {} each at most</text>",
            bottom + 24.0,
            rest.len(),
            rounded(most)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String, goes: bool, comes: bool) {
    let entries = [
        ("path", "on the critical path", true),
        ("make", "made or changed", comes),
        ("go", "removed", goes),
        ("wait", "waits for another resource", true),
    ];
    let mut x = 16.0;
    for (class, text, _) in entries.iter().filter(|(.., shown)| *shown) {
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x:.0}\" y=\"36\" width=\"12\" height=\"10\" rx=\"2\"/>\
             <text x=\"{:.0}\" y=\"45\">{text}</text>",
            x + 17.0
        );
        x += 17.0 + 6.6 * text.len() as f64 + 18.0;
    }
}

fn draw(out: &mut String, bar: &Bar, y: f64, x: &impl Fn(f64) -> f64) {
    let class = match bar.ending {
        Ending::Failed | Ending::Stopped => "bad",
        Ending::Done if bar.is_critical => "path",
        Ending::Done if bar.goes => "go",
        Ending::Done => "make",
    };
    let weight = if bar.is_critical { " critical" } else { "" };
    let label = escaped(&name(bar));
    let middle = y + ROW / 2.0 + 4.0;
    let _ = writeln!(
        out,
        "<g><title>{label} ({}): {} to {}</title>\
         <text class=\"name{weight}\" x=\"{:.0}\" y=\"{middle:.0}\">{label}</text>",
        escaped(bar.kind),
        rounded(bar.start),
        rounded(bar.end),
        LEFT - 10.0
    );
    let mut rectangle = |class: &str, from: f64, to: f64, inset: f64| {
        let (from, to) = (x(from), x(to));
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>",
            y + inset,
            (to - from).max(1.0),
            ROW - 2.0 * inset
        );
    };
    rectangle("wait", bar.start.as_secs_f64(), bar.end.as_secs_f64(), 7.0);
    for (from, to) in joined(&bar.parts) {
        rectangle(class, from, to, 4.0);
    }
    let _ = writeln!(
        out,
        "<text class=\"{}\" x=\"{:.1}\" y=\"{middle:.0}\">{}</text></g>",
        weight.trim(),
        x(bar.end.as_secs_f64()) + 6.0,
        rounded(bar.busy())
    );
}

/// The parts of a bar, those that follow upon each other as one.
fn joined(parts: &[(std::time::Duration, std::time::Duration)]) -> Vec<(f64, f64)> {
    let mut sorted = parts.to_vec();
    sorted.sort();
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (from, to) in sorted {
        let (from, to) = (from.as_secs_f64(), to.as_secs_f64());
        match joined.last_mut() {
            Some((_, end)) if from <= *end + 0.001 => *end = end.max(to),
            _ if to > from => joined.push((from, to)),
            _ => {}
        }
    }
    joined
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no other control characters, not even escaped ones.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::stack::LogicalId;
    use engine::steps::What;
    use engine::timeline::Span;

    use super::super::timeline::tests::fresh_deploy;
    use super::*;

    #[test]
    fn a_picture_needs_nothing_but_itself() {
        let picture = svg(&fresh_deploy(), "student-dev: deploy, expected on AWS");
        for outside in ["href", "url(", "@import", "<script", "<image"] {
            assert!(!picture.contains(outside), "{outside}");
        }
        assert!(picture.contains("data/cache"), "{picture}");
        assert_eq!(picture.matches("<g>").count(), picture.matches("</g>").count());
    }

    #[test]
    fn a_name_cannot_break_out() {
        let span = Span {
            step: 0,
            resource: LogicalId::new("a<script>&\"\u{7}"),
            kind: "toy.thing",
            what: What::Create { beside: false },
            start: Duration::ZERO,
            end: Duration::from_secs(10),
            ending: Ending::Failed,
        };
        let timeline = Timeline {
            spans: vec![span],
            critical_path: vec![0],
            duration: Duration::from_secs(10),
        };
        let picture = svg(&timeline, "a & b");
        assert!(picture.contains("a&lt;script&gt;&amp;&quot; "), "{picture}");
        assert!(!picture.contains("<script"), "{picture}");
    }
}
