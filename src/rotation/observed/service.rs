//! The service, and what it says of this object's tokens.

use crate::api::time::Time;

/// What was seen of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// What it can do now; `None` if it cannot be called at all.
    pub seen: Option<ServiceSeen>,
    /// Its list as of this pass: rows with this object's uid, or a predecessor's.
    pub listing: Option<Vec<Row>>,
    /// When this process last saw a complete list for this object.
    pub swept: Option<Time>,
    /// The sweep of the whole service saw a token of this object that its ledger does not know.
    pub suspected: bool,
}

/// A token that the service lists under our name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

impl Service {
    /// It can be called, and is where the ledger's ids and values mean something.
    pub fn same_place(&self) -> bool {
        self.seen.is_some_and(|seen| seen.same_origin)
    }

    /// What it refuses may be acted on.
    pub fn trusted(&self) -> bool {
        self.seen.is_some_and(|seen| seen.trusted)
    }

    /// It can list tokens and tell ours by their names, and it is the one that made them.
    pub fn attributable(&self) -> bool {
        self.seen.is_some_and(|seen| seen.attributable && seen.same_origin)
    }

    /// Listed rows of this object's own uid.
    pub fn own_rows(&self) -> impl Iterator<Item = &Row> {
        self.listing.iter().flatten().filter(|row| !row.predecessor)
    }
}
