//! The answer to a leak (P14): revoke first, then replace. It waits for no overlap, no end of `suspend` and no live successor.

use crate::api::ids::TokenId;
use crate::api::ledger::Leak;
use crate::api::time::Time;
use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::wait;

pub(super) fn leak(view: &View) -> Option<Step> {
    if let Some(step) = notice(view) {
        return Some(step);
    }
    // Older tokens of the service have their turn first.
    if !view.observed.service.same_place() || view.waits_for_its_turn() {
        return None;
    }
    let (attempt, id) = next_leaked(view)?;
    let end = view.ending(attempt, &id);
    if view.paused(view.observed.facts.pauses.revoke) {
        // The token in use dies before it is replaced. An older one holds up nothing, nor does one that a person must revoke.
        let in_use = view.observed.ledger.current.as_ref().is_some_and(|current| current.id == id);
        return (in_use && matches!(end, Step::Revoke { .. })).then(|| wait(view));
    }
    Some(view.in_turn(&id, view.after_read(end)))
}

/// Each requested time enters the ledger once, and only if it matters: a token was claimed before it, or the time is in the future
/// and must be capped now.
fn notice(view: &View) -> Option<Step> {
    let observed = view.observed;
    let issued_before = view.desired.revoke_issued_before;
    let noticed = observed.ledger.leak.as_ref().map(Leak::noticed).unwrap_or_default();
    let latest = issued_before.new_to(noticed).latest()?;
    let claimed_before = latest.min(view.now.time());
    let matters = latest > view.now.time() || claims(observed).any(|claimed| claimed < claimed_before);
    matters.then_some(Step::RecordLeak { issued_before })
}

/// The claim times of all tokens that may live, as far as they are known.
fn claims(observed: &Observed) -> impl Iterator<Item = Time> {
    let ledger = &observed.ledger;
    let current = ledger.current.iter().map(|current| current.claimed_time);
    let superseded = ledger.superseded.iter().filter_map(|old| old.claimed_time);
    current.chain(superseded).chain(observed.open_claim().map(|claim| claim.time))
}

/// The current token goes first, because it is in use.
fn next_leaked(view: &View) -> Option<(u32, TokenId)> {
    let ledger = &view.observed.ledger;
    let leak = ledger.leak.as_ref()?;
    let current = ledger.current.as_ref().filter(|current| leak.covers(current.claimed_time));
    if let Some(current) = current.filter(|current| !view.was_just_asked(&current.id)) {
        return Some((current.attempt, current.id.clone()));
    }
    let leaked = ledger.superseded.iter().filter(|old| old.claimed_time.is_some_and(|claimed| leak.covers(claimed)));
    let due = leaked.filter(|old| !view.was_just_tried(old) && !view.was_just_asked(&old.id));
    due.map(|old| (old.attempt, old.id.clone())).next()
}
