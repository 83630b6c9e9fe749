//! What all calls to a service share.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::service::errors::ServiceError;

/// If the rate limit asks for a longer wait, the pass ends instead of holding its worker.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(1);
/// Requests that an issue sends: generate, try, verify. Their places are taken together, before the claim.
pub(super) const ISSUE_CALLS: u32 = 3;

/// The reason that conditions show for a call that failed.
pub(super) fn reason_of(error: &ServiceError) -> Reason {
    match error {
        ServiceError::Throttled { .. } => Reason::Throttled,
        ServiceError::Refused { .. } | ServiceError::Retry { .. } | ServiceError::Unknown { .. } => {
            Reason::ServiceNotReady
        }
    }
}
