//! Loads a service object without asking the service: its declaration, and a client with its credential.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::registry::ServiceEntry;
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;
use crate::service::client::ServiceClient;
use crate::service::declaration::Declaration;
use crate::service::errors::ConnectError;
use crate::service::limits::RateLimit;

const NO_OPERATOR_NAMESPACE: &str = "a ClusterTokenService reads its Secrets and ConfigMaps in the operator's own namespace \
     only, and this operator does not know which that is: start it with --operator-namespace";

/// Loads what is known of a service without asking it.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn load(service: &ServiceObject, ctx: &Shared) -> Result<ServiceEntry, PassError> {
    let mut entry = ServiceEntry {
        key: service.key.clone(),
        uid: service.uid(),
        generation: service.generation(),
        spec: service.spec.clone(),
        allowed: service.allowed.clone(),
        origin: String::new(),
        declaration: None,
        client: None,
        halt: None,
        revision: String::new(),
    };
    let declaration = match Declaration::check(&service.spec) {
        Ok(declaration) => declaration,
        Err(problem) => {
            entry.halt = Some(Halt::stalled(problem.reason(), problem.to_string()));
            // Keep verifying and revoking living tokens by the last good declaration: the service's address cannot have changed.
            if let Some(old) = ctx.services.get_object(&entry.key, &entry.uid) {
                entry.origin.clone_from(&old.origin);
                (entry.declaration, entry.client) = (old.declaration.clone(), old.client.clone());
                entry.revision.clone_from(&old.revision);
            }
            return Ok(entry);
        }
    };
    entry.origin = declaration.origin().to_owned();
    entry.declaration = Some(declaration.clone());
    let referred = read_referred(service, ctx).await?;
    entry.revision = referred.revision();
    let limit = ctx.services.limit(&entry);
    let Referred { credentials, bundle, unread, .. } = referred;
    let client = match unread {
        Some(problem) => Err(problem.to_owned()),
        None => client(ctx, declaration, credentials, bundle, limit).map_err(|problem| problem.to_string()),
    };
    match client {
        Ok(client) => entry.client = Some(client),
        Err(problem) => {
            let place = ctx.place_of_secrets(&entry.key).filter(|_| entry.key.namespace.is_none());
            let place = place.map(|own| format!(" (in {own}, the operator's own namespace)")).unwrap_or_default();
            entry.halt = Some(Halt::stalled(Reason::CredentialMissing, problem + &place));
            // Keep revoking living tokens with the last good credential.
            let old = ctx.services.get_object(&entry.key, &entry.uid);
            entry.client = old.and_then(|old| old.client.clone());
        }
    }
    Ok(entry)
}

/// A client through the world's transport, if it has one of its own, or else over the network.
fn client(
    ctx: &Shared,
    declaration: Declaration,
    credentials: BTreeMap<String, SecretString>,
    bundle: Option<Vec<u8>>,
    limit: RateLimit,
) -> Result<ServiceClient, ConnectError> {
    let counts = ctx.metrics.calls.clone();
    match &ctx.transport {
        Some(transport) => ServiceClient::through(transport.clone(), declaration, credentials, limit, counts),
        None => ServiceClient::new(declaration, credentials, bundle, limit, counts),
    }
}

/// The values that a service object refers to, as far as they exist.
#[derive(Default)]
struct Referred {
    credentials: BTreeMap<String, SecretString>,
    versions: Vec<String>,
    bundle: Option<Vec<u8>>,
    /// Why nothing could be read at all.
    unread: Option<&'static str>,
}

impl Referred {
    /// A digest of the versions.
    fn revision(&self) -> String {
        let mut hash = Sha256::new();
        for version in &self.versions {
            hash.update(version.as_bytes());
            hash.update([0]);
        }
        hash.update(self.bundle.as_deref().unwrap_or_default());
        HEXLOWER.encode(&hash.finalize()[..8])
    }
}

/// **Invariant:** reads only from the service object's own namespace or, if it has none, from the operator's: never from the
/// namespace of a token.
async fn read_referred(service: &ServiceObject, ctx: &Shared) -> Result<Referred, PassError> {
    let (secrets, bundle) = service.references();
    if secrets.is_empty() && bundle.is_none() {
        return Ok(Referred::default());
    }
    let Some(namespace) = ctx.place_of_secrets(&service.key) else {
        return Ok(Referred { unread: Some(NO_OPERATOR_NAMESPACE), ..Referred::default() });
    };
    let (credentials, versions) = credentials(service, namespace, ctx).await?;
    let bundle = self::bundle(service, namespace, ctx).await?;
    Ok(Referred { credentials, versions, bundle, unread: None })
}

/// The values that `spec.credentials` names, as far as they exist, and the versions of their Secrets.
async fn credentials(
    service: &ServiceObject,
    namespace: &str,
    ctx: &Shared,
) -> Result<(BTreeMap<String, SecretString>, Vec<String>), PassError> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let (mut values, mut versions) = (BTreeMap::new(), Vec::new());
    for (name, reference) in &service.spec.credentials {
        let read = api.get_opt(&reference.name).await;
        let read = read.map_err(|error| PassError::read("a credential's Secret", &error))?;
        let Some(secret) = read else { continue };
        versions.push(format!("{name}:{}:{}", reference.name, secret.resource_version().unwrap_or_default()));
        let value = secret.data.as_ref().and_then(|data| data.get(&reference.key));
        // Editors and `kubectl create --from-file` leave a line break at the end, which no service accepts.
        let text =
            value.and_then(|value| std::str::from_utf8(&value.0).ok()).map(|text| text.trim_end_matches(['\r', '\n']));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            values.insert(name.clone(), SecretString::from(text));
        }
    }
    Ok((values, versions))
}

async fn bundle(service: &ServiceObject, namespace: &str, ctx: &Shared) -> Result<Option<Vec<u8>>, PassError> {
    let Some(reference) = &service.spec.connection.ca_bundle_ref else { return Ok(None) };
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), namespace);
    let read = api.get_opt(&reference.name).await;
    let map = read.map_err(|error| PassError::read("the CA bundle's ConfigMap", &error))?;
    let text = map.and_then(|map| map.data?.remove(&reference.key)).unwrap_or_default();
    Ok(Some(text.into_bytes()))
}
