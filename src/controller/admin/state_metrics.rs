//! The state of all objects as gauges. Each scrape counts them again, so they are also right after a restart.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::api::artifact_token::ArtifactToken;
use crate::api::condition::{Condition, ConditionType};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::admin::object_metrics::{self, ObjectMetrics, leaked_since, owed_since, readiness};
use crate::controller::clock::Clock;

/// The objects of every scope that the operator runs over. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateMetrics {
    scopes: Arc<Mutex<Vec<Scope>>>,
    /// Whether each object has series of its own.
    each: ObjectMetrics,
}

/// The objects of one scope, and the clock that stamps the times in their ledgers.
#[derive(Debug)]
struct Scope {
    objects: Store<ArtifactToken>,
    clock: Clock,
}

/// The counts of one scrape. Labels are words of a fixed list, never names or ids.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Objects by the status and reason of `Ready`.
    objects: BTreeMap<(&'static str, Reason), i64>,
    /// Objects by what their other conditions say.
    conditions: BTreeMap<(&'static str, Reason), i64>,
    /// Tokens that should be dead but are not known to be.
    owed: i64,
    /// Since when the oldest of them that the operator revokes should be.
    owed_since: Option<Time>,
    /// Superseded tokens whose overlap is not over.
    pending: i64,
    /// Objects for which a person must make a token.
    hand_overs: Owed,
    /// Tokens that a person must revoke.
    by_hand: Owed,
}

/// What people owe: how much of it, and since when the oldest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Owed {
    count: i64,
    since: Option<Time>,
}

impl Owed {
    fn add(&mut self, since: Time) {
        self.count += 1;
        self.since = Some(self.since.map_or(since, |oldest| oldest.min(since)));
    }

    /// In seconds since 1970; 0 if nothing is owed.
    fn since_seconds(&self) -> i64 {
        self.since.map_or(0, |since| since.to_utc().timestamp())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadyLabels {
    ready: &'static str,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: &'static str,
    reason: String,
}

impl StateMetrics {
    /// Without objects yet.
    pub(crate) fn new(each: ObjectMetrics) -> Self {
        Self { scopes: Arc::default(), each }
    }

    /// Adds objects that each later scrape counts.
    pub(crate) fn include(&self, objects: Store<ArtifactToken>, clock: Clock) {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).push(Scope { objects, clock });
    }

    /// All objects as they are now, and the time.
    fn look(&self) -> (Vec<Arc<ArtifactToken>>, Time) {
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        // Waits are compared with the earlier reading, so a token is owed from the moment when the operator would revoke it. All scopes
        // have one clock.
        let now = scopes.first().map_or(Time::from_millis(0), |scope| scope.clock.now().waited());
        (scopes.iter().flat_map(|scope| scope.objects.state()).collect(), now)
    }
}

impl Counts {
    fn add(&mut self, token: &ArtifactToken, now: Time) {
        *self.objects.entry(readiness(token)).or_default() += 1;
        let Some(status) = &token.status else { return };
        for told in status.conditions.iter().filter(|told| told.type_ != ConditionType::Ready) {
            *self.conditions.entry((told.type_.name(), told.reason)).or_default() += 1;
        }
        let deleted = token.metadata.deletion_timestamp.as_ref().map(Time::from);
        for old in &status.ledger.superseded {
            match owed_since(&status.ledger, old, deleted, now) {
                Some(since) => self.owe((!old.handed_over).then_some(since)),
                None => self.pending += 1,
            }
        }
        if let Some(current) = &status.ledger.current {
            let leaked = leaked_since(&status.ledger, current.claimed_time);
            if let Some(since) = deleted.into_iter().chain(leaked).min() {
                self.owe(current.hand_over.is_none().then_some(since));
            }
        }
        let due = status.conditions.iter().find(|condition| condition.type_ == ConditionType::HandOverDue);
        if let Some(due) = due {
            self.hand_overs.add(due.last_transition_time);
        }
        let asks = |condition: &Condition| {
            condition.type_ == ConditionType::RevocationPending && condition.reason == Reason::RevokeByHand
        };
        let asked = status.conditions.iter().any(asks);
        status.ledger.to_revoke(deleted, |_| asked, now).iter().for_each(|token| self.by_hand.add(token.since));
    }

    /// Counts a token that should be dead, and since when, if the operator revokes it.
    fn owe(&mut self, since: Option<Time>) {
        self.owed += 1;
        self.owed_since = self.owed_since.into_iter().chain(since).min();
    }
}

impl Collector for StateMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (objects, now) = self.look();
        let mut counts = Counts::default();
        objects.iter().for_each(|token| counts.add(token, now));
        let each = self.each.has(objects.len());
        let help = "Whether each ArtifactToken has series of its own";
        let shown = encoder.encode_descriptor("object_metrics", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(each)).encode(shown)?;
        if each {
            object_metrics::encode(&mut encoder, &objects, now)?;
        }
        let help = "ArtifactTokens by status and reason of Ready";
        let mut family = encoder.encode_descriptor("objects", help, None, MetricType::Gauge)?;
        for ((ready, reason), count) in &counts.objects {
            let labels = ReadyLabels { ready, reason: reason.to_string() };
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let help = "ArtifactTokens with a condition beside Ready, by its reason";
        let mut family = encoder.encode_descriptor("objects_with_condition", help, None, MetricType::Gauge)?;
        for ((condition, reason), count) in &counts.conditions {
            let labels = ConditionLabels { condition, reason: reason.to_string() };
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Tokens that should be dead and are not known to be: past their overlap, or of a deleted object";
        let owed = encoder.encode_descriptor("revocations_owed", help, None, MetricType::Gauge)?;
        ConstGauge::new(counts.owed).encode(owed)?;
        let help = "Since when the oldest of them that the operator revokes should be dead, in seconds since 1970; 0 if there are none";
        let since =
            encoder.encode_descriptor("revocations_owed_since_timestamp_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(counts.owed_since.map_or(0, |since| since.to_utc().timestamp())).encode(since)?;
        let help = "Superseded tokens whose overlap is not over";
        let pending = encoder.encode_descriptor("revocations_pending", help, None, MetricType::Gauge)?;
        ConstGauge::new(counts.pending).encode(pending)?;
        owed_by_people(&mut encoder, &counts)
    }
}

/// What waits for a person, and since when.
fn owed_by_people(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    for (name, help, value) in [
        (
            "hand_overs_due",
            "ArtifactTokens for which a person must make a token and hand it over",
            counts.hand_overs.count,
        ),
        (
            "hand_overs_due_since_timestamp_seconds",
            "Since when the oldest of them waits, in seconds since 1970; 0 if none does",
            counts.hand_overs.since_seconds(),
        ),
        ("revocations_by_hand_due", "Tokens that a person must revoke at the service's pages", counts.by_hand.count),
        (
            "revocations_by_hand_due_since_timestamp_seconds",
            "Since when the oldest of them waits, in seconds since 1970; 0 if none does",
            counts.by_hand.since_seconds(),
        ),
    ] {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn counted(objects: &[(bool, Value)]) -> Counts {
        let mut counts = Counts::default();
        for (deleting, status) in objects {
            let mut object = json!({
                "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": {"name": "ci"},
                "spec": {
                    "serviceRef": {"name": "s"}, "rotation": {"policy": "Disabled"},
                    "secret": {"name": "t", "data": [{"key": "token", "format": "Raw"}]},
                },
                "status": status,
            });
            if *deleting {
                object["metadata"]["deletionTimestamp"] = json!("2027-01-01T00:00:00Z");
            }
            counts.add(&serde_json::from_value(object).unwrap(), Time::parse("2027-01-01T00:01:00Z").unwrap());
        }
        counts
    }

    fn superseded(revoke_after: &str) -> Value {
        json!({"attempt": 1, "id": "t1", "revokeAfterTime": revoke_after})
    }

    fn current() -> Value {
        let time = "2027-01-01T00:00:00Z";
        json!({"attempt": 2, "id": "t2", "claimedTime": time, "issuedTime": time, "publishedTime": time,
            "verifiedTime": time, "probed": true})
    }

    #[test]
    fn a_token_is_pending_in_its_overlap_and_owed_afterwards_or_once_its_object_is_deleted() {
        let (past, now, future) = ("2027-01-01T00:00:59Z", "2027-01-01T00:01:00Z", "2027-01-01T00:01:01Z");
        let with = |old: &[&str]| json!({"current": current(), "superseded": old.iter().map(|time| superseded(time)).collect::<Value>()});
        let check = |objects: &[(bool, Value)], owed: i64, pending: i64| {
            let counts = counted(objects);
            assert_eq!((counts.owed, counts.pending), (owed, pending), "{objects:?}");
        };
        check(&[], 0, 0);
        check(&[(false, Value::Null), (true, Value::Null)], 0, 0);
        check(&[(false, with(&[]))], 0, 0);
        check(&[(false, with(&[past, now, future]))], 2, 1);
        check(&[(true, with(&[past, now, future]))], 4, 0);
        check(&[(false, with(&[past])), (true, with(&[])), (false, with(&[future]))], 2, 1);
    }

    #[test]
    fn objects_are_counted_by_what_ready_says() {
        let ready = |status: &str, reason: &str| {
            let other = json!({"type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "",
                "lastTransitionTime": "2027-01-01T00:00:00Z"});
            let mut ready = other.clone();
            (ready["type"], ready["status"], ready["reason"]) = (json!("Ready"), json!(status), json!(reason));
            (false, json!({"conditions": [other, ready]}))
        };
        let counts = counted(&[
            ready("True", "TokenValid"),
            ready("True", "TokenValid"),
            ready("False", "Issuing"),
            (false, Value::Null),
        ]);
        let expected =
            [(("False", Reason::Issuing), 1), (("True", Reason::TokenValid), 2), (("Unknown", Reason::Issuing), 1)];
        assert_eq!(counts.objects, BTreeMap::from(expected));
    }

    #[test]
    fn what_people_owe_is_counted_with_the_time_of_the_oldest() {
        let due = |since: &str| {
            json!({"type": "HandOverDue", "status": "True", "reason": "HandOverDue", "message": "",
                "lastTransitionTime": since})
        };
        let old =
            |after: &str| json!({"attempt": 1, "id": "hand-over-1", "handedOver": true, "revokeAfterTime": after});
        let (past, future) = ("2027-01-01T00:00:10Z", "2027-01-01T00:02:00Z");
        let mut asked = due("2027-01-01T00:00:11Z");
        (asked["type"], asked["reason"]) = (json!("RevocationPending"), json!("RevokeByHand"));
        let counts = counted(&[
            (false, json!({"conditions": [due("2026-12-01T00:00:00Z"), asked], "superseded": [old(past)]})),
            (false, json!({"conditions": [due("2026-11-01T00:00:00Z")], "superseded": [old(future)]})),
        ]);
        let seconds = |text: &str| Time::parse(text).unwrap().to_utc().timestamp();
        assert_eq!((counts.hand_overs.count, counts.by_hand.count), (2, 1));
        assert_eq!(counts.hand_overs.since_seconds(), seconds("2026-11-01T00:00:00Z"));
        assert_eq!(counts.by_hand.since_seconds(), seconds(past));
        assert_eq!(counted(&[]).hand_overs.since_seconds(), 0);
    }
}
