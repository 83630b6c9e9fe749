//! A failed attempt: why, and what is left of it.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::api::time::Time;

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
