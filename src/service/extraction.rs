//! Reads values from a service's answers, by JSONPath.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;
use thiserror::Error;

use crate::api::time::Time;

/// Numbers from here on are milliseconds since 1970, smaller ones are seconds: as seconds this is the year 5138.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;

/// Why an answer does not have what the declaration promises. The text never contains a part of the body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExtractionError {
    /// Nothing is there, or null.
    #[error("nothing at {0}")]
    Nothing(String),
    /// More than one value is there.
    #[error("more than one value at {0}")]
    Several(String),
    /// The value has another type.
    #[error("the value at {0} is not {1}")]
    Type(String, &'static str),
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
        let value = self.find(body)?.ok_or_else(|| ExtractionError::Nothing(self.text.clone()))?;
        match scalar(value) {
            Some(text) if text.is_empty() => Err(ExtractionError::Nothing(self.text.clone())),
            Some(text) => Ok(text),
            None => Err(ExtractionError::Type(self.text.clone(), "a string or a number that can be read exactly")),
        }
    }

    /// The one time there; `None` if there is nothing, null, or a time before 1970 (the zero time of some languages).
    ///
    /// # Errors
    /// `Several` or `Type`.
    pub fn time(&self, body: &Value) -> Result<Option<Time>, ExtractionError> {
        let Some(value) = self.find(body)? else { return Ok(None) };
        let time = read_time(value).ok_or_else(|| ExtractionError::Type(self.text.clone(), "a time"))?;
        Ok(Some(time).filter(|time| time.as_millis() > 0))
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
        let container = JsonPath { text: format!("what {text} selects from"), query: JpQuery::new(segments) };
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
        match all(&self.container.query, body).as_slice() {
            [] => Err(ExtractionError::Nothing(self.container.text.clone())),
            [Value::Array(_) | Value::Object(_) | Value::Null] => Ok(all(&self.path.query, body)),
            [_] => Err(ExtractionError::Type(self.container.text.clone(), "a list")),
            _ => Err(ExtractionError::Several(self.container.text.clone())),
        }
    }
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

/// RFC 3339, the same with `+0000`, without a zone (UTC is meant) or without seconds, a date (its beginning), or a
/// number.
fn read_time(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => read_text(text),
        Value::Number(number) => {
            let number = number.as_i64().or_else(|| number.as_f64().map(|float| float as i64))?;
            // The smallest number has no positive counterpart, so `abs` would panic on it.
            let millis = if number.unsigned_abs() < FIRST_MILLISECONDS { number.saturating_mul(1000) } else { number };
            Some(Time::from_millis(0).plus(std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0))))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn read_text(text: &str) -> Option<Time> {
    if let Ok(time) =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
    {
        return Some(time.to_utc().into());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"))
        .or_else(|_| NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN)));
    naive.ok().map(|naive| naive.and_utc().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_value_is_found_and_nothing_or_two_are_errors_that_name_the_path() {
        let body =
            json!({"id": 7, "no": null, "empty": "", "rows": [{"id": "secret-a"}, {"id": "secret-b"}], "yes": true});
        let check = |path: &str, expected: Result<&str, &str>| {
            let found = JsonPath::parse(path).unwrap().scalar(&body).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{path}");
        };
        check("$.id", Ok("7"));
        check("$.yes", Ok("true"));
        check("$.rows[1].id", Ok("secret-b"));
        check("$.other", Err("nothing at $.other"));
        check("$.no", Err("nothing at $.no"));
        check("$.empty", Err("nothing at $.empty"));
        check("$.rows[*].id", Err("more than one value at $.rows[*].id"));
        check("$.rows", Err("the value at $.rows is not a string or a number that can be read exactly"));
    }

    #[test]
    fn two_numbers_are_never_read_as_one() {
        for number in
            ["18446744073709551616", "18446744073709551617", "-9223372036854775809", "1e300", "9007199254740993.0"]
        {
            let body: Value = serde_json::from_str(number).unwrap();
            let read = JsonPath::parse("$").unwrap().scalar(&body).map_err(|error| error.to_string());
            assert_eq!(
                read,
                Err("the value at $ is not a string or a number that can be read exactly".to_owned()),
                "{number}"
            );
        }
        for number in ["18446744073709551615", "-9223372036854775808", "0.5", "-1", "1.0"] {
            let body: Value = serde_json::from_str(number).unwrap();
            assert_eq!(JsonPath::parse("$").unwrap().scalar(&body).as_deref(), Ok(number));
        }
    }

    #[test]
    fn an_empty_list_is_not_an_answer_of_another_shape() {
        let rows = |path: &str, body: Value| RowsPath::parse(path).unwrap().rows(&body).map(|rows| rows.len()).ok();
        assert_eq!(rows("$.items[*]", json!({"items": [1, 2]})), Some(2));
        assert_eq!(rows("$.items[*]", json!({"items": []})), Some(0));
        assert_eq!(rows("$.items[*]", json!({"items": null})), Some(0));
        assert_eq!(rows("$.items[*]", json!({"message": "try later"})), None);
        assert_eq!(rows("$.items[*]", json!({"items": "none"})), None);
        assert_eq!(rows("$[*]", json!([1])), Some(1));
        assert_eq!(rows("$.items[?@.status=='Active']", json!({"items": [{"status": "Expired"}]})), Some(0));
        assert!(RowsPath::parse("$.items").is_err());
        assert!(JsonPath::parse("items").is_err());
    }

    #[test]
    fn times_of_many_services_are_read_and_others_are_errors() {
        let check = |value: Value, expected: Option<&str>| {
            let read = JsonPath::parse("$.t")
                .unwrap()
                .time(&json!({"t": value}))
                .map(|time| time.map(|time| time.to_string()));
            assert_eq!(read.unwrap().as_deref(), expected, "{value}");
        };
        check(json!("2026-11-01T02:00:00+02:00"), Some("2026-11-01T00:00:00Z"));
        check(json!("2026-11-01T00:00:00.123+0000"), Some("2026-11-01T00:00:00Z"));
        check(json!("2026-11-01 00:00"), Some("2026-11-01T00:00:00Z"));
        check(json!("2026-11-01"), Some("2026-11-01T00:00:00Z"));
        check(json!(1_793_491_200), Some("2026-11-01T00:00:00Z"));
        check(json!(1_793_491_200_000_i64), Some("2026-11-01T00:00:00Z"));
        check(json!("9999-12-31T23:59:59Z"), Some("9999-12-31T23:59:59Z"));
        check(json!(9.9e300), Some("9999-12-31T23:59:59Z"));
        check(json!("0001-01-01T00:00:00Z"), None);
        check(json!(-9.9e300), None);
        check(json!(i64::MIN), None);
        check(json!(null), None);
        for wrong in [json!("soon"), json!(true), json!(["2026-11-01"])] {
            assert!(JsonPath::parse("$.t").unwrap().time(&json!({"t": wrong})).is_err(), "{wrong}");
        }
    }
}
