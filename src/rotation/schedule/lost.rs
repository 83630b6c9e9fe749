//! When the operator looks for a lost token.

use std::time::Duration;

use crate::api::ledger::Lost;
use crate::api::time::Time;
use crate::rotation::desired::Timings;

/// When the operator next lists the service for the token of a lost claim: once the claim is settled, then each time its age has
/// doubled, for a day. `swept` is the time of the last list.
pub fn next_look(lost: &[Lost], swept: Option<Time>, timings: &Timings) -> Option<Time> {
    lost.iter().map(|lost| next(lost.time, swept, timings)).min()
}

fn next(claimed: Time, swept: Option<Time>, timings: &Timings) -> Time {
    let settle = timings.claim_settle.max(Duration::from_secs(1));
    let mut look = claimed.plus(settle);
    let Some(swept) = swept else { return look };
    let mut age = settle;
    // From one second, 17 doublings reach a day; the limit only makes that evident.
    for _ in 0..32 {
        if look > swept {
            break;
        }
        age = age.saturating_mul(2);
        look = claimed.plus(age);
    }
    look
}
