//! Kinds of steps that can fail for the moment, and whether such a failure still matters. Pure.

use crate::api::time::Time;

use super::desired::Desired;
use super::now::Now;
use super::observed::{Observed, Pauses};
use super::plan::{Step, next_step};

/// The kinds of step that can fail for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Generate, and with it the claim.
    Generate,
    /// Try and Verify.
    Verify,
    /// Sweep.
    Sweep,
    /// Revoke; its failures are counted in the ledger.
    Revoke,
    /// Writes and reads of the Secret.
    Secret,
    /// Writes of the Secret that hands over a token, and of the one that keeps values.
    Offer,
}

/// What a failure that is told is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A step of this kind failed, and is tried again.
    Step(StepKind),
    /// The answer about this attempt was lost.
    Lost(u32),
}

impl Cause {
    /// Whether it still stands in the way. It does not once its step is not needed any more, or the outcome of the attempt is recorded:
    /// then nothing would end what people read of it.
    pub fn matters(self, desired: &Desired, observed: &Observed, now: Now) -> bool {
        match self {
            Self::Step(kind) => kind.is_needed(desired, observed, now),
            Self::Lost(attempt) => observed.open_claim().is_some_and(|claim| claim.attempt == attempt),
        }
    }
}

impl StepKind {
    /// When a step of this kind may be tried again.
    pub fn pause(self, pauses: &mut Pauses) -> &mut Option<Time> {
        match self {
            Self::Generate => &mut pauses.generate,
            Self::Verify => &mut pauses.verify,
            Self::Sweep => &mut pauses.sweep,
            Self::Revoke => &mut pauses.revoke,
            Self::Secret => &mut pauses.secret,
            Self::Offer => &mut pauses.offer,
        }
    }

    /// Whether the decision would lead to a step of this kind if its pause were over, and the service had said nothing yet.
    fn is_needed(self, desired: &Desired, observed: &Observed, now: Now) -> bool {
        let mut unpaused = observed.clone();
        *self.pause(&mut unpaused.facts.pauses) = None;
        unpaused.facts.verdict = None;
        self.performs(&next_step(desired, &unpaused, now))
    }

    /// Whether a failure of this step is one of this kind. The step before a claim takes the places at the service, too.
    fn performs(self, step: &Step) -> bool {
        match step {
            Step::Preflight => matches!(self, Self::Generate | Self::Secret),
            Step::Finalize { claims: true } | Step::Claim { .. } | Step::Generate | Step::Resume => {
                self == Self::Generate
            }
            Step::Try | Step::Verify => self == Self::Verify,
            Step::Sweep => self == Self::Sweep,
            Step::Revoke { .. } | Step::Prove { .. } => self == Self::Revoke,
            // The read of the Secret comes after it.
            Step::TakeTurn(_) => matches!(self, Self::Revoke | Self::Secret),
            // Whatever kind of step comes next may need the Secret first.
            Step::Read | Step::ReadOffer | Step::ReadCompanion => true,
            Step::Keep(_) | Step::DeleteOffer => self == Self::Offer,
            Step::CreatePlaceholder { .. }
            | Step::Update
            | Step::RollBack { .. }
            | Step::RaiseFence { .. }
            | Step::Render
            | Step::DeleteSecret => self == Self::Secret,
            Step::Finalize { claims: false }
            | Step::GiveUp(_)
            | Step::Decide(_)
            | Step::Supersede(_)
            | Step::RecordReplaced(_)
            | Step::RecordConflict(_)
            | Step::ConfirmIdentity
            | Step::RecordLeak { .. }
            | Step::Abandon
            | Step::RecordProbed
            | Step::RecordUnclear(_)
            | Step::RecordRefusal
            | Step::ForgetRefusal
            | Step::Remind(_)
            | Step::Reject
            | Step::Release
            | Step::Halt(_)
            | Step::Wait(_) => false,
        }
    }
}
