//! The status of a service object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sweep::LastSweep;
use crate::api::condition::Condition;

/// What the operator found out about the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenServiceStatus {
    /// The generation of the spec that the rest speaks of; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` always; `Stalled` while a person must do something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What the service can do. Without `Generate` tokens are handed over by people; without `Revoke` they are revoked
    /// by people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub capabilities: Vec<Capability>,
    /// The versions of the Secrets with which the service was found ready, as a digest: after a restart it is not asked again
    /// while they stay the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub credentials_revision: Option<String>,
    /// What lives at the service under this operator's name, as of the last sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sweep: Option<LastSweep>,
}

/// One thing that a service can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Capability {
    /// It generates tokens on request.
    Generate,
    /// It lists its live tokens.
    List,
    /// It revokes a token on request.
    Revoke,
    /// Tokens can have a limited lifetime.
    Expiry,
    /// Tokens have names, so that lost ones can be found.
    Names,
    /// The list says when a token was last used.
    LastUsed,
}
