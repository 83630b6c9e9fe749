//! A failed attempt: why it failed, what is left of it, and how long the next one waits.

use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::time::Time;

/// The longest back-off.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(3600);

/// Why an attempt failed, for `status.failures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason of the condition.
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

/// What a failed attempt leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// No token: *generate* certainly did not take effect.
    Nothing,
    /// A living token that no consumer can hold.
    Unpublished(TokenId),
    /// A living token that consumers may hold.
    Published {
        /// Its id.
        id: TokenId,
        /// The token is not revoked before this time.
        revoke_after: Time,
        /// The Secret holds it.
        held: bool,
    },
    /// Perhaps a living token. The operator looks for it by its name; without a name, only a person can find it.
    Unknown {
        /// Whether tokens of this service have names.
        attributable: bool,
    },
}

impl Leftover {
    /// The token, if the operator has its id.
    pub fn token(&self) -> Option<&TokenId> {
        match self {
            Self::Unpublished(id) | Self::Published { id, .. } => Some(id),
            Self::Nothing | Self::Unknown { .. } => None,
        }
    }
}

/// The delay after the `count`-th failure. It doubles each time, up to [`MAX_RETRY_DELAY`].
pub fn backoff(first: Duration, count: u32) -> Duration {
    first.saturating_mul(1 << count.saturating_sub(1).min(16)).min(MAX_RETRY_DELAY)
}
