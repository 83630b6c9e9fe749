//! When to look again: the earliest time at which some row may match that does not match now.

use crate::api::time::Time;
use crate::rotation::observed::{Hand, Observed};
use crate::rotation::schedule::{next_rotation, verification_due};

use super::{Step, View, claim, cleanup};

impl View<'_> {
    /// Nothing to do before the next of all the rows' times.
    pub(super) fn wait(&self) -> Step {
        Step::Wait(self.next_wake())
    }

    /// The next of all the rows' times.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.wakes().into_iter().flatten().filter(|wake| *wake > self.now).min()
    }

    fn wakes(&self) -> Vec<Option<Time>> {
        let observed = self.observed;
        let timings = &self.desired.timings;
        let mut wakes = vec![
            observed.open_claim().map(|claim| Observed::settle_time(&claim, timings)),
            observed.open_claim().map(|claim| claim.time.plus(timings.publish_deadline)),
            observed.pauses.generate,
            observed.pauses.verify,
            observed.pauses.sweep,
            observed.pauses.secret,
            observed.pauses.leak,
            cleanup::next_look(self),
            claim::backing_off(self),
        ];
        wakes.extend(self.hand_wakes());
        for old in &observed.ledger.superseded {
            wakes.push(Some(old.revoke_after_time));
            wakes.push(old.next_try_time);
        }
        if let Some(current) = &observed.ledger.current {
            wakes.push(next_rotation(self.desired, current));
            wakes.push(verification_due(self.desired, current, observed.accepted));
            wakes.push(current.expiration_time);
        }
        wakes
    }

    fn hand_wakes(&self) -> [Option<Time>; 2] {
        match self.observed.hand {
            Hand::Empty => [None, None],
            Hand::Claim { deadline, .. } => [Some(deadline), None],
            Hand::Value { deadline, issued, .. } => {
                [Some(deadline), Some(issued.plus(self.desired.timings.token_settle))]
            }
        }
    }
}
