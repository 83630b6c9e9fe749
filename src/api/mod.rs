//! The types that users write and read, exactly as on the wire: one file per kind.
//!
//! Nothing here decides anything. `crate::controller` checks these wire types and turns them into what
//! `crate::rotation::desired` describes.

pub mod artifact_token;
pub mod cluster_token_service;
pub mod condition;
pub mod duration;
pub mod ids;
pub mod ledger;
pub mod names;
pub mod operation;
pub mod parameters;
pub mod reason;
pub mod schema;
pub mod secret_template;
pub mod time;
pub mod token_service;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The API group of every kind, annotation and label of this operator.
pub const GROUP: &str = "artifact-token.dev";

/// The field manager of every write. It never changes, so that GitOps tools can tell our fields from theirs.
pub const FIELD_MANAGER: &str = "artifact-token-operator";

/// The finalizer that P1 puts on an `ArtifactToken` before anything happens at the service.
pub const FINALIZER: &str = "artifact-token.dev/revoke";

/// The finalizer on a service object while tokens of it may live.
pub const SERVICE_FINALIZER: &str = "artifact-token.dev/tokens";

/// The custom resource definitions as they are installed, in the order of `crds/`: derived from the types, then fixed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let kinds = [
        artifact_token::ArtifactToken::crd(),
        cluster_token_service::ClusterTokenService::crd(),
        token_service::TokenService::crd(),
    ];
    kinds.into_iter().map(schema::fix).collect()
}
