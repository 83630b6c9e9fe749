//! What a token is known by, and how long each part of it may be: one bound for the ledger, the Secret and the status.
//!
//! A service chooses ids and values. One that is too long is refused where the service's answer is read, so that
//! whatever was recorded can also be published, and is read back from the Secret as it was recorded.

/// The most characters of a token's id, counted as the API server counts them for `maxLength`: by Unicode code points.
pub const MAX_ID_CHARACTERS: usize = 512;

/// The most bytes of a token's id: UTF-8 takes at most four for a character. The ids that are marked on a Secret stay far
/// below the 256 KiB that all its annotations may have.
pub const MAX_ID_BYTES: usize = 4 * MAX_ID_CHARACTERS;

/// The most characters of a claim's nonce. The operator writes at most eight.
pub const MAX_NONCE_CHARACTERS: usize = 16;

/// The most bytes of a token's value.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Whether `text` can be a token's id: not empty, within the bounds, and free of what a log or a table would stumble
/// over.
pub fn is_token_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ID_BYTES
        && text.chars().count() <= MAX_ID_CHARACTERS
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_same_bound_whatever_its_characters_are() {
        for sign in ["a", "é", "語", "🔑"] {
            assert!(is_token_id(&sign.repeat(MAX_ID_CHARACTERS)), "{sign}");
            assert!(!is_token_id(&sign.repeat(MAX_ID_CHARACTERS + 1)), "{sign}");
        }
        for wrong in ["", "a\nb", "\0", "a\u{85}"] {
            assert!(!is_token_id(wrong), "{wrong:?}");
        }
    }
}
