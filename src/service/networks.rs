//! The ways over the network. Services that need the same share one HTTP client, and all that trust the same authorities share what
//! TLS needs: the authorities of the system alone take half a megabyte.
//!
//! A client keeps connections open for the next request. So services share one only within a namespace: no request of one tenant
//! follows one of another on the same connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reqwest::{Client, Proxy};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::service::declaration::{Declaration, ProxyTemplate};
use crate::service::errors::ConnectError;
use crate::service::http::{self, trust};
use crate::service::material::{ClientCertificate, Material};
use crate::service::resolver::Resolver;
use crate::service::transport::{Answer, Exchange, SendError, Transport};

/// All ways that are in use. A way that no service uses any more is closed and freed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Networks(Arc<Mutex<InUse>>);

#[derive(Debug, Default)]
struct InUse {
    networks: HashMap<Needs, Weak<Network>>,
    tls: HashMap<Tls, Weak<ClientConfig>>,
}

/// What a service needs of the network. **Invariant:** whatever decides where a request may go, or whom it may trust, stands here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Needs {
    /// The namespace of the service object; `None` for shared services, which the administrator declares.
    tenant: Option<String>,
    https_only: bool,
    allow_link_local: bool,
    connect_timeout: Duration,
    tls: Tls,
    /// The proxy, with its user and password.
    proxy: Option<Hash>,
}

/// A digest: secrets are compared by it, and stand nowhere else.
type Hash = [u8; 32];

/// The TLS that services may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tls {
    /// The CA bundle that is trusted beside the system's authorities; `None` without one.
    trusted: Option<Hash>,
    /// The client's own certificate and key.
    shown: Option<Hash>,
}

/// One client, and its TLS for others who trust the same.
#[derive(Debug)]
struct Network {
    client: Client,
    proxied: bool,
    _tls: Arc<ClientConfig>,
}

impl Transport for Network {
    fn exchange<'a>(&'a self, exchange: Exchange<'a>) -> BoxFuture<'a, Result<Answer, SendError>> {
        http::send(&self.client, self.proxied, exchange).boxed()
    }
}

impl Networks {
    /// The network as `declaration` allows to use it, for a service object of this namespace.
    ///
    /// # Errors
    /// When the CA bundle, the client's certificate or the password of the proxy is unreadable.
    pub fn of(
        &self,
        declaration: &Declaration,
        tenant: Option<&str>,
        credentials: &BTreeMap<String, SecretString>,
        material: &Material,
    ) -> Result<Arc<dyn Transport>, ConnectError> {
        let proxy = declaration.proxy.as_ref().map(|proxy| through(proxy, declaration, credentials)).transpose()?;
        let (proxy, digest) = proxy.unzip();
        let needs = Needs {
            tenant: tenant.map(str::to_owned),
            https_only: declaration.addresses().all(|address| address.scheme() == "https"),
            allow_link_local: declaration.allow_link_local,
            connect_timeout: http::connect_timeout(declaration.timeout),
            tls: Tls::of(material),
            proxy: digest,
        };
        let mut in_use = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = in_use.networks.get(&needs).and_then(Weak::upgrade) {
            return Ok(network);
        }
        in_use.free();
        let tls = in_use.tls(needs.tls, material)?;
        let resolver = Resolver::system(needs.allow_link_local);
        let client = http::client(needs.connect_timeout, needs.https_only, &tls, resolver, proxy)?;
        let network = Arc::new(Network { client, proxied: digest.is_some(), _tls: tls });
        in_use.networks.insert(needs, Arc::downgrade(&network));
        Ok(network)
    }
}

impl Tls {
    fn of(material: &Material) -> Self {
        let shown = |own: &ClientCertificate| {
            let mut hash = Sha256::new();
            hash.update(u64::try_from(own.certificate.len()).unwrap_or_default().to_be_bytes());
            hash.update(&own.certificate);
            hash.update(own.key.expose_secret());
            hash.finalize().into()
        };
        Self {
            trusted: material.ca_bundle.as_ref().map(|bundle| Sha256::digest(bundle).into()),
            shown: material.client_certificate.as_ref().map(shown),
        }
    }
}

/// The proxy with its user and password, and the digest of both.
fn through(
    proxy: &ProxyTemplate,
    declaration: &Declaration,
    credentials: &BTreeMap<String, SecretString>,
) -> Result<(Proxy, Hash), ConnectError> {
    let wrong = |why: String| ConnectError::Proxy { why };
    let mut found = Proxy::all(proxy.url.clone()).map_err(|_| wrong("url: cannot be used".to_owned()))?;
    let mut hash = Sha256::new();
    hash.update(proxy.url.as_str());
    if let Some(basic) = &proxy.basic {
        let values = credentials.iter().map(|(name, value)| (name.clone(), json!(value.expose_secret())));
        let values = json!({
            "credentials": Value::Object(values.collect()),
            "variables": declaration.variables,
        });
        if let Some((username, password)) = basic.pair(&values).map_err(|error| wrong(error.to_string()))? {
            // No user name has a colon.
            hash.update(format!("\0{username}:{password}"));
            found = found.basic_auth(&username, &password);
        }
    }
    Ok((found, hash.finalize().into()))
}

impl InUse {
    fn tls(&mut self, needs: Tls, material: &Material) -> Result<Arc<ClientConfig>, ConnectError> {
        if let Some(tls) = self.tls.get(&needs).and_then(Weak::upgrade) {
            return Ok(tls);
        }
        let config = trust::config(material.ca_bundle.as_deref(), material.client_certificate.as_ref())?;
        let tls = Arc::new(config);
        self.tls.insert(needs, Arc::downgrade(&tls));
        Ok(tls)
    }

    fn free(&mut self) {
        self.networks.retain(|_, network| network.strong_count() > 0);
        self.tls.retain(|_, tls| tls.strong_count() > 0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declaration(url: &str, connection: &serde_json::Value) -> Declaration {
        let spec = json!({
            "preset": "Reference", "baseURL": url, "naming": {"prefix": "prod"}, "connection": connection,
            "credentials": {"adminKey": {"name": "admin", "key": "key"}},
        });
        Declaration::check(&serde_json::from_value(spec).unwrap()).unwrap()
    }

    fn bundle() -> Vec<u8> {
        rcgen::generate_simple_self_signed(["tokens.example".to_owned()]).unwrap().cert.pem().into_bytes()
    }

    fn own_certificate() -> (Vec<u8>, String) {
        let own = rcgen::generate_simple_self_signed(["operator".to_owned()]).unwrap();
        (own.cert.pem().into_bytes(), own.signing_key.serialize_pem())
    }

    fn credentials() -> BTreeMap<String, SecretString> {
        BTreeMap::from([("adminKey".to_owned(), SecretString::from("secret"))])
    }

    fn of(
        networks: &Networks,
        declaration: &Declaration,
        tenant: Option<&str>,
        bundle: Option<&[u8]>,
    ) -> Result<Arc<dyn Transport>, ConnectError> {
        let material = Material { ca_bundle: bundle.map(<[u8]>::to_vec), client_certificate: None };
        networks.of(declaration, tenant, &credentials(), &material)
    }

    fn counted(networks: &Networks) -> (usize, usize) {
        let in_use = networks.0.lock().unwrap();
        let trusted = in_use.tls.values().filter(|tls| tls.strong_count() > 0).count();
        (in_use.networks.values().filter(|network| network.strong_count() > 0).count(), trusted)
    }

    #[test]
    fn services_of_a_namespace_that_need_the_same_share_a_client_and_all_that_trust_the_same_share_their_tls() {
        let networks = Networks::default();
        let plain = declaration("https://tokens.example", &json!({}));
        let elsewhere = declaration("https://other.example:8443/api", &json!({"timeout": "25s"}));
        let one = of(&networks, &plain, Some("a"), None).unwrap();
        let same = of(&networks, &elsewhere, Some("a"), None).unwrap();
        assert!(Arc::ptr_eq(&one, &same) && counted(&networks) == (1, 1));
        let held: Vec<_> = ["b", "c"].map(|tenant| of(&networks, &plain, Some(tenant), None).unwrap()).into();
        let shared = of(&networks, &plain, None, None).unwrap();
        assert_eq!(counted(&networks), (4, 1), "a tenant's requests follow nobody else's on a connection");
        drop((held, shared, one));
        assert_eq!(counted(&networks), (1, 1));
        drop(same);
        assert_eq!(counted(&networks), (0, 0), "what nobody uses is freed");
        let _other = of(&networks, &plain, Some("d"), None).unwrap();
        assert_eq!(networks.0.lock().unwrap().networks.len(), 1, "nothing is kept of what was freed");
    }

    #[test]
    fn what_decides_where_a_request_may_go_or_whom_it_trusts_is_never_shared() {
        let networks = Networks::default();
        let (one, other) = (bundle(), bundle());
        let plain = declaration("https://tokens.example", &json!({}));
        let with = |url: &str, connection| of(&networks, &declaration(url, &connection), Some("a"), None).unwrap();
        let proxy_of = |password: &str| json!({"proxy": {"url": "http://one.example:3128", "basic": {"username": "operator", "password": password}}});
        let certificates: BTreeMap<_, _> = ["one", "other"].map(|name| (name, own_certificate())).into();
        let shown = |name: &str| {
            let (certificate, key) = certificates[name].clone();
            let own = ClientCertificate { certificate, key: SecretString::from(key) };
            let material = Material { ca_bundle: None, client_certificate: Some(own) };
            networks.of(&plain, Some("a"), &credentials(), &material).unwrap()
        };
        let held = [
            of(&networks, &plain, Some("a"), None).unwrap(),
            of(&networks, &plain, Some("a"), Some(&one)).unwrap(),
            of(&networks, &plain, Some("a"), Some(&other)).unwrap(),
            with("https://tokens.example", json!({"allowLinkLocal": true})),
            with("http://tokens.example", json!({"insecureHTTP": true})),
            with("https://tokens.example", json!({"timeout": "4s"})),
            with("https://tokens.example", json!({"proxy": {"url": "http://one.example:3128"}})),
            with("https://tokens.example", json!({"proxy": {"url": "http://other.example:3128"}})),
            with("https://tokens.example", proxy_of("{{ credentials.adminKey }}")),
            with("https://tokens.example", proxy_of("another")),
            shown("one"),
            shown("other"),
        ];
        assert_eq!(counted(&networks), (held.len(), 5));
        drop(shown("one"));
        assert_eq!(counted(&networks), (held.len(), 5), "the same again");
        assert!(of(&networks, &plain, Some("a"), Some(b"no certificate")).is_err());
    }
}
