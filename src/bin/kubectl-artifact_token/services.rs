//! The service object of an ArtifactToken, as far as this person may read it.

use artifact_token_operator::api::artifact_token::{ServiceKind, ServiceReference};
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::condition::{Condition, ConditionType};
use artifact_token_operator::api::token_service::{TokenService, TokenServiceSpec, TokenServiceStatus};
use kube::Client;
use kube::api::Api;

/// A service object of either kind.
#[derive(Clone, Debug)]
pub struct Service {
    pub spec: TokenServiceSpec,
    pub status: TokenServiceStatus,
}

impl Service {
    /// Its condition `Ready`.
    pub fn ready(&self) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready)
    }
}

impl From<TokenService> for Service {
    fn from(object: TokenService) -> Self {
        Self { spec: object.spec, status: object.status.unwrap_or_default() }
    }
}

impl From<ClusterTokenService> for Service {
    fn from(object: ClusterTokenService) -> Self {
        Self { spec: object.spec.service, status: object.status.unwrap_or_default() }
    }
}

/// The service object that an object of this namespace names. `None` if it is not there.
///
/// # Errors
/// When it cannot be read, for example because the person may not.
pub async fn service(client: &Client, namespace: &str, reference: &ServiceReference) -> kube::Result<Option<Service>> {
    match reference.kind {
        ServiceKind::TokenService => {
            let api: Api<TokenService> = Api::namespaced(client.clone(), namespace);
            Ok(api.get_opt(&reference.name).await?.map(Service::from))
        }
        ServiceKind::ClusterTokenService => {
            let api: Api<ClusterTokenService> = Api::all(client.clone());
            Ok(api.get_opt(&reference.name).await?.map(Service::from))
        }
    }
}
