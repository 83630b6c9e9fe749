//! What people ask of a single token: when it expires, when it is rotated, whether an old one lives. One series for each object, which
//! vanishes with it.

use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::api::artifact_token::ArtifactToken;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::ledger::{ArtifactTokenStatus, Current, Ledger, Superseded};
use crate::api::reason::Reason;
use crate::api::time::Time;

/// With more objects than this, they have series of their own only where that is asked for.
const MOST_OBJECTS: usize = 2000;

/// Whether each object has series of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ObjectMetrics {
    /// While there are not too many.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl ObjectMetrics {
    /// Whether so many objects have them.
    pub(super) fn has(self, objects: usize) -> bool {
        match self {
            Self::Auto => objects <= MOST_OBJECTS,
            Self::On => true,
            Self::Off => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    namespace: String,
    name: String,
    service_kind: &'static str,
    service_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    #[prometheus(flatten)]
    object: Labels,
    condition: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    #[prometheus(flatten)]
    object: Labels,
    state: &'static str,
}

type Labelled<'a> = (Labels, &'a ArtifactToken);

fn labels(object: &ArtifactToken) -> Labels {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Labels {
        namespace: text(&object.metadata.namespace),
        name: text(&object.metadata.name),
        service_kind: object.spec.service_ref.kind.name(),
        service_name: object.spec.service_ref.name.clone(),
    }
}

/// The series of these objects.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, objects: &[Arc<ArtifactToken>], now: Time) -> fmt::Result {
    let objects: Vec<Labelled<'_>> = objects.iter().map(|object| (labels(object), &**object)).collect();
    ready(encoder, &objects)?;
    for (name, help, value) in TIMES {
        gauge(encoder, name, help, &objects, |object| Some(seconds(value(object.status.as_ref()?)?)))?;
    }
    let help = "When the next rotation that the operator makes is due";
    gauge(encoder, "next_rotation_timestamp_seconds", help, &objects, next_rotation)?;
    let help = "Whether spec.suspend is true";
    gauge(encoder, "suspended", help, &objects, |object| Some(object.spec.suspend.into()))?;
    superseded(encoder, &objects, now)
}

/// The time of a gauge, if the object has one.
type TimeOf = fn(&ArtifactTokenStatus) -> Option<Time>;

const TIMES: [(&str, &str, TimeOf); 4] = [
    ("expiration_timestamp_seconds", "When the current token expires, as far as that is known", |status| {
        current(status)?.expiration_time
    }),
    ("issued_timestamp_seconds", "When the current token was generated", |status| Some(current(status)?.issued_time)),
    (
        "last_used_timestamp_seconds",
        "When the current token was last used, where the list of the service says so",
        |status| current(status)?.last_used_time,
    ),
    ("revocation_due_timestamp_seconds", "When the first superseded token is due to be revoked", |status| {
        status.ledger.superseded.iter().map(|old| old.revoke_after_time).min()
    }),
];

/// A person who is asked for the next token is no rotation, and one that is being deleted gets none.
fn next_rotation(object: &ArtifactToken) -> Option<i64> {
    let status = object.status.as_ref().filter(|_| object.metadata.deletion_timestamp.is_none())?;
    let by_hand = status.conditions.iter().any(|told| told.type_ == ConditionType::HandOverDue);
    status.next_rotation_time.filter(|_| !by_hand).map(seconds)
}

fn current(status: &ArtifactTokenStatus) -> Option<&Current> {
    status.ledger.current.as_ref()
}

fn seconds(time: Time) -> i64 {
    time.to_utc().timestamp()
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    objects: &[Labelled<'_>],
    value: impl Fn(&ArtifactToken) -> Option<i64>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, object) in objects {
        if let Some(value) = value(object) {
            ConstGauge::new(value).encode(family.encode_family(labels)?)?;
        }
    }
    Ok(())
}

/// One series for each status that `Ready` can have: the one that it has is 1.
fn ready(encoder: &mut DescriptorEncoder<'_>, objects: &[Labelled<'_>]) -> fmt::Result {
    let help = "Whether the condition Ready has this status";
    let mut family = encoder.encode_descriptor("ready_status", help, None, MetricType::Gauge)?;
    for (object, token) in objects {
        let (status, _) = readiness(token);
        for condition in ConditionStatus::ALL.map(ConditionStatus::name) {
            let value = i64::from(condition == status);
            let labels = ConditionLabels { object: object.clone(), condition };
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// Status and reason of `Ready`. An object without a status yet is on its way to its first token.
pub(super) fn readiness(token: &ArtifactToken) -> (&'static str, Reason) {
    let conditions = token.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions.into_iter().find(|condition| condition.type_ == ConditionType::Ready);
    ready.map_or((ConditionStatus::Unknown.name(), Reason::Issuing), |ready| (ready.status.name(), ready.reason))
}

/// Since when a superseded token should be dead: from the end of its overlap, from the deletion of its object, or because it leaked.
pub(super) fn owed_since(ledger: &Ledger, old: &Superseded, deleted: Option<Time>, now: Time) -> Option<Time> {
    let over = Some(old.revoke_after_time).filter(|over| *over <= now);
    let leaked = old.claimed_time.and_then(|claimed| leaked_since(ledger, claimed));
    over.into_iter().chain(deleted).chain(leaked).min()
}

/// Since when a token that was claimed then is known to have leaked.
pub(super) fn leaked_since(ledger: &Ledger, claimed: Time) -> Option<Time> {
    ledger.leak.as_ref().filter(|leak| leak.covers(claimed)).map(|leak| leak.claimed_before)
}

/// Superseded tokens in their overlap, and those that should be dead.
fn superseded(encoder: &mut DescriptorEncoder<'_>, objects: &[Labelled<'_>], now: Time) -> fmt::Result {
    let help = "Superseded tokens: pending in their overlap, owed after it";
    let mut family = encoder.encode_descriptor("superseded_tokens", help, None, MetricType::Gauge)?;
    for (object, token) in objects {
        let ledger = token.status.as_ref().map(|status| &status.ledger);
        let all = ledger.map_or(0, |ledger| ledger.superseded.len());
        let deleted = token.metadata.deletion_timestamp.as_ref().map(Time::from);
        let owed = |ledger: &Ledger| {
            ledger.superseded.iter().filter(|old| owed_since(ledger, old, deleted, now).is_some()).count()
        };
        let owed = ledger.map_or(0, owed);
        for (state, count) in [("pending", all - owed), ("owed", owed)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let labels = StateLabels { object: object.clone(), state };
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::text::encode as encode_text;
    use prometheus_client::registry::Registry;
    use serde_json::json;

    #[derive(Debug)]
    struct Objects(Vec<Arc<ArtifactToken>>);

    impl Collector for Objects {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            encode(&mut encoder, &self.0, Time::parse("2027-01-01T00:01:00Z").unwrap())
        }
    }

    fn page(objects: Vec<Arc<ArtifactToken>>) -> String {
        let (mut registry, mut page) = (Registry::with_prefix("artifacttoken"), String::new());
        registry.register_collector(Box::new(Objects(objects)));
        encode_text(&mut page, &registry).unwrap();
        page
    }

    fn object() -> Arc<ArtifactToken> {
        let time = "2027-01-01T00:00:00Z";
        let object = json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
            "metadata": {"name": "ci", "namespace": "team"},
            "spec": {
                "serviceRef": {"name": "s", "kind": "ClusterTokenService"}, "rotation": {"policy": "Disabled"},
                "secret": {"name": "t", "data": [{"key": "token", "format": "Raw"}]},
            },
            "status": {
                "conditions": [{"type": "Ready", "status": "True", "reason": "TokenValid", "message": "", "lastTransitionTime": time}],
                "current": {"attempt": 2, "id": "t2", "claimedTime": time, "issuedTime": time, "publishedTime": time,
                    "verifiedTime": time, "probed": true, "expirationTime": "2027-02-01T00:00:00Z"},
                "superseded": [
                    {"attempt": 1, "id": "t1", "revokeAfterTime": "2027-01-01T00:00:59Z"},
                    {"attempt": 0, "id": "t0", "revokeAfterTime": "2027-01-01T00:02:00Z"},
                ],
            },
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn each_object_says_what_people_ask_of_a_single_token() {
        let page = page(vec![object()]);
        let of = r#"namespace="team",name="ci",service_kind="ClusterTokenService",service_name="s""#;
        let seconds = |text: &str| seconds(Time::parse(text).unwrap());
        for (name, more, value) in [
            ("ready_status", r#",condition="True""#, 1),
            ("ready_status", r#",condition="False""#, 0),
            ("expiration_timestamp_seconds", "", seconds("2027-02-01T00:00:00Z")),
            ("issued_timestamp_seconds", "", seconds("2027-01-01T00:00:00Z")),
            ("revocation_due_timestamp_seconds", "", seconds("2027-01-01T00:00:59Z")),
            ("suspended", "", 0),
            ("superseded_tokens", r#",state="pending""#, 1),
            ("superseded_tokens", r#",state="owed""#, 1),
        ] {
            let line = format!("artifacttoken_{name}{{{of}{more}}} {value}\n");
            assert!(page.contains(&line), "{line}\n{page}");
        }
        assert!(!page.contains("last_used_timestamp_seconds{"), "nobody knows that");
    }

    #[test]
    fn too_many_objects_have_no_series_of_their_own_unless_somebody_asks_for_them() {
        let has = |each: ObjectMetrics| [MOST_OBJECTS, MOST_OBJECTS + 1].map(|objects| each.has(objects));
        assert_eq!(has(ObjectMetrics::Auto), [true, false]);
        assert_eq!(has(ObjectMetrics::On), [true, true]);
        assert_eq!(has(ObjectMetrics::Off), [false, false]);
    }
}
