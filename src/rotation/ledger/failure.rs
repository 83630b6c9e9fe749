//! A failed attempt: why, what is left of it, and how long the next one waits.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::api::time::Time;

/// No back-off is longer.
pub const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// Why an attempt failed, for `status.failures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
    /// The generation of the spec that failed.
    pub generation: i64,
    /// The first delay of the back-off.
    pub first_retry: Duration,
    /// The service asked for at least this delay.
    pub at_least: Duration,
}

/// What becomes of an attempt's token when the attempt fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// *Generate* did not take effect, for certain.
    Nothing,
    /// The token lives, and no consumer can hold it.
    Unpublished(String),
    /// The token lives, and consumers may hold it.
    Published {
        /// Its id.
        id: String,
        /// It is revoked not before this time.
        revoke_after: Time,
        /// The Secret holds it.
        held: bool,
    },
    /// A token may live: it is looked for by its name if it has one, else only a person can tell.
    Unknown {
        /// Tokens have names.
        attributable: bool,
    },
}

/// The delay after the `count`-th failure: doubled each time, at most [`LONGEST_RETRY`].
pub fn backoff(first: Duration, count: u32) -> Duration {
    first.saturating_mul(1 << count.saturating_sub(1).min(16)).min(LONGEST_RETRY)
}
