//! The parts of the ledger that alarm people: leaks and identity conflicts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ids::TokenId;
use crate::api::time::Time;

/// The response to a leak: what `revokeIssuedBefore` asked for, and what the operator did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// The time in the spec; the same time does not fire again.
    pub issued_before: Time,
    /// Tokens claimed before this time leaked. It is the time in the spec, or the time when the operator noticed it, if
    /// that was earlier.
    pub claimed_before: Time,
    /// When the revoke of the current token was answered, or given up for the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_time: Option<Time>,
    /// When the Secret held a replacement that was verified; absent while there is none. Between the two times consumers held a dead
    /// token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_time: Option<Time>,
}

impl Leak {
    /// Whether a token that was claimed at this time leaked.
    pub fn covers(&self, claimed: Time) -> bool {
        claimed < self.claimed_before
    }
}

/// A token of another cluster that works with copies of the same objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The attempt in its name.
    pub attempt: u32,
    /// Its id at the service.
    pub id: TokenId,
}
