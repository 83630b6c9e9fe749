//! One-line mutations of the rules. Each must be caught by a violated invariant in the run beside it.
//!
//! Nothing in the product knows of them: a mutation changes what the decision sees, or replaces the step that it says,
//! or breaks a rule of the pretended world (there: `Turn::broken`).

use std::time::Duration;

use artifact_token_operator::api::ledger::Outcome;
use artifact_token_operator::rotation::observed::{Hand, Observed, Row, SecretState};
use artifact_token_operator::rotation::plan::{Lapse, Step};

use super::bridge::NOW;
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
    /// A found token is taken for one that nobody holds.
    FoundAtOnce,
    /// A claim is kept in memory only.
    ClaimInMemory,
    /// A lost answer is taken for "not executed".
    GenerateAgain,
    /// `verified` empties the list of superseded tokens.
    DropSuperseded,
    /// An id is believed because it stands on the Secret.
    VouchForAnyId,
    /// A token whose publish was sent is given up as unpublished.
    SentIsUnpublished,
    /// An outcome is overwritten.
    DecideAgain,
    /// An abandoned claim's token is not looked for.
    ForgetLost,
    /// What was read before is taken for a live read.
    PretendLive,
    /// A claim counts as settled at once.
    PretendSettled,
    /// A replacement is published untried.
    PublishUntried,
    /// There is no fence.
    NoFence,
    /// Every attempt is taken to be fenced off.
    PretendFenced,
    /// A failed verification is rolled back before it is decided.
    RollBackUndecided,
    /// A value is published past its deadline.
    PublishLate,
    /// A value whose publish is under way is given up without a fence.
    GiveUpUnfenced,
    /// On deletion the service is not listed for what was lost.
    ReleaseUnswept,
    /// On deletion a token that resists is let go.
    ReleaseAlive,
    /// On deletion a claim that may still land is not waited for.
    ReleaseUnsettled,
    /// A found token is revoked, not superseded.
    RevokeFound,
    /// The predecessor is revoked once the successor is published.
    RevokeUnverified,
    /// A token is made before the finalizer is there.
    ClaimUnfinalized,
    /// A claim is taken while the Secret is absent.
    ClaimWithoutShell,
    /// A claim is taken without a dry-run.
    ClaimWithoutPreflight,
    /// A rotation does not look at how many tokens live.
    NoLimit,
    /// A read of the Secret counts as live after the ledger was read again.
    TrustOldRead,
    /// The implied claim counts from the object's creation, not from the finalizer's patch.
    OldFinalizer,
    /// An attempt number is used twice.
    ReuseAttempt,
    /// An attempt that leaked is published all the same.
    PublishLeaked,
    /// A leak whose time is to come covers what comes after it was noticed.
    UncappedLeak,
    /// A leaked token waits for its overlap.
    LeakWaits,
    /// What was never claimed here is taken for a token of this object.
    BelieveTwins,
    /// Nonces are not kept beside attempts that were lost.
    ForgetNonces,
    /// Only attempts that were never reached here are taken for another cluster's.
    CountAttempts,
    /// Without room for another token, superseded ones wait for one.
    WaitWithoutRoom,
}

/// A mutation, and the smallest run that shows what it does.
pub fn all() -> Vec<Setup> {
    use Fault::{Crash, DeleteObject, DeleteSecret, Forge, KeepAlive, LoseAnswer, Oversleep, Refuse, Rotate};
    let run =
        |mutation, processes, slots, faults: &[(Fault, u8)]| Setup::new("", processes, slots, faults).with(mutation);
    vec![
        run(Mutation::NoSecretCas, 2, 3, &[(Rotate, 2), (Oversleep, 1)]),
        run(Mutation::NoStatusCas, 2, 3, &[(Rotate, 1)]),
        run(Mutation::NoOverlap, 1, 2, &[(Rotate, 1)]),
        run(Mutation::FoundAtOnce, 1, 3, &[(Rotate, 1), (DeleteSecret, 1), (Crash, 2)]),
        run(Mutation::ClaimInMemory, 1, 2, &[(Rotate, 1)]),
        run(Mutation::GenerateAgain, 1, 2, &[(LoseAnswer, 1)]),
        run(Mutation::DropSuperseded, 1, 2, &[(Rotate, 1)]),
        run(Mutation::VouchForAnyId, 1, 3, &[(Forge, 1), (Crash, 1), (Rotate, 1), (Fault::LoseAnswer, 1)]),
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
        run(Mutation::RevokeFound, 2, 3, &[(Rotate, 1), (LoseAnswer, 1), (Oversleep, 1)]),
        run(Mutation::RevokeUnverified, 1, 2, &[(Rotate, 1)]),
        run(Mutation::ClaimUnfinalized, 1, 2, &[]),
        run(Mutation::ClaimWithoutShell, 1, 4, &[(DeleteSecret, 3), (LoseAnswer, 1)]),
        run(Mutation::ClaimWithoutPreflight, 1, 2, &[(Rotate, 1)]),
        run(Mutation::NoLimit, 1, 6, &[(Rotate, ANY)]),
        run(Mutation::TrustOldRead, 2, 2, &[(Rotate, 1), (Refuse, 1)]),
        run(Mutation::OldFinalizer, 1, 2, &[(Crash, 1), (DeleteObject, 1)]),
        run(Mutation::ReuseAttempt, 1, 3, &[(Crash, 1)]),
        run(Mutation::PublishLeaked, 1, 4, &[(Fault::Leak, 1), (Rotate, 1), (Refuse, 1)]),
        run(Mutation::UncappedLeak, 1, 3, &[(Fault::LeakAhead, 1)]),
        run(Mutation::LeakWaits, 1, 3, &[(Fault::Leak, 1)]),
        run(Mutation::BelieveTwins, 1, 3, &[(Fault::Twin, 1)]),
        run(Mutation::ForgetNonces, 1, 4, &[(LoseAnswer, 1), (Rotate, 2)]),
        run(Mutation::CountAttempts, 1, 3, &[(Fault::Twin, 1), (Rotate, 1)]),
        run(Mutation::WaitWithoutRoom, 1, 6, &[(Rotate, 4), (DeleteSecret, 1)]),
    ]
}

/// What the decision is made to see.
pub fn before(setup: &Setup, observed: &mut Observed) {
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
        Mutation::PretendFenced if observed.hand == Hand::Empty => {
            let highest = observed.highest_attempt();
            fence(observed, highest);
        }
        Mutation::PublishLate => {
            if let Hand::Value { deadline, .. } = &mut observed.hand {
                *deadline = NOW.plus(day);
            }
        }
        Mutation::VouchForAnyId => vouch(observed),
        Mutation::UncappedLeak => {
            observed.ledger.leak.iter_mut().for_each(|leak| leak.claimed_before = leak.issued_before)
        }
        Mutation::ForgetNonces => {
            observed.ledger.lost.iter_mut().for_each(|lost| lost.nonce.clear());
        }
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

/// A row of the list that says what the Secret says.
fn vouch(observed: &mut Observed) {
    let Some(claim) = observed.open_claim() else { return };
    let id = observed.secrets.ours().find_map(|ours| ours.id.clone());
    if let (Some(id), Some(rows)) = (id, &mut observed.service.listing) {
        rows.push(Row { id, attempt: claim.attempt, nonce: claim.nonce, ..Row::default() });
    }
}

/// The step that is taken in place of the one that was said.
pub fn after(setup: &Setup, observed: &Observed, step: Step) -> Step {
    let Some(mutation) = setup.mutation else { return step };
    let claim = Step::Claim { attempt: observed.highest_attempt() + 1 };
    match (mutation, step) {
        (Mutation::PublishUntried, Step::Try) => Step::Update,
        (Mutation::RollBackUndecided, Step::Decide(Outcome::Failed)) if observed.facts.holds_previous => {
            Step::RollBack { fence: observed.secrets.fence() }
        }
        (Mutation::GiveUpUnfenced, Step::RaiseFence { .. } | Step::Shell { .. }) if in_hand(observed) => {
            Step::GiveUp(Lapse::Late)
        }
        (Mutation::ReleaseUnswept, Step::Sweep) if observed.object.deleting => Step::Release,
        (Mutation::ReleaseAlive, Step::Revoke { .. }) if tried(observed) => Step::Release,
        (Mutation::RevokeFound, Step::Supersede(rows)) => {
            rows.first().map_or(Step::Wait(None), |row| Step::Revoke { attempt: row.attempt, id: row.id.clone() })
        }
        (Mutation::RevokeUnverified, Step::Verify) if in_hand(observed) => revoke_current(observed),
        (Mutation::ClaimUnfinalized, Step::Finalize { claims: true }) => Step::Claim { attempt: 1 },
        (Mutation::ClaimUnfinalized, Step::Finalize { claims: false }) => Step::Generate,
        (Mutation::ClaimWithoutShell, Step::Shell { .. }) if !stray(observed) => {
            if observed.facts.preflight {
                claim
            } else {
                Step::Preflight
            }
        }
        (Mutation::ClaimWithoutShell, Step::GiveUp(Lapse::Overtaken)) if creates(observed) => Step::Update,
        (Mutation::ClaimWithoutPreflight, Step::Preflight) if observed.object.finalizer => claim,
        (Mutation::NoLimit, Step::Halt(_)) if crowded(observed) => {
            if observed.facts.preflight {
                claim
            } else {
                Step::Preflight
            }
        }
        (Mutation::PublishLeaked, Step::GiveUp(Lapse::Leaked)) if in_hand(observed) => Step::Update,
        (Mutation::PublishLeaked, Step::GiveUp(Lapse::Leaked)) => Step::Generate,
        (Mutation::LeakWaits, Step::Revoke { .. }) if leaked(observed) => Step::Wait(None),
        (Mutation::CountAttempts, Step::Dispute(row)) if row.attempt <= observed.ledger.highest_attempt() => {
            Step::Supersede(vec![row])
        }
        (Mutation::BelieveTwins, Step::Dispute(row)) => Step::Supersede(vec![row]),
        (Mutation::ReuseAttempt, Step::Claim { attempt }) => Step::Claim { attempt: attempt - 1 },
        (Mutation::WaitWithoutRoom, Step::Revoke { .. }) if !observed.object.deleting && !observed.holds_current() => {
            Step::Wait(None)
        }
        (_, step) => step,
    }
}

fn in_hand(observed: &Observed) -> bool {
    matches!(observed.hand, Hand::Value { .. })
}

fn leaked(observed: &Observed) -> bool {
    observed.ledger.leak.as_ref().is_some_and(|leak| leak.replaced_time.is_none())
}

fn stray(observed: &Observed) -> bool {
    observed.stray_claim().is_some()
}

/// A value that was computed against no Secret, and there is none.
fn creates(observed: &Observed) -> bool {
    let Hand::Value { deadline, base, sent, .. } = &observed.hand else { return false };
    *deadline > NOW && !sent && observed.secrets.any_absent() && *base == observed.secrets.base()
}

/// A revoke was tried in vain: the current token became a superseded one.
fn tried(observed: &Observed) -> bool {
    observed.object.deleting && observed.ledger.current.is_none()
}

fn crowded(observed: &Observed) -> bool {
    let wanted = observed.object.requests.rotate.is_some();
    wanted && observed.ledger.alive() >= 4 && observed.stray_claim().is_none() && observed.hand == Hand::Empty
}

fn revoke_current(observed: &Observed) -> Step {
    let current = observed.ledger.current.as_ref();
    current.map_or(Step::Verify, |current| Step::Revoke { attempt: current.attempt, id: current.id.clone() })
}
