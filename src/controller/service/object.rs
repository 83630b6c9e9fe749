//! One view of a service object of either kind: what the checks read from it and write to it.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::{Api, Client};
use serde_json::json;

use crate::api::artifact_token::ServiceKind;
use crate::api::cluster_token_service::{AllowedNamespaces, ClusterTokenService};
use crate::api::names;
use crate::api::time::Time;
use crate::api::token_service::sweep::LastSweep;
use crate::api::token_service::{TokenService, TokenServiceSpec, TokenServiceStatus};
use crate::api::{FIELD_MANAGER, SERVICE_FINALIZER};
use crate::controller::error::PassError;
use crate::controller::registry::Key;

/// A `TokenService` or a `ClusterTokenService`.
#[derive(Clone, Debug)]
pub(crate) struct ServiceObject {
    pub key: Key,
    /// Its metadata, in the newest version that is known.
    pub meta: ObjectMeta,
    /// The spec that both kinds have.
    pub spec: TokenServiceSpec,
    /// The namespaces that may use it; only a `ClusterTokenService` has them.
    pub allowed: Option<AllowedNamespaces>,
    /// The result of the check before.
    pub status: Option<TokenServiceStatus>,
}

impl From<&TokenService> for ServiceObject {
    fn from(object: &TokenService) -> Self {
        let meta = object.metadata.clone();
        let namespace = Some(meta.namespace.clone().unwrap_or_default());
        let key = Key { namespace, name: meta.name.clone().unwrap_or_default() };
        Self { key, meta, spec: object.spec.clone(), allowed: None, status: object.status.clone() }
    }
}

impl From<&ClusterTokenService> for ServiceObject {
    fn from(object: &ClusterTokenService) -> Self {
        let meta = object.metadata.clone();
        let key = Key { namespace: None, name: meta.name.clone().unwrap_or_default() };
        let allowed = Some(object.spec.allowed_namespaces.clone());
        Self { key, meta, spec: object.spec.service.clone(), allowed, status: object.status.clone() }
    }
}

impl ServiceObject {
    /// Its uid; an object from the API server always has one.
    pub(crate) fn uid(&self) -> String {
        self.meta.uid.clone().unwrap_or_default()
    }

    pub(crate) fn generation(&self) -> i64 {
        self.meta.generation.unwrap_or_default()
    }

    /// What its last sweep found.
    pub(crate) fn last_sweep(&self) -> Option<&LastSweep> {
        self.status.as_ref().and_then(|status| status.last_sweep.as_ref())
    }

    /// When it was created; an object from the API server always has this time.
    pub(crate) fn created(&self) -> Option<Time> {
        self.meta.creation_timestamp.as_ref().map(Time::from)
    }

    /// What an event about it refers to.
    pub(crate) fn reference(&self) -> ObjectReference {
        let resource = self.resource();
        ObjectReference {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            namespace: self.key.namespace.clone(),
            name: Some(self.key.name.clone()),
            uid: Some(self.uid()),
            ..ObjectReference::default()
        }
    }

    /// The names of the Secrets with its credentials and its certificate, and of the ConfigMap with its authorities, as far as an object can
    /// have that name.
    pub(crate) fn references(&self) -> (Vec<&str>, Option<&str>) {
        let connection = &self.spec.connection;
        let secrets = self.spec.credentials.values().map(|reference| reference.name.as_str());
        let certificate = connection.client_certificate_ref.iter().map(|reference| reference.name.as_str());
        let bundle = connection.ca_bundle_ref.as_ref().map(|reference| reference.name.as_str());
        (
            secrets.chain(certificate).filter(|name| names::is_name(name)).collect(),
            bundle.filter(|name| names::is_name(name)),
        )
    }

    /// Whether our finalizer is there.
    pub(crate) fn has_finalizer(&self) -> bool {
        self.meta.finalizers.iter().flatten().any(|name| name == SERVICE_FINALIZER)
    }

    /// Adds our finalizer, if it is not there.
    ///
    /// # Errors
    /// When the API server rejects the patch.
    pub(crate) async fn add_finalizer(&mut self, client: &Client) -> Result<(), PassError> {
        if self.has_finalizer() {
            return Ok(());
        }
        let mut names = self.meta.finalizers.clone().unwrap_or_default();
        names.push(SERVICE_FINALIZER.to_owned());
        self.patch_finalizers(names, client).await
    }

    /// Removes our finalizer.
    ///
    /// # Errors
    /// When the API server rejects the patch.
    pub(crate) async fn remove_finalizer(&mut self, client: &Client) -> Result<(), PassError> {
        let names = self.meta.finalizers.iter().flatten().filter(|name| *name != SERVICE_FINALIZER).cloned().collect();
        self.patch_finalizers(names, client).await
    }

    async fn patch_finalizers(&mut self, names: Vec<String>, client: &Client) -> Result<(), PassError> {
        let patch = json!({"metadata": {"resourceVersion": self.meta.resource_version, "finalizers": names}});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.api(client).patch(&self.key.name, &params, &Patch::Merge(patch)).await;
        self.meta = patched.map_err(|error| PassError::record("the finalizers of a service object", &error))?.metadata;
        Ok(())
    }

    /// Writes the whole status, checked against the version of this object. Nothing is written where somebody changed the object
    /// meanwhile: the event of that change triggers the next check. Returns the version that was written.
    ///
    /// # Errors
    /// When the API server rejects it.
    pub(crate) async fn write_status(
        &self,
        status: &TokenServiceStatus,
        client: &Client,
    ) -> Result<Option<String>, PassError> {
        let metadata = ObjectMeta { managed_fields: None, ..self.meta.clone() };
        let mut object = DynamicObject::new(&self.key.name, &self.resource()).data(json!({"status": status}));
        object.metadata = metadata;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.api(client).replace_status(&self.key.name, &params, &object).await {
            Ok(written) => Ok(written.metadata.resource_version),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(None),
            Err(error) => Err(PassError::record("the status of a service object", &error)),
        }
    }

    fn api(&self, client: &Client) -> Api<DynamicObject> {
        match &self.key.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.resource()),
            None => Api::all_with(client.clone(), &self.resource()),
        }
    }

    fn resource(&self) -> ApiResource {
        match self.key.kind() {
            ServiceKind::TokenService => ApiResource::erase::<TokenService>(&()),
            ServiceKind::ClusterTokenService => ApiResource::erase::<ClusterTokenService>(&()),
        }
    }
}
