//! The answer to a leak (P14): revoke first, then replace. No overlap, no suspend, no live successor is waited for.

use crate::api::time::Time;
use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn leak(view: &View) -> Option<Step> {
    if let Some(step) = notice(view) {
        return Some(step);
    }
    let Observed { service, facts, .. } = view.observed;
    // The turns of older tokens of the service come first.
    if !service.same_place() || view.paused(facts.pauses.leak) {
        return None;
    }
    let (attempt, id) = next_leaked(view)?;
    Some(view.after_read(Step::Revoke { attempt, id }))
}

/// A time that was not answered yet goes into the ledger where it says something: a token was claimed before, or the time is yet
/// to come and has to be capped now.
fn notice(view: &View) -> Option<Step> {
    let observed = view.observed;
    let issued_before = view.desired.revoke_issued_before?;
    if observed.ledger.leak.as_ref().is_some_and(|leak| leak.issued_before == issued_before) {
        return None;
    }
    let claimed_before = issued_before.min(view.now);
    let says = issued_before > view.now || claims(observed).any(|claimed| claimed < claimed_before);
    says.then_some(Step::RecordLeak { issued_before })
}

/// When the tokens that may live were claimed, as far as that is known.
fn claims(observed: &Observed) -> impl Iterator<Item = Time> {
    let ledger = &observed.ledger;
    let current = ledger.current.iter().map(|current| current.claimed_time);
    let superseded = ledger.superseded.iter().filter_map(|old| old.claimed_time);
    current.chain(superseded).chain(observed.open_claim().map(|claim| claim.time))
}

/// The current token first: it is the one in use.
fn next_leaked(view: &View) -> Option<(u32, String)> {
    let ledger = &view.observed.ledger;
    let leak = ledger.leak.as_ref()?;
    let current = ledger.current.as_ref().filter(|current| leak.covers(current.claimed_time));
    if let Some(current) = current {
        return Some((current.attempt, current.id.clone()));
    }
    let leaked = ledger.superseded.iter().filter(|old| old.claimed_time.is_some_and(|claimed| leak.covers(claimed)));
    let due = leaked.filter(|old| old.next_try_time.is_none_or(|next| next <= view.now));
    due.map(|old| (old.attempt, old.id.clone())).next()
}
