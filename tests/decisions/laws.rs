//! Laws that hold for every combination of the inputs.

use artifact_token_operator::api::ids::{MAX_ATTEMPT, TokenId};
use artifact_token_operator::api::ledger::{MAX_LIVE, Outcome, Refusals, Superseded};
use artifact_token_operator::rotation::desired::Desired;
use artifact_token_operator::rotation::observed::{Companion, Content, InFlight, Observed, OfferState, Row, Verdict};
use artifact_token_operator::rotation::plan::{GiveUpReason, Step, next_step};
use artifact_token_operator::rotation::schedule::{is_only_drift, trigger};

use super::alarms::{
    acts_in_doubt, answering, confirmed, confirmed_dead, in_doubt, leaked, never_claimed, record_conflict, record_leak,
    stopped_by_conflict,
};
use super::inputs::{NOW, ago};

/// A law: its sentence, and a check whether a step obeys it.
pub type Law = (&'static str, fn(&Desired, &Observed, &Step) -> bool);

/// All laws.
pub const LAWS: &[Law] = &[
    (
        "generate needs a claim in flight that is open, in time and above the fence, the finalizer, no foreign Secret, and nothing that forbids it",
        generate,
    ),
    ("a revoke needs a live read, and the service that issued the token", revoke_reads),
    ("a revoke of a living object goes only to a superseded token past its time that no Secret holds", revoke_living),
    ("a revoke on deletion goes only to an id of the ledger or of the list", revoke_deleting),
    ("a write of a Secret needs a live read", write_reads),
    (
        "a foreign Secret is never written or deleted, and an own one that cannot be written is only deleted",
        never_foreign,
    ),
    (
        "an update is above the fence, in time, against the Secret as it is, and tried if it replaces a token; only attempt 1 creates",
        update,
    ),
    ("a roll-back follows a durable failure and puts a living token back from memory", roll_back),
    ("a raised fence changes the Secret and reaches the attempt that it fences off", raise_fence),
    ("a former object's Secret becomes this one's only after its token is recorded", takes_over),
    (
        "a placeholder is created only where no Secret is, with a fence at or above every known attempt",
        create_placeholder,
    ),
    ("a claim needs the finalizer, a dry-run, a live read, room, and no back-off, halt or suspend", claim),
    (
        "a claim is above every attempt seen, and nobody claims while another attempt is in flight or could still land",
        claim_above,
    ),
    ("adding the finalizer claims attempt 1 only for an object that never had a claim", finalize),
    ("a decision needs a live read of the undecided token, and an answer or no probe", decide),
    (
        "only a current token that the Secret holds and the service refuses again a minute later is rejected, once, and only if something else says that it is dead",
        reject,
    ),
    ("no object rests without the finalizer while a token of it may live or a Secret of its own is there", held),
    ("deletion makes no token", deletion),
    (
        "the finalizer goes only when no known token lives and none could land, unless the object says to leave them",
        release,
    ),
    ("a claim is abandoned only when it is settled and fenced off", abandon),
    ("an orphan is unknown, at or below the fence of a live read, and not the undecided one", supersede),
    ("a value whose publish may still land is given up only by deletion", give_up),
    ("a wait ends after now", wait),
    ("a wait without end is for something that only a change from outside can end", endless),
    ("a halt has a cause", halt),
    ("no step asks for something that this pass knows already", no_loop),
    (
        "no step calls a service that is missing, and none lists another service than the one that issued the tokens",
        needs_service,
    ),
    ("a pause is kept", pauses),
    ("no look for a lost token holds up a new one", lists_hold_up_nothing),
    (
        "nothing is rejected, failed, claimed or generated on the word of a service that refuses most tokens",
        acts_in_doubt,
    ),
    ("a leak is recorded once, with the time that the spec says", record_leak),
    ("during an identity conflict nothing is made, written or revoked", stopped_by_conflict),
    ("a token that was never claimed here is neither revoked nor taken in before a person confirms it", never_claimed),
    ("no revoke goes to a token that a person handed over, and no other one is only asked about", ended_by_whom),
    ("a token that a person handed over is taken up once, by a claim that names its Secret as it is", taken_up),
    (
        "the Secret that handed a token over is deleted only once that token is the current one and in the Secret",
        delete_offer,
    ),
    ("the value of a token that was handed over is kept before another one replaces it, and until it is dead", kept),
    ("a reminder is about a token that expires and that a person must replace", remind),
    (
        "only an unknown token is a conflict, of an attempt that the ledger has reached or the Secret has not; an identity is confirmed only after a list",
        record_conflict,
    ),
];

fn generate(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Generate = step else { return true };
    let InFlight::Claim { attempt, deadline } = observed.in_flight else { return false };
    let open = observed.open_claim().is_some_and(|claim| claim.attempt == attempt);
    let suspended = desired.suspended && !answering(observed);
    let forbidden = desired.halt.is_some() || observed.facts.halt.is_some() || suspended;
    open && !forbidden
        && deadline > NOW
        && observed.object.finalizer
        && observed.secrets.unwritable().is_none()
        && observed.secrets.fence() < attempt
}

fn revoke_reads(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let (Step::Revoke { .. } | Step::Prove { .. }) = step else { return true };
    // The read is newer than the turn, which may be long in coming.
    observed.facts.turn && observed.secrets.live() && observed.service.seen.is_some_and(|service| service.same_origin)
}

fn revoke_living(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Revoke { attempt, id } = step else { return true };
    let held = observed.secrets.ours().any(|ours| ours.content != Content::Empty && ours.id.as_ref() == Some(id));
    let ledger = &observed.ledger;
    let old = ledger.superseded.iter().find(|old| (old.attempt, &old.id) == (*attempt, id));
    // A failed token may have been in the Secret until the next one came.
    let newer = |old: &Superseded, other: &Superseded| {
        other.held && other.attempt > old.attempt && other.revoke_after_time <= NOW
    };
    let last = |old: &Superseded| {
        let verified = ledger.current.as_ref().map_or(0, |current| current.attempt);
        old.held && old.attempt > verified && !ledger.superseded.iter().any(|other| newer(old, other))
    };
    let due = old.is_some_and(|old| {
        let tried = old.next_try_time.is_none_or(|next| next <= NOW);
        old.revoke_after_time <= NOW
            && tried
            && (old.unpublished || observed.holds_current() || (observed.ledger.alive() + 1 >= MAX_LIVE && !last(old)))
    });
    observed.object.deleting || (due && !held) || leaked(observed, id)
}

fn revoke_deleting(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Revoke { id, .. } = step else { return true };
    !observed.object.deleting || observed.ledger.knows(id) || own_rows(observed).any(|row| row.id == *id)
}

fn writes(step: &Step) -> bool {
    matches!(
        step,
        Step::Update
            | Step::RollBack { .. }
            | Step::RaiseFence { .. }
            | Step::Render
            | Step::CreatePlaceholder { .. }
            | Step::DeleteSecret
    )
}

fn write_reads(_: &Desired, observed: &Observed, step: &Step) -> bool {
    !writes(step) || observed.secrets.live()
}

fn never_foreign(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let deletes_own = *step == Step::DeleteSecret && observed.secrets.own();
    !writes(step) || deletes_own || observed.secrets.unwritable().is_none()
}

fn update(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Update = step else { return true };
    let InFlight::Value { attempt, deadline, trial, expected, .. } = &observed.in_flight else { return false };
    let replaces = observed.secrets.ours().any(|ours| ours.content != Content::Empty);
    let tried = (!replaces || !desired.probe) && !observed.takes_up() || *trial == Some(Verdict::Accepted);
    let creates = observed.secrets.any_absent() && *attempt > 1;
    !creates
        && observed.secrets.fence() < *attempt
        && *deadline > NOW
        && observed.secrets.expected() == *expected
        && tried
}

fn roll_back(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::RollBack { fence } = step else { return true };
    let failed = observed.ledger.claim.as_ref().filter(|claim| claim.outcome == Some(Outcome::Failed));
    let alive = observed.ledger.current.as_ref().is_some_and(|current| current.rejected_time.is_none());
    // One that only a person could replace also goes back after an edit by hand.
    let by_hand = observed.service.is_by_hand() && current_by_hand(observed);
    let fenced = failed.is_some_and(|claim| claim.attempt <= *fence) || by_hand && observed.secrets.fence() <= *fence;
    fenced && alive && observed.facts.holds_previous && !observed.holds_current()
}

fn raise_fence(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::RaiseFence { fence } = step else { return true };
    let unresolved = observed.unresolved_claim().map_or(0, |claim| claim.attempt);
    *fence > observed.secrets.fence() && *fence >= unresolved && !observed.secrets.any_absent()
}

fn takes_over(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let (Step::Update | Step::RaiseFence { .. } | Step::RollBack { .. } | Step::Render) = step else { return true };
    let recorded = observed.ledger.replaced.as_ref().map(|replaced| &replaced.id);
    observed.secrets.former_id().is_none_or(|id| recorded == Some(id))
}

fn create_placeholder(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::CreatePlaceholder { fence } = step else { return true };
    observed.secrets.any_absent() && *fence >= observed.ledger.highest_attempt()
}

fn claim(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let (Step::Claim { .. } | Step::Finalize { claims: true }) = step else { return true };
    let finalizer = observed.object.finalizer == matches!(step, Step::Claim { .. });
    let backing_off = observed.ledger.failures.as_ref().is_some_and(|failures| failures.next_try_time > NOW);
    let suspended = desired.suspended && !answering(observed);
    let stopped =
        suspended || desired.halt.is_some() || observed.facts.halt.is_some() || observed.secrets.unwritable().is_some();
    let room = observed.ledger.alive() + usize::from(!answering(observed)) < MAX_LIVE;
    let wanted = trigger(desired, observed, NOW).is_some() || observed.by_hand.offers();
    let by_hand = observed.service.is_by_hand();
    let backing_off = backing_off && !by_hand;
    let pauses = |refusals: &Refusals| refusals.next_replacement_time > NOW && observed.holds_current();
    let backing_off =
        backing_off || observed.ledger.refusals.as_ref().is_some_and(pauses) && !answering(observed) && !by_hand;
    finalizer && observed.facts.preflight && observed.secrets.live() && room && wanted && !backing_off && !stopped
}

fn claim_above(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Claim { attempt } = step else { return true };
    let fences = observed.secrets.ours().map(|ours| ours.fence);
    let rows = own_rows(observed).map(|row| row.attempt);
    let free = observed.unresolved_claim().is_none() && !observed.secrets.any_absent();
    let seen = fences.chain(rows).chain([observed.ledger.highest_attempt()]);
    free && *attempt <= MAX_ATTEMPT && seen.into_iter().all(|seen| seen < *attempt)
}

fn finalize(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Finalize { claims: true } = step else { return true };
    !observed.object.finalizer && observed.ledger.claim.is_none() && observed.secrets.ours().next().is_none()
}

fn decide(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Decide(outcome) = step else { return true };
    let Some(ours) = observed.secrets.ours().next() else { return false };
    let open = observed.open_claim().is_some_and(|claim| claim.attempt == ours.attempt);
    let lost = observed.ledger.lost.iter().any(|lost| lost.attempt == ours.attempt);
    let in_flight = matches!(&observed.in_flight, InFlight::Value { id, .. } if Some(id) == ours.id.as_ref());
    let named = observed.service.seen.is_some_and(|service| service.attributable && service.same_origin);
    let by_hand = observed
        .open_claim()
        .is_some_and(|claim| claim.hand_over.is_some() && ours.id == Some(TokenId::of_hand_over(claim.attempt)));
    let attested = in_flight || by_hand || named && own_rows(observed).any(|row| Some(&row.id) == ours.id.as_ref());
    let answered = match outcome {
        Outcome::Verified => attested && (!desired.probe || observed.facts.verdict == Some(Verdict::Accepted)),
        Outcome::Failed => !attested || observed.facts.verdict == Some(Verdict::Refused),
    };
    let fresh = observed.open_claim().is_some_and(|claim| claim.attempt == ours.attempt && claim.time > ago(120));
    let early = fresh && !in_flight && !by_hand && named && *outcome == Outcome::Failed;
    // On deletion it only enters the ledger: nobody asks first whether it works.
    let answered = answered || by_hand && observed.object.deleting && *outcome == Outcome::Failed;
    observed.secrets.live() && (open || lost) && answered && !early
}

fn reject(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Reject = step else { return true };
    let first = observed.ledger.current.as_ref().is_some_and(|current| current.rejected_time.is_none());
    observed.facts.verdict == Some(Verdict::Refused) && observed.holds_current() && first && confirmed_dead(observed)
}

fn held(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let (Step::Wait(_) | Step::Halt(_)) = step else { return true };
    let ledger = &observed.ledger;
    let open = ledger.claim.as_ref().is_some_and(|claim| claim.outcome.is_none());
    let lives = ledger.alive() > 0 || open || !ledger.lost.is_empty() || observed.in_flight != InFlight::Nothing;
    // Whoever takes it off an object that is being deleted lets the object go.
    observed.object.finalizer || observed.object.deleting || !(lives || observed.secrets.own())
}

fn deletion(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let allowed = matches!(
        step,
        Step::Wait(_)
            | Step::Release
            | Step::DeleteSecret
            | Step::GiveUp(GiveUpReason::Deleting)
            | Step::Read
            | Step::TakeTurn(_)
            | Step::Revoke { .. }
            | Step::Prove { .. }
            | Step::ReadCompanion
            | Step::Keep(_)
            | Step::Sweep
            | Step::RecordConflict(_)
            | Step::Halt(_)
    );
    let undecided = observed.open_claim().is_some_and(|claim| claim.hand_over.is_some());
    let allowed = allowed || undecided && matches!(step, Step::RaiseFence { .. } | Step::Decide(Outcome::Failed));
    let reserved = matches!(step, Step::Release | Step::DeleteSecret | Step::GiveUp(GiveUpReason::Deleting));
    if observed.object.deleting { allowed } else { !reserved }
}

fn release(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let (Step::Release | Step::DeleteSecret) = step else { return true };
    // What a person handed over and nobody took up stays with the person.
    let open = observed.open_claim().filter(|claim| claim.hand_over.is_none());
    let settled = open.as_ref().is_none_or(|claim| desired.timings.settle_time(claim) <= NOW);
    let open = open.is_some() || !observed.ledger.lost.is_empty();
    let attributable = observed.service.seen.is_some_and(|service| service.attributable);
    let elsewhere = observed.service.seen.is_none_or(|service| !service.same_origin);
    let looked = observed.service.listing.is_some() && own_rows(observed).next().is_none() && !elsewhere;
    let over = observed.ledger.alive() == 0 && observed.in_flight == InFlight::Nothing && settled;
    let nameless = observed.service.seen.is_some() && !attributable;
    observed.object.leave.is_some() || (over && (!open || looked || nameless))
}

fn abandon(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Abandon = step else { return true };
    observed.unresolved_claim().is_some_and(|claim| {
        (claim.hand_over.is_some() || desired.timings.settle_time(&claim) <= NOW)
            && observed.secrets.live()
            && observed.secrets.fence() >= claim.attempt
    })
}

fn supersede(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Supersede(rows) = step else { return true };
    let fenced = |row: &Row| observed.secrets.live() && row.attempt <= observed.secrets.fence();
    let replaced = matches!(observed.in_flight, InFlight::Claim { .. });
    let open = |row: &Row| {
        let claim = observed.ledger.claim.as_ref().filter(|claim| claim.attempt == row.attempt);
        claim.is_some_and(|claim| claim.outcome.is_none()) && observed.secrets.published(row.attempt, &row.id)
    };
    let fits = |row: &Row| !observed.ledger.knows(&row.id) && fenced(row) && (replaced || !open(row));
    !rows.is_empty() && rows.iter().all(fits)
}

fn give_up(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::GiveUp(reason) = step else { return true };
    let InFlight::Value { attempt, expected, sent: true, .. } = &observed.in_flight else { return true };
    let shut_out = observed.secrets.fence() >= *attempt
        || observed.secrets.expected() != *expected
        || observed.secrets.unwritable().is_some();
    *reason == GiveUpReason::Deleting || (observed.secrets.live() && shut_out)
}

fn wait(_: &Desired, _: &Observed, step: &Step) -> bool {
    !matches!(step, Step::Wait(Some(until)) if *until <= NOW)
}

fn endless(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Wait(None) = step else { return true };
    let stopped = desired.suspended
        || desired.halt.is_some()
        || observed.facts.halt.is_some()
        || observed.secrets.unwritable().is_some();
    let service = observed.service.seen.is_none_or(|service| !service.same_origin);
    let wanted = trigger(desired, observed, NOW).is_some() || observed.unresolved_claim().is_some();
    let gone = observed.object.deleting && !observed.object.finalizer;
    // A person hands the next token over, or a person takes the Secret away that stands in the place of the kept values.
    let person = observed.service.is_by_hand() && !observed.by_hand.offers()
        || matches!(observed.by_hand.companion, Companion::Foreign(_));
    if person && !observed.object.deleting {
        return true;
    }
    // When a service accepts tokens again, passes over all its tokens begin.
    let waits_for_service = in_doubt(observed) && observed.facts.verdict == Some(Verdict::Refused);
    gone || (!observed.object.deleting && (stopped || service || !wanted || waits_for_service))
}

fn halt(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Halt(_) = step else { return true };
    let service = observed.service.seen.is_none_or(|service| !service.same_origin);
    let wanted = desired.halt.is_some() || observed.secrets.unwritable().is_some() || observed.facts.halt.is_some();
    let full = observed.ledger.alive() + 1 >= MAX_LIVE;
    let elsewhere = observed.service.seen.is_some_and(|service| !service.same_origin);
    if observed.ledger.conflict.is_some() && !confirmed(observed) {
        return true;
    }
    let person = observed.service.is_by_hand()
        && (!observed.by_hand.offers() || matches!(observed.by_hand.companion, Companion::Foreign(_)));
    if observed.object.deleting { service } else { wanted || full || elsewhere || in_doubt(observed) || person }
}

fn no_loop(_: &Desired, observed: &Observed, step: &Step) -> bool {
    match step {
        Step::Read => !observed.secrets.live(),
        Step::Sweep => observed.service.listing.is_none(),
        Step::Preflight => !observed.facts.preflight || !observed.secrets.live(),
        Step::Verify => observed.facts.verdict.is_none(),
        Step::Finalize { .. } => !observed.object.finalizer,
        Step::Render => observed.secrets.ours().any(|ours| !ours.rendered),
        Step::DeleteSecret => observed.secrets.own(),
        Step::RecordConflict(_) => observed.ledger.conflict.is_none(),
        Step::ReadOffer => observed.by_hand.offer.as_ref().is_some_and(|offer| offer.state == OfferState::Unread),
        Step::ReadCompanion => observed.by_hand.companion == Companion::Unread || observed.by_hand.companion_stale,
        Step::Keep(ids) => *ids != observed.by_hand.kept(),
        Step::RecordReplaced(id) => observed.ledger.replaced.as_ref().is_none_or(|replaced| replaced.id != *id),
        _ => true,
    }
}

fn needs_service(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let calls = matches!(
        step,
        Step::Generate
            | Step::Resume
            | Step::Try
            | Step::Verify
            | Step::Sweep
            | Step::TakeTurn(_)
            | Step::Revoke { .. }
            | Step::Prove { .. }
    );
    let named = observed.service.seen.is_some_and(|service| service.attributable && service.same_origin);
    (!calls || observed.service.seen.is_some()) && (*step != Step::Sweep || named)
}

fn pauses(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let pauses = &observed.facts.pauses;
    let offered = observed.service.is_by_hand() && observed.by_hand.offers();
    let corrects = *step == Step::Render
        || (!offered && matches!(step, Step::Claim { .. } | Step::Preflight) && is_only_drift(desired, observed, NOW));
    if corrects && pauses.drift.is_some_and(|until| until > NOW) {
        return false;
    }
    let pause = match step {
        Step::Generate | Step::Resume | Step::Claim { .. } => pauses.generate,
        Step::Try | Step::Verify => pauses.verify,
        Step::Sweep => pauses.sweep,
        Step::TakeTurn(_) | Step::Revoke { .. } | Step::Prove { .. } => pauses.revoke,
        Step::DeleteOffer | Step::Keep(_) => pauses.offer,
        Step::ReadOffer => pauses.secret,
        Step::Read | Step::Preflight => pauses.secret,
        _ if writes(step) => pauses.secret,
        _ => None,
    };
    pause.is_none_or(|until| until <= NOW)
}

/// Where the first list of a pass must wait, the answer is the same as if there were no lost token to look for.
fn lists_hold_up_nothing(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let looks = observed.service.suspected || !observed.ledger.lost.is_empty();
    let paused = observed.facts.pauses.sweep.is_some_and(|until| until > NOW);
    let first = observed.service.listing.is_none() && observed.service.attributable();
    if !looks || !paused || !first || observed.object.deleting || observed.unresolved_claim().is_some() {
        return true;
    }
    let mut without = observed.clone();
    without.service.suspected = false;
    without.ledger.lost.clear();
    let calm = next_step(desired, &without, NOW);
    std::mem::discriminant(step) == std::mem::discriminant(&calm)
}

pub fn own_rows(observed: &Observed) -> impl Iterator<Item = &Row> {
    observed.service.listing.iter().flatten()
}

fn current_by_hand(observed: &Observed) -> bool {
    observed.ledger.current.as_ref().is_some_and(|current| current.hand_over.is_some())
}

fn ended_by_whom(_: &Desired, observed: &Observed, step: &Step) -> bool {
    match step {
        Step::Revoke { attempt, id } => !observed.ledger.is_by_hand(*attempt, id),
        Step::Prove { attempt, id } => {
            let waits = observed.by_hand.asked.get(id).is_some_and(|next| *next > NOW);
            observed.ledger.is_by_hand(*attempt, id) && !waits
        }
        _ => true,
    }
}

fn taken_up(_: &Desired, observed: &Observed, step: &Step) -> bool {
    match step {
        Step::Claim { .. } if observed.service.is_by_hand() => observed.by_hand.offers(),
        Step::Resume => {
            let claim = observed.unresolved_claim();
            let secret = claim.as_ref().and_then(|claim| claim.hand_over.as_ref());
            let offer = secret.and_then(|secret| observed.by_hand.offer_of(secret));
            let covered = claim.as_ref().is_some_and(|claim| observed.ledger.leak_covers(claim.time));
            let fenced = claim.as_ref().is_some_and(|claim| observed.secrets.fence() >= claim.attempt);
            offer.is_some_and(|offer| offer.state == OfferState::Ready)
                && observed.secrets.live()
                && !covered
                && !fenced
                && !observed.object.deleting
        }
        Step::Generate => !observed.service.is_by_hand() && !observed.takes_up(),
        _ => true,
    }
}

fn delete_offer(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::DeleteOffer = step else { return true };
    let taken = observed.by_hand.offer.as_ref().is_some_and(|offer| offer.state == OfferState::Taken);
    taken && observed.holds_current() && observed.secrets.live()
}

fn kept(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let known = |id: &TokenId| observed.ledger.knows(id);
    match step {
        Step::Update => {
            let by_hand = observed.ledger.current.as_ref().filter(|_| current_by_hand(observed));
            let lost = !observed.facts.holds_previous && !observed.holds_current();
            by_hand.is_none_or(|current| lost || observed.by_hand.kept().contains(&current.id))
        }
        Step::Keep(ids) => {
            let foreign = matches!(observed.by_hand.companion, Companion::Foreign(_) | Companion::Unread);
            let dead = |id: &TokenId| observed.ledger.history.iter().any(|dead| dead.id == *id);
            let dropped = observed.by_hand.kept().iter().any(|id| (known(id) || !dead(id)) && !ids.contains(id));
            let going = observed.object.deleting && (observed.object.leave.is_some() || observed.ledger.alive() == 0);
            let at_hand = |id: &TokenId| known(id) || observed.by_hand.kept().contains(id);
            !foreign && (!dropped || going) && ids.iter().all(at_hand)
        }
        // Another process may have kept a value since.
        Step::Release => {
            !observed.by_hand.companion_stale || matches!(observed.by_hand.companion, Companion::Foreign(_))
        }
        _ => true,
    }
}

fn remind(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::Remind(_) = step else { return true };
    observed.service.is_by_hand() && observed.ledger.current.as_ref().is_some_and(|now| now.expiration_time.is_some())
}
