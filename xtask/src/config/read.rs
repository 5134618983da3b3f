//! Reading the file: all faults at once, each at its place.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Deserialize;
use thiserror::Error;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::Config;

/// The default name of the file.
pub const DEFAULT_FILE: &str = "ferpa.toml";

/// One fault: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, with dots: `network.public_cidrs`.
    pub key: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl Fault {
    /// A fault.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
#[error("{file}: {count} {} in the configuration", if *.count == 1 { "fault" } else { "faults" })]
pub struct BadConfig {
    file: String,
    count: usize,
    source_code: NamedSource<String>,
    labels: Vec<LabeledSpan>,
    /// Faults of values that the file does not mention.
    elsewhere: Vec<Fault>,
}

impl Diagnostic for BadConfig {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&self.source_code as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        if self.elsewhere.is_empty() {
            return Some(Box::new("docs/configuration.md describes every key; nothing was called"));
        }
        let list: Vec<String> = self
            .elsewhere
            .iter()
            .map(|fault| format!("{}: {}", fault.key, fault.message))
            .collect();
        Some(Box::new(list.join("\n")))
    }
}

/// The text that a configuration came from, to point into.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// No file: the defaults.
    pub fn none() -> Self {
        Self { name: "the defaults".into(), text: String::new() }
    }

    /// A report of these faults, each underlined where the file mentions its key.
    pub fn report(&self, faults: Vec<Fault>) -> Box<BadConfig> {
        let root = DeTable::parse(&self.text).ok();
        let mut labels = Vec::new();
        let mut elsewhere = Vec::new();
        let count = faults.len();
        for fault in faults {
            match root.as_ref().and_then(|root| span(root.get_ref(), &fault.key)) {
                Some(span) => labels.push(LabeledSpan::new_with_span(Some(fault.message), span)),
                None => elsewhere.push(fault),
            }
        }
        self.bad(count, labels, elsewhere)
    }

    fn bad(&self, count: usize, labels: Vec<LabeledSpan>, elsewhere: Vec<Fault>) -> Box<BadConfig> {
        Box::new(BadConfig {
            file: self.name.clone(),
            count,
            source_code: NamedSource::new(&self.name, self.text.clone()).with_language("toml"),
            labels,
            elsewhere,
        })
    }
}

impl Config {
    /// Reads a configuration file; without a path, `ferpa.toml` where there is one, else the defaults.
    /// Unknown keys and values of the wrong type are left out, and come back as faults: so what else is
    /// wrong can be said in the same breath.
    ///
    /// # Errors
    /// When the file that was asked for does not exist or is not TOML.
    pub fn read(path: Option<&Path>) -> Result<(Self, Source, Vec<Fault>), Box<BadConfig>> {
        let name = path.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(name) {
            Ok(text) => text,
            Err(why) if path.is_none() && why.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Self::default(), Source::none(), Vec::new()));
            }
            Err(why) => {
                let source = Source { name: name.display().to_string(), text: String::new() };
                let fault =
                    Fault::new(name.display().to_string(), format!("cannot be read: {why}"));
                return Err(source.report(vec![fault]));
            }
        };
        Self::parse(&name.display().to_string(), text)
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(name: &str, text: String) -> Result<(Self, Source, Vec<Fault>), Box<BadConfig>> {
        let source = Source { name: name.into(), text };
        let root = match DeTable::parse(&source.text) {
            Ok(root) => root,
            Err(why) => {
                let span = why.span().unwrap_or(0..0);
                let label = LabeledSpan::new_with_span(Some(why.message().to_owned()), span);
                return Err(source.bad(1, vec![label], Vec::new()));
            }
        };
        // Each value on its own, so that one fault does not hide the next.
        let mut faults = Vec::new();
        let mut unknown = BTreeSet::new();
        let mut whole = plain_table(root.get_ref());
        let defaults = Table::try_from(Self::default()).unwrap_or_default();
        for path in leaves(root.get_ref()) {
            let mut one = only(root.get_ref(), &path);
            complete(&mut one, &defaults, &path);
            let result: Result<Self, _> = serde_ignored::deserialize(one, |key| {
                unknown.insert(key.to_string());
            });
            if let Err(why) = result {
                faults.push(Fault::new(path.join("."), brief(why.message())));
                remove(&mut whole, &path);
            } else {
                complete(&mut whole, &defaults, &path);
            }
        }
        faults.extend(unknown.into_iter().map(|key| {
            let message = format!("unknown key{}", suggestion(&key));
            Fault::new(key, message)
        }));
        // Every value has been read once already, so nothing is left that could go wrong but a bug.
        match Self::deserialize(Value::Table(whole)) {
            Ok(config) => Ok((Self::filled_in(config), source, faults)),
            Err(why) => {
                faults.push(Fault::new("", why.message()));
                Err(source.report(faults))
            }
        }
    }
}

/// Fills a table inside a section with the defaults of *that* section: the classification of a stream is
/// not that of a database.
fn complete(table: &mut Table, defaults: &Table, path: &[String]) {
    let [section, key] = path else { return };
    let inner = |table: &Table| table.get(section)?.as_table()?.get(key)?.as_table().cloned();
    let (Some(given), Some(usual)) = (inner(table), inner(defaults)) else { return };
    let mut filled = usual;
    filled.extend(given);
    if let Some(Value::Table(section)) = table.get_mut(section) {
        section.insert(key.clone(), Value::Table(filled));
    }
}

fn remove(table: &mut Table, path: &[String]) {
    match path {
        [key] => {
            table.remove(key);
        }
        [section, key] => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                section.remove(key);
            }
        }
        _ => {}
    }
}

/// A list of all that would have been known is too long to read beside the place.
fn brief(message: &str) -> &str {
    match message.split_once(", expected one of") {
        Some((what, _)) if what.starts_with("unknown field") => what,
        _ => message,
    }
}

/// The paths to values: `region`, `network.cidr`. What lies deeper belongs to its value.
fn leaves(root: &DeTable<'_>) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (key, value) in root {
        let key = key.get_ref().to_string();
        match value.get_ref() {
            DeValue::Table(section) if !section.is_empty() => {
                paths.extend(
                    section.keys().map(|inner| vec![key.clone(), inner.get_ref().to_string()]),
                );
            }
            _ => paths.push(vec![key]),
        }
    }
    paths
}

/// A document with nothing but the value at `path`.
fn only(root: &DeTable<'_>, path: &[String]) -> Table {
    let mut table = Table::new();
    let Some((key, rest)) = path.split_first() else { return table };
    let Some(value) = root.get(key.as_str()) else { return table };
    let value = match (value.get_ref(), rest.is_empty()) {
        (DeValue::Table(inner), false) => Value::Table(only(inner, rest)),
        _ => plain(value),
    };
    table.insert(key.clone(), value);
    table
}

fn plain(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .map_or_else(|_| Value::String(number.to_string()), Value::Integer)
        }
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Boolean(on) => Value::Boolean(*on),
        // Days are read from text, which is what most people write; TOML's own dates are welcome, too.
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(plain).collect()),
        DeValue::Table(fields) => Value::Table(plain_table(fields)),
    }
}

fn plain_table(table: &DeTable<'_>) -> Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value))).collect()
}

/// Where a key stands: the value if it is a plain one, else the key. Of a path that the file has only the
/// beginning of, the beginning.
fn span(root: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut table = root;
    for part in path.split('.') {
        // `public_cidrs[1]` is the second item of `public_cidrs`.
        let (key, index) = match part.split_once('[') {
            Some((key, rest)) => (key, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((spanned_key, value)) = table.get_key_value(key) else { break };
        let item = match (index, value.get_ref()) {
            (Some(index), DeValue::Array(items)) => items.get(index),
            _ => None,
        };
        if let Some(item) = item {
            return Some(item.span());
        }
        match value.get_ref() {
            DeValue::Table(inner) => {
                found = Some(spanned_key.span());
                table = inner;
            }
            _ => return Some(value.span()),
        }
    }
    // The name of a section says nothing about a value that is not in it.
    found.filter(|_| !path.contains('.') || deep(root, path))
}

/// Whether the file has the whole path.
fn deep(root: &DeTable<'_>, path: &str) -> bool {
    let mut table = root;
    for part in path.split('.') {
        match table.get(part).map(Spanned::get_ref) {
            Some(DeValue::Table(inner)) => table = inner,
            Some(_) => return true,
            None => return false,
        }
    }
    true
}

/// A known key that is spelled much like it.
fn suggestion(unknown: &str) -> String {
    let known = match Table::try_from(Config::default()) {
        Ok(known) => known,
        Err(_) => return String::new(),
    };
    // Keys without a default are not in the table.
    let mut names: Vec<String> =
        ["region", "certificate.arn", "certificate.host", "api.authorizer_function_arn"]
            .map(Into::into)
            .into();
    for (key, value) in &known {
        names.push(key.clone());
        if let Value::Table(inner) = value {
            names.extend(inner.keys().map(|inner| format!("{key}.{inner}")));
        }
    }
    let near = names
        .into_iter()
        .map(|name| (distance(&name, unknown), name))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    near.map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default()
}

fn distance(a: &str, b: &str) -> usize {
    strsim::levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        let bad = match Config::parse("ferpa.toml", text.into()) {
            Ok((config, source, mut faults)) => {
                faults.extend(config.check());
                source.report(faults)
            }
            Err(bad) => bad,
        };
        let mut out = String::new();
        miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
            .with_width(100)
            .render_report(&mut out, &*bad)
            .unwrap();
        out
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_reported_together_and_underlined() {
        insta::assert_snapshot!(faults(
            "project = \"student\"\nregoin = \"us-east-1\"\n\n[database]\ninstances = \"two\"\nmax_capcity = 8\n"
        ));
    }

    #[test]
    fn values_that_cannot_be_are_reported_with_them() {
        let shown = faults("regoin = \"x\"\n[logs]\nretention_days = 7\n");
        assert!(shown.contains("2 faults") && shown.contains("unknown key"), "{shown}");
    }

    #[test]
    fn a_table_in_a_section_keeps_what_it_does_not_say() {
        let text = "[stream.classification]\ndata = \"events\"\n";
        let (config, _, faults) = Config::parse("ferpa.toml", text.into()).unwrap();
        assert_eq!(faults, []);
        assert_eq!(config.stream.classification.data, "events");
        assert_eq!(config.stream.classification.retention_days, 1, "a stream's default");
    }

    #[test]
    fn broken_toml_is_underlined() {
        insta::assert_snapshot!(faults("[network\ncidr = 1"));
    }

    #[test]
    fn the_defaults_survive_a_round_trip() {
        let text = toml::to_string(&Config::default()).unwrap();
        let (config, ..) = Config::parse("x", text.clone()).unwrap();
        assert_eq!(toml::to_string(&config).unwrap(), text);
    }
}
