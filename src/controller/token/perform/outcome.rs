//! Outcomes of attempts. Each is decided once, and recorded before anything follows from it (P6).

use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use crate::api::ids::TokenId;
use crate::api::ledger::{Claim, Current, Ledger};
use crate::api::parameters::Lifetime;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::api::token_service::HintPolicy;
use crate::controller::admin::metrics::FAILED;
use crate::controller::error::PassError;
use crate::controller::token::memory::in_flight::Attempt;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::announce::{announce, announcement, settled};
use crate::controller::token::perform::claim::{attributable, claim_of};
use crate::controller::token::perform::hand_over;
use crate::controller::token::perform::record::{Written, record};
use crate::controller::token::secret_state;
use crate::controller::value_digest::digest_of;
use crate::rotation::desired::Halt;
use crate::rotation::ledger::Leftover;
use crate::rotation::observed::{InFlight, Observed};
use crate::rotation::plan::GiveUpReason;
use crate::rotation::report::Phase;
use crate::rotation::words::{refused, too_late};
use crate::secret::metadata;

/// Gives up the attempt in flight. Its leftover is recorded in the ledger before this process forgets it.
pub(super) async fn give_up(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    because: GiveUpReason,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(attempt) = &pass.memory().in_flight else { return Ok(Flow::Continue) };
    let open = observed.open_claim().is_some_and(|open| open.attempt == attempt.attempt);
    if because == GiveUpReason::Recorded && !open {
        settled(pass).await;
        return Ok(Flow::Continue);
    }
    let (claim, leftover) = (claim_of(pass, attempt.attempt, observed), leftover(pass, attempt, observed));
    let Why { reason, message } = why_given_up(pass, because, open, attempt);
    let message = format!("attempt {} was given up: {message}", claim.attempt);
    let digest = attempt.value.as_ref().map(|value| digest_of(&value.token));
    if let Some(secret) = claim.hand_over.as_ref().filter(|_| reason == Reason::HandOverRefused) {
        hand_over::refused(pass, secret, digest, &message).await;
    }
    fail(pass, objects, &claim, leftover, Fact::Other, Why { reason, message }, observed).await
}

fn why_given_up(pass: &Pass<'_>, because: GiveUpReason, open: bool, attempt: &Attempt) -> Why {
    let by_hand = attempt.is_handed_over();
    let generated = attempt.value.is_some();
    let why = |reason, message: &str| Why { reason, message: message.to_owned() };
    match because {
        GiveUpReason::Late => {
            let hindrance = pass.memory().transient_failure.as_ref().map(|(_, failure)| failure);
            let reason =
                hindrance.filter(|_| !generated || by_hand).map_or(Reason::TokenGenerationFailed, |known| known.reason);
            Why { reason, message: too_late(generated, hindrance.map(|known| known.message.as_str())) }
        }
        GiveUpReason::Overtaken if !open => why(
            Reason::TokenGenerationFailed,
            "another process settled its claim meanwhile, or the record of it is gone",
        ),
        GiveUpReason::Overtaken => why(Reason::SecretUpdateFailed, "the Secret was changed by somebody else meanwhile"),
        GiveUpReason::Recorded => why(Reason::Rotating, "another process found its token at the service"),
        GiveUpReason::Refused if by_hand => {
            let status = pass.memory().refused_with.map(|status| format!(" (status {status})")).unwrap_or_default();
            Why { reason: Reason::HandOverRefused, message: format!("the service does not accept the token{status}") }
        }
        GiveUpReason::Refused => Why {
            reason: Reason::VerificationFailed,
            message: refused("before it was published", pass.memory().refused_with),
        },
        GiveUpReason::Deleting => why(Reason::Deleting, "the object is being deleted"),
        GiveUpReason::Leaked => {
            why(Reason::TokenGenerationFailed, "it was claimed before the leak of spec.rotation.revokeIssuedBefore")
        }
    }
}

/// Gives up an attempt whose value does not fit into the Secret: no format can carry it, or it is too large.
pub(super) async fn unrenderable(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    halt: Halt,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(attempt) = &pass.memory().in_flight else { return Ok(Flow::Continue) };
    let (claim, leftover) = (claim_of(pass, attempt.attempt, observed), leftover(pass, attempt, observed));
    let message = format!("attempt {} cannot stand in the Secret: {}", claim.attempt, halt.message);
    fail(pass, objects, &claim, leftover, Fact::Other, Why { reason: halt.reason, message }, observed).await
}

/// What is left of an attempt that its process gives up. A consumer may have read any value that was ever sent to the API
/// server, even if the answer said otherwise or got lost.
fn leftover(pass: &Pass<'_>, attempt: &Attempt, observed: &Observed) -> Leftover {
    let held = || attempt.value.as_ref().is_some_and(|value| observed.secrets.have_mark_of(&value.id));
    match &attempt.value {
        None => Leftover::Nothing,
        // A person has it, in the Secret that brought it, and it may be taken up again.
        Some(value) if attempt.is_handed_over() && !held() && (!value.sent || observed.secrets.live()) => {
            Leftover::Nothing
        }
        // Another process may have published one that was handed over.
        Some(value) if value.sent || held() => {
            let revoke_after = pass.now().end_of(pass.desired().overlap);
            Leftover::Published { id: value.id.clone(), revoke_after, held: held() }
        }
        Some(value) => Leftover::Unpublished(value.id.clone()),
    }
}

/// Why an attempt failed: the reason that conditions show, and a sentence.
struct Why {
    reason: Reason,
    message: String,
}

async fn fail(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    claim: &Claim,
    leftover: Leftover,
    fact: Fact<'_>,
    Why { reason, message }: Why,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let failure = pass.failure(observed.object.generation, reason, message.clone());
    let now = pass.now().time();
    let seen = leftover.token().cloned().zip(generated_by(pass, claim.attempt, leftover.token()));
    let hinted = leftover.token().cloned().map(|id| (hint_of(pass, &id), id));
    let change = |ledger: &mut Ledger| {
        ledger.failed(claim, leftover, failure, now);
        if let Some((hint, id)) = hinted {
            ledger.hinted(&id, hint);
        }
        if let Some((id, revision)) = &seen {
            ledger.seen_by(claim.attempt, id, revision);
        }
    };
    // The record ends the attempt, so it also says what is due from now on. A later write of that might have to wait.
    observed.in_flight = InFlight::Nothing;
    let written = record(pass, objects, observed, Phase::Resting, fact, change).await?;
    if written == Written::Yes {
        let memory = pass.memory_mut();
        let attempt = memory.in_flight.take();
        let trigger = attempt.as_ref().and_then(|attempt| attempt.trigger);
        if let Some(Attempt { value: Some(value), .. }) = attempt {
            memory.values.insert(value.id, value.token);
        }
        memory.transient_failure = None;
        if is_failure(reason) {
            pass.shared().metrics.attempted(trigger, FAILED);
        }
        if let Some(event) = event_of(reason) {
            pass.warn(event, "Rotate", message).await;
        }
    }
    Ok(written.into())
}

/// No failure is an attempt that ends with its object, or whose token another process has recorded.
fn is_failure(reason: Reason) -> bool {
    !matches!(reason, Reason::Deleting | Reason::Rotating)
}

/// The event for an attempt that failed for this reason. A token that is not taken up is told when that is found.
fn event_of(reason: Reason) -> Option<Reason> {
    match reason {
        _ if !is_failure(reason) => None,
        Reason::HandOverRefused => None,
        Reason::VerificationFailed => Some(Reason::TokenVerificationFailed),
        // Why no token could be asked for is told by the message.
        Reason::ServiceNotReady | Reason::Throttled => Some(Reason::TokenGenerationFailed),
        other => Some(other),
    }
}

pub(super) async fn decide_verified(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some((claim, current)) = published(pass, observed) else { return Ok(Flow::Continue) };
    let now = pass.now().time();
    let current = Current { verified_time: now, ..current };
    let first = observed.ledger.history.is_empty() && observed.ledger.current.is_none();
    let (service, attempt) = (pass.service_identity(), current.attempt);
    let replaced = replaced_by(pass, attempt);
    let ended = |id: &TokenId| pass.ledger().history.iter().any(|dead| dead.id == *id);
    let unknown = replaced.iter().filter(|id| !pass.ledger().knows(id) && !ended(id));
    let strangers: Vec<String> = unknown.map(ToString::to_string).collect();
    let revoke_after = pass.now().end_of(pass.desired().overlap);
    let requests = observed.object.requests.clone();
    let announcement = announcement(&current, first, &strangers, observed);
    if let Some(own) = pass.memory_mut().in_flight.as_mut().filter(|own| own.attempt == attempt) {
        own.announcement = Some(announcement.clone());
    }
    let change = |ledger: &mut Ledger| {
        ledger.verified(&claim, current, &replaced, revoke_after);
        ledger.service = service;
        // After a lost ledger, and at a first issue, this token fulfils a request that was there before.
        if first {
            ledger.handled_requests = requests;
        }
    };
    let written = record(pass, objects, observed, Phase::Resting, Fact::Verified, change).await?;
    if written == Written::Yes {
        announce(pass, announcement).await;
    }
    Ok(written.into())
}

/// The version of the credential that generated the token of this attempt: that of this process's own request, or today's if a list that
/// was read with it has the token. The token may be another process's.
fn generated_by(pass: &Pass<'_>, attempt: u32, id: Option<&TokenId>) -> Option<String> {
    let own = pass.memory().in_flight.as_ref().filter(|own| own.attempt == attempt && own.value.is_some());
    let listed = pass.listing().into_iter().flatten().any(|row| row.attempt == attempt && Some(&row.id) == id);
    let todays = || pass.service().filter(|_| listed).map(|service| service.revision.clone());
    own.map(|own| own.credentials_revision.clone()).or_else(todays)
}

/// The token in the Secret and its claim: known to this process, or attested by the service's list.
fn published(pass: &Pass<'_>, observed: &Observed) -> Option<(Claim, Current)> {
    let ours = observed.secrets.ours().next()?;
    let (id, attempt) = (ours.id.clone()?, ours.attempt);
    let claim = claim_of(pass, attempt, observed);
    let token = pass.held_token()?;
    let own = pass.memory().in_flight.as_ref().filter(|own| own.attempt == attempt);
    let own_value = own.and_then(|own| own.value.as_ref());
    let credentials_revision = generated_by(pass, attempt, Some(&id));
    let listed = observed.service.listing.iter().flatten().find(|row| row.id == id);
    let request_digest = own.map_or_else(|| claim.request_digest.clone(), |own| own.request_digest.clone());
    let claimed = own.map_or(claim.time, |own| own.claimed);
    // Without a claim in the ledger, the time of the claim is that of the object, which may be years old.
    let known = own.is_some() || observed.open_claim().is_some_and(|open| open.attempt == attempt);
    let lifetime = if known { pass.validated().lifetime } else { Lifetime::Never };
    let said = claim.hand_over.as_ref().and_then(|secret| super::hand_over::end_of(pass, secret, lifetime, claimed));
    let unseen =
        || said.or_else(|| unseen_end(listed.and_then(|row| row.expiration), lifetime, claimed.min(pass.now().time())));
    let current = Current {
        attempt,
        id,
        nonce: claim.nonce.clone(),
        hand_over: claim.hand_over.clone(),
        reminded_days: None,
        credentials_revision: credentials_revision.unwrap_or_default(),
        hint: hint(pass, &token),
        request_digest,
        claimed_time: claimed,
        issued_time: own_value.map_or(claimed, |value| value.issued),
        published_time: own_value.and_then(|value| value.published).unwrap_or(claimed),
        verified_time: claimed,
        probed: pass.desired().probe,
        refused_time: None,
        rejected_time: None,
        unclear: None,
        last_used_time: None,
        expiration_time: own_value.map_or_else(unseen, |value| value.expiration),
        secret_resource_version: pass.secret()?.resource_version().unwrap_or_default(),
    };
    Some((claim, current))
}

/// The end of a token whose answer another process saw: that of the list or, where it has none that can be believed, the lifetime from the
/// claim.
/// The lifetime that the spec asks for now is that of the claim, or the digests differ and the token is replaced anyway.
fn unseen_end(listed: Option<Time>, lifetime: Lifetime, claimed: Time) -> Option<Time> {
    listed
        .filter(|end| !lifetime.is_far_exceeded(claimed, *end))
        .or_else(|| lifetime.length().map(|length| claimed.plus(length)))
}

/// The tokens that the Secret held before this attempt: as this process saw them or, if it did not, as the Secret says.
fn replaced_by(pass: &Pass<'_>, attempt: u32) -> Vec<TokenId> {
    let own = pass.memory().in_flight.as_ref().filter(|own| own.attempt == attempt);
    let marked = || pass.secret().map(|secret| metadata::read_marks(secret).superseded).unwrap_or_default();
    own.map_or_else(marked, |own| own.replaces.clone())
}

fn hint(pass: &Pass<'_>, token: &SecretString) -> Option<String> {
    let shown = pass.service().is_some_and(|service| service.spec.hint == HintPolicy::LastFour);
    secret_state::hint_of(token.expose_secret()).filter(|_| shown)
}

/// The end of the value of the token in flight, or of the one that the Secret holds.
fn hint_of(pass: &Pass<'_>, id: &TokenId) -> Option<String> {
    let own = pass.memory().in_flight.as_ref().and_then(|own| own.value.as_ref()).filter(|value| value.id == *id);
    let held = || if pass.holds(id) { pass.held_token() } else { None };
    let value = own.map(|value| value.token.clone()).or_else(held)?;
    hint(pass, &value)
}

/// Records that the published attempt failed. An id that nobody attests does not get into the ledger.
pub(super) async fn decide_failed(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(ours) = observed.secrets.ours().next() else { return Ok(Flow::Continue) };
    let claim = claim_of(pass, ours.attempt, observed);
    let own = matches!(&observed.in_flight, InFlight::Value { id, .. } if Some(id) == ours.id.as_ref());
    let mut rows = observed.service.listing.iter().flatten();
    let listed = rows.any(|row| Some(&row.id) == ours.id.as_ref() && row.nonce == claim.nonce);
    // Wait twice the overlap: after a roll-back within the first one, consumers still have a whole overlap.
    let revoke_after = pass.now().end_of(pass.desired().overlap.saturating_mul(2));
    let (leftover, why) = match ours.id.clone() {
        Some(id) if own || listed || claim.hand_over.is_some() => (
            Leftover::Published { id, revoke_after, held: true },
            refused("after it was published", pass.memory().refused_with),
        ),
        Some(_) | None if attributable(observed) => {
            (Leftover::Unknown { attributable: true }, "the service does not list it as ours".to_owned())
        }
        Some(_) | None => (
            Leftover::Unknown { attributable: false },
            "it was published by a process that ended, and tokens have no names there".to_owned(),
        ),
    };
    let message = format!("attempt {}: {why}", claim.attempt);
    let why = Why { reason: Reason::VerificationFailed, message };
    fail(pass, objects, &claim, leftover, Fact::Failed, why, observed).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_end_of_a_token_survives_the_process_that_saw_it() {
        let (claimed, listed) = (Time::from_millis(1000), Time::from_millis(5000));
        let limited = Lifetime::Limited(Duration::from_secs(60));
        assert_eq!(unseen_end(Some(listed), limited, claimed), Some(listed));
        assert_eq!(unseen_end(None, limited, claimed), Some(Time::from_millis(61_000)));
        assert_eq!(
            unseen_end(Some(Time::from_millis(122_000)), limited, claimed),
            Some(Time::from_millis(61_000)),
            "far beyond"
        );
        assert_eq!(unseen_end(None, Lifetime::Never, claimed), None);
    }
}
