//! Facts of this pass, and what this process remembers of earlier ones.

use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::rotation::observed::service::Verdict;

/// What this process found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What was seen that forbids a new token; the row *halt* tells it when one is wanted.
    pub halt: Option<Halt>,
    /// The Secret write was dry-run in this pass, against the Secrets as seen.
    pub preflight: bool,
    /// What the service said of the bytes that the Secrets hold, in this pass.
    pub verdict: Option<Verdict>,
    /// When this process last saw the current token accepted.
    pub accepted: Option<Time>,
    /// Somebody else wrote the Secret since it was seen to hold the current token, and only the service can tell whether it
    /// still does.
    pub doubtful: bool,
    /// The current token's value is in this process's memory.
    pub holds_previous: bool,
    /// Steps that failed in passing, and may be tried again at these times.
    pub pauses: Pauses,
}

/// When steps that failed in passing may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pauses {
    /// Generate, and with it the claim: the service said "not now", or our own rate limit.
    pub generate: Option<Time>,
    /// Try and Verify.
    pub verify: Option<Time>,
    /// Sweep.
    pub sweep: Option<Time>,
    /// Writes of the Secret, the dry-run among them.
    pub secret: Option<Time>,
    /// The answer to a leak at the service: the turns of older tokens come before.
    pub leak: Option<Time>,
}
