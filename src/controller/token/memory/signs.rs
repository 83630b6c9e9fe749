//! What the service said of a token that is to die, and that proves nothing yet.

use crate::api::time::Time;
use crate::service::client::answers::RevokeAnswer;

/// What the service answered to a revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub answer: RevokeAnswer,
    /// The version of the credential that heard it.
    pub revision: String,
}

/// Each sign with the time when this process saw it first. All of them are void once the service accepts the token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signs {
    /// The service refuses its value.
    pub refused: Option<Time>,
    /// A list does not have it, and *verify* says nothing.
    pub unlisted: Option<Time>,
    /// What the service answered to a revoke, after which nothing showed more.
    pub ended: Option<(Time, Word)>,
}

impl Signs {
    /// Those from a time until `now`. A later one was stamped by a clock that was set back since, and would hold up a death until then.
    pub(crate) fn until(self, now: Time) -> Self {
        let Self { refused, unlisted, ended } = self;
        let past = |time: &Time| *time <= now;
        Self {
            refused: refused.filter(past),
            unlisted: unlisted.filter(past),
            // A new one would need another revoke.
            ended: ended.map(|(at, word)| (at.min(now), word)),
        }
    }

    /// Adds what was seen now. A word counts from when this version of the credential heard one first, and the last one is what was said.
    pub(crate) fn add(&mut self, refused: bool, unlisted: bool, ended: Option<Word>, now: Time) {
        *self = std::mem::take(self).until(now);
        self.refused = self.refused.or(refused.then_some(now));
        self.unlisted = self.unlisted.or(unlisted.then_some(now));
        let Some(word) = ended else { return };
        let known = self.ended.take().filter(|(_, known)| known.revision == word.revision);
        self.ended = Some((known.map_or(now, |(since, _)| since), word));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_word_counts_from_when_it_was_heard_first_with_this_credential() {
        let at = |seconds: u64| Time::from_millis(0).plus(Duration::from_secs(seconds));
        let word = |revision: &str| Word { answer: RevokeAnswer::Gone, revision: revision.to_owned() };
        let mut signs = Signs::default();
        signs.add(true, false, Some(word("a")), at(10));
        signs.add(true, false, Some(word("a")), at(20));
        assert_eq!((signs.refused, signs.ended.clone()), (Some(at(10)), Some((at(10), word("a")))));
        signs.add(true, false, None, at(30));
        assert_eq!(signs.ended, Some((at(10), word("a"))));
        let better = Word { answer: RevokeAnswer::Success, ..word("a") };
        signs.add(true, false, Some(better.clone()), at(35));
        assert_eq!(signs.ended, Some((at(10), better)));
        signs.add(true, false, Some(word("b")), at(40));
        assert_eq!((signs.refused, signs.ended), (Some(at(10)), Some((at(40), word("b")))));
    }

    #[test]
    fn a_sign_that_lies_ahead_holds_up_no_death() {
        let at = |seconds: u64| Time::from_millis(0).plus(Duration::from_secs(seconds));
        let word = Word { answer: RevokeAnswer::Success, revision: String::new() };
        let signs = Signs { refused: Some(at(100)), unlisted: Some(at(5)), ended: Some((at(100), word.clone())) };
        let signs = signs.until(at(10));
        assert_eq!((signs.refused, signs.unlisted, signs.ended), (None, Some(at(5)), Some((at(10), word))));
    }
}
