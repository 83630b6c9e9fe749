//! The decision: one pure function says the next step.
//!
//! [`next_step`] is total and synchronous, without I/O, clock, randomness or `Result`. The rows below are tried in
//! order and the first that matches wins; `tests/decisions.txt` shows the table rendered over all inputs. The controller
//! performs the step (one external act and its record), observes again, and asks again.
//!
//! | row | if | then |
//! |---|---|---|
//! | deletion | deleting, without our finalizer | Wait: nothing of ours is left to do |
//! | | deleting, tokens shall be left alive | DeleteSecret (not with `Orphan`), Release |
//! | | deleting, a twin's token is listed or in the ledger, and nobody confirmed this object | Dispute, Halt |
//! | | deleting, something in hand | GiveUp: into the ledger, so that the next line revokes it |
//! | | deleting, the Secret not read yet | Read: its value proves the revoke |
//! | | deleting, a known token lives and its own back-off is over | Revoke |
//! | | deleting, a claim could still land | Wait(claimSettle) |
//! | | deleting, a claim was unresolved and not listed since | Sweep; Revoke each row of this uid |
//! | | deleting, nothing may live | DeleteSecret, Release |
//! | twin | a listed token of this uid that was never claimed here | Dispute: into the ledger |
//! | | the ledger has one, and nobody confirmed this object since | *verify* what the Secret holds; Halt |
//! | | confirmed | Sweep; Confirm once all rows are known (*found* takes them in) |
//! | leak | asked for, and not answered yet, with a token claimed before or a time to come | RecordLeak |
//! | | a leaked token, its turn come and its back-off over | Read, Revoke |
//! | hand | claim in hand: overtaken, the Secret foreign, or past its deadline | GiveUp |
//! | | claim in hand, the finalizer taken off by hand | Finalize |
//! | | claim in hand, the Secret holds a token that the ledger does not know | Sweep, Supersede if it is listed |
//! | | claim in hand, and something forbids a token since | Wait, until its deadline |
//! | | claim in hand | Generate |
//! | | value in hand, the Secret not read live | Read |
//! | | value in hand, and the ledger knows its id: another process recorded it; or its claim is not open any more | GiveUp |
//! | | value in hand: past its deadline, fenced off, the Secret changed under it, or refused | GiveUp; if a publish may still land, RaiseFence first |
//! | | value in hand of a replacement, not accepted yet | Try |
//! | | value in hand, not published | Update |
//! | found | a listed token that nobody knows, above the fence, of no open claim | RaiseFence |
//! | | a listed token, at or below the fence, that nobody knows | Supersede, with an overlap of its own |
//! | decide | the Secret's attempt is undecided: not read live | Read |
//! | | not from this process's hand, and nobody vouches for its id | Sweep; once settled, Decide(failed) if the list does not |
//! | | not asked yet | Verify |
//! | | accepted, or not to be probed | Decide(verified) |
//! | | refused, inside its settle time, or by a service whose refusals are in doubt | Wait |
//! | | refused | Decide(failed) |
//! | roll back | decided failed, the previous value in memory and its token alive, an overlap left for those who hold what failed | RollBack |
//! | revoke | a superseded token past its overlap, its back-off over, another verified one in the Secret (or it was never published, or there is no room for another and consumers have left it) | Read, Revoke |
//! | render | the Secret holds the current token in another form than wished | Read, Render |
//! | verify | the current token's verification is due | Read, Verify; Reject if refused, by a service whose refusals are not in doubt |
//! | stray | a claim not in hand could still land | Wait(claimSettle) |
//! | | it is settled, and above the fence | Read, Shell if the Secret is absent, RaiseFence; Halt if it is foreign |
//! | | it is settled and fenced off, and the service cannot be called, or is another place | Halt or Wait |
//! | | it is settled and fenced off, and tokens have names | Sweep; *found* takes in its token, and what a lost ledger knew |
//! | | it is settled, fenced off and listed, or tokens have no names | Abandon: into `lost`, if it was not found |
//! | | a lost one is due to be looked for, or the sweep of the service saw an unknown token | Sweep |
//! | halt | spec invalid, service missing or not ready, Secret foreign | Halt |
//! | suspended | suspended | Wait |
//! | claim | no new token is wanted, no room, or a back-off runs | Wait |
//! | | the finalizer is missing, and this is not the very first claim | Finalize |
//! | | the Secret is absent, and this is not the very first claim | Read, Shell |
//! | | the write was not dry-run in this pass | Preflight |
//! | | the very first claim | Finalize, which claims attempt 1 |
//! | | otherwise | Claim |
//! | wait | otherwise | Wait until the next of all the above |
//!
//! Rows down to *stray* need only the ledger, never a valid spec.

mod claim;
mod cleanup;
mod decide;
mod deletion;
mod hand;
pub(super) mod leak;
mod twin;
mod wait;

use crate::api::ledger::Outcome;
use crate::api::time::Time;

use super::desired::{Desired, Halt};
use super::observed::{Observed, Row};

/// The most tokens of one object that may be alive (S6). One place is kept for a leak response.
pub const MAX_LIVE: usize = 5;

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

/// What a row looks at.
struct View<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    now: Time,
}

/// The rows in their order: the table of contents of the protocol.
const ROWS: [fn(&View) -> Option<Step>; 15] = [
    deletion::deletion,
    twin::twin,
    leak::leak,
    hand::claim_in_hand,
    hand::value_in_hand,
    cleanup::found,
    decide::undecided,
    decide::roll_back,
    cleanup::superseded,
    claim::render,
    claim::verification,
    cleanup::stray,
    claim::halted,
    claim::suspended,
    claim::claim,
];

/// Says the next step. See the table above.
pub fn next_step(desired: &Desired, observed: &Observed, now: Time) -> Step {
    let view = View { desired, observed, now };
    ROWS.iter().find_map(|row| row(&view)).unwrap_or_else(|| view.wait())
}

/// When some row may match that does not match now: what a halted object is looked at again for.
pub fn next_wake(desired: &Desired, observed: &Observed, now: Time) -> Option<Time> {
    View { desired, observed, now }.next_wake()
}

impl View<'_> {
    /// Wait, if this pause is not over.
    fn paused(&self, until: Option<Time>) -> Option<Step> {
        until.filter(|until| *until > self.now).map(|_| self.wait())
    }

    /// The step, after a live read of the Secrets.
    fn after_read(&self, step: Step) -> Step {
        if self.observed.live() { step } else { Step::Read }
    }

    /// The service can be called, and is where the ledger's ids and values mean something.
    fn same_place(&self) -> bool {
        self.observed.service.is_some_and(|service| service.same_origin)
    }

    /// What the service refuses may be acted on.
    fn trusted(&self) -> bool {
        self.observed.service.is_some_and(|service| service.trusted)
    }

    /// The service can list tokens and tell ours by their names, and it is the one that made them.
    fn attributable(&self) -> bool {
        self.observed.service.is_some_and(|service| service.attributable && service.same_origin)
    }

    /// Listed rows of this object's own uid.
    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.observed.listing.iter().flatten().filter(|row| !row.predecessor)
    }
}

#[cfg(test)]
mod tests;
