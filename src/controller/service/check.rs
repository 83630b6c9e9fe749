//! The reconciler of service objects. It checks three things: is the declaration right, is the credential accepted, and does
//! verify prove anything?

use std::time::Duration;

use kube::runtime::controller::Action;

use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::token_service::TokenServiceSpec;
use crate::controller::error::PassError;
use crate::controller::registry::{Change, Key, ServiceEntry};
use crate::controller::service::ask::ask;
use crate::controller::service::load::{load, not_loaded};
use crate::controller::service::object::ServiceObject;
use crate::controller::service::release::delete_when_unused;
use crate::controller::service::status::{BEING_CHECKED, Shown, show, trouble, update_status};
use crate::controller::service::sweep::sweep;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;
use crate::rotation::service_answers::Standing;
use crate::rotation::service_health::asked_again_after;

/// A check that takes longer than this is shown, where the status says nothing yet; a shorter one saves the write.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// How often, at least, a service object that a person must fix is checked again.
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
    let told = service.status.as_ref().map(|status| &status.conditions[..]).unwrap_or_default();
    let suspicion = ctx.services.listen_for_check(&key, told, ctx.clock.now().time());
    let due = suspicion.is_some_and(|wait| wait.is_zero());
    let told_right = tells(told, trouble(&service, ctx).as_ref());
    let stale = ctx.services.take_stale(&key) || due || !told_right;
    if !stale && unchanged(&service, ctx.services.get_object(&key, &uid).as_deref()) {
        let look = ready(&service, ctx).await?;
        return Ok(action(sooner(look, listen(&key, ctx))));
    }
    let checked = check_now(service, due, ctx).await;
    if checked.is_err() {
        // The change of its Secret that was noted before is not handled yet.
        ctx.services.set_stale(&key);
    }
    checked
}

async fn check_now(mut service: ServiceObject, suspected: bool, ctx: &Shared) -> Result<Action, PassError> {
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
    let doubted = ctx.services.take_doubt(&service.key) || suspected;
    let known = ctx.services.get_object(&service.key, &entry.uid);
    entry.worked = known.as_deref().is_some_and(|known| known.worked && asks_alike(known, &entry))
        || known_ready(&service, &entry);
    // A suspension, a leak or a constraint does not wait until the service answers. The declaration does: the client that performs the
    // new one is not known to work yet.
    let early = |known: &&ServiceEntry| known.spec != entry.spec;
    if let Some(known) = known.as_deref().filter(early).filter(|_| entry.declaration.is_some()) {
        ctx.services.put(ServiceEntry { spec: entry.spec.clone(), worked: entry.worked, ..known.clone() });
        ctx.services.notify(Change::Service(service.key.clone()));
    }
    // A fault that this process found is newer than a cached status that still says Ready.
    let halted = known.as_ref().is_some_and(|known| known.halt.is_some());
    // A success that this process found is newer than a cached status that does not say so yet.
    let found = known.as_ref().is_some_and(|known| same(known, &entry)) || known_ready(&service, &entry);
    let asks = entry.halt.is_none() && (doubted || halted || !found);
    if asks {
        if known.is_none() {
            // While the service is asked, its tokens show what they wait for.
            let halt = standing_halt(&service, &entry);
            ctx.services.put(ServiceEntry { halt, ..entry.clone() });
        }
        entry.halt = match ask_in_sight(&mut service, &entry, ctx).await? {
            Ok(halt) => halt,
            Err(after) => {
                ctx.services.put_off(&service.key, doubted);
                return Ok(Action::requeue(after));
            }
        };
        ctx.services.asked(&service.key, suspected, entry.halt.as_ref(), ctx.clock.now().time());
    }
    entry.worked |= entry.halt.is_none();
    let refused = asks && entry.halt.is_some();
    // What the service said to these questions comes first: it may end a suspicion.
    ctx.services.listen_for_check(&service.key, &[], ctx.clock.now().time());
    if entry.halt.is_none() {
        review(&service, &entry, known.as_deref(), ctx);
    }
    conclude(&service, entry, refused, ctx).await
}

/// Asks the service. An object whose status says nothing yet about its newest spec shows meanwhile that it is being checked: a service
/// may be slow, or have a long list.
async fn ask_in_sight(
    service: &mut ServiceObject,
    entry: &ServiceEntry,
    ctx: &Shared,
) -> Result<Result<Option<Halt>, Duration>, PassError> {
    let told = service.status.as_ref().filter(|status| !status.conditions.is_empty());
    let silent = told.is_none_or(|status| status.observed_generation != Some(entry.generation));
    let question = ask(entry);
    tokio::pin!(question);
    let soon = tokio::time::timeout(SHOWN_AFTER, &mut question).await;
    if silent && !matches!(soon, Ok(Ok(_))) {
        let waits = ServiceEntry { halt: Some(being_checked(entry)), ..entry.clone() };
        show(service, &waits, ctx).await?;
    }
    Ok(match soon {
        Ok(answer) => answer,
        Err(_) => question.await,
    })
}

/// Listens to what the sweep heard, and says how soon the service must be looked at again for what was heard.
fn listen(key: &Key, ctx: &Shared) -> Option<Duration> {
    let now = ctx.clock.now().time();
    ctx.services.listen(key, now);
    ctx.services.next_change_in(key, now)
}

/// Shows the result of a check, hands it to the passes over tokens, and says when to look again.
async fn conclude(
    service: &ServiceObject,
    entry: ServiceEntry,
    refused: bool,
    ctx: &Shared,
) -> Result<Action, PassError> {
    let (halt, key) = (entry.halt.clone(), entry.key.clone());
    let shown = update_status(service, &entry, ctx).await?;
    ctx.services.put(entry);
    let halted = halt.is_some();
    let look = match (halt, &shown) {
        // The event of the status write triggers the next check, which sweeps if it is time: this one could not record its sweep.
        (None, Shown::Written) => None,
        (None, _) => ready(service, ctx).await?,
        // Only a change of the object, or of what it refers to, mends what was found wrong without asking.
        (Some(halt), _) if halt.stalled && !refused => Some(STALLED_LOOK),
        (Some(halt), _) => Some(asked_again_after(halt.stalled, ctx.services.refusals(&key))),
    };
    let untold = if let Shown::After(pause) = shown { Some(pause) } else { None };
    let listened = listen(&key, ctx).filter(|_| !halted);
    Ok(action(sooner(sooner(look, untold), listened)))
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
fn review(service: &ServiceObject, entry: &ServiceEntry, known: Option<&ServiceEntry>, ctx: &Shared) {
    let Some(status) = &service.status else { return };
    let now = ctx.clock.now().time();
    // A label on the Secret makes another version of it. The values are the same, and were those of the revision in the status.
    let judged = |known: &ServiceEntry| status.credentials_revision.as_ref() == Some(&known.revision);
    let same_values = known.is_some_and(|known| known.values == entry.values && judged(known));
    if !same_values && status.credentials_revision.as_ref().is_some_and(|known| *known != entry.revision) {
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

/// Whether the status tells this trouble, or none.
fn tells(told: &[Condition], trouble: Option<&Halt>) -> bool {
    let shown = told.iter().find(|condition| condition.type_ == ConditionType::Ready);
    let shown = shown.filter(|ready| ready.reason == Reason::OperationFailing).map(|ready| ready.message.as_str());
    // Where the service is halted, that is told instead.
    shown.is_none() && trouble.is_none() || shown == trouble.map(|trouble| trouble.message.as_str())
}

/// Whether both are the same object with the same values.
fn same(known: &ServiceEntry, entry: &ServiceEntry) -> bool {
    (&known.uid, known.generation, known.values) == (&entry.uid, entry.generation, entry.values)
}

/// Whether a check asks both the same, with the same values: what else the spec says changes no answer.
fn asks_alike(known: &ServiceEntry, entry: &ServiceEntry) -> bool {
    let new = &entry.spec;
    let spec = TokenServiceSpec {
        suspend: new.suspend,
        revoke_issued_before: new.revoke_issued_before,
        limits: new.limits.clone(),
        sweep: new.sweep.clone(),
        constraints: new.constraints.clone(),
        defaults: new.defaults.clone(),
        hint: new.hint,
        ..known.spec.clone()
    };
    (&known.uid, known.values) == (&entry.uid, entry.values) && spec == *new
}

/// Whether the service was already found ready in its present state, and nobody took our finalizer off. The event of our own status
/// write is no reason to read its Secrets again.
pub(super) fn unchanged(service: &ServiceObject, known: Option<&ServiceEntry>) -> bool {
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
    // A trouble that is only told leaves the declaration and the credential as they were found.
    let ready = |condition: &Condition| {
        let works = condition.status == ConditionStatus::True || condition.reason == Reason::OperationFailing;
        condition.type_ == ConditionType::Ready && works
    };
    status.observed_generation == Some(entry.generation)
        && status.conditions.iter().any(ready)
        && status.credentials_revision.as_ref() == Some(&entry.revision)
}

/// What the status says about the readiness of a service, before the service is asked again.
pub(crate) fn standing_halt(service: &ServiceObject, entry: &ServiceEntry) -> Option<Halt> {
    if known_ready(service, entry) {
        return None;
    }
    Some(being_checked(entry))
}

fn being_checked(entry: &ServiceEntry) -> Halt {
    Halt::passing(Reason::ServiceNotReady, format!("the {}{BEING_CHECKED}", entry.key))
}
