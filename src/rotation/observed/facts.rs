//! Facts of this pass, and what this process remembers from earlier passes.

use crate::api::ledger::Unclear;
use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::rotation::observed::service::Verdict;

/// What this process learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Something that this pass saw and that forbids a new token. The row *halt* reports it when a token is wanted.
    pub halt: Option<Halt>,
    /// Whether this pass made a dry run of the Secret write, against the Secrets as it saw them.
    pub preflight: bool,
    /// What the service said in this pass about the bytes that the Secrets hold.
    pub verdict: Option<Verdict>,
    /// The service's answer in this pass about the current token says nothing, nor did the ones since then.
    pub unclear: Option<Unclear>,
    /// When this process last saw the service accept the current token.
    pub accepted: Option<Time>,
    /// Somebody else wrote the Secret after this process saw the current token in it. Only the service can tell whether the Secret
    /// still holds that token.
    pub doubtful: bool,
    /// How often this process saw the service refuse the current token since it accepted it last.
    pub refusals: u32,
    /// When a current token that was refused is asked about again.
    pub ask_again: Option<Time>,
    /// Whether this pass has places at the service for a revoke.
    pub turn: bool,
    /// Whether this process has the current token's value in memory.
    pub holds_previous: bool,
    /// When steps that failed transiently may be tried again.
    pub pauses: Pauses,
}

/// When steps that failed transiently may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pauses {
    /// Generate, and with it the claim: the service said "not now", or it is not this object's turn in the queue of the service.
    pub generate: Option<Time>,
    /// Try and Verify.
    pub verify: Option<Time>,
    /// Sweep.
    pub sweep: Option<Time>,
    /// Revoke: it is not this object's turn in the queue of the service. A revoke that failed has its back-off in the ledger.
    pub revoke: Option<Time>,
    /// Writes of the Secret, including the dry run.
    pub secret: Option<Time>,
    /// Writes of the Secret that hands over a token, and of the one that keeps values.
    pub offer: Option<Time>,
    /// Corrections of the Secret: somebody else changed it again soon after the last one.
    pub drift: Option<Time>,
    /// The answer to a leak at the service: older tokens have their turn first.
    pub leak: Option<Time>,
}
