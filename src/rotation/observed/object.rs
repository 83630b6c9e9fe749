//! The object: what stands in its metadata and asks for something.

use crate::api::ledger::HandledRequests;
use crate::api::time::Time;

/// What was seen of the object, beside its spec and its ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// It is being deleted.
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// Tokens shall be left alive on deletion.
    pub leave: Option<Leave>,
    /// The generation of the spec.
    pub generation: i64,
    /// When the finalizer was put on it, or the object created: the time of the claim that this patch is (P1).
    pub created: Time,
    /// The request annotations as they are now.
    pub requests: HandledRequests,
}

/// How tokens are left alive on deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// `deletion.policy: Orphan`: tokens and Secret stay.
    Orphan,
    /// The annotation `skip-revocation`: the tokens stay, the Secret goes.
    Skip,
}
