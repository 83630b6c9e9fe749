//! Plain HTTP on loopback.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

/// Limit of one request: every server here answers in milliseconds, and a paused one must not hang a test.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// Makes ring the TLS provider of this process. Later calls do nothing.
pub fn install_tls_provider() {
    // This fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client without proxies and redirects. It belongs to the runtime it is used in.
pub fn client() -> Result<reqwest::Client> {
    install_tls_provider();
    builder().build().context("build an HTTP client")
}

pub(crate) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(REQUEST_DEADLINE)
}

/// An `Authorization` value of HTTP Basic.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes()))
}

/// Sends a request and returns the answer's status and body. It fails only if there is no complete answer.
pub async fn answer(request: reqwest::RequestBuilder) -> Result<(u16, String)> {
    let response = request.send().await.context("send a request")?;
    let status = response.status().as_u16();
    Ok((status, response.text().await.context("read an answer")?))
}

/// A request with a JSON body.
pub fn with_json(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

/// Whether `url` answers 200, in the form that [`crate::Process::wait_until`] takes.
pub async fn look(url: &str) -> Result<(), String> {
    let request = client().map_err(|error| format!("{error:#}"))?.get(url);
    match answer(request).await {
        Ok((200, _)) => Ok(()),
        Ok((status, body)) => Err(format!("{status} {body}")),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// A port of 127.0.0.1 that was free a moment ago. Another process can take it first; then the caller tries another
/// one.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| anyhow!("find a free port: {error}"))?;
    Ok(listener.local_addr().context("read the free port")?.port())
}
