//! The kind of a value in an answer: all that a message may say about it.

use serde_json::Value;

/// What stands at a place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    EmptyText,
    Text,
    List,
    Object,
}

impl Kind {
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(text) if text.is_empty() => Self::EmptyText,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::EmptyText => "an empty text",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }

    /// What to write instead, where the kind tells that.
    pub fn advice(self, path: &str) -> String {
        match self {
            Self::List => format!("; its first element is {path}[0]"),
            Self::Object => format!("; name one field of it, such as {path}.value"),
            Self::Null | Self::Boolean | Self::Number | Self::EmptyText | Self::Text => String::new(),
        }
    }
}
