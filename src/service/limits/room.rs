//! The room that the calls of all services share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most passes of a controller at a time, inside of calls or not.
pub const PASSES: u16 = 256;

/// One service alone gets at most this part of what is left.
const PART: usize = 8;

/// But at least so many: one that sends, and one that waits for a list.
const LEAST: usize = 2;

/// How many passes may be in the calls of services at a time, whatever the service. All clones are one room.
///
/// The less is left, the fewer may be inside of one service. So many services that hang get less each, and one that answers still finds room:
/// beside `n` that take all they can, `1 / (1 + n / 8)` of the room stays free (less while they answer leaks), up to a hundred of them.
#[derive(Clone, Debug, Default)]
pub struct Room {
    taken: Arc<AtomicUsize>,
}

impl Room {
    /// How many passes of one service may be inside now.
    pub(super) fn share(&self) -> usize {
        let taken = self.taken.load(Ordering::Relaxed);
        (usize::from(PASSES).saturating_sub(taken) / PART).max(LEAST)
    }

    pub(super) fn take(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
