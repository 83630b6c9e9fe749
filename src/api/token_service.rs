//! The `TokenService` kind: one service, as data. Its spec and status are those of a `ClusterTokenService`, too.

mod constraints;
pub mod operations;
mod preset;
pub mod request;
mod status;
pub mod sweep;
pub mod verify;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use self::operations::Operations;
use self::request::Basic;
use self::sweep::Sweep;
use super::duration::GoDuration;
use super::names;
use super::time::Time;

pub use constraints::{Constraints, Defaults, Limits};
pub use preset::Preset;
pub use status::{Capability, TokenServiceStatus};

/// How one service issues, checks, lists and revokes tokens, and with which credential.
///
/// The service is data: a preset that comes with the operator, `operations` that override it part by part, or, with
/// `preset: Custom`, `operations` alone.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "artifact-token.dev",
    version = "v1alpha1",
    kind = "TokenService",
    namespaced,
    shortname = "tsvc",
    category = "artifact-tokens",
    status = "TokenServiceStatus",
    printcolumn = r#"{"name":"READY","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"REASON","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"PRESET","type":"string","jsonPath":".spec.preset"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.baseURL"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.preset != 'Custom' || (has(self.operations) && has(self.operations.verify))")
    .message("preset Custom starts from nothing: declare operations.verify, and generate, list and revoke as the service has them")
    .field_path(".operations"))]
#[x_kube(validation = Rule::new("self.baseURL.startsWith('https://') || self.connection.insecureHTTP")
    .message("credentials would be sent in clear text: use https://, or set connection.insecureHTTP: true for a service inside your own network")
    .field_path(".baseURL"))]
#[x_kube(validation = Rule::new(
    "!has(self.operations) || !has(self.operations.verify) || !has(self.operations.verify.baseURL) || self.operations.verify.baseURL.startsWith('https://') || self.connection.insecureHTTP")
    .message("tokens would be sent in clear text: use https://, or set connection.insecureHTTP: true for a service inside your own network")
    .field_path(".operations"))]
#[x_kube(validation = Rule::new(
    "(has(self.operations) && has(self.operations.verify) && has(self.operations.verify.baseURL) ? [self.operations.verify.baseURL.split('/')[0], self.operations.verify.baseURL.split('/')[2]] : []) == (has(oldSelf.operations) && has(oldSelf.operations.verify) && has(oldSelf.operations.verify.baseURL) ? [oldSelf.operations.verify.baseURL.split('/')[0], oldSelf.operations.verify.baseURL.split('/')[2]] : [])")
    .message("the scheme, host and port of operations.verify.baseURL are immutable, since living tokens are sent there: create a new service object for another address")
    .field_path(".operations"))]
#[x_kube(validation = Rule::new(
    "!has(oldSelf.naming) || !has(oldSelf.naming.prefix) || (has(self.naming) && has(self.naming.prefix) && self.naming.prefix == oldSelf.naming.prefix)")
    .message("naming.prefix is immutable, since the operator finds living tokens by it: create a new service object for another prefix")
    .field_path(".naming"))]
pub struct TokenServiceSpec {
    /// The built-in declaration to start from; `Custom` starts from nothing. Mutable.
    /// Example: `Verdaccio`.
    pub preset: Preset,
    /// Where the service is: a URL with `https://` (or `http://`, see `connection.insecureHTTP`). The path of every
    /// request is appended to it. Its origin (scheme, host and port) is immutable. Example: `https://tokens.corp.example/api`.
    #[serde(rename = "baseURL")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^https?://[A-Za-z0-9._:\[\]-]+(/[^?#\s]*)?$')")
        .message("write baseURL like https://tokens.corp.example/api: http(s), host, perhaps a port and a path, without user, query and fragment"))]
    #[x_kube(validation = Rule::new("self.split('/')[0] == oldSelf.split('/')[0] && self.split('/')[2] == oldSelf.split('/')[2]")
        .message("the scheme, host and port of baseURL are immutable, since token ids are valid only there: create a new service object for another address"))]
    pub base_url: String,
    /// The operator's own credentials: a name that templates use (`credentials.NAME`), and the key of a Secret in this
    /// namespace (for a ClusterTokenService: in the operator's own). A change needs no restart. Default: none.
    /// Example: `{adminKey: {name: reg-admin, key: token}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "references_schema")]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z][A-Za-z0-9_]{0,62}$'))")
        .message("names of credentials are letters, digits and _, and begin with a letter (at most 63 characters)"))]
    pub credentials: BTreeMap<String, KeyReference>,
    /// Inputs of the templates that are not secret (`variables.NAME`). Default: none. Example: `{user: ci}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "variables_schema")]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z][A-Za-z0-9_]{0,62}$'))")
        .message("names of variables are letters, digits and _, and begin with a letter (at most 63 characters)"))]
    pub variables: BTreeMap<String, String>,
    /// Operations that replace those of the preset, part by part; required with `preset: Custom`. Mutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Operations>,
    /// How the operator connects to the service. Mutable.
    #[serde(default)]
    pub connection: Connection,
    /// The most requests and tokens that the service may get. Mutable.
    #[serde(default)]
    pub limits: Limits,
    /// How the names of tokens show which cluster they belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// Values for fields that a token leaves out. Mutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// What tokens of this service may ask for. Mutable.
    #[serde(default)]
    pub constraints: Constraints,
    /// The part of a token's value that the operator may show, so that people can tell tokens apart: the `LastFour`
    /// characters (if it has 20 or more), or `None`. Default `LastFour`. Mutable.
    #[serde(default)]
    pub hint: HintPolicy,
    /// How often the operator looks for tokens at the service that carry its name and belong to no object, and what it does
    /// with them. Needs `list`, and tokens with names. Mutable.
    #[serde(default)]
    pub sweep: Sweep,
    /// "It leaked": tokens of this service that were claimed before this time (RFC 3339) are revoked at once and then replaced, the
    /// oldest first, within `limits.requestsPerMinute`; see `spec.rotation.revokeIssuedBefore` of an ArtifactToken. With
    /// `suspend: true` they are revoked and not replaced. Default: none. Mutable. Example: `2026-11-01T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_issued_before: Option<Time>,
    /// While true, no new token is generated at this service; revokes and deletion go on. Default `false`. Mutable.
    #[serde(default)]
    pub suspend: bool,
}

/// One key of a Secret or a ConfigMap in the namespace of the service object (for a ClusterTokenService: in the
/// operator's own).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyReference {
    /// The name of the object. Example: `reg-admin`.
    #[schemars(length(min = 1, max = names::MAX_LENGTH), regex(pattern = names::NAME))]
    pub name: String,
    /// The key in its `data`. Example: `token`.
    #[schemars(length(min = 1, max = names::MAX_LENGTH), regex(pattern = names::KEY))]
    pub key: String,
}

/// How the operator connects to the service. It follows no redirects, and uses no proxy but that of `proxy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.proxy) || !self.insecureHTTP")
    .message("a proxy would see the credentials: use https:// and leave connection.insecureHTTP out, or reach the service without a proxy"))]
pub struct Connection {
    /// How long one request may take, answer included; `generate` has its own timeout. Default `30s`, at
    /// least `1s`. Example: `10s`.
    #[serde(default = "Connection::default_timeout")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('10m')")
        .message("connection.timeout must be from 1s to 10m"))]
    pub timeout: GoDuration,
    /// A ConfigMap key in this namespace (for a ClusterTokenService: in the operator's own) with more certificate
    /// authorities to trust, in PEM; or the service's own self-signed certificate. Default: only those of the system.
    /// Example: `{name: corp-ca, key: ca.crt}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<KeyReference>,
    /// A Secret of type `kubernetes.io/tls` in this namespace (for a ClusterTokenService: in the operator's own): the certificate
    /// (`tls.crt`, with those between it and its authority) and the key (`tls.key`) that the operator shows to a service that asks for
    /// them (mTLS). Default: none. Example: `{name: reg-client-tls}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretReference>,
    /// The HTTP proxy through which all requests to the service go. Only for `https://`: the proxy sees the host and no request. It also
    /// looks up the host's name, so the check of `allowLinkLocal` sees the proxy's own address alone. Default: none.
    /// Example: `{url: "http://proxy.corp.example:3128"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Whether `baseURL` and `operations.verify.baseURL` may be plain `http://`, where everybody on the network path can read the
    /// credentials. Default `false`.
    #[serde(default, rename = "insecureHTTP")]
    pub insecure_http: bool,
    /// Whether the service may be at a link-local address (169.254.0.0/16, fe80::/10) or at the metadata address of a
    /// cloud, which gives credentials to everybody who asks from the right machine. The operator checks the address after
    /// name resolution. Default `false`: the service object is Stalled, and nothing is sent there.
    #[serde(default)]
    pub allow_link_local: bool,
}

impl Connection {
    fn default_timeout() -> GoDuration {
        GoDuration::from_secs(30)
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            timeout: Self::default_timeout(),
            ca_bundle_ref: None,
            client_certificate_ref: None,
            proxy: None,
            insecure_http: false,
            allow_link_local: false,
        }
    }
}

/// A Secret in the namespace of the service object (for a ClusterTokenService: in the operator's own).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretReference {
    /// The name of the Secret. Example: `reg-client-tls`.
    #[schemars(length(min = 1, max = names::MAX_LENGTH), regex(pattern = names::NAME))]
    pub name: String,
}

/// An HTTP proxy that connects the operator to a service (`CONNECT`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proxy {
    /// Where it is: `http://` or `https://`, its host and port. Example: `http://proxy.corp.example:3128`.
    #[schemars(length(max = 512), regex(pattern = r"^https?://[A-Za-z0-9._:\[\]-]+/?$"))]
    pub url: String,
    /// The user name and the password for the proxy; the password belongs into a credential. Default: none.
    /// Example: `{username: "{{ credentials.proxyUser }}", password: "{{ credentials.proxyPassword }}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
}

/// How the names of tokens show which cluster they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Naming {
    /// The beginning of the name of every token of this object. Choose another one in each cluster that uses the service.
    /// At most 20 characters of `a-z`, `0-9` and `-`. Required where tokens have names; immutable. Example: `prod-eu1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[a-z0-9-]+$"))]
    pub prefix: Option<String>,
}

/// The part of a token's value that the operator may show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HintPolicy {
    /// Its last four characters.
    #[default]
    LastFour,
    /// Nothing.
    None,
}

fn references_schema(generator: &mut SchemaGenerator) -> Schema {
    let reference = generator.subschema_for::<KeyReference>();
    json_schema!({"type": "object", "maxProperties": 8, "additionalProperties": reference})
}

fn variables_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 256}})
}
