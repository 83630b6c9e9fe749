//! What all passes share.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};

use crate::api::artifact_token::ArtifactToken;
use crate::api::time::Time;
use crate::controller::admin::Metrics;
use crate::controller::allowed;
use crate::controller::clock::Clock;
use crate::controller::memories::Memories;
use crate::controller::perform::PassError;
use crate::controller::secret_index::SecretIndex;
use crate::controller::services::{Key, ServiceEntry, Services};
use crate::controller::watches::Listed;
use crate::rotation::desired::{Halt, Timings};

/// The operator's own settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a fresh token may be unknown to its service.
    pub token_settle: Duration,
    /// What lies between each two deadlines of the protocol.
    pub margin: Duration,
    /// The first delay of every back-off.
    pub first_retry: Duration,
    /// The overlap where neither token nor service says one.
    pub default_overlap: Duration,
    /// The namespace in which this operator runs: the only one whose Secrets a `ClusterTokenService` may name.
    pub operator_namespace: Option<String>,
    /// Whether `ClusterTokenService`s are kept, too.
    pub cluster_services: bool,
}

impl Settings {
    /// The protocol's times for a service whose *generate* may take so long.
    pub fn timings(&self, generate_timeout: Duration) -> Timings {
        Timings::derive(generate_timeout, self.token_settle, self.margin, self.first_retry)
    }
}

/// What the whole process shares.
pub struct Shared {
    /// Requests to the API server; no retries of its own, and a time-out.
    pub client: Client,
    /// Watches of the API server; without a time-out.
    pub watches: Client,
    /// The API server's clock.
    pub clock: Clock,
    /// Settings.
    pub settings: Settings,
    /// The namespaces that are kept; `None` for all.
    pub scopes: Vec<Option<String>>,
    /// The services as they were checked last.
    pub services: Services,
    /// All namespaces, for their labels; empty until they are listed, and where no `ClusterTokenService` is kept.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Counters.
    pub metrics: Metrics,
}

impl Shared {
    /// The objects of a namespace.
    pub fn tokens(&self, namespace: &str) -> Api<ArtifactToken> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// All objects, by a live read, and whether these are all: an operator of some namespaces may not be allowed to see the others.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn all_tokens(&self) -> Result<(Vec<ArtifactToken>, bool), PassError> {
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

    /// Where the Secrets and ConfigMaps lie that a service object refers to.
    pub fn place_of_secrets<'a>(&'a self, key: &'a Key) -> Option<&'a str> {
        key.namespace.as_deref().or(self.settings.operator_namespace.as_deref())
    }

    /// Why the namespace of `object` may have no new token of `service`, if so.
    pub fn forbidden(&self, service: &ServiceEntry, object: &ArtifactToken) -> Option<Halt> {
        let name = object.namespace().unwrap_or_default();
        let namespace = self.namespaces.get(&ObjectRef::new(&name));
        allowed::forbidden(service, &name, namespace.as_ref().map(|namespace| namespace.labels()))
    }
}

/// What all passes over the tokens of one scope share: a namespace, or all.
pub struct Context {
    /// What the whole process shares.
    pub shared: Arc<Shared>,
    /// Names and versions of our Secrets.
    pub secrets: SecretIndex,
    /// What this process knows of each object.
    pub memories: Memories,
    /// All objects, for the rule that two may not share a Secret.
    pub objects: Store<ArtifactToken>,
    /// When they were last listed.
    pub listed: Listed,
}

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Context {
    /// The Secrets of a namespace.
    pub fn secrets_in(&self, namespace: &str) -> Api<k8s_openapi::api::core::v1::Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// How many objects hold a token of this service.
    pub fn holders(&self, key: &Key) -> usize {
        let holds = |token: &&Arc<ArtifactToken>| {
            Key::of(token) == *key && token.status.as_ref().is_some_and(|status| status.ledger.current.is_some())
        };
        self.objects.state().iter().filter(holds).count()
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, which leaked.
    pub fn older_leaks(&self, object: &ArtifactToken, claimed: Time) -> u32 {
        let current =
            |token: &ArtifactToken| token.status.as_ref()?.ledger.current.as_ref().map(|current| current.claimed_time);
        let age = |token: &ArtifactToken| current(token).map(|time| (time, token.metadata.uid.clone()));
        let own = (claimed, object.metadata.uid.clone());
        let older =
            |other: &&Arc<ArtifactToken>| Key::of(other) == Key::of(object) && age(other).is_some_and(|age| age < own);
        u32::try_from(self.objects.state().iter().filter(older).count()).unwrap_or(u32::MAX)
    }

    /// Another object of this namespace that keeps the same Secret and is older, if there is one.
    pub fn older_rival(&self, object: &ArtifactToken) -> Option<Arc<ArtifactToken>> {
        let meta = &object.metadata;
        let age = |meta: &kube::core::ObjectMeta| (meta.creation_timestamp.clone(), meta.uid.clone());
        self.objects.find(|other| {
            other.metadata.uid != meta.uid
                && other.metadata.namespace == meta.namespace
                && other.spec.secret.name == object.spec.secret.name
                && age(&other.metadata) < age(meta)
        })
    }
}
