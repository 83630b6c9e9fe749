//! The Secret with which a person hands over a token: it is read once in each version, and deleted once its token is the current one
//! and in the Secret.

use crate::rotation::observed::{Observed, OfferState};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn hand_over(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, by_hand, service, facts, .. } = observed;
    let offer = by_hand.offer.as_ref()?;
    // What fails here holds up nothing else.
    if view.paused(facts.pauses.secret.max(facts.pauses.offer)) {
        return None;
    }
    let taken = ledger.current.as_ref().and_then(|current| current.hand_over.as_ref());
    let taken = taken.is_some_and(|secret| secret.uid == offer.secret.uid);
    let claimed = observed.open_claim().is_some_and(|claim| claim.hand_over.is_some());
    match offer.state {
        OfferState::Unread if service.is_by_hand() || taken || claimed => Some(view.after_read(Step::ReadOffer)),
        // While the Secret does not hold it, this is where the token is.
        OfferState::Taken if observed.holds_current() => Some(view.after_read(Step::DeleteOffer)),
        OfferState::Unread | OfferState::Ready | OfferState::Taken | OfferState::Refused(_) => None,
    }
}
