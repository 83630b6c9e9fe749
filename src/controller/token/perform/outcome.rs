//! Outcomes of attempts, each one durable record (P6): verified, failed, abandoned, found, rejected.

use kube::ResourceExt;
use secrecy::ExposeSecret;

use crate::api::ledger::{Claim, Current, Ledger, Outcome};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::api::token_service::HintPolicy;
use crate::controller::events;
use crate::controller::token::memory::{Held, Kind};
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::desired::Halt;
use crate::rotation::ledger::Remains;
use crate::rotation::observed::{Hand, Observed, Row};
use crate::rotation::plan::Lapse;
use crate::rotation::report::Phase;
use crate::secret::metadata;

use crate::controller::error::PassError;
use crate::controller::token::perform::record::Written;

/// A value shorter than this shows too much of itself in its last four characters.
const LEAST_HINTED: usize = 20;

impl Pass<'_> {
    /// The attempt in hand failed; what remains of it goes into the ledger before it leaves the hand.
    pub(super) async fn give_up(&mut self, lapse: Lapse, observed: &Observed) -> Result<Flow, PassError> {
        let Some(held) = &self.memory.held else { return Ok(Flow::Continue) };
        let claim = self.claim_of(held.attempt, observed);
        let remains = self.remains(held, observed);
        let (reason, why) = match lapse {
            Lapse::Late => (Reason::TokenGenerationFailed, "it could not be published in time"),
            Lapse::Overtaken => (Reason::SecretUpdateFailed, "the Secret was changed by somebody else meanwhile"),
            Lapse::Refused => (Reason::VerificationFailed, "the service did not accept it"),
            Lapse::Deleting => (Reason::Deleting, "the object is being deleted"),
            Lapse::Leaked => {
                (Reason::TokenGenerationFailed, "it was claimed before the leak of spec.rotation.revokeIssuedBefore")
            }
        };
        self.fail(&claim, remains, reason, &format!("attempt {} was given up: {why}", claim.attempt), observed).await
    }

    /// What is left of an attempt that its process gives up. A value that was ever sent to the API server may have been read by
    /// a consumer, even where the answer said otherwise or got lost.
    fn remains(&self, held: &Held, observed: &Observed) -> Remains {
        match &held.value {
            None => Remains::Nothing,
            Some(value) if value.sent => {
                let revoke_after = self.ctx.shared.clock.now().latest.plus(self.wish.desired.overlap);
                let held = observed.secrets.ours().any(|ours| ours.id.as_ref() == Some(&value.id));
                Remains::Published { id: value.id.clone(), revoke_after, held }
            }
            Some(value) => Remains::Unpublished(value.id.clone()),
        }
    }

    /// A value that no format can carry, or that is too large.
    pub(super) async fn unrenderable(&mut self, halt: Halt, observed: &Observed) -> Result<Flow, PassError> {
        let Some(held) = &self.memory.held else { return Ok(Flow::Continue) };
        let claim = self.claim_of(held.attempt, observed);
        let remains = self.remains(held, observed);
        let message = format!("attempt {} cannot stand in the Secret: {}", claim.attempt, halt.message);
        self.fail(&claim, remains, halt.reason, &message, observed).await
    }

    async fn fail(
        &mut self,
        claim: &Claim,
        remains: Remains,
        reason: Reason,
        message: &str,
        observed: &Observed,
    ) -> Result<Flow, PassError> {
        let failure = self.failure(reason, message, observed);
        let now = self.ctx.shared.clock.now().latest;
        let decided = claim.clone();
        let change = move |ledger: &mut Ledger| ledger.failed(&decided, remains, failure, now);
        match self.record(observed, Phase::Resting, change).await? {
            Written::Gone => Ok(Flow::Gone),
            Written::No => Ok(Flow::Continue),
            Written::Yes => {
                if let Some(Held { value: Some(value), .. }) = self.memory.held.take() {
                    self.memory.values.insert(value.id, value.value);
                }
                self.memory.trouble = None;
                let event = if reason == Reason::VerificationFailed { Reason::TokenVerificationFailed } else { reason };
                if reason != Reason::Deleting {
                    events::warning(&self.ctx.shared, &self.object, event, "Rotate", message.to_owned()).await;
                }
                Ok(Flow::Continue)
            }
        }
    }

    /// P6: decided once, durable before anything follows from it.
    pub(super) async fn decide_verified(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some((claim, current)) = self.published(observed) else { return Ok(Flow::Continue) };
        let now = self.ctx.shared.clock.now().latest;
        let current = Current { verified_time: now, ..current };
        let first = observed.ledger.history.is_empty() && observed.ledger.current.is_none();
        let (service, id, attempt) = (self.identity(), current.id.clone(), current.attempt);
        let replaced = self.replaced_by(attempt);
        let strangers: Vec<String> = replaced.iter().filter(|id| !self.ledger().knows(id)).cloned().collect();
        let revoke_after = now.plus(self.wish.desired.overlap);
        let requests = observed.object.requests.clone();
        let note = issued_note(&current);
        let change = move |ledger: &mut Ledger| {
            ledger.verified(&claim, current, &replaced, revoke_after);
            ledger.service = service;
            // A lost ledger, or a first issue: a request that was there before is fulfilled by this token.
            if first {
                ledger.handled_requests = requests;
            }
        };
        match self.record(observed, Phase::Resting, change).await? {
            Written::Gone => Ok(Flow::Gone),
            Written::No => Ok(Flow::Continue),
            Written::Yes => {
                self.memory.held = None;
                self.memory.values.remove(&id);
                self.memory.accepted = Some(now);
                self.memory.restored = false;
                self.verdict = None;
                // What was read before this fact is no ground to revoke the predecessor.
                self.known.live = false;
                self.memory.trouble = None;
                self.ctx.shared.metrics.rotated();
                if !strangers.is_empty() && !self.attributable(observed) {
                    let note = format!(
                        "the Secret held tokens that the ledger does not know, and tokens have no names at this service: look \
                         for them there and revoke them by hand: {}",
                        strangers.join(", ")
                    );
                    events::warning(&self.ctx.shared, &self.object, Reason::OrphanedTokenFound, "Rotate", note).await;
                }
                self.announce_replacement(observed).await;
                if first {
                    let note = format!("attempt {attempt}: {note}");
                    events::normal(&self.ctx.shared, &self.object, Reason::TokenIssued, "Rotate", note).await;
                }
                Ok(Flow::Continue)
            }
        }
    }

    /// The claim and the token that the Secret holds: from the hand, or from the list that vouched for it.
    fn published(&self, observed: &Observed) -> Option<(Claim, Current)> {
        let ours = observed.secrets.ours().next()?;
        let (id, attempt) = (ours.id.clone()?, ours.attempt);
        let claim = self.claim_of(attempt, observed);
        let raw = self.known.raw.as_ref()?;
        let value = self.value_in(raw)?;
        let held = self.memory.held.as_ref().filter(|held| held.attempt == attempt);
        let of_hand = held.and_then(|held| held.value.as_ref());
        let listed = observed.service.listing.iter().flatten().find(|row| row.id == id);
        let request_digest = held.map_or_else(|| claim.request_digest.clone(), |held| held.request_digest.clone());
        let claimed = held.map_or(claim.time, |held| held.claimed);
        let current = Current {
            attempt,
            id,
            nonce: claim.nonce.clone(),
            hint: self.hint(value.expose_secret()),
            request_digest,
            claimed_time: claimed,
            issued_time: of_hand.map_or(claimed, |value| value.issued),
            published_time: of_hand.and_then(|value| value.published).unwrap_or(claimed),
            verified_time: claimed,
            probed: self.wish.desired.probe,
            rejected_time: None,
            expiration_time: of_hand.map_or(listed.and_then(|row| row.expiration), |value| value.expiration),
            secret_resource_version: raw.resource_version().unwrap_or_default(),
        };
        Some((claim, current))
    }

    /// What the Secret held before this attempt: as this process saw it, else as the Secret says.
    fn replaced_by(&self, attempt: u32) -> Vec<String> {
        let held = self.memory.held.as_ref().filter(|held| held.attempt == attempt);
        let marked = || self.known.raw.as_ref().map(|raw| metadata::read_marks(raw).superseded).unwrap_or_default();
        held.map_or_else(marked, |held| held.replaces.clone())
    }

    fn hint(&self, value: &str) -> Option<String> {
        let shown = self.service.as_ref().is_some_and(|service| service.spec.hint == HintPolicy::LastFour);
        let length = value.chars().count();
        let last = value.chars().skip(length.saturating_sub(4)).collect::<String>();
        (shown && length >= LEAST_HINTED).then(|| format!("****{last}"))
    }

    /// P6, the other outcome. An id that nobody vouches for does not get into the ledger.
    pub(super) async fn decide_failed(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some(ours) = observed.secrets.ours().next() else { return Ok(Flow::Continue) };
        let claim = self.claim_of(ours.attempt, observed);
        let in_hand = matches!(&observed.hand, Hand::Value { id, .. } if Some(id) == ours.id.as_ref());
        let listed = observed
            .service
            .listing
            .iter()
            .flatten()
            .any(|row| Some(&row.id) == ours.id.as_ref() && row.nonce == claim.nonce);
        let now = self.ctx.shared.clock.now().latest;
        // Twice: a roll-back within the first overlap leaves its consumers a whole one.
        let revoke_after = now.plus(self.wish.desired.overlap).plus(self.wish.desired.overlap);
        let (remains, why) = match ours.id.clone() {
            Some(id) if in_hand || listed => (
                Remains::Published { id, revoke_after, held: true },
                "the service did not accept it after it was published",
            ),
            Some(_) | None if self.attributable(observed) => {
                (Remains::Unknown { attributable: true }, "the service does not list it as ours")
            }
            Some(_) | None => (
                Remains::Unknown { attributable: false },
                "it was published by a process that ended, and tokens have no names there",
            ),
        };
        let message = format!("attempt {}: {why}", claim.attempt);
        self.verdict = None;
        self.fail(&claim, remains, Reason::VerificationFailed, &message, observed).await
    }

    /// Tokens that nobody needs, found at the service.
    pub(super) async fn supersede(&mut self, rows: &[Row], observed: &Observed) -> Result<Flow, PassError> {
        let revoke_after = self.ctx.shared.clock.now().latest.plus(self.wish.desired.overlap);
        let rows = rows.to_vec();
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let held: Vec<String> = observed.secrets.ours().filter_map(|ours| ours.id.clone()).collect();
        let change = move |ledger: &mut Ledger| ledger.found(&rows, &held, revoke_after);
        match self.record(observed, Phase::Working, change).await? {
            Written::Gone => return Ok(Flow::Gone),
            Written::No => return Ok(Flow::Continue),
            Written::Yes => {}
        }
        let note = format!("found at the service and superseded, revoked at {revoke_after}: {}", ids.join(", "));
        events::normal(&self.ctx.shared, &self.object, Reason::OrphanedTokenFound, "Sweep", note).await;
        Ok(Flow::Continue)
    }

    /// A settled claim of unknown outcome.
    pub(super) async fn abandon(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some(claim) = observed.open_claim().filter(|claim| claim.outcome != Some(Outcome::Verified)) else {
            return Ok(Flow::Continue);
        };
        let attributable = self.attributable(observed);
        let message = format!("attempt {}: its outcome is unknown", claim.attempt);
        let failure = self.failure(Reason::TokenGenerationFailed, message, observed);
        let now = self.ctx.shared.clock.now().latest;
        let change = move |ledger: &mut Ledger| ledger.abandoned(&claim, attributable, failure, now);
        let written = self.record(observed, Phase::Working, change).await?;
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// The service stopped accepting the current token.
    pub(super) async fn reject(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let now: Time = self.ctx.shared.clock.now().latest;
        self.memory.retries.succeeded(Kind::Verify);
        self.memory.trouble = None;
        let written = self.record(observed, Phase::Working, move |ledger| ledger.rejected(now)).await?;
        if written == Written::Yes {
            let note = "the service refuses the current token; a new one is generated".to_owned();
            events::warning(&self.ctx.shared, &self.object, Reason::TokenInvalidatedExternally, "Verify", note).await;
        }
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }
}

fn issued_note(current: &Current) -> String {
    format!(
        "claimed {}, generated {}, Secret updated {}, verified {}",
        current.claimed_time, current.issued_time, current.published_time, current.verified_time
    )
}
