//! What forbids another token: too many live tokens, tokens at another service, or no number left (P11, P16, P19).

use crate::api::ids::MAX_ATTEMPT;
use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::observed::Observed;
use crate::rotation::plan::view::View;

/// Why no other token may be made; `None` if one may.
pub(super) fn forbidden(view: &View) -> Option<Halt> {
    let message = "this object has the maximum number of live tokens: no new one is generated until an old one is revoked; the \
                   condition RevocationPending says what prevents that";
    let full = || (!view.observed.ledger.has_room()).then(|| Halt::stalled(Reason::TokenLimitReached, message));
    stranded(view).or_else(|| used_up(view)).or_else(full)
}

/// A claim beyond the last number would never be found again. Only a forged number leads here.
fn used_up(view: &View) -> Option<Halt> {
    let message = format!(
        "no attempt has a number above {MAX_ATTEMPT}, and one as high stands in the status, on the Secret or in the name of a token at \
         the service: somebody wrote it there. Delete this ArtifactToken and create one with another name"
    );
    (view.observed.highest_attempt() >= MAX_ATTEMPT).then(|| Halt::stalled(Reason::TokenLimitReached, message))
}

/// Tokens may live at another service than the one that the service object now points to (P19).
pub(super) fn stranded(view: &View) -> Option<Halt> {
    let observed = view.observed;
    let Observed { ledger, service, .. } = observed;
    let elsewhere = service.seen.is_some_and(|service| !service.same_origin);
    let message = "the service object no longer points to the service that issued this object's tokens, and their ids are not \
                   valid at the new one: restore this service object as it was, so that the tokens can be revoked, and create \
                   a service object and an ArtifactToken with other names for the new service";
    let may_live = ledger.alive() > 0 || !ledger.lost.is_empty() || observed.unresolved_claim().is_some();
    (elsewhere && may_live).then(|| Halt::stalled(Reason::RevocationFailed, message))
}
