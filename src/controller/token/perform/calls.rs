//! What all calls to a service share.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::controller::token::pass::Pass;
use crate::rotation::step_kind::StepKind;
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

/// If a turn is farther away, the pass ends instead of waiting for it.
const MAX_WAIT: Duration = Duration::from_secs(1);
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

/// Takes places for the calls of a step. Where it is not this object's turn, the step waits for it.
pub(super) async fn take_places(
    pass: &mut Pass<'_>,
    client: &ServiceClient,
    kind: StepKind,
    calls: u32,
) -> Option<Places> {
    match client.take_places(&pass.caller(kind), calls, MAX_WAIT).await {
        Ok(places) => Some(places),
        Err(wait) => {
            pass.wait_for_turn(kind, wait);
            None
        }
    }
}

/// Records that a call of this kind had no answer that says anything.
pub(super) fn call_failed(pass: &mut Pass<'_>, kind: StepKind, error: &ServiceError) {
    match error {
        ServiceError::Throttled { after, .. } => pass.wait_for_turn(kind, *after),
        _ => pass.pause_at_least(kind, error.retry_after(), reason_of(error), &error.to_string()),
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
        assert_eq!(reason_of(&ServiceError::unknown("")), Reason::ServiceNotReady);
    }
}
