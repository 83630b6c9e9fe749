//! What a pass saw: the input of the decision beside the wish.

use crate::api::ledger::{Claim, HandledRequests, Ledger};
use crate::api::time::Time;

use super::desired::{Halt, Timings};
use super::identity::FIRST_NONCE;

/// Everything that the decision looks at, beside the wish and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The object is being deleted.
    pub deleting: bool,
    /// Our finalizer is on the object.
    pub finalizer: bool,
    /// Tokens shall be left alive on deletion.
    pub leave: Option<Leave>,
    /// The generation of the spec.
    pub generation: i64,
    /// When the finalizer was put on the object, or the object created: the time of the claim that this patch is (P1).
    pub created: Time,
    /// The request annotations as they are now.
    pub requests: HandledRequests,
    /// The ledger as read, or as this process wrote it last.
    pub ledger: Ledger,
    /// The Secrets that shall hold the token. One for an `ArtifactToken`; a later kind has many.
    pub secrets: Vec<Seen>,
    /// What this process alone has.
    pub hand: Hand,
    /// The current token's value is in this process's memory.
    pub holds_previous: bool,
    /// The service's list as of this pass: rows with this object's uid, or a predecessor's.
    pub listing: Option<Vec<Row>>,
    /// When this process last saw a complete list for this object.
    pub swept: Option<Time>,
    /// The sweep of the service saw a token of this object that its ledger does not know.
    pub suspected: bool,
    /// What the service can do now; `None` if it cannot be called at all.
    pub service: Option<ServiceSeen>,
    /// Row 15: what was seen that forbids a new token.
    pub halt: Option<Halt>,
    /// The Secret write was dry-run in this pass, against what `secrets` says.
    pub preflight: bool,
    /// What the service said of the bytes that the Secrets hold, in this pass.
    pub verdict: Option<Verdict>,
    /// When this process last saw the current token accepted.
    pub accepted: Option<Time>,
    /// Somebody else wrote the Secret since it was seen to hold the current token, and only the service can tell whether it
    /// still does.
    pub doubtful: bool,
    /// Steps that failed in passing, and may be tried again at these times.
    pub pauses: Pauses,
}

/// How tokens are left alive on deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// `deletion.policy: Orphan`: tokens and Secret stay.
    Orphan,
    /// The annotation `skip-revocation`: the tokens stay, the Secret goes.
    Skip,
}

/// One Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Read from the API server in this pass, and after the list if there was one. Else it is what the ledger and the
    /// watch remember.
    pub live: bool,
    /// What is there.
    pub state: SecretState,
}

/// What is there under the Secret's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Nothing.
    Absent,
    /// A Secret that is not ours, or that we cannot write: why.
    Foreign(Halt),
    /// Ours, or a predecessor's.
    Ours(Ours),
}

/// A Secret of this object.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// No token.
    Empty,
    /// The token that its annotations name, as far as this process can tell.
    Token,
    /// Something else: it was edited by hand.
    Edited,
}

/// What this process alone has, until it is published or given up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hand {
    /// Nothing.
    Empty,
    /// An attempt, claimed by this process, for which *generate* did not take effect yet.
    Claim {
        /// The attempt.
        attempt: u32,
        /// Past this time it is given up.
        deadline: Time,
    },
    /// A value that is not decided yet.
    Value {
        /// The attempt.
        attempt: u32,
        /// The token's id.
        id: String,
        /// Past this time it is not published any more.
        deadline: Time,
        /// When the service answered.
        issued: Time,
        /// What the service said of it before publishing.
        trial: Option<Verdict>,
        /// The Secrets as the publishing was computed against; `None` for an absent one.
        base: Vec<Option<u64>>,
        /// A publish was sent, and was not refused for certain: it has landed, or may still land.
        sent: bool,
    },
}

impl Hand {
    /// The attempt in hand.
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::Empty => None,
            Self::Claim { attempt, .. } | Self::Value { attempt, .. } => Some(*attempt),
        }
    }

    /// Whether the value in hand is this token's.
    pub fn holds(&self, id: &str) -> bool {
        matches!(self, Self::Value { id: own, .. } if own == id)
    }
}

/// A token that the service lists under our name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The attempt in its name.
    pub attempt: u32,
    /// The nonce in its name.
    pub nonce: String,
    /// When the service says that it was made.
    pub created: Option<Time>,
    /// When it expires.
    pub expiration: Option<Time>,
    /// It carries the uid of a predecessor, not of this object.
    pub predecessor: bool,
}

/// What the service can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceSeen {
    /// Tokens have names and can be listed, so that a lost one can be told from a stranger's.
    pub attributable: bool,
    /// The ledger's ids mean something there: it has the same origin as when they were generated.
    pub same_origin: bool,
    /// A refusal of a token may be acted on. Not while most of its tokens are refused since the operator's own credential changed:
    /// then it is another place, or another account (P20).
    pub trusted: bool,
}

/// What the service says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It works.
    Accepted,
    /// It does not.
    Refused,
}

/// When steps that failed in passing may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pauses {
    /// Generate, and with it the claim: the service said "not now", or our own rate limit.
    pub generate: Option<Time>,
    /// Try and Verify.
    pub verify: Option<Time>,
    /// Sweep.
    pub sweep: Option<Time>,
    /// Writes of the Secret, the dry-run among them.
    pub secret: Option<Time>,
    /// The answer to a leak at the service: the turns of older tokens come before.
    pub leak: Option<Time>,
}

impl Observed {
    /// The undecided claim, in hand or not. An object with the finalizer and no claim in its ledger has an implied one:
    /// the finalizer's patch (P1), of attempt 1, whose outcome nobody recorded.
    pub fn open_claim(&self) -> Option<Claim> {
        match &self.ledger.claim {
            Some(claim) => claim.outcome.is_none().then(|| claim.clone()),
            None => self.finalizer.then(|| Claim {
                attempt: 1,
                nonce: FIRST_NONCE.to_owned(),
                time: self.created,
                request_digest: String::new(),
                request: None,
                outcome: None,
            }),
        }
    }

    /// The open claim if it is not in this process's hand.
    pub fn stray_claim(&self) -> Option<Claim> {
        self.open_claim().filter(|claim| self.hand.attempt() != Some(claim.attempt))
    }

    /// Whether this token is what this process has in hand: its value, or what *generate* made of the claim without an answer.
    pub fn in_hand(&self, row: &Row) -> bool {
        let claimed = |claim: &Claim| (claim.attempt, &claim.nonce) == (row.attempt, &row.nonce);
        match self.hand {
            Hand::Empty => false,
            Hand::Claim { attempt, .. } => attempt == row.attempt && self.open_claim().as_ref().is_some_and(claimed),
            Hand::Value { .. } => self.hand.holds(&row.id),
        }
    }

    /// When a stray claim counts as settled.
    pub fn settle_time(claim: &Claim, timings: &Timings) -> Time {
        claim.time.plus(timings.claim_settle)
    }

    /// Whether every Secret was read live.
    pub fn live(&self) -> bool {
        self.secrets.iter().all(|seen| seen.live)
    }

    /// Our Secrets.
    pub fn ours(&self) -> impl Iterator<Item = &Ours> {
        self.secrets.iter().filter_map(|seen| match &seen.state {
            SecretState::Ours(ours) => Some(ours),
            SecretState::Absent | SecretState::Foreign(_) => None,
        })
    }

    /// Whether every Secret is there and satisfies `check`.
    pub fn all_ours(&self, check: impl Fn(&Ours) -> bool) -> bool {
        !self.secrets.is_empty()
            && self.secrets.iter().all(|seen| match &seen.state {
                SecretState::Ours(ours) => check(ours),
                SecretState::Absent | SecretState::Foreign(_) => false,
            })
    }

    /// Whether some Secret is absent.
    pub fn any_absent(&self) -> bool {
        self.secrets.iter().any(|seen| seen.state == SecretState::Absent)
    }

    /// Whether some Secret is not ours.
    pub fn any_foreign(&self) -> bool {
        self.secrets.iter().any(|seen| matches!(seen.state, SecretState::Foreign(_)))
    }

    /// The fence: the least over all Secrets; an absent one fences nothing.
    pub fn fence(&self) -> u32 {
        let fence = |seen: &Seen| match &seen.state {
            SecretState::Ours(ours) => ours.fence,
            SecretState::Absent | SecretState::Foreign(_) => 0,
        };
        self.secrets.iter().map(fence).min().unwrap_or(0)
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

    /// Whether every Secret holds the ledger's current token.
    pub fn holds_current(&self) -> bool {
        self.ledger.current.as_ref().is_some_and(|current| self.published(current.attempt, &current.id))
    }

    /// The highest attempt that was ever seen; the next claim is above it.
    pub fn highest_attempt(&self) -> u32 {
        let secrets = self.ours().map(|ours| ours.fence);
        let rows = self.listing.iter().flatten().filter(|row| !row.predecessor).map(|row| row.attempt);
        let implied = self.open_claim().map(|claim| claim.attempt);
        secrets.chain(rows).chain(implied).chain([self.ledger.highest_attempt()]).max().unwrap_or(0)
    }

    /// What the publishing of a value claimed now is computed against.
    pub fn base(&self) -> Vec<Option<u64>> {
        let essence = |seen: &Seen| match &seen.state {
            SecretState::Ours(ours) => Some(ours.essence),
            SecretState::Absent | SecretState::Foreign(_) => None,
        };
        self.secrets.iter().map(essence).collect()
    }
}
