//! The outcome of what the Secret holds, decided once (P6), and the way back (P10).

use crate::api::ledger::{Claim, Outcome, Superseded};
use crate::rotation::observed::{Content, Hand, Ours, Verdict};

use super::{Step, View};

pub(super) fn undecided(view: &View) -> Option<Step> {
    let observed = view.observed;
    let (ours, claim) = undecided_attempt(view)?;
    if !observed.live() {
        return Some(view.paused(observed.pauses.secret).unwrap_or(Step::Read));
    }
    if let Some(step) = vouch(view, ours, &claim) {
        return Some(step);
    }
    if !view.desired.probe {
        return Some(Step::Decide(Outcome::Verified));
    }
    match observed.verdict {
        None if !view.same_place() => Some(view.wait()),
        None => Some(view.paused(observed.pauses.verify).unwrap_or(Step::Verify)),
        Some(Verdict::Accepted) => Some(Step::Decide(Outcome::Verified)),
        Some(Verdict::Refused) if settled(view, &claim) && view.trusted() => Some(Step::Decide(Outcome::Failed)),
        Some(Verdict::Refused) => Some(view.wait()),
    }
}

/// The undecided claim whose token every Secret holds.
pub(super) fn undecided_attempt<'a>(view: &'a View) -> Option<(&'a Ours, Claim)> {
    let observed = view.observed;
    let ours = observed.ours().next()?;
    let same = |other: &Ours| other.content == Content::Token && other.attempt == ours.attempt && other.id == ours.id;
    if ours.attempt == 0 || ours.predecessor.is_some() || !observed.all_ours(same) {
        return None;
    }
    // With no claim in the ledger it may be a lost one, which knew of other claims: only the hand tells that it is not. It is
    // abandoned once settled, and the service listed for what it knew.
    let known = observed.ledger.claim.is_some() || observed.hand.attempt() == Some(ours.attempt);
    observed.open_claim().filter(|claim| known && claim.attempt == ours.attempt).map(|claim| (ours, claim))
}

/// Anybody who may write Secrets may have written that id. This process's own hand vouches for it, or a listed token with
/// our name and this claim's nonce (P16); else it is not taken into the ledger.
fn vouch(view: &View, ours: &Ours, claim: &Claim) -> Option<Step> {
    let observed = view.observed;
    let in_hand = matches!(&observed.hand, Hand::Value { attempt, id, .. }
        if *attempt == claim.attempt && Some(id) == ours.id.as_ref());
    if in_hand {
        return None;
    }
    if !view.same_place() {
        return Some(view.wait());
    }
    // Its own process may be about to decide, and a list may lag behind a fresh token.
    let unlisted = if settled(view, claim) { Step::Decide(Outcome::Failed) } else { view.wait() };
    if !view.attributable() {
        return Some(unlisted);
    }
    if observed.listing.is_none() {
        return Some(view.paused(observed.pauses.sweep).unwrap_or(Step::Sweep));
    }
    let listed = view
        .rows()
        .any(|row| Some(&row.id) == ours.id.as_ref() && row.attempt == claim.attempt && row.nonce == claim.nonce);
    (!listed).then_some(unlisted)
}

/// A refusal counts once a fresh token must be known to the service.
fn settled(view: &View, claim: &Claim) -> bool {
    let timings = &view.desired.timings;
    let known_by = match view.observed.hand {
        Hand::Value { issued, .. } => issued.plus(timings.token_settle),
        Hand::Empty | Hand::Claim { .. } => claim.time.plus(timings.publish_deadline),
    };
    known_by <= view.now
}

pub(super) fn roll_back(view: &View) -> Option<Step> {
    let observed = view.observed;
    let claim = observed.ledger.claim.as_ref().filter(|claim| claim.outcome == Some(Outcome::Failed))?;
    let current = observed.ledger.current.as_ref()?;
    let alive = current.rejected_time.is_none() && current.expiration_time.is_none_or(|end| end > view.now);
    let holds_failed = observed
        .all_ours(|ours| ours.attempt == claim.attempt && ours.predecessor.is_none() && ours.content != Content::Empty);
    if !(alive && holds_failed && observed.holds_previous) || observed.holds_current() {
        return None;
    }
    // Consumers hold what failed until the roll-back reaches them: with less than an overlap left for that, forward.
    let time_left = |failed: &Superseded| failed.revoke_after_time >= view.now.plus(view.desired.overlap);
    let published = |old: &&Superseded| old.attempt > current.attempt && !old.unpublished;
    if !observed.ledger.superseded.iter().filter(published).all(time_left) {
        return None;
    }
    let step = view.after_read(Step::RollBack { fence: claim.attempt });
    Some(view.paused(observed.pauses.secret).unwrap_or(step))
}
