//! What a pass reports to people: why a step pauses, why an attempt failed, and events.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;

use super::Pass;
use crate::api::FIELD_MANAGER;
use crate::api::reason::Reason;
use crate::controller::events;
use crate::rotation::desired::Halt;
use crate::rotation::ledger::Failure;
use crate::rotation::observed::Observed;
use crate::rotation::report::TransientFailure;
use crate::rotation::step_kind::{Cause, StepKind};

/// The longest message of a failure in characters: the status allows 1,024, and conditions add a few words.
const MAX_FAILURE_MESSAGE: usize = 900;

/// A message for the status, whose bound leaves room for a few words around it.
pub(crate) fn shortened(message: &str) -> String {
    message.chars().take(MAX_FAILURE_MESSAGE).collect()
}

impl Pass<'_> {
    /// Records a transient failure of a step. The step pauses for its back-off, and the status shows why as long as that lasts.
    pub(crate) fn pause(&mut self, kind: StepKind, reason: Reason, what: &str) {
        self.pause_at_least(kind, Duration::ZERO, reason, what);
    }

    /// Like [`Self::pause`], but pauses for at least as long as the other side asked.
    pub(crate) fn pause_at_least(&mut self, kind: StepKind, at_least: Duration, reason: Reason, what: &str) {
        let now = self.now().time();
        let first = self.desired().timings.first_retry.min(Duration::from_secs(1));
        let until = self.memory.retries.failed(kind, first, at_least, now);
        if kind == StepKind::Generate {
            // From now on this is what people must know.
            self.memory.forbidden = None;
        }
        tracing::debug!(object = %self.label(), ?kind, %until, what, "paused");
        self.memory.transient_failure =
            Some((Cause::Step(kind), TransientFailure { reason, message: format!("{what}; tried again") }));
    }

    /// Waits for this object's turn in the queue of the service. That is no failure. People see it where they wait for a token.
    pub(crate) fn wait_for_turn(&mut self, kind: StepKind, wait: Duration) {
        let until = self.now().time().plus(wait);
        tracing::debug!(object = %self.label(), ?kind, %until, "waits for its turn at the service");
        self.memory.retries.wait(kind, until);
        let message = "waits for its turn at the service: spec.limits of the service object, or a Retry-After, lets others go first";
        let waiting = TransientFailure { reason: Reason::Throttled, message: message.to_owned() };
        // It hides no failure of another kind.
        let shown = self.memory.transient_failure.as_ref();
        let cause = Cause::Step(kind);
        if shown.is_none_or(|(of, _)| *of == cause) {
            self.memory.transient_failure = self.ledger().current.is_none().then_some((cause, waiting));
        }
    }

    /// Forbids a new token, for the reason in `halt`.
    pub(crate) fn forbid(&mut self, halt: Halt) {
        self.remember_halt(halt.clone());
        self.halt = Some(halt);
    }

    /// Records that the service has room for another token.
    pub(crate) fn has_room(&mut self) {
        self.memory.forbidden.take_if(|(_, halt)| halt.reason == Reason::TokenLimitReached);
    }

    /// Keeps for the next wait why no token may be made.
    pub(super) fn remember_halt(&mut self, halt: Halt) {
        self.memory.forbidden = Some((self.generation(), halt));
    }

    /// Forgets a failure that stands in nobody's way any more. Nothing else would end what people read of it.
    pub(crate) fn forget_what_is_over(&mut self, observed: &Observed) {
        let (now, desired) = (self.now(), &self.validated.desired);
        self.memory.transient_failure.take_if(|(cause, _)| !cause.matters(desired, observed, now));
    }

    /// Records that a step succeeded.
    pub(crate) fn went_well(&mut self, kind: StepKind) {
        self.memory.retries.succeeded(kind);
        self.memory.transient_failure.take_if(|(of, _)| *of == Cause::Step(kind));
    }

    /// Records that the Secret is corrected, because somebody else changed it. The next correction waits.
    pub(crate) fn corrected(&mut self) {
        let (generation, now, first) = (self.generation(), self.now().time(), self.desired().timings.first_retry);
        let rival = self.secret().and_then(last_manager);
        self.memory.corrections.corrected(generation, rival, first, now);
    }

    /// A failure of the issue step, with its back-off.
    pub(crate) fn failure(&self, generation: i64, reason: Reason, message: impl Into<String>) -> Failure {
        Failure {
            reason,
            message: shortened(&message.into()),
            generation,
            first_retry: self.desired().timings.first_retry,
            at_least: Duration::ZERO,
        }
    }

    /// Writes an event: something went as it should.
    pub(crate) async fn normal(&self, reason: Reason, action: &str, note: String) {
        events::normal(self.shared(), &self.object, reason, action, note).await;
    }

    /// Writes an event: something went wrong.
    pub(crate) async fn warn(&self, reason: Reason, action: &str, note: String) {
        events::warning(self.shared(), &self.object, reason, action, note).await;
    }
}

/// Who wrote the Secret last beside this operator, as its managed fields say.
fn last_manager(secret: &Secret) -> Option<String> {
    let others = secret.metadata.managed_fields.iter().flatten();
    let others = others.filter(|fields| fields.manager.as_deref() != Some(FIELD_MANAGER));
    others.max_by_key(|fields| fields.time.clone())?.manager.clone()
}
