//! Keeping what is there, and taking the next attempt (P1, P2, P11, P15).

use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{SecretState, Verdict};
use crate::rotation::schedule::{trigger, verification_due};

use super::{MAX_LIVE, Step, View, leak};

/// The same token, written as the spec wants it now: after an edit by hand, or a change of the spec.
pub(super) fn render(view: &View) -> Option<Step> {
    let observed = view.observed;
    let drifted = observed.all_ours(|ours| ours.predecessor.is_none()) && observed.ours().any(|ours| !ours.rendered);
    // While its write is refused, what is below goes on: the token still works.
    let paused = view.paused(observed.pauses.secret).is_some();
    if !drifted || paused || !observed.holds_current() || view.desired.halt.is_some() {
        return None;
    }
    Some(view.after_read(Step::Render))
}

pub(super) fn verification(view: &View) -> Option<Step> {
    let observed = view.observed;
    let current = observed.ledger.current.as_ref().filter(|current| current.rejected_time.is_none())?;
    if !observed.holds_current() || !view.same_place() {
        return None;
    }
    if observed.verdict == Some(Verdict::Refused) {
        return view.trusted().then_some(Step::Reject);
    }
    let due = verification_due(view.desired, current, observed.accepted)?;
    if (due > view.now && !observed.doubtful)
        || observed.verdict.is_some()
        || view.paused(observed.pauses.verify).is_some()
    {
        return None;
    }
    Some(view.after_read(Step::Verify))
}

/// A wrong spec and a foreign Secret are told at once. What only forbids a new token (a service that is down, a namespace
/// that ends) is told when one is wanted.
pub(super) fn halted(view: &View) -> Option<Step> {
    let foreign = view.observed.secrets.iter().find_map(|seen| match &seen.state {
        SecretState::Foreign(halt) => Some(halt),
        SecretState::Absent | SecretState::Ours(_) => None,
    });
    let wanted = !held_back(view) && trigger(view.desired, view.observed, view.now).is_some();
    let forbids = view.observed.halt.as_ref().filter(|_| wanted);
    [view.desired.halt.as_ref(), foreign, forbids].into_iter().flatten().next().cloned().map(Step::Halt)
}

pub(super) fn suspended(view: &View) -> Option<Step> {
    held_back(view).then(|| view.wait())
}

/// `suspend` stands against a new token, but not against the replacement of a leaked one.
fn held_back(view: &View) -> bool {
    view.desired.suspended && !leak::open(view.observed.ledger.leak.as_ref())
}

pub(super) fn claim(view: &View) -> Option<Step> {
    let observed = view.observed;
    trigger(view.desired, observed, view.now)?;
    if let Some(halt) = forbidden(view) {
        return Some(Step::Halt(halt));
    }
    if backing_off(view).is_some() || leak::turn(view).is_some() {
        return Some(view.wait());
    }
    if let Some(step) = view.paused(observed.pauses.generate.max(observed.pauses.secret)) {
        return Some(step);
    }
    let never_claimed = !observed.finalizer
        && observed.ledger.claim.is_none()
        && observed.ours().all(|ours| ours.predecessor.is_some());
    if !observed.finalizer && !never_claimed {
        return Some(Step::Finalize { claims: false });
    }
    if observed.any_absent() && !never_claimed {
        return Some(view.after_read(Step::Shell { fence: observed.highest_attempt() }));
    }
    if !observed.preflight || !observed.live() {
        return Some(Step::Preflight);
    }
    if never_claimed {
        return Some(Step::Finalize { claims: true });
    }
    // A forged number at the end of the range is no reason to fall over: the claim is then below the fence, and fails.
    Some(Step::Claim { attempt: observed.highest_attempt().saturating_add(1) })
}

/// What stands in the ledger against another token (P11, P19).
fn forbidden(view: &View) -> Option<Halt> {
    if let Some(halt) = stranded(view) {
        return Some(halt);
    }
    let message = "this object has as many live tokens as it may: no other is generated until an old one is revoked; the \
                   condition RevocationPending says what is in the way";
    (!has_room(view)).then(|| Halt::stalled(Reason::TokenLimitReached, message))
}

/// Tokens may live at another place than the one that the service object points to (P19).
pub(super) fn stranded(view: &View) -> Option<Halt> {
    let (observed, ledger) = (view.observed, &view.observed.ledger);
    let elsewhere = observed.service.is_some_and(|service| !service.same_origin);
    let message = "the service object points to another place than the one that issued this object's tokens, whose ids mean \
                   nothing there: create a service object and an ArtifactToken of other names for the new place, and this \
                   one's service object as it was, so that its tokens can be revoked";
    let may_live = ledger.alive() > 0 || !ledger.lost.is_empty() || observed.stray_claim().is_some();
    (elsewhere && may_live).then(|| Halt::stalled(Reason::RevocationFailed, message))
}

/// A rotation does not wait for an old token that will not die, up to the limit; the last place is for a leak.
pub(in crate::rotation) fn has_room(view: &View) -> bool {
    let ledger = &view.observed.ledger;
    let kept = usize::from(!leak::open(ledger.leak.as_ref()));
    ledger.alive() + kept < MAX_LIVE
}

/// When the issue step may be tried again, if that is later than now. A changed spec cancels the back-off.
pub(super) fn backing_off(view: &View) -> Option<Time> {
    let failures = view.observed.ledger.failures.as_ref()?;
    (failures.generation == view.observed.generation).then_some(failures.next_try_time).filter(|next| *next > view.now)
}
