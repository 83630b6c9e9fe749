//! What a request is about: its path and its query.

use serde_json::{Value, json};

/// The kind, the namespace and the object of a path.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The kind, as paths name it.
    pub plural: &'a str,
    /// Empty for all namespaces, and for kinds that have none.
    pub namespace: &'a str,
    /// The object, if the path names one.
    pub name: Option<&'a str>,
    /// It is about the object's status.
    pub status: bool,
}

impl<'a> Place<'a> {
    /// Reads a path.
    pub fn parse(path: &'a str) -> Self {
        let mut parts = path.trim_matches('/').split('/');
        let version_parts = if parts.next() == Some("api") { 1 } else { 2 };
        let parts: Vec<&str> = parts.skip(version_parts).collect();
        let (namespace, rest) = match parts.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        Self {
            plural: rest.first().copied().unwrap_or_default(),
            namespace,
            name: rest.get(1).copied(),
            status: rest.get(2) == Some(&"status"),
        }
    }

    /// The key of an object of this namespace.
    pub fn key(&self, name: &str) -> (String, String) {
        (self.namespace.to_owned(), name.to_owned())
    }
}

/// Which objects a list or a watch is of.
#[derive(Clone, Debug)]
pub struct Selector {
    namespace: String,
    labels: Vec<Requirement>,
    name: Option<String>,
}

#[derive(Clone, Debug)]
enum Requirement {
    Is(String, String),
    IsNot(String, String),
    Has(String),
}

impl Requirement {
    fn parse(text: &str) -> Self {
        let own = |(key, value): (&str, &str)| (key.trim_end_matches('=').to_owned(), value.to_owned());
        if let Some((key, value)) = text.split_once("!=").map(own) {
            return Self::IsNot(key, value);
        }
        match text.split_once('=').map(|(key, value)| own((key, value.trim_start_matches('=')))) {
            Some((key, value)) => Self::Is(key, value),
            None => Self::Has(text.to_owned()),
        }
    }

    fn holds(&self, labels: &Value) -> bool {
        match self {
            Self::Is(key, value) => labels[key] == json!(value),
            Self::IsNot(key, value) => labels[key] != json!(value),
            Self::Has(key) => labels[key].is_string(),
        }
    }
}

impl Selector {
    /// Reads a query.
    pub fn parse(query: &str, namespace: &str) -> Self {
        let labels = parameter(query, "labelSelector").unwrap_or_default();
        let labels = labels.split(',').filter(|text| !text.is_empty()).map(Requirement::parse).collect();
        let name = parameter(query, "fieldSelector");
        let name = name.and_then(|text| text.strip_prefix("metadata.name=").map(str::to_owned));
        Self { namespace: namespace.to_owned(), labels, name }
    }

    /// Whether the object is among them.
    pub fn takes(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        (self.namespace.is_empty() || metadata["namespace"] == json!(self.namespace))
            && self.labels.iter().all(|requirement| requirement.holds(&metadata["labels"]))
            && self.name.as_ref().is_none_or(|name| metadata["name"] == json!(name))
    }
}

/// A parameter of a query.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(
        [("%3D", "="), ("%2F", "/"), ("%2C", ","), ("%21", "!")]
            .iter()
            .fold(value.to_owned(), |text, (code, sign)| text.replace(code, sign)),
    )
}
