//! Reading the file: all faults at once, each at its place.
//!
//! serde gives up at the first value that it cannot read. So the file is read again and again: each time the
//! value that was wrong is noted and taken out, until what is left can be read.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::Config;
use super::sample::{is_free, sample, usual};

/// The default name of the file.
pub const DEFAULT_FILE: &str = "ferpa.toml";

/// One fault: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, with dots: `network.public_cidrs[1]`.
    pub key: String,
    /// What is wrong and what is expected.
    pub message: String,
    /// Where in the file, if that is not simply where the key is.
    span: Option<Range<usize>>,
}

/// What makes sense together only: which subnets there are in which zones.
const ADDRESS_PLAN: [&str; 5] = [
    "network.cidr",
    "network.availability_zones",
    "network.public_cidrs",
    "network.private_cidrs",
    "network.data_cidrs",
];

impl Fault {
    /// A fault.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), span: None }
    }

    /// Whether this fault may be there only because something else stands in for a value that could not be read.
    pub fn may_follow_from(&self, unread: &Self) -> bool {
        let is_planned =
            |fault: &Self| ADDRESS_PLAN.iter().any(|planned| fault.key.starts_with(planned));
        unread.key.starts_with(&self.key) || (is_planned(self) && is_planned(unread))
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
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
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
        let mut labels: Vec<(Range<usize>, String)> = Vec::new();
        let mut elsewhere = Vec::new();
        let count = faults.len();
        for fault in faults {
            let here = || place_of(root.as_ref()?.get_ref(), &fault.key);
            match fault.span.clone().or_else(here) {
                // Two labels of one place would hide each other.
                Some(span) => match labels.iter_mut().find(|(at, _)| *at == span) {
                    Some((_, text)) => *text = format!("{text}; {}", fault.message),
                    None => labels.push((span, fault.message)),
                },
                None => elsewhere.push(fault),
            }
        }
        let labels = labels
            .into_iter()
            .map(|(span, text)| LabeledSpan::new_with_span(Some(text), span))
            .collect();
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
        match read_text(&source.text) {
            Ok((config, faults)) => Ok((config.filled_in(), source, faults)),
            Err(why) => {
                let span = why.span().unwrap_or(0..0);
                let label = LabeledSpan::new_with_span(Some(why.message().to_owned()), span);
                Err(source.bad(1, vec![label], Vec::new()))
            }
        }
    }
}

/// What a text says, and what of it cannot be read.
fn read_text(text: &str) -> Result<(Config, Vec<Fault>), toml::de::Error> {
    let (usual, sample) = (usual(), sample());
    let [root, usual, sample] = [parsed(text)?, parsed(&usual)?, parsed(&sample)?];
    Ok(Reading::new(&root, &usual, &sample).finish())
}

fn parsed(text: &str) -> Result<DeValue<'_>, toml::de::Error> {
    DeTable::parse(text).map(|table| DeValue::Table(table.into_inner()))
}

/// The way to a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Item(usize),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Way(Vec<Step>);

impl Way {
    fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    fn parent(&self) -> Option<(Self, &Step)> {
        let (last, before) = self.0.split_last()?;
        Some((Self(before.to_vec()), last))
    }

    /// The value that it leads to.
    fn find<'v, 'i>(&self, mut value: &'v mut DeValue<'i>) -> Option<&'v mut DeValue<'i>> {
        for step in &self.0 {
            value = match (step, value) {
                (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str())?.get_mut(),
                (Step::Item(index), DeValue::Array(items)) => items.get_mut(*index)?.get_mut(),
                _ => return None,
            };
        }
        Some(value)
    }

    /// Its like in the sample: of a list, and of a table with keys of one's own, the first item.
    fn like<'v, 'i>(&self, mut sample: &'v DeValue<'i>) -> Option<&'v DeValue<'i>> {
        let mut here = Self::default();
        for step in &self.0 {
            let next = match (step, sample) {
                (Step::Key(key), DeValue::Table(table)) => match table.get(key.as_str()) {
                    None if is_free(&here.to_string()) => table.values().next(),
                    known => known,
                },
                (Step::Item(_), DeValue::Array(items)) => items.first(),
                _ => None,
            };
            sample = next?.get_ref();
            here = here.then(step.clone());
        }
        Some(sample)
    }
}

/// `audit.waivers[0].reason`
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => write!(f, "{key}")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A file that is being read.
struct Reading<'a> {
    /// What the file says.
    root: &'a DeValue<'a>,
    /// A value for every key.
    sample: &'a DeValue<'a>,
    /// What the file says and could be read, and the defaults of what it does not say.
    document: DeValue<'a>,
    faults: Vec<Fault>,
    taken_out: BTreeSet<Way>,
}

impl<'a> Reading<'a> {
    fn new(root: &'a DeValue<'a>, usual: &'a DeValue<'a>, sample: &'a DeValue<'a>) -> Self {
        let mut document = root.clone();
        dates_as_text(&mut document);
        fill_in(&mut document, usual, &Way::default());
        Self { root, sample, document, faults: Vec::new(), taken_out: BTreeSet::new() }
    }

    fn finish(mut self) -> (Config, Vec<Fault>) {
        self.refuse_lists_for_tables(self.root, &Way::default());
        loop {
            let document = Spanned::new(0..0, self.document.clone());
            let why = match Config::deserialize(ValueDeserializer::from(document)) {
                Ok(config) => return (config, self.faults),
                Err(why) => why,
            };
            if !self.note(&why) {
                // Not at a place of the file: no way to go on.
                self.faults.push(Fault::new("", why.message()));
                return (Config::default(), self.faults);
            }
        }
    }

    /// serde would take the items of a list for the fields of a table, in their order.
    fn refuse_lists_for_tables(&mut self, value: &DeValue<'_>, here: &Way) {
        let inner: Vec<(Way, &Spanned<DeValue<'_>>)> = match value {
            DeValue::Table(table) => {
                table.iter().map(|(key, value)| (here.key(key.get_ref()), value)).collect()
            }
            DeValue::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (here.then(Step::Item(index)), item))
                .collect(),
            _ => return,
        };
        for (way, value) in inner {
            let should_be = way.like(self.sample);
            match (value.get_ref(), should_be) {
                (DeValue::Array(_), Some(DeValue::Table(_))) => {
                    self.fault(&way, &value.span(), "expected a table".to_owned());
                    self.take_out(way);
                }
                _ => self.refuse_lists_for_tables(value.get_ref(), &way),
            }
        }
    }

    /// Notes a fault and takes out what is wrong. False if its place cannot be told.
    fn note(&mut self, why: &toml::de::Error) -> bool {
        let Some(span) = why.span() else { return false };
        // A list of tables begins where its first table does: the innermost is meant.
        let at = ways_to(self.root, &span, &Way::default())
            .into_iter()
            .rfind(|way| !self.taken_out.contains(way));
        let Some(at) = at else { return false };
        let message = why.message();
        if message.starts_with("unknown field `") {
            self.fault(&at, &span, format!("unknown key{}", self.suggestion(&at)));
        } else if let Some(key) = quoted(message, "missing field `") {
            let missing = at.key(key);
            // Where a value that could not be read was taken out, that has been said.
            if !self.taken_out.contains(&missing) {
                self.fault(&missing, &span, format!("{key} is missing"));
            }
            if self.put_sample(&missing) {
                return true;
            }
        } else {
            self.fault(&at, &span, message.to_owned());
        }
        self.take_out(at);
        true
    }

    fn fault(&mut self, at: &Way, span: &Range<usize>, message: String) {
        self.faults.push(Fault { key: at.to_string(), message, span: Some(span.clone()) });
    }

    /// Takes a value out. The items of a list keep their numbers: another one stands in.
    fn take_out(&mut self, way: Way) {
        let Some((parent, last)) = way.parent() else { return };
        match last {
            Step::Key(key) => {
                if let Some(DeValue::Table(table)) = parent.find(&mut self.document) {
                    table.remove(key.as_str());
                }
            }
            Step::Item(_) => {
                let Some(sample) = way.like(self.sample) else { return self.take_out(parent) };
                if let Some(item) = way.find(&mut self.document) {
                    *item = sample.clone();
                }
            }
        }
        self.taken_out.insert(way);
    }

    /// Gives a key that is missing the sample's value.
    fn put_sample(&mut self, way: &Way) -> bool {
        let Some((parent, Step::Key(key))) = way.parent() else { return false };
        let Some(DeValue::Table(like)) = parent.like(self.sample) else { return false };
        let Some((key, value)) = like.get_key_value(key.as_str()) else { return false };
        let Some(DeValue::Table(table)) = parent.find(&mut self.document) else { return false };
        table.insert(key.clone(), value.clone()).is_none()
    }

    /// A known key beside it that is spelled much like it.
    fn suggestion(&self, unknown: &Way) -> String {
        let Some((parent, Step::Key(unknown))) = unknown.parent() else { return String::new() };
        let Some(DeValue::Table(known)) = parent.like(self.sample) else { return String::new() };
        let near = known
            .keys()
            .map(|key| (strsim::levenshtein(key.get_ref(), unknown), key.get_ref()))
            .filter(|(distance, _)| *distance <= 3)
            .min();
        near.map(|(_, key)| format!("; did you mean {}?", parent.key(key))).unwrap_or_default()
    }
}

/// The key that a message of serde's names behind this beginning.
fn quoted<'m>(message: &'m str, beginning: &str) -> Option<&'m str> {
    message.strip_prefix(beginning)?.split('`').next()
}

/// Days are read from text, which is what most people write; TOML's own dates are welcome, too.
fn dates_as_text(value: &mut DeValue<'_>) {
    match value {
        DeValue::Datetime(time) => *value = DeValue::String(time.to_string().into()),
        DeValue::Array(items) => items.iter_mut().for_each(|item| dates_as_text(item.get_mut())),
        DeValue::Table(table) => {
            table.iter_mut().for_each(|(_, value)| dates_as_text(value.get_mut()));
        }
        _ => {}
    }
}

/// Gives what a document does not say the default of its own section: the classification of a stream is not
/// that of a database.
fn fill_in<'a>(document: &mut DeValue<'a>, usual: &DeValue<'a>, at: &Way) {
    let (DeValue::Table(given), DeValue::Table(usual)) = (document, usual) else { return };
    if is_free(&at.to_string()) {
        return;
    }
    for (key, value) in usual {
        match given.get_mut(key.get_ref().as_ref()) {
            Some(given) => fill_in(given.get_mut(), value.get_ref(), &at.key(key.get_ref())),
            None => {
                given.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The ways to what stands at this place of a file, as key or as value, from the outside in.
fn ways_to(value: &DeValue<'_>, span: &Range<usize>, here: &Way) -> Vec<Way> {
    let mut ways = Vec::new();
    let mut visit = |way: Way, is_there: bool, value: &DeValue<'_>| {
        let inner = ways_to(value, span, &way);
        ways.extend(is_there.then_some(way));
        ways.extend(inner);
    };
    match value {
        DeValue::Table(table) => {
            for (key, value) in table {
                let is_there = key.span() == *span || value.span() == *span;
                visit(here.key(key.get_ref()), is_there, value.get_ref());
            }
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(here.then(Step::Item(index)), item.span() == *span, item.get_ref());
            }
        }
        _ => {}
    }
    ways
}

/// Where a file has a key: its value if that is a plain one, else the key itself. Of what stands in an item of a
/// list and is not there, the item.
fn place_of(root: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let mut table = root;
    let mut rest = key;
    let mut place = None;
    loop {
        // Keys of one's own may have dots: tags, parameters.
        let (part, after) = match table.contains_key(rest) {
            true => (rest, None),
            false => rest.split_once('.').map_or((rest, None), |(part, after)| (part, Some(after))),
        };
        // `public_cidrs[1]` is the second item of `public_cidrs`.
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((name, value)) = table.get_key_value(name) else { return place };
        let item = match (index, value.get_ref()) {
            (Some(index), DeValue::Array(items)) => items.get(index),
            _ => None,
        };
        match (item.unwrap_or(value).get_ref(), after) {
            (DeValue::Table(inner), Some(after)) => {
                place = item.map(Spanned::span);
                (table, rest) = (inner, after);
            }
            (DeValue::Table(_), None) if item.is_none() => return Some(name.span()),
            _ => return Some(item.unwrap_or(value).span()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Site;

    fn found(text: &str) -> (Source, Vec<Fault>) {
        let (config, source, unread) = Config::parse("ferpa.toml", text.into()).unwrap();
        let region = config.region.clone().unwrap_or("us-east-1".into());
        let site = Site {
            account_id: "123456789012".into(),
            region: region.clone(),
            zones: config.network.availability_zones.names_or_stand_ins(),
            is_real: false,
        };
        let faults = config.faults(unread, &site, Some(&region));
        (source, faults)
    }

    /// The faults, as a person sees them.
    fn faults(text: &str) -> String {
        let bad = match Config::parse("ferpa.toml", text.into()) {
            Ok(_) => {
                let (source, faults) = found(text);
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

    /// The keys that are at fault.
    fn keys(text: &str) -> Vec<String> {
        found(text).1.into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_reported_together_and_underlined() {
        insta::assert_snapshot!(faults(
            "project = \"student\"\nregoin = \"us-east-1\"\n\n[database]\ninstances = \"two\"\nmax_capcity = 8\n"
        ));
    }

    /// What is underlined of a text, from its beginning on, and what is said there.
    fn underlined(text: &str) -> Vec<(String, String)> {
        let (source, faults) = found(text);
        let bad = source.report(faults);
        assert_eq!(bad.elsewhere, [], "all of it is in the text");
        let mut labels = bad.labels;
        labels.sort_by_key(|label| (label.offset(), label.len()));
        let part = |label: &LabeledSpan| text[label.offset()..][..label.len()].to_owned();
        let said = |label: &LabeledSpan| label.label().unwrap_or_default().to_owned();
        labels.iter().map(|label| (part(label), said(label))).collect()
    }

    #[test]
    fn everything_wrong_in_nested_tables_and_lists_is_underlined_where_it_stands() {
        let found = underlined(
            r#"
[service.health]
interval_seconds = "often"
timeout_second = 5

[backup.rules]
daily = { schedul = "cron(0 5 ? * * *)", continuous = "yes" }

[network]
public_cidrs = ["10.0.1.0/240", "10.0.2/24"]
admit = [{ group = "campus", cidr = "172.16.0.0/12" }, { grup = "cache" }]

[[api.routes]]
path = 7
methd = "GET"

[[api.routes]]
path = "/students"
method = "GET"
open = "no"

[[audit.waivers]]
control = "FERPA-NET-12"
reason = 12

[[audit.waivers]]
control = "FERPA-XYZ-99"
resource = "*"
reason = ""
owner = "security@university.example"
expires = "the end of June"
"#,
        );
        // Of what serde says, the beginning.
        let expected = [
            ("\"often\"", "invalid type: string \"often\""),
            ("timeout_second", "unknown key; did you mean service.health.timeout_seconds?"),
            ("schedul", "unknown key; did you mean backup.rules.daily.schedule?"),
            ("\"yes\"", "invalid type: string \"yes\""),
            ("\"10.0.1.0/240\"", "invalid"),
            ("\"10.0.2/24\"", "invalid"),
            ("\"campus\"", "unknown variant `campus`"),
            ("{ grup = \"cache\" }", "group is missing; cidr is missing"),
            ("grup", "unknown key; did you mean network.admit[1].group?"),
            ("[[api.routes]]", "method is missing"),
            ("7", "invalid type: integer `7`"),
            ("methd", "unknown key; did you mean api.routes[0].method?"),
            ("\"no\"", "invalid type: string \"no\""),
            ("[[audit.waivers]]", "resource is missing; owner is missing; expires is missing"),
            ("12", "invalid type: integer `12`"),
            ("\"FERPA-XYZ-99\"", "FERPA-XYZ-99 is not a control"),
            ("\"\"", "it is empty"),
            ("\"the end of June\"", ""),
        ];
        let parts: Vec<&str> = found.iter().map(|(part, _)| part.as_str()).collect();
        assert_eq!(parts, expected.map(|(part, _)| part));
        for ((part, said), (_, beginning)) in found.iter().zip(expected) {
            assert!(said.starts_with(beginning), "{part}: {said}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_reported_with_them() {
        let shown = faults("regoin = \"x\"\n[logs]\nretention_days = 7\n");
        assert!(shown.contains("2 faults") && shown.contains("unknown key"), "{shown}");
    }

    #[test]
    fn what_follows_from_an_unreadable_value_is_not_reported_beside_it() {
        for text in [
            "availability_zones = \"three\"\npublic_cidrs = [\"10.0.1.0/24\"]\n",
            "availability_zones = [1, 2]\n",
            "cidr = \"10.0.0.0\"\npublic_cidrs = [\"10.9.1.0/24\", \"10.9.2.0/24\"]\n",
        ] {
            let keys = keys(&format!("[network]\n{text}"));
            assert_eq!(keys.len(), 1, "{text}: {keys:?}");
        }
        let both = keys("[network]\npublic_cidrs = [\"10.0.1.0/33\", \"ten\"]\n");
        assert_eq!(both, ["network.public_cidrs[0]", "network.public_cidrs[1]"]);
    }

    #[test]
    fn a_wrong_address_plan_is_reported_once_where_its_cause_is() {
        for (text, expected) in [
            ("availability_zones = 1", vec!["network.availability_zones"]),
            ("availability_zones = 3", vec!["network.availability_zones"]),
            ("availability_zones = []", vec!["network.availability_zones"]),
            ("data_cidrs = [\"10.0.21.0/24\"]", vec!["network.data_cidrs"]),
            ("cidr = \"10.40.0.0/16\"", vec!["network.cidr"]),
            ("cidr = \"10.0.0.0/8\"", vec!["network.cidr"]),
            ("public_cidrs = [\"10.0.0.0/16\", \"10.0.2.0/24\"]", vec!["network.public_cidrs[0]"]),
            (
                "public_cidrs = [\"192.168.1.0/24\", \"10.0.12.0/24\"]",
                vec!["network.public_cidrs[0]", "network.private_cidrs[1]"],
            ),
        ] {
            assert_eq!(keys(&format!("[network]\n{text}\n")), expected, "{text}");
        }
    }

    #[test]
    fn zones_of_another_region_are_refused() {
        let keys = |region: &str, zones: &str| {
            keys(&format!("region = \"{region}\"\n[network]\navailability_zones = {zones}\n"))
        };
        let (first, second) = ("network.availability_zones[0]", "network.availability_zones[1]");
        assert_eq!(keys("eu-central-1", r#"["us-east-1a", "us-east-1b"]"#), [first, second]);
        assert_eq!(keys("us-east-1", r#"["us-east-1a", "us-east-10b"]"#), [second]);
        assert_eq!(keys("us-east-1", r#"["us-east-1a", "us-east-1a"]"#), [second]);
        assert_eq!(keys("us-west-2", r#"["us-west-2a", "us-west-2-lax-1a"]"#), [] as [&str; 0]);
    }

    #[test]
    fn a_key_of_ones_own_with_dots_is_underlined() {
        let shown = faults("[tags]\n\"aws:cost.center\" = \"7\"\n");
        assert!(shown.contains("\"7\"\n   ·"), "{shown}");
    }

    #[test]
    fn a_list_is_no_table() {
        assert_eq!(keys("database = [\"17\"]\n"), ["database"]);
        assert_eq!(keys("[[database]]\n"), ["database"]);
        let admit = keys("[network]\nadmit = [[\"cache\", \"10.0.0.0/8\"]]\n");
        assert_eq!(admit, ["network.admit[0]"]);
    }

    #[test]
    fn two_faults_of_one_place_are_both_said() {
        let shown = faults("[[network.admit]]\n");
        assert!(shown.contains("group is missing; cidr is missing"), "{shown}");
    }

    #[test]
    fn a_rule_of_backups_replaces_the_default_rules() {
        let text = "[backup.rules.weekly]\ndelete_after_days = 60\n";
        let (config, _, faults) = Config::parse("ferpa.toml", text.into()).unwrap();
        assert_eq!(faults, []);
        assert_eq!(config.backup.rules.keys().collect::<Vec<_>>(), ["weekly"]);
        assert_eq!(config.backup.rules["weekly"].start_window_minutes, 60, "a rule's default");
    }

    #[test]
    fn an_image_brings_its_own_command() {
        let command = |text: &str| {
            let (config, _, faults) = Config::parse("ferpa.toml", text.into()).unwrap();
            assert_eq!(faults, []);
            config.service.command
        };
        assert_eq!(command("[service]\nimage = \"registry/api:1\"\n"), [] as [&str; 0]);
        assert_eq!(command("[service]\nport = 8081\n"), Config::default().service.command);
    }

    #[test]
    fn dates_may_be_toml_dates() {
        let waiver = "[[audit.waivers]]\ncontrol = \"NET-12\"\nresource = \"*\"\nreason = \"r\"\nowner = \"o\"\n";
        for date in ["2027-06-30", "\"2027-06-30\""] {
            assert_eq!(keys(&format!("{waiver}expires = {date}\n")), [] as [&str; 0], "{date}");
        }
        let impossible = keys(&format!("{waiver}expires = \"2027-06-31\"\n"));
        assert_eq!(impossible, ["audit.waivers[0].expires"]);
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
