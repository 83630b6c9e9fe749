//! What the whole process shares.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};

use crate::api::artifact_token::ArtifactToken;
use crate::controller::admin::health::Health;
use crate::controller::admin::metrics::Metrics;
use crate::controller::clock::Clock;
use crate::controller::error::PassError;
use crate::controller::leadership::Leadership;
use crate::controller::live_tokens::{LiveTokens, SharedReads};
use crate::controller::objects::Objects;
use crate::controller::pass_backoff::PassBackoff;
use crate::controller::permission;
use crate::controller::registry::{Key, ServiceEntry, Services};
use crate::controller::settings::Settings;
use crate::rotation::desired::Halt;
use crate::service::networks::Networks;
use crate::service::transport::Transport;

/// What the whole process shares.
pub(crate) struct Shared {
    /// Sends requests to the API server, with a time-out and without retries.
    pub client: Client,
    /// Runs watches of the API server, without a time-out.
    pub watches: Client,
    pub clock: Clock,
    /// What carries requests to the services where it is not the network.
    pub transport: Option<Arc<dyn Transport>>,
    /// The ways to the services over the network.
    pub networks: Networks,
    pub settings: Settings,
    /// Whether passes, checks and sweeps may begin.
    pub leadership: Leadership,
    /// The namespaces that the operator works in; one `None` stands for all.
    pub scopes: Vec<Option<String>>,
    /// The services as they were checked last.
    pub services: Services,
    /// All namespaces, for their labels. Empty until they are listed, and where `ClusterTokenService`s are not handled.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    pub metrics: Metrics,
    /// Which caches are filled, and which loops live.
    pub health: Health,
    /// The objects of all scopes, as the watches show them.
    pub objects: Objects,
    /// The live reads of all objects.
    pub live_reads: SharedReads,
    /// How long each object waits after a failed pass.
    pub pass_backoff: PassBackoff,
}

impl Shared {
    /// The API of the objects in a namespace.
    pub(crate) fn tokens(&self, namespace: &str) -> Api<ArtifactToken> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A live read of all objects that begins after this call.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn live_tokens(&self) -> Result<Arc<LiveTokens>, PassError> {
        self.live_reads.read(&self.client, &self.scopes).await
    }

    /// Makes passes over the object with this uid look for tokens that its ledger does not know. Whoever goes is cleared once the index
    /// does not have it any more, so nothing is kept of an object that went meanwhile.
    pub(crate) fn suspect(&self, uid: &str) {
        self.services.suspect(uid);
        if !self.objects.has(uid) {
            self.services.cleared(uid);
        }
    }

    /// The namespace of the Secrets and ConfigMaps that a service object refers to.
    pub(crate) fn place_of_secrets<'a>(&'a self, key: &'a Key) -> Option<&'a str> {
        key.namespace.as_deref().or(self.settings.operator_namespace.as_deref())
    }

    /// Why the namespace of `object` may not have new tokens of `service`; `None` if it may.
    pub(crate) fn forbidden(&self, service: &ServiceEntry, object: &ArtifactToken) -> Option<Halt> {
        let name = object.namespace().unwrap_or_default();
        let namespace = self.namespaces.get(&ObjectRef::new(&name));
        permission::forbidden(service, &name, namespace.as_ref().map(|namespace| namespace.labels()))
    }
}
