//! Revoke, and prove that the token is dead (P8, P9, P19).

use std::time::Duration;

use secrecy::SecretString;

use crate::api::ledger::{Ledger, Proof};
use crate::api::reason::Reason;
use crate::controller::events;
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::observed::Observed;
use crate::rotation::report::Phase;
use crate::service::client::answers::{Listing, RevokeAnswer, VerifyAnswer};
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

use crate::controller::error::PassError;
use crate::controller::token::perform::record::Written;

/// A longer wait for the rate limit ends the pass instead of holding its worker.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What a revoke asks at least: revoke, and verify with the old value or list.
const REVOKE_CALLS: u32 = 2;
/// Services take a moment to forget a token (measured: 5 ms). After these tries the revoke counts as failed and is tried again
/// after its back-off.
const PROOF_TRIES: u32 = 4;
/// The pause between two of them.
const PROOF_PAUSE: Duration = Duration::from_millis(250);

/// Why a token is not known to be dead.
struct Alive {
    what: String,
    after: Duration,
}

impl Pass<'_> {
    /// Revokes one token, proves it, and records it. During a deletion nothing is recorded: the object is about to go, and a
    /// restart would find the token dead.
    pub(super) async fn revoke(&mut self, attempt: u32, id: &str, observed: &Observed) -> Result<Flow, PassError> {
        let Some(service) = self.client() else { return Ok(Flow::Continue) };
        let proof = self.end(&service, id).await;
        let now = self.ctx.shared.clock.now().latest;
        // This pass's list was made before: its row would be found again, and superseded anew.
        if let (Ok(_), Some(rows)) = (&proof, &mut self.listing) {
            rows.retain(|row| row.id != id);
        }
        match proof {
            Ok(proof) if observed.object.deleting => {
                let mut object = crate::api::artifact_token::ArtifactToken::clone(&self.object);
                object.status.get_or_insert_default().ledger.revoked(attempt, id, proof, now);
                let object = std::sync::Arc::new(object);
                self.memory.keep(object.clone(), &self.object);
                self.object = object;
                self.memory.values.remove(id);
                Ok(Flow::Continue)
            }
            Ok(proof) => self.record_revoked(attempt, id, proof, observed).await,
            Err(alive) => self.record_alive(attempt, id, alive, observed).await,
        }
    }

    async fn record_revoked(
        &mut self,
        attempt: u32,
        id: &str,
        proof: Proof,
        observed: &Observed,
    ) -> Result<Flow, PassError> {
        let now = self.ctx.shared.clock.now().latest;
        let change = |ledger: &mut Ledger| ledger.revoked(attempt, id, proof, now);
        match self.record(observed, Phase::Resting, change).await? {
            Written::Gone => return Ok(Flow::Gone),
            Written::No => return Ok(Flow::Continue),
            Written::Yes => {}
        }
        self.memory.values.remove(id);
        let ledger = self.ledger();
        if let Some(current) = ledger.current.filter(|_| ledger.superseded.is_empty()) {
            let note = format!(
                "attempt {}: generated {}, Secret updated {}, verified {}; attempt {attempt} revoked {now} ({proof:?})",
                current.attempt, current.issued_time, current.published_time, current.verified_time
            );
            events::normal(&self.ctx.shared, &self.object, Reason::RotationCompleted, "Rotate", note).await;
        }
        Ok(Flow::Continue)
    }

    async fn record_alive(
        &mut self,
        attempt: u32,
        id: &str,
        alive: Alive,
        observed: &Observed,
    ) -> Result<Flow, PassError> {
        let now = self.ctx.shared.clock.now().latest;
        let first_retry = self.wish.desired.timings.first_retry.max(alive.after);
        let change = |ledger: &mut Ledger| ledger.revoke_failed(attempt, id, first_retry, now);
        let written = self.record(observed, Phase::Resting, change).await?;
        let tries = self.ledger().superseded.iter().find(|old| old.id == id).map_or(0, |old| old.tries);
        if tries == 1 {
            let note =
                format!("attempt {attempt} (id {id}) is not known to be dead: {}; tried until it is", alive.what);
            events::warning(&self.ctx.shared, &self.object, Reason::TokenRevocationFailed, "Revoke", note).await;
        }
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// The service is told, and then asked.
    async fn end(&mut self, service: &ServiceClient, id: &str) -> Result<Proof, Alive> {
        let taken = service.take_places(REVOKE_CALLS, LONGEST_WAIT).await;
        let places =
            &mut taken.map_err(|after| Alive { what: "the service's rate limit is used up".to_owned(), after })?;
        let answer = service.revoke(id, places).await;
        let value = self.memory.values.get(id).cloned().or_else(|| self.stored_value(id));
        let value = value.filter(|_| self.wish.desired.probe);
        let answered = match answer {
            Ok(answered) => answered,
            // Another account's list would not show the token either.
            Err(error @ ServiceError::Refused { credential: true, .. }) => return Err(alive(&error)),
            Err(error) => return self.settle_by_list(service, places, id, value.as_ref(), alive(&error)).await,
        };
        match value {
            Some(value) => self.prove_refused(service, places, id, &value, answered).await,
            None => self.prove_unlisted(service, places, id).await,
        }
    }

    fn stored_value(&self, id: &str) -> Option<SecretString> {
        let holds = self.known.state_holds(id);
        self.known.raw.as_ref().filter(|_| holds).and_then(|raw| self.value_in(raw))
    }

    /// The old value is refused. A success under the operator's own credential is the positive control: a place that refuses
    /// everything would have refused that, too. After a mere "gone" a living token or the list has to speak.
    async fn prove_refused(
        &mut self,
        service: &ServiceClient,
        places: &mut Places,
        id: &str,
        value: &SecretString,
        answered: RevokeAnswer,
    ) -> Result<Proof, Alive> {
        for _ in 0..PROOF_TRIES {
            match service.verify(Some(value), places).await {
                Ok(VerifyAnswer::Refused) if answered == RevokeAnswer::Success => return Ok(Proof::Refused),
                Ok(VerifyAnswer::Refused) => return self.prove_gone(service, places, id).await,
                Ok(VerifyAnswer::Accepted) => tokio::time::sleep(PROOF_PAUSE).await,
                Err(error) => return Err(alive(&error)),
            }
        }
        Err(Alive { what: "the service still accepts it".to_owned(), after: Duration::ZERO })
    }

    async fn prove_gone(&mut self, service: &ServiceClient, places: &mut Places, id: &str) -> Result<Proof, Alive> {
        let current = self.ledger().current.filter(|current| current.id != id);
        let living = current.and_then(|current| self.stored_value(&current.id));
        if let Some(living) = living
            && matches!(service.verify(Some(&living), places).await, Ok(VerifyAnswer::Accepted))
        {
            return Ok(Proof::Refused);
        }
        self.prove_unlisted(service, places, id).await
    }

    async fn prove_unlisted(&mut self, service: &ServiceClient, places: &mut Places, id: &str) -> Result<Proof, Alive> {
        if !self.can_list() {
            // Neither value nor list is at hand; the service's word is all there is, and history says so.
            return Ok(Proof::Answered);
        }
        match service.list(places).await {
            Ok(listing) => self.read_list(&listing, id),
            Err(error) => Err(alive(&error)),
        }
    }

    /// A list without the id proves something where it shows the living token: the list of another account shows neither.
    fn read_list(&self, listing: &Listing, id: &str) -> Result<Proof, Alive> {
        let listed = |id: &str| listing.rows.iter().any(|row| row.id == id);
        let living = self.ledger().current.filter(|current| current.id != id && current.rejected_time.is_none());
        let what = if listed(id) {
            "the service still lists it"
        } else if living.is_some_and(|living| !listed(&living.id)) {
            "the service's list does not show the current token either, so it proves nothing: is it another account's?"
        } else {
            return Ok(Proof::Unlisted);
        };
        Err(Alive { what: what.to_owned(), after: Duration::ZERO })
    }

    /// An answer other than success or gone may mean "already gone" (seen: 500 for a user without tokens). The old value, where it
    /// is at hand, and the list settle it.
    async fn settle_by_list(
        &mut self,
        service: &ServiceClient,
        places: &mut Places,
        id: &str,
        value: Option<&SecretString>,
        otherwise: Alive,
    ) -> Result<Proof, Alive> {
        if !self.can_list() || otherwise.after > Duration::ZERO {
            return Err(otherwise);
        }
        if let Some(value) = value
            && !matches!(service.verify(Some(value), places).await, Ok(VerifyAnswer::Refused))
        {
            return Err(otherwise);
        }
        self.prove_unlisted(service, places, id).await.map_err(|_| otherwise)
    }
}

fn alive(error: &ServiceError) -> Alive {
    Alive { what: error.to_string(), after: error.retry_after() }
}
