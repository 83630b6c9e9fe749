//! Digests by which values are compared in memory, without keeping the values. They stand nowhere else.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The digest of a value.
pub(crate) type ValueDigest = [u8; 32];

pub(crate) fn digest_of(value: &SecretString) -> ValueDigest {
    Sha256::digest(value.expose_secret().as_bytes()).into()
}
