//! What stands in the ledger against another token: as many as may live, or tokens at another place (P11, P19).

use crate::api::ledger::MAX_LIVE;
use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::observed::Observed;
use crate::rotation::plan::view::View;

/// Why no other token may be made, if so.
pub(super) fn forbidden(view: &View) -> Option<Halt> {
    let message = "this object has as many live tokens as it may: no other is generated until an old one is revoked; the \
                   condition RevocationPending says what is in the way";
    stranded(view).or_else(|| (!has_room(view)).then(|| Halt::stalled(Reason::TokenLimitReached, message)))
}

/// Tokens may live at another place than the one that the service object points to (P19).
pub(super) fn stranded(view: &View) -> Option<Halt> {
    let observed = view.observed;
    let Observed { ledger, service, .. } = observed;
    let elsewhere = service.seen.is_some_and(|service| !service.same_origin);
    let message = "the service object points to another place than the one that issued this object's tokens, whose ids mean \
                   nothing there: create a service object and an ArtifactToken of other names for the new place, and this \
                   one's service object as it was, so that its tokens can be revoked";
    let may_live = ledger.alive() > 0 || !ledger.lost.is_empty() || observed.stray_claim().is_some();
    (elsewhere && may_live).then(|| Halt::stalled(Reason::RevocationFailed, message))
}

/// A rotation does not wait for an old token that will not die, up to the limit; the last place is for a leak.
pub(super) fn has_room(view: &View) -> bool {
    let ledger = &view.observed.ledger;
    let kept = usize::from(!ledger.leak_is_open());
    ledger.alive() + kept < MAX_LIVE
}
