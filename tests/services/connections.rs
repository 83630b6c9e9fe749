//! Why there is no connection: one cause, one sentence, what to do. And which certificates are trusted.

use std::collections::BTreeMap;
use std::sync::Arc;

use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::VerifyAnswer;
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::errors::{ConnectError, ServiceError};
use artifact_token_operator::service::limits::RateLimit;
use artifact_token_operator::service::material::{ClientCertificate, Material};
use artifact_token_operator::service::networks::Networks;
use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{VALUE, declaration, places};
use support::peer::{Peer, answer};

const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// TLS that shows this certificate and, if there is an authority, asks for a certificate of it.
fn acceptor(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    asks: Option<&CertificateDer<'static>>,
) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match asks {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate], key).unwrap()))
}

/// A service that shows this certificate and accepts every token; its port.
async fn service(certificate: CertificateDer<'static>, key: &KeyPair) -> u16 {
    service_with(acceptor(certificate, key, None)).await
}

async fn service_with(acceptor: TlsAcceptor) -> u16 {
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(ACCEPTED).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

/// Serves each connection to a port by itself; the port.
async fn listen<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

fn client(url: &str, bundle: Option<Vec<u8>>) -> Result<ServiceClient, ConnectError> {
    let spec = format!(
        "{{preset: Custom, baseURL: '{url}', connection: {{insecureHTTP: true, timeout: 2s}}, operations: {{verify: {{request: {{method: GET, path: /me, headers: {{T: '{{{{ token }}}}'}}}}, accepted: {{statuses: [200]}}}}}}}}"
    );
    ServiceClient::new(declaration(&spec), BTreeMap::new(), bundle, RateLimit::new(6000), CallCounts::default())
}

/// What a client says of a service at `url`: "Accepted", or why there was no connection.
async fn told(url: &str, bundle: Option<&str>) -> String {
    told_by(&client(url, bundle.map(|pem| pem.as_bytes().to_vec())).unwrap()).await
}

async fn told_by(client: &ServiceClient) -> String {
    match client.verify(Some(&SecretString::from(VALUE)), &mut places()).await {
        Ok(VerifyAnswer::Accepted) => "Accepted".to_owned(),
        Ok(VerifyAnswer::Refused { .. }) => "Refused".to_owned(),
        Err(ServiceError::Retry { what, .. }) => what,
        Err(error) => panic!("not a failed connection: {error}"),
    }
}

fn params(name: &str, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_it_is_the_bundle_and_only_for_its_name_and_time() {
    for is_authority in [false, true] {
        let key = KeyPair::generate().unwrap();
        let certificate = params("localhost", is_authority).self_signed(&key).unwrap();
        let port = service(certificate.der().clone(), &key).await;
        let (url, pem) = (format!("https://localhost:{port}"), certificate.pem());
        assert_eq!(told(&url, Some(&pem)).await, "Accepted", "authority: {is_authority}");
        let alone = told(&url, None).await;
        assert!(alone.contains("spec.connection.caBundleRef"), "authority: {is_authority}: {alone}");
        let by_address = told(&format!("https://127.0.0.1:{port}"), Some(&pem)).await;
        assert!(by_address.contains("is for another name"), "authority: {is_authority}: {by_address}");
        // Another certificate with the same name proves nothing.
        let other = params("localhost", is_authority).self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_ne!(told(&url, Some(&other.pem())).await, "Accepted", "authority: {is_authority}");
        // The key in the file of a certificate does no harm, and more certificates do none.
        let mixed = format!("{}{}{}", key.serialize_pem(), other.pem(), pem);
        assert_eq!(told(&url, Some(&mixed)).await, "Accepted", "authority: {is_authority}");

        let mut old = params("localhost", is_authority);
        (old.not_before, old.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        let old = old.self_signed(&key).unwrap();
        let url = format!("https://localhost:{}", service(old.der().clone(), &key).await);
        let expired = told(&url, Some(&old.pem())).await;
        assert!(expired.contains("its certificate has expired: renew it"), "authority: {is_authority}: {expired}");
    }
}

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_own_sentence() {
    let issuer = CertifiedIssuer::self_signed(params("our authority", true), KeyPair::generate().unwrap()).unwrap();
    let check = async |change: &dyn Fn(&mut CertificateParams), bundle: Option<&str>, expected: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = params("localhost", false);
        change(&mut params);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let url = format!("https://localhost:{}", service(certificate.der().clone(), &key).await);
        let seen = told(&url, bundle).await;
        assert!(seen.contains(expected), "{seen}");
    };
    let bundle = issuer.pem();
    check(&|_| (), Some(&bundle), "Accepted").await;
    check(&|_| (), None, "from an authority that is not known here").await;
    check(&|it| it.not_after = date_time_ymd(2001, 1, 1), Some(&bundle), "has expired").await;
    check(&|it| it.not_before = date_time_ymd(2999, 1, 1), Some(&bundle), "not valid yet: compare the clocks").await;
    let elsewhere = |it: &mut CertificateParams| {
        it.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())];
    };
    check(&elsewhere, Some(&bundle), "is for another name").await;
}

#[tokio::test]
async fn a_bundle_that_is_none_says_what_it_is() {
    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost", true).self_signed(&key).unwrap();
    let broken = certificate.pem().replace("-----END", "AA-----END");
    let cut = &certificate.pem()[..200];
    for (bundle, expected) in [
        (b"".to_vec(), "it is empty"),
        (b"hello".to_vec(), "it has no line -----BEGIN CERTIFICATE-----"),
        (key.serialize_pem().into_bytes(), "it has a private key and no certificate"),
        (certificate.der().to_vec(), "it is a certificate in DER"),
        (broken.into_bytes(), "a certificate in it is broken"),
        (cut.as_bytes().to_vec(), "a certificate in it is broken"),
    ] {
        let error = client("https://tokens.example", Some(bundle)).unwrap_err().to_string();
        assert!(error.starts_with("spec.connection.caBundleRef: ") && error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn each_cause_without_tls_has_its_own_sentence() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = told(&format!("http://{closed}"), None).await;
    assert!(refused.contains("refused: nothing listens there; check host and port of spec.baseURL"), "{refused}");

    let unknown = told("http://no-such-host.invalid", None).await;
    assert!(
        unknown.contains("the name no-such-host.invalid is not known; check the host of spec.baseURL"),
        "{unknown}"
    );

    let elsewhere = format!(
        "{{preset: Custom, baseURL: 'http://localhost:9', connection: {{insecureHTTP: true, timeout: 2s}}, operations: {{verify: {{baseURL: 'http://{closed}', request: {{method: GET, path: /me, headers: {{T: '{{{{ token }}}}'}}}}, accepted: {{statuses: [200]}}}}}}}}"
    );
    let elsewhere = told_by(&super::service(declaration(&elsewhere), &[])).await;
    assert!(elsewhere.contains("check host and port of spec.operations.verify.baseURL"), "{elsewhere}");

    let peer = Peer::always(answer(200, "", "{}")).await;
    let no_tls = told(&peer.url().replace("http:", "https:"), None).await;
    assert!(no_tls.contains("spec.baseURL"), "{no_tls}");
    assert_eq!(peer.requests(), Vec::<String>::new());

    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost", false).self_signed(&key).unwrap();
    let port = service(certificate.der().clone(), &key).await;
    let plain = client(&format!("http://localhost:{port}"), None).unwrap();
    assert!(plain.verify(None, &mut places()).await.is_err(), "plain HTTP to a port with TLS");
}

#[tokio::test]
async fn a_connection_that_never_comes_about_ends_in_time_and_says_so() {
    // A listener that accepts and never speaks TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seen = told(&format!("https://{}", silent.local_addr().unwrap()), None).await;
    assert!(seen.contains("no connection to the service within 1 s: a firewall or a network policy"), "{seen}");
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_told_as_such() {
    let peer = Peer::always(answer(407, "", "")).await;
    let yaml = super::faults::spec(&peer.url());
    let client = super::service(declaration(&yaml), &[("key", super::CREDENTIAL)]);
    let error = client.list(&mut places()).await.unwrap_err().to_string();
    assert!(error.contains("name that proxy in spec.connection.proxy"), "{error}");
}

/// A client with what `connection` says, which trusts `bundle`.
fn connected(
    url: &str,
    connection: &str,
    bundle: &str,
    own: Option<(&str, &str)>,
) -> Result<ServiceClient, ConnectError> {
    let spec = format!(
        "{{preset: Custom, baseURL: '{url}', credentials: {{password: {{name: proxy, key: password}}}}, connection: {{timeout: 2s, {connection}}}, operations: {{verify: {{request: {{method: GET, path: /me, headers: {{T: '{{{{ token }}}}'}}}}, accepted: {{statuses: [200]}}}}}}}}"
    );
    let declaration = declaration(&spec);
    let credentials = BTreeMap::from([("password".to_owned(), SecretString::from(PASSWORD))]);
    let client_certificate = own.map(|(certificate, key)| ClientCertificate {
        certificate: certificate.as_bytes().to_vec(),
        key: SecretString::from(key),
    });
    let material = Material { ca_bundle: Some(bundle.as_bytes().to_vec()), client_certificate };
    let network = Networks::default().of(&declaration, None, &credentials, &material)?;
    ServiceClient::through(network, declaration, credentials, RateLimit::new(6000), CallCounts::default())
}

#[tokio::test]
async fn a_service_that_asks_for_a_certificate_gets_that_of_the_operator() {
    let issuer = CertifiedIssuer::self_signed(params("our authority", true), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost", false).signed_by(&key, &issuer).unwrap();
    let port = service_with(acceptor(certificate.der().clone(), &key, Some(issuer.der()))).await;
    let url = format!("https://localhost:{port}");
    let own = KeyPair::generate().unwrap();
    let (chain, pem) = (params("operator", false).signed_by(&own, &issuer).unwrap().pem(), own.serialize_pem());
    let shown = |own| connected(&url, "", &issuer.pem(), own);
    assert_eq!(told_by(&shown(Some((&chain, &pem))).unwrap()).await, "Accepted");
    // With TLS 1.3 a client learns only from the answer that its certificate is missing: whether it was heard is not known.
    let without = shown(None).unwrap().verify(Some(&SecretString::from(VALUE)), &mut places()).await;
    assert!(without.is_err(), "nothing was shown");

    let (other, encrypted) =
        (KeyPair::generate().unwrap().serialize_pem(), pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    for (certificate, key, expected) in [
        ("", pem.as_str(), "the key tls.crt of the Secret is no certificate in PEM"),
        (&pem, &pem, "the key tls.crt of the Secret is no certificate in PEM"),
        (&chain, "", "the key tls.key of the Secret is no private key in PEM"),
        (&chain, &chain, "the key tls.key of the Secret is no private key in PEM"),
        (&chain, &encrypted, "the key tls.key of the Secret is encrypted"),
        (&chain, &other, "the keys tls.crt and tls.key of the Secret do not belong together"),
    ] {
        let error = shown(Some((certificate, key))).unwrap_err().to_string();
        let told = error.strip_prefix("spec.connection.clientCertificateRef: ");
        assert!(told.is_some_and(|told| told.starts_with(expected)), "{error}");
    }
}

/// The password of the proxy.
const PASSWORD: &str = "proxy-password";

/// A proxy that connects whoever has the password to `localhost`, over TLS if it has a certificate; its port.
async fn proxy(acceptor: Option<TlsAcceptor>) -> u16 {
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Some(acceptor) = acceptor else { return pass_on(stream).await };
            if let Ok(stream) = acceptor.accept(stream).await {
                pass_on(stream).await;
            }
        }
    })
    .await
}

/// Reads one `CONNECT`, and passes on what follows.
async fn pass_on(mut client: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let expected = format!("Proxy-Authorization: Basic {}", BASE64.encode(format!("operator:{PASSWORD}").as_bytes()));
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).map(|(target, _)| target);
    let answer = match target {
        None => "HTTP/1.1 405 Method Not Allowed\r\n\r\n",
        Some(_) if !head.lines().any(|line| line.eq_ignore_ascii_case(&expected)) => {
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
        }
        Some(target) if !target.starts_with("localhost:") => "HTTP/1.1 403 Forbidden\r\n\r\n",
        Some(target) => {
            let Ok(mut service) = TcpStream::connect(target.replace("localhost", "127.0.0.1")).await else { return };
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let _ = copy_bidirectional(&mut client, &mut service).await;
            return;
        }
    };
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
}

#[tokio::test]
async fn a_proxy_connects_the_operator_and_each_of_its_faults_has_its_own_sentence() {
    let issuer = CertifiedIssuer::self_signed(params("our authority", true), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost", false).signed_by(&key, &issuer).unwrap();
    let acceptor = acceptor(certificate.der().clone(), &key, None);
    let (service, plain, secure) =
        (service_with(acceptor.clone()).await, proxy(None).await, proxy(Some(acceptor)).await);
    let right = "{username: operator, password: '{{ credentials.password }}'}";
    let told = async |host: &str, proxy: &str, basic: &str| {
        let connection = format!("proxy: {{url: '{proxy}', basic: {basic}}}");
        let client = connected(&format!("https://{host}:{service}"), &connection, &issuer.pem(), None).unwrap();
        told_by(&client).await
    };
    let (plain, secure) = (format!("http://127.0.0.1:{plain}"), format!("https://localhost:{secure}"));
    assert_eq!(told("localhost", &plain, right).await, "Accepted");
    assert_eq!(told("localhost", &secure, right).await, "Accepted");

    let wrong = told("localhost", &plain, "{username: operator, password: other}").await;
    assert!(wrong.contains("the proxy wants another password: check spec.connection.proxy.basic"), "{wrong}");
    let forbidden = told("elsewhere.example", &plain, right).await;
    assert!(forbidden.contains("the proxy does not connect to it: check that it allows"), "{forbidden}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let closed = told("localhost", &format!("http://{closed}"), right).await;
    let expected = "no connection to the proxy: it was refused: nothing listens there; check host and port of spec.connection.proxy.url, and that the proxy runs";
    assert!(closed.starts_with(&format!("verify: {expected}")), "{closed}");
    let unknown = told("localhost", "http://no-such-proxy.invalid", right).await;
    assert!(
        unknown.contains("the name no-such-proxy.invalid is not known; check the host of spec.connection.proxy.url"),
        "{unknown}"
    );
    for told in [wrong, forbidden, closed, unknown] {
        assert!(!told.contains(PASSWORD), "{told}");
    }
}
