//! After the operator's own credential changed: do the tokens of the service still work (P20)?
//!
//! Another account, or another place behind the same address, refuses them all. That is the service's state, and no reason to make
//! every token anew; so while it is not known, no refusal is acted upon.

use std::collections::HashSet;
use std::time::{Duration, Instant};

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
    begun: Instant,
    accepted: HashSet<String>,
    refused: HashSet<String>,
}

impl Review {
    /// Of the tokens under this credential.
    pub fn begin(revision: String) -> Self {
        let (accepted, refused) = Default::default();
        Self { revision, judgement: None, begun: Instant::now(), accepted, refused }
    }

    /// Whether the token of this object is to be asked for: for the first time, or because its refusal counts now.
    pub fn awaits(&self, uid: &str) -> bool {
        match self.judgement {
            None => !self.accepted.contains(uid) && !self.refused.contains(uid),
            Some(Judgement::Trusted) => self.refused.contains(uid),
            Some(Judgement::Doubtful) => false,
        }
    }

    /// The token of this object, one of so many, was asked for. The judgement, if this answer brings it; one alone is no mass.
    pub fn answer(&mut self, uid: &str, accepted: bool, objects: usize) -> Option<Judgement> {
        let (is, is_not) =
            if accepted { (&mut self.accepted, &mut self.refused) } else { (&mut self.refused, &mut self.accepted) };
        is.insert(uid.to_owned());
        is_not.remove(uid);
        let (accepted, refused) = (self.accepted.len(), self.refused.len());
        if self.judgement.is_some() || (accepted + refused < objects && self.begun.elapsed() < LONGEST) {
            return None;
        }
        let most = refused > accepted && refused > 1;
        self.judgement = Some(if most { Judgement::Doubtful } else { Judgement::Trusted });
        self.judgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_tokens_decide_and_one_alone_is_no_mass() {
        let judge = |accepted: &[&str], refused: &[&str], objects: usize| {
            let mut review = Review::begin(String::new());
            accepted.iter().for_each(|uid| _ = review.answer(uid, true, objects));
            refused.iter().for_each(|uid| _ = review.answer(uid, false, objects));
            review
        };
        assert_eq!(judge(&["a"], &["b"], 3).judgement, None);
        assert_eq!(judge(&["a"], &["b", "c"], 3).judgement, Some(Judgement::Doubtful));
        assert_eq!(judge(&["a", "b"], &["c"], 3).judgement, Some(Judgement::Trusted));
        assert_eq!(judge(&[], &["a"], 1).judgement, Some(Judgement::Trusted));
    }

    #[test]
    fn who_was_refused_is_asked_again_when_the_others_work() {
        let mut review = Review::begin(String::new());
        review.answer("a", false, 2);
        assert!(!review.awaits("a") && review.awaits("b"));
        review.answer("b", true, 2);
        assert!(review.awaits("a") && !review.awaits("b"));
        review.answer("a", true, 2);
        assert!(!review.awaits("a"));
    }
}
