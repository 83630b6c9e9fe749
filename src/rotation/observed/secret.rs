//! The Secrets that must hold the token.

use crate::api::ids::TokenId;
use crate::rotation::desired::Halt;

/// The Secrets as seen. An `ArtifactToken` has one; a later kind may have many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Each of them.
    pub seen: Vec<Seen>,
}

/// One Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether this pass read it from the API server, and after the list if there was one. Otherwise the state is what the ledger and
    /// the watch remember.
    pub live: bool,
    /// What this pass knows about it.
    pub state: SecretState,
}

/// What exists under the Secret's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretState {
    /// Nothing.
    #[default]
    Absent,
    /// A Secret that is not ours, and whose it seems to be.
    Foreign(Halt),
    /// A Secret of this object that cannot be written: it is immutable, or has another type. It is deleted with its object all the same.
    Unwritable(Halt),
    /// The Secret of an object of the same name that is gone. The next publish writes over it (P22).
    Former(Former),
    /// Our Secret.
    Ours(Ours),
}

/// A Secret that a deleted object of the same name left behind. Its other marks mean nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// The id that stands on it: the sweep of the service spares it while consumers may hold that token.
    pub id: Option<TokenId>,
    /// A hash of data and marks: P4 compares it.
    pub content_hash: u64,
}

/// A Secret of this object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// The attempt that generated its token; 0 for a placeholder.
    pub attempt: u32,
    /// The token's id.
    pub id: Option<TokenId>,
    /// max(attempt, annotation `fence`).
    pub fence: u32,
    /// Whether a token can be read from it.
    pub content: Content,
    /// Whether it has the form that the spec asks for.
    pub rendered: bool,
    /// A hash of data, attempt, id, superseded, fence and owner: P4 compares it.
    pub content_hash: u64,
}

/// What a Secret holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// No token.
    #[default]
    Empty,
    /// The token that its annotations name, as far as this process can tell.
    Token,
    /// Something else: somebody edited it by hand.
    Edited,
}

impl Secrets {
    /// The only Secret.
    pub fn one(live: bool, state: SecretState) -> Self {
        Self { seen: vec![Seen { live, state }] }
    }

    /// Whether this pass read every Secret live.
    pub fn live(&self) -> bool {
        self.seen.iter().all(|seen| seen.live)
    }

    /// Our Secrets.
    pub fn ours(&self) -> impl Iterator<Item = &Ours> {
        self.seen.iter().filter_map(|seen| match &seen.state {
            SecretState::Ours(ours) => Some(ours),
            SecretState::Absent | SecretState::Foreign(_) | SecretState::Unwritable(_) | SecretState::Former(_) => None,
        })
    }

    /// Whether some Secret is this object's, whether or not it can be written.
    pub fn own(&self) -> bool {
        self.seen.iter().any(|seen| matches!(seen.state, SecretState::Ours(_) | SecretState::Unwritable(_)))
    }

    /// The id on a Secret that a deleted object of the same name left behind.
    pub fn former_id(&self) -> Option<&TokenId> {
        self.seen.iter().find_map(|seen| match &seen.state {
            SecretState::Former(former) => former.id.as_ref(),
            SecretState::Absent | SecretState::Foreign(_) | SecretState::Unwritable(_) | SecretState::Ours(_) => None,
        })
    }

    /// Whether consumers may hold a value of some Secret that the next publish replaces: a token, what somebody else wrote, or whatever a
    /// former object left, since anybody can take marks off.
    pub fn hold_a_value(&self) -> bool {
        let former = self.seen.iter().any(|seen| matches!(seen.state, SecretState::Former(_)));
        former || self.ours().any(|ours| ours.content != Content::Empty)
    }

    /// Whether every Secret exists, is ours and satisfies `check`.
    pub fn all_ours(&self, check: impl Fn(&Ours) -> bool) -> bool {
        !self.seen.is_empty()
            && self.seen.iter().all(|seen| match &seen.state {
                SecretState::Ours(ours) => check(ours),
                SecretState::Absent | SecretState::Foreign(_) | SecretState::Unwritable(_) | SecretState::Former(_) => {
                    false
                }
            })
    }

    /// Whether some Secret holds something under this id.
    pub fn hold(&self, id: &TokenId) -> bool {
        self.ours().any(|ours| ours.content != Content::Empty && ours.id.as_ref() == Some(id))
    }

    /// Whether some Secret has the mark of this id, whatever else it holds.
    pub fn have_mark_of(&self, id: &TokenId) -> bool {
        self.ours().any(|ours| ours.id.as_ref() == Some(id))
    }

    /// Whether some Secret is absent.
    pub fn any_absent(&self) -> bool {
        self.seen.iter().any(|seen| seen.state == SecretState::Absent)
    }

    /// Why some Secret cannot be written; `None` if each can.
    pub fn unwritable(&self) -> Option<&Halt> {
        self.seen.iter().find_map(|seen| match &seen.state {
            SecretState::Foreign(halt) | SecretState::Unwritable(halt) => Some(halt),
            SecretState::Absent | SecretState::Former(_) | SecretState::Ours(_) => None,
        })
    }

    /// The fence: the lowest of all Secrets. An absent Secret fences nothing off.
    pub fn fence(&self) -> u32 {
        let fence = |seen: &Seen| match &seen.state {
            SecretState::Ours(ours) => ours.fence,
            SecretState::Absent | SecretState::Foreign(_) | SecretState::Unwritable(_) | SecretState::Former(_) => 0,
        };
        self.seen.iter().map(fence).min().unwrap_or(0)
    }

    /// Whether every Secret holds this token.
    pub fn published(&self, attempt: u32, id: &TokenId) -> bool {
        self.all_ours(|ours| ours.content == Content::Token && ours.attempt == attempt && ours.id.as_ref() == Some(id))
    }

    /// The content hashes that a publish expects if its value is claimed now.
    pub fn expected(&self) -> Vec<Option<u64>> {
        let content_hash = |seen: &Seen| match &seen.state {
            SecretState::Ours(ours) => Some(ours.content_hash),
            SecretState::Former(former) => Some(former.content_hash),
            SecretState::Absent | SecretState::Foreign(_) | SecretState::Unwritable(_) => None,
        };
        self.seen.iter().map(content_hash).collect()
    }
}
