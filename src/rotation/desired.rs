//! The checked wish: what the decision needs of a spec, with every default filled in.

use std::time::Duration;

use crate::api::ledger::Claim;
use crate::api::reason::Reason;
use crate::api::time::Time;

/// What a user wants, checked once; after this nothing about the spec can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Why nothing new may be made, if so: the row *halt* tells it. The rows above that one need no valid spec.
    pub halt: Option<Halt>,
    /// No new token.
    pub suspended: bool,
    /// How old a token gets; `None` with `rotation.policy: Disabled`.
    pub interval: Option<Duration>,
    /// How much earlier than its interval this object's rotation comes, so that many objects are spread.
    pub spread: Duration,
    /// How long before an expiry a token is replaced.
    pub rotate_before: Option<Duration>,
    /// How long a superseded token lives on.
    pub overlap: Duration,
    /// A token claimed before is replaced.
    pub rotate_issued_before: Option<Time>,
    /// A token claimed before leaked: it is revoked, and then replaced. A time in the future counts as now.
    pub revoke_issued_before: Option<Time>,
    /// Whether a token must be accepted by the service.
    pub probe: bool,
    /// How often the current token is verified again.
    pub verification_interval: Duration,
    /// A digest of what the token is asked for with.
    pub request_digest: String,
    /// The service's times.
    pub timings: Timings,
}

/// The times that the protocol derives; tests shorten them by flags of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A fresh token may be unknown to the service for so long.
    pub token_settle: Duration,
    /// A value in hand is published within this time from its claim, or given up.
    pub publish_deadline: Duration,
    /// Another process takes a claim for lost after this time.
    pub claim_settle: Duration,
    /// The first delay of every back-off; each failure doubles it.
    pub first_retry: Duration,
}

impl Timings {
    /// From a service's time-out of *generate*: `margin` (30 s in production) lies between each two deadlines, for the calls
    /// that come between.
    pub fn derive(generate_timeout: Duration, token_settle: Duration, margin: Duration, first_retry: Duration) -> Self {
        let publish_deadline = generate_timeout + token_settle + margin;
        Self { token_settle, publish_deadline, claim_settle: publish_deadline + margin, first_retry }
    }

    /// When a claim that no process seems to have counts as settled: what it sent has landed by then, or never will.
    pub fn settle_time(&self, claim: &Claim) -> Time {
        claim.time.plus(self.claim_settle)
    }
}

/// Why nothing new may be made until a person or another object changes something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Halt {
    /// The word for the condition.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether a person is needed (`Stalled`), or it is expected to pass by itself.
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
