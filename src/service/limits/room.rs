//! The room that the calls of all services share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most passes of a controller at a time, inside of calls or not.
pub const PASSES: u16 = 256;

/// One service alone gets at most this part of what is left.
const PART: usize = 8;

/// How many passes may be in the calls of services at a time, whatever the service. All clones are one room.
///
/// The less is left, the fewer may be inside of one service. So many services that hang get less each, and whatever their number, one that
/// answers still finds room: with `n` of them that take all they can, `1 / (1 + n / 8)` of the room stays free.
#[derive(Clone, Debug, Default)]
pub struct Room {
    taken: Arc<AtomicUsize>,
}

impl Room {
    /// How many passes of one service may be inside now; at least one.
    pub(super) fn share(&self) -> usize {
        let taken = self.taken.load(Ordering::Relaxed);
        (usize::from(PASSES).saturating_sub(taken) / PART).max(1)
    }

    pub(super) fn take(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
