//! What an ArtifactToken says of a leak: which tokens from before it may still live, and how the others were seen dead. Pure.
//!
//! **Invariant:** nothing is called dead that may live. Unknown is never "dead".

use std::collections::BTreeMap;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::{Ledger, Outcome, Proof, Superseded};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::mask::plain;

use crate::target::Kind;
use crate::wait::{condition, is_ready};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Where the time stands: in the object itself, or in its service object.
    pub kind: Kind,
    pub before: Time,
}

/// How far the answer is.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// The operator has not noticed it.
    Unnoticed,
    /// These may live.
    Living(String),
    /// A person must do the rest, and this is what.
    Yours(String),
    /// None from before may live.
    Dead,
}

/// The time of each claim that may have a token; `None` where that is not known.
pub fn claims(ledger: &Ledger) -> Vec<Option<Time>> {
    let open = ledger.claim.iter().filter(|claim| claim.outcome.is_none()).map(|claim| Some(claim.time));
    let current = ledger.current.iter().map(|current| Some(current.claimed_time));
    let superseded = ledger.superseded.iter().map(|old| old.claimed_time);
    let lost = ledger.lost.iter().map(|lost| Some(lost.time));
    let possibly_lost = ledger.possibly_lost.iter().map(|lost| Some(lost.claimed_time));
    open.chain(current).chain(superseded).chain(lost).chain(possibly_lost).collect()
}

/// Looks at the object.
pub fn progress(token: &ArtifactToken, Asked { kind, before }: Asked) -> Progress {
    let Some(status) = &token.status else { return Progress::Unnoticed };
    let ledger = &status.ledger;
    let noticed = ledger.leak.as_ref().filter(|leak| {
        let recorded = match kind {
            Kind::Token => leak.object_issued_before,
            Kind::Service(_) => leak.service_issued_before,
        };
        // A later one, of somebody else, covers more.
        recorded >= Some(before)
    });
    // The replacement may be claimed before the time that was asked for, which is a little ahead.
    let end = noticed.map_or(before, |leak| leak.claimed_before);
    let leaked = |claimed: Option<Time>| claimed.is_none_or(|claimed| claimed < end);
    let looked = status.observed_generation == token.metadata.generation;
    if noticed.is_none() && (!looked || claims(ledger).into_iter().any(leaked)) {
        return Progress::Unnoticed;
    }
    let (living, by_hand) = living(ledger, leaked);
    let asks = condition(token, ConditionType::RevocationPending).filter(|asks| asks.reason == Reason::RevokeByHand);
    let lost = ledger.possibly_lost.iter().filter(|lost| leaked(Some(lost.claimed_time)));
    let lost = lost.map(|lost| format!("a token of {} (attempt {}) at the service", lost.claimed_time, lost.attempt));
    let lost: Vec<String> = lost.collect();
    // First what the operator does itself.
    match (living.is_empty(), asks) {
        (false, _) => Progress::Living([living, by_hand, lost].concat().join("; ")),
        (true, Some(asks)) if !by_hand.is_empty() => {
            Progress::Yours(format!("waits for you: {}", plain(&asks.message)))
        }
        (true, None) if !by_hand.is_empty() => Progress::Living([by_hand, lost].concat().join("; ")),
        _ if !lost.is_empty() => {
            Progress::Yours(format!("look for {}, and revoke it: it may still live", lost.join("; ")))
        }
        _ => Progress::Dead,
    }
}

/// What may live: what the operator ends, and what only a person can.
fn living(ledger: &Ledger, leaked: impl Fn(Option<Time>) -> bool) -> (Vec<String>, Vec<String>) {
    let current = ledger.current.iter().filter(|current| leaked(Some(current.claimed_time)));
    let current = current.map(|one| (one.hand_over.is_some(), format!("attempt {} (id {})", one.attempt, one.id)));
    let superseded = ledger.superseded.iter().filter(|old| leaked(old.claimed_time)).map(|old| {
        let Superseded { attempt, id, failure, revoke_after_time, .. } = old;
        let line = match old.claimed_time {
            Some(_) => format!("attempt {attempt} (id {id}) {failure}").trim_end().to_owned(),
            // The operator cannot know that it leaked, either.
            None => {
                format!("attempt {attempt} (id {id}), of an unknown time, which is revoked after {revoke_after_time}")
            }
        };
        (old.handed_over, line)
    });
    let open = ledger.claim.iter().filter(|claim| claim.outcome.is_none() && leaked(Some(claim.time)));
    let open = open.map(|claim| (false, format!("attempt {}, which is on its way", claim.attempt)));
    let lost = ledger.lost.iter().filter(|lost| leaked(Some(lost.time))).map(|lost| {
        (false, format!("attempt {}, whose answer was lost and whose token the operator looks for", lost.attempt))
    });
    let all = current.chain(superseded).chain(open).chain(lost).map(|(by_hand, line)| (by_hand, plain(&line)));
    let (yours, ours): (Vec<_>, Vec<_>) = all.partition(|(by_hand, _)| *by_hand);
    let lines = |all: Vec<(bool, String)>| all.into_iter().map(|(_, line)| line).collect();
    (lines(ours), lines(yours))
}

/// What the Secret has now, if all is done that will be.
pub fn replaced(token: &ArtifactToken) -> Option<String> {
    if let Some(due) = condition(token, ConditionType::HandOverDue) {
        return Some(format!("revoked; a new token waits for you: {}", plain(&due.message)));
    }
    let status = token.status.as_ref()?;
    if let Some(suspended) = status.conditions.iter().find(|condition| condition.reason == Reason::Suspended) {
        return Some(format!("revoked, and not replaced: {}", plain(&suspended.message)));
    }
    let current = status.ledger.current.as_ref().filter(|_| is_ready(token));
    let secret = &token.spec.secret.name;
    current.map(|current| format!("revoked and replaced: attempt {} is in the Secret {secret}", current.attempt))
}

/// How the tokens of an object were seen dead, collected while it is looked at: the history keeps only the last ones.
#[derive(Debug)]
pub struct Deaths {
    /// Each token that lived before.
    owed: Vec<(u32, String)>,
    /// The attempt that was on its way then.
    open: Option<u32>,
    proofs: BTreeMap<(u32, String), Proof>,
}

impl Deaths {
    /// Of what the object has before the leak is answered.
    pub fn of(token: &ArtifactToken) -> Self {
        let ledger = token.status.as_ref().map(|status| &status.ledger);
        let current = ledger.iter().flat_map(|ledger| &ledger.current).map(|one| (one.attempt, one.id.to_string()));
        let superseded =
            ledger.iter().flat_map(|ledger| &ledger.superseded).map(|one| (one.attempt, one.id.to_string()));
        let open = ledger.and_then(|ledger| ledger.claim.as_ref()).filter(|claim| claim.outcome.is_none());
        let (owed, open) = (current.chain(superseded).collect(), open.map(|claim| claim.attempt));
        Self { owed, open, proofs: BTreeMap::new() }
    }

    pub fn see(&mut self, token: &ArtifactToken) {
        let history = token.status.iter().flat_map(|status| &status.ledger.history);
        self.proofs.extend(history.map(|dead| ((dead.attempt, dead.id.to_string()), dead.proof)));
    }

    /// One line for each, once none from before the leak may live.
    pub fn lines(&self, token: &ArtifactToken) -> Vec<String> {
        let Some(ledger) = token.status.as_ref().map(|status| &status.ledger) else { return Vec::new() };
        let lives = |attempt: u32, id: &str| {
            let current = ledger.current.iter().map(|current| (current.attempt, current.id.as_str()));
            let mut all = current.chain(ledger.superseded.iter().map(|old| (old.attempt, old.id.as_str())));
            all.any(|found| found == (attempt, id))
        };
        let mut lines = Vec::new();
        for (attempt, id) in self.owed.iter().filter(|(attempt, id)| !lives(*attempt, id)) {
            let how = match self.proofs.get(&(*attempt, id.clone())) {
                Some(Proof::Refused) => "is dead: the service refuses it",
                Some(Proof::Unlisted) => "is dead: the service lists it no more",
                Some(Proof::Answered) => "counts as dead: the service said so, and nobody could see it; look there",
                None => "has left the ledger, and its proof is not kept any more",
            };
            lines.push(plain(&format!("attempt {attempt} (id {id}) {how}")));
        }
        let failed = ledger.claim.as_ref().filter(|claim| Some(claim.attempt) == self.open);
        if failed.is_some_and(|claim| claim.outcome == Some(Outcome::Failed)) {
            lines
                .push(format!("attempt {} was on its way, and no token of it is known", self.open.unwrap_or_default()));
        }
        lines
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
