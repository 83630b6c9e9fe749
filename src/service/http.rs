//! One HTTP exchange with a service over the network: bounded, without redirects, cookies and the proxies of the environment.

mod body;
mod causes;
pub(super) mod trust;

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};
use rustls::ClientConfig;

use crate::api::token_service::request::Method;
use crate::service::errors::ConnectError;
use crate::service::resolver::{ForbiddenAddress, Resolver};
use crate::service::transport::{Answer, Exchange, SendError};

/// How long connecting may take, TLS included, if the whole exchange may take twice as long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client soon closes an idle connection: if the service closes it just when it is used again, an answer is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The name that services see in their logs.
const USER_AGENT: &str = concat!("artifact-token-operator/", env!("CARGO_PKG_VERSION"));

/// A client that trusts whom `tls` trusts, and connects only to addresses that `resolver` allows. The resolver does not see an
/// address in the URL itself: the check of a declaration judges that.
pub(super) fn client(
    connect_timeout: Duration,
    https_only: bool,
    tls: &ClientConfig,
    resolver: Resolver,
    proxy: Option<Proxy>,
) -> Result<Client, ConnectError> {
    let mut identity = HeaderMap::new();
    identity.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .default_headers(identity)
        .referer(false)
        .no_proxy()
        .dns_resolver(resolver)
        .https_only(https_only)
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(2);
    // After `no_proxy`, which removes all.
    let builder = match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    };
    builder.build().map_err(|_| ConnectError::Tls)
}

/// How long connecting may take where the whole exchange may take `timeout`.
pub(super) fn connect_timeout(timeout: Duration) -> Duration {
    CONNECT_TIMEOUT.min(timeout / 2)
}

/// Sends one request and reads the answer to its end.
pub(super) async fn send(client: &Client, proxied: bool, exchange: Exchange<'_>) -> Result<Answer, SendError> {
    let mut request = client
        .request(method(exchange.method), exchange.url.clone())
        .headers(headers(exchange.headers)?)
        .timeout(exchange.timeout);
    if let Some(body) = exchange.body {
        request = request.body(body.to_owned());
    }
    let mut response = request.send().await.map_err(|error| send_error(&error, exchange.timeout, proxied))?;
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let codings: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    let coding = codings.join(", ");
    let body = body::read(response, exchange.bound).await;
    let body = body.and_then(|body| body::unpacked(body, &coding, exchange.bound));
    Ok(Answer::new(status, headers, body))
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// All headers are marked as sensitive: some are, and nobody needs to see the others.
fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, SendError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(SendError::NotSent("a header cannot be sent".to_owned()));
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Every error that did not clearly happen before sending counts as sent.
fn send_error(error: &reqwest::Error, timeout: Duration, proxied: bool) -> SendError {
    if let Some(forbidden) = ForbiddenAddress::behind(error) {
        SendError::Forbidden(forbidden.to_string())
    } else if error.is_connect() || error.is_builder() {
        SendError::NotSent(causes::no_connection(error, connect_timeout(timeout), proxied))
    } else if error.is_timeout() {
        SendError::Lost(format!(
            "no answer within {} s: if the service is slow, raise spec.connection.timeout, or spec.operations.generate.timeout for generate",
            timeout.as_secs_f32()
        ))
    } else {
        SendError::Lost("the connection broke before the answer; if the service asks its clients for a certificate, check spec.connection.clientCertificateRef".to_owned())
    }
}
