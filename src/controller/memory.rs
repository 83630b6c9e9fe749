//! What this process alone knows of an object: values in hand, and what it saw. All of it may be lost at any time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::api::artifact_token::ArtifactToken;
use crate::api::time::Time;
use crate::rotation::ledger::backoff;
use crate::rotation::observed::{Hand, Ours, Pauses, Verdict};
use crate::rotation::report::Trouble;

/// The memories of all objects, by uid.
#[derive(Debug, Default)]
pub struct Memories(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    memories: HashMap<String, Arc<tokio::sync::Mutex<Memory>>>,
    released: VecDeque<String>,
}

/// Released objects remembered at most: the cache shows them for a moment longer.
const MOST_RELEASED: usize = 4096;

impl Memories {
    /// The memory of this object; a pass holds its lock from beginning to end. `None` once this process released it.
    pub fn of(&self, uid: &str) -> Option<Arc<tokio::sync::Mutex<Memory>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.released.iter().any(|released| released == uid) {
            return None;
        }
        Some(all.memories.entry(uid.to_owned()).or_default().clone())
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.memories.remove(uid);
        all.released.push_back(uid.to_owned());
        if all.released.len() > MOST_RELEASED {
            all.released.pop_front();
        }
    }
}

/// One object's.
#[derive(Debug, Default)]
pub struct Memory {
    /// The object as this process wrote it last; the cache may lag behind it.
    pub object: Option<Arc<ArtifactToken>>,
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
    /// The sweep of the service saw a token of this object that its ledger does not know.
    pub suspected: bool,
    /// When the turn of this object comes in the answer to a leak at the service, by the time that was asked for.
    pub leak_turn: Option<(Time, Time)>,
    /// Steps that failed in passing.
    pub retries: Retries,
    /// The last of them, for people, until a step of its kind succeeds.
    pub trouble: Option<(Kind, Trouble)>,
}

/// The Secret as it was seen last.
#[derive(Clone, Debug)]
pub struct SeenSecret {
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
pub struct Held {
    /// The attempt.
    pub attempt: u32,
    /// When it was claimed, as the ledger has it.
    pub claimed: Time,
    /// Past this it is given up; on the monotonic clock, from before the claim was sent.
    pub deadline: Instant,
    /// The digest of what it asks for.
    pub wish: String,
    /// The value of the annotation `rotate-requested-at` that it fulfils.
    pub request: Option<String>,
    /// The Secrets as they were before the claim.
    pub base: Vec<Option<u64>>,
    /// The ids of the tokens that they held.
    pub replaces: Vec<String>,
    /// The service's answer.
    pub value: Option<HeldValue>,
}

/// A value in hand.
#[derive(Debug)]
pub struct HeldValue {
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
    pub fn hand(&self, now: Time) -> Hand {
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
pub enum Kind {
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
pub struct Retries {
    counts: HashMap<Kind, u32>,
    pauses: Pauses,
}

/// The longest back-off of a step that failed in passing.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Retries {
    /// The pauses now.
    pub fn pauses(&self) -> Pauses {
        self.pauses
    }

    /// A step failed: it pauses for its back-off, or for what the other side asked for if that is longer.
    pub fn failed(&mut self, kind: Kind, first: Duration, at_least: Duration, now: Time) -> Time {
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let delay = backoff(first, *count).min(LONGEST_PAUSE).max(at_least);
        let until = now.plus(delay);
        *self.slot(kind) = Some(until);
        until
    }

    /// A step succeeded.
    pub fn succeeded(&mut self, kind: Kind) {
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
