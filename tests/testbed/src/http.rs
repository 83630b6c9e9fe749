//! Plain HTTP on loopback.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
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

/// Ports from here on, up to those that the system gives away itself.
const FIRST_PORT: u16 = 15_000;
/// Where those begin, if the system does not say.
const FIRST_OUTGOING: u16 = 32_768;
/// So many ports may be taken.
const PORTS_TRIED: usize = 1000;

/// A port of 127.0.0.1 that was free a moment ago. Another process can take it first; then the caller tries another one.
///
/// It is none that the system gives to an outgoing connection or to who asks for any port: until the caller's program listens, some test
/// beside it would get it, once in thousands of times.
pub fn free_port() -> Result<u16> {
    let outgoing = first_outgoing_port();
    ensure!(
        outgoing > FIRST_PORT + 1000,
        "the system gives away all ports from {outgoing} on itself: leave more below"
    );
    for _ in 0..PORTS_TRIED {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("choose a port: {error}"))?;
        let port = FIRST_PORT + u16::from_be_bytes(bytes) % (outgoing - FIRST_PORT);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("find a free port: {PORTS_TRIED} of them are taken")
}

fn first_outgoing_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(FIRST_OUTGOING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_none_that_the_system_gives_to_others() {
        for _ in 0..100 {
            assert!((FIRST_PORT..first_outgoing_port()).contains(&free_port().unwrap()));
        }
    }
}
