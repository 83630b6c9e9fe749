//! What this process knows of tokens that a person hands over and revokes. All of it may get lost: then it is read or asked again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::ledger::{HandOver, Ledger};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::value_digest::ValueDigest;
use crate::rotation::hand_over::judge;
use crate::rotation::ledger::backoff;
use crate::rotation::observed::{Brought, Companion, Offer, OfferState};
use crate::secret::hand_over::HandedOver;

/// The longest pause between two questions about a token that a person must revoke, in pauses of the first length. A person who has revoked
/// it does not want to wait for an hour.
const MAX_PAUSES: u32 = 10;
/// So often at most people are told the same.
const TOLD_EACH: Duration = Duration::from_secs(3600);
/// So many refusals are remembered, so that each is told once.
const REFUSALS: usize = 8;

/// What this process knows of the hands of people.
#[derive(Debug, Default)]
pub(crate) struct ByHand {
    /// The Secret that hands over a token, in the version that was read last.
    pub read: Option<ReadOffer>,
    /// The Secret that keeps values, as it was read or written last; `None` if it was not read yet.
    pub companion: Option<Companion>,
    /// This process looked for a Secret that hands over a token, where these are not watched.
    pub looked: bool,
    refused: VecDeque<Refused>,
    told: BTreeMap<Reason, Time>,
    asked: BTreeMap<TokenId, Asked>,
}

/// A Secret that hands over a token, as it was read.
#[derive(Debug)]
pub(crate) struct ReadOffer {
    pub secret: HandOver,
    /// The ledger's living tokens at that time, with which its own was compared.
    pub living: Vec<TokenId>,
    /// `None` if it was not there any more.
    pub brought: Option<Brought>,
    pub value: Option<HandedOver>,
}

#[derive(Debug)]
struct Refused {
    uid: String,
    digest: Option<ValueDigest>,
}

#[derive(Debug)]
struct Asked {
    count: u32,
    next: Time,
}

impl ByHand {
    /// The Secret that the watch shows, with what is known of it. It is read again once its token has expired, or once this process has the
    /// value that it was not to be told from.
    pub(crate) fn offer(
        &self,
        shown: Option<HandOver>,
        ledger: &Ledger,
        has_value: impl Fn(&TokenId) -> bool,
        now: Time,
    ) -> Option<Offer> {
        let secret = shown?;
        let same = |read: &&ReadOffer| read.secret == secret && read.living == ledger.living();
        let fresh = |read: &&ReadOffer| {
            let expired = read.value.as_ref().and_then(|value| value.expiration).is_some_and(|end| end <= now);
            let unlike = matches!(&read.brought, Some(Brought::Token { like: Some(like), .. }) if has_value(like));
            !expired && !unlike
        };
        let state = match self.read.as_ref().filter(same).filter(fresh) {
            None => OfferState::Unread,
            Some(read) => judge(ledger, &secret, read.brought.as_ref()?),
        };
        Some(Offer { secret, state })
    }

    /// The value of the Secret of this version, and when it expires.
    pub(crate) fn value_of(&self, secret: &HandOver) -> Option<&HandedOver> {
        self.read.as_ref().filter(|read| read.secret == *secret)?.value.as_ref()
    }

    /// Remembers that this value of this Secret is refused. Whether that is new: it is told once.
    pub(crate) fn refuse(&mut self, uid: &str, digest: Option<ValueDigest>) -> bool {
        if self.refused.iter().any(|refused| refused.uid == uid && refused.digest == digest) {
            return false;
        }
        if self.refused.len() >= REFUSALS {
            self.refused.pop_front();
        }
        self.refused.push_back(Refused { uid: uid.to_owned(), digest });
        true
    }

    /// Whether people are told now that something of this kind is asked of them: once an hour at most, or once for each token. A condition may
    /// come and go with each attempt to take something up.
    pub(crate) fn tells(&mut self, asked: Reason, now: Time) -> bool {
        let before = self.told.get(&asked).filter(|told| **told <= now && **told > now.minus(TOLD_EACH));
        let tells = before.is_none();
        if tells {
            self.told.insert(asked, now);
        }
        tells
    }

    /// A token began or ended to work: what is asked for now is about another one.
    pub(crate) fn tell_anew(&mut self) {
        self.told.clear();
    }

    /// Notes that this token is not known to be dead. It is asked about later: at the end of this wait, if something needs a second look
    /// then; else after this first pause, and each time later, unless somebody waits for it.
    pub(crate) fn asked(&mut self, id: &TokenId, (first, often): (Duration, bool), wait: Duration, now: Time) {
        let count = self.asked.get(id).map_or(0, |asked| asked.count).saturating_add(1);
        let pause = match wait {
            Duration::ZERO if often => first,
            Duration::ZERO => backoff(first, count).min(first.saturating_mul(MAX_PAUSES)),
            wait => wait,
        };
        self.asked.insert(id.clone(), Asked { count, next: now.plus(pause) });
    }

    /// Asks about every token now: a person wants a fresh look.
    pub(crate) fn ask_now(&mut self) {
        self.asked.clear();
    }

    /// A Secret of somebody else in the place of the companion may be gone by now: nothing tells that.
    pub(crate) fn look_again(&mut self) {
        self.companion.take_if(|companion| matches!(companion, Companion::Foreign(_)));
    }

    /// When each token is asked about again.
    pub(crate) fn next_questions(&self) -> BTreeMap<TokenId, Time> {
        self.asked.iter().map(|(id, asked)| (id.clone(), asked.next)).collect()
    }

    /// Forgets tokens that are dead.
    pub(crate) fn retain(&mut self, lives: impl Fn(&TokenId) -> bool) {
        self.asked.retain(|id, _| lives(id));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::api::ids::samples::id;

    fn shown() -> HandOver {
        HandOver { uid: "u".to_owned(), resource_version: "7".to_owned() }
    }

    /// What a process knows that read a token in that Secret.
    fn read(like: Option<TokenId>, end: Option<Time>) -> ByHand {
        let brought = Some(Brought::Token { known_as: None, like });
        let value = Some(HandedOver { token: SecretString::from("value"), expiration: end, written: None });
        ByHand { read: Some(ReadOffer { secret: shown(), living: Vec::new(), brought, value }), ..ByHand::default() }
    }

    fn state(by_hand: &ByHand, has_value: bool, now: i64) -> OfferState {
        let ledger = Ledger::default();
        by_hand.offer(Some(shown()), &ledger, |_| has_value, Time::from_millis(now)).unwrap().state
    }

    #[test]
    fn a_token_that_has_expired_since_it_was_read_is_read_again() {
        let by_hand = read(None, Some(Time::from_millis(5000)));
        assert_eq!([4999, 5000].map(|now| state(&by_hand, false, now)), [OfferState::Ready, OfferState::Unread]);
    }

    #[test]
    fn a_token_is_compared_again_once_the_value_is_there_that_it_may_be() {
        let by_hand = read(Some(id("hand-over-1")), None);
        assert_eq!(state(&by_hand, true, 0), OfferState::Unread);
        assert_ne!(state(&by_hand, false, 0), OfferState::Unread);
    }
}
