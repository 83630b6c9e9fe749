//! The Secrets that shall hold the token.

use crate::rotation::desired::Halt;

/// What was seen of the Secrets. There is one for an `ArtifactToken`; a later kind has many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Each of them.
    pub seen: Vec<Seen>,
}

/// One Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Read from the API server in this pass, and after the list if there was one. Else it is what the ledger and the
    /// watch remember.
    pub live: bool,
    /// What is there.
    pub state: SecretState,
}

/// What is there under the Secret's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretState {
    /// Nothing.
    #[default]
    Absent,
    /// A Secret that is not ours, or that we cannot write: why.
    Foreign(Halt),
    /// Ours, or a predecessor's.
    Ours(Ours),
}

/// A Secret of this object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// The attempt that generated what it holds; 0 for a shell and for a predecessor's.
    pub attempt: u32,
    /// The token's id.
    pub id: Option<String>,
    /// max(attempt, annotation `fence`).
    pub fence: u32,
    /// Whether a token can be read from it.
    pub content: Content,
    /// It is as this spec wants it rendered.
    pub rendered: bool,
    /// A digest of data, attempt, id, superseded, fence and owner: what P4 compares.
    pub essence: u64,
    /// The uid in the owner annotation, if it is that of an object of the same name which is no more (P22).
    pub predecessor: Option<String>,
}

/// What a Secret holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// No token.
    #[default]
    Empty,
    /// The token that its annotations name, as far as this process can tell.
    Token,
    /// Something else: it was edited by hand.
    Edited,
}

impl Secrets {
    /// The only Secret.
    pub fn one(live: bool, state: SecretState) -> Self {
        Self { seen: vec![Seen { live, state }] }
    }

    /// Whether every Secret was read live.
    pub fn live(&self) -> bool {
        self.seen.iter().all(|seen| seen.live)
    }

    /// Our Secrets.
    pub fn ours(&self) -> impl Iterator<Item = &Ours> {
        self.seen.iter().filter_map(|seen| match &seen.state {
            SecretState::Ours(ours) => Some(ours),
            SecretState::Absent | SecretState::Foreign(_) => None,
        })
    }

    /// Whether every Secret is there and satisfies `check`.
    pub fn all_ours(&self, check: impl Fn(&Ours) -> bool) -> bool {
        !self.seen.is_empty()
            && self.seen.iter().all(|seen| match &seen.state {
                SecretState::Ours(ours) => check(ours),
                SecretState::Absent | SecretState::Foreign(_) => false,
            })
    }

    /// Whether some Secret is absent.
    pub fn any_absent(&self) -> bool {
        self.seen.iter().any(|seen| seen.state == SecretState::Absent)
    }

    /// Whether some Secret is not ours.
    pub fn any_foreign(&self) -> bool {
        self.seen.iter().any(|seen| matches!(seen.state, SecretState::Foreign(_)))
    }

    /// The fence: the least over all Secrets; an absent one fences nothing.
    pub fn fence(&self) -> u32 {
        let fence = |seen: &Seen| match &seen.state {
            SecretState::Ours(ours) => ours.fence,
            SecretState::Absent | SecretState::Foreign(_) => 0,
        };
        self.seen.iter().map(fence).min().unwrap_or(0)
    }

    /// Whether every Secret holds this token.
    pub fn published(&self, attempt: u32, id: &str) -> bool {
        self.all_ours(|ours| {
            ours.content == Content::Token
                && ours.predecessor.is_none()
                && ours.attempt == attempt
                && ours.id.as_deref() == Some(id)
        })
    }

    /// What the publishing of a value claimed now is computed against.
    pub fn base(&self) -> Vec<Option<u64>> {
        let essence = |seen: &Seen| match &seen.state {
            SecretState::Ours(ours) => Some(ours.essence),
            SecretState::Absent | SecretState::Foreign(_) => None,
        };
        self.seen.iter().map(essence).collect()
    }
}
