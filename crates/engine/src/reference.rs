//! Typed references between resources, some of which do not exist yet.
//!
//! A [`Ref`] is a string that AWS understands (an id, an ARN, a host name) or, as long as its
//! resource does not exist, a placeholder that names the resource and the output it stands for. A
//! placeholder may stand anywhere in a string, so a policy document can be written with the ARN of a
//! key that is yet to be created. The engine reads the data flow off the placeholders: there is no
//! other list of dependencies to keep in step.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::stack::LogicalId;

// Brackets that no AWS identifier, policy or host name contains.
const OPEN: char = '⟦';
const CLOSE: char = '⟧';

/// A reference to something of type `M`: a value that AWS knows, or a placeholder for one.
///
/// `M` is a marker, never a value: `Ref<PrivateSubnet>` cannot be passed where `Ref<PublicSubnet>`
/// is expected. In JSON a reference is a plain string.
pub struct Ref<M> {
    text: String,
    marker: PhantomData<fn() -> M>,
}

impl<M> Ref<M> {
    /// A reference to something that exists: an id, ARN, name or host name as AWS spells it.
    pub fn known(text: impl Into<String>) -> Self {
        Self { text: text.into(), marker: PhantomData }
    }

    pub(crate) fn pending(id: &LogicalId, output: &str, need: Need) -> Self {
        Self::known(Placeholder { id: id.clone(), output: output.to_owned(), need }.to_string())
    }

    /// The text: what AWS knows, or a placeholder.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is only a placeholder (or contains one).
    pub fn is_pending(&self) -> bool {
        self.text.contains(OPEN)
    }

    /// The same reference under another type. For layers that narrow a general kind to a role
    /// (any subnet to a private one), where the narrowing is known to hold.
    pub fn cast<N>(&self) -> Ref<N> {
        Ref::known(self.text.clone())
    }
}

impl<M> Clone for Ref<M> {
    fn clone(&self) -> Self {
        Self::known(self.text.clone())
    }
}
impl<M> PartialEq for Ref<M> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<M> Eq for Ref<M> {}
impl<M> PartialOrd for Ref<M> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<M> Ord for Ref<M> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl<M> std::hash::Hash for Ref<M> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl<M> Default for Ref<M> {
    fn default() -> Self {
        Self::known(String::new())
    }
}
impl<M> fmt::Display for Ref<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<M> fmt::Debug for Ref<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
impl<M> From<&str> for Ref<M> {
    fn from(text: &str) -> Self {
        Self::known(text)
    }
}
impl<M> From<String> for Ref<M> {
    fn from(text: String) -> Self {
        Self::known(text)
    }
}
impl<M> From<Ref<M>> for String {
    fn from(reference: Ref<M>) -> Self {
        reference.text
    }
}
impl<M> Serialize for Ref<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, M> Deserialize<'de> for Ref<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::known)
    }
}

/// What a reference needs of the resource it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// The create call has returned.
    Created,
    /// The resource is configured and does its work.
    Ready,
}

/// A placeholder inside a string: which resource, which of its outputs, from when on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placeholder {
    /// The resource.
    pub id: LogicalId,
    /// The name of the output, `id` and `arn` among them.
    pub output: String,
    /// What must hold before the output may be used.
    pub need: Need,
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = if self.need == Need::Ready { "!" } else { "" };
        write!(f, "{OPEN}{}.{}{ready}{CLOSE}", self.id, self.output)
    }
}

impl Placeholder {
    fn parse(inner: &str) -> Option<Self> {
        let (inner, need) = match inner.strip_suffix('!') {
            Some(rest) => (rest, Need::Ready),
            None => (inner, Need::Created),
        };
        let (id, output) = inner.rsplit_once('.')?;
        Some(Self { id: LogicalId::new(id), output: output.to_owned(), need })
    }
}

/// Every placeholder in a JSON tree.
pub fn placeholders(value: &Value) -> BTreeSet<Placeholder> {
    let mut found = BTreeSet::new();
    visit(value, &mut |text| {
        let _ = substitute_text(text, &mut |placeholder| {
            found.insert(placeholder.clone());
            None
        });
    });
    found
}

fn visit(value: &Value, on_text: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => on_text(text),
        Value::Array(items) => items.iter().for_each(|item| visit(item, on_text)),
        Value::Object(fields) => fields.iter().for_each(|(key, item)| {
            on_text(key);
            visit(item, on_text);
        }),
        _ => {}
    }
}

/// Replaces every placeholder for which `lookup` knows a value, keys of objects included; the others
/// stay.
pub fn substitute(value: &Value, lookup: &mut impl FnMut(&Placeholder) -> Option<String>) -> Value {
    match value {
        Value::String(text) => Value::String(substitute_text(text, lookup)),
        Value::Array(items) => items.iter().map(|item| substitute(item, lookup)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, item)| (substitute_text(key, lookup), substitute(item, lookup)))
            .collect(),
        other => other.clone(),
    }
}

/// As [`substitute`], for one string.
pub fn substitute_text(
    text: &str,
    lookup: &mut impl FnMut(&Placeholder) -> Option<String>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let after = &rest[start + OPEN.len_utf8()..];
        let Some(end) = after.find(CLOSE) else { break };
        out.push_str(&rest[..start]);
        match Placeholder::parse(&after[..end]).and_then(|p| lookup(&p)) {
            Some(known) => out.push_str(&known),
            None => out.push_str(&rest[start..start + OPEN.len_utf8() + end + CLOSE.len_utf8()]),
        }
        rest = &after[end + CLOSE.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// Whether the tree still has a placeholder.
pub fn has_placeholder(value: &Value) -> bool {
    !placeholders(value).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_found_inside_strings_and_replaced_where_known() {
        let key: Ref<()> = Ref::pending(&LogicalId::new("security/key"), "arn", Need::Created);
        let nat: Ref<()> = Ref::pending(&LogicalId::new("network/nat-1"), "id", Need::Ready);
        let value = json!({"policy": {"Resource": [format!("{key}/x"), nat.as_str()]}});

        let found = placeholders(&value);
        assert_eq!(found.len(), 2);
        assert!(found.iter().any(|p| p.output == "id" && p.need == Need::Ready));

        let resolved = substitute(&value, &mut |p| (p.output == "arn").then(|| "arn:k".to_owned()));
        assert_eq!(resolved["policy"]["Resource"][0], "arn:k/x");
        assert!(has_placeholder(&resolved), "the other one is still unknown");
    }

    #[test]
    fn text_without_placeholders_is_left_alone() {
        assert_eq!(substitute_text("a ⟦ b", &mut |_| None), "a ⟦ b");
        assert_eq!(substitute_text("${aws:username}", &mut |_| None), "${aws:username}");
    }
}
