//! Everything outside the process that the operator touches: it enters [`run`](crate::controller::run::run) as one value.
//!
//! So that the whole operator can live in a pretended world, no other way may lead out of it, except that to random numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{BoxError, Service};

use crate::controller::clock::{Clock, ClockLayer};
use crate::controller::error::StartError;
use crate::service::transport::Transport;

/// The longest wait for the API server's answer to a request. Watches have no time-out.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

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
        let watches = ClientBuilder::try_from(config.clone()).map_err(failed)?.with_layer(&layer).build();
        config.read_timeout = Some(READ_TIMEOUT);
        let requests = ClientBuilder::try_from(config).map_err(failed)?.with_layer(&layer).build();
        Ok(Self { requests, watches, clock, transport: None })
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
        Self { requests: client.clone(), watches: client, clock, transport: Some(transport) }
    }
}
