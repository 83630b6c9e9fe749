//! What tells tokens and claims apart: one type and one bound for each, in the ledger, the Secret and the status.
//!
//! A service chooses ids and values. The operator refuses one that is too long when it reads the service's answer. So
//! everything that it records can also be published, and reads back from the Secret as it was recorded.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters of a token's id, counted as the API server counts them for `maxLength`: by Unicode code points.
pub const MAX_ID_CHARACTERS: usize = 512;

/// The most bytes of a token's id: UTF-8 takes at most four for a character. The ids that are marked on a Secret stay far
/// below the 256 KiB that all its annotations may have.
pub const MAX_ID_BYTES: usize = 4 * MAX_ID_CHARACTERS;

/// The most characters of a claim's nonce. The operator writes at most eight.
pub const MAX_NONCE_CHARACTERS: usize = 16;

/// The highest number of an attempt that is claimed, and that is believed anywhere: on a Secret, in a name at the service. Anybody may
/// write any number there, and a number that one place believes and another one does not would never be caught up with.
pub const MAX_ATTEMPT: u32 = 1_000_000_000;

/// The most bytes of a token's value.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token's id at its service.
///
/// [`TokenId::new`] keeps the bounds. Reading an object does not check them again: its schema has the same ones, and one
/// object that cannot be read would end the watch of all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TokenId(#[schemars(length(max = MAX_ID_CHARACTERS))] String);

/// The nonce of a claim: a random text, by which the claim and its token at the service are recognised. The default stands for
/// one that is not known; no token at a service has it.
///
/// [`Nonce::new`] keeps the bounds. Reading an object does not check them again, as for a [`TokenId`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Nonce(#[schemars(length(max = MAX_NONCE_CHARACTERS))] String);

/// What tells one claim of an object from all its others. The number alone is not enough: after a loss of the store, or in
/// another cluster with copies of the same objects, a number is claimed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey<'a> {
    /// The number of the attempt.
    pub attempt: u32,
    /// The nonce of the claim.
    pub nonce: &'a Nonce,
}

impl TokenId {
    /// The id in `text`, if it can be one: not empty, within the bounds, and without control characters, which would break
    /// a log or a table.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = !text.is_empty()
            && text.len() <= MAX_ID_BYTES
            && text.chars().count() <= MAX_ID_CHARACTERS
            && !text.chars().any(char::is_control);
        fits.then_some(Self(text))
    }

    /// The id of a token that a person handed over: nobody but the service knows its id there.
    pub fn of_hand_over(attempt: u32) -> Self {
        Self(format!("hand-over-{attempt}"))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Nonce {
    /// The nonce in `text`, if it can be one: one to sixteen small letters and digits.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (!text.is_empty() && text.len() <= MAX_NONCE_CHARACTERS && plain).then_some(Self(text))
    }

    /// The nonce of the first claim, which the patch that adds the finalizer makes (P1).
    pub fn first() -> Self {
        Self("0".to_owned())
    }

    /// Whether it is not known.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is that of the first claim.
    pub fn is_first(&self) -> bool {
        self.0 == "0"
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Ids and nonces for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod samples {
    use super::{Nonce, TokenId};

    pub(crate) fn id(text: impl Into<String>) -> TokenId {
        TokenId::new(text).unwrap()
    }

    pub(crate) fn nonce(text: impl Into<String>) -> Nonce {
        Nonce::new(text).unwrap()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_same_bound_whatever_its_characters_are() {
        for sign in ["a", "é", "語", "🔑"] {
            assert!(TokenId::new(sign.repeat(MAX_ID_CHARACTERS)).is_some(), "{sign}");
            assert!(TokenId::new(sign.repeat(MAX_ID_CHARACTERS + 1)).is_none(), "{sign}");
        }
        for wrong in ["", "a\nb", "\0", "a\u{85}"] {
            assert!(TokenId::new(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_nonce_is_a_short_plain_text() {
        assert_eq!(Nonce::new("0"), Some(Nonce::first()));
        assert!(Nonce::new("a".repeat(MAX_NONCE_CHARACTERS)).is_some());
        for wrong in ["", "A", "a.b", "é", "aaaaaaaaaaaaaaaaa"] {
            assert!(Nonce::new(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn both_are_plain_texts_in_json() {
        let id = TokenId::new("tok_1").unwrap();
        assert_eq!(serde_json::to_value(&id).unwrap(), "tok_1");
        assert_eq!(serde_json::from_value::<TokenId>("tok_1".into()).unwrap(), id);
        assert_eq!(serde_json::to_value(Nonce::first()).unwrap(), "0");
    }
}
