//! After the operator's own credential changed: do the tokens of the service still work (P20)? Pure: time comes in.
//!
//! Another account, or another place behind the same address, refuses them all. That is the service's state, and no reason to make
//! every token anew; so while it is not known, no refusal is acted upon.

use std::collections::HashSet;
use std::time::Duration;

use crate::api::time::Time;

/// Who did not answer within this time is not waited for: a token may be suspended, or its Secret gone.
const LONGEST: Duration = Duration::from_secs(600);

/// What a review came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Most tokens work: the refusals of the others count.
    Trusted,
    /// Most are refused.
    Doubtful,
}

/// What the tokens of one service were answered since its credential changed.
#[derive(Debug)]
pub struct Review {
    /// Of the credential.
    pub revision: String,
    /// What it came to, once enough have answered.
    pub judgement: Option<Judgement>,
    begun: Time,
    accepted: HashSet<String>,
    refused: HashSet<String>,
}

impl Review {
    /// Of the tokens under this credential.
    pub fn begin(revision: String, now: Time) -> Self {
        Self { revision, judgement: None, begun: now, accepted: HashSet::new(), refused: HashSet::new() }
    }

    /// Whether the token of this object is to be asked for: for the first time, or because its refusal counts now.
    pub fn awaits(&self, uid: &str) -> bool {
        match self.judgement {
            None => !self.accepted.contains(uid) && !self.refused.contains(uid),
            Some(Judgement::Trusted) => self.refused.contains(uid),
            Some(Judgement::Doubtful) => false,
        }
    }

    /// The token of this object, one of so many, was asked for. The judgement, if this answer brings it.
    pub fn answer(&mut self, uid: &str, accepted: bool, objects: usize, now: Time) -> Option<Judgement> {
        let (is, is_not) =
            if accepted { (&mut self.accepted, &mut self.refused) } else { (&mut self.refused, &mut self.accepted) };
        is.insert(uid.to_owned());
        is_not.remove(uid);
        if self.accepted.len() + self.refused.len() >= objects { self.judge() } else { self.settle(now) }
    }

    /// The judgement, if the time brings it.
    pub fn settle(&mut self, now: Time) -> Option<Judgement> {
        if now.since(self.begun) >= LONGEST { self.judge() } else { None }
    }

    /// By most of those who answered; one alone is no mass.
    fn judge(&mut self) -> Option<Judgement> {
        if self.judgement.is_some() {
            return None;
        }
        let (accepted, refused) = (self.accepted.len(), self.refused.len());
        let most = refused > accepted && refused > 1;
        self.judgement = Some(if most { Judgement::Doubtful } else { Judgement::Trusted });
        self.judgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    #[test]
    fn most_tokens_decide_and_one_alone_is_no_mass() {
        let judge = |accepted: &[&str], refused: &[&str], objects: usize| {
            let mut review = Review::begin(String::new(), NOW);
            accepted.iter().for_each(|uid| _ = review.answer(uid, true, objects, NOW));
            refused.iter().for_each(|uid| _ = review.answer(uid, false, objects, NOW));
            review.judgement
        };
        assert_eq!(judge(&["a"], &["b"], 3), None);
        assert_eq!(judge(&["a"], &["b", "c"], 3), Some(Judgement::Doubtful));
        assert_eq!(judge(&["a", "b"], &["c"], 3), Some(Judgement::Trusted));
        assert_eq!(judge(&[], &["a"], 1), Some(Judgement::Trusted));
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for_without_end() {
        let mut review = Review::begin(String::new(), NOW);
        review.answer("a", false, 3, NOW);
        review.answer("b", false, 3, NOW);
        assert_eq!(review.settle(NOW.plus(LONGEST / 2)), None);
        assert_eq!(review.settle(NOW.plus(LONGEST)), Some(Judgement::Doubtful));
        assert_eq!(review.settle(NOW.plus(LONGEST)), None, "told once");
    }

    #[test]
    fn who_was_refused_is_asked_again_when_the_others_work() {
        let mut review = Review::begin(String::new(), NOW);
        review.answer("a", false, 2, NOW);
        assert!(!review.awaits("a") && review.awaits("b"));
        review.answer("b", true, 2, NOW);
        assert!(review.awaits("a") && !review.awaits("b"));
        review.answer("a", true, 2, NOW);
        assert!(!review.awaits("a"));
    }
}
