//! A failed attempt: why it failed, what is left of it, and how long the next one waits.

use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::time::Time;

/// The longest back-off.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(3600);

/// The first retry of a refused token of a person comes after so many of the usual first delays.
const REFUSED_RETRIES: u32 = 60;

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

impl Failure {
    /// The delay after the first failure. A token that a person handed over and that the service refuses is most likely wrong: the person
    /// brings another one, which waits for nothing.
    pub(super) fn first_delay(&self) -> Duration {
        let times = if self.reason == Reason::HandOverRefused { REFUSED_RETRIES } else { 1 };
        self.first_retry.saturating_mul(times)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_of_a_person_is_tried_again_after_ten_minutes_and_then_more_rarely() {
        let first_retry = Duration::from_secs(10);
        let message = String::new();
        let failure = |reason| Failure { reason, message, generation: 1, first_retry, at_least: Duration::ZERO };
        let first = failure(Reason::HandOverRefused).first_delay();
        assert_eq!([1, 2, 3, 4].map(|count| backoff(first, count).as_secs()), [600, 1200, 2400, 3600]);
    }
}
