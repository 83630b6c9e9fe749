//! Calls of the service, and the records of what came of them.

use std::time::Duration;

use kube::ResourceExt;
use secrecy::ExposeSecret;

use crate::api::ledger::{Claim, Current, Outcome};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::api::token_service::{Capability, HintPolicy};
use crate::controller::events;
use crate::controller::memory::{Held, HeldValue, Kind};
use crate::controller::pass::{Flow, ISSUING_AFTER, Pass};
use crate::rotation::desired::Halt;
use crate::rotation::identity::{self, FIRST_NONCE, Name};
use crate::rotation::ledger::Remains;
use crate::rotation::observed::{Hand, Observed, Row, Verdict};
use crate::rotation::plan::Lapse;
use crate::rotation::report::Phase;
use crate::service::engine::{GenerateRequest, Generated, Service, Verdict as Answer};
use crate::service::errors::ServiceError;

use super::PassError;
use super::objects::Written;

/// A value shorter than this shows too much of itself in its last four characters.
const LEAST_HINTED: usize = 20;
/// A longer wait for the rate limit ends the pass instead of holding its worker.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Pass<'_> {
    pub(super) fn client(&self) -> Option<Service> {
        self.service.as_ref().and_then(|service| service.service.clone())
    }

    /// P3. One claim, at most one *generate*.
    pub(super) async fn generate(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let (Some(service), Some(held)) = (self.client(), self.memory.held.as_ref()) else {
            self.paused(Kind::Generate, Duration::ZERO, Reason::ServiceNotReady, "the service cannot be called now");
            return Ok(Flow::Continue);
        };
        let claim = self.claim_of(held.attempt, observed);
        let wanted = self.request(&service, &claim);
        let call = service.generate(&wanted);
        tokio::pin!(call);
        let answer = match tokio::time::timeout(ISSUING_AFTER, &mut call).await {
            Ok(answer) => answer,
            Err(_) => {
                self.show_issuing(observed).await?;
                call.await
            }
        };
        self.ctx.metrics.service_call("generate", answer.as_ref().err());
        match answer {
            Ok(generated) => self.take(generated, observed).await,
            Err(ServiceError::Retry { after, what }) => {
                self.paused(Kind::Generate, after, Reason::Throttled, &what);
                Ok(Flow::Continue)
            }
            Err(ServiceError::Unknown { what }) => self.lose(&claim, &what).await,
            Err(error @ ServiceError::Refused { .. }) => self.refused(&claim, &error, observed).await,
        }
    }

    fn request(&self, service: &Service, claim: &Claim) -> GenerateRequest {
        let declaration = service.declaration();
        let own = Name { uid16: identity::uid16(&self.uid()), attempt: claim.attempt, nonce: claim.nonce.clone() };
        let name = declaration.maximum_name_length().map(|most| {
            identity::format(declaration.prefix().unwrap_or_default(), &own, &self.wish.display_name, most)
        });
        GenerateRequest {
            name,
            display_name: Some(self.wish.display_name.clone()),
            lifetime: self.wish.lifetime,
            parameters: self.wish.parameters.clone(),
            now: self.ctx.clock.now().latest,
        }
    }

    /// A slow first answer is shown while it is waited for; the claim stays what it is.
    async fn show_issuing(&mut self, observed: &Observed) -> Result<(), PassError> {
        if observed.ledger.current.is_none() {
            let told = self.told(observed, Phase::Working, self.ledger());
            self.write_status(told).await?;
        }
        Ok(())
    }

    async fn take(&mut self, generated: Generated, observed: &Observed) -> Result<Flow, PassError> {
        self.went_well(Kind::Generate);
        let issued = self.ctx.clock.now().latest;
        let Some(held) = self.memory.held.as_mut() else { return Ok(Flow::Continue) };
        let Some(id) = generated.id else {
            // The declaration is checked for an id where there is a revoke; without one nothing could be revoked.
            let attempt = held.attempt;
            let claim = self.claim_of(attempt, observed);
            return self.lose(&claim, "the service's answer has no id for the token").await;
        };
        held.value = Some(HeldValue {
            id,
            value: generated.value,
            expiration: generated.expiration_time,
            issued,
            trial: None,
            published: None,
            sent: false,
        });
        Ok(Flow::Continue)
    }

    /// A token may live that nobody knows: the claim stays open until it is settled (P12).
    async fn lose(&mut self, claim: &Claim, what: &str) -> Result<Flow, PassError> {
        self.memory.held = None;
        let note = format!("attempt {}: {what}; a token may live unseen, so the next attempt waits until it would show", claim.attempt);
        self.memory.trouble =
            Some(crate::rotation::report::Trouble { reason: Reason::TokenGenerationFailed, message: note.clone() });
        events::warning(self.ctx, &self.object, Reason::TokenGenerationFailed, "Generate", note).await;
        Ok(Flow::Continue)
    }

    /// A definite no.
    async fn refused(&mut self, claim: &Claim, error: &ServiceError, observed: &Observed) -> Result<Flow, PassError> {
        let credential = matches!(error, ServiceError::Refused { credential: true, .. });
        let reason = if credential { Reason::CredentialRejected } else { Reason::TokenGenerationFailed };
        if credential {
            self.ctx.services.doubt(&self.object.namespace().unwrap_or_default(), &self.object.spec.service_ref.name);
        }
        let failure = self.failure(reason, error.to_string(), observed);
        let message = failure.message.clone();
        let claim = claim.clone();
        let now = self.ctx.clock.now().latest;
        let written =
            self.record(observed, Phase::Resting, move |ledger| ledger.failed(&claim, Remains::Nothing, failure, now));
        if written.await? == Written::Yes {
            self.memory.held = None;
            events::warning(self.ctx, &self.object, reason, "Generate", message).await;
        }
        Ok(Flow::Continue)
    }

    /// P6: the value in hand, before it is published.
    pub(super) async fn try_value(&mut self) -> Result<Flow, PassError> {
        let value = self.memory.held.as_ref().and_then(|held| held.value.as_ref()).map(|value| value.value.clone());
        let (Some(value), Some(service)) = (value, self.client()) else {
            self.paused(Kind::Verify, Duration::ZERO, Reason::ServiceNotReady, "the service cannot be called now");
            return Ok(Flow::Continue);
        };
        let answer = service.verify(Some(&value)).await;
        self.ctx.metrics.service_call("verify", answer.as_ref().err());
        if let Some(verdict) = self.verdict_of(answer) {
            if let Some(value) = self.memory.held.as_mut().and_then(|held| held.value.as_mut()) {
                value.trial = Some(verdict);
            }
        }
        Ok(Flow::Continue)
    }

    /// P6: the bytes that the API server stored.
    pub(super) async fn verify(&mut self) -> Result<Flow, PassError> {
        let value = self.known.raw.as_ref().and_then(|raw| self.value_in(raw));
        let (Some(value), Some(service)) = (value, self.client()) else {
            self.paused(Kind::Verify, Duration::ZERO, Reason::ServiceNotReady, "the service cannot be called now");
            return Ok(Flow::Continue);
        };
        if self.memory.held.is_none() {
            if let Err(after) = service.acquire(1, LONGEST_WAIT).await {
                self.paused(Kind::Verify, after, Reason::Throttled, "the service's rate limit is used up");
                return Ok(Flow::Continue);
            }
        }
        let answer = service.verify(Some(&value)).await;
        self.ctx.metrics.service_call("verify", answer.as_ref().err());
        self.verdict = self.verdict_of(answer);
        if self.verdict == Some(Verdict::Accepted) {
            self.memory.accepted = Some(self.ctx.clock.now().latest);
            self.known.doubtful = false;
        }
        Ok(Flow::Continue)
    }

    /// A refusal pauses, too: a fresh token may be known only a little later.
    fn verdict_of(&mut self, answer: Result<Answer, ServiceError>) -> Option<Verdict> {
        match answer {
            Ok(Answer::Accepted) => {
                self.went_well(Kind::Verify);
                Some(Verdict::Accepted)
            }
            Ok(Answer::Refused) => {
                let what = "the service does not accept the fresh token yet";
                self.paused(Kind::Verify, Duration::ZERO, Reason::VerificationFailed, what);
                Some(Verdict::Refused)
            }
            Err(error) => {
                let after = if let ServiceError::Retry { after, .. } = error { after } else { Duration::ZERO };
                self.paused(Kind::Verify, after, Reason::ServiceNotReady, &error.to_string());
                None
            }
        }
    }

    /// The list first, the Secret after it (P5).
    pub(super) async fn sweep(&mut self) -> Result<Flow, PassError> {
        let Some(service) = self.client() else { return Ok(Flow::Continue) };
        if let Err(after) = service.acquire(1, LONGEST_WAIT).await {
            self.paused(Kind::Sweep, after, Reason::Throttled, "the service's rate limit is used up");
            return Ok(Flow::Continue);
        }
        let answer = service.list().await;
        self.ctx.metrics.service_call("list", answer.as_ref().err());
        match answer {
            Ok(listing) => {
                self.went_well(Kind::Sweep);
                let predecessor = self.predecessor().map(|uid| identity::uid16(&uid));
                let own = identity::uid16(&self.uid());
                let prefix = service.declaration().prefix().unwrap_or_default().to_owned();
                let rows = listing.rows.into_iter().filter_map(|row| {
                    let name = identity::parse(&prefix, row.name.as_deref()?)?;
                    let of_predecessor = Some(&name.uid16) == predecessor.as_ref();
                    let Name { attempt, nonce, uid16 } = name;
                    let (id, expiration) = (row.id, row.expiration);
                    let ours = uid16 == own || of_predecessor;
                    ours.then_some(Row { id, attempt, nonce, expiration, predecessor: of_predecessor })
                });
                self.listing = Some(rows.collect());
                self.memory.swept = Some(self.ctx.clock.now().latest);
                self.read().await?;
            }
            Err(error) => {
                let after = if let ServiceError::Retry { after, .. } = error { after } else { Duration::ZERO };
                self.paused(Kind::Sweep, after, Reason::ServiceNotReady, &error.to_string());
            }
        }
        Ok(Flow::Continue)
    }

    fn predecessor(&self) -> Option<String> {
        match &self.known.state {
            crate::rotation::observed::SecretState::Ours(ours) => ours.predecessor.clone(),
            crate::rotation::observed::SecretState::Absent | crate::rotation::observed::SecretState::Foreign(_) => None,
        }
    }

    /// The attempt in hand failed; what remains of it goes into the ledger before it leaves the hand.
    pub(super) async fn give_up(&mut self, lapse: Lapse, observed: &Observed) -> Result<Flow, PassError> {
        let Some(held) = &self.memory.held else { return Ok(Flow::Continue) };
        let claim = self.claim_of(held.attempt, observed);
        let remains = held.value.as_ref().map_or(Remains::Nothing, |value| Remains::Unpublished(value.id.clone()));
        let (reason, why) = match lapse {
            Lapse::Late => (Reason::TokenGenerationFailed, "it could not be published in time"),
            Lapse::Overtaken => (Reason::SecretUpdateFailed, "the Secret was changed by somebody else meanwhile"),
            Lapse::Refused => (Reason::VerificationFailed, "the service did not accept it"),
            Lapse::Deleting => (Reason::Deleting, "the object is being deleted"),
        };
        self.fail(&claim, remains, reason, &format!("attempt {} was given up: {why}", claim.attempt), observed).await
    }

    /// A value that no format can carry, or that is too large.
    pub(super) async fn unrenderable(&mut self, halt: Halt, observed: &Observed) -> Result<Flow, PassError> {
        let Some(held) = &self.memory.held else { return Ok(Flow::Continue) };
        let claim = self.claim_of(held.attempt, observed);
        let remains = held.value.as_ref().map_or(Remains::Nothing, |value| Remains::Unpublished(value.id.clone()));
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
        let now = self.ctx.clock.now().latest;
        let decided = claim.clone();
        let change = move |ledger: &mut crate::api::ledger::Ledger| ledger.failed(&decided, remains, failure, now);
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
                    events::warning(self.ctx, &self.object, event, "Rotate", message.to_owned()).await;
                }
                Ok(Flow::Continue)
            }
        }
    }

    /// P6: decided once, durable before anything follows from it.
    pub(super) async fn decide_verified(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some((claim, current)) = self.published(observed) else { return Ok(Flow::Continue) };
        let now = self.ctx.clock.now().latest;
        let current = Current { verified_time: now, ..current };
        let first = observed.ledger.history.is_empty() && observed.ledger.current.is_none();
        let (service, id, attempt) = (self.identity(), current.id.clone(), current.attempt);
        let revoke_after = now.plus(self.wish.desired.overlap);
        let requests = observed.requests.clone();
        let note = issued_note(&current);
        let change = move |ledger: &mut crate::api::ledger::Ledger| {
            ledger.verified(&claim, current, revoke_after);
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
                self.verdict = None;
                self.memory.trouble = None;
                self.ctx.metrics.rotated();
                if first {
                    let note = format!("attempt {attempt}: {note}");
                    events::normal(self.ctx, &self.object, Reason::TokenIssued, "Rotate", note).await;
                }
                Ok(Flow::Continue)
            }
        }
    }

    /// The claim and the token that the Secret holds: from the hand, or from the list that vouched for it.
    fn published(&self, observed: &Observed) -> Option<(Claim, Current)> {
        let ours = observed.ours().next()?;
        let (id, attempt) = (ours.id.clone()?, ours.attempt);
        let claim = self.claim_of(attempt, observed);
        let raw = self.known.raw.as_ref()?;
        let value = self.value_in(raw)?;
        let held = self.memory.held.as_ref().filter(|held| held.attempt == attempt);
        let of_hand = held.and_then(|held| held.value.as_ref());
        let listed = observed.listing.iter().flatten().find(|row| row.id == id);
        let wish = held.map(|held| held.wish.clone()).unwrap_or_else(|| claim.wish.clone());
        let claimed = held.map_or(claim.time, |held| held.claimed);
        let current = Current {
            attempt,
            id,
            hint: self.hint(value.expose_secret()),
            wish: if claim.nonce == FIRST_NONCE && wish.is_empty() { self.wish.desired.wish.clone() } else { wish },
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

    fn hint(&self, value: &str) -> Option<String> {
        let shown = self.service.as_ref().is_some_and(|service| service.spec.hint == HintPolicy::LastFour);
        let length = value.chars().count();
        let last = value.chars().skip(length.saturating_sub(4)).collect::<String>();
        (shown && length >= LEAST_HINTED).then(|| format!("****{last}"))
    }

    /// P6, the other outcome. An id that nobody vouches for does not get into the ledger.
    pub(super) async fn decide_failed(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some(ours) = observed.ours().next() else { return Ok(Flow::Continue) };
        let claim = self.claim_of(ours.attempt, observed);
        let in_hand = matches!(&observed.hand, Hand::Value { id, .. } if Some(id) == ours.id.as_ref());
        let listed = observed.listing.iter().flatten().any(|row| Some(&row.id) == ours.id.as_ref() && row.nonce == claim.nonce);
        let now = self.ctx.clock.now().latest;
        let revoke_after = now.plus(self.wish.desired.overlap);
        let (remains, why) = match ours.id.clone() {
            Some(id) if in_hand || listed => {
                (Remains::Published(id, revoke_after), "the service did not accept it after it was published")
            }
            Some(_) | None if self.attributable(observed) => (Remains::Nothing, "the service does not list it as ours"),
            Some(_) | None => (Remains::Unknown, "it was published by a process that ended, and tokens have no names there"),
        };
        let message = format!("attempt {}: {why}", claim.attempt);
        self.verdict = None;
        self.fail(&claim, remains, Reason::VerificationFailed, &message, observed).await
    }

    /// Tokens that nobody needs, found at the service.
    pub(super) async fn supersede(&mut self, rows: &[Row], observed: &Observed) -> Result<Flow, PassError> {
        let revoke_after = self.ctx.clock.now().latest.plus(self.wish.desired.overlap);
        let rows = rows.to_vec();
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let change = move |ledger: &mut crate::api::ledger::Ledger| ledger.found(&rows, revoke_after);
        match self.record(observed, Phase::Working, change).await? {
            Written::Gone => return Ok(Flow::Gone),
            Written::No => return Ok(Flow::Continue),
            Written::Yes => {}
        }
        let note = format!("found at the service and superseded, revoked at {revoke_after}: {}", ids.join(", "));
        events::normal(self.ctx, &self.object, Reason::OrphanedTokenFound, "Sweep", note).await;
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
        let now = self.ctx.clock.now().latest;
        let change =
            move |ledger: &mut crate::api::ledger::Ledger| ledger.abandoned(&claim, attributable, failure, now);
        let written = self.record(observed, Phase::Working, change).await?;
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// The service stopped accepting the current token.
    pub(super) async fn reject(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let now: Time = self.ctx.clock.now().latest;
        self.memory.retries.succeeded(Kind::Verify);
        self.memory.trouble = None;
        let written = self.record(observed, Phase::Working, move |ledger| ledger.rejected(now)).await?;
        if written == Written::Yes {
            let note = "the service refuses the current token; a new one is generated".to_owned();
            events::warning(self.ctx, &self.object, Reason::TokenInvalidatedExternally, "Verify", note).await;
        }
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// Whether the service lists tokens at all.
    pub(super) fn can_list(&self) -> bool {
        self.client().is_some_and(|service| service.declaration().can(Capability::List))
    }
}

fn issued_note(current: &Current) -> String {
    format!(
        "claimed {}, generated {}, Secret updated {}, verified {}",
        current.claimed_time, current.issued_time, current.published_time, current.verified_time
    )
}
