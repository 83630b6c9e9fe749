//! Shares of a time that differ between objects, so that what many of them do does not happen at once.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// A time shorter than `most`. It is the same at every look, and differs between uids.
pub(super) fn spread(uid: &str, most: Duration) -> Duration {
    let hash = Sha256::digest(uid.as_bytes());
    let number = hash.iter().take(8).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    Duration::from_millis(u64::try_from(number % most.as_millis().max(1)).unwrap_or(0))
}
