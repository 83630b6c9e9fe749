//! The operation *verify*: is a token valid?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::request::{BodyCondition, Match, Request};

/// Proves that a token is accepted, or that it no longer is. An answer that matches neither field is "unknown".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verify {
    /// Where the service accepts tokens, if that is another place than `spec.baseURL`; the path of `request` is appended to it. Only the
    /// token is sent there, never a credential; the certificate of `connection.clientCertificateRef` is shown there, too. Its origin (scheme,
    /// host and port) is immutable. Default: `spec.baseURL`. Example: `https://dl.corp.example`.
    #[serde(default, rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^https?://[A-Za-z0-9._:\[\]-]+(/[^?#\s]*)?$"))]
    pub base_url: Option<String>,
    /// The request; choose one inside the token's own scope that fails without a token.
    pub request: Request,
    /// The answer to a valid token. Example: `{statuses: [200]}`.
    pub accepted: Match,
    /// The answers to a token that is not valid; none of them may be one of `accepted`, too.
    /// Default `{statuses: [401, 403]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// The answers to a token that is not valid: one shape and, in `or`, more of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// HTTP statuses. Example: `[401]`.
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)), extend("x-kubernetes-list-type" = "set"))]
    pub statuses: Vec<i32>,
    /// A value that the body must have, for services that answer 200 to everybody.
    /// Example: `{path: $.active, equals: "false"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyCondition>,
    /// Further shapes of a refusal. Default: none.
    /// Example: `[{statuses: [200], body: {path: $.status, equals: noauth}}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub or: Vec<Match>,
}
