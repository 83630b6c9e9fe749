//! The routes of the service.
//!
//! | route | credential | answer |
//! |---|---|---|
//! | `POST /v1/tokens` `{name, lifetimeSeconds?, scopes?}` | admin | 201 with `id`, `token`; 409 if a live token has the name |
//! | `GET /v1/tokens?page=1&limit=50&name=` | admin | live tokens: `items`, `nextPage`, `next`, and a `Link` header |
//! | `GET /v1/tokens/{id}` | admin | a row, also of an expired token; 404 |
//! | `DELETE /v1/tokens/{id}` | admin | 204, also for an expired token; 404 |
//! | `GET /v1/whoami` | token | 200 with `id`, `name`, `scopes`; 401 |
//! | `GET /v1/introspect` | any | 200 with `active` |
//! | `GET /v1/open` | any | 200 |
//! | `GET /healthz` | none | 200; neither counted nor hit by faults |
//!
//! Credentials are `Authorization: Bearer`. Every refusal is a JSON object with a `message`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::{HOST, LINK};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::books::{Books, Caller, Refusal};
use crate::call::{Call, Outcome, Service, bearer, now};
use crate::calls::Operation;
use crate::connection::Connection;
use crate::token::{System, Token, TokenRequest};
use crate::{akinon, appetize, seal};

/// Rows of a page, unless the client asks for another number.
const PAGE_DEFAULT: usize = 50;
/// Most rows of a page. A client that asks for more gets this many, as at most services.
const PAGE_LIMIT: usize = 100;
/// Longest name in characters.
const NAME_LIMIT: usize = 200;
/// Longest lifetime: a hundred years, which keeps every time printable.
const LIFETIME_LIMIT_SECONDS: i64 = 100 * 365 * 24 * 3600;

/// The routes, with those of the other systems.
pub fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .nest("/appetize", appetize::routes())
        .nest("/seal", seal::routes())
        .nest("/akinon", akinon::routes())
        .route("/v1/tokens", get(list).post(generate))
        .route("/v1/tokens/{id}", get(find).delete(revoke))
        .route("/v1/whoami", get(who_am_i))
        .route("/v1/introspect", get(introspect))
        .route("/v1/open", get(open))
        .route("/healthz", get(async || StatusCode::OK))
        .fallback(async || Answer::message(StatusCode::NOT_FOUND, "no such path"))
        .with_state(service)
}

/// The part of a request that every handler needs.
pub type Connected = (State<Arc<Service>>, ConnectInfo<Connection>, HeaderMap);

fn receive((State(service), ConnectInfo(connection), headers): Connected, verb: Operation) -> Call {
    Call::receive(service, connection, verb, bearer(&headers))
}

/// The body of a request for a token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GenerateBody {
    name: String,
    #[serde(default)]
    lifetime_seconds: Option<i64>,
    #[serde(default)]
    scopes: Vec<String>,
}

async fn generate(connected: Connected, body: Bytes) -> Response {
    receive(connected, Operation::Generate)
        .answer(move |books, caller| {
            if let Some(refusal) = refuse_all_but_admin(caller) {
                return refusal;
            }
            match read_request(&body) {
                Ok(request) => generated(books, &request),
                Err(message) => Answer::message(StatusCode::BAD_REQUEST, &message).into(),
            }
        })
        .await
}

fn read_request(body: &[u8]) -> Result<TokenRequest, String> {
    let body: GenerateBody = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !(1..=NAME_LIMIT).contains(&body.name.chars().count()) {
        return Err(format!("name must have 1 to {NAME_LIMIT} characters"));
    }
    if let Some(seconds) = body.lifetime_seconds
        && !(1..=LIFETIME_LIMIT_SECONDS).contains(&seconds)
    {
        return Err(format!("lifetimeSeconds must be 1 to {LIFETIME_LIMIT_SECONDS}"));
    }
    let lifetime = body.lifetime_seconds.map(TimeDelta::seconds);
    Ok(TokenRequest {
        system: System::Reference,
        name: body.name,
        lifetime,
        scopes: body.scopes,
        created_by: String::new(),
    })
}

fn generated(books: &mut Books, request: &TokenRequest) -> Outcome {
    match books.generate(request, now()) {
        Ok((token, value)) => Outcome {
            answer: Answer::json(
                StatusCode::CREATED,
                &json!({
                    "id": token.id,
                    "token": value,
                    "name": token.name,
                    "createdTime": token.created_time,
                    "expirationTime": token.expiration_time,
                    "scopes": token.scopes,
                }),
            ),
            token_id: Some(token.id.clone()),
        },
        Err(Refusal::NameTaken) => Answer::message(StatusCode::CONFLICT, "a live token has this name").into(),
        Err(Refusal::LimitReached(limit)) => {
            Answer::message(StatusCode::FORBIDDEN, &format!("token limit of {limit} reached")).into()
        }
        Err(Refusal::Store(error)) => store_failed(&error).into(),
    }
}

/// The query of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default = "first_page")]
    page: usize,
    #[serde(default = "page_default")]
    limit: usize,
    name: Option<String>,
}

fn first_page() -> usize {
    1
}

fn page_default() -> usize {
    PAGE_DEFAULT
}

async fn list(connected: Connected, query: Result<Query<ListQuery>, QueryRejection>) -> Response {
    let host = connected.2.get(HOST).cloned();
    receive(connected, Operation::List)
        .answer(move |books, caller| {
            if let Some(refusal) = refuse_all_but_admin(caller) {
                return refusal;
            }
            let query = match query {
                Ok(Query(query)) if query.page > 0 && query.limit > 0 => query,
                Ok(_) => return bad_request("page and limit must be at least 1"),
                Err(error) => return bad_request(&error.body_text()),
            };
            let host = host.as_ref().and_then(|host| host.to_str().ok());
            page(books, &query, host.unwrap_or_default()).into()
        })
        .await
}

/// One page, which says in three ways where the next one is: its number, a relative reference,
/// and an absolute one in a header. The references need not repeat the name filter: a name has one
/// row at most.
fn page(books: &Books, query: &ListQuery, host: &str) -> Answer {
    let limit = query.limit.min(PAGE_LIMIT);
    let named = |token: &&Token| query.name.as_ref().is_none_or(|name| *name == token.name);
    let mut rows = books.listed(System::Reference, now()).filter(named).skip((query.page - 1).saturating_mul(limit));
    let items: Vec<Value> = rows.by_ref().take(limit).map(row).collect();
    let next_page = rows.next().map(|_| query.page + 1);
    let next = next_page.map(|page| format!("/v1/tokens?page={page}&limit={limit}"));
    let answer = Answer::json(StatusCode::OK, &json!({ "items": items, "nextPage": next_page, "next": next }));
    match next {
        Some(next) => answer.with_header(LINK, &format!("<http://{host}{next}>; rel=\"next\"")),
        None => answer,
    }
}

fn row(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "createdTime": token.created_time,
        "expirationTime": token.expiration_time,
        "lastUsedTime": token.last_used_time,
        "scopes": token.scopes,
    })
}

async fn find(connected: Connected, Path(id): Path<String>) -> Response {
    receive(connected, Operation::List)
        .about(id.clone())
        .answer(move |books, caller| {
            if let Some(refusal) = refuse_all_but_admin(caller) {
                return refusal;
            }
            match books.find(System::Reference, &id, now()) {
                Some(token) => Answer::json(StatusCode::OK, &row(token)).into(),
                None => no_such_token(),
            }
        })
        .await
}

async fn revoke(connected: Connected, Path(id): Path<String>) -> Response {
    receive(connected, Operation::Revoke)
        .about(id.clone())
        .answer(move |books, caller| {
            if let Some(refusal) = refuse_all_but_admin(caller) {
                return refusal;
            }
            match books.revoke(System::Reference, &id, now()) {
                Ok(true) => Answer::empty(StatusCode::NO_CONTENT).into(),
                Ok(false) if books.settings.revoke_always_succeeds => Answer::empty(StatusCode::NO_CONTENT).into(),
                Ok(false) => no_such_token(),
                Err(error) => store_failed(&error).into(),
            }
        })
        .await
}

async fn who_am_i(connected: Connected) -> Response {
    receive(connected, Operation::Verify)
        .answer(|books, caller| match verified(books, caller, now()) {
            Some(body) => Answer::json(StatusCode::OK, &body).into(),
            None => unauthorized(),
        })
        .await
}

fn verified(books: &mut Books, caller: Caller, now: DateTime<Utc>) -> Option<Value> {
    let token = books.verify(System::Reference, caller, now)?;
    Some(json!({ "id": token.id, "name": token.name, "scopes": token.scopes }))
}

/// Answers 200 to everybody, and says in the body whether the token is valid, so that a client that
/// looks only at the status is fooled.
async fn introspect(connected: Connected) -> Response {
    receive(connected, Operation::Verify)
        .answer(|books, caller| {
            let active = books.verify(System::Reference, caller, now()).is_some();
            Answer::json(StatusCode::OK, &json!({ "active": active })).into()
        })
        .await
}

/// Answers 200 to everybody: an address that proves nothing about a token.
async fn open(connected: Connected) -> Response {
    receive(connected, Operation::Verify).answer(|_, _| Answer::json(StatusCode::OK, &json!({})).into()).await
}

fn refuse_all_but_admin(caller: Caller) -> Option<Outcome> {
    match caller {
        Caller::Admin => None,
        Caller::Token(_) | Caller::Nobody | Caller::Stranger => Some(unauthorized()),
    }
}

fn unauthorized() -> Outcome {
    Answer::message(StatusCode::UNAUTHORIZED, "the credential is not accepted").into()
}

fn no_such_token() -> Outcome {
    Answer::message(StatusCode::NOT_FOUND, "no such token").into()
}

fn bad_request(message: &str) -> Outcome {
    Answer::message(StatusCode::BAD_REQUEST, message).into()
}

/// Nothing was changed. Also the answer of the control address.
pub fn store_failed(error: &anyhow::Error) -> Answer {
    Answer::message(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))
}
