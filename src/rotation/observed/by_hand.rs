//! What a person does by hand: tokens that are handed over in a Secret, and tokens that only a person can revoke.

use std::collections::BTreeMap;

use crate::api::ids::TokenId;
use crate::api::ledger::HandOver;
use crate::api::time::Time;
use crate::rotation::desired::Halt;

/// What a person does by hand, as seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// The Secret with which a person hands over a token; `None` if there is none.
    pub offer: Option<Offer>,
    /// The Secret that keeps the values of superseded tokens.
    pub companion: Companion,
    /// It was read in an earlier pass: another process may have kept something there since.
    pub companion_stale: bool,
    /// When each token that a person must revoke is asked about again.
    pub asked: BTreeMap<TokenId, Time>,
}

/// A Secret with which a person hands over a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The Secret, in the version that the watch shows.
    pub secret: HandOver,
    /// What this process knows of that version.
    pub state: OfferState,
}

/// What a process knows of a Secret with which a person hands over a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferState {
    /// It has not read this version yet.
    Unread,
    /// It may have a new token.
    Ready,
    /// Its token is the current one, and came from this very Secret.
    Taken,
    /// Its token is not taken up, and why.
    Refused(String),
}

/// What a Secret was read to have that is there to hand over a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A token, compared with the living ones of the ledger.
    Token {
        /// The one that it is, as far as this process knows their values.
        known_as: Option<TokenId>,
        /// One whose value this process does not know, and whose last letters are the same: it may be this one or another.
        like: Option<TokenId>,
    },
    /// Nothing that could be a token, and why.
    Nothing(String),
}

/// The Secret that keeps the values of superseded tokens which were handed over: the proof of their end needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Companion {
    /// This process has not read it yet.
    Unread,
    /// There is none, or none is needed.
    #[default]
    Absent,
    /// Its name is taken by a Secret of somebody else.
    Foreign(Halt),
    /// It keeps the values of these tokens.
    Ours(Vec<TokenId>),
}

impl ByHand {
    /// Whether a person hands over what may be a new token.
    pub fn offers(&self) -> bool {
        self.offer.as_ref().is_some_and(|offer| offer.state == OfferState::Ready)
    }

    /// The Secret of this version, if it is there.
    pub fn offer_of(&self, secret: &HandOver) -> Option<&Offer> {
        self.offer.as_ref().filter(|offer| offer.secret == *secret)
    }

    /// The ids of the tokens whose values are kept.
    pub fn kept(&self) -> &[TokenId] {
        match &self.companion {
            Companion::Ours(ids) => ids,
            Companion::Unread | Companion::Absent | Companion::Foreign(_) => &[],
        }
    }
}
