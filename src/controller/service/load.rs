//! Loads a service object without asking the service: its declaration, and a client with its credential.

use std::collections::BTreeMap;
use std::fmt::Debug;

use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::api::reason::Reason;
use crate::api::token_service::{KeyReference, SecretReference};
use crate::controller::error::PassError;
use crate::controller::registry::ServiceEntry;
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::controller::value_digest::{ValueDigest, digest_of};
use crate::rotation::desired::Halt;
use crate::service::client::ServiceClient;
use crate::service::declaration::Declaration;
use crate::service::errors::ConnectError;
use crate::service::limits::RateLimit;
use crate::service::material::{ClientCertificate, Material};

const NO_OPERATOR_NAMESPACE: &str = "a ClusterTokenService reads its Secrets and ConfigMaps in the operator's own namespace \
     only, and this operator does not know which that is: start it with --operator-namespace";

/// What is known of a service object before anything is read.
fn unread(service: &ServiceObject) -> ServiceEntry {
    ServiceEntry {
        key: service.key.clone(),
        uid: service.uid(),
        generation: service.generation(),
        spec: service.spec.clone(),
        allowed: service.allowed.clone(),
        origin: String::new(),
        declaration: None,
        client: None,
        worked: false,
        halt: None,
        revision: String::new(),
        values: None,
    }
}

/// A service whose Secrets the API server did not show: what is known of it from before, or that it is not read yet.
pub(crate) fn not_loaded(service: &ServiceObject, ctx: &Shared, error: &PassError) -> ServiceEntry {
    if let Some(known) = ctx.services.get_object(&service.key, &service.uid()).filter(|known| known.client.is_some()) {
        return ServiceEntry::clone(&known);
    }
    let message = format!("the {} is not read yet: {error}; tried again", service.key);
    ServiceEntry { halt: Some(Halt::passing(Reason::ServiceNotReady, message)), ..unread(service) }
}

/// Loads what is known of a service without asking it.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn load(service: &ServiceObject, ctx: &Shared) -> Result<ServiceEntry, PassError> {
    let mut entry = unread(service);
    let declaration = match Declaration::check(&service.spec) {
        Ok(declaration) => declaration,
        Err(problem) => {
            entry.halt = Some(Halt::stalled(problem.reason(), problem.to_string()));
            // Keep verifying and revoking living tokens by the last good declaration: the service's address cannot have changed.
            if let Some(old) = ctx.services.get_object(&entry.key, &entry.uid) {
                entry.origin.clone_from(&old.origin);
                (entry.declaration, entry.client) = (old.declaration.clone(), old.client.clone());
                entry.revision.clone_from(&old.revision);
                entry.values = old.values;
            }
            return Ok(entry);
        }
    };
    entry.origin = declaration.origin().to_owned();
    entry.declaration = Some(declaration.clone());
    entry.halt = ctx.services.misdeclaration(&entry).map(|what| Halt::stalled(Reason::InvalidSpec, what));
    let referred = read_referred(service, ctx).await?;
    entry.revision = referred.revision();
    let values = referred.values();
    entry.values = Some(values);
    if referred.unreadable.is_none() {
        ctx.services.credential_read(&entry, values);
    }
    let limit = ctx.services.limit(&entry);
    let Referred { credentials, absent, material, unreadable, .. } = referred;
    let missing = |problem: ConnectError| {
        let why = match &problem {
            ConnectError::MissingCredential { name } => absent.get(name).cloned(),
            ConnectError::CaBundle { .. }
            | ConnectError::ClientCertificate { .. }
            | ConnectError::Proxy { .. }
            | ConnectError::Tls => None,
        };
        Halt::stalled(Reason::CredentialMissing, why.unwrap_or_else(|| problem.to_string()))
    };
    let client = match unreadable {
        Some(halt) => Err(halt),
        None => client(ctx, &entry, declaration, credentials, &material, limit).map_err(missing),
    };
    match client {
        Ok(client) => entry.client = Some(client),
        Err(halt) => {
            let place = ctx.place_of_secrets(&entry.key).filter(|_| entry.key.namespace.is_none());
            let place = place.map(|own| format!(" (in {own}, the operator's own namespace)")).unwrap_or_default();
            entry.halt = Some(Halt { message: halt.message + &place, ..halt });
            // Keep revoking living tokens with the last good credential.
            let old = ctx.services.get_object(&entry.key, &entry.uid);
            entry.client = old.as_ref().and_then(|old| old.client.clone());
            entry.values = old.and_then(|old| old.values);
        }
    }
    Ok(entry)
}

/// A client through the world's transport, if it has one of its own, or else over the network.
fn client(
    ctx: &Shared,
    entry: &ServiceEntry,
    declaration: Declaration,
    credentials: BTreeMap<String, SecretString>,
    material: &Material,
    limit: RateLimit,
) -> Result<ServiceClient, ConnectError> {
    let counts = ctx.metrics.calls.heard_by(ctx.services.heard(entry), entry.key.logged());
    let transport = match &ctx.transport {
        Some(transport) => transport.clone(),
        None => ctx.networks.of(&declaration, entry.key.namespace.as_deref(), &credentials, material)?,
    };
    ServiceClient::through(transport, declaration, credentials, limit, counts)
}

/// The values that a service object refers to, as far as they exist.
#[derive(Default)]
struct Referred {
    credentials: BTreeMap<String, SecretString>,
    /// What to do about each credential that is not there.
    absent: BTreeMap<String, String>,
    versions: Vec<String>,
    material: Material,
    /// Why something could not be read.
    unreadable: Option<Halt>,
}

impl Referred {
    /// A digest of the versions.
    fn revision(&self) -> String {
        let mut hash = Sha256::new();
        for version in &self.versions {
            hash.update(version.as_bytes());
            hash.update([0]);
        }
        hash.update(self.material.ca_bundle.as_deref().unwrap_or_default());
        HEXLOWER.encode(&hash.finalize()[..8])
    }

    /// A digest of the values.
    fn values(&self) -> ValueDigest {
        let mut hash = Sha256::new();
        for (name, value) in &self.credentials {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(digest_of(value));
        }
        hash.update(self.material.ca_bundle.as_deref().unwrap_or_default());
        if let Some(own) = &self.material.client_certificate {
            hash.update(digest_of(&own.key));
            hash.update(Sha256::digest(&own.certificate));
        }
        hash.finalize().into()
    }
}

/// **Invariant:** reads only from the service object's own namespace or, if it has none, from the operator's: never from the
/// namespace of a token.
async fn read_referred(service: &ServiceObject, ctx: &Shared) -> Result<Referred, PassError> {
    let mut referred = Referred::default();
    let connection = &service.spec.connection;
    let refers = connection.ca_bundle_ref.is_some() || connection.client_certificate_ref.is_some();
    if service.spec.credentials.is_empty() && !refers {
        return Ok(referred);
    }
    let Some(namespace) = ctx.place_of_secrets(&service.key) else {
        let halt = Halt::stalled(Reason::CredentialMissing, NO_OPERATOR_NAMESPACE);
        return Ok(Referred { unreadable: Some(halt), ..referred });
    };
    referred.read_credentials(service, &Api::namespaced(ctx.client.clone(), namespace)).await?;
    referred.read_certificate(service, &Api::namespaced(ctx.client.clone(), namespace)).await?;
    referred.read_bundle(service, &Api::namespaced(ctx.client.clone(), namespace)).await?;
    Ok(referred)
}

impl Referred {
    /// Reads the values that `spec.credentials` names, as far as they exist, and the versions of their Secrets.
    async fn read_credentials(&mut self, service: &ServiceObject, api: &Api<Secret>) -> Result<(), PassError> {
        for (name, reference) in &service.spec.credentials {
            let KeyReference { name: of, key } = reference;
            let missing = |what: String| format!("the credential {name} of spec.credentials is missing: {what}");
            let Some(secret) = self.read(api, of, "a credential's Secret").await? else {
                let what = format!("there is no Secret {of}: create its Secret, with the key {key}");
                self.absent.insert(name.clone(), missing(what));
                continue;
            };
            let version = secret.resource_version().unwrap_or_default();
            self.versions.push(format!("{name}:{of}:{version}"));
            let value = secret.data.as_ref().and_then(|data| data.get(key));
            // Editors and `kubectl create --from-file` leave a line break at the end, which no service accepts.
            let text = value.map(|value| std::str::from_utf8(&value.0).map(|text| text.trim_end_matches(['\r', '\n'])));
            let what = match text {
                Some(Ok(text)) if !text.is_empty() => {
                    self.credentials.insert(name.clone(), SecretString::from(text));
                    continue;
                }
                Some(Ok(_)) => format!("the key {key} of the Secret {of} is empty: put the value there"),
                Some(Err(_)) => format!("the key {key} of the Secret {of} is not text in UTF-8: put the value there"),
                None => format!("the Secret {of} has no key {key}: add it, or name another one"),
            };
            self.absent.insert(name.clone(), missing(what));
        }
        Ok(())
    }

    /// Reads the certificate and the key that the operator shows to the service.
    async fn read_certificate(&mut self, service: &ServiceObject, api: &Api<Secret>) -> Result<(), PassError> {
        let Some(SecretReference { name }) = &service.spec.connection.client_certificate_ref else { return Ok(()) };
        let secret = self.read(api, name, "the Secret of the client's certificate").await?;
        let there = secret.is_some();
        if let Some(secret) = &secret {
            self.versions.push(format!("certificate:{name}:{}", secret.resource_version().unwrap_or_default()));
        }
        self.material.client_certificate = secret.and_then(|secret| ClientCertificate::of(&secret));
        if self.material.client_certificate.is_none() {
            let what = if there {
                format!(
                    "the Secret {name} has no text under the keys tls.crt and tls.key: put certificate and key there, in PEM"
                )
            } else {
                format!("there is no Secret {name}: create it with `kubectl create secret tls`")
            };
            let what = format!("spec.connection.clientCertificateRef: {what}");
            self.unreadable.get_or_insert(Halt::stalled(Reason::CredentialMissing, what));
        }
        Ok(())
    }

    async fn read_bundle(&mut self, service: &ServiceObject, api: &Api<ConfigMap>) -> Result<(), PassError> {
        let Some(KeyReference { name, key }) = &service.spec.connection.ca_bundle_ref else { return Ok(()) };
        let map = self.read(api, name, "the CA bundle's ConfigMap").await?;
        let there = map.is_some();
        self.material.ca_bundle = map.and_then(|map| map.data?.remove(key)).map(String::into_bytes);
        if self.material.ca_bundle.is_none() {
            let what = if there {
                format!("the ConfigMap {name} has no key {key} with text: add it, or name another one")
            } else {
                format!("there is no ConfigMap {name}: create it, with the certificates in PEM under the key {key}")
            };
            let what = format!("spec.connection.caBundleRef: {what}");
            self.unreadable.get_or_insert(Halt::stalled(Reason::CredentialMissing, what));
        }
        Ok(())
    }

    /// One object, if it exists and may be read. That it may not be read is noted.
    async fn read<K>(&mut self, api: &Api<K>, name: &str, what: &'static str) -> Result<Option<K>, PassError>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        match api.get_opt(name).await {
            Ok(found) => Ok(found),
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                // The right may be missing, or the API server may not know its own rules yet: it is asked again soon.
                let problem = format!("{what} {name} cannot be read: {}; asked again every 15 s", status.message);
                self.unreadable.get_or_insert(Halt::passing(Reason::CredentialMissing, problem));
                Ok(None)
            }
            Err(error) => Err(PassError::read(what, &error)),
        }
    }
}
