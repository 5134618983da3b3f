//! What the types cannot say: values that AWS or the stack cannot have.

use super::{Config, Fault};

impl Config {
    /// Every fault of the configuration, whatever layer it concerns.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        name(&mut faults, "project", &self.project, 12);
        name(&mut faults, "environment", &self.environment, 12);
        for (key, value) in &self.tags {
            tag(&mut faults, key, value);
        }
        faults
    }
}

/// Names become part of names with narrow limits: a load balancer's is 32 characters.
fn name(faults: &mut Vec<Fault>, key: &str, value: &str, longest: usize) {
    let fits = value.len() <= longest
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && !value.ends_with('-')
        && !value.contains("--")
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        faults.push(Fault::new(
            key,
            format!("expected 1 to {longest} lower-case letters, digits and single hyphens, starting with a letter"),
        ));
    }
}

fn tag(faults: &mut Vec<Fault>, key: &str, value: &str) {
    let at = format!("tags.{key}");
    let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
    if key.starts_with("aws:") || key.starts_with("ferpa-stack:") {
        faults.push(Fault::new(at, "tags that start with aws: or ferpa-stack: are not yours to set"));
    } else if key.len() > 128 || value.len() > 256 {
        faults.push(Fault::new(at, "a tag's key has at most 128 characters, its value 256"));
    } else if !allowed(key) || !allowed(value) {
        faults.push(Fault::new(at, "expected letters, digits, spaces and _ . : / = + - @"));
    }
}
