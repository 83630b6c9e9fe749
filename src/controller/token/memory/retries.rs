//! Transient failures of steps: each kind of step has its own back-off. Nothing here needs to survive the process.

use std::collections::HashMap;
use std::time::Duration;

use crate::api::time::Time;
use crate::rotation::ledger::backoff;
use crate::rotation::observed::Pauses;
use crate::rotation::step_kind::StepKind;

/// The longest back-off after a transient failure.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Counts how often each kind failed in a row, and holds until when it pauses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retries {
    counts: HashMap<StepKind, u32>,
    pauses: Pauses,
}

impl Retries {
    pub(crate) fn pauses(&self) -> Pauses {
        self.pauses
    }

    /// Counts a failed step. It pauses for its back-off, or for as long as the other side asked if that is longer.
    pub(crate) fn failed(&mut self, kind: StepKind, first: Duration, at_least: Duration, now: Time) -> Time {
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let delay = backoff(first, *count).min(MAX_PAUSE).max(at_least);
        let until = now.plus(delay);
        *kind.pause(&mut self.pauses) = Some(until);
        until
    }

    /// Waits with the steps of this kind. That is no failure, and the next wait is not longer for it.
    pub(crate) fn wait(&mut self, kind: StepKind, until: Time) {
        *kind.pause(&mut self.pauses) = Some(until);
    }

    /// Forgets the failures of a kind: a step of it succeeded.
    pub(crate) fn succeeded(&mut self, kind: StepKind) {
        self.counts.remove(&kind);
        *kind.pause(&mut self.pauses) = None;
    }
}
