//! What the network to a service needs beside its declaration, and what Secrets and ConfigMaps hold of it.

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

/// What a service object refers to beside its credentials.
#[derive(Debug, Default)]
pub struct Material {
    /// More authorities to trust, in PEM.
    pub ca_bundle: Option<Vec<u8>>,
    /// What the operator shows of itself.
    pub client_certificate: Option<ClientCertificate>,
}

/// The certificate and the key that the operator shows to a service.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The certificate, with those between it and its authority, in PEM.
    pub certificate: Vec<u8>,
    /// The private key in PEM.
    pub key: SecretString,
}

impl ClientCertificate {
    /// What a Secret of type `kubernetes.io/tls` has; `None` if that is no text.
    pub fn of(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let key = std::str::from_utf8(&data.get("tls.key")?.0).ok().filter(|key| !key.trim().is_empty())?;
        Some(Self { certificate: data.get("tls.crt")?.0.clone(), key: SecretString::from(key) })
    }
}
