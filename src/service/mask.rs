//! Hides secret values in a text that somebody else wrote, such as the error of a service.

use std::cmp::Reverse;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::{BASE64, BASE64URL};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// What stands in the place of a secret value.
pub const HIDDEN: &str = "****";
/// A shorter value is none that anybody guards, and would stand everywhere.
const MIN_SECRET: usize = 4;
/// A shorter part of base64 would stand in other texts, too.
const MIN_ENCODED: usize = 6;
/// A word so long, with a digit in it, may be a secret of the service that nobody here knows.
const MIN_GUESSED: usize = 12;
/// And one so long without a digit.
const MIN_GUESSED_LETTERS: usize = 20;

/// The values that may stand in no output. All clones know the same ones.
#[derive(Clone, Default)]
pub struct Mask(Arc<Mutex<Vec<SecretString>>>);

impl Mask {
    /// Hides this value from now on, in each form in which an answer may repeat it.
    pub fn hide(&self, value: &SecretString) {
        let forms = forms(value.expose_secret());
        let mut known = locked(&self.0);
        known.extend(forms.into_iter().map(SecretString::from));
        // One may lie inside another: the longest goes first, or the rest of it would stand there.
        known.sort_by_key(|form| Reverse(form.expose_secret().len()));
    }

    /// The text without the hidden values, and without what would move the cursor.
    pub fn clean(&self, text: &str) -> String {
        let known = locked(&self.0);
        let text = known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), HIDDEN));
        plain(&text)
    }

    /// The text as far as a stranger's text may be shown: also without the words that may be secrets which nobody here knows.
    pub fn of_service(&self, text: &str) -> String {
        let in_word = |c: char| c.is_alphanumeric() || "-_.~+/=%".contains(c);
        let cleaned = self.clean(text);
        let words = cleaned.split_inclusive(|c: char| !in_word(c));
        words
            .map(|word| {
                let (bare, end) = word.split_at(word.trim_end_matches(|c: char| !in_word(c)).len());
                let (length, digits) = (bare.chars().count(), bare.contains(|c: char| c.is_ascii_digit()));
                let guessed = length >= if digits { MIN_GUESSED } else { MIN_GUESSED_LETTERS };
                if guessed { format!("{HIDDEN}{end}") } else { word.to_owned() }
            })
            .collect()
    }
}

impl fmt::Debug for Mask {
    /// How many values, and none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").field("values", &locked(&self.0).len()).finish()
    }
}

/// A text of somebody else without what would move the cursor of a terminal.
pub fn plain(text: &str) -> String {
    // The latter turn the direction of what follows.
    let moves =
        |letter: char| letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|letter| if moves(letter) { '?' } else { letter }).collect()
}

fn locked(known: &Mutex<Vec<SecretString>>) -> MutexGuard<'_, Vec<SecretString>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value as it is, in JSON, percent-encoded, and within any base64.
fn forms(value: &str) -> Vec<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let small = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    let in_json = Value::from(value).to_string();
    let mut forms = vec![value.to_owned(), value.bytes().map(percent).collect(), value.bytes().map(small).collect()];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_value_stands_in_no_text() {
        let mask = Mask::default();
        mask.hide(&SecretString::from("top/secret"));
        mask.hide(&SecretString::from("abc"));
        assert_eq!(
            mask.clean("a top/secret b top%2Fsecret top%2fsecret c dG9wL3NlY3JldA== abc\u{1b}["),
            "a **** b **** **** c ****A== abc?["
        );
    }

    #[test]
    fn of_a_value_that_begins_like_another_one_nothing_is_left() {
        let mask = Mask::default();
        for value in ["deploy", "deploy-s3cret", "s3cret"] {
            mask.hide(&SecretString::from(value));
        }
        assert_eq!(mask.clean("bad password deploy-s3cret of deploy"), "bad password **** of ****");
    }

    #[test]
    fn no_text_of_others_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}"), "a?[2Jb?c?");
    }
}
