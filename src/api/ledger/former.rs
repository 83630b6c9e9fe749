//! Tokens and claims that are no longer current: to be revoked, to be looked for, or dead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ids::{MAX_ID_CHARACTERS, MAX_NONCE_CHARACTERS};
use crate::api::time::Time;

/// A token that is to be revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Superseded {
    /// The attempt that generated it.
    pub attempt: u32,
    /// Its id at the service.
    #[schemars(length(max = MAX_ID_CHARACTERS))]
    pub id: String,
    /// The nonce of its claim; absent where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NONCE_CHARACTERS))]
    pub nonce: String,
    /// When its attempt was claimed; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_time: Option<Time>,
    /// It is revoked not before this time: the end of its overlap.
    pub revoke_after_time: Time,
    /// It was never sent to the API server, so no consumer can hold it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unpublished: bool,
    /// The Secret was seen to hold it when it was superseded, and may have done so until another one took its place there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// How often a revoke was tried in vain.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// The next try, if one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_time: Option<Time>,
}

/// A claim of unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// The attempt.
    pub attempt: u32,
    /// Its nonce, by which the token is recognised at the service.
    #[schemars(length(max = MAX_NONCE_CHARACTERS))]
    pub nonce: String,
    /// When it was claimed.
    pub time: Time,
}

/// A token that may live at a service where tokens have no names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PossiblyLost {
    /// The attempt.
    pub attempt: u32,
    /// When it was claimed: look at the service for a token of this time.
    pub claimed_time: Time,
}

/// How a revoke was proved (P9, P19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Proof {
    /// The old value was seen refused.
    Refused,
    /// The id is off a complete list.
    Unlisted,
    /// The service said so, and neither value nor list was at hand to prove it.
    Answered,
}

/// A token that died.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The attempt that generated it.
    pub attempt: u32,
    /// Its id at the service.
    #[schemars(length(max = MAX_ID_CHARACTERS))]
    pub id: String,
    /// The nonce of its claim; absent where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_NONCE_CHARACTERS))]
    pub nonce: String,
    /// When it was revoked and seen dead.
    pub revoked_time: Time,
    /// How it was seen dead.
    pub proof: Proof,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}
