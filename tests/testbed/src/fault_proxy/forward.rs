//! Passes a call on, and its answer back.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::{Response, StatusCode};

use super::call::{Kind, Request};
use super::serve::{Inner, Upstream};
use super::stream;
use crate::http;

/// The caller gets no answer: its connection ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut")
    }
}

impl std::error::Error for Cut {}

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Cut>>;

/// A client without time-outs, because watches need that. It never sends a call twice by itself.
pub(super) fn client(certificate: Option<&Path>) -> Result<reqwest::Client> {
    http::install_tls_provider();
    let mut builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder = builder.retry(reqwest::retry::never()).http1_only().tcp_nodelay(true);
    if let Some(path) = certificate {
        let pem = std::fs::read(path).context("read the server's certificate")?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).context("parse the server's certificate")?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().context("build the proxy's client")
}

/// Passes a call on. Reads the answer to its end, unless it is a watch, so that the call is complete.
pub(super) async fn send(upstream: &Upstream, request: &Request, inner: &Arc<Inner>) -> Result<Answer, Cut> {
    let url = format!("{}{}", upstream.url, request.call.path);
    let mut headers = request.headers.clone();
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let sent = upstream.client.request(request.method.clone(), url).headers(headers).body(request.body.clone());
    let mut response = sent.send().await.map_err(|_| Cut)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = if request.call.kind == Kind::Watch && status.is_success() {
        stream::events(response, request.call.clone(), inner.clone())
    } else {
        let bytes = response.bytes().await.map_err(|_| Cut)?;
        let taps = inner.plans().taps();
        taps.iter().for_each(|tap| tap(request, status.as_u16(), &bytes));
        whole(bytes)
    };
    respond(status, headers, body)
}

/// An answer of the proxy's own.
pub(super) fn answer(status: u16, body: String) -> Result<Answer, Cut> {
    let status = StatusCode::from_u16(status).map_err(|_| Cut)?;
    let mut answer = respond(status, HeaderMap::new(), whole(Bytes::from(body)))?;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(answer)
}

fn respond(status: StatusCode, mut headers: HeaderMap, body: UnsyncBoxBody<Bytes, Cut>) -> Result<Answer, Cut> {
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

fn whole(bytes: Bytes) -> UnsyncBoxBody<Bytes, Cut> {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
