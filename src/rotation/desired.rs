//! The checked spec: what the decision needs of it, with every default filled in.

use std::time::Duration;

use crate::api::ledger::{Claim, LeakTimes};
use crate::api::reason::Reason;
use crate::api::time::Time;

/// What the spec asks for, checked once. After this check nothing about the spec can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Why no new token may be made, if something forbids it. The row *halt* reports it; the rows above need no valid spec.
    pub halt: Option<Halt>,
    /// `spec.suspend`: no new token is made.
    pub suspended: bool,
    /// The age at which a token is replaced; `None` with `rotation.policy: Disabled`.
    pub interval: Option<Duration>,
    /// This object's rotation comes so much earlier than its interval says, so that many objects do not rotate at once.
    pub spread: Duration,
    /// How long before an expiry a token is replaced.
    pub rotate_before: Option<Duration>,
    /// How long a superseded token lives on.
    pub overlap: Duration,
    /// A token claimed before this time is replaced.
    pub rotate_issued_before: Option<Time>,
    /// A token claimed before this time leaked: it is revoked, and then replaced. A time in the future counts as now.
    pub revoke_issued_before: LeakTimes,
    /// Whether the service must accept a token before it counts as verified.
    pub probe: bool,
    /// How often the current token is verified again.
    pub verification_interval: Duration,
    /// A digest of the parameters and the lifetime that a token is requested with.
    pub request_digest: String,
    /// What people are told to do by hand.
    pub by_hand: Instructions,
    /// The service's times.
    pub timings: Timings,
}

/// What people are told to do by hand, in sentences of conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    /// How to make a token and hand it over: begins with a verb.
    pub make: String,
    /// Where the service's pages have the tokens; empty if nobody said so.
    pub page: String,
}

/// The times that the protocol derives; tests shorten them by flags of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// The service may refuse a fresh token for so long, because not all of its parts know it yet.
    pub token_settle: Duration,
    /// A value in flight is published within this time from its claim, or given up.
    pub publish_deadline: Duration,
    /// After this time another process treats a claim as lost.
    pub claim_settle: Duration,
    /// The first delay of every back-off; each failure doubles it.
    pub first_retry: Duration,
    /// A token that worked and is refused is asked about again after this time, at the earliest.
    pub refusal_settle: Duration,
}

/// A token that worked and is refused is asked about again after this time, unless a flag shortens it for tests.
pub const REFUSAL_SETTLE: Duration = Duration::from_secs(60);

impl Timings {
    /// Derives them from the service's time-out of *generate*. Between each two deadlines lies `margin` (30 s in production), to
    /// leave time for the calls between them.
    pub fn derive(generate_timeout: Duration, token_settle: Duration, margin: Duration, first_retry: Duration) -> Self {
        let publish_deadline = generate_timeout + token_settle + margin;
        let claim_settle = publish_deadline + margin;
        Self { token_settle, publish_deadline, claim_settle, first_retry, refusal_settle: REFUSAL_SETTLE }
    }

    /// So long an answer about one token says something of the others. And so long a token is refused at least that counts as dead
    /// although nothing but its own refusals says so.
    pub fn refusal_window(&self) -> Duration {
        self.refusal_settle.saturating_mul(10)
    }

    /// How long a refused token waits after the `count`-th refusal before it is asked about again.
    pub fn refusal_pause(&self, count: u32) -> Duration {
        let doubled = self.refusal_settle.saturating_mul(1 << count.saturating_sub(1).min(3));
        doubled.min(self.refusal_settle.saturating_mul(5))
    }

    /// When a claim that no process seems to work on counts as settled: by then its request has landed, or never will.
    pub fn settle_time(&self, claim: &Claim) -> Time {
        claim.time.plus(self.claim_settle)
    }
}

/// Why no new token may be made until a person or another object changes something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Halt {
    /// The reason of the condition.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether a person must act (`Stalled`), or the halt is expected to pass by itself.
    pub stalled: bool,
}

impl Halt {
    /// A halt that a person must end.
    pub fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), stalled: true }
    }

    /// A halt that is expected to pass.
    pub fn passing(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), stalled: false }
    }
}
