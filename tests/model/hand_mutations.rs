//! One-line mutations of the rules for tokens that a person makes.

use artifact_token_operator::rotation::observed::{Observed, OfferState};
use artifact_token_operator::rotation::plan::{GiveUpReason, Step};

use super::mutations::{Mutation, has_value_in_flight};
use super::setup::{Fault, Setup};

/// A mutation, and the smallest run that shows what it does.
pub fn all() -> Vec<Setup> {
    use Fault::{Crash, DeleteObject, DeleteSecret, Doubt, LoseAnswer, Offer, OfferAgain, Oversleep, Refuse, Rotate};
    let run = |mutation, processes, slots, faults: &[(Fault, u8)]| {
        Setup::new("", processes, slots, faults).by_hand().with(mutation)
    };
    vec![
        run(Mutation::PublishHandedUntried, 1, 2, &[]),
        run(Mutation::DeleteOfferEarly, 1, 2, &[]),
        run(Mutation::DeleteAnyOffer, 1, 3, &[(Offer, 1)]),
        run(Mutation::ClaimNamesNothing, 1, 3, &[(Rotate, 1)]),
        run(Mutation::DeleteLastCopy, 1, 3, &[(DeleteSecret, 1), (Crash, 1)]),
        run(Mutation::KeepNothing, 1, 3, &[(Rotate, 1)]),
        run(Mutation::KeepNoFailed, 1, 4, &[(Rotate, 1), (Refuse, 1)]),
        run(Mutation::DropKept, 1, 3, &[(Rotate, 1)]),
        run(Mutation::TakeUpReplaced, 1, 4, &[(Rotate, 1), (OfferAgain, 1)]),
        run(Mutation::TrustOldCompanion, 2, 3, &[(Rotate, 1)]),
        run(Mutation::TrustOldLedger, 2, 3, &[(DeleteSecret, 1)]),
        run(Mutation::ClaimAnew, 2, 4, &[(LoseAnswer, 1), (Crash, 1)]),
        run(Mutation::GiveUpInDoubt, 1, 3, &[(Doubt, 1), (Offer, 1)]),
        run(Mutation::BelieveRefusals, 1, 3, &[(Doubt, 1), (Rotate, 1)]),
        run(Mutation::GiveUpHandedUnfenced, 2, 3, &[(Oversleep, 1), (Offer, 1)]),
        run(Mutation::AskAtOnce, 1, 3, &[(Rotate, 1)]),
        run(Mutation::AskWhileHeld, 1, 2, &[(Refuse, 1)]),
        run(Mutation::ReleaseHanded, 1, 2, &[(DeleteObject, 1)]),
        run(Mutation::DeathUnrecorded, 1, 2, &[(DeleteObject, 1)]),
    ]
}

/// The step that replaces the one that the decision returned.
pub fn after(mutation: Mutation, observed: &Observed, step: Step) -> Step {
    let replaces = has_value_in_flight(observed);
    match (mutation, step) {
        (Mutation::PublishHandedUntried, Step::Try) => Step::Update,
        (Mutation::DeleteOfferEarly, Step::Verify) if replaces && observed.by_hand.offers() => Step::DeleteOffer,
        (Mutation::DeleteLastCopy, Step::Halt(_) | Step::CreatePlaceholder { .. }) if is_taken(observed) => {
            Step::DeleteOffer
        }
        (Mutation::KeepNoFailed, Step::Keep(_)) if !replaces && !observed.holds_current() => {
            Step::RollBack { fence: observed.secrets.fence() }
        }
        (Mutation::GiveUpHandedUnfenced, Step::RaiseFence { .. }) if replaces => Step::GiveUp(GiveUpReason::Late),
        (Mutation::KeepNothing, Step::ReadCompanion | Step::Keep(_)) if replaces => Step::Update,
        (Mutation::DropKept, Step::Prove { .. }) if !observed.by_hand.kept().is_empty() => Step::Keep(Vec::new()),
        (Mutation::ClaimAnew, Step::Resume) => {
            if observed.facts.preflight {
                Step::Claim { attempt: observed.highest_attempt() + 1 }
            } else {
                Step::Preflight
            }
        }
        (Mutation::ReleaseHanded, Step::Prove { .. }) if observed.object.deleting => Step::Release,
        (_, step) => step,
    }
}

fn is_taken(observed: &Observed) -> bool {
    observed.by_hand.offer.as_ref().is_some_and(|offer| offer.state == OfferState::Taken)
}
