//! What an ArtifactToken says of a leak: which tokens from before it may still live, and how the others were seen dead. Pure.
//!
//! **Invariant:** nothing is called dead that may live. Unknown is never "dead".

use std::collections::BTreeMap;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::{Ledger, Outcome, Proof};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;

use crate::target::Kind;
use crate::wait::{condition, is_ready, plain};

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
    if let Some(lost) = ledger.possibly_lost.iter().find(|lost| leaked(Some(lost.claimed_time))) {
        let (attempt, time) = (lost.attempt, lost.claimed_time);
        return Progress::Yours(format!(
            "may still live: look at the service for a token of {time} (attempt {attempt}), and revoke it"
        ));
    }
    let living = living(ledger, leaked);
    let by_hand = ledger.superseded.iter().any(|old| old.handed_over && leaked(old.claimed_time))
        || ledger
            .current
            .as_ref()
            .is_some_and(|current| current.hand_over.is_some() && leaked(Some(current.claimed_time)));
    let asks = condition(token, ConditionType::RevocationPending).filter(|asks| asks.reason == Reason::RevokeByHand);
    match (living.is_empty(), asks) {
        (true, _) => Progress::Dead,
        (false, Some(asks)) if by_hand => Progress::Yours(format!("waits for you: {}", plain(&asks.message))),
        (false, _) => Progress::Living(living.join("; ")),
    }
}

fn living(ledger: &Ledger, leaked: impl Fn(Option<Time>) -> bool) -> Vec<String> {
    let current = ledger.current.iter().filter(|current| leaked(Some(current.claimed_time)));
    let current = current.map(|current| format!("attempt {} (id {})", current.attempt, current.id));
    let superseded =
        ledger.superseded.iter().filter(|old| leaked(old.claimed_time)).map(|old| match old.claimed_time {
            Some(_) => format!("attempt {} (id {}) {}", old.attempt, old.id, old.failure).trim_end().to_owned(),
            // The operator cannot know that it leaked, either.
            None => format!(
                "attempt {} (id {}), of an unknown time, which is revoked after {}",
                old.attempt, old.id, old.revoke_after_time
            ),
        });
    let open = ledger.claim.iter().filter(|claim| claim.outcome.is_none() && leaked(Some(claim.time)));
    let open = open.map(|claim| format!("attempt {}, which is on its way", claim.attempt));
    let lost = ledger.lost.iter().filter(|lost| leaked(Some(lost.time)));
    let lost = lost
        .map(|lost| format!("attempt {}, whose answer was lost and whose token the operator looks for", lost.attempt));
    current.chain(superseded).chain(open).chain(lost).map(|line| plain(&line)).collect()
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
#[derive(Debug, Default)]
pub struct Deaths {
    /// Each token that lived when the first look was.
    owed: Option<Vec<(u32, String)>>,
    /// Each attempt that was on its way then.
    open: Option<u32>,
    proofs: BTreeMap<(u32, String), Proof>,
}

impl Deaths {
    pub fn see(&mut self, token: &ArtifactToken) {
        let Some(ledger) = token.status.as_ref().map(|status| &status.ledger) else { return };
        if self.owed.is_none() {
            let current = ledger.current.iter().map(|current| (current.attempt, current.id.to_string()));
            let superseded = ledger.superseded.iter().map(|old| (old.attempt, old.id.to_string()));
            self.owed = Some(current.chain(superseded).collect());
            self.open = ledger.claim.as_ref().filter(|claim| claim.outcome.is_none()).map(|claim| claim.attempt);
        }
        self.proofs.extend(ledger.history.iter().map(|dead| ((dead.attempt, dead.id.to_string()), dead.proof)));
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
        for (attempt, id) in self.owed.iter().flatten().filter(|(attempt, id)| !lives(*attempt, id)) {
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
