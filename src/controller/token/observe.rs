//! Translates what a pass sees from the terms of Kubernetes and the service into the terms of the decision.

use kube::{Resource, ResourceExt};

use crate::api::FINALIZER;
use crate::api::artifact_token::{DeletionPolicy, SKIP_REVOCATION, ServiceKind};
use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::api::token_service::Capability;
use crate::controller::finalizer_time;
use crate::controller::registry::ServiceEntry;
use crate::controller::token::pass::Pass;
use crate::rotation::desired::Halt;
use crate::rotation::ledger::MAX_RETRY_DELAY;
use crate::rotation::observed::{
    ByHand, Companion, Facts, InFlight, Leave, Object, Observed, Pauses, Service, ServiceSeen,
};
use crate::rotation::schedule::leak_turn;

/// Calls that the answer to a leak makes to the service: ask, revoke, prove, generate, try, verify.
const ANSWER_CALLS: u32 = 6;

/// Collects what the decision looks at.
pub(super) fn observe(pass: &mut Pass<'_>, now: Time) -> Observed {
    let observed = Observed {
        object: object(pass, now),
        ledger: pass.ledger().clone(),
        secrets: pass.secrets(),
        in_flight: pass.memory().in_flight.as_ref().map_or(InFlight::Nothing, |attempt| attempt.observed(now)),
        service: service(pass),
        by_hand: by_hand(pass),
        facts: facts(pass, now),
    };
    drop_decided_attempt(pass, observed)
}

fn object(pass: &Pass<'_>, now: Time) -> Object {
    let meta = pass.object().meta();
    Object {
        deleting: meta.deletion_timestamp.is_some(),
        finalizer: meta.finalizers.iter().flatten().any(|name| name == FINALIZER),
        unclaimed: pass.forbidden().is_some() && !pass.has_begun(),
        leave: leave(pass),
        generation: pass.generation(),
        created: finalizer_time::of(meta).unwrap_or(now),
        requests: pass.requests(),
    }
}

fn leave(pass: &Pass<'_>) -> Option<Leave> {
    if pass.object().spec.deletion.policy == DeletionPolicy::Orphan {
        return Some(Leave::Orphan);
    }
    let skip = pass.object().annotations().get(SKIP_REVOCATION).is_some_and(|value| value == "true");
    skip.then_some(Leave::Skip)
}

fn service(pass: &Pass<'_>) -> Service {
    let services = &pass.shared().services;
    let seen = pass.service().and_then(|service| service_seen(pass, service));
    Service {
        seen,
        listing: pass.listing().cloned(),
        lists_others: pass.lists_others(),
        swept: pass.memory().swept,
        suspected: services.suspects(pass.uid()),
        others: services.others(&pass.service_key(), pass.uid()),
    }
}

fn service_seen(pass: &Pass<'_>, service: &ServiceEntry) -> Option<ServiceSeen> {
    let declaration = service.declaration.as_ref()?;
    service.client.as_ref()?;
    Some(ServiceSeen {
        attributable: declaration.can(Capability::Names) && declaration.can(Capability::List),
        same_origin: pass.ledger().service.as_ref().is_none_or(|known| known.origin == service.origin),
        trusted: !pass.shared().services.refuses_most(&service.key),
        by_hand: declaration.is_by_hand(),
    })
}

/// What a person does by hand. Values of superseded tokens are looked for only where a person may have handed one over.
fn by_hand(pass: &Pass<'_>) -> ByHand {
    let unread = if pass.is_by_hand() || pass.ledger().has_by_hand() { Companion::Unread } else { Companion::Absent };
    let memory = &pass.memory().by_hand;
    let (object, now) = (pass.object(), pass.now().time());
    let has_value = |id: &TokenId| pass.memory().values.contains_key(id);
    let shown = pass.ctx().offers.to(&object.namespace().unwrap_or_default(), &object.name_any());
    ByHand {
        offer: memory.offer(shown, pass.ledger(), has_value, now),
        companion_stale: unread == Companion::Unread && memory.companion.is_some() && !pass.is_companion_live(),
        companion: memory.companion.clone().unwrap_or(unread),
        asked: memory.next_questions(),
    }
}

fn facts(pass: &mut Pass<'_>, now: Time) -> Facts {
    let leak = service_leak_turn(pass, now);
    if pass.ledger().current.as_ref().is_none_or(|current| current.unclear.is_none()) {
        pass.memory_mut().yield_unclear(now);
    }
    let memory = pass.memory();
    let drift = memory.corrections.pause(pass.generation());
    let current = pass.ledger().current.as_ref();
    let refusals = memory.refusals.as_ref().filter(|refusals| current.is_some_and(|current| current.id == refusals.id));
    let settle = pass.desired().timings.refusal_settle;
    let awaited = pass.shared().services.awaits(&pass.service_key(), pass.uid(), settle, now);
    // A token that is refused is asked about at its own times, unless a person or another token's answer asks for it.
    let refused = current.is_some_and(|current| current.refused_time.is_some());
    let asked = pass.reconcile_requested() && pass.verdict().is_none();
    // A refusal whose record was lost: it is asked about in its own time, as if it stood there.
    let unrecorded = !refused && refusals.is_some_and(|refusals| refusals.ask_again <= now) && pass.verdict().is_none();
    let doubtful = awaited || unrecorded || if refused { asked } else { pass.is_secret_doubtful() };
    Facts {
        halt: pass.halt().cloned().or_else(|| standing_halt(pass)).or_else(|| still_forbidden(pass, now)),
        preflight: pass.is_preflighted(),
        verdict: pass.verdict(),
        unclear: pass.unclear(),
        accepted: memory.accepted,
        doubtful,
        refusals: refusals.map_or(0, |refusals| refusals.count),
        ask_again: refusals.map(|refusals| refusals.ask_again),
        turn: pass.has_turn(),
        holds_previous: current.is_some_and(|current| memory.values.contains_key(&current.id)),
        pauses: Pauses { leak, drift, ..memory.retries.pauses() },
    }
}

/// Drops an attempt in flight that is already decided: its record was stored although the answer was lost. A value leaves the
/// process only when the ledger has the token of its attempt.
fn drop_decided_attempt(pass: &mut Pass<'_>, mut observed: Observed) -> Observed {
    let void = match &observed.in_flight {
        InFlight::Nothing => false,
        InFlight::Value { attempt, id, sent, .. } => !sent && observed.ledger.has_token(*attempt, id),
        InFlight::Claim { attempt, .. } => {
            let decided = observed.ledger.claim.as_ref().filter(|claim| claim.attempt == *attempt);
            decided.is_some_and(|claim| claim.outcome.is_some())
        }
    };
    if void {
        pass.memory_mut().in_flight = None;
        observed.in_flight = InFlight::Nothing;
    }
    observed
}

/// When this object's turn comes in the answer to a leak at the service. The oldest token comes first: each older one takes its
/// share of the rate limit before this one. The turn is fixed at the first look, so an object that is stuck holds up nobody.
fn service_leak_turn(pass: &mut Pass<'_>, now: Time) -> Option<Time> {
    let service = pass.service()?;
    let issued_before = service.spec.revoke_issued_before?;
    let claimed = pass.ledger().current.as_ref().map(|current| current.claimed_time);
    // Once the leak is answered, only the tokens that it covers wait for a turn: the time in the spec may lie far ahead.
    let leak = pass.ledger().leak.as_ref().filter(|leak| leak.noticed().service == Some(issued_before));
    let leaked = |time: &Time| leak.map_or(*time < issued_before, |leak| leak.covers(*time));
    let claimed = claimed.filter(leaked)?;
    if let Some((_, turn)) = pass.memory().leak_turn.filter(|(of, _)| *of == issued_before) {
        return Some(turn);
    }
    let rate = service.spec.limits.requests_per_minute.unsigned_abs();
    let calls = ANSWER_CALLS + u32::from(service.spec.limits.maximum_live_tokens.is_some());
    let turn = leak_turn(pass.shared().objects.older_leaks(pass.object(), claimed), calls, rate, now);
    pass.memory_mut().leak_turn = Some((issued_before, turn));
    Some(turn)
}

/// What forbids a new token from outside this pass: the service, or an older object with the same Secret.
fn standing_halt(pass: &Pass<'_>) -> Option<Halt> {
    if let Some(rival) = pass.ctx().index.older_rival(pass.object()) {
        let message = format!(
            "the ArtifactToken {} is older and keeps the same Secret {}: choose another spec.secret.name",
            rival,
            pass.object().spec.secret.name
        );
        return Some(Halt::stalled(Reason::SecretConflict, message));
    }
    if let Some(forbidden) = pass.forbidden() {
        return Some(forbidden.clone());
    }
    let Some(service) = pass.service() else { return Some(no_service(pass)) };
    service.halt.clone().or_else(|| {
        let message = format!("the {} has suspend: true; no token is generated until it is false", service.key);
        service.spec.suspend.then(|| Halt::passing(Reason::Suspended, message))
    })
}

/// While the object waits for its next turn at the service, what forbade a token in the last one still does, as far as anybody knows. It
/// is what a person can end.
fn still_forbidden(pass: &Pass<'_>, now: Time) -> Option<Halt> {
    let memory = pass.memory();
    // A wait that seems to be longer than any was begun by a clock that was set back since.
    let ahead = |until: Time| until > now && until <= now.plus(MAX_RETRY_DELAY);
    let waits = memory.retries.pauses().generate.is_some_and(ahead);
    let (of, halt) = memory.forbidden.as_ref().filter(|_| waits)?;
    (*of == pass.generation()).then(|| halt.clone())
}

fn no_service(pass: &Pass<'_>) -> Halt {
    let key = pass.service_key();
    let message = match key.kind() {
        ServiceKind::TokenService => format!("there is no {key} in this namespace: create it"),
        ServiceKind::ClusterTokenService if pass.shared().settings.cluster_services => {
            format!("there is no {key}: create it, or ask those who may")
        }
        ServiceKind::ClusterTokenService => {
            format!("this operator does not look at the {key}: start it with --cluster-services")
        }
    };
    Halt::passing(Reason::ServiceNotFound, message)
}
