//! What people are alarmed about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ids::MAX_ID_CHARACTERS;
use crate::api::time::Time;

/// An answer to a leak: what `revokeIssuedBefore` asked for, and what was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// The time that was asked for, as the spec had it; the same time does not fire again.
    pub issued_before: Time,
    /// Tokens claimed before are leaked: the time above, or when it was noticed if that was earlier.
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

/// A token of a twin: another cluster that works with copies of the same objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The attempt in its name.
    pub attempt: u32,
    /// Its id at the service.
    #[schemars(length(max = MAX_ID_CHARACTERS))]
    pub id: String,
}
