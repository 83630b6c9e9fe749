//! Verifies the value in flight before it is published, and then the bytes that the API server stored (P6).

use crate::api::ledger::Ledger;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::memory::retries::StepKind;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::{call_failed, take_places};
use crate::controller::token::perform::record::{Written, record};
use crate::rotation::observed::{Observed, Verdict};
use crate::rotation::report::Phase;
use crate::service::client::ServiceClient;
use crate::service::client::answers::VerifyAnswer;
use crate::service::errors::ServiceError;

/// Verifies the value in flight before it is published.
pub(super) async fn try_value(pass: &mut Pass<'_>, client: &ServiceClient) -> Flow {
    let Some(attempt) = &mut pass.memory_mut().in_flight else { return Flow::Continue };
    let Some(token) = attempt.value.as_ref().map(|value| value.token.clone()) else { return Flow::Continue };
    let answer = client.verify(Some(&token), &mut attempt.places).await;
    let verdict = verdict_of(pass, answer);
    let (now, settle) = (pass.now(), pass.desired().timings.token_settle);
    if let Some(verdict) = verdict
        && let Some(value) = pass.memory_mut().in_flight.as_mut().and_then(|attempt| attempt.value.as_mut())
    {
        // A refusal of a token that is still settling means nothing. Ask again once it has settled.
        let counts = verdict == Verdict::Accepted || now.is_over(value.issued.plus(settle));
        value.trial = counts.then_some(verdict);
    }
    Flow::Continue
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
            let Some(mut places) = take_places(pass, client, StepKind::Verify, 1).await else { return Flow::Continue };
            client.verify(Some(&token), &mut places).await
        }
    };
    let verdict = verdict_of(pass, answer);
    pass.asked(verdict);
    let Some(verdict) = verdict else { return Flow::Continue };
    if pass.ledger().current.as_ref().is_some_and(|current| pass.holds(&current.id)) {
        let (key, now) = (pass.service_key(), pass.now().time());
        let objects = pass.shared().objects.holders(&key);
        pass.shared().services.answered(&key, pass.uid(), verdict == Verdict::Accepted, objects, now);
    }
    if verdict == Verdict::Accepted {
        pass.mark_verified(&token);
    }
    Flow::Continue
}

/// The verdict in the answer. A refusal pauses, too: the service may know a fresh token only a little later.
fn verdict_of(pass: &mut Pass<'_>, answer: Result<VerifyAnswer, ServiceError>) -> Option<Verdict> {
    match answer {
        Ok(VerifyAnswer::Accepted) => {
            pass.went_well(StepKind::Verify);
            Some(Verdict::Accepted)
        }
        Ok(VerifyAnswer::Refused) => {
            let what = "the service does not accept the fresh token yet";
            pass.pause(StepKind::Verify, Reason::VerificationFailed, what);
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

/// Records that the service stopped accepting the current token.
pub(super) async fn reject(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let now = pass.now().time();
    pass.memory_mut().retries.succeeded(StepKind::Verify);
    pass.memory_mut().transient_failure = None;
    let change = |ledger: &mut Ledger| ledger.rejected(now);
    let written = record(pass, objects, observed, Phase::Working, Fact::Other, change).await?;
    if written == Written::Yes {
        let note = "the service refuses the current token; a new one is generated".to_owned();
        pass.warn(Reason::TokenInvalidatedExternally, "Verify", note).await;
    }
    Ok(written.into())
}
