//! Tokens that nobody needs, and claims of unknown outcome (P5, P8, P12).

use std::time::Duration;

use crate::api::ledger::Superseded;
use crate::api::time::Time;
use crate::rotation::ledger::MAX_FOUND;
use crate::rotation::observed::{Content, Observed, Row};

use super::{Step, View, claim, decide, hand};

/// A token at or below the fence cannot be published any more. It gets a full overlap, for a consumer may hold it.
pub(super) fn found(view: &View) -> Option<Step> {
    let observed = view.observed;
    if observed.listing.is_none() || !observed.live() {
        return None;
    }
    let fence = observed.fence();
    // All that was found goes into the ledger in one write: a lost claim that is found is not looked for any more, and it may
    // have been the only reason to look for the others.
    let highest = unknown_rows(view).map(|row| row.attempt).max().filter(|highest| *highest > fence);
    if let Some(highest) = highest.filter(|_| observed.stray_claim().is_none() && !observed.any_foreign()) {
        return fence_off(view, highest);
    }
    // More than the ledger holds wait for the next list, and do not keep those that it holds from being revoked.
    let room = MAX_FOUND.saturating_sub(observed.ledger.superseded.len());
    let found: Vec<Row> = unknown_rows(view).filter(|row| row.attempt <= fence).take(room).cloned().collect();
    (!found.is_empty()).then_some(Step::Supersede(found))
}

/// Listed tokens that neither the ledger nor this process's hand knows, and that the Secret does not hold undecided. One
/// that it holds since before the ledger was lost is taken in: it is replaced, and nothing else would lead to it.
pub(super) fn unknown_rows<'a>(view: &'a View) -> impl Iterator<Item = &'a Row> {
    let observed = view.observed;
    let undecided = decide::undecided_attempt(view).and_then(|(ours, _)| ours.id.clone());
    view.rows().filter(move |row| {
        !observed.ledger.knows(&row.id) && undecided.as_ref() != Some(&row.id) && !observed.in_hand(row)
    })
}

pub(super) fn superseded(view: &View) -> Option<Step> {
    let observed = view.observed;
    if !view.same_place() {
        return None;
    }
    let old = observed.ledger.superseded.iter().find(|old| due(view, old) && unneeded(view, old))?;
    let step = view.after_read(Step::Revoke { attempt: old.attempt, id: old.id.clone() });
    Some(view.paused(observed.pauses.secret).unwrap_or(step))
}

fn due(view: &View, old: &Superseded) -> bool {
    old.revoke_after_time <= view.now && old.next_try_time.is_none_or(|next| next <= view.now)
}

/// No Secret holds it, and every Secret holds another, verified one. A token that was never published needs no other; and
/// where there is no room for another, waiting for one would be for ever.
fn unneeded(view: &View, old: &Superseded) -> bool {
    let observed = view.observed;
    let held = observed.ours().any(|ours| ours.content != Content::Empty && ours.id.as_ref() == Some(&old.id));
    !held && (old.unpublished || observed.holds_current() || (!claim::has_room(view) && !held_long(view, old)))
}

/// What the Secret held stayed there until another token came, perhaps beyond its own overlap. Consumers have left it once the overlap
/// of one that came later is over.
fn held_long(view: &View, old: &Superseded) -> bool {
    let ledger = &view.observed.ledger;
    let verified = ledger.current.as_ref().map_or(0, |current| current.attempt);
    let later = |other: &Superseded| other.held && other.attempt > old.attempt && other.revoke_after_time <= view.now;
    old.held && old.attempt > verified && !ledger.superseded.iter().any(later)
}

pub(super) fn stray(view: &View) -> Option<Step> {
    let observed = view.observed;
    if let Some(claim) = observed.stray_claim() {
        if Observed::settle_time(&claim, &view.desired.timings) > view.now {
            return Some(view.wait());
        }
        if let Some(step) = fence_off(view, claim.attempt) {
            return Some(step);
        }
        // Whether its token lives, only the service says that was asked for it.
        if let Some(halt) = claim::stranded(view) {
            return Some(Step::Halt(halt));
        }
        if observed.service.is_none() {
            return Some(claim::halted(view).unwrap_or_else(|| view.wait()));
        }
        // Where tokens have names, no claim is forgotten that was never looked for. And one that stands in no ledger may be that of a
        // lost one: what that knew is taken in while no newer claim makes it doubtful.
        if observed.listing.is_none() && view.attributable() {
            return Some(view.paused(observed.pauses.sweep).unwrap_or(Step::Sweep));
        }
        return Some(Step::Abandon);
    }
    if let Some(row) = unknown_rows(view).max_by_key(|row| row.attempt) {
        return fence_off(view, row.attempt);
    }
    let due = observed.suspected || next_look(view).is_some_and(|look| look <= view.now);
    if due && observed.listing.is_none() && view.attributable() {
        return Some(view.paused(observed.pauses.sweep).unwrap_or(Step::Sweep));
    }
    None
}

/// The step that makes sure that no publish of `attempt` can land any more; `None` if none can.
fn fence_off(view: &View, attempt: u32) -> Option<Step> {
    let observed = view.observed;
    if observed.live() && observed.fence() >= attempt {
        return None;
    }
    if observed.any_foreign() {
        return claim::halted(view);
    }
    // A predecessor's Secret becomes ours by this write: its token goes into the ledger before (P22).
    if let Some(step) = hand::replaced_token(view).filter(|_| observed.ours().any(|ours| ours.predecessor.is_some())) {
        return Some(step);
    }
    let fence = observed.highest_attempt();
    let step = if observed.any_absent() { Step::Shell { fence } } else { Step::RaiseFence { fence } };
    Some(view.paused(observed.pauses.secret).unwrap_or_else(|| view.after_read(step)))
}

/// When the service is next listed for a lost claim's token: once it is settled, then at doubling ages, for a day.
pub(super) fn next_look(view: &View) -> Option<Time> {
    let settle = view.desired.timings.claim_settle.max(Duration::from_secs(1));
    let next = |claimed: Time| {
        let Some(swept) = view.observed.swept else { return claimed.plus(settle) };
        let mut look = claimed.plus(settle);
        let mut age = settle;
        // Doubling from a second reaches a day in 17 steps; the bound only makes that evident.
        for _ in 0..32 {
            if look > swept {
                break;
            }
            age = age.saturating_mul(2);
            look = claimed.plus(age);
        }
        look
    };
    view.observed.ledger.lost.iter().map(|lost| next(lost.time)).min()
}
