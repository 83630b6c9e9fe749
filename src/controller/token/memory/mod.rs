//! What this process alone knows of an object: values in hand, and what it saw. All of it may be lost at any time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use secrecy::SecretString;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::{Lost, MAX_LOST};
use crate::api::time::Time;
use crate::controller::token::secret_index::older;
use crate::rotation::ledger::backoff;
use crate::rotation::observed::{Hand, Ours, Pauses, Verdict};
use crate::rotation::report::Trouble;
use crate::service::client::Places;

/// One object's.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The object as this process wrote it last; the cache may lag behind it.
    pub object: Option<SeenObject>,
    /// The version that the cache had at the beginning of the last pass.
    pub cached: String,
    /// The same, if it is of a store that is no more: what this process read is newer, until the cache has another one.
    pub stale: Option<String>,
    /// The store was put back to an earlier state, and the current token was not seen accepted since.
    pub restored: bool,
    /// The last claims of this process, for a store that forgets them.
    pub claims: VecDeque<Lost>,
    /// Those that it forgot, until the ledger has them again.
    pub forgotten: Vec<Lost>,
    /// The attempt in hand.
    pub held: Option<Held>,
    /// Values by token id: the previous one during a rotation, superseded ones until they are proved dead.
    pub values: BTreeMap<String, SecretString>,
    /// The Secret as it was seen last.
    pub secret: Option<SeenSecret>,
    /// A digest of the current token's value, by its id: tells an edit by hand without keeping the value.
    pub digest: Option<(String, [u8; 32])>,
    /// When the current token was last seen accepted.
    pub accepted: Option<Time>,
    /// When a complete list was last seen.
    pub swept: Option<Time>,
    /// When the turn of this object comes in the answer to a leak at the service, by the time that was asked for.
    pub leak_turn: Option<(Time, Time)>,
    /// Steps that failed in passing.
    pub retries: Retries,
    /// The last of them, for people, until a step of its kind succeeds.
    pub trouble: Option<(Kind, Trouble)>,
}

/// The object as this process wrote or read it last.
#[derive(Clone, Debug)]
pub(crate) struct SeenObject {
    /// The object.
    pub object: Arc<ArtifactToken>,
    /// When the answer came: a list that was begun later has it, or something newer.
    pub at: Instant,
}

impl Memory {
    /// The newer of what the cache has, by a list that was begun at `listed` and the events since, and what this process wrote.
    pub(crate) fn newest(&mut self, cached: Arc<ArtifactToken>, listed: Instant) -> Arc<ArtifactToken> {
        self.cached = version(&cached);
        self.stale.take_if(|stale| *stale != self.cached);
        let Some(own) = &self.object else { return cached };
        let newer = !older(&version(&own.object), &self.cached);
        if own.at >= listed && (newer || self.stale.is_some()) {
            return own.object.clone();
        }
        // A later list has everything that was written before it, in a version that is not older.
        let went_back = own.at < listed && older(&version(&cached), &version(&own.object));
        self.object = None;
        if went_back {
            self.went_back(&cached);
        }
        cached
    }

    /// Takes note of the object as the API server has it now, whatever version it had before.
    pub(crate) fn keep(&mut self, object: Arc<ArtifactToken>, before: &ArtifactToken) {
        let went_back = older(&version(&object), &version(before));
        if went_back {
            self.went_back(&object);
            self.stale = Some(self.cached.clone()).filter(|cached| older(&version(&object), cached));
        }
        self.object = Some(SeenObject { object, at: Instant::now() });
    }

    /// The store was put back: what was seen since is not so, and what was claimed since may live at the service.
    fn went_back(&mut self, object: &ArtifactToken) {
        let known = object.status.as_ref().map_or(0, |status| status.ledger.highest_attempt());
        self.forgotten = self.claims.iter().filter(|claim| claim.attempt > known).cloned().collect();
        (self.secret, self.accepted, self.swept) = (None, None, None);
        self.restored = true;
    }

    /// Takes note of a claim of this process.
    pub(crate) fn claimed(&mut self, claim: Lost) {
        self.claims.push_back(claim);
        if self.claims.len() > MAX_LOST {
            self.claims.pop_front();
        }
    }
}

fn version(object: &ArtifactToken) -> String {
    object.resource_version().unwrap_or_default()
}

/// The Secret as it was seen last.
#[derive(Clone, Debug)]
pub(crate) struct SeenSecret {
    /// Its version.
    pub version: String,
    /// What the decision needs of it.
    pub ours: Ours,
    /// Only the service can tell whether it still holds the current token.
    pub doubtful: bool,
    /// When it was read.
    pub at: Instant,
}

/// An attempt in hand.
#[derive(Debug)]
pub(crate) struct Held {
    /// The attempt.
    pub attempt: u32,
    /// When it was claimed, as the ledger has it.
    pub claimed: Time,
    /// Past this it is given up; on the monotonic clock, from before the claim was sent.
    pub deadline: Instant,
    /// The digest of what it asks for.
    pub request_digest: String,
    /// The Secrets as they were before the claim.
    pub base: Vec<Option<u64>>,
    /// The ids of the tokens that they held.
    pub replaces: Vec<String>,
    /// The places in the rate limit that were taken before the claim.
    pub places: Places,
    /// The service's answer.
    pub value: Option<HeldValue>,
}

/// A value in hand.
#[derive(Debug)]
pub(crate) struct HeldValue {
    /// The token's id.
    pub id: String,
    /// Its value.
    pub value: SecretString,
    /// When it expires.
    pub expiration: Option<Time>,
    /// When the service answered.
    pub issued: Time,
    /// What the service said of it before publishing.
    pub trial: Option<Verdict>,
    /// When the Secret was written with it.
    pub published: Option<Time>,
    /// A publish was sent, and was not refused for certain.
    pub sent: bool,
}

impl Held {
    /// For the decision. The deadline is given as a time that lies as far from `now` as the monotonic clock says.
    pub(crate) fn hand(&self, now: Time) -> Hand {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let deadline = now.plus(left);
        match &self.value {
            None => Hand::Claim { attempt: self.attempt, deadline },
            Some(value) => Hand::Value {
                attempt: self.attempt,
                id: value.id.clone(),
                deadline,
                issued: value.issued,
                trial: value.trial,
                base: self.base.clone(),
                sent: value.sent,
            },
        }
    }
}

/// The kinds of step that fail in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Generate, and with it the claim.
    Generate,
    /// Try and Verify.
    Verify,
    /// Sweep.
    Sweep,
    /// Writes and reads of the Secret.
    Secret,
}

/// Back-off of steps that failed in passing; nothing of it needs to survive the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retries {
    counts: HashMap<Kind, u32>,
    pauses: Pauses,
}

/// The longest back-off of a step that failed in passing.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Retries {
    /// The pauses now.
    pub(crate) fn pauses(&self) -> Pauses {
        self.pauses
    }

    /// A step failed: it pauses for its back-off, or for what the other side asked for if that is longer.
    pub(crate) fn failed(&mut self, kind: Kind, first: Duration, at_least: Duration, now: Time) -> Time {
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let delay = backoff(first, *count).min(LONGEST_PAUSE).max(at_least);
        let until = now.plus(delay);
        *self.slot(kind) = Some(until);
        until
    }

    /// A step succeeded.
    pub(crate) fn succeeded(&mut self, kind: Kind) {
        self.counts.remove(&kind);
        *self.slot(kind) = None;
    }

    fn slot(&mut self, kind: Kind) -> &mut Option<Time> {
        match kind {
            Kind::Generate => &mut self.pauses.generate,
            Kind::Verify => &mut self.pauses.verify,
            Kind::Sweep => &mut self.pauses.sweep,
            Kind::Secret => &mut self.pauses.secret,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn object(version: &str, attempt: Option<u32>) -> Arc<ArtifactToken> {
        let claim = attempt.map(|attempt| {
            serde_json::json!({"claim": {"attempt": attempt, "nonce": "x", "time": "2026-01-01T00:00:00Z", "outcome": "Verified"}})
        });
        let object = serde_json::json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
            "metadata": {"name": "ci", "resourceVersion": version},
            "spec": {
                "serviceRef": {"name": "reference"}, "rotation": {"policy": "Disabled"},
                "secret": {"name": "ci", "data": [{"key": "token", "format": "Raw"}]},
            },
            "status": claim,
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn claimed(memory: &mut Memory, attempt: u32) {
        memory.claimed(Lost { attempt, nonce: attempt.to_string(), time: Time::from_millis(0) });
    }

    #[test]
    fn a_cache_that_lags_does_not_count_and_one_that_is_ahead_does() {
        let (mut memory, listed) = (Memory::default(), Instant::now());
        memory.keep(object("9", None), &object("8", None));
        assert_eq!(version(&memory.newest(object("8", None), listed)), "9");
        assert_eq!(version(&memory.newest(object("10", None), listed)), "10");
        assert!(!memory.restored && memory.forgotten.is_empty());
    }

    #[test]
    fn a_later_list_with_an_older_version_is_of_a_store_that_was_put_back() {
        let mut memory = Memory::default();
        (1..=3).for_each(|attempt| claimed(&mut memory, attempt));
        memory.keep(object("9", Some(3)), &object("8", Some(3)));
        assert_eq!(version(&memory.newest(object("5", Some(1)), Instant::now())), "5");
        assert!(memory.restored && memory.object.is_none());
        let forgotten: Vec<_> = memory.forgotten.iter().map(|lost| lost.attempt).collect();
        assert_eq!(forgotten, [2, 3], "the store knows the first");
    }

    #[test]
    fn a_live_read_that_went_back_counts_more_than_a_cache_that_stands_still() {
        let (mut memory, listed) = (Memory::default(), Instant::now());
        assert_eq!(version(&memory.newest(object("9", None), listed)), "9");
        memory.keep(object("5", None), &object("9", None));
        memory.keep(object("6", None), &object("5", None));
        assert!(memory.restored);
        assert_eq!(version(&memory.newest(object("9", None), listed)), "6");
        assert_eq!(version(&memory.newest(object("5", None), listed)), "6", "it lags, but is of the same store");
        assert_eq!(version(&memory.newest(object("7", None), listed)), "7");
    }
}
