//! Everything outside the process that the operator touches: it enters [`run`](crate::controller::run::run) as one value.
//!
//! So that the whole operator can live in a pretended world, no other way may lead out of it, except that to random numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::header::{HeaderValue, USER_AGENT};
use axum::http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Service};

use crate::controller::clock::{Clock, ClockLayer};
use crate::controller::error::StartError;
use crate::service::networks::Networks;
use crate::service::transport::Transport;

/// The longest wait for the API server's answer to a request. Watches have no time-out.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The most requests at a time. The client speaks HTTP/1.1, so this also bounds its connections.
const REQUESTS: usize = 32;

/// The name that the API server sees in its audit log and its metrics.
const OWN_NAME: &str = concat!("artifact-token-operator/", env!("CARGO_PKG_VERSION"));

/// The ways to the API server and to the services, and the clock.
pub struct World {
    /// Sends each request once and with a time-out.
    pub(super) requests: Client,
    /// Runs watches without a time-out.
    pub(super) watches: Client,
    /// The clock that the answers of both set.
    pub(super) clock: Clock,
    /// What carries requests to the services where it is not the network.
    pub(super) transport: Option<Arc<dyn Transport>>,
    /// The ways to the services over the network.
    pub(super) networks: Networks,
}

impl World {
    /// The API server of `config`, and the network.
    ///
    /// # Errors
    /// When the clients cannot be created.
    pub fn real(mut config: Config) -> Result<Self, StartError> {
        let failed = |error| StartError::Client(Box::new(error));
        let clock = Clock::default();
        let layer = ClockLayer(clock.clone());
        // A retried POST or PATCH would act twice with one record. Only the protocol itself retries.
        config.default_retry = false;
        config.headers.push((USER_AGENT, HeaderValue::from_static(OWN_NAME)));
        let watches = ClientBuilder::try_from(config.clone()).map_err(failed)?.with_layer(&layer).build();
        config.read_timeout = Some(READ_TIMEOUT);
        let at_a_time = ConcurrencyLimitLayer::new(REQUESTS);
        let requests = ClientBuilder::try_from(config).map_err(failed)?;
        let requests = requests.with_layer(&layer).with_layer(&at_a_time).build();
        Ok(Self { requests, watches, clock, transport: None, networks: Networks::default() })
    }

    /// A pretended one: `api` answers for the API server, and keeps the time-out of requests itself; `transport` leads to the
    /// services.
    pub fn pretended<S, B>(api: S, transport: Arc<dyn Transport>) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes, Error = BoxError> + Send + 'static,
    {
        let clock = Clock::default();
        let client = ClientBuilder::new(api, "default").with_layer(&ClockLayer(clock.clone())).build();
        let (transport, networks) = (Some(transport), Networks::default());
        Self { requests: client.clone(), watches: client, clock, transport, networks }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn both_clients_tell_the_api_server_who_asks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let World { requests, watches, .. } = World::real(Config::new(url)).unwrap();
        for client in [requests, watches] {
            let asked = tokio::spawn(async move { client.apiserver_version().await });
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
            assert!(head.contains("\r\nuser-agent: artifact-token-operator/0."), "{head}");
            asked.abort();
        }
    }
}
