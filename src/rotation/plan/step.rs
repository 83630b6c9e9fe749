//! What the decision can say.

use crate::api::ledger::Outcome;
use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::rotation::observed::Row;

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Read the Secrets live.
    Read,
    /// List the service's tokens, and read the Secrets after that.
    Sweep,
    /// Dry-run the Secret write; what it answers is a live read, too.
    Preflight,
    /// Create our Secret without token data, with this fence.
    Shell {
        /// The fence.
        fence: u32,
    },
    /// Put the finalizer on the object.
    Finalize {
        /// The patch is also the claim of attempt 1.
        claims: bool,
    },
    /// Take this attempt number.
    Claim {
        /// The attempt.
        attempt: u32,
    },
    /// Ask the service for a token, once.
    Generate,
    /// Ask the service whether the value in hand works.
    Try,
    /// Write the value in hand into the Secret.
    Update,
    /// Record that the attempt in hand failed, with what remains of it.
    GiveUp(Lapse),
    /// Ask the service whether what the Secret holds works.
    Verify,
    /// Record the outcome of the Secret's attempt.
    Decide(Outcome),
    /// Put the current token back into the Secret, with the fence at the failed attempt.
    RollBack {
        /// The fence.
        fence: u32,
    },
    /// Take found tokens into the ledger.
    Supersede(Vec<Row>),
    /// Record that this token is a twin's.
    Dispute(Row),
    /// Record that all tokens of this identity are this object's.
    Confirm,
    /// Record that tokens claimed before this time, or before now if that is earlier, leaked.
    RecordLeak {
        /// The time that was asked for.
        issued_before: Time,
    },
    /// Revoke this token and prove it dead.
    Revoke {
        /// Its attempt.
        attempt: u32,
        /// Its id.
        id: String,
    },
    /// Write a fence into the Secret, so that an older publish cannot land.
    RaiseFence {
        /// The fence.
        fence: u32,
    },
    /// Record that a settled claim's outcome stays unknown.
    Abandon,
    /// Write the Secret anew with the token that it holds.
    Render,
    /// Record that the service refuses the current token.
    Reject,
    /// Delete the Secret.
    DeleteSecret,
    /// Take the finalizer off.
    Release,
    /// Nothing new may be made; say why.
    Halt(Halt),
    /// Nothing to do before this time, if any.
    Wait(Option<Time>),
}

/// Why an attempt in hand is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lapse {
    /// Its deadline is past.
    Late,
    /// Another attempt was published, or the Secret was changed by somebody else.
    Overtaken,
    /// The service does not accept the token.
    Refused,
    /// The object is being deleted.
    Deleting,
    /// It was claimed before a leak.
    Leaked,
}
