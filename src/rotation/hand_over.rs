//! Tokens that only people can make and revoke: which of those that they hand over are taken up, and what they are told. Pure.

use crate::api::ids::TokenId;
use crate::api::ledger::{Current, HandOver, Ledger, Outcome, Superseded};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::desired::Desired;
use super::ledger::ToRevoke;
use super::observed::{Brought, InFlight, Observed, OfferState, Secrets};
use super::schedule::{Trigger, expired, trigger};
use super::unneeded::is_unneeded;

/// What a Secret is that was read: whether its token is taken up, was taken up, or is refused.
pub fn judge(ledger: &Ledger, secret: &HandOver, brought: &Brought) -> OfferState {
    let known_as = match brought {
        Brought::Token { known_as } => known_as.as_ref(),
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
    let claim = ledger.claim.as_ref().filter(|claim| claim.hand_over.as_ref() == Some(secret));
    // So has the very version whose token failed after it was published, also for a process that never saw it.
    let failed = claim.map(|claim| TokenId::of_hand_over(claim.attempt));
    let old = ledger.superseded.iter().find(|old| known_as == Some(&old.id) || failed.as_ref() == Some(&old.id));
    if let Some(attempt) = old.map(|old| old.attempt) {
        let why = format!("it is the token of attempt {attempt}, which is to be revoked: make a new one");
        return OfferState::Refused(why);
    }
    if claim.is_some_and(|claim| ledger.leak_covers(claim.time)) {
        let why = "it leaked: it was handed over before spec.rotation.revokeIssuedBefore. Make a new one";
        return OfferState::Refused(why.to_owned());
    }
    OfferState::Ready
}

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

/// What the condition `RevocationPending` and a deletion say of the tokens that a person must revoke. `None` if there are none. One that
/// failed while the Secret held it waits for a token that works.
pub fn revoke_by_hand(ledger: &Ledger, secrets: &Secrets, deleting: bool, page: &str, waited: Time) -> Option<String> {
    let unneeded = |old: &Superseded| is_unneeded(ledger, secrets, old, |time| time <= waited);
    let tokens = ledger.to_revoke(deleting.then_some(waited), unneeded, waited);
    let tokens: Vec<String> = tokens.iter().map(named).collect();
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
fn named(ToRevoke { attempt, hint, claimed, .. }: &ToRevoke<'_>) -> String {
    let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
    let claimed = claimed.map(|claimed| format!(", handed over {claimed}")).unwrap_or_default();
    format!("the token{hint} of attempt {attempt}{claimed}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CLAIMED: &str = "2026-11-01T00:00:00Z";

    fn ledger(leak: Value) -> Ledger {
        let secret = |version: &str| json!({"uid": "u", "resourceVersion": version});
        let current = json!({"attempt": 2, "id": "hand-over-2", "nonce": "bbbbbbbb", "handOver": secret("5"),
            "claimedTime": CLAIMED, "issuedTime": CLAIMED, "publishedTime": CLAIMED, "verifiedTime": CLAIMED,
            "requestDigest": "", "credentialsRevision": "", "probed": true, "secretResourceVersion": ""});
        let old = json!({"attempt": 1, "id": "hand-over-1", "nonce": "aaaaaaaa", "handedOver": true,
            "claimedTime": CLAIMED, "revokeAfterTime": "2027-01-01T00:00:00Z"});
        let claim = json!({"attempt": 3, "nonce": "cccccccc", "time": CLAIMED, "requestDigest": "",
            "handOver": {"uid": "new", "resourceVersion": "7"}});
        let text = json!({"current": current, "superseded": [old], "claim": claim, "leak": leak});
        serde_json::from_value(text).unwrap()
    }

    fn at(uid: &str, version: &str) -> HandOver {
        HandOver { uid: uid.to_owned(), resource_version: version.to_owned() }
    }

    #[test]
    fn a_token_is_taken_up_once_and_only_if_it_is_a_new_one() {
        let is = |id: &str| Brought::Token { known_as: TokenId::new(id) };
        let (new, current, old) = (Brought::Token { known_as: None }, is("hand-over-2"), is("hand-over-1"));
        let nothing = Brought::Nothing("it has no value".to_owned());
        for (secret, brought, expected) in [
            (at("new", "7"), &new, "Ready"),
            (at("u", "5"), &new, "Taken"),
            (at("u", "6"), &current, "Taken"),
            (at("u", "6"), &new, "Ready"),
            (at("new", "7"), &current, "attempt 2, which is in use already"),
            (at("u", "6"), &old, "attempt 1, which is to be revoked"),
            (at("u", "5"), &nothing, "it has no value"),
        ] {
            let judged = format!("{:?}", judge(&ledger(Value::Null), &secret, brought));
            assert!(judged.contains(expected), "{secret:?} {brought:?}: {judged}, not {expected}");
        }
    }

    #[test]
    fn the_version_whose_token_failed_after_its_publish_is_not_taken_up_again_by_whoever_does_not_know_its_value() {
        let mut failed = ledger(Value::Null);
        let new = Brought::Token { known_as: None };
        failed.superseded[0].id = TokenId::of_hand_over(3);
        failed.superseded[0].attempt = 3;
        let judged = judge(&failed, &at("new", "7"), &new);
        assert!(matches!(&judged, OfferState::Refused(why) if why.contains("attempt 3")), "{judged:?}");
        assert_eq!(judge(&failed, &at("new", "8"), &new), OfferState::Ready);
    }

    #[test]
    fn what_leaked_is_not_taken_up() {
        let leaked = ledger(json!({"claimedBefore": "2026-11-02T00:00:00Z"}));
        let new = Brought::Token { known_as: None };
        assert!(matches!(judge(&leaked, &at("new", "7"), &new), OfferState::Refused(why) if why.contains("leaked")));
        assert_eq!(judge(&leaked, &at("new", "8"), &new), OfferState::Ready, "another version may have a new one");
    }

    #[test]
    fn a_token_is_to_be_revoked_since_its_overlap_its_leak_or_the_deletion() {
        let time = |text: &str| Time::parse(text).unwrap();
        let (before, after) = (time("2026-12-01T00:00:00Z"), time("2027-02-01T00:00:00Z"));
        let since = |leak: Value, deleted: Option<Time>, now: Time| {
            ledger(leak)
                .to_revoke(deleted, |_| true, now)
                .iter()
                .map(|owed| (owed.attempt, owed.since))
                .collect::<Vec<_>>()
        };
        let leak = json!({"claimedBefore": "2026-11-02T00:00:00Z"});
        assert_eq!(since(Value::Null, None, before), []);
        assert_eq!(since(Value::Null, None, after), [(1, time("2027-01-01T00:00:00Z"))]);
        assert_eq!(since(Value::Null, Some(before), before), [(1, before), (2, before)]);
        let leaked = time("2026-11-02T00:00:00Z");
        assert_eq!(since(leak, Some(before), before), [(1, leaked), (2, leaked)]);
        assert_eq!(ledger(Value::Null).to_revoke(None, |_| false, after), [], "the Secret still holds it");
    }
}
