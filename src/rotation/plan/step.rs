//! The steps that the decision can return.

use crate::api::ids::TokenId;
use crate::api::ledger::{LeakTimes, Outcome, Unclear};
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
    /// Dry-run the Secret write. Its answer also counts as a live read.
    Preflight,
    /// Create our Secret as a placeholder: without token data, with this fence.
    CreatePlaceholder {
        /// The fence.
        fence: u32,
    },
    /// Add the finalizer to the object.
    Finalize {
        /// Whether the patch is also the claim of attempt 1.
        claims: bool,
    },
    /// Take this attempt number.
    Claim {
        /// The attempt.
        attempt: u32,
    },
    /// Ask the service for a token, once.
    Generate,
    /// Ask the service whether the value in flight works.
    Try,
    /// Write the value in flight into the Secret.
    Update,
    /// Record that the attempt in flight failed, with what is left of it.
    GiveUp(GiveUpReason),
    /// Ask the service whether the token in the Secret works.
    Verify,
    /// Record the outcome of the Secret's attempt.
    Decide(Outcome),
    /// Put the current token back into the Secret, with the fence at the failed attempt.
    RollBack {
        /// The fence.
        fence: u32,
    },
    /// Take orphaned tokens into the ledger.
    Supersede(Vec<Row>),
    /// Record that the Secret holds this token of a deleted object of the same name.
    RecordReplaced(TokenId),
    /// Record that this token has our identity and was never claimed here.
    RecordConflict(Row),
    /// Record that all tokens of this identity belong to this object.
    ConfirmIdentity,
    /// Record that tokens claimed before this time, or before now if that is earlier, leaked.
    RecordLeak {
        /// The requested time.
        issued_before: LeakTimes,
    },
    /// Revoke this token and prove that it is dead.
    Revoke {
        /// Its attempt.
        attempt: u32,
        /// Its id.
        id: TokenId,
    },
    /// Ask the service whether a token is dead that only a person can revoke.
    Prove {
        /// Its attempt.
        attempt: u32,
        /// Its id.
        id: TokenId,
    },
    /// Read the Secret with which a person hands over a token.
    ReadOffer,
    /// Go on with the open claim of a token that was handed over.
    Resume,
    /// Delete the Secret whose token was taken up.
    DeleteOffer,
    /// Read the Secret that keeps the values of superseded tokens.
    ReadCompanion,
    /// Keep the values of these tokens in that Secret, and no others; without any, delete it.
    Keep(Vec<TokenId>),
    /// Record that people are reminded that the current token expires in so many days, or has expired.
    Remind(u32),
    /// Write a fence into the Secret, so that no older publish can land.
    RaiseFence {
        /// The fence.
        fence: u32,
    },
    /// Take places in the queue of the service for the revoke of this token. That comes before the read that the revoke rests on: where the
    /// turn comes later, the read would be old.
    TakeTurn(TokenId),
    /// Record that the outcome of a settled claim stays unknown.
    Abandon,
    /// Rewrite the Secret with the token that it holds.
    Render,
    /// Record that the service accepts the current token, which was published without asking.
    RecordProbed,
    /// Record since when the service's answers about the current token say nothing, or that this is over.
    RecordUnclear(Option<Unclear>),
    /// Record that the service refuses the current token, which may be a fault of the service.
    RecordRefusal,
    /// Record that the service accepts the current token again.
    ForgetRefusal,
    /// Record that the current token is dead: the service stopped accepting it.
    Reject,
    /// Delete the Secret.
    DeleteSecret,
    /// Remove the finalizer.
    Release,
    /// Make no new token, and report why.
    Halt(Halt),
    /// Do nothing before this time, or before a change if there is no time.
    Wait(Option<Time>),
}

/// Why the attempt in flight is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUpReason {
    /// Its deadline has passed.
    Late,
    /// Another attempt was published, or somebody else changed the Secret.
    Overtaken,
    /// The ledger has its token or its end already: this process or another one recorded what became of it.
    Recorded,
    /// The service does not accept the token.
    Refused,
    /// The object is being deleted.
    Deleting,
    /// It was claimed before a leak.
    Leaked,
}
