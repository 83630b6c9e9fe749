//! Revokes a token, and records that it is dead, or that nobody knows it (P8).

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Proof};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::token::memory::Memory;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::alive::{Alive, needs_a_second_look};
use crate::controller::token::perform::calls::take_places;
use crate::controller::token::perform::companion::look_for;
use crate::controller::token::perform::prove::{EndedBy, REVOKE_CALLS, revoke_and_prove};
use crate::controller::token::perform::record::{Written, record};
use crate::rotation::observed::Observed;
use crate::rotation::report::Phase;
use crate::rotation::step_kind::StepKind;
use crate::rotation::words::life_of;
use crate::service::client::ServiceClient;

/// Takes places for the calls of a revoke. Where it is not this object's turn, the pass ends without a read of the Secret.
pub(super) async fn take_turn(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: &ServiceClient,
    id: &TokenId,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(places) = take_places(pass, client, StepKind::Revoke, REVOKE_CALLS).await else {
        return owe(pass, objects, id, observed).await;
    };
    pass.went_well(StepKind::Revoke);
    pass.keep_turn(places);
    Ok(Flow::Continue)
}

/// Revokes one token, proves that it is dead, and records that.
pub(super) async fn revoke(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: &ServiceClient,
    (attempt, id): (u32, &TokenId),
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(places) = pass.take_kept_turn() else { return Ok(Flow::Continue) };
    let proof = revoke_and_prove(pass, client, (attempt, id), EndedBy::Operator, places).await;
    let now = pass.now().time();
    match proof {
        Ok(proof) => record_revoked(pass, objects, (attempt, id), proof, observed).await,
        Err(alive) => {
            note(pass.memory_mut(), id, &alive, now);
            record_alive(pass, objects, (attempt, id), alive, observed).await
        }
    }
}

/// Asks whether a token is dead that only a person can revoke, and records that. That it lives is no fact to record: nothing was tried.
pub(super) async fn prove(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: &ServiceClient,
    (attempt, id): (u32, &TokenId),
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(places) = pass.take_kept_turn() else { return Ok(Flow::Continue) };
    look_for(pass, std::slice::from_ref(id)).await?;
    let proof = revoke_and_prove(pass, client, (attempt, id), EndedBy::Person, places).await;
    let now = pass.now().time();
    match proof {
        Ok(proof) => record_revoked(pass, objects, (attempt, id), proof, observed).await,
        // How long nothing was to be seen must be known to the next process, too.
        Err(alive) if alive.forgotten => record_alive(pass, objects, (attempt, id), alive, observed).await,
        Err(alive) => {
            tracing::debug!(object = %pass.label(), %id, what = alive.what, "a person must revoke it");
            let claimed = observed.ledger.superseded.iter().find(|old| old.id == *id).and_then(|old| old.claimed_time);
            let claimed = claimed.or(observed.ledger.current.as_ref().map(|current| current.claimed_time));
            let leaked = claimed.is_some_and(|claimed| observed.ledger.leak_covers(claimed));
            let often = observed.object.deleting || leaked;
            let first = pass.desired().timings.refusal_settle;
            let memory = pass.memory_mut();
            note(memory, id, &alive, now);
            memory.by_hand.asked(id, (first, often), alive.after, now);
            Ok(Flow::Continue)
        }
    }
}

/// Remembers what the service said of a token that is not known to be dead.
fn note(memory: &mut Memory, id: &TokenId, alive: &Alive, now: Time) {
    if alive.accepted || alive.listed {
        memory.signs.remove(id);
    } else if alive.refused || alive.unlisted || alive.ended.is_some() {
        memory.signs.entry(id.clone()).or_default().add(alive.refused, alive.unlisted, alive.ended.clone(), now);
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
    // An id that the ledger has of another attempt may have come back.
    let unknown =
        observed.service.own_rows().find(|row| row.id == *id && !observed.ledger.has_token(row.attempt, &row.id));
    let Some(row) = unknown.cloned() else { return Ok(Flow::Continue) };
    let now = pass.now().time();
    let revision = pass.service().map(|service| service.revision.clone()).unwrap_or_default();
    let change = |ledger: &mut Ledger| {
        ledger.orphans_found(std::slice::from_ref(&row), &[], now);
        ledger.seen_by(row.attempt, &row.id, &revision);
    };
    Ok(record(pass, objects, observed, Phase::Working, Fact::Other, change).await?.into())
}

/// Records that a token is dead; during a deletion only in memory, if a new process could see it again.
async fn record_revoked(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    (attempt, id): (u32, &TokenId),
    proof: Proof,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let now = pass.now().time();
    let change = |ledger: &mut Ledger| ledger.revoked(attempt, id, proof, now);
    // The object is about to go, and after a restart the token would be found dead; but one that was handed over only with its value, which
    // goes with the Secret.
    if observed.object.deleting && !observed.ledger.is_by_hand(attempt, id) {
        pass.revoked_unrecorded(id, change);
        pass.memory_mut().values.remove(id);
        return Ok(Flow::Continue);
    }
    let mut written = record(pass, objects, observed, Phase::Resting, Fact::Revoked(id), change).await?;
    // Another process may have written meanwhile, that it could not prove the death for example: then it would do so each time.
    if written == Written::No && pass.ledger().has_token(attempt, id) {
        written = record(pass, objects, observed, Phase::Resting, Fact::Revoked(id), change).await?;
    }
    if written != Written::Yes {
        return Ok(written.into());
    }
    pass.memory_mut().values.remove(id);
    pass.memory_mut().signs.remove(id);
    if let Some(current) = pass.ledger().completed_by(attempt) {
        let unseen = if proof == Proof::Answered { "; its death was not seen" } else { "" };
        let note = format!("{}; attempt {attempt} revoked {now} ({proof:?}){unseen}", life_of(current));
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
    let revision = pass.service().map(|service| service.revision.clone()).unwrap_or_default();
    let change = |ledger: &mut Ledger| {
        ledger.revoke_failed(attempt, id, first_retry, now);
        ledger.explain_revoke(attempt, id, &alive.what);
        if alive.listed {
            ledger.seen_by(attempt, id, &revision);
        }
    };
    let owed = |pass: &Pass<'_>| {
        let mut owed = pass.ledger().superseded.iter().filter(|old| old.attempt == attempt && old.id == *id);
        owed.next().map_or((0, false), |old| (old.tries, needs_a_second_look(&old.failure)))
    };
    let (_, looked) = owed(pass);
    let written = record(pass, objects, observed, Phase::Resting, Fact::Other, change).await?;
    let (tries, looks_again) = owed(pass);
    // Nothing has failed before the second look.
    if !looks_again && (tries == 1 || looked) {
        let note = format!(
            "attempt {attempt} (id {id}) is not known to be dead: {}; the revoke is tried until it is",
            alive.what
        );
        pass.warn(Reason::TokenRevocationFailed, "Revoke", note).await;
    }
    Ok(written.into())
}
