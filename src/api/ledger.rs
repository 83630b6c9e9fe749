//! The status of an `ArtifactToken`: its ledger, its conditions, and what people want to see.
//!
//! The ledger lists every token that may be alive and every claim whose outcome is unknown. Only the operator has
//! rights on `/status`; that is why an id that stands here may be revoked, and one that stands only on a Secret may
//! not (P16). `crate::rotation::ledger` holds the transitions.

mod alarms;
mod former;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::ids::{MAX_ID_CHARACTERS, MAX_NONCE_CHARACTERS};
use super::reason::Reason;
use super::time::Time;

pub use alarms::{Conflict, Leak};
pub use former::{Lost, PossiblyLost, Proof, Revoked, Superseded};

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

/// What the operator knows and did. Written by the operator alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactTokenStatus {
    /// The generation of the spec that the conditions speak of; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is so now. `Ready` is always present; the others only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The ledger.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// When the next rotation is planned. Absent with `rotation.policy: Disabled` and no expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation_time: Option<Time>,
    /// The Secret to bind to, as servicebinding.io wants it.
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
    /// The service at which the ids below mean something.
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
    /// Claims of unknown outcome at a service where a token cannot be told by its name. A person has to look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_POSSIBLY_LOST))]
    pub possibly_lost: Vec<PossiblyLost>,
    /// The last tokens that died, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_HISTORY))]
    pub history: Vec<Revoked>,
    /// Attempts that failed since the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
    /// Values of the request annotations that were acted on.
    #[serde(default, skip_serializing_if = "HandledRequests::is_empty")]
    pub handled_requests: HandledRequests,
    /// The newest answer to a leak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<Leak>,
    /// A token that carries this object's identity and that this object never claimed. While it stands here, nothing is generated
    /// or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
}

/// Where ids mean something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceIdentity {
    /// The service object's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Scheme, host and port of its `baseURL`.
    #[schemars(length(max = 512))]
    pub origin: String,
}

/// An attempt number taken: one claim, at most one *generate*.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The attempt; never used twice for an object.
    pub attempt: u32,
    /// Random; a part of the token's name at the service.
    #[schemars(length(max = MAX_NONCE_CHARACTERS))]
    pub nonce: String,
    /// When it was claimed, by the API server's clock.
    pub time: Time,
    /// A digest of the parameters and lifetime to ask for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub request_digest: String,
    /// The value of the annotation `artifact-token.dev/rotate-requested-at` that its token fulfils, whoever verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub request: Option<String>,
    /// What became of it; absent while undecided. Decided once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What became of an attempt.
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
    #[schemars(length(max = MAX_ID_CHARACTERS))]
    pub id: String,
    /// The nonce of its claim; absent where only the Secret is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NONCE_CHARACTERS))]
    pub nonce: String,
    /// Its last four characters, if the service object allows that to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub hint: Option<String>,
    /// A digest of the parameters and lifetime that it was asked for with; another digest is a rotation. Absent where an
    /// older version recorded the token: then it counts as unchanged, and the next record says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub request_digest: String,
    /// When its attempt was claimed. Leaks and "rotate what was issued before" compare with this.
    pub claimed_time: Time,
    /// When the service answered.
    pub issued_time: Time,
    /// When the Secret was written.
    pub published_time: Time,
    /// When it was accepted after publishing, durably recorded. The overlap of its predecessor counts from here.
    pub verified_time: Time,
    /// Whether a probe said so; false with `verification.probe: Disabled`.
    pub probed: bool,
    /// When the service refused it later on. It is replaced at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_time: Option<Time>,
    /// When it expires at the service; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// The Secret's resourceVersion as we wrote it: another one means that somebody else wrote it, too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub secret_resource_version: String,
}

/// Attempts that failed since the last success: the back-off of the issue step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// The next attempt is not before this time, unless the spec changes.
    pub next_try_time: Time,
    /// The generation of the spec that failed.
    pub generation: i64,
    /// The last failure's reason.
    pub reason: Reason,
    /// The last failure, for people.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// Values of the request annotations that were acted on; a change fires once, a removal never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandledRequests {
    /// Of `artifact-token.dev/rotate-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rotate: Option<String>,
    /// Of `artifact-token.dev/reconcile-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reconcile: Option<String>,
    /// Of `artifact-token.dev/confirm-identity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub confirm: Option<String>,
}

impl HandledRequests {
    fn is_empty(&self) -> bool {
        self.rotate.is_none() && self.reconcile.is_none() && self.confirm.is_none()
    }
}
