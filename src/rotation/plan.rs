//! The decision: one pure function says the next step.
//!
//! [`next_step`] is total and synchronous, without I/O, clock, randomness or `Result`. The rows below are tried in
//! order and the first that matches wins; `tests/decisions.txt` shows the table rendered over all inputs. Each row is the
//! function and the file of its name. The controller performs the step (one external act and its record), observes again,
//! and asks again.
//!
//! | row | if | then |
//! |---|---|---|
//! | deletion | deleting, without our finalizer | Wait: nothing of ours is left to do |
//! | | deleting, tokens shall be left alive | DeleteSecret (not with `Orphan`), Release |
//! | | deleting, another cluster's token is listed or in the ledger, and nobody confirmed this object | Dispute, Halt |
//! | | deleting, something in hand | GiveUp: into the ledger, so that the next line revokes it |
//! | | deleting, the Secret not read yet | Read: its value proves the revoke |
//! | | deleting, a known token lives and its own back-off is over | Revoke |
//! | | deleting, a claim could still land | Wait(claimSettle) |
//! | | deleting, a claim was unresolved and not listed since | Sweep; Revoke each row of this uid |
//! | | deleting, nothing may live | DeleteSecret, Release |
//! | identity_conflict | a listed token of this uid that was never claimed here | Dispute: into the ledger |
//! | | the ledger has one, and nobody confirmed this object since | *verify* what the Secret holds; Halt |
//! | | confirmed | Sweep; Confirm once all rows are known (*orphans* takes them in) |
//! | leak | asked for, and not answered yet, with a token claimed before or a time to come | RecordLeak |
//! | | a leaked token, its turn come and its back-off over | Read, Revoke |
//! | in_flight | claim in hand: overtaken, the Secret foreign, or past its deadline | GiveUp |
//! | | claim in hand, the finalizer taken off by hand | Finalize |
//! | | claim in hand, the Secret holds a token that the ledger does not know | Sweep, Supersede if it is listed |
//! | | claim in hand, and something forbids a token since | Wait, until its deadline |
//! | | claim in hand | Generate |
//! | | value in hand, the Secret not read live | Read |
//! | | value in hand, and the ledger knows its id: another process recorded it; or its claim is not open any more | GiveUp |
//! | | value in hand: past its deadline, fenced off, the Secret changed under it, or refused | GiveUp; if a publish may still land, RaiseFence first |
//! | | value in hand of a replacement, not accepted yet | Try |
//! | | value in hand, not published | Update |
//! | orphans | a listed token that nobody knows, above the fence, of no open claim | RaiseFence |
//! | | a listed token, at or below the fence, that nobody knows | Supersede, with an overlap of its own |
//! | decide | the Secret's attempt is undecided: not read live | Read |
//! | | not from this process's hand, and nobody vouches for its id | Sweep; once settled, Decide(failed) if the list does not |
//! | | not asked yet | Verify |
//! | | accepted, or not to be probed | Decide(verified) |
//! | | refused, inside its settle time, or by a service whose refusals are in doubt | Wait |
//! | | refused | Decide(failed) |
//! | roll_back | decided failed, the previous value in memory and its token alive, an overlap left for those who hold what failed | RollBack |
//! | revoke | a superseded token past its overlap, its back-off over, another verified one in the Secret (or it was never published, or there is no room for another and consumers have left it) | Read, Revoke |
//! | render | the Secret holds the current token in another form than wished | Read, Render |
//! | verify | the current token's verification is due | Read, Verify; Reject if refused, by a service whose refusals are not in doubt |
//! | unresolved_claim | a claim not in hand could still land | Wait(claimSettle) |
//! | | it is settled, and above the fence | Read, Shell if the Secret is absent, RaiseFence; Halt if it is foreign |
//! | | it is settled and fenced off, and the service cannot be called, or is another place | Halt or Wait |
//! | | it is settled and fenced off, and tokens have names | Sweep; *orphans* takes in its token, and what a lost ledger knew |
//! | | it is settled, fenced off and listed, or tokens have no names | Abandon: into `lost`, if it was not found |
//! | | a lost one is due to be looked for, or the sweep of the service saw an unknown token | Sweep |
//! | halt | spec invalid, Secret foreign; or the service missing or not ready, and a token wanted | Halt |
//! | suspended | suspended | Wait |
//! | claim | a token wanted: no room, or tokens may live at another place | Halt |
//! | | a back-off or a pause runs, or older tokens of a leak come first | Wait |
//! | | the finalizer is missing, and this is not the very first claim | Finalize |
//! | | the Secret is absent, and this is not the very first claim | Read, Shell |
//! | | the write was not dry-run in this pass | Preflight |
//! | | the very first claim | Finalize, which claims attempt 1 |
//! | | otherwise | Claim |
//! | wait | otherwise | Wait until the next of all the above |
//!
//! Rows down to *unresolved_claim* need only the ledger, never a valid spec.

mod claim;
mod decide;
mod deletion;
mod fence;
mod halt;
mod identity_conflict;
mod in_flight;
mod leak;
mod orphans;
mod ownership;
mod render;
mod replaced;
mod revoke;
mod roll_back;
mod room;
mod step;
mod suspended;
mod unresolved_claim;
mod verify;
mod view;
mod wait;

use crate::api::time::Time;

use super::desired::Desired;
use super::observed::Observed;
use view::View;

pub use step::{Lapse, Step};

/// A row's name, and what it says if it matches.
type NamedRow = (&'static str, fn(&View) -> Option<Step>);

/// The rows in their order: the table of contents of the protocol.
const ROWS: [NamedRow; 14] = [
    ("deletion", deletion::deletion),
    ("identity_conflict", identity_conflict::identity_conflict),
    ("leak", leak::leak),
    ("in_flight", in_flight::in_flight),
    ("orphans", orphans::orphans),
    ("decide", decide::decide),
    ("roll_back", roll_back::roll_back),
    ("revoke", revoke::revoke),
    ("render", render::render),
    ("verify", verify::verify),
    ("unresolved_claim", unresolved_claim::unresolved_claim),
    ("halt", halt::halt),
    ("suspended", suspended::suspended),
    ("claim", claim::claim),
];
/// The row of all that no other row matches.
const OTHERWISE: (&str, fn(&View) -> Step) = ("wait", wait::wait);

/// Says the next step. See the table above.
pub fn next_step(desired: &Desired, observed: &Observed, now: Time) -> Step {
    first_match(desired, observed, now).1
}

/// The next step, after the name of the row that says it.
pub fn first_match(desired: &Desired, observed: &Observed, now: Time) -> (&'static str, Step) {
    let view = View { desired, observed, now };
    let matched = ROWS.iter().find_map(|(name, row)| Some((*name, row(&view)?)));
    matched.unwrap_or_else(|| (OTHERWISE.0, OTHERWISE.1(&view)))
}

/// When some row may match that does not match now: what a halted object is looked at again for.
pub fn next_wake(desired: &Desired, observed: &Observed, now: Time) -> Option<Time> {
    wait::next_wake(&View { desired, observed, now })
}

/// The names of the rows, in their order.
pub fn row_names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name).chain([OTHERWISE.0])
}

#[cfg(test)]
mod tests;
