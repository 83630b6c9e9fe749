//! What a token may ask of its service: parameters and a lifetime.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::duration::{GoDuration, MAX_LENGTH};
use super::time::Time;

/// Parameters by name. The declaration of a service says which names and values it knows.
pub type Parameters = BTreeMap<String, ParameterValue>;

/// The value of one parameter: a string or a list of strings.
///
/// Anything else is read, too, so that one wrong object never breaks the watch of all objects; the operator then says in
/// a condition what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// One string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// Neither: never valid.
    Other(serde_json::Value),
}

impl ParameterValue {
    /// The strings of this value; `None` if it is neither a string nor a list of strings.
    pub fn texts(&self) -> Option<&[String]> {
        match self {
            Self::Text(text) => Some(std::slice::from_ref(text)),
            Self::List(texts) => Some(texts),
            Self::Other(_) => None,
        }
    }
}

impl JsonSchema for ParameterValue {
    fn schema_name() -> Cow<'static, str> {
        "ParameterValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A structural schema cannot say "a string or a list": https://kubernetes.io/docs/tasks/extend-kubernetes/
        // custom-resources/custom-resource-definitions/#specifying-a-structural-schema
        json_schema!({"x-kubernetes-preserve-unknown-fields": true})
    }
}

/// The schema of every `parameters` field.
pub fn parameters_schema(generator: &mut SchemaGenerator) -> Schema {
    let value = generator.subschema_for::<ParameterValue>();
    json_schema!({"type": "object", "maxProperties": 16, "additionalProperties": value})
}

/// How long a token lives: `Never` (it never expires) or a duration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^(Never|([0-9]{1,5}(h|m|s|ms)){1,4})$", "maxLength" = MAX_LENGTH))]
pub enum Lifetime {
    /// The token has no expiry.
    Never,
    /// The token expires this long after it was generated.
    Limited(Duration),
}

impl Lifetime {
    /// Reads the text above; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "Never" { Some(Self::Never) } else { GoDuration::parse(text).map(|length| Self::Limited(length.0)) }
    }

    /// The length, `None` for `Never`.
    pub fn length(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Limited(length) => Some(length),
        }
    }

    /// Whether an end is more than twice as far from the beginning: it may be read in the wrong unit, and a token that nobody replaces
    /// before it dies is worse than one that is replaced early.
    pub fn is_far_exceeded(self, begun: Time, end: Time) -> bool {
        self.length().is_some_and(|length| end.since(begun) > length.saturating_mul(2))
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("Never"),
            Self::Limited(length) => GoDuration(*length).fmt(f),
        }
    }
}

impl fmt::Debug for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Lifetime {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("write Never or a duration such as 720h (there are no days)")
    }
}

impl From<Lifetime> for String {
    fn from(lifetime: Lifetime) -> Self {
        lifetime.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_parameter_is_read_and_is_no_value() {
        let read: Parameters = serde_json::from_str(r#"{"a":"x","b":["x","y"],"c":7,"d":[1],"e":{"f":null}}"#).unwrap();
        let texts = |name: &str| read[name].texts().map(<[String]>::len);
        assert_eq!([texts("a"), texts("b"), texts("c"), texts("d"), texts("e")], [Some(1), Some(2), None, None, None]);
    }

    #[test]
    fn a_lifetime_comes_back_from_the_wire_unchanged() {
        for text in ["Never", "720h", "1h30m"] {
            let lifetime: Lifetime = serde_json::from_value(text.into()).unwrap();
            assert_eq!(lifetime.to_string(), text);
        }
        assert!(serde_json::from_value::<Lifetime>("30d".into()).is_err());
    }
}
