//! The control routes, for tests: they show the books and switch faults on. They need no credential,
//! so the service refuses to start this listener on an address other than loopback.
//!
//! | route | what |
//! |---|---|
//! | `GET /control/books` | every token ever issued, how many mails told of new ones, the counters, the last calls |
//! | `GET, PUT, DELETE /control/faults` | the list of faults; PUT replaces all |
//! | `GET, PUT /control/settings` | the standing quirks; a missing field is its default |
//! | `POST /control/reset-calls` | empties counters and log, not the use counts of tokens |
//! | `POST /control/tokens/{id}/revoke` | revokes as a person would |
//! | `PUT /control/admin-key` `{key}` | puts another admin key in force |

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::store_failed;
use crate::call::{Service, now};
use crate::faults;
use crate::settings::Settings;
use crate::token::{State as TokenState, System, Token};

/// The routes.
pub fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/control/books", get(books))
        .route("/control/faults", get(show_faults).put(replace_faults).delete(clear_faults))
        .route("/control/settings", get(show_settings).put(replace_settings))
        .route("/control/reset-calls", post(reset_calls))
        .route("/control/tokens/{id}/revoke", post(revoke))
        .route("/control/admin-key", put(replace_admin_key))
        .fallback(async || Answer::message(StatusCode::NOT_FOUND, "no such path"))
        .with_state(service)
}

/// A token as the books show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    system: System,
    id: &'a str,
    name: &'a str,
    created_time: DateTime<Utc>,
    expiration_time: Option<DateTime<Utc>>,
    revoked_time: Option<DateTime<Utc>>,
    last_used_time: Option<DateTime<Utc>>,
    state: TokenState,
    scopes: &'a [String],
    accepted_count: u64,
    refused_count: u64,
}

impl<'a> Row<'a> {
    fn of(token: &'a Token, now: DateTime<Utc>) -> Self {
        Self {
            system: token.system,
            id: &token.id,
            name: &token.name,
            created_time: token.created_time,
            expiration_time: token.expiration_time,
            revoked_time: token.revoked_time(),
            last_used_time: token.last_used_time,
            state: token.state(now),
            scopes: &token.scopes,
            accepted_count: token.accepted_count,
            refused_count: token.refused_count,
        }
    }
}

async fn books(State(service): State<Arc<Service>>) -> Answer {
    let now = now();
    let books = service.books();
    let calls = service.calls();
    let tokens: Vec<Row<'_>> = books.tokens().iter().map(|token| Row::of(token, now)).collect();
    show(&json!({
        "tokens": tokens,
        "mails": books.mails(),
        "calls": calls.counts(),
        "log": calls.log(),
    }))
}

async fn show_faults(State(service): State<Arc<Service>>) -> Answer {
    show(&json!(*service.faults()))
}

/// Answers with the faults as the service read them, defaults included.
async fn replace_faults(State(service): State<Arc<Service>>, body: Bytes) -> Answer {
    match faults::parse(&body) {
        Ok(faults) => {
            let answer = show(&json!(faults));
            *service.faults() = faults;
            answer
        }
        Err(message) => bad_request(&message),
    }
}

async fn clear_faults(State(service): State<Arc<Service>>) -> StatusCode {
    service.faults().clear();
    StatusCode::NO_CONTENT
}

async fn show_settings(State(service): State<Arc<Service>>) -> Answer {
    show(&json!(service.books().settings))
}

async fn replace_settings(State(service): State<Arc<Service>>, body: Bytes) -> Answer {
    match serde_json::from_slice::<Settings>(&body) {
        Ok(settings) => {
            let answer = show(&json!(settings));
            service.books().settings = settings;
            answer
        }
        Err(error) => bad_request(&error.to_string()),
    }
}

async fn reset_calls(State(service): State<Arc<Service>>) -> StatusCode {
    service.calls().reset();
    StatusCode::NO_CONTENT
}

/// Revokes as if a person had done it on the service's web page: the call is neither counted nor logged.
async fn revoke(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Answer {
    let mut books = service.books();
    let system = books.system_of(&id).unwrap_or_default();
    match books.revoke(system, &id, now()) {
        Ok(true) => Answer::empty(StatusCode::NO_CONTENT),
        Ok(false) => Answer::message(StatusCode::NOT_FOUND, "no such token"),
        Err(error) => store_failed(&error),
    }
}

/// The body that sets the admin key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminKeyBody {
    key: String,
}

async fn replace_admin_key(State(service): State<Arc<Service>>, body: Bytes) -> Answer {
    let key = match serde_json::from_slice::<AdminKeyBody>(&body) {
        Ok(body) if !body.key.is_empty() => body.key,
        Ok(_) => return bad_request("the key is empty"),
        Err(error) => return bad_request(&error.to_string()),
    };
    match service.books().replace_admin_key(&key) {
        Ok(()) => Answer::empty(StatusCode::NO_CONTENT),
        Err(error) => store_failed(&error),
    }
}

fn show(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}

fn bad_request(message: &str) -> Answer {
    Answer::message(StatusCode::BAD_REQUEST, message)
}
