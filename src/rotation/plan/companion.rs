//! The values of superseded tokens that were handed over: they are kept until the end of each is proved.

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Revoked};
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

/// The step that keeps the value of the current token before another one replaces it; `None` if it is kept, or need not be.
pub(super) fn keep_current(view: &View) -> Option<Step> {
    let Observed { ledger, by_hand, facts, .. } = view.observed;
    // A value that the Secret holds is at hand, also before it was seen to work.
    let at_hand = facts.holds_previous || view.observed.holds_current();
    let current = ledger.current.as_ref().filter(|current| current.hand_over.is_some() && at_hand)?;
    match &by_hand.companion {
        Companion::Unread => Some(Step::ReadCompanion),
        // Somebody put it there since the claim. The claim waits, and its deadline ends it.
        Companion::Foreign(_) => Some(Step::Wait(None)),
        Companion::Absent | Companion::Ours(_) if by_hand.kept().contains(&current.id) => None,
        Companion::Absent | Companion::Ours(_) => {
            let living = by_hand.kept().iter().filter(|id| !is_dead(ledger, id)).cloned();
            let ids: Vec<TokenId> = living.chain([current.id.clone()]).collect();
            Some(Step::Keep(ids))
        }
    }
}
