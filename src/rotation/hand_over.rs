//! Tokens that only people can make and revoke: which of those that they hand over are taken up, and what they are told. Pure.

use crate::api::ids::TokenId;
use crate::api::ledger::{Claim, Current, HandOver, Ledger, Outcome, Superseded};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::observed::{Brought, Observed, Offer, OfferState, Secrets};
use super::schedule::{Trigger, expired};
use super::unneeded::is_unneeded;

/// What a Secret is that was read: whether its token is taken up, was taken up, or is refused.
pub fn judge(ledger: &Ledger, secret: &HandOver, brought: &Brought) -> OfferState {
    let (known_as, like) = match brought {
        Brought::Token { known_as, like } => (known_as.as_ref(), like.as_ref()),
        Brought::Nothing(why) => return OfferState::Refused(why.clone()),
    };
    if let Some(current) = &ledger.current {
        let source = current.hand_over.as_ref();
        let same = known_as == Some(&current.id);
        // The very version that was taken up has that token, whatever the Secret of the object holds now.
        if source == Some(secret) || same && source.is_some_and(|source| source.uid == secret.uid) {
            return OfferState::Taken;
        }
        if same {
            let attempt = current.attempt;
            return OfferState::Refused(format!("it is the token of attempt {attempt}, which is in use already"));
        }
    }
    let superseded = ledger.superseded.iter().find(|old| known_as == Some(&old.id));
    if let Some(old) = superseded.or_else(|| failed(ledger, secret)) {
        return OfferState::Refused(is_to_be_revoked(old));
    }
    if let Some(attempt) = like.and_then(|like| ledger.attempt_of(like)) {
        return OfferState::Refused(format!(
            "its last letters are those of the token of attempt {attempt}, whose value is not known here: make a new one"
        ));
    }
    if claim_of(ledger, secret).is_some_and(|claim| ledger.leak_covers(claim.time)) {
        let why = "it leaked: it was handed over before spec.rotation.revokeIssuedBefore. Make a new one";
        return OfferState::Refused(why.to_owned());
    }
    OfferState::Ready
}

/// The claim of the token that this very version brought.
fn claim_of<'a>(ledger: &'a Ledger, secret: &HandOver) -> Option<&'a Claim> {
    ledger.claim.as_ref().filter(|claim| claim.hand_over.as_ref() == Some(secret))
}

/// The token of this very version if it failed after it was published. A process that never saw its value knows it by its claim.
fn failed<'a>(ledger: &'a Ledger, secret: &HandOver) -> Option<&'a Superseded> {
    let id = TokenId::of_hand_over(claim_of(ledger, secret)?.attempt);
    ledger.superseded.iter().find(|old| old.id == id)
}

fn is_to_be_revoked(old: &Superseded) -> String {
    format!("it is the token of attempt {}, which is to be revoked: make a new one", old.attempt)
}

/// Why what is handed over is not taken up.
pub(super) fn refused(observed: &Observed) -> Option<String> {
    let Observed { ledger, by_hand, .. } = observed;
    let Offer { secret, state } = by_hand.offer.as_ref()?;
    match state {
        OfferState::Refused(why) => Some(why.clone()),
        // The record of a failure tells it at once, also before the Secret is read again.
        OfferState::Ready | OfferState::Unread => {
            let refused = || {
                claim_of(ledger, secret).filter(|claim| claim.outcome == Some(Outcome::Failed))?;
                let failures = ledger.failures.as_ref()?;
                (failures.reason == Reason::HandOverRefused).then(|| failures.message.clone())
            };
            failed(ledger, secret).map(is_to_be_revoked).or_else(refused)
        }
        OfferState::Taken => None,
    }
}

/// The reason of `Ready` if no token works, and why a new one is wanted.
pub fn why_due(trigger: Trigger, observed: &Observed, now: Time) -> (Reason, String) {
    let Some(current) = &observed.ledger.current else {
        let why = if observed.ledger.history.is_empty() { "there is no token yet" } else { "the last token is dead" };
        return (Reason::HandOverDue, why.to_owned());
    };
    let attempt = current.attempt;
    match trigger {
        Trigger::First => (Reason::HandOverDue, "there is no token yet".to_owned()),
        Trigger::Drift => (Reason::HandOverDue, format!("the Secret lost the token of attempt {attempt}")),
        Trigger::Rejected => (Reason::TokenRejected, format!("the service refuses attempt {attempt}")),
        Trigger::Leaked => (Reason::HandOverDue, format!("attempt {attempt} leaked")),
        Trigger::Expiry if expired(current, now) => (Reason::TokenExpired, expires(current)),
        Trigger::Expiry => (Reason::HandOverDue, expires(current)),
        Trigger::Interval => {
            (Reason::HandOverDue, format!("attempt {attempt} is as old as spec.rotation.interval allows"))
        }
        Trigger::IssuedBefore => {
            (Reason::HandOverDue, format!("attempt {attempt} is older than spec.rotation.rotateIssuedBefore"))
        }
        Trigger::Request => (Reason::HandOverDue, "a new token is asked for".to_owned()),
        Trigger::Spec => (Reason::HandOverDue, format!("the spec asks for another token than attempt {attempt}")),
    }
}

pub(super) fn expires(current: &Current) -> String {
    let end = current.expiration_time.map_or_else(|| "at no known time".to_owned(), |end| format!("at {end}"));
    format!("attempt {} expires {end}", current.attempt)
}

/// What the condition `RevocationPending` and a deletion say of the tokens that a person must revoke. `None` if there are none. One that
/// failed while the Secret held it waits for a token that works.
pub fn revoke_by_hand(ledger: &Ledger, secrets: &Secrets, deleting: bool, page: &str, waited: Time) -> Option<String> {
    let unneeded = |old: &Superseded| is_unneeded(ledger, secrets, old, |time| time <= waited);
    let tokens = ledger.to_revoke(deleting.then_some(waited), unneeded, waited);
    let tokens: Vec<String> = tokens.iter().map(|owed| named(owed.attempt, owed.hint, owed.claimed)).collect();
    if tokens.is_empty() {
        return None;
    }
    let place = if page.is_empty() { "at the service" } else { page };
    let until = if deleting {
        "it refuses it, and for ten minutes more where no other token shows that it does not refuse everybody. To let this object go \
         without that, set the annotation artifact-token.dev/skip-revocation: \"true\""
    } else {
        "it refuses it"
    };
    Some(format!("revoke by hand ({place}): {}. The service is asked about it until {until}", tokens.join(", ")))
}

/// A token, as a person may find it: by the end of its value, and by when it was handed over.
pub(super) fn named(attempt: u32, hint: Option<&str>, claimed: Option<Time>) -> String {
    let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
    let claimed = claimed.map(|claimed| format!(", handed over {claimed}")).unwrap_or_default();
    format!("the token{hint} of attempt {attempt}{claimed}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
