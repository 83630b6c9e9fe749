//! The `ClusterTokenService` kind: a service that many namespaces share, and which of them may use it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::token_service::{TokenServiceSpec, TokenServiceStatus};

/// How one service issues, checks, lists and revokes tokens for many namespaces, and with which credential.
///
/// All fields of a TokenService, and `allowedNamespaces`. Its Secrets and ConfigMaps are read in the operator's own
/// namespace only.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "artifact-token.dev",
    version = "v1alpha1",
    kind = "ClusterTokenService",
    plural = "clustertokenservices",
    shortname = "ctsvc",
    category = "artifact-tokens",
    status = "TokenServiceStatus",
    doc = "A ClusterTokenService is a TokenService that many namespaces share: `spec.allowedNamespaces` says which of them may have tokens of it. Its credentials come only from the namespace of the operator.",
    printcolumn = r#"{"name":"READY","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"REASON","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"PRESET","type":"string","jsonPath":".spec.preset"}"#,
    printcolumn = r#"{"name":"ALLOWED","type":"string","jsonPath":".spec.allowedNamespaces.from","description":"Which namespaces may use it"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.baseURL","priority":1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTokenServiceSpec {
    /// The service itself.
    #[serde(flatten)]
    pub service: TokenServiceSpec,
    /// Which namespaces may have new tokens of this service. When a namespace loses this permission, its living tokens
    /// are still verified, and are revoked when they are due. Mutable. Default: no namespace.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
}

/// Which namespaces may use a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("set allowedNamespaces.selector when from is Selector, and only then"))]
#[x_kube(validation = Rule::new("(self.from == 'Names') == has(self.names)")
    .message("set allowedNamespaces.names when from is Names, and only then"))]
pub struct AllowedNamespaces {
    /// `None`: no namespace. `All`: every namespace. `Selector`: those whose labels match `selector`. `Names`: those in
    /// `names`. Default: None.
    #[serde(default)]
    pub from: AllowedFrom,
    /// The labels of the namespaces that may use the service. Everybody who may label a namespace can let it in. Needed
    /// with `Selector`, refused otherwise. Example: `{matchLabels: {artifact-tokens: allowed}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "selector_schema")]
    #[x_kube(validation = Rule::new(
        "(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)")
        .message("an empty selector matches every namespace: if that is meant, set allowedNamespaces.from to All"))]
    pub selector: Option<LabelSelector>,
    /// The names of the namespaces that may use the service; at most 256. Needed with `Names`, refused otherwise.
    /// Example: `[ci, payments]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub names: Option<Vec<String>>,
}

/// How the namespaces are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AllowedFrom {
    /// No namespace.
    #[default]
    None,
    /// Every namespace.
    All,
    /// By their labels.
    Selector,
    /// By their names.
    Names,
}

/// Kubernetes' own label selector, with bounds.
fn selector_schema(_: &mut SchemaGenerator) -> Schema {
    let key = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
    let value = json_schema!({
        "type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
    });
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "type": "object", "maxProperties": 16, "additionalProperties": value.clone(),
                "description": "Labels that a namespace must have, all of them. Default: none. Example: `{team: ci}`.",
            },
            "matchExpressions": {
                "type": "array", "maxItems": 16,
                "description": "Further conditions on the labels, all of which must hold. Default: none. \
                                Example: `[{key: team, operator: Exists}]`.",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == has(self.values)",
                        "message": "set values with the operators In and NotIn, and only then",
                    }],
                    "properties": {
                        "key": {
                            "type": "string", "minLength": 1, "maxLength": 317, "pattern": key,
                            "description": "The label's key. Example: `team`.",
                        },
                        "operator": {
                            "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                            "description": "`In`: the label has one of `values`. `NotIn`: it has none of them, or is \
                                            absent. `Exists`: the label is present. `DoesNotExist`: it is absent.",
                        },
                        "values": {
                            "type": "array", "minItems": 1, "maxItems": 64, "items": value,
                            "description": "Values to compare with. Needed with `In` and `NotIn`, refused otherwise. \
                                            Example: `[ci, qa]`.",
                        },
                    },
                },
            },
        },
    })
}
