//! The object: what its metadata says and asks for.

use crate::api::ledger::HandledRequests;
use crate::api::time::Time;

/// The object, without its spec and its ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// It is being deleted.
    pub deleting: bool,
    /// It has our finalizer.
    pub finalizer: bool,
    /// The finalizer says nothing of a claim: somebody else put it there, nothing is recorded, and the object may not use its service.
    pub unclaimed: bool,
    /// Deletion leaves the tokens alive.
    pub leave: Option<Leave>,
    /// The generation of the spec.
    pub generation: i64,
    /// When the object got the finalizer, or else when it was created: the time of the implied claim (P1).
    pub created: Time,
    /// The request annotations as they are now.
    pub requests: HandledRequests,
}

/// How deletion leaves tokens alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// `deletion.policy: Orphan`: tokens and Secret stay.
    Orphan,
    /// The annotation `skip-revocation`: the tokens stay, the Secret goes.
    Skip,
}
