//! The reconciler of service objects. It checks three things: is the declaration right, is the credential accepted, and does
//! verify prove anything?

use std::time::Duration;

use kube::runtime::controller::Action;

use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::registry::{Change, ServiceEntry};
use crate::controller::service::ask::ask;
use crate::controller::service::load::{load, not_loaded};
use crate::controller::service::object::ServiceObject;
use crate::controller::service::release::delete_when_unused;
use crate::controller::service::status::{Shown, update_status};
use crate::controller::service::sweep::sweep;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;
use crate::rotation::service_answers::Standing;

/// How soon a service that does not answer is asked again.
const NOT_READY_LOOK: Duration = Duration::from_secs(15);
/// How often, at least, a service that a person must fix is checked again.
const STALLED_LOOK: Duration = Duration::from_secs(300);
/// How soon a service is checked again while its tokens are under review: a review also ends by time.
const REVIEW_LOOK: Duration = Duration::from_secs(60);

/// Checks one service object and records the result.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn check(service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let (key, uid) = (service.key.clone(), service.uid());
    if service.meta.deletion_timestamp.is_some() {
        return delete_when_unused(service, ctx).await;
    }
    if !ctx.services.take_stale(&key) && unchanged(&service, ctx.services.get_object(&key, &uid).as_deref()) {
        return Ok(action(ready(&service, ctx).await?));
    }
    let checked = check_now(service, ctx).await;
    if checked.is_err() {
        // The change of its Secret that was noted before is not handled yet.
        ctx.services.set_stale(&key);
    }
    checked
}

async fn check_now(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let known = ctx.services.get_object(&service.key, &service.uid());
    if let Some(known) = known.filter(|known| known.allowed != service.allowed) {
        // Withdrawing a permission takes effect at once, before the service answers.
        ctx.services.put(ServiceEntry { allowed: service.allowed.clone(), ..(*known).clone() });
    }
    service.add_finalizer(&ctx.client).await?;
    let mut entry = match load(&service, ctx).await {
        Ok(entry) => entry,
        Err(error) => {
            // Where nothing is known of it from before, its status and its tokens say so.
            let entry = not_loaded(&service, ctx, &error);
            if entry.client.is_none() {
                update_status(&service, &entry, ctx).await?;
                ctx.services.put(entry);
            }
            return Err(error);
        }
    };
    let doubted = ctx.services.take_doubt(&service.key);
    let known = ctx.services.get_object(&service.key, &entry.uid);
    // A suspension, a leak or a constraint does not wait until the service answers. The declaration does: the client that performs the
    // new one is not known to work yet. So do other limits, which that client keeps; they are at rest, so the check need not wait.
    let early = |known: &&ServiceEntry| known.spec != entry.spec && known.spec.limits == entry.spec.limits;
    if let Some(known) = known.as_deref().filter(early).filter(|_| entry.declaration.is_some()) {
        ctx.services.put(ServiceEntry { spec: entry.spec.clone(), ..known.clone() });
        ctx.services.notify(Change::Service(service.key.clone()));
    }
    // A fault that this process found is newer than a cached status that still says Ready.
    let halted = known.as_ref().is_some_and(|known| known.halt.is_some());
    // A success that this process found is newer than a cached status that does not say so yet.
    let found = known.as_ref().is_some_and(|known| same(known, &entry)) || known_ready(&service, &entry);
    if entry.halt.is_none() && (doubted || halted || !found) {
        if known.is_none() {
            // While the service is asked, its tokens show what they wait for.
            let halt = standing_halt(&service, &entry);
            ctx.services.put(ServiceEntry { halt, ..entry.clone() });
        }
        entry.halt = match ask(&entry).await {
            Ok(halt) => halt,
            Err(after) => {
                ctx.services.put_off(&service.key, doubted);
                return Ok(Action::requeue(after));
            }
        };
    }
    if entry.halt.is_none() {
        review(&service, &entry, ctx);
    }
    conclude(&service, entry, ctx).await
}

/// Shows the result of a check, hands it to the passes over tokens, and says when to look again.
async fn conclude(service: &ServiceObject, entry: ServiceEntry, ctx: &Shared) -> Result<Action, PassError> {
    let halt = entry.halt.clone();
    let shown = update_status(service, &entry, ctx).await?;
    ctx.services.put(entry);
    let look = match (halt, &shown) {
        // The event of the status write triggers the next check, which sweeps if it is time: this one could not record its sweep.
        (None, Shown::Written) => None,
        (None, _) => ready(service, ctx).await?,
        (Some(halt), _) if halt.stalled => Some(STALLED_LOOK),
        (Some(_), _) => Some(NOT_READY_LOOK),
    };
    let untold = if let Shown::After(pause) = shown { Some(pause) } else { None };
    Ok(action(sooner(look, untold)))
}

/// The earlier of two looks.
fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

fn action(look: Option<Duration>) -> Action {
    look.map_or_else(Action::await_change, Action::requeue)
}

/// P20: a credential other than the one that generated the tokens may belong to another account. The tokens show whether it
/// does: the service accepts them or refuses them.
fn review(service: &ServiceObject, entry: &ServiceEntry, ctx: &Shared) {
    let Some(status) = &service.status else { return };
    let now = ctx.clock.now().time();
    if status.credentials_revision.as_ref().is_some_and(|known| *known != entry.revision) {
        ctx.services.review(entry, now);
    }
    let window = ctx.settings.timings(Duration::ZERO).refusal_window();
    ctx.services.settle(entry, || ctx.objects.holders(&entry.key, ctx.scopes.len()), window, now);
}

/// Sweeps a ready service now and then. Returns when to look again.
async fn ready(service: &ServiceObject, ctx: &Shared) -> Result<Option<Duration>, PassError> {
    let known = ctx.services.get_object(&service.key, &service.uid());
    let Some(entry) = known else { return Ok(None) };
    let swept = sweep(service, &entry, ctx).await?;
    Ok(match ctx.services.standing(&service.key) {
        Standing::Good => swept,
        Standing::UnderReview | Standing::Refusing { .. } => Some(REVIEW_LOOK),
    })
}

/// Whether both are the same object with the same Secrets.
fn same(known: &ServiceEntry, entry: &ServiceEntry) -> bool {
    (&known.uid, known.generation, &known.revision) == (&entry.uid, entry.generation, &entry.revision)
}

/// Whether the service was already found ready in its present state, and nobody took our finalizer off. The event of our own status
/// write is no reason to read its Secrets again.
fn unchanged(service: &ServiceObject, known: Option<&ServiceEntry>) -> bool {
    known.is_some_and(|known| {
        known.halt.is_none()
            && service.has_finalizer()
            && service.uid() == known.uid
            && service.generation() == known.generation
            && known_ready(service, known)
    })
}

/// Whether the status says that the service was ready with these very Secrets. Then it is not asked again after a restart.
fn known_ready(service: &ServiceObject, entry: &ServiceEntry) -> bool {
    let Some(status) = &service.status else { return false };
    let ready =
        |condition: &Condition| condition.type_ == ConditionType::Ready && condition.status == ConditionStatus::True;
    status.observed_generation == Some(entry.generation)
        && status.conditions.iter().any(ready)
        && status.credentials_revision.as_ref() == Some(&entry.revision)
}

/// What the status says about the readiness of a service, before the service is asked again.
pub(crate) fn standing_halt(service: &ServiceObject, entry: &ServiceEntry) -> Option<Halt> {
    if known_ready(service, entry) {
        return None;
    }
    let message = format!("the {} is being checked", entry.key);
    Some(Halt::passing(Reason::ServiceNotReady, message))
}
