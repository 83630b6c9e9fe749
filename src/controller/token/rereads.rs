//! When Secrets are read that are not watched. What was not read is unknown, never absent.

use std::time::Duration;

use tokio::time::Instant;

use crate::controller::spread::spread;

/// So many objects are read in the first minute after a start, and in each that follows, until all of them were.
const FIRST_READS_PER_MINUTE: u32 = 1000;

/// While a token is to be handed over, the Secret that brings one is looked for this often.
pub(crate) const OFFER_LOOK: Duration = Duration::from_secs(30);

/// When each Secret is read.
#[derive(Debug)]
pub(crate) struct Rereads {
    /// How often each Secret is read.
    every: Duration,
    begun: Instant,
}

impl Rereads {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, begun: Instant::now() }
    }

    /// When a Secret that was read at this time is read again: up to a tenth earlier than all that were read with it.
    pub(crate) fn next(&self, uid: &str, read: Instant) -> Instant {
        read + (self.every - spread(uid, self.every / 10))
    }

    /// When an object that nothing happens to is looked at for the first time, where there are so many of them, and this process began to lead
    /// then.
    pub(crate) fn first(&self, uid: &str, objects: usize, led_since: Option<Instant>) -> Instant {
        let minutes = u32::try_from(objects).unwrap_or(u32::MAX);
        let begun = led_since.map_or(self.begun, |since| since.max(self.begun));
        begun + spread(uid, Duration::from_secs(60) * minutes / FIRST_READS_PER_MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_reads_take_a_minute_for_each_thousand_objects_and_later_ones_are_spread() {
        let rereads = Rereads::new(Duration::from_secs(3600));
        let uids: Vec<String> = (0..2000).map(|number| format!("uid-{number}")).collect();
        let seconds = |at: Instant| at.duration_since(rereads.begun).as_secs();
        let first: Vec<u64> = uids.iter().map(|uid| seconds(rereads.first(uid, uids.len(), None))).collect();
        assert!(first.iter().all(|second| *second < 120));
        let in_first_minute = first.iter().filter(|second| **second < 60).count();
        assert!((900..1100).contains(&in_first_minute), "{in_first_minute}");
        let later = rereads.begun + Duration::from_secs(3600);
        assert!(
            uids.iter().all(|uid| rereads.first(uid, uids.len(), Some(later)) >= later),
            "a standby that took over"
        );
        let next: Vec<u64> = uids.iter().map(|uid| seconds(rereads.next(uid, rereads.begun))).collect();
        assert!(next.iter().all(|second| (3240..=3600).contains(second)));
        assert!(next.iter().any(|second| *second < 3300) && next.iter().any(|second| *second > 3500));
    }
}
