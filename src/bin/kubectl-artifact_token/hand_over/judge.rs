//! Judges what may be handed over, and what the operator says of it. Pure.

use std::collections::BTreeMap;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionType};
use artifact_token_operator::api::ledger::{ArtifactTokenStatus, HandOver};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::secret::hand_over::{EXPIRATION_KEY, TOKEN_KEY, hand_over_name, handed_over};
use artifact_token_operator::secret::metadata::HAND_OVER;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ObjectMeta;

/// What the condition says of a token that is refused.
const REFUSED: &str = "is not taken up: ";

/// What became of a token.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// It is the current one; the status has it.
    TakenUp(Box<ArtifactTokenStatus>),
    /// The operator or the service refuses it, and why.
    Refused(String),
    /// The object is not there any more.
    Gone,
}

/// When a token expires. A date means its first moment, as the operator reads it.
pub(super) fn end(text: &str, now: Time) -> Result<Time, String> {
    let end = Time::parse(text).or_else(|| Time::parse(&format!("{text}T00:00:00Z")));
    match end {
        None => Err(format!("{text} is no time: write it like 2027-11-01 or 2027-11-01T00:00:00Z")),
        Some(end) if end <= now => Err(format!("{text} is over: hand over a token that has not expired")),
        Some(end) => Ok(end),
    }
}

/// Why no token may be handed over to this object.
pub(super) fn hindrance(token: &ArtifactToken) -> Option<String> {
    let name = token.name_any();
    if token.metadata.deletion_timestamp.is_some() {
        return Some(format!("nothing is written: the ArtifactToken {name} is being deleted"));
    }
    let status = token.status.clone().unwrap_or_default();
    let due = condition(&status, ConditionType::HandOverDue).is_some();
    let current = status.ledger.current.is_some_and(|current| current.hand_over.is_some());
    // While a first token is on its way, nothing is due, and another one may be handed over: the first may be a wrong one.
    let claimed = status.ledger.claim.is_some_and(|claim| claim.hand_over.is_some() && claim.outcome.is_none());
    if due || current || claimed {
        return None;
    }
    Some(match status.observed_generation {
        Some(0..) => format!(
            "nothing is written: {name} does not ask for a token, which its condition HandOverDue would say. Its service generates \
             tokens itself or is not ready, spec.suspend is true, or older tokens must be revoked first"
        ),
        Some(_) | None => {
            format!("nothing is written: the operator has not looked at {name} yet. Call this again in a moment")
        }
    })
}

/// The Secret that hands over this token, in the place of the one that is there.
pub(super) fn offer(
    there: Option<Secret>,
    namespace: &str,
    object: &str,
    value: &str,
    expires: Option<Time>,
    now: Time,
) -> Result<Secret, String> {
    let value = value.trim();
    if value.is_empty() {
        return Err("there is no token: write it to standard input".to_owned());
    }
    let new = || Secret {
        metadata: ObjectMeta {
            name: Some(hand_over_name(object)),
            namespace: Some(namespace.to_owned()),
            labels: Some(BTreeMap::from([(HAND_OVER.to_owned(), object.to_owned())])),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    };
    let entry = |key: &str, text: &str| (key.to_owned(), ByteString(text.as_bytes().to_vec()));
    let expires = expires.map(|end| entry(EXPIRATION_KEY, &end.to_string()));
    let data = [entry(TOKEN_KEY, value)].into_iter().chain(expires).collect();
    let secret = Secret { data: Some(data), ..there.unwrap_or_else(new) };
    // The operator would refuse the same, later.
    handed_over(&secret, now).map(|_| secret)
}

/// What tells this version of the Secret from others.
pub(super) fn version(secret: &Secret) -> HandOver {
    let text = Option::unwrap_or_default;
    HandOver { uid: text(secret.uid()), resource_version: text(secret.resource_version()) }
}

fn condition(status: &ArtifactTokenStatus, type_: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// What the condition says, if it says that the token in the Secret is refused.
pub(super) fn refusal(status: &ArtifactTokenStatus) -> Option<&str> {
    let due = condition(status, ConditionType::HandOverDue)?;
    due.message.contains(REFUSED).then_some(due.message.as_str())
}

/// What became of the token in this version of the Secret, if that is known. `news` is a new event about a refusal.
pub(super) fn outcome(
    status: ArtifactTokenStatus,
    written: &HandOver,
    stale: Option<&str>,
    news: Option<String>,
) -> Option<Outcome> {
    if status.ledger.current.as_ref().is_some_and(|current| current.hand_over.as_ref() == Some(written)) {
        return Some(Outcome::TakenUp(Box::new(status)));
    }
    let said = refusal(&status).filter(|said| Some(*said) != stale).map(str::to_owned);
    news.or(said).map(Outcome::Refused)
}

/// Old tokens that only a person can revoke: where and what, as the condition says it, and those whose overlap is not over.
pub(super) fn to_revoke(status: &ArtifactTokenStatus, now: Time) -> Vec<String> {
    let pending = condition(status, ConditionType::RevocationPending);
    let due = pending.filter(|pending| pending.reason == Reason::RevokeByHand).map(|pending| &pending.message);
    let later = status.ledger.superseded.iter().filter(|old| old.handed_over);
    let later = later.filter(|old| due.is_none() || old.revoke_after_time > now).map(|old| {
        let hint = old.hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default();
        let (attempt, after) = (old.attempt, old.revoke_after_time);
        format!("The token{hint} of attempt {attempt} is to be revoked by hand, but not before {after}: jobs may use it until then.")
    });
    due.map(|due| format!("Now {due}")).into_iter().chain(later).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-30T12:00:00Z";
    const DUE: &str = "there is no token yet: make a token at the service";
    const REFUSAL: &str = "the token that was handed over is not taken up: it has expired. A new one is needed, because there is no token yet";

    fn now() -> Time {
        Time::parse(NOW).unwrap()
    }

    fn says(type_: &str, reason: &str, message: &str) -> Value {
        json!([{"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": NOW}])
    }

    fn status(status: Value) -> ArtifactTokenStatus {
        serde_json::from_value(status).unwrap()
    }

    /// The token of attempt 2, from this version of the Secret.
    fn current(version: &str) -> Value {
        json!({
            "attempt": 2, "id": "hand-over-2", "handOver": {"uid": "u1", "resourceVersion": version}, "claimedTime": NOW,
            "issuedTime": NOW, "publishedTime": NOW, "verifiedTime": NOW, "probed": true,
        })
    }

    fn superseded(attempt: u32, until: &str) -> Value {
        json!({"attempt": attempt, "id": format!("hand-over-{attempt}"), "revokeAfterTime": until, "handedOver": true, "hint": "****x7Qd"})
    }

    fn written(version: &str) -> HandOver {
        HandOver { uid: "u1".to_owned(), resource_version: version.to_owned() }
    }

    #[test]
    fn an_expiry_is_a_date_or_a_time_to_come() {
        assert_eq!(end("2026-12-01", now()).ok(), Time::parse("2026-12-01T00:00:00Z"));
        assert_eq!(end("2026-12-01T10:00:00+02:00", now()).ok(), Time::parse("2026-12-01T08:00:00Z"));
        for (text, why) in
            [("2026-11-30", "is over"), (NOW, "is over"), ("next year", "is no time"), ("", "is no time")]
        {
            let told = end(text, now()).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn a_token_is_handed_over_only_where_a_person_hands_tokens_over() {
        let token = |status: Value| -> ArtifactToken {
            serde_json::from_value(json!({
                "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": {"name": "seal"},
                "spec": {
                    "serviceRef": {"name": "seal"}, "rotation": {"policy": "Disabled"},
                    "secret": {"name": "seal", "data": [{"key": "token", "format": "Raw"}]},
                },
                "status": status,
            }))
            .unwrap()
        };
        let open =
            json!({"attempt": 1, "nonce": "k3f9q2ax", "time": NOW, "handOver": {"uid": "u1", "resourceVersion": "1"}});
        let mut failed = open.clone();
        failed["outcome"] = json!("Failed");
        let mut generated = current("5");
        generated.as_object_mut().unwrap().remove("handOver");
        for (status, why) in [
            (json!({"conditions": says("HandOverDue", "HandOverDue", DUE)}), None),
            (json!({"observedGeneration": 1, "current": current("5")}), None),
            (json!({"observedGeneration": 1, "claim": open}), None),
            (json!({"observedGeneration": 1, "claim": failed}), Some("does not ask for a token")),
            (json!({"observedGeneration": 1, "current": generated}), Some("does not ask for a token")),
            (json!({"observedGeneration": -1}), Some("has not looked at seal yet")),
            (Value::Null, Some("has not looked at seal yet")),
        ] {
            let told = hindrance(&token(status.clone()));
            assert_eq!(told.is_some(), why.is_some(), "{status}: {told:?}");
            assert!(told.unwrap_or_default().contains(why.unwrap_or_default()), "{status}");
        }
        let mut deleted = token(json!({"current": current("5")}));
        deleted.metadata.deletion_timestamp = serde_json::from_value(json!(NOW)).unwrap();
        assert!(hindrance(&deleted).unwrap().contains("is being deleted"));
    }

    #[test]
    fn the_secret_has_the_token_alone_in_the_place_of_what_was_there() {
        let first = offer(None, "ci", "seal", " abc\r\n", None, now()).unwrap();
        assert_eq!((first.name_any().as_str(), first.labels()[HAND_OVER].as_str()), ("seal-hand-over", "seal"));
        assert_eq!(json!(first.data), json!({"token": "YWJj"}));
        let mut there = Secret { data: Some([("junk".to_owned(), ByteString(Vec::new()))].into()), ..first };
        there.metadata.resource_version = Some("5".to_owned());
        there.metadata.labels = Some([("team".to_owned(), "ci".to_owned())].into());
        let second = offer(Some(there), "ci", "seal", "def", end("2026-12-01", now()).ok(), now()).unwrap();
        assert_eq!(second.data.as_ref().unwrap()[EXPIRATION_KEY].0, b"2026-12-01T00:00:00Z");
        assert_eq!(second.data.as_ref().unwrap().len(), 2);
        assert_eq!((second.resource_version().as_deref(), second.labels()["team"].as_str()), (Some("5"), "ci"));
        for (value, why) in [(" \n", "there is no token"), ("abc def", "a blank"), ("abc\ndef", "a line break")] {
            let told = offer(None, "ci", "seal", value, None, now()).unwrap_err();
            assert!(told.contains(why) && !told.contains("abc"), "{told}");
        }
    }

    #[test]
    fn a_token_is_taken_up_when_the_very_version_that_was_written_is_the_current_one() {
        let judged = |version: &str| outcome(status(json!({"current": current("5")})), &written(version), None, None);
        assert!(
            matches!(judged("5"), Some(Outcome::TakenUp(status)) if status.ledger.current.as_ref().unwrap().attempt == 2)
        );
        assert_eq!(judged("6"), None, "an earlier one is");
    }

    #[test]
    fn a_refusal_counts_unless_it_is_about_an_earlier_version() {
        let judged = |message: &str, stale: Option<&str>, news: Option<&str>| {
            let status = status(json!({"conditions": says("HandOverDue", "HandOverDue", message)}));
            outcome(status, &written("5"), stale, news.map(str::to_owned))
        };
        let refused = |why: &str| Some(Outcome::Refused(why.to_owned()));
        assert_eq!(judged(DUE, None, None), None);
        assert_eq!(judged(REFUSAL, None, None), refused(REFUSAL));
        assert_eq!(judged(REFUSAL, Some(REFUSAL), None), None);
        assert_eq!(judged(REFUSAL, Some("another is not taken up: x"), None), refused(REFUSAL));
        assert_eq!(judged(REFUSAL, Some(REFUSAL), Some("the event")), refused("the event"));
    }

    #[test]
    fn old_tokens_are_told_once_with_the_place_or_the_time() {
        let (over, later) = (superseded(1, "2026-11-30T11:00:00Z"), superseded(2, "2026-11-30T18:00:00Z"));
        let by_hand = says("RevocationPending", "RevokeByHand", "revoke by hand (Settings > Tokens): attempt 1");
        let told = to_revoke(&status(json!({"conditions": by_hand, "superseded": [over, later]})), now());
        assert_eq!(told[0], "Now revoke by hand (Settings > Tokens): attempt 1");
        assert!(told.len() == 2 && told[1].contains("****x7Qd of attempt 2"), "{told:?}");
        assert!(told[1].contains("not before 2026-11-30T18:00:00Z"), "{told:?}");
        let waits = says("RevocationPending", "OverlapActive", "attempt 2 is to be revoked by hand");
        let told = to_revoke(&status(json!({"conditions": waits, "superseded": [later]})), now());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(to_revoke(&status(json!({})), now()).is_empty());
    }
}
