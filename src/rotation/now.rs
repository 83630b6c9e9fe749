//! Now, as the decision reads it (P7).

use std::time::Duration;

use crate::api::time::Time;

/// The API server says times in whole seconds: its clock may be so much ahead of what its answers show.
pub const RESOLUTION: Duration = Duration::from_secs(1);

/// Now. The API server's clock is the one that all processes share, and it may jump. So there are three readings of it, and each
/// question has its own method: whoever has only a [`Time`] in hand cannot take the wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    server: Time,
    earliest: Time,
    latest: Time,
    changes: Time,
}

/// A clock that never jumped.
impl From<Time> for Now {
    fn from(time: Time) -> Self {
        Self { server: time, earliest: time, latest: time, changes: time }
    }
}

impl Now {
    /// The API server's clock as its newest answer shows it, the earliest and the latest that its clock would be by any answer that
    /// still counts, and when the first of these no longer counts.
    pub fn new(server: Time, earliest: Time, latest: Time, changes: Time) -> Self {
        Self { server, earliest: earliest.min(server), latest: latest.max(server), changes }
    }

    /// What time it is: for expiries, rotations, tries again, and all that people read.
    pub fn time(self) -> Time {
        self.server
    }

    /// Whether something is due: an expiry, a rotation, another try.
    pub fn reached(self, due: Time) -> bool {
        due <= self.server
    }

    /// The time that waits are compared with which keep a token alive or a claim open: the earliest reading.
    pub fn waited(self) -> Time {
        self.earliest
    }

    /// Whether a wait is over that keeps a token alive or a claim open.
    pub fn is_over(self, wait: Time) -> bool {
        wait <= self.earliest
    }

    /// The time of a claim: the latest reading. Waits count from it.
    pub fn stamp(self) -> Time {
        self.latest
    }

    /// When a wait of this length is over, if it begins now. Whatever reading it is compared with later, it is not shorter.
    pub fn end_of(self, wait: Duration) -> Time {
        if wait.is_zero() { self.latest } else { self.latest.plus(RESOLUTION).plus(wait) }
    }

    /// When to look whether `wait` is over, by the API server's clock.
    pub fn look_for(self, wait: Time) -> Time {
        let by_earliest = self.server.plus(wait.since(self.earliest));
        // Once the earliest reading no longer counts, the wait may be over at once.
        by_earliest.min(self.changes.max(wait)).max(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_due_follows_the_server_and_a_wait_the_earliest_reading() {
        let now = Now::new(at(8000), at(4400), at(8000), at(9000));
        assert!(now.reached(at(8000)) && !now.reached(at(8001)));
        assert!(now.is_over(at(4400)) && !now.is_over(at(4401)));
        assert_eq!(now.look_for(at(4500)), at(8100), "the earliest reading reaches it");
        assert_eq!(now.look_for(at(7900)), at(9000), "it no longer counts before that");
        assert_eq!(now.look_for(at(9500)), at(9500));
    }

    #[test]
    fn a_wait_begins_at_the_latest_reading_and_the_part_of_a_second_that_nobody_sees_is_added() {
        let now = Now::new(at(100), at(100), at(3700), at(3800));
        assert_eq!((now.time(), now.stamp()), (at(100), at(3700)));
        assert_eq!(now.end_of(Duration::from_secs(60)), at(3761));
        assert_eq!(now.end_of(Duration::ZERO), at(3700), "no overlap is no overlap");
    }

    #[test]
    fn a_clock_that_never_jumped_has_one_reading() {
        let now = Now::from(at(50));
        assert!(now.reached(at(50)) && now.is_over(at(50)) && !now.is_over(at(51)));
        assert_eq!((now.stamp(), now.waited(), now.look_for(at(70))), (at(50), at(50), at(70)));
    }
}
