//! Performs one step: one external act and its record.

mod alarms;
mod outcome;
pub(in crate::controller) mod record;
mod revoke;
mod secrets;
mod tokens;

use std::time::Duration;

use crate::api::ledger::Outcome;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::memory::Kind;
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::ledger::Failure;
use crate::rotation::observed::Observed;
use crate::rotation::plan::Step;
use crate::rotation::report::Trouble;

impl Pass<'_> {
    /// Performs `step`, which was decided on `observed`.
    pub(super) async fn perform(&mut self, step: Step, observed: &Observed) -> Result<Flow, PassError> {
        match step {
            Step::Read => self.read().await.map(|()| Flow::Continue),
            Step::Sweep => self.sweep().await,
            Step::Preflight => self.preflight(observed).await,
            Step::Shell { fence } => self.shell(fence).await,
            Step::Finalize { claims } => self.finalize(claims, observed).await,
            Step::Claim { attempt } => self.claim(attempt, observed).await,
            Step::Generate => self.generate(observed).await,
            Step::Try => self.try_value().await,
            Step::Update => self.update(observed).await,
            Step::GiveUp(lapse) => self.give_up(lapse, observed).await,
            Step::Verify => self.verify().await,
            Step::Decide(Outcome::Verified) => self.decide_verified(observed).await,
            Step::Decide(Outcome::Failed) => self.decide_failed(observed).await,
            Step::RollBack { fence } => self.roll_back(fence).await,
            Step::Supersede(rows) => self.supersede(&rows, observed).await,
            Step::Revoke { attempt, id } => self.revoke(attempt, &id, observed).await,
            Step::Dispute(row) => self.dispute(row, observed).await,
            Step::Confirm => self.confirm(observed).await,
            Step::RecordLeak { issued_before } => self.record_leak(issued_before, observed).await,
            Step::RaiseFence { fence } => self.raise_fence(fence).await,
            Step::Abandon => self.abandon(observed).await,
            Step::Render => self.render().await,
            Step::Reject => self.reject(observed).await,
            Step::DeleteSecret => self.delete_secret().await,
            Step::Release => self.release(observed).await,
            // The pass ends on these; nothing is left to perform.
            Step::Halt(_) | Step::Wait(_) => Ok(Flow::Continue),
        }
    }

    /// A step failed in passing: it pauses, and people are told while it lasts.
    pub(super) fn paused(&mut self, kind: Kind, at_least: Duration, reason: Reason, what: &str) {
        let now = self.ctx.shared.clock.now().earliest;
        let first = self.wish.desired.timings.first_retry.min(Duration::from_secs(1));
        let until = self.memory.retries.failed(kind, first, at_least, now);
        tracing::debug!(object = %self.label(), ?kind, %until, what, "paused");
        self.memory.trouble = Some((kind, Trouble { reason, message: format!("{what}; tried again") }));
    }

    /// A step succeeded.
    pub(super) fn went_well(&mut self, kind: Kind) {
        self.memory.retries.succeeded(kind);
        self.memory.trouble.take_if(|(of, _)| *of == kind);
    }

    /// A failure of the issue step, with its back-off.
    pub(super) fn failure(&self, reason: Reason, message: impl Into<String>, observed: &Observed) -> Failure {
        Failure {
            reason,
            message: message.into().chars().take(900).collect(),
            generation: observed.object.generation,
            first_retry: self.wish.desired.timings.first_retry,
            at_least: Duration::ZERO,
        }
    }
}
