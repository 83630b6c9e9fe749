//! Claims: a process claims an attempt before anything happens at the service (P1, P2).

use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::FINALIZER;
use crate::api::ids::{Nonce, TokenId};
use crate::api::ledger::{Claim, HandOver, Ledger, Lost};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::token::memory::in_flight::Attempt;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::{ISSUE_CALLS, take_places};
use crate::controller::token::perform::hand_over::value_of;
use crate::controller::token::perform::record::{Written, record, write_finalizers};
use crate::rotation::identity::{NONCE_BYTES, nonce};
use crate::rotation::observed::{Observed, OfferState};
use crate::rotation::report::Phase;
use crate::rotation::schedule::{self, Trigger};
use crate::rotation::step_kind::StepKind;
use crate::service::client::{Places, ServiceClient};

/// How long a further call for an attempt in flight waits for its place. It has a deadline, and others wait less.
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(15);

/// P1: adds our finalizer. For the process that does it, the patch is also the claim of attempt 1.
pub(super) async fn finalize(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: Option<&ServiceClient>,
    claims: bool,
    observed: &Observed,
) -> Result<Flow, PassError> {
    let places = if claims { pass_rate_limit(pass, client).await } else { None };
    if claims && places.is_none() {
        return Ok(Flow::Continue);
    }
    let (sent, now) = (Instant::now(), pass.now());
    let mut names = pass.object().finalizers().to_vec();
    names.push(FINALIZER.to_owned());
    let written = write_finalizers(pass, objects, names).await?;
    if written == Written::Yes && !pass.object().finalizers().iter().any(|name| name == FINALIZER) {
        // Writing it again at once would be a loop.
        return Err(PassError::Record {
            what: "the finalizers",
            why: "an admission webhook takes ours off".to_owned(),
        });
    }
    if let (Written::Yes, Some(places)) = (written, places) {
        let claim = Lost { attempt: 1, nonce: Nonce::first(), time: now.stamp() };
        start(pass, claim, sent, places, observed, (Some(Trigger::First), false));
    }
    Ok(written.into())
}

/// P22: records the token of a deleted object of the same name, before a claim leads to its replacement.
pub(super) async fn record_replaced(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    id: TokenId,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let change = |ledger: &mut Ledger| ledger.will_replace(id);
    Ok(record(pass, objects, observed, Phase::Working, Fact::Other, change).await?.into())
}

/// P2: claims an attempt. The nonce tells a lost answer from a lost race.
pub(super) async fn claim(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    client: Option<&ServiceClient>,
    attempt: u32,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(places) = pass_rate_limit(pass, client).await else { return Ok(Flow::Continue) };
    let mut random = [0_u8; NONCE_BYTES];
    if getrandom::fill(&mut random).is_err() {
        pass.pause(StepKind::Generate, Reason::Issuing, "this machine gives no random numbers");
        return Ok(Flow::Continue);
    }
    let (sent, now) = (Instant::now(), pass.now());
    let request_digest = pass.desired().request_digest.clone();
    let time = observed.ledger.next_claim_time(now.stamp());
    let request = observed.object.requests.rotate.clone();
    let hand_over = takes_up(observed);
    let value = hand_over.as_ref().and_then(|secret| value_of(pass, secret, attempt, time));
    let claim = Claim { attempt, nonce: nonce(random), time, request_digest, request, hand_over, outcome: None };
    let (open, attributable) = (observed.open_claim(), attributable(observed));
    let trigger = schedule::trigger(pass.desired(), observed, now.time());
    let corrects = trigger == Some(Trigger::Drift);
    let service = pass.service_identity();
    let recorded = claim.clone();
    let written = record(pass, objects, observed, Phase::Working, Fact::Other, move |ledger| {
        ledger.claimed(recorded, open, attributable);
        ledger.service = service;
    })
    .await?;
    let known = pass.ledger().claim.as_ref();
    let landed = known.is_some_and(|known| known.nonce == claim.nonce && known.attempt == attempt);
    if landed && written != Written::Gone {
        if corrects {
            pass.corrected();
        }
        let by_hand = value.is_some();
        let claim = Lost { attempt, nonce: claim.nonce, time };
        start(pass, claim, sent, places, observed, (trigger, corrects && !by_hand));
        let memory = pass.memory_mut();
        if let Some(attempt) = memory.in_flight.as_mut().filter(|_| by_hand) {
            attempt.value = value;
            // No token of it can live at the service unseen.
            memory.claims.pop_back();
        }
    }
    Ok(written.into())
}

/// The Secret whose token this claim takes up, where a person makes the tokens.
fn takes_up(observed: &Observed) -> Option<HandOver> {
    let offer = observed.by_hand.offer.as_ref().filter(|_| observed.service.is_by_hand())?;
    (offer.state == OfferState::Ready).then(|| offer.secret.clone())
}

/// Passes the rate limit before the claim, so that no claim waits for it.
async fn pass_rate_limit(pass: &mut Pass<'_>, client: Option<&ServiceClient>) -> Option<Places> {
    let places = match pass.take_kept_places() {
        Some(places) => places,
        None => take_places(pass, client?, StepKind::Generate, ISSUE_CALLS).await?,
    };
    pass.went_well(StepKind::Generate);
    Some(places.with_max_wait(IN_FLIGHT_WAIT))
}

fn start(
    pass: &mut Pass<'_>,
    claim: Lost,
    sent: Instant,
    places: Places,
    observed: &Observed,
    (trigger, corrects): (Option<Trigger>, bool),
) {
    let request_digest = pass.desired().request_digest.clone();
    let deadline = sent + pass.desired().timings.publish_deadline;
    let begun = Attempt::begun((claim.attempt, claim.time), request_digest, deadline, places, observed);
    let attempt = Attempt { trigger, corrects, ..begun };
    let memory = pass.memory_mut();
    // The refusals of an earlier attempt's token must not make verification of this one slower.
    memory.retries.succeeded(StepKind::Verify);
    memory.claimed(claim);
    memory.in_flight = Some(attempt);
}

/// Whether the name of a token at the service shows which claim it belongs to.
pub(super) fn attributable(observed: &Observed) -> bool {
    observed.service.seen.is_some_and(|seen| seen.attributable)
}

/// The claim in the ledger that an attempt belongs to.
pub(super) fn claim_of(pass: &Pass<'_>, attempt: u32, observed: &Observed) -> Claim {
    let open = observed.open_claim().filter(|claim| claim.attempt == attempt);
    let lost = observed.ledger.lost.iter().find(|lost| lost.attempt == attempt);
    let claimed: Option<Time> = pass.memory().in_flight.as_ref().map(|in_flight| in_flight.claimed);
    open.unwrap_or_else(|| Claim {
        attempt,
        nonce: lost.map(|lost| lost.nonce.clone()).unwrap_or_default(),
        time: lost.map(|lost| lost.time).or(claimed).unwrap_or(observed.object.created),
        request_digest: String::new(),
        request: None,
        hand_over: None,
        outcome: None,
    })
}
