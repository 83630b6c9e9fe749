//! Tokens that a person makes at the service and hands over in a Secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Secret with which a person hands over a token, in the version that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandOver {
    /// Its uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Its resourceVersion: another one may have another token.
    #[schemars(length(max = 64))]
    pub resource_version: String,
}
