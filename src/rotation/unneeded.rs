//! Whether anybody still needs a superseded token (P8).

use crate::api::ledger::{Ledger, Superseded};
use crate::api::time::Time;

use super::observed::Secrets;

/// Whether no Secret holds this token, and every Secret holds another one that is verified. A token that was never published needs no
/// successor. Nor does one need it where there is no room for a successor: it would wait for ever.
pub fn is_unneeded(ledger: &Ledger, secrets: &Secrets, old: &Superseded, is_over: impl Fn(Time) -> bool) -> bool {
    let current = ledger.current.as_ref();
    let replaced = current.is_some_and(|current| secrets.published(current.attempt, &current.id));
    let unplaced = || !ledger.has_room() && !held_long(ledger, old, is_over);
    !secrets.hold(&old.id) && (old.unpublished || replaced || unplaced())
}

/// A held token may have stayed in the Secret past its own overlap, until its replacement was published. Its consumers have moved on
/// once the overlap of a later token is over.
fn held_long(ledger: &Ledger, old: &Superseded, is_over: impl Fn(Time) -> bool) -> bool {
    let verified = ledger.current.as_ref().map_or(0, |current| current.attempt);
    let later = |other: &Superseded| other.held && other.attempt > old.attempt && is_over(other.revoke_after_time);
    old.held && old.attempt > verified && !ledger.superseded.iter().any(later)
}
