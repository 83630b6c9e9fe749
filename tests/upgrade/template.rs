//! Objects of one cluster as templates for another one.
//!
//! What a cluster assigns, or what only that run had, becomes a placeholder such as `${uid}`. Times become distances from the time
//! of the record, such as `${now-90.5s}`: what was to come in an hour is to come in an hour again.

use artifact_token_operator::api::time::Time;
use serde_json::Value;

/// A JSON document with placeholders.
pub type Template = Value;

/// Words of one cluster and the placeholders for them, the longest word first.
#[derive(Clone, Debug)]
pub struct Words {
    /// The time of the record.
    pub now: Time,
    /// `metadata.generation`: a number, so it stands for whole values only.
    pub generation: Option<i64>,
    /// Words and their placeholders.
    pub words: Vec<(String, String)>,
}

impl Words {
    pub fn at(now: Time) -> Self {
        Self { now, generation: None, words: Vec::new() }
    }

    pub fn add(&mut self, placeholder: &str, word: &str) {
        assert!(!word.is_empty(), "nothing to replace by {placeholder}");
        self.words.push((word.to_owned(), format!("${{{placeholder}}}")));
        self.words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    /// The document with placeholders for these words, for times, and for the generation where a field is named after it.
    pub fn take_out(&self, document: &Value) -> Template {
        map(document, "", &|field, value| match value {
            Value::Number(number) if names_generation(field) && number.as_i64() == self.generation => {
                Value::from("${generation}")
            }
            Value::String(text) => Value::from(self.without(text)),
            other => other.clone(),
        })
    }

    fn without(&self, text: &str) -> String {
        if let Some(time) = Time::parse(text) {
            return distance(time.as_millis() - self.now.as_millis());
        }
        self.words.iter().fold(text.to_owned(), |text, (word, placeholder)| text.replace(word, placeholder))
    }

    /// The document with these words in the place of their placeholders.
    pub fn put_in(&self, template: &Template) -> Value {
        map(template, "", &|_, value| match value {
            Value::String(text) if text == "${generation}" => Value::from(self.generation),
            Value::String(text) => Value::from(self.with(text)),
            other => other.clone(),
        })
    }

    fn with(&self, text: &str) -> String {
        if let Some(distance) = text.strip_prefix("${now").and_then(|rest| rest.strip_suffix("s}")) {
            let seconds: f64 = distance.parse().unwrap_or_else(|_| panic!("a distance in seconds: {text}"));
            let millis = self.now.as_millis() + (seconds * 1000.0).round() as i64;
            return format!("{:?}", Time::from_millis(millis));
        }
        let whole = self.words.iter().fold(text.to_owned(), |text, (word, name)| text.replace(name, word));
        assert!(!whole.contains("${"), "nothing is known for a placeholder of {whole}");
        whole
    }
}

fn names_generation(field: &str) -> bool {
    field == "generation" || field == "observedGeneration"
}

/// To the millisecond, as the wire has times.
fn distance(millis: i64) -> String {
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    format!("${{now{sign}{}.{:03}s}}", millis / 1000, millis % 1000)
}

/// The document with every value that is no list and no object replaced; `change` gets the name of its field, too.
fn map(document: &Value, field: &str, change: &impl Fn(&str, &Value) -> Value) -> Value {
    match document {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), map(value, name, change))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| map(item, field, change)).collect()),
        other => change(field, other),
    }
}

#[test]
fn what_is_taken_out_of_one_cluster_fits_into_another() {
    let mut first = Words::at(Time::parse("2026-01-02T03:04:05.678Z").unwrap());
    first.generation = Some(3);
    first.add("uid", "6a1f");
    first.add("id-1", "tok1");
    let document = serde_json::json!({
        "metadata": {"name": "ci", "annotations": {"owner": "ArtifactToken/ci/6a1f", "ids": "[\"tok1\"]"}},
        "status": {"observedGeneration": 3, "attempt": 3, "time": "2026-01-02T03:03:05.178Z", "end": "2026-01-02T04:04:05.678Z"},
    });
    let template = first.take_out(&document);
    assert_eq!(template["status"]["time"], "${now-60.500s}");
    assert_eq!(template["status"]["end"], "${now+3600.000s}");
    assert_eq!(template["metadata"]["annotations"]["owner"], "ArtifactToken/ci/${uid}");
    assert_eq!(first.put_in(&template), document);

    let mut second = Words::at(Time::parse("2027-01-01T00:01:00.500Z").unwrap());
    second.generation = Some(1);
    second.add("uid", "77");
    second.add("id-1", "other");
    let other = second.put_in(&template);
    assert_eq!(
        other["status"],
        serde_json::json!({
            "observedGeneration": 1, "attempt": 3, "time": "2027-01-01T00:00:00.000Z", "end": "2027-01-01T01:01:00.500Z",
        })
    );
    assert_eq!(other["metadata"]["annotations"]["ids"], "[\"other\"]");
}
