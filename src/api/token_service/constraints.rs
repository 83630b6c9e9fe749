//! How much may be asked of a service, and what its tokens may be like.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::api::duration::GoDuration;
use crate::api::parameters::{Lifetime, Parameters, parameters_schema};

/// How much may be asked of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The most requests in a minute, for all tokens of this object together. Default 60.
    /// Example: `30`.
    #[serde(default = "Limits::default_requests_per_minute")]
    #[schemars(range(min = 1, max = 6000))]
    pub requests_per_minute: i32,
    /// The most tokens that may live at the service at a time, its page's limit for example; needs `list`.
    /// Default: no limit. Example: `100`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50000))]
    pub maximum_live_tokens: Option<i32>,
}

impl Limits {
    fn default_requests_per_minute() -> i32 {
        60
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_minute: Self::default_requests_per_minute(), maximum_live_tokens: None }
    }
}

/// What is used where a token says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// How long a token lives: `Never` or a duration. Default: the token must say it. Example: `2160h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// How long a superseded token stays valid. Default: `10m`. Example: `6h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<GoDuration>,
    /// Parameters by name. Default: none. Example: `{role: Developer}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "parameters_schema")]
    pub parameters: Parameters,
}

/// What tokens of this service may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Constraints {
    /// The values that a parameter may have, by its name; of a list, each element. Default: what the service knows.
    /// Example: `{role: [Developer]}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "allowed_values_schema")]
    pub parameters: BTreeMap<String, Vec<String>>,
    /// The shortest `rotation.interval` that a token may have, so that nobody floods the service. Default `1h`.
    /// Example: `24h`.
    #[serde(default = "Constraints::default_minimum_interval")]
    pub minimum_interval: GoDuration,
}

impl Constraints {
    fn default_minimum_interval() -> GoDuration {
        GoDuration::from_secs(3600)
    }
}

impl Default for Constraints {
    fn default() -> Self {
        Self { parameters: BTreeMap::new(), minimum_interval: Self::default_minimum_interval() }
    }
}

fn allowed_values_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 16,
        "additionalProperties": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 256}}
    })
}
