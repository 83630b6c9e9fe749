//! What carries a request to a service and brings back the answer: the network (`http`), or the world of a simulation.
//!
//! An error says only one thing that matters: whether the request can have reached the service (`SendError`).

use std::fmt::Debug;
use std::time::Duration;

use axum::http::HeaderMap;
use chrono::Utc;
use futures::future::BoxFuture;
use serde_json::Value;
use url::Url;

use crate::api::time::Time;
use crate::api::token_service::request::Method;
use crate::service::json;
use crate::service::limits::http_date;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The request never left: no connection.
    NotSent(String),
    /// The request never left, and will not before somebody changes its address.
    Forbidden(String),
    /// It may have reached the service.
    Lost(String),
}

/// One request. Its headers and its body contain secrets, so it cannot be printed.
pub struct Exchange<'a> {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: &'a Url,
    /// The headers, in order.
    pub headers: &'a [(String, String)],
    /// The body, if there is one.
    pub body: Option<&'a str>,
    /// The longest wait for the end of the answer.
    pub timeout: Duration,
    /// How much of the answer is read.
    pub bound: Bound,
}

/// How much of an answer is read. No answer fills the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// An answer about one token: 1 MiB.
    One,
    /// A page of a list: 16 MiB. Some services list all that they ever had in one page.
    Page,
}

/// An answer. Its body contains secrets, so it cannot be printed.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Result<Vec<u8>, &'static str>,
}

/// Carries requests to services.
pub trait Transport: Debug + Send + Sync {
    /// Sends one request once, and reads the answer to its end.
    fn exchange<'a>(&'a self, exchange: Exchange<'a>) -> BoxFuture<'a, Result<Answer, SendError>>;
}

impl Answer {
    /// An answer whose body was read, or why it could not be read.
    pub fn new(status: u16, headers: HeaderMap, body: Result<Vec<u8>, &'static str>) -> Self {
        Self { status, headers, body }
    }

    /// The whole body.
    ///
    /// # Errors
    /// Says why it could not be read.
    pub fn body(&self) -> Result<&[u8], &'static str> {
        self.body.as_deref().map_err(|what| *what)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Says why it could not be read, or that it is something else.
    pub fn json(&self) -> Result<Value, &'static str> {
        json::parse(self.body()?)
    }

    /// A header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// When the service answered, by its own clock if it says so.
    pub fn time(&self) -> Time {
        self.header("date").and_then(http_date).unwrap_or_else(|| Utc::now().into())
    }
}
