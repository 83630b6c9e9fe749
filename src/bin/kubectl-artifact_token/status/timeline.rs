//! What happened to the tokens of an object, what lives now, and what happens next: from its ledger. Pure.

use std::collections::BTreeSet;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::ledger::{ArtifactTokenStatus, Ledger, Proof, Superseded};
use artifact_token_operator::api::time::Time;
use serde::Serialize;

/// So many events of the past are shown.
const PAST: usize = 12;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub time: Time,
    pub what: String,
    /// Whether this is the line of the present.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
}

/// All events in their order, with a line for now. What is overdue comes after it.
pub fn timeline(token: &ArtifactToken, now: Time) -> Vec<Event> {
    let status = token.status.clone().unwrap_or_default();
    let (mut past, mut future) = (past(&status.ledger, now), future(token, &status, now));
    past.sort_by_key(|event| event.time);
    future.sort_by_key(|event| event.time);
    let mut events = past.split_off(past.len().saturating_sub(PAST));
    events.push(Event { time: now, what: format!("now: {}", living(&status.ledger, now)), now: true });
    events.extend(future);
    events
}

fn event(time: Time, what: String) -> Event {
    Event { time, what, now: false }
}

fn past(ledger: &Ledger, now: Time) -> Vec<Event> {
    let mut events = Vec::new();
    for dead in &ledger.history {
        let how = match dead.proof {
            Proof::Refused => "the service refuses it",
            Proof::Unlisted => "the service lists it no more",
            Proof::Answered => "the service said so",
        };
        events.push(event(dead.revoked_time, format!("attempt {} is dead: {how}", dead.attempt)));
    }
    if let Some(current) = &ledger.current {
        let attempt = current.attempt;
        let made = if current.hand_over.is_some() { "handed over" } else { "generated" };
        let verified = if current.probed { "verified" } else { "counts as verified, unasked" };
        events.push(event(current.issued_time, format!("attempt {attempt} {made}")));
        events.push(event(current.published_time, format!("Secret updated to attempt {attempt}")));
        events.push(event(current.verified_time, format!("attempt {attempt} {verified}")));
        let refused = current.refused_time.map(|time| event(time, format!("the service refuses attempt {attempt}")));
        let rejected = current.rejected_time.map(|time| event(time, format!("attempt {attempt} is dead")));
        events.extend(refused.into_iter().chain(rejected));
    }
    if let Some(claim) = ledger.claim.as_ref().filter(|claim| claim.outcome.is_none()) {
        events.push(event(claim.time, format!("attempt {} claimed", claim.attempt)));
    }
    let ended = ledger.current.iter().filter_map(|current| Some((current.attempt, current.expiration_time?)));
    events.extend(
        ended.filter(|(_, end)| *end <= now).map(|(attempt, end)| event(end, format!("attempt {attempt} expired"))),
    );
    if let Some(leak) = &ledger.leak {
        events.push(event(leak.claimed_before, "tokens from before this time leaked".to_owned()));
    }
    events
}

fn future(token: &ArtifactToken, status: &ArtifactTokenStatus, now: Time) -> Vec<Event> {
    let ledger = &status.ledger;
    let mut events: Vec<Event> = ledger.superseded.iter().map(|old| revoke(old, now)).collect();
    if let Some(failures) = &ledger.failures {
        let what = format!("next try, after {} failures: {}", failures.count, failures.reason);
        events.push(due(failures.next_try_time, now, what));
    }
    let suspended = if token.spec.suspend { ", but the object is suspended" } else { "" };
    let next = status.next_rotation_time.map(|time| due(time, now, format!("next rotation{suspended}")));
    let end = ledger.current.iter().filter_map(|current| Some((current.attempt, current.expiration_time?)));
    let end = end.filter(|(_, end)| *end > now).map(|(attempt, end)| event(end, format!("attempt {attempt} expires")));
    events.extend(next.into_iter().chain(end));
    events
}

fn revoke(old: &Superseded, now: Time) -> Event {
    let time = old.next_try_time.unwrap_or_default().max(old.revoke_after_time);
    let by = if old.handed_over { "to be revoked by you" } else { "revoked" };
    let why = if old.failure.is_empty() { String::new() } else { format!("; the last try failed: {}", old.failure) };
    due(time, now, format!("attempt {} is {by}{why}", old.attempt))
}

/// What happens at that time, or is due since then.
fn due(time: Time, now: Time, what: String) -> Event {
    let late = if time < now { format!(" (due since {time})") } else { String::new() };
    event(time.max(now), format!("{what}{late}"))
}

/// Which tokens may live, and which of them are in doubt.
fn living(ledger: &Ledger, now: Time) -> String {
    let mut told = Vec::new();
    let mut valid: BTreeSet<u32> =
        ledger.superseded.iter().filter(|old| old.rejected_time.is_none()).map(|old| old.attempt).collect();
    if let Some(current) = &ledger.current {
        let attempt = current.attempt;
        let over = current.expiration_time.is_some_and(|end| end <= now);
        match (current.refused_time, &current.unclear) {
            _ if over || current.rejected_time.is_some() => told.push(format!("attempt {attempt} does not work")),
            (Some(since), _) => told.push(format!("the service refuses attempt {attempt} since {since}")),
            (None, Some(unclear)) => {
                told.push(format!("attempt {attempt} is not verified since {}", unclear.since_time))
            }
            (None, None) => drop(valid.insert(attempt)),
        }
    }
    let all: Vec<String> = valid.iter().map(u32::to_string).collect();
    match all.as_slice() {
        [] => {}
        [one] => told.push(format!("attempt {one} is valid")),
        [one, other] => told.push(format!("attempts {one} and {other} are both valid")),
        all => told.push(format!("attempts {} may all be valid", all.join(", "))),
    }
    let open = ledger.claim.iter().filter(|claim| claim.outcome.is_none()).map(|claim| claim.attempt);
    let lost = ledger.lost.iter().map(|lost| lost.attempt).chain(ledger.possibly_lost.iter().map(|lost| lost.attempt));
    let unseen: BTreeSet<u32> = open.chain(lost).collect();
    told.extend(unseen.iter().map(|attempt| format!("a token of attempt {attempt} may live")));
    if told.is_empty() { "no token is known to live".to_owned() } else { told.join("; ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rotation_in_its_overlap_shows_what_was_what_is_and_what_comes() {
        let token: ArtifactToken = serde_json::from_value(json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": {"name": "ci"},
            "spec": {"serviceRef": {"name": "r"}, "rotation": {"policy": "Disabled"},
                "secret": {"name": "ci-token", "data": [{"key": "token", "format": "Raw"}]}},
            "status": {
                "current": {"attempt": 7, "id": "7", "claimedTime": "2026-10-01T03:01:57Z", "issuedTime": "2026-10-01T03:01:58Z",
                    "publishedTime": "2026-10-01T03:01:59Z", "verifiedTime": "2026-10-01T03:02:11Z", "probed": true},
                "superseded": [{"attempt": 6, "id": "6", "revokeAfterTime": "2026-10-01T09:02:11Z"}],
                "history": [{"attempt": 5, "id": "5", "revokedTime": "2026-09-01T09:00:00Z", "proof": "Refused"}],
                "nextRotationTime": "2026-10-31T03:00:00Z",
            },
        }))
        .unwrap();
        let lines: Vec<String> = timeline(&token, Time::parse("2026-10-01T05:52:00Z").unwrap())
            .iter()
            .map(|event| format!("{} {}", event.time, event.what))
            .collect();
        let expected = [
            "2026-09-01T09:00:00Z attempt 5 is dead: the service refuses it",
            "2026-10-01T03:01:58Z attempt 7 generated",
            "2026-10-01T03:01:59Z Secret updated to attempt 7",
            "2026-10-01T03:02:11Z attempt 7 verified",
            "2026-10-01T05:52:00Z now: attempts 6 and 7 are both valid",
            "2026-10-01T09:02:11Z attempt 6 is revoked",
            "2026-10-31T03:00:00Z next rotation",
        ];
        assert_eq!(lines, expected);
        let late: Vec<String> = timeline(&token, Time::parse("2026-10-01T10:00:00Z").unwrap())
            .into_iter()
            .skip_while(|event| !event.now)
            .map(|event| event.what)
            .collect();
        let expected = [
            "now: attempts 6 and 7 are both valid",
            "attempt 6 is revoked (due since 2026-10-01T09:02:11Z)",
            "next rotation",
        ];
        assert_eq!(late, expected, "what is overdue is not done");
    }
}
