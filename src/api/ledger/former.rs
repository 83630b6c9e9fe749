//! Tokens and claims that are no longer current: to be revoked, to be looked for, or dead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ids::{ClaimKey, Nonce, TokenId};
use crate::api::time::Time;

/// The longest reason of a failed revoke, in characters.
pub const MAX_FAILURE: usize = 512;

/// A token that is to be revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Superseded {
    /// The attempt that generated it.
    pub attempt: u32,
    /// Its id at the service.
    pub id: TokenId,
    /// The nonce of its claim; absent where that is not known.
    #[serde(default, skip_serializing_if = "Nonce::is_unknown")]
    pub nonce: Nonce,
    /// The version of the operator's credential that generated it; absent where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub credentials_revision: String,
    /// When its attempt was claimed; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_time: Option<Time>,
    /// It is not revoked before this time, the end of its overlap.
    pub revoke_after_time: Time,
    /// It was never sent to the API server, so no consumer can hold it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unpublished: bool,
    /// The Secret held it when it was superseded, and may have held it until another token replaced it there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// When the service refused it while it was current: it is dead, and only a revoke proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_time: Option<Time>,
    /// A person handed it over, so only a person can revoke it. The operator asks about it until the service refuses it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub handed_over: bool,
    /// Of a token that a person must revoke: its last four characters, if the service object allows that to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub hint: Option<String>,
    /// How many revokes failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// When the operator tries again, if a revoke failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_time: Option<Time>,
    /// Why the last revoke failed, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_FAILURE))]
    pub failure: String,
}

impl Superseded {
    /// What tells its claim from all others of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
}

/// A claim of unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// The attempt.
    pub attempt: u32,
    /// Its nonce, by which the token is recognised at the service.
    pub nonce: Nonce,
    /// When it was claimed.
    pub time: Time,
}

impl Lost {
    /// What tells it from all other claims of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
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

/// The token that stood in a Secret which a deleted object of the same name left behind (P22).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// The id that stood on the Secret. Who may edit Secrets may have written it, so it protects a token and never ends one.
    pub id: TokenId,
    /// When the overlap ends in which consumers may still hold it; absent until a token of this object is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_time: Option<Time>,
}

/// How a revoke was proved (P9, P19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Proof {
    /// The service refused the old value.
    Refused,
    /// A complete list did not have the id.
    Unlisted,
    /// The service said so, and nothing more could be seen: there was neither the value nor a list that proves something.
    Answered,
}

/// A token that was revoked and proved dead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The attempt that generated it.
    pub attempt: u32,
    /// Its id at the service.
    pub id: TokenId,
    /// The nonce of its claim; absent where that is not known.
    #[serde(default, skip_serializing_if = "Nonce::is_unknown")]
    pub nonce: Nonce,
    /// When the revoke was proved.
    pub revoked_time: Time,
    /// How the revoke was proved.
    pub proof: Proof,
}

impl Revoked {
    /// What tells its claim from all others of its object.
    pub fn key(&self) -> ClaimKey<'_> {
        ClaimKey { attempt: self.attempt, nonce: &self.nonce }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}
