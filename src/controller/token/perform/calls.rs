//! What all calls of a service share.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::service::errors::ServiceError;

/// A longer wait for the rate limit ends the pass instead of holding its worker.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(1);

/// What a call that did not come to an answer is shown as.
pub(super) fn reason_of(error: &ServiceError) -> Reason {
    match error {
        ServiceError::Throttled { .. } => Reason::Throttled,
        ServiceError::Refused { .. } | ServiceError::Retry { .. } | ServiceError::Unknown { .. } => {
            Reason::ServiceNotReady
        }
    }
}
