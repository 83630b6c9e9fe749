//! The answers of the service, and how much of each arrives.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::connection::Connection;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// The page that a misconfigured gateway serves in front of an API.
const GATEWAY_PAGE: &str = "<!doctype html><title>Please wait</title><h1>We will be right back</h1>";
/// The size of the pieces of a huge body.
const PIECE: &[u8] = &[b'a'; 64 * 1024];

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer with a JSON body.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, JSON)], body: body.to_string().into_bytes() }
    }

    /// An answer with a text of this type.
    pub fn text(status: StatusCode, kind: &'static str, body: String) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, HeaderValue::from_static(kind))], body: body.into_bytes() }
    }

    /// A refusal with a message.
    pub fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    /// Adds a header. One that cannot be written as a header is left out.
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Success with a body that is not the one promised: a page, or the given text as JSON.
    pub fn garbled(self, body: Option<&str>) -> Self {
        let status = match self.status {
            StatusCode::NO_CONTENT => StatusCode::OK,
            status if status.is_success() => status,
            _ => StatusCode::OK,
        };
        let (kind, body) = match body {
            Some(body) => (JSON, body),
            None => (HTML, GATEWAY_PAGE),
        };
        Self { status, headers: vec![(CONTENT_TYPE, kind)], body: body.as_bytes().to_vec() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        respond(self.status, self.headers, Body::from(self.body))
    }
}

/// How much of an answer arrives.
#[derive(Debug)]
pub enum Delivery {
    /// All of it.
    Whole(Answer),
    /// The head and half of the body, then the connection ends.
    CutHalfWay(Answer),
    /// The status, and this many bytes of nonsense.
    Huge(StatusCode, u64),
    /// Nothing: the connection ends.
    Lost,
}

impl Delivery {
    /// The status for the log: 0 if the client cannot have a complete answer.
    pub fn logged_status(&self) -> u16 {
        match self {
            Self::Whole(answer) => answer.status.as_u16(),
            Self::Huge(status, _) => status.as_u16(),
            Self::CutHalfWay(_) | Self::Lost => 0,
        }
    }

    /// Sends it.
    pub fn over(self, connection: &Connection) -> Response {
        match self {
            Self::Whole(answer) => answer.into_response(),
            // There is no half of an empty body.
            Self::CutHalfWay(answer) if answer.body.is_empty() => lost(connection),
            Self::CutHalfWay(answer) => cut_half_way(answer),
            Self::Huge(status, bytes) => respond(status, vec![(CONTENT_TYPE, JSON)], huge_body(bytes)),
            Self::Lost => lost(connection),
        }
    }
}

fn respond(status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

fn lost(connection: &Connection) -> Response {
    connection.cut();
    Response::new(Body::empty())
}

/// The header has the true length, so that the client can see that bytes are missing.
fn cut_half_way(answer: Answer) -> Response {
    let length = HeaderValue::from(answer.body.len());
    let half = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
    let mut headers = answer.headers;
    headers.push((CONTENT_LENGTH, length));
    let first = stream::once(async move { Ok(half) });
    let then_fail = stream::once(async {
        // The server writes out what it has when the body makes it wait; failing at once would
        // throw the first half away with the connection.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    respond(answer.status, headers, Body::from_stream(first.chain(then_fail)))
}

/// Sent in pieces and without a length: the client learns the size only by reading.
fn huge_body(bytes: u64) -> Body {
    let piece = PIECE.len() as u64;
    let pieces = (0..bytes.div_ceil(piece)).map(move |index| {
        let left = usize::try_from(bytes - index * piece).unwrap_or(usize::MAX);
        Ok::<_, io::Error>(Bytes::from_static(&PIECE[..left.min(PIECE.len())]))
    });
    Body::from_stream(stream::iter(pieces))
}
