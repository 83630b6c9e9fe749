//! One-line mutations of the rules. An invariant must catch each in the run beside it.
//!
//! The product does not know them. A mutation changes the input of the decision, replaces the step that it returns, or breaks a rule
//! of the model world (see `Turn::broken`).

use std::time::Duration;

use artifact_token_operator::api::ids::Nonce;
use artifact_token_operator::api::ledger::{LeakTimes, Outcome};
use artifact_token_operator::rotation::desired::Desired;
use artifact_token_operator::rotation::observed::{InFlight, Observed, Row, SecretState};
use artifact_token_operator::rotation::plan::{GiveUpReason, Step};

use super::bridge::NOW;
use super::hand_mutations;
use super::setup::{ANY, Fault, Setup};

/// One broken rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// The Secret is written without its resourceVersion.
    NoSecretCas,
    /// The status is written without its resourceVersion.
    NoStatusCas,
    /// The predecessor's overlap is over at once.
    NoOverlap,
    /// An orphaned token gets no overlap, as if nobody could hold it.
    OrphanAtOnce,
    /// A claim is kept in memory only.
    ClaimInMemory,
    /// A lost answer counts as "not executed".
    GenerateAgain,
    /// `verified` empties the list of superseded tokens.
    DropSuperseded,
    /// An id counts as attested because the Secret has it.
    AttestAnyId,
    /// A token whose publish was sent is given up as unpublished.
    SentIsUnpublished,
    /// An outcome is overwritten.
    DecideAgain,
    /// Nobody looks for the token of an abandoned claim.
    ForgetLost,
    /// A remembered Secret counts as read live.
    PretendLive,
    /// A claim counts as settled at once.
    PretendSettled,
    /// A replacement is published without a try.
    PublishUntried,
    /// There is no fence.
    NoFence,
    /// Every attempt counts as fenced off.
    PretendFenced,
    /// A failed verification is rolled back before its outcome is recorded.
    RollBackUndecided,
    /// A value is published after its deadline.
    PublishLate,
    /// A value whose publish is under way is given up without a fence.
    GiveUpUnfenced,
    /// Deletion does not list the service for lost tokens.
    ReleaseUnswept,
    /// Deletion releases the object although a token resists its revoke.
    ReleaseAlive,
    /// Deletion does not wait for a claim that may still land.
    ReleaseUnsettled,
    /// An orphaned token is revoked at once, not superseded.
    RevokeOrphan,
    /// The predecessor is revoked once its successor is published, before that is verified.
    RevokeUnverified,
    /// A token is generated before the object has the finalizer.
    ClaimUnfinalized,
    /// A claim is taken while the Secret is absent.
    ClaimWithoutPlaceholder,
    /// A claim is taken without a dry-run.
    ClaimWithoutPreflight,
    /// A rotation ignores how many tokens live.
    NoLimit,
    /// A read of the Secret counts as live after the ledger was read again.
    TrustOldRead,
    /// The implied claim counts from the object's creation, not from the finalizer's patch.
    OldFinalizer,
    /// An attempt number is used twice.
    ReuseAttempt,
    /// An attempt that leaked is published even so.
    PublishLeaked,
    /// A leak with a time in the future also covers tokens claimed after it was recorded.
    UncappedLeak,
    /// Of the two times of a leak only the later one counts.
    OnlyLatestLeak,
    /// A leaked token waits for its overlap.
    LeakWaits,
    /// A token that was never claimed here counts as this object's.
    AdoptUnclaimed,
    /// The ledger keeps lost attempts without their nonces.
    ForgetNonces,
    /// Only attempts that this object never reached count as another cluster's.
    CountAttempts,
    /// Superseded tokens wait for a successor even if there is no room for one.
    WaitWithoutRoom,
    /// A finalizer that somebody took off is not put back.
    LeaveStripped,
    /// What may still live is not reported when the finalizer goes.
    ReleaseSilently,
    /// A claim in hand generates although the object is suspended meanwhile.
    GenerateSuspended,
    /// A service that refuses everybody is believed.
    BelieveDoubt,
    /// A list that failed counts as a complete one without rows.
    FailedListCounts,
    /// A claim is abandoned although no list shows what became of it.
    AbandonUnlisted,
    /// A new token waits until the token of a lost claim was looked for.
    ClaimWaitsForList,
    /// A revoke waits until the token of a lost claim was looked for.
    RevokeWaitsForList,
    /// The sweep of the service believes a watch that may be behind, and reads no objects.
    SweepTrustsWatch,
    /// A token of a living object that its ledger does not list has no owner for the sweep, whatever the claims say.
    SweepSkipsClaims,
    /// The sweep does not spare the token of a former object whose Secret another one took over.
    SweepForgetsReplaced,
    /// The sweep revokes although it sees an object that nobody has looked at.
    SweepPassesUnseen,
    /// The sweep does not wait for consumers.
    SweepAtOnce,
    /// The sweep revokes although another cluster works with copies of the objects.
    SweepIgnoresDispute,
    /// A token that was handed over is published into an empty Secret without a try.
    PublishHandedUntried,
    /// The hand-over Secret is deleted once its token is published, before that is verified.
    DeleteOfferEarly,
    /// The hand-over Secret is deleted in whatever version it is.
    DeleteAnyOffer,
    /// A claim does not name the hand-over Secret whose token it takes up.
    ClaimNamesNothing,
    /// The hand-over Secret is deleted although the Secret lost its token.
    DeleteLastCopy,
    /// The value of the current token is not kept when another one replaces it.
    KeepNothing,
    /// The value of a failed token is not kept when the current one takes its place.
    KeepNoFailed,
    /// The values of superseded tokens are dropped before their death is recorded.
    DropKept,
    /// A token is taken up again that another one has replaced.
    TakeUpReplaced,
    /// A process believes what it read of the companion Secret once.
    TrustOldCompanion,
    /// A placeholder with the fence of a ledger that may be an old one takes the place of a Secret that a person deleted.
    TrustOldLedger,
    /// A new claim takes the place of the open one.
    ClaimAnew,
    /// A value counts as refused while the service refuses everybody.
    GiveUpInDoubt,
    /// A token counts as dead on the word of a service that refuses everybody.
    BelieveRefusals,
    /// A token that was handed over is given up without a fence.
    GiveUpHandedUnfenced,
    /// The object asks to revoke a token before the overlap is over.
    AskAtOnce,
    /// The object asks to revoke a token that failed while the Secret holds it.
    AskWhileHeld,
    /// Deletion releases the object although a person has not revoked its token yet.
    ReleaseHanded,
    /// During a deletion no process records the death of a token that was handed over.
    DeathUnrecorded,
}

/// A mutation, and the smallest run that shows what it does.
pub fn all() -> Vec<Setup> {
    use Fault::{Crash, DeleteObject, DeleteSecret, Forge, KeepAlive, LoseAnswer, Oversleep, Refuse, Rotate};
    let run =
        |mutation, processes, slots, faults: &[(Fault, u8)]| Setup::new("", processes, slots, faults).with(mutation);
    let service = vec![
        run(Mutation::NoSecretCas, 2, 3, &[(Rotate, 2), (Oversleep, 1)]),
        run(Mutation::NoStatusCas, 2, 3, &[(Rotate, 1)]),
        run(Mutation::NoOverlap, 1, 2, &[(Rotate, 1)]),
        run(Mutation::OrphanAtOnce, 1, 3, &[(Rotate, 1), (DeleteSecret, 1), (Crash, 2)]),
        run(Mutation::ClaimInMemory, 1, 2, &[(Rotate, 1)]),
        run(Mutation::GenerateAgain, 1, 2, &[(LoseAnswer, 1)]),
        run(Mutation::DropSuperseded, 1, 2, &[(Rotate, 1)]),
        run(Mutation::AttestAnyId, 1, 3, &[(Forge, 1), (Crash, 1), (Rotate, 1), (Fault::LoseAnswer, 1)]),
        run(Mutation::SentIsUnpublished, 2, 3, &[(LoseAnswer, 1), (Rotate, 1), (DeleteSecret, 1)]),
        run(Mutation::DecideAgain, 2, 3, &[(DeleteObject, 1), (Rotate, 1)]),
        run(Mutation::ForgetLost, 1, 3, &[(Crash, 1)]),
        run(Mutation::PretendLive, 1, 2, &[(Rotate, 1)]),
        run(Mutation::PretendSettled, 1, 2, &[(Crash, 1), (DeleteObject, 1)]),
        run(Mutation::PublishUntried, 1, 2, &[(Rotate, 1)]),
        run(Mutation::NoFence, 1, 3, &[(Crash, 1)]),
        run(Mutation::PretendFenced, 1, 3, &[(Rotate, 1), (LoseAnswer, 1), (Crash, 1)]),
        run(Mutation::RollBackUndecided, 2, 2, &[(Rotate, 1), (Refuse, 1)]),
        run(Mutation::PublishLate, 2, 2, &[(DeleteSecret, 1), (Oversleep, 1)]),
        run(Mutation::GiveUpUnfenced, 1, 3, &[(Rotate, 1), (LoseAnswer, 1), (Oversleep, 1)]),
        run(Mutation::ReleaseUnswept, 1, 2, &[(Crash, 1), (DeleteObject, 1)]),
        run(Mutation::ReleaseAlive, 1, 2, &[(KeepAlive, 1), (DeleteObject, 1)]),
        run(Mutation::ReleaseUnsettled, 1, 2, &[(Crash, 1), (DeleteObject, 1)]),
        run(Mutation::RevokeOrphan, 2, 3, &[(Rotate, 1), (LoseAnswer, 1), (Oversleep, 1)]),
        run(Mutation::RevokeUnverified, 1, 2, &[(Rotate, 1)]),
        run(Mutation::ClaimUnfinalized, 1, 2, &[]),
        run(Mutation::ClaimWithoutPlaceholder, 1, 4, &[(DeleteSecret, 3), (LoseAnswer, 1)]),
        run(Mutation::ClaimWithoutPreflight, 1, 2, &[(Rotate, 1)]),
        run(Mutation::NoLimit, 1, 6, &[(Rotate, ANY)]),
        run(Mutation::TrustOldRead, 2, 2, &[(Rotate, 1), (Refuse, 1)]),
        run(Mutation::OldFinalizer, 1, 2, &[(Crash, 1), (DeleteObject, 1)]),
        run(Mutation::ReuseAttempt, 1, 3, &[(Crash, 1)]),
        run(Mutation::PublishLeaked, 1, 4, &[(Fault::Leak, 1), (Rotate, 1), (Refuse, 1)]),
        run(Mutation::UncappedLeak, 1, 3, &[(Fault::LeakAhead, 1)]),
        run(Mutation::OnlyLatestLeak, 1, 3, &[(Fault::LeakAhead, 1), (Fault::LeakElsewhere, 1)]),
        run(Mutation::LeakWaits, 1, 3, &[(Fault::Leak, 1)]),
        run(Mutation::AdoptUnclaimed, 1, 3, &[(Fault::OtherCluster, 1)]),
        run(Mutation::ForgetNonces, 1, 4, &[(LoseAnswer, 1), (Rotate, 2)]),
        run(Mutation::CountAttempts, 1, 3, &[(Fault::OtherCluster, 1), (Rotate, 1)]),
        run(Mutation::WaitWithoutRoom, 1, 6, &[(Rotate, 4), (DeleteSecret, 1)]),
        run(Mutation::LeaveStripped, 1, 2, &[(Fault::Strip, 1)]),
        run(Mutation::GenerateSuspended, 1, 2, &[(Fault::Suspend, 1), (Rotate, 1)]),
        run(Mutation::BelieveDoubt, 1, 2, &[(Fault::Doubt, 1), (Fault::Due, 1)]),
        run(Mutation::FailedListCounts, 1, 2, &[(Crash, 1), (DeleteObject, 1), (Fault::ListFails, 1)]),
        run(Mutation::AbandonUnlisted, 1, 3, &[(Crash, 1), (Fault::ListFails, 1)]),
        run(Mutation::ClaimWaitsForList, 1, 3, &[(Crash, 1), (LoseAnswer, 1), (Fault::ListFails, 1)]),
        run(Mutation::RevokeWaitsForList, 1, 3, &[(Crash, 1), (Rotate, 1), (Fault::ListFails, 1)]),
        run(Mutation::SweepTrustsWatch, 1, 2, &[]).swept(),
        run(Mutation::SweepSkipsClaims, 1, 2, &[(Crash, 1)]).swept(),
        run(Mutation::SweepForgetsReplaced, 1, 3, &[(Fault::Vanish, 1), (Fault::Recreate, 1)]).swept(),
        run(Mutation::SweepPassesUnseen, 1, 3, &[(Fault::Vanish, 1), (Fault::Recreate, 1)]).swept(),
        run(Mutation::SweepAtOnce, 1, 4, &[(Rotate, 1), (Fault::Vanish, 1), (Fault::Recreate, 1)]).swept(),
        run(Mutation::SweepIgnoresDispute, 1, 5, &[(Fault::OtherCluster, 2), (Fault::Vanish, 1), (Fault::Recreate, 1)])
            .swept(),
        run(Mutation::ReleaseSilently, 1, 2, &[(Crash, 1), (DeleteObject, 1)]).nameless(),
    ];
    [service, hand_mutations::all()].concat()
}

/// Changes the input of the decision.
pub fn before(setup: &Setup, desired: &mut Desired, observed: &mut Observed) {
    let Some(mutation) = setup.mutation else { return };
    let day = Duration::from_secs(24 * 3600);
    match mutation {
        Mutation::PretendLive => observed.secrets.seen.iter_mut().for_each(|seen| seen.live = true),
        Mutation::PretendSettled => {
            observed.object.created = observed.object.created.minus(day / 2);
            observed.ledger.claim.iter_mut().for_each(|claim| claim.time = claim.time.minus(day / 2));
        }
        Mutation::ReleaseUnsettled if observed.object.deleting => {
            observed.object.created = observed.object.created.minus(day / 2);
            observed.ledger.claim.iter_mut().for_each(|claim| claim.time = claim.time.minus(day / 2));
        }
        Mutation::NoFence => fence(observed, 0),
        Mutation::PretendFenced if observed.in_flight == InFlight::Nothing => {
            let highest = observed.highest_attempt();
            fence(observed, highest);
        }
        Mutation::PublishLate => {
            if let InFlight::Value { deadline, .. } = &mut observed.in_flight {
                *deadline = NOW.plus(day);
            }
        }
        Mutation::AttestAnyId => attest(observed),
        Mutation::OnlyLatestLeak => {
            let times = &mut desired.revoke_issued_before;
            *times = LeakTimes { object: times.latest(), service: None };
        }
        Mutation::GenerateSuspended if matches!(observed.in_flight, InFlight::Claim { .. }) => {
            desired.suspended = false
        }
        Mutation::BelieveDoubt => observed.service.seen.iter_mut().for_each(|seen| seen.trusted = true),
        Mutation::UncappedLeak => {
            observed.ledger.leak.iter_mut().for_each(|leak| leak.claimed_before = NOW.plus(Duration::from_secs(3600)))
        }
        Mutation::ForgetNonces => {
            observed.ledger.lost.iter_mut().for_each(|lost| lost.nonce = Nonce::default());
        }
        Mutation::GiveUpInDoubt => observed.service.seen.iter_mut().for_each(|seen| seen.trusted = true),
        _ => {}
    }
}

fn fence(observed: &mut Observed, fence: u32) {
    for seen in &mut observed.secrets.seen {
        if let SecretState::Ours(ours) = &mut seen.state {
            ours.fence = fence;
        }
    }
}

/// Adds a row to the list that attests the id in the Secret.
fn attest(observed: &mut Observed) {
    let Some(claim) = observed.open_claim() else { return };
    let id = observed.secrets.ours().find_map(|ours| ours.id.clone());
    if let (Some(id), Some(rows)) = (id, &mut observed.service.listing) {
        rows.push(Row::new(id, claim.attempt, claim.nonce));
    }
}

/// The step that replaces the one that the decision returned.
pub fn after(setup: &Setup, observed: &Observed, step: Step) -> Step {
    let Some(mutation) = setup.mutation else { return step };
    let claim = Step::Claim { attempt: observed.highest_attempt() + 1 };
    match (mutation, step) {
        (Mutation::PublishUntried, Step::Try) => Step::Update,
        (Mutation::RollBackUndecided, Step::Decide(Outcome::Failed)) if observed.facts.holds_previous => {
            Step::RollBack { fence: observed.secrets.fence() }
        }
        (Mutation::GiveUpUnfenced, Step::RaiseFence { .. } | Step::CreatePlaceholder { .. })
            if has_value_in_flight(observed) =>
        {
            Step::GiveUp(GiveUpReason::Late)
        }
        (Mutation::ReleaseUnswept, Step::Sweep) if observed.object.deleting => Step::Release,
        (Mutation::ReleaseAlive, Step::Revoke { .. }) if tried(observed) => Step::Release,
        (Mutation::RevokeOrphan, Step::Supersede(rows)) => {
            rows.first().map_or(Step::Wait(None), |row| Step::Revoke { attempt: row.attempt, id: row.id.clone() })
        }
        (Mutation::RevokeUnverified, Step::Verify) if has_value_in_flight(observed) => revoke_current(observed),
        (Mutation::ClaimUnfinalized, Step::Finalize { claims: true }) => Step::Claim { attempt: 1 },
        (Mutation::ClaimUnfinalized, Step::Finalize { claims: false }) => Step::Generate,
        (Mutation::LeaveStripped, Step::Finalize { claims: false }) => Step::Wait(None),
        (Mutation::ClaimWithoutPlaceholder, Step::CreatePlaceholder { .. }) if !unresolved(observed) => {
            if observed.facts.preflight { claim } else { Step::Preflight }
        }
        (Mutation::ClaimWithoutPlaceholder, Step::GiveUp(GiveUpReason::Overtaken)) if creates(observed) => Step::Update,
        (Mutation::ClaimWithoutPreflight, Step::Preflight) if observed.object.finalizer => claim,
        (Mutation::NoLimit, Step::Halt(_)) if crowded(observed) => {
            if observed.facts.preflight {
                claim
            } else {
                Step::Preflight
            }
        }
        (Mutation::PublishLeaked, Step::GiveUp(GiveUpReason::Leaked)) if has_value_in_flight(observed) => Step::Update,
        (Mutation::PublishLeaked, Step::GiveUp(GiveUpReason::Leaked)) => Step::Generate,
        (Mutation::LeakWaits, Step::Revoke { .. }) if leaked(observed) => Step::Wait(None),
        (Mutation::CountAttempts, Step::RecordConflict(row)) if row.attempt <= observed.ledger.highest_attempt() => {
            Step::Supersede(vec![row])
        }
        (Mutation::AdoptUnclaimed, Step::RecordConflict(row)) => Step::Supersede(vec![row]),
        (Mutation::AbandonUnlisted, Step::Sweep) if unresolved(observed) => Step::Abandon,
        (Mutation::ClaimWaitsForList, Step::Preflight | Step::Claim { .. }) if seeks(observed) => Step::Wait(None),
        (Mutation::RevokeWaitsForList, Step::Revoke { .. }) if seeks(observed) => {
            if observed.facts.pauses.sweep.is_some() { Step::Wait(None) } else { Step::Sweep }
        }
        (Mutation::ReuseAttempt, Step::Claim { attempt }) => Step::Claim { attempt: attempt - 1 },
        (Mutation::WaitWithoutRoom, Step::Revoke { .. }) if !observed.object.deleting && !observed.holds_current() => {
            Step::Wait(None)
        }
        (mutation, step) => hand_mutations::after(mutation, observed, step),
    }
}

pub fn has_value_in_flight(observed: &Observed) -> bool {
    matches!(observed.in_flight, InFlight::Value { .. })
}

fn leaked(observed: &Observed) -> bool {
    observed.ledger.leak.as_ref().is_some_and(|leak| leak.replaced_time.is_none())
}

/// Whether the token of a lost claim is still to be looked for in this pass.
fn seeks(observed: &Observed) -> bool {
    !observed.object.deleting && !observed.ledger.lost.is_empty() && observed.service.listing.is_none()
}

fn unresolved(observed: &Observed) -> bool {
    observed.unresolved_claim().is_some()
}

/// Whether a value in flight expects no Secret, and there is none.
fn creates(observed: &Observed) -> bool {
    let InFlight::Value { deadline, expected, sent, .. } = &observed.in_flight else { return false };
    *deadline > NOW && !sent && observed.secrets.any_absent() && *expected == observed.secrets.expected()
}

/// Whether a revoke was tried in vain, so that the current token became a superseded one.
fn tried(observed: &Observed) -> bool {
    observed.object.deleting && observed.ledger.current.is_none()
}

fn crowded(observed: &Observed) -> bool {
    let wanted = observed.object.requests.rotate.is_some();
    wanted
        && observed.ledger.alive() >= 4
        && observed.unresolved_claim().is_none()
        && observed.in_flight == InFlight::Nothing
}

fn revoke_current(observed: &Observed) -> Step {
    let current = observed.ledger.current.as_ref();
    current.map_or(Step::Verify, |current| Step::Revoke { attempt: current.attempt, id: current.id.clone() })
}
