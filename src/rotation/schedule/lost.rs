//! When a lost token is looked for.

use std::time::Duration;

use crate::api::ledger::Lost;
use crate::api::time::Time;
use crate::rotation::desired::Timings;

/// When the service is next listed for a lost claim's token: once it is settled, then at doubling ages, for a day. `swept` is when
/// it was listed last.
pub fn next_look(lost: &[Lost], swept: Option<Time>, timings: &Timings) -> Option<Time> {
    lost.iter().map(|lost| next(lost.time, swept, timings)).min()
}

fn next(claimed: Time, swept: Option<Time>, timings: &Timings) -> Time {
    let settle = timings.claim_settle.max(Duration::from_secs(1));
    let mut look = claimed.plus(settle);
    let Some(swept) = swept else { return look };
    let mut age = settle;
    // Doubling from a second reaches a day in 17 steps; the bound only makes that evident.
    for _ in 0..32 {
        if look > swept {
            break;
        }
        age = age.saturating_mul(2);
        look = claimed.plus(age);
    }
    look
}
