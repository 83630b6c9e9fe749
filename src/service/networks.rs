//! The ways over the network. Services that need the same share one HTTP client, and all that trust the same authorities share what
//! TLS needs: the authorities of the system alone take half a megabyte.
//!
//! A client keeps connections open for the next request. So services share one only within a namespace: no request of one tenant
//! follows one of another on the same connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reqwest::Client;
use rustls::ClientConfig;
use sha2::{Digest, Sha256};

use crate::service::declaration::Declaration;
use crate::service::errors::ConnectError;
use crate::service::http::{self, trust};
use crate::service::resolver::Resolver;
use crate::service::transport::{Answer, Exchange, SendError, Transport};

/// All ways that are in use. A way that no service uses any more is closed and freed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Networks(Arc<Mutex<InUse>>);

#[derive(Debug, Default)]
struct InUse {
    networks: HashMap<Needs, Weak<Network>>,
    trusted: HashMap<Trusted, Weak<ClientConfig>>,
}

/// What a service needs of the network. **Invariant:** whatever decides where a request may go, or whom it may trust, stands here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Needs {
    /// The namespace of the service object; `None` for shared services, which the administrator declares.
    tenant: Option<String>,
    https_only: bool,
    allow_link_local: bool,
    connect_timeout: Duration,
    trusted: Trusted,
}

/// The digest of the CA bundle that is trusted beside the system's authorities; `None` without one.
type Trusted = Option<[u8; 32]>;

/// One client, and its TLS for others who trust the same.
#[derive(Debug)]
struct Network {
    client: Client,
    _tls: Arc<ClientConfig>,
}

impl Transport for Network {
    fn exchange<'a>(&'a self, exchange: Exchange<'a>) -> BoxFuture<'a, Result<Answer, SendError>> {
        http::send(&self.client, exchange).boxed()
    }
}

impl Networks {
    /// The network as `declaration` allows to use it, for a service object of this namespace.
    ///
    /// # Errors
    /// When the CA bundle is unreadable.
    pub fn of(
        &self,
        declaration: &Declaration,
        tenant: Option<&str>,
        ca_bundle: Option<&[u8]>,
    ) -> Result<Arc<dyn Transport>, ConnectError> {
        let needs = Needs {
            tenant: tenant.map(str::to_owned),
            https_only: declaration.base_url.scheme() == "https",
            allow_link_local: declaration.allow_link_local,
            connect_timeout: http::connect_timeout(declaration.timeout),
            trusted: ca_bundle.map(|bundle| Sha256::digest(bundle).into()),
        };
        let mut in_use = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = in_use.networks.get(&needs).and_then(Weak::upgrade) {
            return Ok(network);
        }
        in_use.free();
        let tls = in_use.tls(needs.trusted, ca_bundle)?;
        let resolver = Resolver::system(needs.allow_link_local);
        let client = http::client(needs.connect_timeout, needs.https_only, &tls, resolver)?;
        let network = Arc::new(Network { client, _tls: tls });
        in_use.networks.insert(needs, Arc::downgrade(&network));
        Ok(network)
    }
}

impl InUse {
    fn tls(&mut self, trusted: Trusted, ca_bundle: Option<&[u8]>) -> Result<Arc<ClientConfig>, ConnectError> {
        if let Some(tls) = self.trusted.get(&trusted).and_then(Weak::upgrade) {
            return Ok(tls);
        }
        let tls = Arc::new(trust::config(ca_bundle)?);
        self.trusted.insert(trusted, Arc::downgrade(&tls));
        Ok(tls)
    }

    fn free(&mut self) {
        self.networks.retain(|_, network| network.strong_count() > 0);
        self.trusted.retain(|_, tls| tls.strong_count() > 0);
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

    fn counted(networks: &Networks) -> (usize, usize) {
        let in_use = networks.0.lock().unwrap();
        let trusted = in_use.trusted.values().filter(|tls| tls.strong_count() > 0).count();
        (in_use.networks.values().filter(|network| network.strong_count() > 0).count(), trusted)
    }

    #[test]
    fn services_of_a_namespace_that_need_the_same_share_a_client_and_all_that_trust_the_same_share_their_tls() {
        let networks = Networks::default();
        let plain = declaration("https://tokens.example", &json!({}));
        let elsewhere = declaration("https://other.example:8443/api", &json!({"timeout": "25s"}));
        let one = networks.of(&plain, Some("a"), None).unwrap();
        let same = networks.of(&elsewhere, Some("a"), None).unwrap();
        assert!(Arc::ptr_eq(&one, &same) && counted(&networks) == (1, 1));
        let held: Vec<_> = ["b", "c"].map(|tenant| networks.of(&plain, Some(tenant), None).unwrap()).into();
        let shared = networks.of(&plain, None, None).unwrap();
        assert_eq!(counted(&networks), (4, 1), "a tenant's requests follow nobody else's on a connection");
        drop((held, shared, one));
        assert_eq!(counted(&networks), (1, 1));
        drop(same);
        assert_eq!(counted(&networks), (0, 0), "what nobody uses is freed");
        let _other = networks.of(&plain, Some("d"), None).unwrap();
        assert_eq!(networks.0.lock().unwrap().networks.len(), 1, "nothing is kept of what was freed");
    }

    #[test]
    fn what_decides_where_a_request_may_go_or_whom_it_trusts_is_never_shared() {
        let networks = Networks::default();
        let (one, other) = (bundle(), bundle());
        let plain = declaration("https://tokens.example", &json!({}));
        let held = [
            networks.of(&plain, Some("a"), None).unwrap(),
            networks.of(&plain, Some("a"), Some(&one)).unwrap(),
            networks.of(&plain, Some("a"), Some(&other)).unwrap(),
            networks
                .of(&declaration("https://tokens.example", &json!({"allowLinkLocal": true})), Some("a"), None)
                .unwrap(),
            networks
                .of(&declaration("http://tokens.example", &json!({"insecureHTTP": true})), Some("a"), None)
                .unwrap(),
            networks.of(&declaration("https://tokens.example", &json!({"timeout": "4s"})), Some("a"), None).unwrap(),
        ];
        assert_eq!(counted(&networks), (held.len(), 3));
        assert!(networks.of(&plain, Some("a"), Some(b"no certificate")).is_err());
    }
}
