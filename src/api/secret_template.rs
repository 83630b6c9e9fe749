//! The Secret that a user asks for: `spec.secret` of an `ArtifactToken`.
//!
//! The API server checks each object by the rules here. `crate::secret::content::check` checks what they cannot express,
//! for example that a template compiles. The rules that make fields immutable belong to the parent.

mod format;
pub mod rules;

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::names;

pub use format::{FixedKeys, Format, Registry, Shape, Username};

/// The Secret that holds the token, and the files in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::readable())]
#[x_kube(validation = Rule::new(
    "self.type != 'kubernetes.io/dockerconfigjson' || self.data.exists(e, e.key == '.dockerconfigjson' && e.format == 'DockerConfigJson')"
).message("type kubernetes.io/dockerconfigjson needs an entry with key .dockerconfigjson and format DockerConfigJson"))]
#[x_kube(validation = Rule::new(
    "self.type != 'kubernetes.io/basic-auth' || self.data.exists(e, e.format == 'BasicAuth')"
).message("type kubernetes.io/basic-auth needs an entry with key password and format BasicAuth"))]
#[x_kube(validation = rules::key_is_free(Format::BasicAuth, FixedKeys::BASIC_AUTH))]
#[x_kube(validation = rules::key_is_free(Format::SealEnv, FixedKeys::SEAL_ENV))]
pub struct SecretTemplate {
    /// Name of the Secret, in the namespace of this object. Immutable: for another name create a new ArtifactToken
    /// and delete this one after its consumers moved. Example: `seal-token`.
    #[schemars(
        length(min = 1, max = names::MAX_LENGTH),
        regex(pattern = names::NAME)
    )]
    pub name: String,

    /// Type of the Secret. Default: `Opaque`. Immutable. Example: `kubernetes.io/dockerconfigjson`, which a pod can
    /// name in `imagePullSecrets`.
    #[serde(rename = "type", default)]
    pub type_: SecretType,

    /// Labels of the Secret, beside the operator's own; at most 32. Default: none. Keys of `artifact-token.dev`,
    /// `kubernetes.io` and `k8s.io` are reserved, except `app.kubernetes.io/`; `app.kubernetes.io/instance` is refused, since
    /// Argo CD would delete the Secret. A label that is removed here is also removed from the Secret; labels that others add
    /// to it stay. Example: `{app.kubernetes.io/part-of: ci}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels_schema")]
    #[x_kube(validation = Rule::new(
        "self.all(k, k.startsWith('app.kubernetes.io/') || !k.matches('^([^/]*[.])?(artifact-token[.]dev|kubernetes[.]io|k8s[.]io)/'))"
    ).message("use a label key of your own: artifact-token.dev/, kubernetes.io/ and k8s.io/ are reserved (app.kubernetes.io/ is allowed)"))]
    #[x_kube(validation = Rule::new("!('app.kubernetes.io/instance' in self)").message(
        "remove the label app.kubernetes.io/instance: Argo CD takes an object with it for a part of that application, and deletes what Git does not have"
    ))]
    pub labels: BTreeMap<String, String>,

    /// Annotations of the Secret, beside the operator's own; at most 32. Default: none. Keys of
    /// `artifact-token.dev`, `kubernetes.io` and `k8s.io` are reserved. An annotation that is removed here is also removed
    /// from the Secret; annotations that others add to it stay. Example: `{tekton.dev/git-0: https://git.example}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations_schema")]
    #[x_kube(validation = Rule::new(
        "self.all(k, !k.matches('^([^/]*[.])?(artifact-token[.]dev|kubernetes[.]io|k8s[.]io)/'))"
    ).message("use an annotation key of your own: artifact-token.dev/, kubernetes.io/ and k8s.io/ are reserved"))]
    pub annotations: BTreeMap<String, String>,

    /// The data of the Secret, one entry per file; 1 to 16. At least one entry must have a format from which the operator
    /// can read the token back: Raw, BasicAuth, Npmrc, DockerConfigJson or SealEnv. Example: `[{key: token, format: Raw}]`.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".into()]))]
    pub data: Vec<DataEntry>,
}

/// The types that the Secret may have: a short list, so that nobody can forge a ServiceAccount token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SecretType {
    /// No rules about the keys.
    #[default]
    Opaque,
    /// For `imagePullSecrets`; it needs the key `.dockerconfigjson`.
    #[serde(rename = "kubernetes.io/dockerconfigjson")]
    DockerConfigJson,
    /// For Tekton; it needs the keys `username` and `password`.
    #[serde(rename = "kubernetes.io/basic-auth")]
    BasicAuth,
}

impl SecretType {
    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opaque => "Opaque",
            Self::DockerConfigJson => "kubernetes.io/dockerconfigjson",
            Self::BasicAuth => "kubernetes.io/basic-auth",
        }
    }
}

/// One entry of the Secret: the token in the form that one tool reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::template())]
#[x_kube(validation = rules::key_is(Format::BasicAuth, FixedKeys::BASIC_AUTH))]
#[x_kube(validation = rules::key_is(Format::SealEnv, FixedKeys::SEAL_ENV))]
#[x_kube(validation = rules::username_needed())]
#[x_kube(validation = rules::username_used())]
#[x_kube(validation = rules::registry_needed())]
#[x_kube(validation = rules::registry_used())]
#[x_kube(validation = rules::registry_is_url())]
#[x_kube(validation = rules::npm())]
pub struct DataEntry {
    /// Key in the Secret, which is the file's name where the Secret is mounted. Letters, digits, `-`, `_` and `.`, at
    /// most 253. For format BasicAuth it must be `password`, for SealEnv `SEAL_TOKEN`. Example: `.npmrc`.
    #[schemars(length(min = 1, max = names::MAX_LENGTH), regex(pattern = names::KEY))]
    pub key: String,

    /// How the token is written. `Raw`: the token and nothing else. `Npmrc`: for npm and pnpm. `DockerConfigJson`:
    /// for image pulls. `BasicAuth`: two keys, `username` and `password`. `SealEnv`: two keys, `SEAL_TOKEN` and
    /// `SEAL_PROJECT`, for the environment. `Template`: your own text. Example: `Raw`.
    pub format: Format,

    /// User name that goes with the token, at most 255 printable ASCII characters without spaces and colons. Needed
    /// for BasicAuth, DockerConfigJson, SealEnv (the Project ID), and Npmrc with auth Basic; `username` in a Template.
    /// Default: none. Example: `payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[!-9;-~]+$"))]
    pub username: Option<String>,

    /// Where the tool sends the token. For Npmrc the URL of the registry with its path; for DockerConfigJson the host,
    /// or another text that the tool looks up; a Template has it as `host`, without scheme and last slash. Needed for
    /// Npmrc and DockerConfigJson. Default: none. Example: `https://npm.example/`, `registry.example:5000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = "^(https?://)?[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~%@+/-]*)?$")
    )]
    pub registry: Option<String>,

    /// Npmrc: the scopes whose packages come from this registry; 1 to 16. Default: all packages come from it.
    /// Example: `["@payments"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "set"),
        inner(length(min = 2, max = 214), regex(pattern = "^@[a-z0-9~-][a-z0-9._~-]*$"))
    )]
    pub scopes: Option<Vec<String>>,

    /// Npmrc: how npm sends the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<NpmAuth>,

    /// Template: the text to write, at most 8192 characters. It may use Jinja's holes, `if`, `elif`, `else`, `endif`,
    /// comparisons and `~` (join), nothing else. Variables: `token`, `username`, `host`, `id` (of the token at the service, empty
    /// if it has none), `expirationTime` (RFC 3339, empty if the token never expires). Filters: `b64encode`,
    /// `urlencode`, `xml`; `json` and `toml` write a quoted string. Default: none. Example:
    /// `"[seal]\nkey = {{ token | toml }}\n"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub template: Option<String>,
}

/// Npmrc: how npm sends the token. `Bearer`: as it is. `Basic`: as the password of `username`. Default: `Bearer`.
/// Example: `Basic`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NpmAuth {
    /// `Authorization: Bearer TOKEN`.
    #[default]
    Bearer,
    /// `Authorization: Basic`, with the token as the password.
    Basic,
}

/// Values that the API server accepts in labels.
fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        },
    })
}

/// Values of at most 4096 characters: 32 of them stay below the 256 KiB that the API server allows in all.
fn annotations_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096},
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
