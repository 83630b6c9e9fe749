//! The status of an `ArtifactToken`: its ledger, its conditions, and what people want to see.
//!
//! The ledger lists every token that may be alive and every claim whose outcome is unknown. Only the operator has
//! rights on `/status`; that is why an id that stands here may be revoked, and one that stands only on a Secret may
//! not (P16). `crate::rotation::ledger` holds the transitions.

mod alarms;
mod former;
mod hand_over;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::ids::{ClaimKey, Nonce, TokenId};
use super::reason::Reason;
use super::time::Time;

pub use alarms::{Conflict, Leak, LeakTimes};
pub use former::{Lost, MAX_FAILURE, PossiblyLost, Proof, Replaced, Revoked, Superseded};
pub use hand_over::HandOver;

/// The most tokens of one object that may be alive (S6). One place is kept for a leak response.
pub const MAX_LIVE: usize = 5;
/// The most entries of `superseded`: [`MAX_LIVE`] bounds what the operator adds by itself, and tokens found at the service
/// come on top.
pub const MAX_SUPERSEDED: usize = 64;
/// The most entries of `lost`. The back-off of the issue step grows to an hour, so a day holds fewer.
pub const MAX_LOST: usize = 32;
/// The most entries of `possiblyLost`.
pub const MAX_POSSIBLY_LOST: usize = 32;
/// The most entries of `history`.
pub const MAX_HISTORY: usize = 10;

/// What the operator knows and has done. Only the operator writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactTokenStatus {
    /// The generation of the spec that the conditions are about; -1 until the operator has looked at the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state now. `Ready` is always present; the others only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The ledger.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// When the next rotation is planned. Absent with `rotation.policy: Disabled` and no expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation_time: Option<Time>,
    /// The Secret to bind to, in the form that servicebinding.io defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
}

/// A reference for servicebinding.io.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    /// The Secret's name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// Every token that may be alive, and every claim whose outcome is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The service that issued the ids below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceIdentity>,
    /// The newest claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// The token that was verified last, and that the Secret should hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Current>,
    /// Tokens that are to be revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_SUPERSEDED))]
    pub superseded: Vec<Superseded>,
    /// Claims of unknown outcome: kept until the token is found, or for a day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_LOST))]
    pub lost: Vec<Lost>,
    /// Claims of unknown outcome at a service where tokens cannot be recognised by name. A person must look for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_POSSIBLY_LOST))]
    pub possibly_lost: Vec<PossiblyLost>,
    /// The tokens that were revoked last, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_HISTORY))]
    pub history: Vec<Revoked>,
    /// The token of a deleted object of the same name that the Secret held when this object came. Nobody revokes it while
    /// consumers may hold it; afterwards the sweep of the service does, if it is asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// Attempts that failed since the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
    /// Tokens that the service stopped accepting, and the wait before the next replacement of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals: Option<Refusals>,
    /// The values of the request annotations that the operator has acted on.
    #[serde(default, skip_serializing_if = "HandledRequests::is_empty")]
    pub handled_requests: HandledRequests,
    /// The response to the newest leak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<Leak>,
    /// A token that carries this object's identity and that this object never claimed. While it stands here, nothing is generated
    /// or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
}

/// The service that issued some ids: an id means nothing elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceIdentity {
    /// The service object's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Scheme, host and port of its `baseURL` and, where it has one, of `operations.verify.baseURL`: tokens are sent nowhere else.
    #[schemars(length(max = 1100))]
    pub origin: String,
}

/// A claim of an attempt number. It allows at most one *generate*.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The number of the attempt; an object never uses one twice.
    pub attempt: u32,
    /// A random text, a part of the token's name at the service.
    pub nonce: Nonce,
    /// When it was claimed, by the API server's clock.
    pub time: Time,
    /// A digest of the requested parameters and lifetime.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub request_digest: String,
    /// The value of the annotation `artifact-token.dev/rotate-requested-at` that its token fulfils, whichever process
    /// verifies the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub request: Option<String>,
    /// The Secret with the token that this attempt takes up; absent where it asks the service for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
    /// The outcome of the attempt; absent while undecided. Decided once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl Claim {
    /// What tells it from all other claims of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// Published and accepted by the service.
    Verified,
    /// Given up, refused, or of unknown outcome and settled.
    Failed,
}

/// The verified token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// The attempt that generated it.
    pub attempt: u32,
    /// Its id at the service.
    pub id: TokenId,
    /// The nonce of its claim; absent where the operator knows the token only from the Secret.
    #[serde(default, skip_serializing_if = "Nonce::is_unknown")]
    pub nonce: Nonce,
    /// The version of the operator's credential that generated it: a list proves something only of tokens of the same one. Absent
    /// where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub credentials_revision: String,
    /// The Secret with which a person handed it over; absent where the operator generated it. Only a person can revoke it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
    /// Its last four characters, if the service object allows that to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub hint: Option<String>,
    /// A digest of the requested parameters and lifetime; another digest leads to a rotation. Absent where an older
    /// version recorded the token: then it counts as unchanged, and the next record adds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub request_digest: String,
    /// When its attempt was claimed. `revokeIssuedBefore` and `rotateIssuedBefore` compare with this.
    pub claimed_time: Time,
    /// When the service answered.
    pub issued_time: Time,
    /// When the Secret was written.
    pub published_time: Time,
    /// When the operator recorded that the published token was accepted. The overlap of the previous token starts here.
    pub verified_time: Time,
    /// Whether a probe verified it; false with `verification.probe: Disabled`.
    pub probed: bool,
    /// When the service began to refuse it. One refusal is not yet its death: it is asked about again, and the condition `Ready` is
    /// `Unknown` until the service accepts it again or something else says that it is dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_time: Option<Time>,
    /// When its death was certain: the service had refused it again, and had accepted another token or listed it no more.
    /// It is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_time: Option<Time>,
    /// The service's answers about it say nothing; absent once it accepts or refuses it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<Unclear>,
    /// When it expires at the service; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// How many days before its expiry a person was last reminded to hand over the next one; 0 once it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded_days: Option<u32>,
    /// When somebody last used it, as a list of the service said when that was recorded: with a sweep, and once a day at most. The
    /// operator's own verifications count. Absent where the service does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_time: Option<Time>,
    /// The Secret's resourceVersion after the operator wrote it: another one means that somebody else wrote it, too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub secret_resource_version: String,
}

/// Answers to *verify* that say nothing about a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unclear {
    /// When the first of them came.
    pub since_time: Time,
    /// What it was, and what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
}

impl Current {
    /// What tells its claim from all others of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
}

/// Attempts that failed since the last success: the back-off of the issue step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    /// The number of failures.
    pub count: u32,
    /// The next attempt is not before this time, unless the spec changes.
    pub next_try_time: Time,
    /// The generation of the spec that failed.
    pub generation: i64,
    /// The last failure's reason.
    pub reason: Reason,
    /// The last failure, as a sentence for people.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// Tokens that the service stopped accepting within two days of each other. It is a back-off of its own: a service that refuses
/// each token after a while must not be asked for new ones without end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusals {
    /// How many.
    pub count: u32,
    /// When the last one was known to be dead.
    pub last_time: Time,
    /// The next replacement is not generated before this time, unless a person asks for it.
    pub next_replacement_time: Time,
}

/// The values of the request annotations that the operator has acted on; a change fires once, a removal never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandledRequests {
    /// The value of `artifact-token.dev/rotate-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rotate: Option<String>,
    /// The value of `artifact-token.dev/reconcile-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reconcile: Option<String>,
    /// The value of `artifact-token.dev/confirm-identity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub confirm: Option<String>,
}

impl HandledRequests {
    fn is_empty(&self) -> bool {
        self.rotate.is_none() && self.reconcile.is_none() && self.confirm.is_none()
    }
}
