//! Generate: one claim, at most one request (P3).

use crate::api::ids::TokenId;
use crate::api::ledger::Claim;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::token::memory::in_flight::{Attempt, Value};
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::call_failed;
use crate::controller::token::perform::claim::claim_of;
use crate::controller::token::perform::record::{ISSUING_AFTER, Written, record, status_after, tell};
use crate::controller::token::perform::sweep::misdeclared;
use crate::controller::token::validate::CheckedRequest;
use crate::rotation::identity::{self, Name};
use crate::rotation::ledger::Leftover;
use crate::rotation::observed::Observed;
use crate::rotation::report::{Phase, TransientFailure};
use crate::rotation::step_kind::{Cause, StepKind};
use crate::service::client::ServiceClient;
use crate::service::client::answers::{GenerateRequest, Generated};
use crate::service::errors::ServiceError;

pub(super) async fn generate(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: &ServiceClient,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    // Take the claim out of the memory before the request is sent, and put it back with the answer. If anything ends this pass in
    // between, an unresolved claim is left, never a second generate.
    let Some(mut attempt) = pass.memory_mut().in_flight.take() else { return Ok(Flow::Continue) };
    let claim = claim_of(pass, attempt.attempt, observed);
    // The spec may have changed since the claim: the newest one counts.
    let Some(wanted) = request(pass, client, &claim, attempt.claimed) else {
        pass.memory_mut().in_flight = Some(attempt);
        pass.pause(StepKind::Generate, Reason::InvalidSpec, "the spec was changed since the claim, and is wrong now");
        return Ok(Flow::Continue);
    };
    attempt.request_digest.clone_from(&pass.desired().request_digest);
    attempt.credentials_revision = pass.service().map(|service| service.revision.clone()).unwrap_or_default();
    let answer = {
        let call = client.generate(&wanted, &mut attempt.places);
        tokio::pin!(call);
        match tokio::time::timeout(ISSUING_AFTER, &mut call).await {
            Ok(answer) => answer,
            Err(_) => tokio::join!(call, show_issuing(pass, objects, observed)).0,
        }
    };
    match answer {
        Ok(generated) => Ok(take(pass, attempt, generated, observed).await),
        Err(error @ (ServiceError::Retry { .. } | ServiceError::Throttled { .. })) => {
            pass.memory_mut().in_flight = Some(attempt);
            call_failed(pass, StepKind::Generate, &error);
            Ok(Flow::Continue)
        }
        Err(error @ ServiceError::Unknown { .. }) => {
            misdeclared(pass, &error);
            Ok(lose(pass, &claim, &error.to_string()).await)
        }
        Err(error @ ServiceError::Refused { .. }) => {
            pass.memory_mut().in_flight = Some(attempt);
            refused(pass, objects, &claim, &error, observed).await
        }
    }
}

fn request(pass: &Pass<'_>, client: &ServiceClient, claim: &Claim, claimed: Time) -> Option<GenerateRequest> {
    let (declaration, validated) = (client.declaration(), pass.validated());
    let CheckedRequest { lifetime, parameters } = validated.request.clone()?;
    let own = Name { uid16: identity::uid16(pass.uid()), attempt: claim.attempt, nonce: claim.nonce.clone() };
    let (prefix, shown) = (declaration.prefix().unwrap_or_default(), declaration.display_part(&validated.display_name));
    let name = declaration.maximum_name_length().map(|most| identity::format(prefix, &own, shown, most));
    let display_name = Some(validated.display_name.clone());
    // The claim may have the time of a clock that was ahead. An expiry counts from no later than now.
    let now = pass.now().time();
    Some(GenerateRequest { name, display_name, lifetime, parameters, now, claimed: claimed.min(now) })
}

/// Shows in the status that the first answer is slow. The claim stays as it is, even if the write fails.
async fn show_issuing(pass: &mut Pass<'_>, objects: &ObjectWriter, observed: &mut Observed) {
    if observed.ledger.current.is_none() {
        let status = status_after(pass, observed, Phase::Working, pass.ledger().clone());
        if let Err(error) = tell(pass, objects, status).await {
            tracing::debug!(%error, "could not show that the first answer is slow");
        }
    }
}

async fn take(pass: &mut Pass<'_>, mut attempt: Attempt, generated: Generated, observed: &Observed) -> Flow {
    pass.went_well(StepKind::Generate);
    // The declaration promises an id. A token whose id does not fit into a ledger could never be revoked by it.
    let Some(id) = generated.id.and_then(TokenId::new) else {
        let claim = claim_of(pass, attempt.attempt, observed);
        return lose(pass, &claim, "the service's answer has no id of at most 512 characters for the token").await;
    };
    if let Some(doubt) = generated.doubt {
        pass.warn(Reason::ExpiryNotAnswered, "Generate", format!("attempt {}: {doubt}", attempt.attempt)).await;
    }
    // What is known of an older token with this id is not about this one.
    let memory = pass.memory_mut();
    memory.values.remove(&id);
    memory.signs.remove(&id);
    memory.digest.take_if(|(known, _)| *known == id);
    attempt.value = Some(Value {
        id,
        token: generated.value,
        expiration: generated.expiration_time,
        issued: pass.now().time(),
        trial: None,
        published: None,
        sent: false,
    });
    pass.memory_mut().in_flight = Some(attempt);
    Flow::Continue
}

/// Gives up an attempt of unknown outcome. A token may live that nobody knows, so the claim stays open until it is settled (P12).
async fn lose(pass: &mut Pass<'_>, claim: &Claim, what: &str) -> Flow {
    pass.memory_mut().in_flight = None;
    let note = format!(
        "attempt {}: {what}; a token may live unseen, so the next attempt waits until it would show",
        claim.attempt
    );
    let failure = TransientFailure { reason: Reason::TokenGenerationFailed, message: note.clone() };
    pass.memory_mut().transient_failure = Some((Cause::Lost(claim.attempt), failure));
    pass.warn(Reason::TokenGenerationFailed, "Generate", note).await;
    Flow::Continue
}

/// Handles a definite refusal of generate.
async fn refused(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    claim: &Claim,
    error: &ServiceError,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let credential = matches!(error, ServiceError::Refused { credential: true, .. });
    let reason = if credential { Reason::CredentialRejected } else { Reason::TokenGenerationFailed };
    // A request that was never sent is also a fault of the service object: of its address or its declaration.
    if credential || matches!(error, ServiceError::Refused { status: None, .. }) {
        pass.shared().services.doubt_credential(pass.service_key());
    }
    let failure = pass.failure(observed.object.generation, reason, error.to_string());
    let message = failure.message.clone();
    let now = pass.now().time();
    let written = record(pass, objects, observed, Phase::Resting, Fact::Other, |ledger| {
        ledger.failed(claim, Leftover::Nothing, failure, now);
    })
    .await?;
    if written == Written::Yes {
        let memory = pass.memory_mut();
        if memory.in_flight.take().is_some_and(|attempt| attempt.corrects) {
            memory.corrections.take_back();
        }
        pass.warn(reason, "Generate", message).await;
    }
    Ok(written.into())
}
