//! What only this process knows of an object: the attempt in flight, and what the process saw. All of it may be lost at any
//! time.

pub(crate) mod by_hand;
pub(crate) mod corrections;
pub(crate) mod in_flight;
pub(crate) mod retries;
pub(crate) mod signs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Lost, MAX_LOST, Unclear};
use crate::api::time::Time;
use crate::controller::token::secret_index::older;
use crate::controller::value_digest::ValueDigest;
use crate::rotation::desired::Halt;
use crate::rotation::observed::Ours;
use crate::rotation::report::TransientFailure;
use crate::rotation::step_kind::Cause;
use crate::rotation::telling::Telling;

use by_hand::ByHand;
use corrections::Corrections;
use in_flight::Attempt;
use retries::Retries;
use signs::Signs;

/// The memory of one object.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The object as this process wrote it last; the cache may lag behind it.
    pub object: Option<SeenObject>,
    /// The version that the cache had at the beginning of the last pass.
    pub cached: String,
    /// The version in the cache, if it comes from before the store was restored. What this process read is newer, until the cache
    /// has another version.
    pub stale: Option<String>,
    /// The store was restored to an earlier state, and the service has not accepted the current token since.
    pub restored: bool,
    /// The last claims of this process that the ledger still has, in case the store loses them.
    pub claims: VecDeque<Lost>,
    /// The claims that the store lost, until the ledger has them again.
    pub forgotten: Vec<Lost>,
    pub in_flight: Option<Attempt>,
    /// Tokens that a person hands over and revokes.
    pub by_hand: ByHand,
    /// Values by token id: the previous one during a rotation, superseded ones until they are proved dead.
    pub values: BTreeMap<TokenId, SecretString>,
    /// What the service said of tokens that are to die, where that proves nothing yet.
    pub signs: BTreeMap<TokenId, Signs>,
    /// Listed ids that the service does not accept as tokens.
    pub no_tokens: BTreeSet<TokenId>,
    pub secret: Option<SeenSecret>,
    /// The current token's id and the digest of its value.
    pub digest: Option<(TokenId, ValueDigest)>,
    /// When the current token was last seen accepted.
    pub accepted: Option<Time>,
    /// The refusals of the current token since it was last seen accepted.
    pub refusals: Option<SeenRefusals>,
    /// The answers about the current token that say nothing.
    pub unclear: Option<SeenUnclear>,
    /// When the service last gave a complete list.
    pub swept: Option<Time>,
    /// The time that the answer to a leak at the service names, and when this object's turn in that answer comes.
    pub leak_turn: Option<(Time, Time)>,
    /// What may live when the object goes was reported.
    pub reported_survivors: bool,
    /// Steps that had a transient failure.
    pub retries: Retries,
    /// The last transient failure, for people, for as long as it matters.
    pub transient_failure: Option<(Cause, TransientFailure)>,
    /// Why the Secret or the service last forbade a new token, until something shows that this is over, and the generation of the spec that
    /// it was about.
    pub forbidden: Option<(i64, Halt)>,
    /// The status with which the service last refused a fresh token.
    pub refused_with: Option<u16>,
    /// Corrections of the Secret in a row.
    pub corrections: Corrections,
    /// When this process wrote the status only to tell something.
    pub telling: Telling,
}

/// So long after an answer that says nothing, the next one belongs to the same row. It is asked for at least once a minute.
const UNCLEAR_ROW: Duration = Duration::from_secs(300);

/// Answers about a token that say nothing.
#[derive(Clone, Debug)]
pub(crate) struct SeenUnclear {
    pub id: TokenId,
    /// The first of them.
    pub unclear: Unclear,
    /// When the last one came.
    pub last: Time,
    /// This process recorded them.
    pub recorded: bool,
}

/// The object as this process wrote or read it last.
#[derive(Clone, Debug)]
pub(crate) struct SeenObject {
    pub object: Arc<ArtifactToken>,
    /// When the answer came: a list that was begun later has this version or a newer one.
    pub at: Instant,
}

/// How often this process saw the service refuse a current token that worked.
#[derive(Clone, Debug)]
pub(crate) struct SeenRefusals {
    /// The token.
    pub id: TokenId,
    pub count: u32,
    /// When it is asked about again.
    pub ask_again: Time,
}

impl Memory {
    /// The newer of two versions: the one in the cache, from a list begun at `listed` and the events since, and the one that this
    /// process wrote.
    pub(crate) fn newest(&mut self, cached: Arc<ArtifactToken>, listed: Instant) -> Arc<ArtifactToken> {
        self.cached = version(&cached);
        self.stale.take_if(|stale| *stale != self.cached);
        let Some(own) = &mut self.object else {
            self.object = Some(SeenObject { object: cached.clone(), at: listed });
            return cached;
        };
        let same = version(&own.object) == self.cached && own.object.status == cached.status;
        if same && self.stale.is_none() {
            // One copy is enough. The version is kept, in case a later list goes back behind it. During a deletion our own copy knows of
            // revokes that stand nowhere else.
            own.object = cached.clone();
        }
        let newer = !older(&version(&own.object), &self.cached);
        if own.at >= listed && (newer || self.stale.is_some()) {
            return own.object.clone();
        }
        // A later list has everything that was written before it, in a version that is not older.
        let went_back = own.at < listed && older(&version(&cached), &version(&own.object));
        let cached = with_deaths(cached, &own.object);
        self.object = Some(SeenObject { object: cached.clone(), at: listed });
        if went_back {
            self.went_back(&cached);
        }
        cached
    }

    /// Records the object as the API server has it now, whatever version it had before.
    pub(crate) fn remember(&mut self, object: Arc<ArtifactToken>, before: &ArtifactToken) {
        let went_back = older(&version(&object), &version(before));
        if went_back {
            self.went_back(&object);
            self.stale = Some(self.cached.clone()).filter(|cached| older(&version(&object), cached));
        }
        self.object = Some(SeenObject { object, at: Instant::now() });
    }

    /// Forgets what was seen in a store that was then restored. Tokens that were claimed in between may live at the service.
    fn went_back(&mut self, object: &ArtifactToken) {
        let known = object.status.as_ref().map_or(0, |status| status.ledger.highest_attempt());
        self.forgotten = self.claims.iter().filter(|claim| claim.attempt > known).cloned().collect();
        self.signs.clear();
        self.secret = None;
        self.accepted = None;
        self.swept = None;
        self.restored = true;
    }

    /// Forgets tokens that are dead, whichever process revoked them: values that the ledger does not know, and claims that it no
    /// longer has. What the store lost with a restore is kept until the ledger has it again.
    pub(crate) fn forget_dead(&mut self, ledger: &Ledger) {
        if self.restored || !self.forgotten.is_empty() {
            return;
        }
        self.values.retain(|id, _| ledger.knows(id));
        self.signs.retain(|id, _| ledger.knows(id));
        self.by_hand.retain(|id| ledger.knows(id));
        let known = ledger.highest_attempt();
        self.claims.retain(|claim| claim.attempt > known || ledger.has_claimed(claim.key()));
    }

    /// Notes an answer about this token that says nothing. After a longer time without one, another process may have had a better one.
    pub(crate) fn note_unclear(&mut self, id: TokenId, message: String, now: Time) {
        let before = self.unclear.take().filter(|seen| seen.id == id && now.since(seen.last) <= UNCLEAR_ROW);
        let recorded = before.as_ref().is_some_and(|seen| seen.recorded);
        let unclear = before.map_or(Unclear { since_time: now, message }, |seen| seen.unclear);
        self.unclear = Some(SeenUnclear { id, unclear, last: now, recorded });
    }

    /// Takes over that the ledger does not tell of them any more, although this process recorded them: another one had an answer that says
    /// something. Else the two would record what each of them hears, in turn.
    pub(crate) fn yield_unclear(&mut self, now: Time) {
        if self.unclear.take_if(|seen| seen.recorded).is_some() {
            self.accepted = Some(now);
        }
    }

    /// Since when the service's answers about this token say nothing.
    pub(crate) fn unclear_about(&self, id: &TokenId) -> Option<Unclear> {
        self.unclear.as_ref().filter(|seen| seen.id == *id).map(|seen| seen.unclear.clone())
    }

    /// Records a claim of this process.
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
    pub version: String,
    /// What the decision needs of it.
    pub ours: Ours,
    /// Whether only the service can tell if it still holds the current token.
    pub doubtful: bool,
    /// When the Secret was read.
    pub at: Instant,
}

/// The version in the cache. In a deletion, with the deaths that our own version knows of: they are recorded nowhere.
fn with_deaths(cached: Arc<ArtifactToken>, own: &ArtifactToken) -> Arc<ArtifactToken> {
    let deletes = cached.metadata.deletion_timestamp.is_some() && cached.metadata.uid == own.metadata.uid;
    let (Some(status), Some(known)) = (cached.status.as_ref().filter(|_| deletes), &own.status) else { return cached };
    let mut ledger = status.ledger.clone();
    ledger.learn_deaths(&known.ledger);
    if ledger == status.ledger {
        return cached;
    }
    let mut object = (*cached).clone();
    object.status.get_or_insert_default().ledger = ledger;
    Arc::new(object)
}

#[cfg(test)]
mod tests;
