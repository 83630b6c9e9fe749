//! Serves health and metrics on one port. No secret is served there.

pub(crate) mod metrics;
pub(crate) mod object_metrics;
mod page;
pub(crate) mod service_metrics;
pub(crate) mod state_metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use metrics::Metrics;

/// Whether the first lists are complete.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Marks the operator as ready: the first lists are complete.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Serves `/healthz`, `/readyz` and `/metrics` until the process ends.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(address: SocketAddr, metrics: &Metrics, readiness: Readiness) -> std::io::Result<()> {
    let registry = Arc::new(metrics.registry());
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(text).with_state(registry));
    axum::serve(tokio::net::TcpListener::bind(address).await?, router).await
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    if readiness.get() {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the first lists are not complete").into_response()
    }
}

async fn text(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Response {
    let mut page = String::new();
    match encode(&mut page, &registry) {
        Ok(()) => {
            let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
            let (kind, page) = page::in_format(page, accept);
            ([(CONTENT_TYPE, kind)], page).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
