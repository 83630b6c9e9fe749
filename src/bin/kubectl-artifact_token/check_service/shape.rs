//! What a person may see of a service's answers: their shape, and no secret value.

use artifact_token_operator::service::mask::{HIDDEN, Mask};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// The longest text of an answer that is shown, and the most fields of an object.
const MAX_TEXT: usize = 200;
const MAX_FIELDS: usize = 24;
const MAX_DEPTH: usize = 6;
/// The last characters of a token that may be shown, and how long a token must be for that: as the operator does it.
const HINT: usize = 4;
const MIN_HINTED: usize = 20;

/// The last characters of a token that is long enough.
pub(super) fn hint(token: &SecretString) -> Option<String> {
    let token = token.expose_secret();
    let length = token.chars().count();
    (length >= MIN_HINTED).then(|| format!("{HIDDEN}{}", token.chars().skip(length - HINT).collect::<String>()))
}

/// The shape of a JSON answer. `texts` says whether to show texts, too, as far as they look like no secret: those of a refusal say why.
pub(super) fn shape(body: &Value, texts: bool, mask: &Mask) -> String {
    part(body, texts, mask, MAX_DEPTH)
}

fn part(value: &Value, texts: bool, mask: &Mask, depth: usize) -> String {
    match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) if text.is_empty() => "empty text".to_owned(),
        Value::String(text) if texts => {
            let shown: String = mask.of_service(text).chars().take(MAX_TEXT).collect();
            format!("{shown:?}")
        }
        Value::String(_) => "text".to_owned(),
        Value::Array(rows) if rows.is_empty() => "[]".to_owned(),
        Value::Array(_) | Value::Object(_) if depth == 0 => "...".to_owned(),
        Value::Array(rows) => format!("[{} x {}]", rows.len(), part(&rows[0], texts, mask, depth - 1)),
        Value::Object(fields) => {
            let shown = fields.iter().take(MAX_FIELDS);
            let shown = shown
                .map(|(name, value)| format!("{:?}: {}", mask.of_service(name), part(value, texts, mask, depth - 1)));
            let more = (fields.len() > MAX_FIELDS).then(|| "...".to_owned());
            format!("{{{}}}", shown.chain(more).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_shows_its_fields_and_no_text() {
        let body = json!({"token": "the-value", "id": 7, "items": [{"id": "x"}, {}], "none": [], "gone": null, "ok": true, "": ""});
        let expected = r#"{"token": text, "id": number, "items": [2 x {"id": text}], "none": [], "gone": null, "ok": true, "": empty text}"#;
        assert_eq!(shape(&body, false, &Mask::default()), expected);
    }

    #[test]
    fn a_refusal_shows_its_texts_without_words_that_may_be_secrets() {
        let mask = Mask::default();
        mask.hide(&SecretString::from("my \"secret\""));
        let body = json!({"message": "my \"secret\" or {\"a\": \"my \\\"secret\\\"\"}"});
        assert_eq!(shape(&body, true, &mask), r#"{"message": "**** or {\"a\": \"****\"}"}"#);
        let body = json!({"message": "no scope 'x' for ref_AbCdEf0123456789xyz, sorry", "ref_AbCdEf0123456789xyz": 1});
        assert_eq!(shape(&body, true, &mask), r#"{"message": "no scope 'x' for ****, sorry", "****": number}"#);
        let deep = json!([[[[[[[[1]]]]]]]]);
        assert_eq!(shape(&deep, true, &mask), "[1 x [1 x [1 x [1 x [1 x [1 x ...]]]]]]");
    }

    #[test]
    fn a_hint_is_the_end_of_a_long_token() {
        assert_eq!(hint(&SecretString::from("0123456789abcdefx7Qd")).as_deref(), Some("****x7Qd"));
        assert_eq!(hint(&SecretString::from("0123456789abcdx7Qd")), None);
    }
}
