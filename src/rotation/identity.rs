//! The names that tokens carry at the service (P3).
//!
//! A name begins with `{prefix}.{uid16}.{attempt}.{nonce}`; a blank and the display name follow. The parser is strict: a user's
//! `displayName` comes after the blank and cannot imitate the part of another object.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::api::ids::{ClaimKey, MAX_ATTEMPT, Nonce};

/// Bytes of the digest that make `uid16`: 80 bits, 16 characters of base32.
const UID_BYTES: usize = 10;
/// Bytes of a nonce: 40 bits, 8 characters of base32.
pub const NONCE_BYTES: usize = 5;
/// The most characters of the operator's own part: prefix 20, uid16 16, attempt 10, nonce 8, and three dots.
pub const OWN_PART: usize = 57;

/// The operator's own part of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The object that the token belongs to: the first 80 bits of SHA-256 of the uid's text, base32 in lower case.
    pub uid16: String,
    /// The attempt that generated it.
    pub attempt: u32,
    /// The nonce of its claim.
    pub nonce: Nonce,
}

impl Name {
    /// What tells its claim from all others of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
}

/// The first 80 bits of SHA-256 of the uid's text, base32 in lower case.
pub fn uid16(uid: &str) -> String {
    BASE32_NOPAD.encode(&Sha256::digest(uid.as_bytes())[..UID_BYTES]).to_ascii_lowercase()
}

/// A nonce from random bytes.
pub fn nonce(random: [u8; NONCE_BYTES]) -> Nonce {
    // Eight characters of base32 are always one; `parse` reads no other.
    Nonce::new(BASE32_NOPAD.encode(&random).to_ascii_lowercase()).unwrap_or_else(Nonce::first)
}

/// The whole name at the service, at most `maximum` characters long: only the display name is ever cut.
pub fn format(prefix: &str, name: &Name, display: &str, maximum: usize) -> String {
    let own = format!("{prefix}.{}.{}.{}", name.uid16, name.attempt, name.nonce);
    let room = maximum.saturating_sub(own.len() + 1);
    let display: String = display.chars().take(room).collect();
    if display.is_empty() { own } else { format!("{own} {display}") }
}

/// Reads a name that [`format()`] wrote with this prefix; `None` for any other.
pub fn parse(prefix: &str, text: &str) -> Option<Name> {
    let own = text.split(' ').next()?;
    let rest = own.strip_prefix(prefix)?.strip_prefix('.')?;
    let mut parts = rest.split('.');
    let (uid16, attempt, nonce) = (parts.next()?, parts.next()?, parts.next()?);
    let base32 = |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    let number = attempt.parse::<u32>().ok()?;
    let number = Some(number).filter(|number| (1..=MAX_ATTEMPT).contains(number) && number.to_string() == attempt)?;
    let nonce = Nonce::new(nonce)?;
    let strict = parts.next().is_none()
        && uid16.len() == 16
        && base32(uid16)
        && (nonce.is_first() || (nonce.as_str().len() == 8 && base32(nonce.as_str())));
    strict.then(|| Name { uid16: uid16.to_owned(), attempt: number, nonce })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name() -> Name {
        Name { uid16: uid16("6a1f"), attempt: 12, nonce: nonce([1, 2, 3, 4, 5]) }
    }

    #[test]
    fn a_name_is_read_back_whatever_the_display_name_says() {
        for display in ["", "ci main", "prod.aaaaaaaaaaaaaaaa.1.0", " . ", "ü"] {
            let text = format("prod-eu1", &name(), display, 255);
            assert_eq!(parse("prod-eu1", &text), Some(name()), "{text}");
            assert_eq!(parse("prod", &text), None, "another prefix: {text}");
        }
    }

    #[test]
    fn only_the_display_name_is_cut() {
        let text = format("p", &name(), "abcdefgh", format("p", &name(), "", 255).len() + 4);
        assert!(text.ends_with(" abc"), "{text}");
        assert_eq!(parse("p", &text), Some(name()));
        assert_eq!(format("p", &name(), "abc", 3), format("p", &name(), "", 255));
    }

    #[test]
    fn only_an_exact_name_is_ours() {
        let uid = uid16("x");
        for other in [
            format!("p.{uid}.1"),
            format!("p.{uid}.1.0.more"),
            format!("p.{uid}.01.0"),
            format!("p.{uid}.0.0"),
            format!("p.{uid}.1.short"),
            format!("p.{}.1.0", uid.to_uppercase()),
            format!("q.{uid}.1.0"),
            format!("pp.{uid}.1.0"),
            format!(" p.{uid}.1.0"),
            format!("p.{uid}.4294967296.0"),
            format!("p.{uid}.1000000001.0"),
        ] {
            assert_eq!(parse("p", &other), None, "{other}");
        }
        assert!(parse("p", &format!("p.{uid}.1.0 any. thing")).is_some());
        assert!(parse("p", &format!("p.{uid}.{MAX_ATTEMPT}.0")).is_some());
    }

    #[test]
    fn the_own_part_never_exceeds_its_bound() {
        let longest = Name { uid16: uid16("x"), attempt: u32::MAX, nonce: nonce([255; 5]) };
        assert_eq!(format("twenty-characters-20", &longest, "", 999).len(), OWN_PART);
    }
}
