//! What the whole process shares.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};

use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::controller::admin::metrics::Metrics;
use crate::controller::clock::Clock;
use crate::controller::error::PassError;
use crate::controller::pass_backoff::PassBackoff;
use crate::controller::permission;
use crate::controller::registry::{Key, ServiceEntry, Services};
use crate::controller::settings::Settings;
use crate::rotation::desired::Halt;
use crate::service::transport::Transport;

/// The objects of all scopes, as their watches show them: a service that is shared by many namespaces has tokens in all of them.
#[derive(Default)]
pub(crate) struct WatchedTokens(Mutex<Vec<Store<ArtifactToken>>>);

impl WatchedTokens {
    /// Adds the objects of a scope.
    pub(crate) fn include(&self, objects: Store<ArtifactToken>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(objects);
    }

    /// How many objects hold a token of this service.
    pub(crate) fn holders(&self, key: &Key) -> usize {
        self.count(|token| Key::of(token) == *key && current(token).is_some())
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, which leaked.
    pub(crate) fn older_leaks(&self, object: &ArtifactToken, claimed: Time) -> u32 {
        let age =
            |token: &ArtifactToken| current(token).map(|current| (current.claimed_time, token.metadata.uid.clone()));
        let own = (claimed, object.metadata.uid.clone());
        let older = self.count(|other| Key::of(other) == Key::of(object) && age(other).is_some_and(|age| age < own));
        u32::try_from(older).unwrap_or(u32::MAX)
    }

    fn count(&self, counts: impl Fn(&ArtifactToken) -> bool) -> usize {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.iter().map(|store| store.state().iter().filter(|token| counts(token)).count()).sum()
    }
}

fn current(token: &ArtifactToken) -> Option<&Current> {
    token.status.as_ref()?.ledger.current.as_ref()
}

/// What the whole process shares.
pub(crate) struct Shared {
    /// Sends requests to the API server, with a time-out and without retries.
    pub client: Client,
    /// Runs watches of the API server, without a time-out.
    pub watches: Client,
    pub clock: Clock,
    /// What carries requests to the services where it is not the network.
    pub transport: Option<Arc<dyn Transport>>,
    pub settings: Settings,
    /// The namespaces that the operator works in; one `None` stands for all.
    pub scopes: Vec<Option<String>>,
    /// The services as they were checked last.
    pub services: Services,
    /// The objects of all scopes.
    pub objects: WatchedTokens,
    /// All namespaces, for their labels. Empty until they are listed, and where `ClusterTokenService`s are not handled.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    pub metrics: Metrics,
    /// How long each object waits after a failed pass.
    pub pass_backoff: PassBackoff,
}

impl Shared {
    /// The API of the objects in a namespace.
    pub(crate) fn tokens(&self, namespace: &str) -> Api<ArtifactToken> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A live read of all objects, and whether it covers every namespace: an operator that works in some namespaces may not be
    /// allowed to list the others.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn all_tokens(&self) -> Result<(Vec<ArtifactToken>, bool), PassError> {
        let read = |error: &kube::Error| PassError::read("the ArtifactTokens", error);
        let everywhere: Api<ArtifactToken> = Api::all(self.client.clone());
        match everywhere.list(&ListParams::default()).await {
            Ok(list) => return Ok((list.items, true)),
            Err(kube::Error::Api(status)) if status.is_forbidden() => {}
            Err(error) => return Err(read(&error)),
        }
        let mut tokens = Vec::new();
        for namespace in self.scopes.iter().flatten() {
            let list = self.tokens(namespace).list(&ListParams::default()).await;
            tokens.extend(list.map_err(|error| read(&error))?.items);
        }
        Ok((tokens, false))
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
