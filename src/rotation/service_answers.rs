//! What a service said about its tokens lately: does it refuse one token, or everybody (P20)? Pure: time is a parameter.
//!
//! A service whose directory is away refuses good tokens. So does another account, or another service behind the same address, once
//! the operator's own credential changed. Such refusals say something about the service, and must not replace every token.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::time::Time;

use super::observed::Others;

/// How many answers are enough to tell a service that refuses one token from one that refuses everybody.
const ENOUGH: usize = 10;

/// The service's last answer about the token of each object. No answer costs more the more objects there are.
#[derive(Debug, Default)]
pub struct Answers {
    last: HashMap<String, Answer>,
    /// The answers in their order. One that is no longer the last of its object stays until it is too old.
    order: VecDeque<(Time, String)>,
    /// How many of the last answers are refusals of tokens that have not expired.
    refused: usize,
    /// How many are refusals of tokens that have.
    expired: usize,
    /// The newest answer, and the newest acceptance.
    answered: Newest,
    accepted: Newest,
    /// The first refusal after which nothing was accepted, and about how many objects the service was asked since.
    unanswered: Option<(Time, usize)>,
    /// The objects whose tokens were refused in a time that is over, and when. They are asked again.
    again: HashMap<String, Time>,
    refusing: bool,
    /// When the service last ended to refuse most tokens.
    ended: Option<Time>,
    review: Option<Review>,
}

#[derive(Clone, Debug)]
struct Answer {
    token: TokenId,
    accepted: bool,
    /// A refusal of a token that has expired.
    expired: bool,
    at: Time,
}

/// The newest answers about two objects: for each object, one of them is about another one.
#[derive(Debug, Default)]
struct Newest([Option<(Time, String)>; 2]);

/// The operator's credential changed: every token is asked about once, with the new one in place.
#[derive(Debug)]
struct Review {
    revision: String,
    begun: Time,
    /// About how many objects the service was asked since.
    asked: usize,
    over: bool,
}

/// The service's answer about one token.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The uid of the object that holds the token.
    pub uid: &'a str,
    /// The token.
    pub token: &'a TokenId,
    /// Whether the service accepted it.
    pub accepted: bool,
    /// It has expired, as far as its object knows. A service that works refuses it then, so that says nothing of others.
    pub expired: bool,
    /// When.
    pub at: Time,
}

/// What the service object says of the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is wrong.
    #[default]
    Good,
    /// The operator's credential changed, and not all tokens were asked about since.
    UnderReview,
    /// It refuses most tokens.
    Refusing {
        /// Since the operator's credential changed: it may be another place or another account.
        other_credential: bool,
    },
}

/// What an answer changes for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The service began or ended to refuse most tokens.
    pub standing: bool,
    /// Other tokens are to be asked about.
    pub compares: bool,
}

impl Newest {
    fn take(&mut self, uid: &str, at: Time) {
        let [first, second] = &mut self.0;
        if first.as_ref().is_some_and(|(_, known)| known != uid) {
            *second = first.take();
        }
        *first = Some((at, uid.to_owned()));
    }

    fn of_others(&self, uid: &str) -> Option<Time> {
        self.0.iter().flatten().find(|(_, known)| known != uid).map(|(at, _)| *at)
    }
}

impl Answers {
    /// Takes an answer. An answer older than `window` no longer counts, unless the service refuses most tokens.
    pub fn take(&mut self, said: Said<'_>, window: Duration) -> Effect {
        let before = self.refusing;
        self.drop_old(said.at, window);
        let Said { uid, token, accepted, expired, at } = said;
        let old = self.last.get(uid).map(|old| (!old.accepted && old.token == *token, old.at));
        if accepted && self.refusing && old.is_some_and(|(refused, _)| refused) {
            self.forgive();
        }
        let asked = old.map(|(_, at)| at);
        if let Some(review) = self.review.as_mut().filter(|review| asked.is_none_or(|asked| asked < review.begun)) {
            review.asked += 1;
        }
        let compares = (accepted || !expired) && self.compare(asked, accepted, at);
        self.again.remove(uid);
        self.enter(said);
        self.judge(at);
        Effect { standing: before != self.refusing, compares }
    }

    fn enter(&mut self, Said { uid, token, accepted, expired, at }: Said<'_>) {
        let expired = expired && !accepted;
        self.remove(uid);
        self.last.insert(uid.to_owned(), Answer { token: token.clone(), accepted, expired, at });
        self.order.push_back((at, uid.to_owned()));
        // While the service refuses most tokens no answer is dropped for its age.
        if self.order.len() > 2 * self.last.len() + 16 {
            let last = &self.last;
            self.order.retain(|(at, uid)| last.get(uid).is_some_and(|last| last.at == *at));
        }
        self.refused += usize::from(!accepted && !expired);
        self.expired += usize::from(expired);
        if !expired {
            self.answered.take(uid, at);
        }
        if accepted {
            self.accepted.take(uid, at);
        }
    }

    /// Whether a refusal begins that only other tokens can explain.
    fn compare(&mut self, asked: Option<Time>, accepted: bool, at: Time) -> bool {
        match &mut self.unanswered {
            _ if accepted => self.unanswered = None,
            Some((since, count)) => *count += usize::from(asked.is_none_or(|asked| asked < *since)),
            None => {
                self.unanswered = Some((at, 1));
                return true;
            }
        }
        false
    }

    fn remove(&mut self, uid: &str) {
        if let Some(old) = self.last.remove(uid) {
            self.refused -= usize::from(!old.accepted && !old.expired);
            self.expired -= usize::from(old.expired);
        }
    }

    fn drop_old(&mut self, now: Time, window: Duration) {
        while let Some((at, uid)) = self.order.front().cloned() {
            let last = self.last.get(&uid).is_some_and(|last| last.at == at);
            if last && (self.refusing || now.since(at) < window) {
                return;
            }
            self.order.pop_front();
            if last {
                self.remove(&uid);
            }
        }
    }

    /// The object is gone. Returns whether that changes the standing of the service.
    pub fn forget(&mut self, uid: &str, now: Time) -> bool {
        let before = self.refusing;
        self.again.remove(uid);
        self.remove(uid);
        self.judge(now);
        before != self.refusing
    }

    /// The service accepts a token again that it refused with most others: what it said meanwhile does not count.
    fn forgive(&mut self) {
        let refused =
            self.last.extract_if(|_, answer| !answer.accepted && !answer.expired).map(|(uid, answer)| (uid, answer.at));
        self.again.extend(refused);
        self.refused = 0;
    }

    /// Two tokens or more, and more than half of those that were asked about.
    fn judge(&mut self, now: Time) {
        let refusing = self.refused >= 2 && self.refused * 2 > self.last.len() - self.expired;
        if self.refusing && !refusing {
            self.ended = Some(now);
        }
        self.refusing = refusing;
    }

    /// Whether the service refuses most tokens. Then no refusal says anything about a token.
    pub fn refusing(&self) -> bool {
        self.refusing
    }

    /// What the answers say of the service.
    pub fn standing(&self) -> Standing {
        match (self.refusing, self.open_review().is_some()) {
            (true, other_credential) => Standing::Refusing { other_credential },
            (false, true) => Standing::UnderReview,
            (false, false) => Standing::Good,
        }
    }

    /// What it said about the tokens of other objects.
    pub fn others(&self, uid: &str) -> Others {
        let (answered, accepted) = (self.answered.of_others(uid), self.accepted.of_others(uid));
        let accepts_own = self.last.get(uid).is_some_and(|answer| answer.accepted);
        // With another account's credential the next token would come from there.
        let accepts_own = accepts_own && self.open_review().is_none();
        Others { answered, accepted, forgiven: self.ended, accepts_own }
    }

    /// Whether the token of this object must be asked about now, although it is not due. One that was asked about less than `pause` ago
    /// is asked for others only in its own time: else refusals and acceptances that alternate would ask without end.
    pub fn awaits(&self, uid: &str, pause: Duration, now: Time) -> bool {
        let asked = self.last.get(uid).map(|answer| answer.at);
        let before = |since: Time| asked.is_none_or(|asked| asked < since);
        let rested = |asked: Time| now.since(asked) >= pause;
        let compared = self.unanswered.is_some_and(|(since, count)| count < ENOUGH && before(since));
        let again = self.again.get(uid).copied();
        (compared && asked.is_none_or(rested)) || self.open_review().is_some_and(before) || again.is_some_and(rested)
    }

    /// Begins a review: the operator's credential changed to this revision.
    pub fn review(&mut self, revision: &str, now: Time) {
        if self.review.as_ref().is_none_or(|review| review.revision != revision) {
            self.review = Some(Review { revision: revision.to_owned(), begun: now, asked: 0, over: false });
        }
    }

    /// Ends the review once the tokens of all `holders` were asked about, or after `window`: one may be suspended.
    pub fn settle(&mut self, holders: impl FnOnce() -> usize, window: Duration, now: Time) {
        let refusing = self.refusing;
        if let Some(review) = self.review.as_mut().filter(|review| !review.over && !refusing) {
            review.over = now.since(review.begun) >= window || review.asked >= holders();
        }
    }

    /// When the review began that goes on.
    pub fn open_review(&self) -> Option<Time> {
        self.review.as_ref().filter(|review| !review.over).map(|review| review.begun)
    }
}

#[cfg(test)]
mod tests;
