//! Deletion (P13) ends the known tokens at once, then those that could still land, then the Secret, then the finalizer.

use crate::api::ids::TokenId;
use crate::api::ledger::Outcome;
use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Companion, Content, InFlight, Leave, Observed};
use crate::rotation::plan::ownership::unresolved_conflict;
use crate::rotation::plan::step::{GiveUpReason, Step};
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn deletion(view: &View) -> Option<Step> {
    let Observed { object, in_flight, .. } = view.observed;
    if !object.deleting {
        return None;
    }
    if !object.finalizer {
        return Some(Step::Wait(None));
    }
    match (object.leave, in_flight) {
        (Some(Leave::Orphan), _) => Some(drop_kept(view).unwrap_or(Step::Release)),
        (Some(Leave::Skip), _) => Some(release(view)),
        // Another process may have it, too, and publish it.
        (None, InFlight::Value { .. }) if view.observed.takes_up() => Some(give_up_fenced(view)),
        (None, InFlight::Claim { .. } | InFlight::Value { .. }) => Some(Step::GiveUp(GiveUpReason::Deleting)),
        (None, InFlight::Nothing) => Some(unresolved_conflict(view).unwrap_or_else(|| end_tokens(view))),
    }
}

/// Revokes the known tokens, waits for requests that could still land, lists the service, and releases the object.
fn end_tokens(view: &View) -> Step {
    let observed = view.observed;
    let Observed { ledger, secrets, service, facts, .. } = observed;
    if let Some((_, id)) = next_known(view).filter(|_| service.same_place() && !facts.turn) {
        return after_pause(view, facts.pauses.revoke, Step::TakeTurn(id));
    }
    if !secrets.live() {
        return after_pause(view, facts.pauses.secret, Step::Read);
    }
    if let Some(step) = not_taken_up(view) {
        return after_pause(view, facts.pauses.secret, step);
    }
    if ledger.alive() > 0 && !service.same_place() {
        return Step::Halt(cannot_revoke());
    }
    if let Some((attempt, id)) = next_known(view) {
        return after_pause(view, facts.pauses.revoke, view.ending(attempt, &id));
    }
    let open = observed.open_claim().filter(|claim| claim.hand_over.is_none());
    let unsettled = open.as_ref().map(|claim| view.desired.timings.settle_time(claim));
    if unsettled.is_some_and(|settled| !view.now.is_over(settled)) {
        return wait(view);
    }
    // Tokens that a person confirmed to be this object's may also be missing from the ledger.
    let confirmed = ledger.conflict.is_some();
    let unresolved = open.is_some() || confirmed || !ledger.lost.is_empty();
    if unresolved && let Some(step) = sweep(view) {
        return step;
    }
    if ledger.alive() > 0 {
        return wait(view);
    }
    release(view)
}

/// A claim was unresolved, so the operator revokes everything that the service lists under this uid. It cannot tell a token without
/// a name from a stranger's; it reports such a token when it removes the finalizer (P18).
fn sweep(view: &View) -> Option<Step> {
    let Observed { ledger, service, facts, .. } = view.observed;
    let Some(seen) = service.seen else { return Some(Step::Halt(cannot_revoke())) };
    if !seen.attributable {
        return None;
    }
    // The list of another service says nothing about tokens that were lost at this one.
    if !seen.same_origin {
        return Some(Step::Halt(cannot_revoke()));
    }
    if service.listing.is_none() {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    }
    let row = service.own_rows().find(|row| !ledger.has_token(row.attempt, &row.id))?;
    let revoke = Step::Revoke { attempt: row.attempt, id: row.id.clone() };
    Some(after_pause(view, facts.pauses.revoke, view.in_turn(&row.id, revoke)))
}

fn next_known(view: &View) -> Option<(u32, TokenId)> {
    let ledger = &view.observed.ledger;
    let superseded = ledger.superseded.iter().filter(|old| !view.was_just_tried(old));
    let superseded = superseded.map(|old| (old.attempt, old.id.clone()));
    let current = ledger.current.iter().map(|current| (current.attempt, current.id.clone()));
    superseded.chain(current).find(|(_, id)| !view.was_just_asked(id))
}

fn cannot_revoke() -> Halt {
    Halt::stalled(
        Reason::RevocationFailed,
        "tokens of this object may still be alive, and the operator cannot ask the service to revoke them: create the service \
         object and its credential again, or set the annotation artifact-token.dev/skip-revocation: \"true\" and revoke the \
         tokens by hand",
    )
}

/// What became of a token that was handed over and whose attempt is undecided: it enters the ledger if the Secret holds it. Else its publish is
/// fenced off, and it stays with the person.
fn not_taken_up(view: &View) -> Option<Step> {
    let Observed { secrets, .. } = view.observed;
    let claim = view.observed.open_claim().filter(|claim| claim.hand_over.is_some())?;
    if secrets.ours().any(|ours| ours.attempt == claim.attempt && ours.content != Content::Empty) {
        return Some(Step::Decide(Outcome::Failed));
    }
    // Its publish replaces our Secret or nothing.
    let may_land = secrets.ours().any(|ours| ours.fence < claim.attempt);
    may_land.then_some(Step::RaiseFence { fence: claim.attempt })
}

/// Gives up a value that was handed over, once nobody can publish it any more.
fn give_up_fenced(view: &View) -> Step {
    let Observed { secrets, facts, .. } = view.observed;
    if !secrets.live() {
        return after_pause(view, facts.pauses.secret, Step::Read);
    }
    match not_taken_up(view) {
        Some(fence @ Step::RaiseFence { .. }) if secrets.unwritable().is_none() => {
            after_pause(view, facts.pauses.secret, fence)
        }
        _ => Step::GiveUp(GiveUpReason::Deleting),
    }
}

/// The step that drops the values of superseded tokens; `None` if none are kept.
fn drop_kept(view: &View) -> Option<Step> {
    let Observed { by_hand, facts, .. } = view.observed;
    let step = match by_hand.companion {
        Companion::Unread => Step::ReadCompanion,
        // Once the finalizer is gone, nobody takes it away any more.
        Companion::Absent if by_hand.companion_stale => Step::ReadCompanion,
        Companion::Ours(_) => Step::Keep(Vec::new()),
        Companion::Absent | Companion::Foreign(_) => return None,
    };
    Some(after_pause(view, facts.pauses.offer, step))
}

fn release(view: &View) -> Step {
    if let Some(step) = drop_kept(view) {
        return step;
    }
    let Observed { object, secrets, facts, .. } = view.observed;
    // Only a read shows a Secret of ours whose label somebody took off, so that the watch has lost it.
    if !secrets.live() || secrets.own() {
        return after_pause(view, facts.pauses.secret, view.after_read(Step::DeleteSecret));
    }
    // `Orphan` and `skip-revocation` let go at once.
    let lands = view.first_secret_lands_until().filter(|until| object.leave.is_none() && !view.now.is_over(*until));
    if lands.is_some() { wait(view) } else { Step::Release }
}
