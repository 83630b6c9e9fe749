//! After the operator's own credential changed: do the tokens of the service still work (P20)? Pure: time is a parameter.
//!
//! Another account, or another service behind the same address, refuses them all. Such a refusal says something about the service, and
//! must not replace every token. So the operator acts on no refusal until this review has an answer.

use std::collections::HashSet;
use std::time::Duration;

use crate::api::time::Time;

/// After this time the review stops waiting for objects that have not answered: one may be suspended, or its Secret gone.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The result of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Most tokens work: the service's refusals count.
    Trusted,
    /// The service refuses most of them.
    Doubtful,
}

/// What the service said about its tokens since the operator's credential changed.
#[derive(Debug)]
pub struct Review {
    /// The revision of the credential.
    pub revision: String,
    /// The result, once enough objects have answered.
    pub judgement: Option<Judgement>,
    begun: Time,
    accepted: HashSet<String>,
    refused: HashSet<String>,
}

impl Review {
    /// Starts a review of the tokens under this credential.
    pub fn begin(revision: String, now: Time) -> Self {
        Self { revision, judgement: None, begun: now, accepted: HashSet::new(), refused: HashSet::new() }
    }

    /// Whether this object must ask about its token: for the first time, or again because a refusal counts now.
    pub fn awaits(&self, uid: &str) -> bool {
        match self.judgement {
            None => !self.accepted.contains(uid) && !self.refused.contains(uid),
            Some(Judgement::Trusted) => self.refused.contains(uid),
            Some(Judgement::Doubtful) => false,
        }
    }

    /// Takes the service's answer about the token of this object, one of `objects`. Returns the judgement if this answer decides it.
    pub fn answer(&mut self, uid: &str, accepted: bool, objects: usize, now: Time) -> Option<Judgement> {
        let (is, is_not) =
            if accepted { (&mut self.accepted, &mut self.refused) } else { (&mut self.refused, &mut self.accepted) };
        is.insert(uid.to_owned());
        is_not.remove(uid);
        if self.accepted.len() + self.refused.len() >= objects { self.judge() } else { self.settle(now) }
    }

    /// Returns the judgement if time decides it.
    pub fn settle(&mut self, now: Time) -> Option<Judgement> {
        if now.since(self.begun) >= MAX_AGE { self.judge() } else { None }
    }

    /// The majority of the answers decides; a single refusal is not enough.
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
    fn the_majority_decides_and_a_single_refusal_is_not_enough() {
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
    fn a_review_does_not_wait_for_ever_for_objects_that_do_not_answer() {
        let mut review = Review::begin(String::new(), NOW);
        review.answer("a", false, 3, NOW);
        review.answer("b", false, 3, NOW);
        assert_eq!(review.settle(NOW.plus(MAX_AGE / 2)), None);
        assert_eq!(review.settle(NOW.plus(MAX_AGE)), Some(Judgement::Doubtful));
        assert_eq!(review.settle(NOW.plus(MAX_AGE)), None, "a judgement is returned once");
    }

    #[test]
    fn a_refused_object_is_asked_again_when_the_others_work() {
        let mut review = Review::begin(String::new(), NOW);
        review.answer("a", false, 2, NOW);
        assert!(!review.awaits("a") && review.awaits("b"));
        review.answer("b", true, 2, NOW);
        assert!(review.awaits("a") && !review.awaits("b"));
        review.answer("a", true, 2, NOW);
        assert!(!review.awaits("a"));
    }
}
