//! Which servers are trusted: those with a certificate from an authority of the system or of the CA bundle, and one whose
//! own certificate stands in the bundle.
//!
//! `openssl req -x509` and many appliances make a self-signed certificate that is marked as an authority. WebPKI refuses such
//! a certificate as a server's own. A person who puts this very certificate into the bundle means this very server.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use secrecy::ExposeSecret;

use crate::service::errors::ConnectError;
use crate::service::material::ClientCertificate;

/// The TLS of a client that trusts the authorities of the system and the certificates of this bundle (PEM), if there is one, and shows a
/// certificate of its own, if it has one.
pub(in crate::service) fn config(
    bundle: Option<&[u8]>,
    own: Option<&ClientCertificate>,
) -> Result<ClientConfig, ConnectError> {
    let bundle = bundle.map(certificates).transpose()?.unwrap_or_default();
    let broken = if bundle.is_empty() {
        ConnectError::Tls
    } else {
        ConnectError::CaBundle { why: "a certificate in it is broken" }
    };
    let provider = Arc::new(default_provider());
    let authorities = Verifier::new_with_extra_roots(bundle.iter().cloned(), provider.clone());
    let authorities = authorities.map_err(|_| broken)?;
    let trust = Trust { authorities, bundle };
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|_| ConnectError::Tls)?.dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(trust));
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => shown(builder, own)?,
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether certificate and key belong together is only known once a service has looked at them; rustls checks what it can.
fn shown(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    own: &ClientCertificate,
) -> Result<ClientConfig, ConnectError> {
    let wrong = |why| ConnectError::ClientCertificate { why };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&own.certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or(wrong("the key tls.crt of the Secret is no certificate in PEM: put it there"))?;
    let key = own.key.expose_secret();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
        wrong(if key.contains("ENCRYPTED") {
            "the key tls.key of the Secret is encrypted: decrypt it with `openssl pkey`, since the operator asks for no password"
        } else {
            "the key tls.key of the Secret is no private key in PEM: put it there"
        })
    })?;
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        wrong(match error {
            Error::InconsistentKeys(_) => "the keys tls.crt and tls.key of the Secret do not belong together",
            _ => "the key tls.key of the Secret is of a kind that cannot be used: make one with RSA, ECDSA or Ed25519",
        })
    })
}

fn certificates(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bundle).collect();
    let text = String::from_utf8_lossy(bundle);
    let why = match found {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) if text.contains("PRIVATE KEY-----") => "it has a private key and no certificate",
        Ok(_) if text.trim().is_empty() => "it is empty",
        Ok(_) if bundle.first() == Some(&0x30) => {
            "it is a certificate in DER: convert it with `openssl x509 -inform der`"
        }
        Ok(_) => "it has no line -----BEGIN CERTIFICATE-----",
        Err(_) => "a certificate in it is broken",
    };
    Err(ConnectError::CaBundle { why })
}

/// Whether a certificate was refused only because it is marked as an authority's.
pub(super) fn is_authority_itself(error: &CertificateError) -> bool {
    let CertificateError::Other(error) = error else { return false };
    matches!(error.0.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}

#[derive(Debug)]
struct Trust {
    authorities: Verifier,
    bundle: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // WebPKI looks at the times of a certificate first, so one that has expired does not come here.
            Err(Error::InvalidCertificate(why))
                if is_authority_itself(&why) && self.bundle.iter().any(|known| known == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
