//! The values of superseded tokens that were handed over: they are kept until the end of each is proved.

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Revoked, Superseded};
use crate::rotation::observed::{Companion, Observed};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn companion(view: &View) -> Option<Step> {
    let Observed { ledger, by_hand, facts, .. } = view.observed;
    // What fails here holds up nothing else.
    if view.paused(facts.pauses.offer) {
        return None;
    }
    match &by_hand.companion {
        Companion::Unread => Some(Step::ReadCompanion),
        Companion::Ours(ids) if ids.iter().any(|id| is_dead(ledger, id)) => {
            Some(Step::Keep(ids.iter().filter(|id| !is_dead(ledger, id)).cloned().collect()))
        }
        Companion::Absent | Companion::Foreign(_) | Companion::Ours(_) => None,
    }
}

/// Whether the ledger has recorded the death of this token. A ledger that is an old one, or was lost, does not know
/// whose values they are.
fn is_dead(ledger: &Ledger, id: &TokenId) -> bool {
    let died = |dead: &Revoked| dead.id == *id;
    !ledger.knows(id) && ledger.history.iter().any(died)
}

/// The step that keeps the values which the next write of the Secret replaces; `None` if they are kept, or there are none.
pub(super) fn keep_replaced(view: &View) -> Option<Step> {
    let Observed { ledger, by_hand, .. } = view.observed;
    let replaced = replaced(view.observed);
    if replaced.is_empty() {
        return None;
    }
    match &by_hand.companion {
        Companion::Unread => Some(Step::ReadCompanion),
        // Somebody put it there since the claim. The claim waits, and its deadline ends it.
        Companion::Foreign(_) => Some(Step::Wait(None)),
        Companion::Absent | Companion::Ours(_) if replaced.iter().all(|id| by_hand.kept().contains(id)) => None,
        Companion::Absent | Companion::Ours(_) => {
            let living = by_hand.kept().iter().filter(|id| !is_dead(ledger, id)).cloned();
            let new = replaced.into_iter().filter(|id| !by_hand.kept().contains(id));
            Some(Step::Keep(living.chain(new).collect()))
        }
    }
}

/// This write of the Secret; before it, the step that keeps the values which it replaces. What fails there does not hold it up.
pub(super) fn kept_first(view: &View, step: Step) -> Step {
    let paused = view.paused(view.observed.facts.pauses.offer);
    keep_replaced(view).filter(|keep| !paused && !matches!(keep, Step::Wait(_))).unwrap_or(step)
}

/// The tokens that were handed over and whose values are at hand: the current one, and one that failed while the Secret held it.
fn replaced(observed: &Observed) -> Vec<TokenId> {
    let Observed { ledger, facts, secrets, .. } = observed;
    // A value that the Secret holds is at hand, also before it was seen to work.
    let at_hand = facts.holds_previous || observed.holds_current();
    let current = ledger.current.iter().filter(|current| current.hand_over.is_some() && at_hand);
    let held = |old: &&Superseded| old.handed_over && secrets.published(old.attempt, &old.id);
    let failed = ledger.superseded.iter().filter(held);
    current.map(|current| current.id.clone()).chain(failed.map(|old| old.id.clone())).collect()
}
