//! Reads values from a service's answers, by JSONPath.

mod kind;
#[cfg(test)]
mod tests;
mod times;

use std::time::Duration;

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;
use thiserror::Error;

use crate::api::time::Time;

use self::kind::Kind;

/// Why an answer does not have what the declaration promises. The text says which kind of value stood there, never a part
/// of the body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExtractionError {
    /// Nothing is there, or null.
    #[error("nothing at {0}")]
    Nothing(String),
    /// The same, and the answer itself is a list.
    #[error("nothing at {0}: the answer itself is a list, so a path begins with $[0], and that of rows is $[*]")]
    NothingInList(String),
    /// More than one value is there.
    #[error("more than one value at {0}: name one of them, for example by [0]")]
    Several(String),
    /// The value has another type.
    #[error("{found} at {path}, which is not {wanted}{advice}")]
    Type {
        /// The path as the user wrote it.
        path: String,
        /// What stood there.
        found: &'static str,
        /// What should have.
        wanted: &'static str,
        /// What to write instead, if the kind of the value says that.
        advice: String,
    },
}

impl ExtractionError {
    fn kind(path: &str, value: &Value, wanted: &'static str) -> Self {
        let kind = Kind::of(value);
        Self::Type { path: path.to_owned(), found: kind.name(), wanted, advice: kind.advice(path) }
    }

    /// Nothing at a path of this body.
    fn nothing(path: &str, body: &Value) -> Self {
        if body.is_array() && !path.starts_with("$[") {
            Self::NothingInList(path.to_owned())
        } else {
            Self::Nothing(path.to_owned())
        }
    }

    /// Whether nothing is there: the answer leaves the field out.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing(_) | Self::NothingInList(_))
    }
}

/// A checked JSONPath.
#[derive(Clone, Debug)]
pub struct JsonPath {
    text: String,
    query: JpQuery,
}

impl JsonPath {
    /// Reads a JSONPath.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        match parse_json_path(text) {
            Ok(query) if text.starts_with('$') => Ok(Self { text: text.to_owned(), query }),
            _ => Err("not a JSONPath (RFC 9535): write it like $.items[0].id".to_owned()),
        }
    }

    /// The path as the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether both name the same place, however they are written.
    pub fn is_same(&self, other: &Self) -> bool {
        self.query == other.query
    }

    /// The one value there; `None` if there is nothing, or null.
    ///
    /// # Errors
    /// `Several`.
    pub fn find<'a>(&self, body: &'a Value) -> Result<Option<&'a Value>, ExtractionError> {
        let found = all(&self.query, body);
        match found.as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(*value).filter(|value| !value.is_null())),
            _ => Err(ExtractionError::Several(self.text.clone())),
        }
    }

    /// The one string there, not empty; a number or a boolean as JSON writes it.
    ///
    /// # Errors
    /// `Nothing`, `Several` or `Type`.
    pub fn scalar(&self, body: &Value) -> Result<String, ExtractionError> {
        let value = self.find(body)?.ok_or_else(|| ExtractionError::nothing(&self.text, body))?;
        match scalar(value) {
            Some(text) if text.is_empty() => Err(ExtractionError::Nothing(self.text.clone())),
            Some(text) => Ok(text),
            None => Err(ExtractionError::kind(&self.text, value, "a string or a number that can be read exactly")),
        }
    }

    /// The one time there; `None` if there is nothing, null, an empty text, or the zero time of a language (a time before
    /// 1970, or the number 0).
    ///
    /// # Errors
    /// `Several` or `Type`.
    pub fn time(&self, body: &Value) -> Result<Option<Time>, ExtractionError> {
        match self.find(body)? {
            None => Ok(None),
            Some(value) => times::time(value).ok_or_else(|| ExtractionError::kind(&self.text, value, "a time")),
        }
    }

    /// The one length in seconds there; `None` if there is nothing, null, an empty text, 0 or less.
    ///
    /// # Errors
    /// `Several` or `Type`.
    pub fn seconds(&self, body: &Value) -> Result<Option<Duration>, ExtractionError> {
        let wanted = "a number of seconds from now";
        match self.find(body)? {
            None => Ok(None),
            Some(value) => times::seconds(value).ok_or_else(|| ExtractionError::kind(&self.text, value, wanted)),
        }
    }
}

/// The path of the rows of a list.
///
/// An empty list and an answer of another shape both give no rows, but only the empty list proves that a token is gone. So
/// the list or object that contains the rows must be in the answer.
#[derive(Clone, Debug)]
pub struct RowsPath {
    path: JsonPath,
    container: JsonPath,
}

impl RowsPath {
    /// Reads a JSONPath that ends in `[*]` or a filter.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = JsonPath::parse(text)?;
        let mut segments = path.query.segments.clone();
        match segments.pop() {
            Some(Segment::Selector(Selector::Wildcard | Selector::Filter(_))) => {}
            _ => return Err("must end in [*] or in a filter: write it like $.items[*]".to_owned()),
        }
        let container = JsonPath { text: container_of(text).to_owned(), query: JpQuery::new(segments) };
        Ok(Self { path, container })
    }

    /// The path as the user wrote it.
    pub fn text(&self) -> &str {
        self.path.text()
    }

    /// The rows. A list that is null is empty (Go writes empty lists so).
    ///
    /// # Errors
    /// If there is no list in the answer.
    pub fn rows<'a>(&self, body: &'a Value) -> Result<Vec<&'a Value>, ExtractionError> {
        self.container(body).map(|_| all(&self.path.query, body))
    }

    /// All that stands in the list, also what the filter leaves out.
    ///
    /// # Errors
    /// If there is no list in the answer.
    pub fn unfiltered<'a>(&self, body: &'a Value) -> Result<Vec<&'a Value>, ExtractionError> {
        Ok(match self.container(body)? {
            Value::Array(rows) => rows.iter().collect(),
            Value::Object(rows) => rows.values().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        })
    }

    fn container<'a>(&self, body: &'a Value) -> Result<&'a Value, ExtractionError> {
        match all(&self.container.query, body).as_slice() {
            [] => Err(ExtractionError::nothing(&self.container.text, body)),
            [found @ (Value::Array(_) | Value::Object(_) | Value::Null)] => Ok(found),
            [found] => Err(ExtractionError::kind(&self.container.text, found, "a list")),
            _ => Err(ExtractionError::Several(self.container.text.clone())),
        }
    }
}

/// The path of what contains the rows: the text without its last `[*]`, `.*` or filter. For messages only.
fn container_of(text: &str) -> &str {
    if let Some(container) = text.strip_suffix("[*]").or_else(|| text.strip_suffix(".*")) {
        return container;
    }
    let mut depth = 0;
    let opening = text.char_indices().rev().find(|(_, it)| {
        depth += i32::from(*it == ']') - i32::from(*it == '[');
        *it == '[' && depth == 0
    });
    opening.map_or(text, |(at, _)| &text[..at])
}

fn all<'a>(query: &JpQuery, body: &'a Value) -> Vec<&'a Value> {
    // An error would mean a computed value instead of a place in the body. A parsed query cannot give one.
    js_path_process(query, body).unwrap_or_default().into_iter().map(|found| found.val).collect()
}

/// From here on (2^53) floating-point numbers skip whole numbers, so that two ids could be read as one.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// A string as it is, a number or a boolean as JSON writes it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_f64() && number.as_f64().is_none_or(|it| it.abs() >= FIRST_INEXACT) => None,
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
