//! Why a revoke is not done.

use std::time::Duration;

use crate::controller::token::memory::signs::Word;
use crate::rotation::patience::NotYet;
use crate::service::errors::ServiceError;

/// Why a token is not known to be dead.
pub(super) struct Alive {
    pub what: String,
    pub after: Duration,
    /// The service refuses its value, which proves nothing yet.
    pub refused: bool,
    /// The service accepted its value now.
    pub accepted: bool,
    /// A list does not have it, and its value could not be tried.
    pub unlisted: bool,
    /// What the service answered to a revoke, after which nothing showed more.
    pub ended: Option<Word>,
    /// A list that was read now has it under our name.
    pub listed: bool,
    /// Its value got lost, and nothing else could show whether it is dead.
    pub forgotten: bool,
}

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
        let what = what.to_owned();
        Self {
            what,
            after,
            refused: false,
            accepted: false,
            unlisted: false,
            ended: None,
            listed: false,
            forgotten: false,
        }
    }

    /// Nothing shows that it is dead, and nothing else either.
    pub(super) fn not_yet(not_yet: NotYet) -> Self {
        let NotYet { what, again } = not_yet;
        again.map_or_else(|| Self::because(what), |after| Self::until(after, &format!("{what}{LOOKED_AT_AGAIN}")))
    }

    pub(super) fn after(error: &ServiceError) -> Self {
        Self::until(error.retry_after(), &error.to_string())
    }
}

/// Whether the service did nothing, and says so: it asks to wait, or does not accept the credential.
pub(super) fn nothing_done(error: &ServiceError) -> bool {
    error.retry_after() > Duration::ZERO || matches!(error, ServiceError::Refused { credential: true, .. })
}
