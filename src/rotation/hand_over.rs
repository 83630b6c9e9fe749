//! What people are told of tokens that only they can make and revoke. Pure.

use crate::api::ledger::{Current, Ledger, Outcome, Superseded};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::desired::Desired;
use super::observed::{InFlight, Observed, OfferState};
use super::schedule::{Trigger, expired, trigger};

/// What the condition `HandOverDue` says; `None` if nothing is due, or a token is being taken up.
pub fn due(desired: &Desired, observed: &Observed, now: Time) -> Option<String> {
    let Observed { object, by_hand, in_flight, service, ledger, .. } = observed;
    let asks = service.is_by_hand() && !object.deleting && desired.halt.is_none();
    let suspended = desired.suspended && !ledger.leak_is_open();
    let refused = refused(observed);
    let taking_up = by_hand.offers() && refused.is_none();
    if !asks || suspended || taking_up || *in_flight != InFlight::Nothing {
        return None;
    }
    let reminded = || ledger.current.as_ref().filter(|current| current.reminded_days.is_some()).map(expires);
    let why = trigger(desired, observed, now).map(|trigger| why_due(trigger, observed, now).1).or_else(reminded)?;
    let refused =
        refused.map(|why| format!("the token that was handed over is not taken up: {why}. ")).unwrap_or_default();
    Some(format!("{refused}{why}: {}", desired.by_hand.make))
}

/// Why what is handed over is not taken up.
fn refused(observed: &Observed) -> Option<&str> {
    let Observed { ledger, by_hand, .. } = observed;
    let offer = by_hand.offer.as_ref()?;
    let tried = ledger
        .claim
        .as_ref()
        .is_some_and(|claim| claim.outcome == Some(Outcome::Failed) && claim.hand_over.as_ref() == Some(&offer.secret));
    let failed = ledger.failures.as_ref().filter(|failures| tried && failures.reason == Reason::HandOverRefused);
    match &offer.state {
        OfferState::Refused(why) => Some(why),
        OfferState::Ready => failed.map(|failures| failures.message.as_str()),
        OfferState::Unread | OfferState::Taken => None,
    }
}

/// The reason of `Ready` if no token works, and why a new one is wanted.
pub fn why_due(trigger: Trigger, observed: &Observed, now: Time) -> (Reason, String) {
    let Some(current) = &observed.ledger.current else {
        return (Reason::HandOverDue, "there is no token yet".to_owned());
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

fn expires(current: &Current) -> String {
    let end = current.expiration_time.map_or_else(|| "at no known time".to_owned(), |end| format!("at {end}"));
    format!("attempt {} expires {end}", current.attempt)
}

/// The tokens that a person must revoke now: what the condition `RevocationPending` and a deletion say. `None` if there are none.
pub fn to_revoke(ledger: &Ledger, deleting: bool, page: &str, now: Time) -> Option<String> {
    let due = |old: &&Superseded| {
        let leaked = old.claimed_time.is_some_and(|claimed| ledger.leak_covers(claimed));
        old.handed_over && (deleting || leaked || old.revoke_after_time <= now)
    };
    let superseded = ledger.superseded.iter().filter(due);
    let superseded = superseded.map(|old| named(old.attempt, old.hint.as_deref(), old.claimed_time));
    let current = ledger.current.as_ref().filter(|current| {
        let leaked = ledger.leak_covers(current.claimed_time);
        current.hand_over.is_some() && (deleting || leaked)
    });
    let current = current.map(|current| named(current.attempt, current.hint.as_deref(), Some(current.claimed_time)));
    let tokens: Vec<String> = superseded.chain(current).collect();
    if tokens.is_empty() {
        return None;
    }
    let place = if page.is_empty() { "at the service" } else { page };
    let let_go = if deleting {
        ". To let this object go without that, set the annotation artifact-token.dev/skip-revocation: \"true\""
    } else {
        ""
    };
    Some(format!(
        "revoke by hand ({place}): {}. The service is asked about it until it refuses it{let_go}",
        tokens.join(", ")
    ))
}

/// A token, as a person may find it.
fn named(attempt: u32, hint: Option<&str>, claimed: Option<Time>) -> String {
    let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
    let claimed = claimed.map(|claimed| format!(", handed over {claimed}")).unwrap_or_default();
    format!("the token{hint} of attempt {attempt}{claimed}")
}
