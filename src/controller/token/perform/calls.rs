//! What all calls to a service share.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::controller::token::memory::retries::StepKind;
use crate::controller::token::pass::Pass;
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

/// If the rate limit asks for a longer wait, the pass ends instead of holding its worker.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(1);
/// Requests that an issue sends: generate, try, verify. Their places are taken together, before the claim.
pub(super) const ISSUE_CALLS: u32 = 3;

/// The reason that conditions show for a call that failed.
pub(super) fn reason_of(error: &ServiceError) -> Reason {
    match error {
        ServiceError::Throttled { .. } | ServiceError::Retry { asked: true, .. } => Reason::Throttled,
        ServiceError::Refused { .. } | ServiceError::Retry { .. } | ServiceError::Unknown { .. } => {
            Reason::ServiceNotReady
        }
    }
}

/// Takes places in the rate limit for the calls of an issue. Where they are not free in time, the step pauses.
pub(super) async fn take_places(
    pass: &mut Pass<'_>,
    client: &ServiceClient,
    calls: u32,
    max_wait: Duration,
) -> Option<Places> {
    match client.take_places(calls, max_wait).await {
        Ok(places) => Some(places),
        Err(after) => {
            let what = "the service's rate limit (spec.limits.requestsPerMinute, or its Retry-After) is used up";
            pass.pause_at_least(StepKind::Generate, after, Reason::Throttled, what);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_down_is_not_ready_and_only_one_that_asks_to_wait_throttles() {
        let retry = |asked| ServiceError::Retry { after: MAX_WAIT, what: String::new(), asked };
        assert_eq!(reason_of(&retry(false)), Reason::ServiceNotReady);
        assert_eq!(reason_of(&retry(true)), Reason::Throttled);
        assert_eq!(reason_of(&ServiceError::Throttled { after: MAX_WAIT, operation: "list" }), Reason::Throttled);
        assert_eq!(reason_of(&ServiceError::Unknown { what: String::new() }), Reason::ServiceNotReady);
    }
}
