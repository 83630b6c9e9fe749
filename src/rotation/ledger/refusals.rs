//! A token that the service refuses: first only refused, then dead, and how long its replacement waits (P20).

use std::time::Duration;

use crate::api::ledger::{Ledger, Refusals};
use crate::api::time::Time;

/// The second and third replacement of a token that the service stopped accepting waits so long.
const REPLACEMENT_PAUSE: Duration = Duration::from_secs(3600);
/// Each further one waits so long.
pub const MAX_REPLACEMENT_PAUSE: Duration = Duration::from_secs(24 * 3600);
/// After this time without a refused token the count begins again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(48 * 3600);

impl Ledger {
    /// The service refuses the current token, which may be a fault of the service.
    pub fn refused(&mut self, now: Time) {
        if let Some(current) = &mut self.current {
            // A time that lies ahead was stamped before the clock was set back.
            current.refused_time = Some(current.refused_time.map_or(now, |known| known.min(now)));
        }
    }

    /// The service accepts the current token again.
    pub fn accepted_again(&mut self) {
        if let Some(current) = &mut self.current {
            current.refused_time = None;
        }
    }

    /// The current token is dead: the service stopped accepting it.
    pub fn rejected(&mut self, now: Time) {
        let Some(current) = self.current.as_mut().filter(|current| current.rejected_time.is_none()) else { return };
        current.rejected_time = Some(now);
        current.refused_time = None;
        current.unclear = None;
        let claimed = current.claimed_time;
        self.count_refusal(claimed, now);
    }

    /// The service also refused the token that was to replace a dead one.
    pub(super) fn replacement_refused(&mut self, claimed: Time, now: Time) {
        if self.current.as_ref().is_some_and(|current| current.rejected_time.is_some()) {
            self.count_refusal(claimed, now);
        }
    }

    /// One more token that was claimed at this time died. The first is replaced at once, so that at most one token comes in the first
    /// hour, and after three of them at most one a day.
    fn count_refusal(&mut self, claimed: Time, now: Time) {
        let recent = self.refusals.as_ref().filter(|before| now.since(before.last_time) < FORGOTTEN_AFTER);
        let count = recent.map_or(0, |before| before.count).saturating_add(1);
        let pause = match count {
            1 => Duration::ZERO,
            2 | 3 => REPLACEMENT_PAUSE,
            _ => MAX_REPLACEMENT_PAUSE,
        };
        self.refusals = Some(Refusals { count, last_time: now, next_replacement_time: claimed.plus(pause).max(now) });
    }
}
