//! The API tokens of an organization at Appetize, under `/appetize`. What its documents say is kept; the paths and the answer to a
//! new token are not public, and are those that the preset infers.
//!
//! | route | credential | answer |
//! |---|---|---|
//! | `POST /v2/api-tokens` `{label, role}` | admin | 200 with `id`, `token`; every admin gets a mail |
//! | `GET /v2/api-tokens?page=1` | admin | `total`, `nextPage` (null at the end), `tokens` with the value masked |
//! | `DELETE /v2/api-tokens/{id}` | admin | 204; 404 |
//! | `GET /v2/tags?limit=1` | token | 200; 401 |
//! | `GET /v2/service/status` | none | 200: it proves nothing of a token |
//!
//! A credential is the header `X-API-KEY`: the admin key of this program, or a token with the role Admin. A label may be used twice.
//! Tokens never expire. Every refusal is a JSON object with a `message`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::{Connected, store_failed};
use crate::books::{Books, Caller, Refusal};
use crate::call::{Call, Outcome, Service, now};
use crate::calls::Operation;
use crate::token::{System, Token, TokenRequest};

/// The header with the credential.
const KEY: &str = "x-api-key";
/// Longest label in characters. The documents name no limit; this one is that of the preset.
const LABEL_LIMIT: usize = 255;
/// Rows of a page.
const PAGE: usize = 20;

/// The routes, below the path of the system.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/v2/api-tokens", get(list).post(generate))
        .route("/v2/api-tokens/{id}", delete(revoke))
        .route("/v2/tags", get(tags))
        .route("/v2/service/status", get(async || Answer::json(StatusCode::OK, &json!({"status": "ok"}))))
}

fn receive((State(service), ConnectInfo(connection), headers): Connected, verb: Operation) -> Call {
    let key = headers.get(KEY).map(|key| key.to_str().unwrap_or_default());
    Call::receive(service, connection, verb, key)
}

/// The roles of a token. The least one comes first.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
enum Role {
    Developer,
    Admin,
}

/// The body of a request for a token.
#[derive(Deserialize)]
struct NewToken {
    label: String,
    role: Role,
}

async fn generate(connected: Connected, body: Bytes) -> Response {
    receive(connected, Operation::Generate)
        .answer(move |books, caller| {
            if let Some(refusal) = refuse_all_but_admins(books, caller) {
                return refusal;
            }
            match serde_json::from_slice::<NewToken>(&body) {
                Ok(wanted) if (1..=LABEL_LIMIT).contains(&wanted.label.chars().count()) => generated(books, wanted),
                Ok(_) => Answer::message(StatusCode::BAD_REQUEST, "label must have 1 to 255 characters").into(),
                Err(error) => Answer::message(StatusCode::BAD_REQUEST, &error.to_string()).into(),
            }
        })
        .await
}

fn generated(books: &mut Books, wanted: NewToken) -> Outcome {
    let scopes = vec![format!("{:?}", wanted.role)];
    let request = TokenRequest {
        system: System::Appetize,
        name: wanted.label,
        lifetime: None,
        scopes,
        created_by: String::new(),
    };
    match books.generate(&request, now()) {
        Ok((token, value)) => {
            let mut body = row(token);
            body["token"] = json!(value);
            Outcome { answer: Answer::json(StatusCode::OK, &body), token_id: Some(token.id.clone()) }
        }
        Err(Refusal::LimitReached(limit)) => {
            Answer::message(StatusCode::FORBIDDEN, &format!("token limit of {limit} reached")).into()
        }
        // A label may be used twice, so only the store is left.
        Err(refusal) => store_failed(&anyhow::anyhow!(refusal)).into(),
    }
}

/// The query of a list.
#[derive(Deserialize)]
struct ListQuery {
    page: Option<usize>,
}

async fn list(connected: Connected, Query(query): Query<ListQuery>) -> Response {
    receive(connected, Operation::List)
        .answer(move |books, caller| match refuse_all_but_admins(books, caller) {
            Some(refusal) => refusal,
            None => page(books, query.page.unwrap_or(1).max(1)).into(),
        })
        .await
}

fn page(books: &Books, number: usize) -> Answer {
    let rows: Vec<Value> = books.listed(System::Appetize, now()).map(row).collect();
    let shown: Vec<&Value> = rows.iter().skip((number - 1).saturating_mul(PAGE)).take(PAGE).collect();
    let next = (number.saturating_mul(PAGE) < rows.len()).then(|| number + 1);
    Answer::json(StatusCode::OK, &json!({"total": rows.len(), "nextPage": next, "tokens": shown}))
}

fn row(token: &Token) -> Value {
    let mut row = json!({
        "id": token.id,
        "obfuscatedToken": format!("tok_****{}", token.value_end),
        "label": token.name,
        "role": token.scopes.first(),
        "created": token.created_time,
        "createdBy": "admin@example.com",
    });
    if let Some(used) = token.last_used_time {
        row["lastUsed"] = json!(used);
    }
    row
}

async fn revoke(connected: Connected, Path(id): Path<String>) -> Response {
    receive(connected, Operation::Revoke)
        .about(id.clone())
        .answer(move |books, caller| {
            if let Some(refusal) = refuse_all_but_admins(books, caller) {
                return refusal;
            }
            match books.revoke(System::Appetize, &id, now()) {
                Ok(true) => Answer::empty(StatusCode::NO_CONTENT).into(),
                Ok(false) => Answer::message(StatusCode::NOT_FOUND, "no such token").into(),
                Err(error) => store_failed(&error).into(),
            }
        })
        .await
}

async fn tags(connected: Connected) -> Response {
    receive(connected, Operation::Verify)
        .answer(|books, caller| match books.verify(System::Appetize, caller, now()) {
            Some(_) => Answer::json(StatusCode::OK, &json!({"tags": []})).into(),
            None => unauthorized(),
        })
        .await
}

fn refuse_all_but_admins(books: &Books, caller: Caller) -> Option<Outcome> {
    let role = |token: &Token| {
        let works = token.system == System::Appetize && token.accepted(&books.settings, now());
        works.then(|| token.scopes.contains(&format!("{:?}", Role::Admin)))
    };
    match caller {
        Caller::Admin => None,
        Caller::Token(_) => match books.shown_by(caller).and_then(role) {
            Some(true) => None,
            Some(false) => Some(Answer::message(StatusCode::FORBIDDEN, "this needs the role Admin").into()),
            None => Some(unauthorized()),
        },
        Caller::Nobody | Caller::Stranger => Some(unauthorized()),
    }
}

fn unauthorized() -> Outcome {
    Answer::message(StatusCode::UNAUTHORIZED, "the API token is not valid").into()
}
