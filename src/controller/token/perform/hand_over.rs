//! Tokens that a person hands over: reads the Secret that brings one, takes it up, and deletes the Secret.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::ids::TokenId;
use crate::api::ledger::HandOver;
use crate::api::parameters::Lifetime;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::token::memory::by_hand::ReadOffer;
use crate::controller::token::memory::in_flight::{Attempt, Value};
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::calls::{ISSUE_CALLS, take_places};
use crate::controller::token::perform::companion::look_for;
use crate::controller::token::perform::record::{Written, record};
use crate::controller::token::perform::secret::access::{SecretAccess, SecretDeletion};
use crate::controller::token::secret_state::ends_like;
use crate::controller::value_digest::{ValueDigest, digest_of};
use crate::rotation::hand_over::judge;
use crate::rotation::observed::{Brought, Observed, OfferState};
use crate::rotation::report::Phase;
use crate::rotation::step_kind::StepKind;
use crate::secret::hand_over::{HandedOver, hand_over_name, handed_over};
use crate::service::client::ServiceClient;

/// The access to the Secret that hands over a token to this object.
fn offers(pass: &Pass<'_>) -> SecretAccess {
    let namespace = pass.object().namespace().unwrap_or_default();
    SecretAccess::new(pass.ctx().secrets_in(&namespace), namespace, hand_over_name(&pass.object().name_any()))
}

/// Looks for a Secret that hands over a token, where Secrets are not watched: while one is due or taken up, and once after a start, since
/// one that was taken up may not be deleted yet.
pub(in crate::controller::token) async fn look_for_offer(pass: &mut Pass<'_>) -> Result<(), PassError> {
    let ledger = pass.ledger();
    let by_hand = ledger.current.as_ref().is_some_and(|current| current.hand_over.is_some());
    let taking_up = ledger.claim.as_ref().is_some_and(|claim| claim.outcome.is_none() && claim.hand_over.is_some());
    let object = pass.object();
    let known = pass.ctx().offers.to(&object.namespace().unwrap_or_default(), &object.name_any()).is_some();
    let unseen = by_hand && !pass.memory().by_hand.looked;
    let due = pass.is_by_hand() && is_due(pass.object().status.iter().flat_map(|status| &status.conditions));
    let asked = pass.is_by_hand() && pass.reconcile_requested();
    if due || taking_up || known || unseen || asked {
        let secret = offers(pass).read().await?;
        saw_offer(pass, secret.as_ref());
        pass.memory_mut().by_hand.looked = true;
    }
    Ok(())
}

/// Notes what a read showed, where no watch shows it.
fn saw_offer(pass: &Pass<'_>, secret: Option<&Secret>) {
    let object = pass.object();
    if pass.ctx().rereads.is_some() {
        pass.ctx().offers.saw(&object.namespace().unwrap_or_default(), &object.name_any(), secret);
    }
}

/// Whether these conditions ask a person for a token.
pub(in crate::controller::token) fn is_due<'a>(conditions: impl IntoIterator<Item = &'a Condition>) -> bool {
    conditions.into_iter().any(|told| told.type_ == ConditionType::HandOverDue && told.status == ConditionStatus::True)
}

/// Reads the Secret that hands over a token.
pub(super) async fn read_offer(pass: &mut Pass<'_>, observed: &Observed) -> Result<Flow, PassError> {
    let Some(shown) = observed.by_hand.offer.as_ref().map(|offer| offer.secret.clone()) else {
        return Ok(Flow::Continue);
    };
    let secret = offers(pass).read().await?;
    saw_offer(pass, secret.as_ref());
    let version = |text: Option<String>| text.unwrap_or_default();
    let read = secret
        .as_ref()
        .map(|secret| HandOver { uid: version(secret.uid()), resource_version: version(secret.resource_version()) });
    let Some(secret) = secret.filter(|_| read.as_ref() == Some(&shown)) else {
        // The watch is behind: it shows the newer version, or that the Secret is gone, in a moment. Where nobody watches, this read showed it.
        remember(pass, shown, None, None);
        return Ok(Flow::Continue);
    };
    // What is in the ledger already is known by its value.
    let living: Vec<TokenId> = pass.ledger().living_by_hand().cloned().collect();
    look_for(pass, &living).await?;
    let now = pass.now().time();
    let (brought, value) = match handed_over(&secret, now) {
        Ok(handed_over) => (compared(pass, &handed_over.token), Some(handed_over)),
        Err(why) => (Brought::Nothing(why), None),
    };
    match judge(pass.ledger(), &shown, &brought) {
        OfferState::Refused(why) => {
            let digest = value.as_ref().map(|value| digest_of(&value.token));
            refused(pass, &shown, digest, &why).await;
        }
        OfferState::Taken => {
            let current = pass.ledger().current.as_ref().map(|current| current.id.clone());
            if let (Some(id), Some(HandedOver { token, .. })) = (current, &value) {
                // Where somebody took it out of the Secret, it can be put back.
                pass.memory_mut().values.entry(id).or_insert_with(|| token.clone());
            }
        }
        OfferState::Ready | OfferState::Unread => {}
    }
    remember(pass, shown, Some(brought), value);
    Ok(Flow::Continue)
}

fn remember(pass: &mut Pass<'_>, secret: HandOver, brought: Option<Brought>, value: Option<HandedOver>) {
    let living = pass.ledger().living();
    pass.memory_mut().by_hand.read = Some(ReadOffer { secret, living, brought, value });
}

/// A token, compared with the living ones of the ledger: by their values where this process knows them, else by their last letters.
fn compared(pass: &Pass<'_>, token: &SecretString) -> Brought {
    let digest_in_memory =
        |id: &TokenId| pass.memory().digest.as_ref().filter(|(of, _)| of == id).map(|(_, digest)| *digest);
    let known = |id: &TokenId| {
        let held = if pass.holds(id) { pass.held_token() } else { None };
        let value = held.or_else(|| pass.memory().values.get(id).cloned());
        value.map(|value| digest_of(&value)).or_else(|| digest_in_memory(id))
    };
    let living = pass.ledger().living();
    let known_as = living.iter().find(|id| known(id) == Some(digest_of(token)));
    let ends_alike = |id: &&TokenId| pass.ledger().hint_of(id).is_some_and(|hint| ends_like(hint, token));
    let like = living.iter().filter(|id| known(id).is_none()).find(ends_alike);
    Brought::Token { known_as: known_as.cloned(), like: like.cloned() }
}

/// What a claim of a token that was handed over begins with: the value, under the id that the operator gives it.
pub(super) fn value_of(pass: &Pass<'_>, secret: &HandOver, attempt: u32, claimed: Time) -> Option<Value> {
    let value = pass.memory().by_hand.value_of(secret)?;
    Some(Value {
        id: TokenId::of_hand_over(attempt),
        token: value.token.clone(),
        expiration: end_of(pass, secret, pass.validated().lifetime, claimed),
        issued: claimed,
        trial: None,
        published: None,
        sent: false,
    })
}

/// When the token of this version of the Secret expires, if this process has read it.
pub(super) fn end_of(pass: &Pass<'_>, secret: &HandOver, lifetime: Lifetime, claimed: Time) -> Option<Time> {
    // The claim may have the time of a clock that was ahead. An expiry counts from no later than now.
    pass.memory().by_hand.value_of(secret)?.end(lifetime.length(), claimed.min(pass.now().time()))
}

/// Goes on with a claim that another process took, or this one before it lost its memory.
pub(super) async fn resume(
    pass: &mut Pass<'_>,
    client: &ServiceClient,
    observed: &Observed,
) -> Result<Flow, PassError> {
    let Some(places) = take_places(pass, client, StepKind::Generate, ISSUE_CALLS).await else {
        return Ok(Flow::Continue);
    };
    pass.went_well(StepKind::Generate);
    let Some(claim) = observed.unresolved_claim() else { return Ok(Flow::Continue) };
    let value = claim.hand_over.as_ref().and_then(|secret| value_of(pass, secret, claim.attempt, claim.time));
    if let Some(value) = value {
        let digest = claim.request_digest.clone();
        let deadline = Instant::now() + pass.desired().timings.publish_deadline;
        let begun = Attempt::begun((claim.attempt, claim.time), digest, deadline, places, observed);
        pass.memory_mut().in_flight = Some(Attempt { value: Some(value), ..begun });
    }
    Ok(Flow::Continue)
}

/// Tells once that a token is not taken up. The Secret that brought it is left as it is, and the service is asked about it again after a
/// back-off: it may have refused everybody.
pub(super) async fn refused(pass: &mut Pass<'_>, secret: &HandOver, digest: Option<ValueDigest>, why: &str) {
    if pass.memory_mut().by_hand.refuse(&secret.uid, digest) {
        let name = hand_over_name(&pass.object().name_any());
        let note = format!("the token in the Secret {name} is not taken up: {why}. The Secret is left as it is");
        pass.warn(Reason::HandOverRefused, "HandOver", note).await;
    }
}

/// Deletes the Secret whose token is the current one, in the version that was read.
pub(super) async fn delete_offer(pass: &mut Pass<'_>, observed: &Observed) -> Result<Flow, PassError> {
    let Some(offer) = &observed.by_hand.offer else { return Ok(Flow::Continue) };
    let deletion = offers(pass).delete_version(&offer.secret.uid, &offer.secret.resource_version).await;
    match deletion {
        SecretDeletion::Gone | SecretDeletion::Conflict => {
            // The watch shows in a moment what is there now. Where nobody watches, a read does.
            remember(pass, offer.secret.clone(), None, None);
            if pass.ctx().rereads.is_some() {
                let now = offers(pass).read().await?;
                saw_offer(pass, now.as_ref());
            }
        }
        SecretDeletion::Unknown(what) => pass.pause(StepKind::Offer, Reason::SecretUpdateFailed, &what),
    }
    Ok(Flow::Continue)
}

/// Records that people are reminded that the current token expires, and reminds them.
pub(super) async fn remind(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    days: u32,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let written = record(pass, objects, observed, Phase::Resting, Fact::Other, |ledger| ledger.reminded(days)).await?;
    let current = pass.ledger().current.as_ref().filter(|_| written == Written::Yes);
    if let Some((attempt, end)) = current.and_then(|current| Some((current.attempt, current.expiration_time?))) {
        let make = &pass.desired().by_hand.make;
        let (reason, note) = match days {
            0 => (Reason::TokenExpired, format!("attempt {attempt} has expired at {end}: {make}")),
            1 => (Reason::TokenExpiringSoon, format!("attempt {attempt} expires within a day, at {end}: {make}")),
            _ => (Reason::TokenExpiringSoon, format!("attempt {attempt} expires within {days} days, at {end}: {make}")),
        };
        pass.warn(reason, "Remind", note).await;
    }
    Ok(written.into())
}
