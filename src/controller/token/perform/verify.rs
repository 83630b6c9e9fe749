//! Verifies the value in flight before it is published, and then the bytes that the API server stored (P6).

use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Unclear};
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::memory::SeenRefusals;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::report::shortened;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::{call_failed, take_places};
use crate::controller::token::perform::record::{Written, record};
use crate::rotation::observed::{Observed, Verdict};
use crate::rotation::report::Phase;
use crate::rotation::schedule::expired;
use crate::rotation::service_answers::Said;
use crate::rotation::step_kind::StepKind;
use crate::rotation::words::rejected;
use crate::service::client::ServiceClient;
use crate::service::client::answers::VerifyAnswer;
use crate::service::errors::{Doubt, ServiceError};

/// How much later than the question its record may be.
const RECORD_LAG: Duration = Duration::from_secs(1);

/// Verifies the value in flight before it is published.
pub(super) async fn try_value(pass: &mut Pass<'_>, client: &ServiceClient) -> Flow {
    let Some(attempt) = &mut pass.memory_mut().in_flight else { return Flow::Continue };
    let Some((id, token)) = attempt.value.as_ref().map(|value| (value.id.clone(), value.token.clone())) else {
        return Flow::Continue;
    };
    let answer = client.verify(Some(&token), &mut attempt.places).await;
    let Some(verdict) = verdict_of(pass, answer) else { return Flow::Continue };
    refused_fresh(pass, verdict);
    if !counts(pass, verdict) || (verdict == Verdict::Refused && refuses_current(pass, client).await) {
        return Flow::Continue;
    }
    if let Some(value) = pass.memory_mut().in_flight.as_mut().and_then(|attempt| attempt.value.as_mut()) {
        value.trial = Some(verdict);
    }
    // A fresh token that never worked says nothing of those that did.
    if verdict == Verdict::Accepted {
        tell(pass, &id, verdict);
    }
    Flow::Continue
}

/// Whether the service refuses the current token, too. Then its refusal of one that a person handed over says nothing: nobody but that
/// person could make another one.
async fn refuses_current(pass: &mut Pass<'_>, client: &ServiceClient) -> bool {
    let now = pass.now().time();
    let current =
        pass.ledger().current.as_ref().filter(|current| current.rejected_time.is_none() && !expired(current, now));
    let control = current.and_then(|current| pass.memory().values.get(&current.id).cloned());
    let attempt = pass.memory_mut().in_flight.as_mut().filter(|attempt| attempt.is_handed_over());
    let (Some(control), Some(attempt)) = (control, attempt) else { return false };
    !matches!(client.verify(Some(&control), &mut attempt.places).await, Ok(VerifyAnswer::Accepted))
}

/// Verifies the bytes that the API server stored.
pub(super) async fn verify(pass: &mut Pass<'_>, client: &ServiceClient) -> Flow {
    let Some(token) = pass.held_token() else {
        pass.pause(StepKind::Verify, Reason::VerificationFailed, "no token can be read from the Secret");
        return Flow::Continue;
    };
    // The calls of an issue passed the rate limit before its claim.
    let answer = match pass.memory_mut().in_flight.as_mut() {
        Some(attempt) => client.verify(Some(&token), &mut attempt.places).await,
        None => {
            let kept = pass.take_kept_question();
            let places = if kept.is_some() { kept } else { take_places(pass, client, StepKind::Verify, 1).await };
            let Some(mut places) = places else { return Flow::Continue };
            client.verify(Some(&token), &mut places).await
        }
    };
    note_unclear(pass, &answer);
    let verdict = verdict_of(pass, answer);
    pass.asked(verdict);
    let Some(verdict) = verdict else { return Flow::Continue };
    let current = pass.ledger().current.as_ref().map(|current| current.id.clone()).filter(|id| pass.holds(id));
    match &current {
        Some(id) => note_answer(pass, id, verdict),
        None => refused_fresh(pass, verdict),
    }
    let fresh = || pass.memory().in_flight.as_ref()?.value.as_ref().map(|value| value.id.clone());
    // A fresh token that never worked says nothing of those that did.
    if let Some(id) = current.or_else(|| fresh().filter(|_| verdict == Verdict::Accepted)) {
        tell(pass, &id, verdict);
    }
    if verdict == Verdict::Accepted {
        pass.mark_verified(&token);
    }
    Flow::Continue
}

/// Remembers the service's answer about the current token. After each refusal it is asked about later.
fn note_answer(pass: &mut Pass<'_>, id: &TokenId, verdict: Verdict) {
    pass.went_well(StepKind::Verify);
    if verdict == Verdict::Accepted {
        pass.memory_mut().refusals = None;
        return;
    }
    // Without a refusal in the ledger, another process saw it accepted since.
    let recorded = pass.ledger().current.as_ref().is_some_and(|current| current.refused_time.is_some());
    let known = pass.memory().refusals.as_ref().filter(|refusals| recorded && refusals.id == *id);
    let count = known.map_or(0, |refusals| refusals.count).saturating_add(1);
    let now = pass.now();
    // A second more: the record of the refusal is a little later than the question.
    let pause = pass.desired().timings.refusal_pause(count) + RECORD_LAG;
    let ask_again = now.look_for(now.time().plus(pause));
    pass.memory_mut().refusals = Some(SeenRefusals { id: id.clone(), count, ask_again });
}

/// Tells the registry what the service said: it shows what a refusal of another token is worth.
fn tell(pass: &Pass<'_>, token: &TokenId, verdict: Verdict) {
    let Some(service) = pass.service() else { return };
    let (accepted, at) = (verdict == Verdict::Accepted, pass.now().time());
    let expired = pass.ledger().current.as_ref().is_some_and(|current| current.id == *token && expired(current, at));
    let said = Said { uid: pass.uid(), token, accepted, expired, at };
    pass.shared().services.said(service, said, pass.desired().timings.refusal_window());
}

/// Whether the answer about the value in flight counts. A refusal of a token that is still settling means nothing.
fn counts(pass: &Pass<'_>, verdict: Verdict) -> bool {
    let issued = pass.memory().in_flight.as_ref().and_then(|attempt| Some(attempt.value.as_ref()?.issued));
    let settled = issued.is_some_and(|issued| pass.now().is_over(issued.plus(pass.desired().timings.token_settle)));
    verdict == Verdict::Accepted || settled
}

/// A refusal of a fresh token pauses: the service may know it only a little later.
fn refused_fresh(pass: &mut Pass<'_>, verdict: Verdict) {
    if verdict == Verdict::Refused {
        let what = "the service does not accept the fresh token yet";
        pass.pause(StepKind::Verify, Reason::VerificationFailed, what);
    }
}

/// Notes an answer about the current token that says nothing. That no answer comes is a trouble of the service.
fn note_unclear(pass: &mut Pass<'_>, answer: &Result<VerifyAnswer, ServiceError>) {
    let current = pass.ledger().current.as_ref().map(|current| current.id.clone());
    let Some(id) = current.filter(|id| pass.holds(id)) else { return };
    match answer {
        Ok(_) => pass.memory_mut().unclear = None,
        Err(ServiceError::Unknown { what, doubt: Doubt::Undeclared | Doubt::Faulty }) => {
            let now = pass.now().time();
            pass.memory_mut().note_unclear(id, shortened(what), now);
            pass.asked_in_vain();
        }
        Err(_) => {}
    }
}

/// The verdict in the answer.
fn verdict_of(pass: &mut Pass<'_>, answer: Result<VerifyAnswer, ServiceError>) -> Option<Verdict> {
    match answer {
        Ok(VerifyAnswer::Accepted) => {
            pass.went_well(StepKind::Verify);
            Some(Verdict::Accepted)
        }
        Ok(VerifyAnswer::Refused { status }) => {
            pass.memory_mut().refused_with = Some(status);
            Some(Verdict::Refused)
        }
        Err(error) => {
            call_failed(pass, StepKind::Verify, &error);
            None
        }
    }
}

/// Records that the service accepts the current token, which was published without asking: the spec asks for that now.
pub(super) async fn record_probed(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    Ok(record(pass, objects, observed, Phase::Resting, Fact::Other, Ledger::probed).await?.into())
}

/// Records since when the service's answers about the current token say nothing, or that this is over.
pub(super) async fn record_unclear(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    unclear: Option<Unclear>,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let begins = unclear.is_some();
    let change = |ledger: &mut Ledger| ledger.unclear(unclear);
    let written = record(pass, objects, observed, Phase::Resting, Fact::Other, change).await?;
    if written == Written::Yes {
        pass.memory_mut().unclear.iter_mut().for_each(|seen| seen.recorded = begins);
    }
    Ok(written.into())
}

/// Records that the service refuses the current token, which may be a fault of the service.
pub(super) async fn record_refusal(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let now = pass.now().time();
    let change = |ledger: &mut Ledger| ledger.refused(now);
    Ok(record(pass, objects, observed, Phase::Resting, Fact::Other, change).await?.into())
}

/// Records that the service accepts the current token again.
pub(super) async fn forget_refusal(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    Ok(record(pass, objects, observed, Phase::Resting, Fact::Other, Ledger::accepted_again).await?.into())
}

/// Records that the current token is dead.
pub(super) async fn reject(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let now = pass.now().time();
    pass.memory_mut().retries.succeeded(StepKind::Verify);
    pass.memory_mut().transient_failure = None;
    pass.memory_mut().refusals = None;
    let change = |ledger: &mut Ledger| ledger.rejected(now);
    let written = record(pass, objects, observed, Phase::Working, Fact::Rejected, change).await?;
    if written == Written::Yes {
        let note = rejected(observed.service.is_by_hand());
        pass.warn(Reason::TokenInvalidatedExternally, "Verify", note).await;
    }
    Ok(written.into())
}
