//! The `ArtifactToken` kind: "keep a valid token of this service in that Secret of this namespace".

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::GoDuration;
use super::ledger::ArtifactTokenStatus;
use super::parameters::{Lifetime, Parameters, parameters_schema};
use super::secret_template::SecretTemplate;
use super::time::Time;

/// Ask for a rotation now: a change to a non-empty value fires once.
pub const ROTATE_REQUESTED_AT: &str = "artifact-token.dev/rotate-requested-at";
/// Ask the operator to check the Secret and the service again now: a change to a non-empty value fires once.
pub const RECONCILE_REQUESTED_AT: &str = "artifact-token.dev/reconcile-requested-at";
/// Confirm that this object is the only one of its identity, after `IdentityConflict`: a change to a non-empty value fires once.
pub const CONFIRM_IDENTITY: &str = "artifact-token.dev/confirm-identity";
/// Let a deletion end although the service cannot be asked to revoke the tokens: `"true"`.
pub const SKIP_REVOCATION: &str = "artifact-token.dev/skip-revocation";

/// Keeps a valid token of a service in a Secret of this namespace: generates it, updates the Secret, verifies it, and only
/// then revokes the previous one. On deletion it revokes the tokens.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "artifact-token.dev",
    version = "v1alpha1",
    kind = "ArtifactToken",
    plural = "artifacttokens",
    shortname = "atok",
    category = "artifact-tokens",
    namespaced,
    status = "ArtifactTokenStatus",
    derive = "PartialEq",
    doc = "An ArtifactToken keeps a valid token of an artifact or API service in a Secret of its namespace. The operator generates the token, updates the Secret, verifies that the service accepts what the Secret holds, and only then revokes the previous token. Deleting the object revokes its tokens and deletes the Secret.",
    selectable = ".spec.serviceRef.name",
    selectable = ".spec.serviceRef.kind",
    selectable = ".spec.secret.name",
    printcolumn = r#"{"name":"READY","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the Secret holds a verified token"}"#,
    printcolumn = r#"{"name":"STATUS","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason","description":"The reason of the Ready condition"}"#,
    printcolumn = r#"{"name":"SECRET","type":"string","jsonPath":".spec.secret.name","description":"The Secret that holds the token"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"EXPIRES","type":"string","jsonPath":".status.current.expirationTime","description":"When the token expires at the service; empty if never","priority":1}"#,
    printcolumn = r#"{"name":"SERVICE","type":"string","jsonPath":".spec.serviceRef.name","priority":1}"#,
    printcolumn = r#"{"name":"ATTEMPT","type":"integer","jsonPath":".status.current.attempt","priority":1}"#,
    printcolumn = r#"{"name":"ISSUED","type":"date","jsonPath":".status.current.issuedTime","priority":1}"#,
    printcolumn = r#"{"name":"NEXT-ROTATION","type":"string","jsonPath":".status.nextRotationTime","priority":1}"#,
    printcolumn = r#"{"name":"LAST-USED","type":"date","jsonPath":".status.current.lastUsedTime","description":"When the token was last used, as the list of the service says; verifications count","priority":1}"#,
    printcolumn = r#"{"name":"HINT","type":"string","jsonPath":".status.current.hint","priority":1}"#,
    printcolumn = r#"{"name":"SUSPENDED","type":"boolean","jsonPath":".spec.suspend","priority":1}"#,
    printcolumn = r#"{"name":"MESSAGE","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].message","priority":1}"#,
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name is a part of other names: use at most 63 characters"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.serviceRef == oldSelf.serviceRef").message("spec.serviceRef is immutable: create a new ArtifactToken and delete this one after its consumers moved"),
    validation = Rule::new("self.secret.name == oldSelf.secret.name").message("spec.secret.name is immutable: create a new ArtifactToken and delete this one after its consumers moved"),
    validation = Rule::new("(has(self.secret.type) ? self.secret.type : 'Opaque') == (has(oldSelf.secret.type) ? oldSelf.secret.type : 'Opaque')").message("spec.secret.type is immutable: create a new ArtifactToken and delete this one after its consumers moved"),
    validation = Rule::new("!has(self.lifetime) || self.lifetime == 'Never' || !has(self.rotation.rotateBefore) || duration(self.rotation.rotateBefore) < duration(self.lifetime)").message("spec.rotation.rotateBefore must be shorter than spec.lifetime: else every token is due as soon as it is generated"),
)]
pub struct ArtifactTokenSpec {
    /// The service that issues the token. Immutable.
    /// Example: `{name: internal-registry}`
    pub service_ref: ServiceReference,
    /// A text for people in the token's name at the service, after the operator's own part. Letters, digits, spaces
    /// and `. _ -`. A change applies from the next rotation on. Default: namespace/name of this object.
    /// Example: `ci main pipelines`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9 ._-]*$"))]
    pub display_name: Option<String>,
    /// Parameters of the token, each a string or a list of strings. The service's preset declares which ones there are.
    /// A change generates a new token. Default: the service object's `defaults.parameters`.
    /// Example: `{scopes: [read]}`
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    #[schemars(schema_with = "parameters_schema")]
    pub parameters: Parameters,
    /// How long the token lives at the service: `Never` (it does not expire) or a duration. The operator never rounds: it
    /// reports a lifetime that the service cannot give as `Stalled/UnsupportedLifetime`. A change generates a new token.
    /// Default: the service object's `defaults.lifetime`, else `Never`. Example: `2160h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// When and how the token is replaced.
    pub rotation: Rotation,
    /// How the operator makes sure that the token works.
    #[serde(default)]
    pub verification: Verification,
    /// What happens to the tokens when this object is deleted.
    #[serde(default)]
    pub deletion: Deletion,
    /// While true, no new token is generated. Repair of the Secret, verification, revokes and deletion go on. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// The Secret that holds the token, in this namespace.
    pub secret: SecretTemplate,
}

/// Which service object issues the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceReference {
    /// The kind of the service object: a `TokenService` of this namespace, or a `ClusterTokenService` that allows this
    /// namespace. Default: TokenService.
    #[serde(default)]
    pub kind: ServiceKind,
    /// Its name. Example: `internal-registry`
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The kinds of service object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ServiceKind {
    /// A service object of the same namespace.
    #[default]
    TokenService,
    /// A service object of the whole cluster.
    ClusterTokenService,
}

impl ServiceKind {
    /// The name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenService => "TokenService",
            Self::ClusterTokenService => "ClusterTokenService",
        }
    }
}

/// When and how the token is replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.policy == 'Periodic' ? has(self.interval) : !has(self.interval)").message("spec.rotation.interval is needed with policy Periodic, and must be absent with policy Disabled"),
    validation = Rule::new("!has(self.interval) || duration(self.interval) >= duration('10s')").message("spec.rotation.interval must be at least 10s; the service object's constraints.minimumInterval (default 1h) applies, too"),
    validation = Rule::new("!has(self.interval) || !has(self.overlap) || duration(self.overlap) < duration(self.interval)").message("spec.rotation.overlap must be shorter than spec.rotation.interval: else old tokens pile up"),
)]
pub struct Rotation {
    /// `Periodic`: a new token every `interval`. `Disabled`: a new token only before an expiry (`rotateBefore`), when the
    /// token stops working, when the spec asks for another token, or on request.
    pub policy: RotationPolicy,
    /// How old a token gets before it is replaced: at least 10s, and at least the service object's
    /// `constraints.minimumInterval` (default 1h). To spread the rotations of many objects, each comes early by up to a
    /// tenth of the interval (at most 1h). Required with `Periodic`, refused with `Disabled`. Example: `720h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// How long before its expiry at the service the token is replaced. Default: a third of its lifetime, if it expires.
    /// Example: `336h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_before: Option<GoDuration>,
    /// How long the old token stays valid after the new one was verified. Make it longer than your longest CI job: a job that
    /// read the old token must be able to end. Default: the service object's `defaults.overlap`, else 10m. Example: `6h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<GoDuration>,
    /// "Rotate now" by commit: a token claimed before this time (RFC 3339) is replaced, once, with the usual overlap. A time
    /// in the future takes effect when it comes. Default: none. Example: `2026-11-01T00:00:00Z`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_issued_before: Option<Time>,
    /// "It leaked": tokens claimed before this time (RFC 3339) are revoked at once, without overlap, and then replaced; consumers
    /// hold a dead token until they have the replacement. `suspend` does not delay this. A time in the future counts as now. Fires
    /// once; another time fires again. Default: none. Example: `2026-11-01T00:00:00Z`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_issued_before: Option<Time>,
}

/// Whether tokens are replaced by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RotationPolicy {
    /// A new token every interval.
    Periodic,
    /// Tokens are not replaced by age.
    Disabled,
}

/// How the operator makes sure that the token works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// `Required`: the service must accept a token before its predecessor is revoked. `Disabled`: a published token counts as
    /// verified, and Ready's reason is TokenUnverified. Default: Required.
    #[serde(default)]
    pub probe: Probe,
    /// How often the current token is verified again. At least 1s. Default: 12h. Example: `1h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s')")
        .message("spec.verification.interval must be at least 1s"))]
    pub interval: Option<GoDuration>,
}

/// Whether the service is asked to accept the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Probe {
    /// The service must accept the token.
    #[default]
    Required,
    /// The service is not asked.
    Disabled,
}

/// What happens to the tokens when the object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deletion {
    /// `Revoke`: the tokens are revoked and proved dead, then the Secret is deleted. `Orphan`: tokens and Secret stay, and a
    /// Warning event says so. Default: Revoke.
    #[serde(default)]
    pub policy: DeletionPolicy,
}

/// What happens to the tokens when the object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The tokens are revoked.
    #[default]
    Revoke,
    /// The tokens stay.
    Orphan,
}
