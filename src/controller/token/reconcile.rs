//! One pass over one object: observe, decide, perform, until there is nothing to do now.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::{ArtifactTokenStatus, Ledger};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::token::context::Context;
use crate::controller::token::memory::{Memory, SeenSecret};
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::observe::observe;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::hand_over::{is_due, look_for_offer};
use crate::controller::token::perform::perform;
use crate::controller::token::perform::record::{
    ISSUING_AFTER, Told, Written, restore_forgotten_claims, status_after, tell,
};
use crate::controller::token::perform::secret::access::SecretAccess;
use crate::controller::token::perform::secret::preflight::read;
use crate::controller::token::rereads::{OFFER_LOOK, Rereads};
use crate::controller::token::secret_index::{Indexed, older};
use crate::controller::token::secret_state;
use crate::rotation::desired::Halt;
use crate::rotation::observed::Observed;
use crate::rotation::plan::{Step, next_step, next_wake};
use crate::rotation::report::Phase;
use crate::rotation::schedule;

/// The most steps of one pass: a whole rotation has 8, a deletion of five tokens 12. The next pass does the rest, so that one
/// object cannot hold a worker.
const MAX_STEPS: usize = 24;

/// A halted object is looked at again at least this often.
const HALTED_LOOK: Duration = Duration::from_secs(300);

/// How soon the object is looked at again after a lost race for the status.
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

/// Runs a pass over the object from the cache, or as this process wrote it if that is newer. Returns when to look again.
///
/// # Errors
/// When the API server does not answer, or rejects a record.
pub(super) async fn reconcile(
    ctx: &Context,
    memory: &mut Memory,
    cached: Arc<ArtifactToken>,
) -> Result<Action, PassError> {
    let object = memory.newest(cached, ctx.listed.since());
    if let Some(status) = &object.status {
        memory.forget_dead(&status.ledger);
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.spec.secret.name.clone());
    let objects = ObjectWriter::new(ctx.shared.tokens(&namespace));
    let secrets = SecretAccess::new(ctx.secrets_in(&namespace), namespace, name);
    let mut pass = Pass::new(ctx, &mut *memory, object);
    if let Some(wait) = first_look_waits(&mut pass) {
        return Ok(Action::requeue(wait));
    }
    if pass.reconcile_requested() {
        pass.memory_mut().by_hand.ask_now();
    }
    pass.memory_mut().by_hand.look_again();
    restore_forgotten_claims(&mut pass, &objects).await?;
    if ctx.rereads.is_some() {
        look_for_offer(&mut pass).await?;
    }
    read_cached_secret(&mut pass, &secrets).await?;
    init_last_verified(&mut pass);
    let service = pass.service_key();
    let done = run(pass, &objects, &secrets).await;
    ctx.shared.services.listen(&service, ctx.shared.clock.now().time());
    // Between passes an attempt keeps its places, but not its room in the calls of the service.
    if let Some(attempt) = &mut memory.in_flight {
        attempt.places.step_out();
    }
    done
}

async fn run(mut pass: Pass<'_>, objects: &ObjectWriter, secrets: &SecretAccess) -> Result<Action, PassError> {
    for _ in 0..MAX_STEPS {
        let now = pass.now();
        pass.look_at_service();
        let mut observed = observe(&mut pass, now.time());
        let step = next_step(pass.desired(), &observed, now);
        debug!(object = %pass.label(), ?step, "next step");
        match step {
            Step::Wait(until) => return rest(pass, objects, observed, None, until).await,
            Step::Halt(halt) => {
                // Revokes and verification go on while no new token may be generated.
                let wake = next_wake(pass.desired(), &observed, now);
                let look = now.time().plus(HALTED_LOOK);
                let look = wake.map_or(look, |wake| wake.min(look));
                return rest(pass, objects, observed, Some(&halt), Some(look)).await;
            }
            // Between a claim and the request for its token the newest spec counts.
            Step::Generate if pass.look_at_object() => {}
            step => {
                if perform(&mut pass, objects, secrets, step, &mut observed).await? == Flow::Gone {
                    info!(object = %pass.label(), "released");
                    return Ok(Action::await_change());
                }
            }
        }
    }
    Ok(Action::requeue(Duration::ZERO))
}

/// Takes the state of the Secret from the watch and the memory, and reads the Secret where they disagree.
async fn read_cached_secret(pass: &mut Pass<'_>, secrets: &SecretAccess) -> Result<(), PassError> {
    let needs_read = match &pass.ctx().rereads {
        Some(rereads) => is_outdated(pass, rereads),
        None => differs_from_watch(pass),
    };
    if needs_read {
        read(pass, secrets).await?;
    }
    Ok(())
}

/// Where Secrets are not watched, how long the first look at this object waits, so that a start does not read all Secrets at once. One for
/// which something is due even if its Secret is as the ledger says waits for nothing.
fn first_look_waits(pass: &mut Pass<'_>) -> Option<Duration> {
    let rereads = pass.ctx().rereads.as_ref()?;
    let led_since = pass.shared().leadership.since();
    let seen = |seen: &SeenSecret| led_since.is_none_or(|since| seen.at >= since);
    if pass.memory().secret.as_ref().is_some_and(seen) || !is_unchanged(pass) {
        return None;
    }
    let first = rereads.first(pass.uid(), pass.shared().objects.count(), led_since);
    let first = first.saturating_duration_since(Instant::now());
    if first.is_zero() {
        return None;
    }
    pass.secret_remembered(secret_state::recorded(pass.ledger()), false);
    init_last_verified(pass);
    pass.look_at_service();
    let now = pass.now();
    let observed = observe(pass, now.time());
    let Step::Wait(until) = next_step(pass.desired(), &observed, now) else { return None };
    let until = until.map(|until| until.since(now.time()));
    Some(until.map_or(first, |until| until.min(first))).filter(|wait| !wait.is_zero())
}

/// Takes the state of a Secret that is not watched from the memory. Whether it is to be read instead.
fn is_outdated(pass: &mut Pass<'_>, rereads: &Rereads) -> bool {
    let Some(seen) = pass.memory().secret.clone() else { return true };
    let recorded = pass.ledger().current.as_ref().map(|current| current.secret_resource_version.as_str());
    // Another process may have published since.
    let behind = recorded.is_some_and(|recorded| older(&seen.version, recorded));
    let due = rereads.next(pass.uid(), seen.at) <= Instant::now();
    if behind || due || !is_unchanged(pass) {
        return true;
    }
    pass.secret_remembered(seen.ours, seen.doubtful);
    false
}

/// Whether the spec is the one that was applied last, and nobody asks for a fresh look.
fn is_unchanged(pass: &Pass<'_>) -> bool {
    let object = pass.object();
    let applied = object.status.as_ref().and_then(|status| status.observed_generation);
    applied == object.metadata.generation && !pass.reconcile_requested()
}

/// Takes the state of the Secret from the watch and the memory. Whether they disagree, so that it is to be read.
fn differs_from_watch(pass: &mut Pass<'_>) -> bool {
    let object = pass.object();
    let namespace = object.namespace().unwrap_or_default();
    let current = pass.ledger().current.as_ref();
    let recorded = current.map(|current| current.secret_resource_version.as_str()).unwrap_or_default();
    let unchanged_spec = is_unchanged(pass);
    let seen = pass.memory().secret.clone();
    match (pass.ctx().secrets.get(&namespace, &object.spec.secret.name), seen) {
        // A version that looks newer than the one in a later list comes from before the store was restored.
        (Indexed::Present { version, listed }, Some(seen))
            if (seen.version == version || (listed <= seen.at && !older(&seen.version, &version)))
                && unchanged_spec =>
        {
            pass.secret_remembered(seen.ours, seen.doubtful);
            false
        }
        (Indexed::Present { version, .. }, _)
            if version == recorded && unchanged_spec && !pass.memory().restored && !needs_value(pass) =>
        {
            pass.secret_remembered(secret_state::recorded(pass.ledger()), false);
            false
        }
        (Indexed::Present { .. }, _) => true,
        (Indexed::Absent { since, listed }, Some(seen))
            if unchanged_spec
                && listed <= seen.at
                && since.as_ref().is_none_or(|since| older(since, &seen.version)) =>
        {
            pass.secret_remembered(seen.ours, false);
            false
        }
        // Somebody may have taken off the label by which the watch selects. Only where nothing was ever published, nothing can be there.
        (Indexed::Absent { .. }, seen) => seen.is_some() || !recorded.is_empty(),
    }
}

/// Whether only a person could replace the current token, and its value is not at hand to put it back.
fn needs_value(pass: &Pass<'_>) -> bool {
    let current = pass.ledger().current.as_ref().filter(|current| current.hand_over.is_some());
    current.is_some_and(|current| !pass.memory().values.contains_key(&current.id))
}

/// After a restart, or when the memory was lost, the last slot counts as the time when the token was last seen accepted.
fn init_last_verified(pass: &mut Pass<'_>) {
    let now = pass.now().time();
    let Some(current) = &pass.ledger().current else { return };
    let slot = schedule::last_slot(pass.desired(), current, now);
    pass.memory_mut().accepted.get_or_insert(slot);
}

/// Ends the pass: shows what changed in the status, and returns when to look again.
async fn rest(
    mut pass: Pass<'_>,
    objects: &ObjectWriter,
    mut observed: Observed,
    halt: Option<&Halt>,
    until: Option<Time>,
) -> Result<Action, PassError> {
    let phase = halt.map_or(Phase::Resting, Phase::Halted);
    let mut ledger = observed.ledger.clone();
    // The fresh look that was asked for comes first in a pass. If the service must be asked, too, the look ends with its answer.
    let answered = !observed.facts.doubtful || !pass.desired().probe;
    if observed.object.requests.reconcile.is_some() && answered && ledger != Ledger::default() {
        ledger.handled_requests.reconcile.clone_from(&observed.object.requests.reconcile);
    }
    if let Some(seen) = last_use(&pass) {
        ledger.used(seen, pass.now().time());
    }
    pass.forget_what_is_over(&observed);
    let status = status_after(&pass, &mut observed, phase, ledger);
    let old = pass.object().status.clone().unwrap_or_default();
    let now = pass.now().time();
    let young = now.since(observed.object.created) < ISSUING_AFTER && old.conditions.is_empty();
    let ends = pass.object().metadata.deletion_timestamp.as_ref().map(Time::from);
    let ending = ends.is_some_and(|since| now.since(since) < ISSUING_AFTER) && halt.is_none() && until.is_some();
    let brief = young && halt.is_none() && observed.ledger == Ledger::default() && until.is_some() || ending;
    let released = observed.object.deleting && !observed.object.finalizer;
    let mut looks = vec![until, brief.then(|| now.plus(ISSUING_AFTER))];
    looks.push(pass.memory().corrections.contest(observed.object.generation, now).map(|contest| contest.over));
    looks.push(next_read(&pass, &status).map(|wait| now.plus(wait)));
    if status != old && !brief && !released {
        match tell(&mut pass, objects, status).await? {
            Told::Sent(Written::Yes) => {
                if let Some(halt) = halt {
                    announce_halt(&pass, halt, &old).await;
                }
            }
            Told::Sent(_) => return Ok(Action::requeue(AFTER_CONFLICT)),
            Told::Later(pause) => looks.push(Some(now.plus(pause))),
        }
    }
    let next = looks.into_iter().flatten().min();
    Ok(next.map_or_else(Action::await_change, |next| Action::requeue(next.since(now))))
}

/// How long until something is read that is not watched.
fn next_read(pass: &Pass<'_>, status: &ArtifactTokenStatus) -> Option<Duration> {
    let rereads = pass.ctx().rereads.as_ref()?;
    let seen = pass.memory().secret.as_ref();
    let reread = seen.map(|seen| rereads.next(pass.uid(), seen.at).saturating_duration_since(Instant::now()));
    let offer = is_due(&status.conditions).then_some(OFFER_LOOK);
    reread.into_iter().chain(offer).min()
}

/// When the current token was last used, as the newest list of the service's sweep says.
fn last_use(pass: &Pass<'_>) -> Option<Time> {
    let current = pass.ledger().current.as_ref()?;
    pass.shared().services.last_use(&pass.service_key(), current.attempt, &current.id)
}

/// Writes an event for a halt once, when it begins.
async fn announce_halt(pass: &Pass<'_>, halt: &Halt, old: &ArtifactTokenStatus) {
    let known = old.conditions.iter().any(|condition| condition.reason == halt.reason);
    // What a person must do by hand is told with its own condition.
    if halt.stalled && !known && halt.reason != Reason::HandOverDue {
        pass.warn(halt.reason, "Reconcile", halt.message.clone()).await;
    }
}
