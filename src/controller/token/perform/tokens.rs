//! Calls of the service: generate, try, verify, list.

use std::time::Duration;

use crate::api::ids::is_token_id;
use crate::api::ledger::Claim;
use crate::api::reason::Reason;
use crate::api::token_service::Capability;
use crate::controller::events;
use crate::controller::registry::Key;
use crate::controller::token::memory::{Held, HeldValue, Kind};
use crate::controller::token::pass::{Flow, ISSUING_AFTER, Pass};
use crate::rotation::identity::{self, Name};
use crate::rotation::ledger::Remains;
use crate::rotation::observed::{Observed, Row, SecretState, Verdict};
use crate::rotation::report::{Phase, Trouble};
use crate::service::client::answers::{GenerateRequest, Generated, VerifyAnswer};
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

use crate::controller::error::PassError;
use crate::controller::token::perform::record::Written;

/// A longer wait for the rate limit ends the pass instead of holding its worker.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Pass<'_> {
    pub(super) fn client(&self) -> Option<ServiceClient> {
        self.service.as_ref().and_then(|service| service.client.clone())
    }

    /// P3. One claim, at most one *generate*.
    pub(super) async fn generate(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some(service) = self.client() else {
            self.paused(Kind::Generate, Duration::ZERO, Reason::ServiceNotReady, "the service cannot be called now");
            return Ok(Flow::Continue);
        };
        // The claim leaves the hand before the request is sent and comes back with its answer: whatever ends this pass in between
        // leaves a stray claim, never a second generate.
        let Some(mut held) = self.memory.held.take() else { return Ok(Flow::Continue) };
        let claim = self.claim_of(held.attempt, observed);
        let wanted = self.request(&service, &claim);
        let answer = {
            let call = service.generate(&wanted, &mut held.places);
            tokio::pin!(call);
            match tokio::time::timeout(ISSUING_AFTER, &mut call).await {
                Ok(answer) => answer,
                Err(_) => tokio::join!(call, self.show_issuing(observed)).0,
            }
        };
        match answer {
            Ok(generated) => self.take(held, generated, observed).await,
            Err(error @ (ServiceError::Retry { .. } | ServiceError::Throttled { .. })) => {
                self.memory.held = Some(held);
                self.paused(Kind::Generate, error.retry_after(), Reason::Throttled, &error.to_string());
                Ok(Flow::Continue)
            }
            Err(ServiceError::Unknown { what }) => self.lose(&claim, &what).await,
            Err(error @ ServiceError::Refused { .. }) => {
                self.memory.held = Some(held);
                self.refused(&claim, &error, observed).await
            }
        }
    }

    fn request(&self, service: &ServiceClient, claim: &Claim) -> GenerateRequest {
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
            now: self.ctx.shared.clock.now().latest,
        }
    }

    /// A slow first answer is shown while it is waited for; the claim stays what it is, also where the write fails.
    async fn show_issuing(&mut self, observed: &Observed) {
        if observed.ledger.current.is_none() {
            let told = self.told(observed, Phase::Working, self.ledger());
            if let Err(error) = self.write_status(told).await {
                tracing::debug!(%error, "a slow first answer is not shown");
            }
        }
    }

    async fn take(&mut self, mut held: Held, generated: Generated, observed: &Observed) -> Result<Flow, PassError> {
        self.went_well(Kind::Generate);
        let issued = self.ctx.shared.clock.now().latest;
        // The declaration is checked for an id; one that no ledger can hold could never be revoked by it.
        let Some(id) = generated.id.filter(|id| is_token_id(id)) else {
            let claim = self.claim_of(held.attempt, observed);
            return self.lose(&claim, "the service's answer has no id of at most 512 characters for the token").await;
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
        self.memory.held = Some(held);
        Ok(Flow::Continue)
    }

    /// A token may live that nobody knows: the claim stays open until it is settled (P12).
    async fn lose(&mut self, claim: &Claim, what: &str) -> Result<Flow, PassError> {
        self.memory.held = None;
        let note = format!(
            "attempt {}: {what}; a token may live unseen, so the next attempt waits until it would show",
            claim.attempt
        );
        self.memory.trouble =
            Some((Kind::Generate, Trouble { reason: Reason::TokenGenerationFailed, message: note.clone() }));
        events::warning(&self.ctx.shared, &self.object, Reason::TokenGenerationFailed, "Generate", note).await;
        Ok(Flow::Continue)
    }

    /// A definite no.
    async fn refused(&mut self, claim: &Claim, error: &ServiceError, observed: &Observed) -> Result<Flow, PassError> {
        let credential = matches!(error, ServiceError::Refused { credential: true, .. });
        let reason = if credential { Reason::CredentialRejected } else { Reason::TokenGenerationFailed };
        // What was never sent is the service object's fault, too: its place or its declaration.
        if credential || matches!(error, ServiceError::Refused { status: None, .. }) {
            self.ctx.shared.services.doubt(Key::of(&self.object));
        }
        let failure = self.failure(reason, error.to_string(), observed);
        let message = failure.message.clone();
        let claim = claim.clone();
        let now = self.ctx.shared.clock.now().latest;
        let written =
            self.record(observed, Phase::Resting, move |ledger| ledger.failed(&claim, Remains::Nothing, failure, now));
        match written.await? {
            Written::Gone => return Ok(Flow::Gone),
            Written::No => {}
            Written::Yes => {
                self.memory.held = None;
                events::warning(&self.ctx.shared, &self.object, reason, "Generate", message).await;
            }
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
        let Some(held) = &mut self.memory.held else { return Ok(Flow::Continue) };
        let answer = service.verify(Some(&value), &mut held.places).await;
        let (now, settle) = (self.ctx.shared.clock.now().earliest, self.wish.desired.timings.token_settle);
        if let Some(verdict) = self.verdict_of(answer)
            && let Some(value) = self.memory.held.as_mut().and_then(|held| held.value.as_mut())
        {
            // A refusal of a token that is still settling says nothing: the one that counts is asked for after that.
            let counts = verdict == Verdict::Accepted || value.issued.plus(settle) <= now;
            value.trial = counts.then_some(verdict);
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
        // The calls of an issue passed the rate limit before its claim.
        let mut own = Places::one_by_one(LONGEST_WAIT);
        let places = self.memory.held.as_mut().map_or(&mut own, |held| &mut held.places);
        let answer = service.verify(Some(&value), places).await;
        self.verdict = self.verdict_of(answer);
        let of_current = self.ledger().current.is_some_and(|current| self.known.state_holds(&current.id));
        if let Some(verdict) = self.verdict.filter(|_| of_current) {
            let (key, now) = (Key::of(&self.object), self.ctx.shared.clock.now().earliest);
            let objects = self.ctx.holders(&key);
            self.ctx.shared.services.answered(&key, &self.uid(), verdict == Verdict::Accepted, objects, now);
        }
        if self.verdict == Some(Verdict::Accepted) {
            self.memory.accepted = Some(self.ctx.shared.clock.now().latest);
            self.known.doubtful = false;
            self.vouch_for(&value);
        }
        Ok(Flow::Continue)
    }

    /// A refusal pauses, too: a fresh token may be known only a little later.
    fn verdict_of(&mut self, answer: Result<VerifyAnswer, ServiceError>) -> Option<Verdict> {
        match answer {
            Ok(VerifyAnswer::Accepted) => {
                self.went_well(Kind::Verify);
                Some(Verdict::Accepted)
            }
            Ok(VerifyAnswer::Refused) => {
                let what = "the service does not accept the fresh token yet";
                self.paused(Kind::Verify, Duration::ZERO, Reason::VerificationFailed, what);
                Some(Verdict::Refused)
            }
            Err(error) => {
                self.paused(Kind::Verify, error.retry_after(), reason_of(&error), &error.to_string());
                None
            }
        }
    }

    /// The list first, the Secret after it (P5).
    pub(super) async fn sweep(&mut self) -> Result<Flow, PassError> {
        let Some(service) = self.client() else { return Ok(Flow::Continue) };
        match service.list(&mut Places::one_by_one(LONGEST_WAIT)).await {
            Ok(listing) => {
                self.went_well(Kind::Sweep);
                let predecessor = self.predecessor().map(|uid| identity::uid16(&uid));
                let own = identity::uid16(&self.uid());
                let prefix = service.declaration().prefix().unwrap_or_default().to_owned();
                let rows = listing.rows.into_iter().filter_map(|row| {
                    let name = identity::parse(&prefix, row.name.as_deref()?)?;
                    let of_predecessor = Some(&name.uid16) == predecessor.as_ref();
                    let Name { attempt, nonce, uid16 } = name;
                    let (id, created, expiration) = (row.id, row.created, row.expiration);
                    let ours = uid16 == own || of_predecessor;
                    (ours && is_token_id(&id)).then_some(Row {
                        id,
                        attempt,
                        nonce,
                        created,
                        expiration,
                        predecessor: of_predecessor,
                    })
                });
                self.listing = Some(rows.collect());
                if let Err(error) = self.read().await {
                    self.listed_in_vain();
                    return Err(error);
                }
                // What is listed counts once it can be judged.
                self.memory.swept = Some(self.ctx.shared.clock.now().latest);
                self.ctx.shared.services.cleared(&self.uid());
            }
            Err(error) => {
                self.paused(Kind::Sweep, error.retry_after(), reason_of(&error), &error.to_string());
            }
        }
        Ok(Flow::Continue)
    }

    /// What was listed could not be judged or recorded: it is listed again, but not by every pass.
    pub(super) fn listed_in_vain(&mut self) {
        if self.listing.take().is_some() {
            let (first, now) = (self.wish.desired.timings.first_retry, self.ctx.shared.clock.now().earliest);
            self.memory.retries.failed(Kind::Sweep, first, first, now);
            self.memory.swept = None;
        }
    }

    fn predecessor(&self) -> Option<String> {
        match &self.known.state {
            SecretState::Ours(ours) => ours.predecessor.clone(),
            SecretState::Absent | SecretState::Foreign(_) => None,
        }
    }

    /// Whether the service lists tokens at all.
    pub(super) fn can_list(&self) -> bool {
        self.client().is_some_and(|service| service.declaration().can(Capability::List))
    }
}

/// What a call that did not come to an answer is shown as.
pub(super) fn reason_of(error: &ServiceError) -> Reason {
    match error {
        ServiceError::Throttled { .. } => Reason::Throttled,
        ServiceError::Refused { .. } | ServiceError::Retry { .. } | ServiceError::Unknown { .. } => {
            Reason::ServiceNotReady
        }
    }
}
