//! What a person may see of a service's answers: their shape, and no secret value.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::{BASE64, BASE64URL};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::wait::plain;

/// What stands in the place of a secret value.
pub(super) const HIDDEN: &str = "****";
/// A shorter value is none that anybody guards, and would stand everywhere.
const MIN_SECRET: usize = 4;
/// A shorter part of base64 would stand in other texts, too.
const MIN_ENCODED: usize = 6;
/// A word so long, with a digit in it, may be a secret of the service that nobody here knows.
const MIN_GUESSED: usize = 16;
/// The longest text of an answer that is shown, and the most fields of an object.
const MAX_TEXT: usize = 200;
const MAX_FIELDS: usize = 24;
const MAX_DEPTH: usize = 6;
/// The last characters of a token that may be shown, and how long a token must be for that: as the operator does it.
const HINT: usize = 4;
const MIN_HINTED: usize = 20;

/// The values that may stand in no output. All clones know the same ones.
#[derive(Clone, Default)]
pub(super) struct Mask(Arc<Mutex<Vec<SecretString>>>);

impl Mask {
    /// Hides this value from now on, in each form in which an answer may repeat it.
    pub fn hide(&self, value: &SecretString) {
        let forms = forms(value.expose_secret());
        locked(&self.0).extend(forms.into_iter().map(SecretString::from));
    }

    /// The text without the hidden values, and without what would move the cursor.
    pub fn clean(&self, text: &str) -> String {
        let known = locked(&self.0);
        let text = known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), HIDDEN));
        plain(&text)
    }

    /// The text as far as a stranger's text may be shown: also without the words that may be secrets which nobody here knows.
    fn of_service(&self, text: &str) -> String {
        let in_word = |c: char| c.is_alphanumeric() || "-_.~+/=%".contains(c);
        let cleaned = self.clean(text);
        let words = cleaned.split_inclusive(|c: char| !in_word(c));
        words
            .map(|word| {
                let (bare, end) = word.split_at(word.trim_end_matches(|c: char| !in_word(c)).len());
                let guessed = bare.chars().count() >= MIN_GUESSED && bare.contains(|c: char| c.is_ascii_digit());
                if guessed { format!("{HIDDEN}{end}") } else { word.to_owned() }
            })
            .collect()
    }
}

fn locked(known: &Mutex<Vec<SecretString>>) -> MutexGuard<'_, Vec<SecretString>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value as it is, in JSON, percent-encoded, and within any base64.
fn forms(value: &str) -> Vec<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let in_json = Value::from(value).to_string();
    let mut forms = vec![value.to_owned(), value.bytes().map(percent).collect()];
    forms.extend(in_json.get(1..in_json.len() - 1).map(str::to_owned));
    forms.retain(|form| form.len() >= MIN_SECRET);
    for offset in 0..3 {
        let bytes = [vec![0; offset], value.as_bytes().to_vec()].concat();
        for encoding in [BASE64, BASE64URL] {
            let encoded = encoding.encode(&bytes);
            // The characters that depend on the value alone, when so many other bytes stand before it.
            let own = encoded.get((offset * 8).div_ceil(6)..bytes.len() * 8 / 6).unwrap_or_default();
            forms.extend((own.len() >= MIN_ENCODED).then(|| own.to_owned()));
        }
    }
    forms
}

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
    fn a_hidden_value_stands_in_no_text() {
        let mask = Mask::default();
        mask.hide(&SecretString::from("top/secret"));
        mask.hide(&SecretString::from("abc"));
        assert_eq!(
            mask.clean("a top/secret b top%2Fsecret c dG9wL3NlY3JldA== abc\u{1b}["),
            "a **** b **** c ****A== abc?["
        );
    }

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
