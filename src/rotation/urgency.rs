//! How urgent the calls of a step are. The calls to one service stand in a queue; this is their order there.

use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::ledger::Ledger;
use crate::api::time::Time;

use super::observed::{InFlight, Observed};
use super::plan::Step;

/// A verification so long before the expiry is in time to lead to a new token.
const BEFORE_EXPIRY: Duration = Duration::from_secs(3600);

/// How urgent a call is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The answer to a leak.
    Leak,
    /// A revoke, or the verification of a token that expires within the hour.
    Soon,
    /// The replacement of a token, or the end of an attempt.
    Due,
    /// Everything else: a first token, a verification as usual, a look for lost tokens.
    Rest,
}

/// The urgency of this step's calls.
pub fn urgency(step: &Step, observed: &Observed, now: Time) -> Urgency {
    let Observed { ledger, in_flight, .. } = observed;
    let leaked = |id: &TokenId| claimed(ledger, id).is_some_and(|claimed| ledger.leak_covers(claimed));
    if ledger.leak_is_open() {
        return Urgency::Leak;
    }
    match step {
        Step::TakeTurn(id) | Step::Revoke { id, .. } | Step::Prove { id, .. } if leaked(id) => Urgency::Leak,
        Step::TakeTurn(_) | Step::Revoke { .. } | Step::Prove { .. } => Urgency::Soon,
        Step::Verify if expires_soon(ledger, now) => Urgency::Soon,
        _ if *in_flight != InFlight::Nothing => Urgency::Due,
        Step::Preflight | Step::Finalize { .. } | Step::Claim { .. } | Step::Resume if ledger.current.is_some() => {
            Urgency::Due
        }
        _ => Urgency::Rest,
    }
}

fn claimed(ledger: &Ledger, id: &TokenId) -> Option<Time> {
    let current = ledger.current.iter().filter(|current| current.id == *id).map(|current| current.claimed_time);
    let superseded = ledger.superseded.iter().filter(|old| old.id == *id).filter_map(|old| old.claimed_time);
    current.chain(superseded).next()
}

fn expires_soon(ledger: &Ledger, now: Time) -> bool {
    let expiration = ledger.current.as_ref().and_then(|current| current.expiration_time);
    expiration.is_some_and(|end| end <= now.plus(BEFORE_EXPIRY))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::ids::samples::id;

    const EARLY: &str = "2026-01-01T00:10:00Z";
    const LATER: &str = "2026-01-01T00:20:00Z";
    const NOW: &str = "2026-01-01T00:30:00Z";

    /// An object after a rotation, with more fields in its current token and its leak, if there was one.
    fn rotated(expiration: Value, leak: Value) -> Observed {
        let ledger = json!({
            "current": {
                "attempt": 2, "id": "new", "claimedTime": LATER, "issuedTime": LATER, "publishedTime": LATER,
                "verifiedTime": LATER, "probed": true, "expirationTime": expiration,
            },
            "superseded": [{"attempt": 1, "id": "old", "claimedTime": EARLY, "revokeAfterTime": LATER}],
            "leak": leak,
        });
        Observed { ledger: serde_json::from_value(ledger).unwrap(), ..Observed::default() }
    }

    fn of(step: &Step, observed: &Observed) -> Urgency {
        urgency(step, observed, serde_json::from_value(json!(NOW)).unwrap())
    }

    #[test]
    fn leaks_come_first_then_revokes_then_replacements_then_all_else() {
        let revoke = Step::Revoke { attempt: 1, id: id("old") };
        let observed = rotated(Value::Null, Value::Null);
        assert_eq!(of(&Step::Preflight, &Observed::default()), Urgency::Rest, "a first token");
        assert_eq!(of(&Step::Preflight, &observed), Urgency::Due);
        assert_eq!(of(&Step::Verify, &observed), Urgency::Rest);
        assert_eq!(of(&revoke, &observed), Urgency::Soon);
        let expiring = rotated(json!("2026-01-01T01:30:00Z"), Value::Null);
        assert_eq!(of(&Step::Verify, &expiring), Urgency::Soon);
    }

    #[test]
    fn the_answer_to_a_leak_is_urgent_until_the_replacement_and_the_leaked_tokens_until_they_are_dead() {
        let revoke = Step::Revoke { attempt: 1, id: id("old") };
        let mut leak = json!({"issuedBefore": LATER, "claimedBefore": LATER});
        let open = rotated(Value::Null, leak.clone());
        assert_eq!(of(&Step::Preflight, &open), Urgency::Leak);
        leak["replacedTime"] = json!(NOW);
        let answered = rotated(Value::Null, leak);
        assert_eq!(of(&Step::Preflight, &answered), Urgency::Due);
        assert_eq!(of(&revoke, &answered), Urgency::Leak);
        assert_eq!(of(&Step::Revoke { attempt: 2, id: id("new") }, &answered), Urgency::Soon);
    }
}
