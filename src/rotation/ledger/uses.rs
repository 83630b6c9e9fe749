//! When the current token was last used. A service may say so in its list; the operator makes no call for it.

use std::time::Duration;

use crate::api::ledger::{Current, Ledger};
use crate::api::time::Time;

/// A use is recorded so long after the last recorded one: each record is a status write.
const RECORDED_EACH: Duration = Duration::from_secs(24 * 3600);

/// Whether a use of this token at `seen` is recorded. A use from before the token is that of another token with this id. A use that lies
/// ahead is a fault of the service or of a clock. Neither is believed, and a recorded time that lies ahead holds up no later use.
pub fn is_news(current: &Current, seen: Time, now: Time) -> bool {
    let possible = seen >= current.claimed_time && seen <= now;
    let known = current.last_used_time.filter(|known| *known <= now);
    possible && known.is_none_or(|known| seen >= known.plus(RECORDED_EACH))
}

impl Ledger {
    /// A list says when the current token was last used.
    pub fn used(&mut self, seen: Time, now: Time) {
        if let Some(current) = self.current.as_mut().filter(|current| is_news(current, seen, now)) {
            current.last_used_time = Some(seen);
        }
    }

    /// The same ledger, without what it only tells people.
    pub fn facts(&self) -> Self {
        let current = self.current.clone().map(|current| Current { last_used_time: None, ..current });
        Self { current, ..self.clone() }
    }
}
