//! Why a revoke is not done.

use std::time::Duration;

use crate::service::errors::ServiceError;

/// Why a token is not known to be dead.
pub(super) struct Alive {
    pub what: String,
    pub after: Duration,
    /// The service refuses its value, which proves nothing yet.
    pub refused: bool,
    /// The service accepted its value now.
    pub accepted: bool,
    /// The service said that it ended it, or does not know it, and that could not be tried.
    pub ended: bool,
    /// A list that was read now has it under our name.
    pub listed: bool,
}

/// How much later than an answer its record may be. A second look that came so much too early would prove nothing, and tell a failure.
const RECORD_LAG: Duration = Duration::from_secs(1);

/// How the words end where nothing failed.
const LOOKED_AT_AGAIN: &str = ": it is looked at again";

/// Whether a revoke with these words has not failed: a proof needs a second look.
pub(super) fn needs_a_second_look(what: &str) -> bool {
    what.ends_with(LOOKED_AT_AGAIN)
}

impl Alive {
    pub(super) fn because(what: &str) -> Self {
        Self::until(Duration::ZERO, what)
    }

    pub(super) fn until(after: Duration, what: &str) -> Self {
        Self { what: what.to_owned(), after, refused: false, accepted: false, ended: false, listed: false }
    }

    /// Nothing failed, but a proof needs a second look.
    pub(super) fn again(after: Duration, what: &str) -> Self {
        Self::until(after + RECORD_LAG, &format!("{what}{LOOKED_AT_AGAIN}"))
    }

    pub(super) fn after(error: &ServiceError) -> Self {
        Self::until(error.retry_after(), &error.to_string())
    }
}

/// Whether the service did nothing, and says so: it asks to wait, or does not accept the credential.
pub(super) fn nothing_done(error: &ServiceError) -> bool {
    error.retry_after() > Duration::ZERO || matches!(error, ServiceError::Refused { credential: true, .. })
}
