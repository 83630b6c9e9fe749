//! Records facts in the object's ledger, and changes its finalizers.

use std::time::Duration;

use kube::{Resource, ResourceExt};

use crate::api::FINALIZER;
use crate::api::condition::{Condition, ConditionType};
use crate::api::ledger::{ArtifactTokenStatus, Binding, Ledger, MAX_LOST};
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::{ObjectWrite, ObjectWriter};
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::rotation::observed::Observed;
use crate::rotation::plan::hand_over_due;
use crate::rotation::report::{Phase, Situation, conditions};
use crate::rotation::schedule;

/// A first issue that takes longer than this is shown as `Issuing`, a deletion as `Deleting`; a shorter one saves the write.
pub(crate) const ISSUING_AFTER: Duration = Duration::from_secs(5);

/// The result of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is stored.
    Yes,
    /// It is not stored, or nobody knows; the object was read again.
    No,
    /// The object is gone.
    Gone,
}

impl From<Written> for Flow {
    fn from(written: Written) -> Self {
        match written {
            Written::Yes | Written::No => Self::Continue,
            Written::Gone => Self::Gone,
        }
    }
}

/// Records a fact: a transition of the ledger. `phase` is the phase after it, so that the same write shows it to people.
pub(super) async fn record(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
    phase: Phase<'_>,
    fact: Fact<'_>,
    change: impl FnOnce(&mut Ledger),
) -> Result<Written, PassError> {
    let mut ledger = pass.ledger().clone();
    change(&mut ledger);
    observed.secrets = pass.secrets();
    let status = status_after(pass, observed, phase, ledger);
    let written = write_status(pass, objects, status).await?;
    if written == Written::Yes {
        pass.fact_recorded(fact);
    }
    Ok(written)
}

/// What became of a status that is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was sent.
    Sent(Written),
    /// It only tells something, and waits for so long.
    Later(Duration),
}

/// Writes the whole status, unless it only tells something and this process told much in a short time.
pub(crate) async fn tell(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    status: ArtifactTokenStatus,
) -> Result<Told, PassError> {
    let same = |old: &ArtifactTokenStatus| {
        let same_facts = old.ledger == status.ledger || old.ledger.facts() == status.ledger.facts();
        same_facts && old.observed_generation == status.observed_generation
    };
    let only_tells = pass.object().status.as_ref().is_some_and(same);
    let now = pass.now().time();
    let request =
        pass.requests().rotate.filter(|request| pass.ledger().handled_requests.rotate.as_ref() != Some(request));
    if let Some(request) = request.filter(|_| pass.is_by_hand()) {
        pass.memory_mut().telling.asked(&request);
    }
    let pause = pass.memory().telling.pause(now);
    if only_tells && !pause.is_zero() {
        return Ok(Told::Later(pause));
    }
    let written = write_status(pass, objects, status).await?;
    if only_tells && written == Written::Yes {
        pass.memory_mut().telling.told(now);
    }
    Ok(Told::Sent(written))
}

/// Writes the whole status.
pub(crate) async fn write_status(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    mut status: ArtifactTokenStatus,
) -> Result<Written, PassError> {
    let validated = pass.validated();
    if validated.digest_is_known {
        status.ledger.fill_in_digest(&validated.desired.request_digest);
    }
    let sent = Some(&status.ledger).filter(|ledger| *ledger != pass.ledger()).cloned();
    let asked = asked_of_people(pass, &status);
    let write = objects.replace_status(pass.object(), status).await?;
    let sent = sent.filter(|_| matches!(write, ObjectWrite::Unanswered(_)));
    let written = note(pass, write)?;
    // Its answer was lost, but the fact stands there. What people are told of it must not depend on an answer.
    let landed = written == Written::No && sent.is_some_and(|sent| sent == *pass.ledger());
    let written = if landed { Written::Yes } else { written };
    let now = pass.now().time();
    for condition in asked.into_iter().filter(|_| written == Written::Yes) {
        if !pass.memory_mut().by_hand.tells(condition.reason, now) {
            continue;
        }
        pass.warn(condition.reason, "HandOver", condition.message).await;
    }
    Ok(written)
}

/// What this status asks of a person, and the one before did not.
fn asked_of_people(pass: &Pass<'_>, status: &ArtifactTokenStatus) -> Vec<Condition> {
    let old = pass.object().status.as_ref().map_or(&[][..], |status| &status.conditions);
    let by_hand = |condition: &&Condition| matches!(condition.reason, Reason::HandOverDue | Reason::RevokeByHand);
    let asks =
        |condition: &&Condition| condition.type_ != ConditionType::Ready && condition.type_ != ConditionType::Stalled;
    let known = |new: &Condition| old.iter().any(|before| (before.type_, before.reason) == (new.type_, new.reason));
    let conditions = status.conditions.iter().filter(by_hand).filter(asks);
    conditions.filter(|condition| !known(condition)).cloned().collect()
}

/// Replaces the list of finalizers.
pub(super) async fn write_finalizers(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    names: Vec<String>,
) -> Result<Written, PassError> {
    let write = objects.patch_finalizers(pass.object(), names).await?;
    note(pass, write)
}

fn note(pass: &mut Pass<'_>, write: ObjectWrite) -> Result<Written, PassError> {
    match write {
        ObjectWrite::Done(object) => {
            pass.object_written(*object);
            Ok(Written::Yes)
        }
        ObjectWrite::Overtaken(object) | ObjectWrite::Unanswered(object) => {
            pass.overtaken(*object);
            Ok(Written::No)
        }
        ObjectWrite::Refused(error) => {
            pass.listed_in_vain();
            Err(error)
        }
        ObjectWrite::Gone => Ok(Written::Gone),
    }
}

/// Records again the attempts that a restored store has lost, so that their tokens are looked for by name. As always, the
/// finalizer comes first (P1).
pub(crate) async fn restore_forgotten_claims(pass: &mut Pass<'_>, objects: &ObjectWriter) -> Result<(), PassError> {
    let mut names = pass.object().finalizers().to_vec();
    let held = names.iter().any(|name| name == FINALIZER);
    // The API server lets nobody add a finalizer to an object that is being deleted.
    let going = pass.object().meta().deletion_timestamp.is_some() && !held;
    if pass.memory().forgotten.is_empty() || going {
        return Ok(());
    }
    if !held {
        names.push(FINALIZER.to_owned());
        write_finalizers(pass, objects, names).await?;
    }
    let mut status = pass.object().status.clone().unwrap_or_default();
    let lost = &mut status.ledger.lost;
    lost.extend(pass.memory().forgotten.iter().cloned());
    lost.drain(..lost.len().saturating_sub(MAX_LOST));
    if write_status(pass, objects, status).await? == Written::Yes {
        pass.memory_mut().forgotten.clear();
    }
    Ok(())
}

/// The whole status for what is observed and this ledger.
pub(crate) fn status_after(
    pass: &Pass<'_>,
    observed: &mut Observed,
    phase: Phase<'_>,
    ledger: Ledger,
) -> ArtifactTokenStatus {
    let (now, desired) = (pass.now(), pass.desired());
    let before = std::mem::replace(&mut observed.ledger, ledger);
    let failure = pass.memory().transient_failure.as_ref();
    let failure = failure.filter(|(cause, _)| cause.matters(desired, observed, now)).map(|(_, failure)| failure);
    let contest = pass.memory().corrections.contest(observed.object.generation, now.time());
    let hand_over_due = hand_over_due(desired, observed, now);
    let situation = Situation {
        ledger: &observed.ledger,
        secrets: &observed.secrets,
        phase,
        transient_failure: failure,
        contest: contest.as_ref(),
        hand_over_due: hand_over_due.as_deref(),
        page: &desired.by_hand.page,
        holds_current: observed.holds_current(),
        wanted: schedule::trigger(desired, observed, now.time()).is_some(),
        deleting: observed.object.deleting,
        suspended: desired.suspended,
        generation: observed.object.generation,
        now: now.time(),
        waited: now.waited(),
    };
    let old = pass.object().status.as_ref().map_or(&[][..], |status| &status.conditions);
    let conditions = conditions(&situation, old);
    let current = observed.ledger.current.as_ref();
    let next_rotation_time = current.and_then(|current| schedule::next_rotation(desired, current));
    let binding = current.map(|_| Binding { name: pass.object().spec.secret.name.clone() });
    ArtifactTokenStatus {
        observed_generation: Some(observed.object.generation),
        conditions,
        next_rotation_time,
        binding,
        ledger: std::mem::replace(&mut observed.ledger, before),
    }
}
