//! The service, and what it says about this object's tokens.

use crate::api::ids::{ClaimKey, Nonce, TokenId};
use crate::api::time::Time;

/// The service as seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// What it can do now; `None` if the operator cannot call it at all.
    pub seen: Option<ServiceSeen>,
    /// Its list, if this pass read it: the rows with the uid of this object.
    pub listing: Option<Vec<Row>>,
    /// Whether that list shows a token of ours that is not the current one of this object.
    pub lists_others: bool,
    /// When this process last saw a complete list for this object.
    pub swept: Option<Time>,
    /// The sweep of the whole service saw a token of this object that is not in its ledger.
    pub suspected: bool,
    /// What it said about the tokens of other objects.
    pub others: Others,
}

/// What the service said lately about the tokens of other objects. It shows what a refusal of one token is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Others {
    /// The newest answer about one of them.
    pub answered: Option<Time>,
    /// The newest time at which it accepted one of them.
    pub accepted: Option<Time>,
    /// The end of the last time in which it refused most tokens. What it said before does not count.
    pub forgiven: Option<Time>,
    /// While it refuses most tokens, its newest answer about this object's own is that it accepts it.
    pub accepts_own: bool,
}

/// A token that the service lists under one of our names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Its id.
    pub id: TokenId,
    /// The attempt in its name.
    pub attempt: u32,
    /// The nonce in its name.
    pub nonce: Nonce,
    /// When it was created, as the service says.
    pub created: Option<Time>,
    /// When it expires.
    pub expiration: Option<Time>,
}

/// What the service can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceSeen {
    /// It can list tokens by name, so that the operator can tell a lost token from a stranger's.
    pub attributable: bool,
    /// It has the same origin as when the ledger's tokens were generated, so their ids are valid there.
    pub same_origin: bool,
    /// The operator may act on its refusals. That is not so while it refuses most tokens: then it may be another place or another
    /// account, or a part of it is away (P20).
    pub trusted: bool,
    /// It has no operation to generate a token, so a person makes each one and hands it over.
    pub by_hand: bool,
}

/// What the service says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The token works.
    Accepted,
    /// The token does not work.
    Refused,
}

impl Row {
    /// The row of this token. The service says no times.
    pub fn new(id: TokenId, attempt: u32, nonce: Nonce) -> Self {
        Self { id, attempt, nonce, created: None, expiration: None }
    }

    /// What tells its claim from all others of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
}

impl Service {
    /// Whether the operator can call it, and its origin is that of the ledger's tokens.
    pub fn same_place(&self) -> bool {
        self.seen.is_some_and(|seen| seen.same_origin)
    }

    /// Whether a person makes its tokens.
    pub fn is_by_hand(&self) -> bool {
        self.seen.is_some_and(|seen| seen.by_hand)
    }

    /// Whether the operator may act on its refusals.
    pub fn trusted(&self) -> bool {
        self.seen.is_some_and(|seen| seen.trusted)
    }

    /// Whether it can list our tokens by name, and its origin is that of the ledger's tokens.
    pub fn attributable(&self) -> bool {
        self.seen.is_some_and(|seen| seen.attributable && seen.same_origin)
    }

    /// The listed rows with this object's uid.
    pub fn own_rows(&self) -> impl Iterator<Item = &Row> {
        self.listing.iter().flatten()
    }
}
