//! Revokes a token, and proves that it is dead (P8, P9, P19).

use std::time::Duration;

use secrecy::SecretString;

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Proof};
use crate::api::reason::Reason;
use crate::api::token_service::Capability;
use crate::controller::error::PassError;
use crate::controller::token::memory::retries::StepKind;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::take_places;
use crate::controller::token::perform::record::{Written, record};
use crate::rotation::observed::Observed;
use crate::rotation::report::Phase;
use crate::service::client::answers::{Listing, RevokeAnswer, VerifyAnswer};
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::ServiceError;

/// The least calls of a revoke: revoke, and then verify with the old value, or list.
const REVOKE_CALLS: u32 = 2;
/// How often a proof is tried. Services take a moment to forget a token (measured: 5 ms). After these tries the revoke counts as
/// failed, and is tried again after its back-off.
const PROOF_TRIES: u32 = 4;
/// The pause between two tries.
const PROOF_PAUSE: Duration = Duration::from_millis(250);
/// How long a proof waits for each further place in the rate limit. At one request a minute that may take two minutes.
const PROOF_WAIT: Duration = Duration::from_secs(180);

/// Why a token is not known to be dead.
struct Alive {
    what: String,
    after: Duration,
}

/// Revokes one token, proves that it is dead, and records that. During a deletion nothing is recorded: the object is about to
/// go, and after a restart the token would be found dead.
pub(super) async fn revoke(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: &ServiceClient,
    (attempt, id): (u32, &TokenId),
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(places) = take_places(pass, client, StepKind::Revoke, REVOKE_CALLS).await else {
        return owe(pass, objects, id, observed).await;
    };
    pass.went_well(StepKind::Revoke);
    let proof = revoke_and_prove(pass, client, id, places).await;
    let now = pass.now().time();
    match proof {
        Ok(proof) if observed.object.deleting => {
            pass.revoked_unrecorded(id, |ledger| ledger.revoked(attempt, id, proof, now));
            pass.memory_mut().values.remove(id);
            Ok(Flow::Continue)
        }
        Ok(proof) => record_revoked(pass, objects, (attempt, id), proof, observed).await,
        Err(alive) => record_alive(pass, objects, (attempt, id), alive, observed).await,
    }
}

/// Records a listed token that waits for its turn to be revoked. Without that the next pass would need another list to know of it, and
/// where a list and a revoke do not fit into one pass, so would each pass after it.
async fn owe(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    id: &TokenId,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let unknown = observed.service.own_rows().find(|row| row.id == *id && !observed.ledger.knows(id));
    let Some(row) = unknown.cloned() else { return Ok(Flow::Continue) };
    let now = pass.now().time();
    let change = |ledger: &mut Ledger| ledger.orphans_found(&[row], &[], now);
    Ok(record(pass, objects, observed, Phase::Working, Fact::Other, change).await?.into())
}

async fn record_revoked(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    (attempt, id): (u32, &TokenId),
    proof: Proof,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let now = pass.now().time();
    let change = |ledger: &mut Ledger| ledger.revoked(attempt, id, proof, now);
    let written = record(pass, objects, observed, Phase::Resting, Fact::Revoked(id), change).await?;
    if written != Written::Yes {
        return Ok(written.into());
    }
    pass.memory_mut().values.remove(id);
    let ledger = pass.ledger();
    if let Some(current) = ledger.current.as_ref().filter(|_| ledger.superseded.is_empty()) {
        let note = format!(
            "attempt {}: generated {}, Secret updated {}, verified {}; attempt {attempt} revoked {now} ({proof:?})",
            current.attempt, current.issued_time, current.published_time, current.verified_time
        );
        pass.normal(Reason::RotationCompleted, "Rotate", note).await;
    }
    Ok(Flow::Continue)
}

async fn record_alive(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    (attempt, id): (u32, &TokenId),
    alive: Alive,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let now = pass.now().time();
    let first_retry = pass.desired().timings.first_retry.max(alive.after);
    let change = |ledger: &mut Ledger| ledger.revoke_failed(attempt, id, first_retry, now);
    let written = record(pass, objects, observed, Phase::Resting, Fact::Other, change).await?;
    let tries = pass.ledger().superseded.iter().find(|old| old.id == *id).map_or(0, |old| old.tries);
    if tries == 1 {
        let note = format!(
            "attempt {attempt} (id {id}) is not known to be dead: {}; the revoke is tried until it is",
            alive.what
        );
        pass.warn(Reason::TokenRevocationFailed, "Revoke", note).await;
    }
    Ok(written.into())
}

/// Asks the service to revoke the token, and then whether it is dead.
async fn revoke_and_prove(
    pass: &Pass<'_>,
    client: &ServiceClient,
    id: &TokenId,
    places: Places,
) -> Result<Proof, Alive> {
    // Most proofs need no further call. One that does must come to its end, or it would be tried again for ever.
    let mut places = places.with_max_wait(PROOF_WAIT);
    let answer = client.revoke(id.as_str(), &mut places).await;
    let value = pass.memory().values.get(id).cloned().or_else(|| stored_value(pass, id));
    let value = value.filter(|_| pass.desired().probe);
    let mut prover = Prover { pass, client, places, id };
    match (answer, value) {
        (Ok(answer), Some(value)) => prover.refused(&value, answer).await,
        (Ok(_), None) => prover.unlisted().await,
        // Another account's list would not show the token either.
        (Err(error @ ServiceError::Refused { credential: true, .. }), _) => Err(alive(&error)),
        (Err(error), value) => prover.settled_by_list(value.as_ref(), alive(&error)).await,
    }
}

fn stored_value(pass: &Pass<'_>, id: &TokenId) -> Option<SecretString> {
    pass.holds(id).then(|| pass.held_token()).flatten()
}

/// Looks for a proof that the token with this id is dead.
struct Prover<'a, 'b> {
    pass: &'a Pass<'b>,
    client: &'a ServiceClient,
    places: Places,
    id: &'a TokenId,
}

impl Prover<'_, '_> {
    /// Proves that the service refuses the old value. The revoke that succeeded under the operator's own credential is the
    /// positive control: a service that refuses everything would have refused that, too. After a mere "gone", the control must
    /// come from a living token or the list.
    async fn refused(&mut self, value: &SecretString, answered: RevokeAnswer) -> Result<Proof, Alive> {
        for _ in 0..PROOF_TRIES {
            match self.client.verify(Some(value), &mut self.places).await {
                Ok(VerifyAnswer::Refused) if answered == RevokeAnswer::Success => return Ok(Proof::Refused),
                Ok(VerifyAnswer::Refused) => return self.gone().await,
                Ok(VerifyAnswer::Accepted) => tokio::time::sleep(PROOF_PAUSE).await,
                Err(error) => return Err(alive(&error)),
            }
        }
        Err(Alive { what: "the service still accepts it".to_owned(), after: Duration::ZERO })
    }

    async fn gone(&mut self) -> Result<Proof, Alive> {
        let current = self.pass.ledger().current.as_ref().filter(|current| current.id != *self.id);
        let living = current.and_then(|current| stored_value(self.pass, &current.id));
        if let Some(living) = living
            && matches!(self.client.verify(Some(&living), &mut self.places).await, Ok(VerifyAnswer::Accepted))
        {
            return Ok(Proof::Refused);
        }
        self.unlisted().await
    }

    async fn unlisted(&mut self) -> Result<Proof, Alive> {
        if !self.client.declaration().can(Capability::List) {
            // There is neither a value nor a list. The service's word is the only proof, and the history says so.
            return Ok(Proof::Answered);
        }
        match self.client.list(&mut self.places).await {
            Ok(listing) => self.read_list(&listing),
            Err(error) => Err(alive(&error)),
        }
    }

    /// A list without the id is a proof only if it shows the living token: the list of another account shows neither.
    fn read_list(&self, listing: &Listing) -> Result<Proof, Alive> {
        let listed = |id: &TokenId| listing.rows.iter().any(|row| row.id == id.as_str());
        let current = self.pass.ledger().current.as_ref();
        let living = current.filter(|current| current.id != *self.id && current.rejected_time.is_none());
        let what = if listed(self.id) {
            "the service still lists it"
        } else if living.is_some_and(|living| !listed(&living.id)) {
            "the service's list does not show the current token either, so it proves nothing: is it another account's?"
        } else {
            return Ok(Proof::Unlisted);
        };
        Err(Alive { what: what.to_owned(), after: Duration::ZERO })
    }

    /// Settles an answer other than success or gone, by the old value if there is one, and by the list. It may mean "already gone"
    /// (seen: 500 for a user without tokens).
    async fn settled_by_list(&mut self, value: Option<&SecretString>, otherwise: Alive) -> Result<Proof, Alive> {
        if !self.client.declaration().can(Capability::List) || otherwise.after > Duration::ZERO {
            return Err(otherwise);
        }
        if let Some(value) = value
            && !matches!(self.client.verify(Some(value), &mut self.places).await, Ok(VerifyAnswer::Refused))
        {
            return Err(otherwise);
        }
        self.unlisted().await.map_err(|_| otherwise)
    }
}

fn alive(error: &ServiceError) -> Alive {
    Alive { what: error.to_string(), after: error.retry_after() }
}
