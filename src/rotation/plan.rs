//! The decision: one pure function returns the next step.
//!
//! [`next_step`] is total and synchronous, without I/O, clock, randomness or `Result`. It tries the rows below in order, and the
//! first that matches wins. `tests/decisions.txt` shows the table rendered over all inputs. A row, its function and its file have
//! the same name. The controller performs the step (one external act and its record), observes again, and asks again.
//!
//! | row | if | then |
//! |---|---|---|
//! | deletion | deleting, without our finalizer | Wait: we have nothing left to do |
//! | | deleting, and the tokens stay alive | Read and DeleteSecret (not with `Orphan`), Release |
//! | | deleting, another cluster's token is listed or recorded, and nobody confirmed this object | RecordConflict, Halt |
//! | | deleting, an attempt is in flight | GiveUp: it enters the ledger, and the next lines revoke it; before that Read, RaiseFence for a token that was handed over |
//! | | deleting, a known token lives, and its back-off is over | TakeTurn, Read (its value can prove the revoke), Revoke; Prove, if only a person can revoke it |
//! | | deleting, the Secret not read yet | Read |
//! | | deleting, a claim could still land | Wait(claimSettle) |
//! | | deleting, a claim is unresolved and the service was not listed since | Sweep; TakeTurn and Revoke for each row of this uid |
//! | | deleting, nothing may live, and values of superseded tokens are kept, or may be since an earlier pass | ReadCompanion, Keep none |
//! | | deleting, nothing may live, and the Secret is there | Read, DeleteSecret |
//! | | deleting, nothing may live, and the first publish, which nobody saw, could still create the Secret | Wait(claimSettle) |
//! | | deleting, nothing may live | Release |
//! | finalizer | somebody took the finalizer off an object that ever had a claim | Finalize |
//! | identity_conflict | a listed token of this uid was never claimed here | RecordConflict |
//! | | a conflict is recorded, and nobody confirmed this object since | *verify* the token in the Secret; Halt |
//! | | a person confirmed this object | Sweep; ConfirmIdentity once the ledger has all rows (*orphans* adds them) |
//! | leak | a leak is requested and not recorded yet, and a token was claimed before that time, or the time is in the future | RecordLeak |
//! | | a token leaked, its turn has come and its back-off is over | TakeTurn, Read, Revoke; Prove, if only a person can revoke it |
//! | in_flight | a claim is in flight: overtaken, past its deadline, or the Secret cannot be written | GiveUp |
//! | | a claim is in flight, and the Secret holds a token that the ledger does not know | Sweep, Supersede if it is listed |
//! | | a claim is in flight, and something has forbidden a token since: a wrong spec, `suspend`, a permission, a service that refuses most tokens | Wait, until its deadline |
//! | | a claim is in flight | Generate |
//! | | a value is in flight, and the Secret was not read live | Read |
//! | | a value is in flight, and another process recorded it in the ledger (an id of another attempt is another token), or its claim is no longer open | GiveUp |
//! | | a value is in flight: past its deadline, fenced off, refused, or the Secret changed since its claim | GiveUp; RaiseFence first if a publish may still land |
//! | | a value is in flight as a replacement, or was handed over, and the service has not accepted it yet | Try |
//! | | a value is in flight, and a token that it replaces was handed over | ReadCompanion, Keep its value until its end is proved |
//! | | a value is in flight, not published | Update; RecordReplaced first if the Secret is a former object's and its token is not recorded |
//! | orphans | a listed token is known to nobody, above the fence, and belongs to no open claim | RaiseFence |
//! | | a listed token is known to nobody, at or below the fence | Supersede, with an overlap of its own |
//! | decide | the Secret's attempt is undecided, and the Secret was not read live | Read |
//! | | it takes up a token that was handed over, and the Secret of that was not read yet | ReadOffer |
//! | | its value is not in flight here, and nothing else attests its id | Sweep; once it is settled, Decide(failed) unless the list attests it |
//! | | the service was not asked yet | Verify |
//! | | the service accepted it, or the spec turns the probe off | Decide(verified) |
//! | | the service refused it within its settle time, or refuses most tokens | Wait |
//! | | the service refused it | Decide(failed) |
//! | roll_back | the outcome is failed, the previous token lives and its value is in memory, and holders of the failed token have an overlap left | RollBack; before that ReadCompanion, Keep, if the failed token was handed over |
//! | put_back | the Secret lost the current token, which was handed over, its value is in memory, and holders of a failed token have an overlap left | Read, CreatePlaceholder if the Secret is absent, RollBack; before that ReadCompanion, Keep its value and that of a failed token |
//! | hand_over | a person hands over a token, and the Secret of that was not read yet | Read, ReadOffer |
//! | | the token of that Secret is the current one, and the Secret holds it | Read, DeleteOffer |
//! | companion | nobody knows yet which values of superseded tokens are kept | ReadCompanion |
//! | | the value of a dead token is kept | Keep the others |
//! | revoke | a superseded token is past its overlap and its back-off, and the Secret holds another, verified one (or it was never published, or there is no room for another and its consumers have moved on) | TakeTurn, Read, Revoke |
//! | | one is past its overlap that only a person can revoke, and was not asked about a moment ago | TakeTurn, Read, Prove |
//! | replaced | the Secret of a deleted object of this name holds a token that is not recorded yet | Read, RecordReplaced |
//! | render | the Secret holds the current token in another form than the spec asks for, and it was not corrected a moment ago | Read, Render |
//! | verify | the verification of the current token is due, or it was published without one that the spec asks for now | Read, Verify; RecordProbed in the second case |
//! | | the service refuses it for the first time | RecordRefusal |
//! | | a refused token is asked about again | Sweep where only the list can confirm a refusal; Read, Verify |
//! | | the service accepts it again | ForgetRefusal |
//! | | the service refuses it again after the settle time, does not refuse most tokens, and something else says that it is dead | Reject |
//! | | the answers about it say nothing for a moment, or say something again | RecordUnclear |
//! | remind | a person must make the next token, and the current one expires in 30, 14, 7, 3 or 1 days, or has expired | Remind |
//! | unresolved_claim | a claim takes up a token that was handed over, and the Secret of that is as it was | Read, ReadOffer, Resume |
//! | | a claim takes up a token that was handed over, and the Secret of that is gone or another one | Read; CreatePlaceholder or RaiseFence; Abandon |
//! | | a claim that is not in flight here could still land | Wait(claimSettle) |
//! | | it is settled, and above the fence | Read; CreatePlaceholder if the Secret is absent, else RaiseFence; Halt if the Secret cannot be written |
//! | | it is settled and fenced off, and the operator cannot call the service, or it is another service | Halt or Wait |
//! | | it is settled and fenced off, and tokens have names | Sweep; *orphans* adds its token, and others that a lost ledger knew |
//! | | it is settled and fenced off, and the service was listed or tokens have no names | Abandon: the claim becomes a lost one, unless its token is in the ledger |
//! | | the search for a lost claim is due, or the sweep of the service saw an unknown token, and the list need not wait | Sweep |
//! | halt | the spec is invalid, or the Secret is foreign or cannot be written; or a token is wanted, and the service is missing, not ready, or refuses most tokens | Halt |
//! | suspended | the spec says `suspend` | Wait |
//! | claim | a token is wanted, but there is no room or no number left, or tokens may live at another service | Halt |
//! | | a back-off or a pause is not over, or older tokens of a leak come first, or the next replacement of a dead token has not its turn yet | Wait |
//! | | the Secret lost the current token again soon after it was corrected, and nothing else wants a new one | Wait |
//! | | the Secret is absent, and this is not the very first claim | Read, CreatePlaceholder |
//! | | a person must make the token, and hands over none | Halt, or Wait while the current one works |
//! | | a person hands over a token, and there is no finalizer | Finalize |
//! | | this pass made no dry run of the write | Preflight |
//! | | this is the very first claim | Finalize, which claims attempt 1 |
//! | | otherwise | Claim |
//! | wait | otherwise | Wait until the earliest time of all rows above |
//!
//! The rows down to *unresolved_claim* need only the ledger, never a valid spec.

mod asks;
mod claim;
mod companion;
mod decide;
mod deletion;
mod fence;
mod finalizer;
mod halt;
mod hand_over;
mod identity_conflict;
mod in_flight;
mod leak;
mod orphans;
mod ownership;
mod put_back;
mod remind;
mod render;
mod replaced;
mod revoke;
mod roll_back;
mod room;
mod step;
mod suspended;
mod unknown;
mod unresolved_claim;
mod verify;
mod view;
mod wait;

use crate::api::time::Time;

use super::desired::Desired;
use super::now::Now;
use super::observed::Observed;
use view::View;

pub use step::{GiveUpReason, Step};

/// A row's name, and the step it returns if it matches.
type NamedRow = (&'static str, fn(&View) -> Option<Step>);

/// The rows in their order: the table of contents of the protocol.
const ROWS: [NamedRow; 20] = [
    ("deletion", deletion::deletion),
    ("finalizer", finalizer::finalizer),
    ("identity_conflict", identity_conflict::identity_conflict),
    ("leak", leak::leak),
    ("in_flight", in_flight::in_flight),
    ("orphans", orphans::orphans),
    ("decide", decide::decide),
    ("roll_back", roll_back::roll_back),
    ("put_back", put_back::put_back),
    ("hand_over", hand_over::hand_over),
    ("companion", companion::companion),
    ("revoke", revoke::revoke),
    ("replaced", replaced::replaced),
    ("render", render::render),
    ("verify", verify::verify),
    ("remind", remind::remind),
    ("unresolved_claim", unresolved_claim::unresolved_claim),
    ("halt", halt::halt),
    ("suspended", suspended::suspended),
    ("claim", claim::claim),
];
/// The row for everything that no other row matches.
const OTHERWISE: (&str, fn(&View) -> Step) = ("wait", wait::wait);

/// Returns the next step. See the table above.
pub fn next_step(desired: &Desired, observed: &Observed, now: impl Into<Now>) -> Step {
    first_match(desired, observed, now).1
}

/// The name of the first row that matches, and its step.
pub fn first_match(desired: &Desired, observed: &Observed, now: impl Into<Now>) -> (&'static str, Step) {
    let view = View { desired, observed, now: now.into() };
    let matched = ROWS.iter().find_map(|(name, row)| Some((*name, row(&view)?)));
    matched.unwrap_or_else(|| (OTHERWISE.0, OTHERWISE.1(&view)))
}

/// What a person is asked to hand over: the message of the condition `HandOverDue`, if anything is due.
pub fn hand_over_due(desired: &Desired, observed: &Observed, now: impl Into<Now>) -> Option<String> {
    asks::asks(&View { desired, observed, now: now.into() })
}

/// When a row may match that does not match now. The controller looks at a halted object again at this time.
pub fn next_wake(desired: &Desired, observed: &Observed, now: impl Into<Now>) -> Option<Time> {
    wait::next_wake(&View { desired, observed, now: now.into() })
}

/// The names of the rows, in their order.
pub fn row_names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name).chain([OTHERWISE.0])
}

#[cfg(test)]
mod tests;
