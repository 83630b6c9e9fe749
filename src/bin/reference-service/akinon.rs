//! The access tokens of a seller at Akinon, under `/akinon`: a page for people, and an API that only uses tokens.
//!
//! | route | who | answer |
//! |---|---|---|
//! | `GET /settings/access-tokens` | signed in | the form and the table; every key stays readable there |
//! | `POST /settings/access-tokens` `validUntil, note` | signed in | the table, with the new token |
//! | `POST /settings/access-tokens/{id}/revoke` | signed in | sets the expiry to now; the row stays, as Expired |
//! | `GET /api/i2/products/?page=1&limit=1` | token | 200 with `count`, `next`, `previous`, `results`; 401 with `detail`, `code` |
//!
//! A client sends the key as the value of `Authorization`, with or without `Token ` before it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::Answer;
use crate::api::Connected;
use crate::call::{Call, Service, now};
use crate::calls::Operation;
use crate::pages::{change, page, revoke, see, signed_in};
use crate::token::{System, Token, TokenRequest};

const TOKENS: &str = "/akinon/settings/access-tokens";

/// The routes, below the path of the system.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/settings/access-tokens", get(tokens).post(create))
        .route("/settings/access-tokens/{id}/revoke", post(end))
        .route("/api/i2/products/", get(products))
}

/// A row of the table.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'a str,
    key: &'a str,
    note: &'a str,
    status: &'static str,
    valid_until: String,
}

impl<'a> Row<'a> {
    fn of(token: &'a Token, now: DateTime<Utc>) -> Self {
        // A revoke sets the end to now, unless that was past already.
        let end = token.revoked_time().into_iter().chain(token.expiration_time).min();
        Self {
            id: &token.id,
            key: token.value.as_deref().unwrap_or_default(),
            note: &token.name,
            status: if token.live(now) { "Active" } else { "Expired" },
            valid_until: end.map(|end| end.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default(),
        }
    }
}

async fn tokens(State(service): State<Arc<Service>>, headers: HeaderMap) -> Answer {
    match signed_in(&service, &headers) {
        Ok(_) => table(&service, StatusCode::OK, None),
        Err(refused) => refused,
    }
}

fn table(service: &Service, status: StatusCode, problem: Option<&str>) -> Answer {
    let (books, now) = (service.books(), now());
    let all = books.tokens().iter().filter(|token| token.system == System::Akinon);
    let tokens: Vec<Row<'_>> = all.map(|token| Row::of(token, now)).collect();
    let place = "Access Tokens";
    let system = "Akinon Seller Center";
    let values = json!({"system": system, "place": place, "title": place, "tokens": tokens, "problem": problem});
    page(status, "akinon-tokens.html", &values)
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewToken {
    valid_until: String,
    #[serde(default)]
    note: String,
}

async fn create(State(service): State<Arc<Service>>, headers: HeaderMap, Form(wanted): Form<NewToken>) -> Answer {
    let person = match signed_in(&service, &headers) {
        Ok(person) => person,
        Err(refused) => return refused,
    };
    let date: Option<NaiveDate> = wanted.valid_until.parse().ok();
    let now = now();
    // It is valid until the last minute of that day.
    let end = date.and_then(|date| date.succ_opt()).map(|next| next.and_time(NaiveTime::MIN).and_utc());
    let lifetime = end.map(|end| end - TimeDelta::minutes(1) - now);
    let Some(lifetime) = lifetime.filter(|lifetime| lifetime.num_milliseconds() > 0) else {
        return table(&service, StatusCode::BAD_REQUEST, Some("Valid Until must be a date in the future."));
    };
    let (name, lifetime) = (wanted.note, Some(lifetime));
    let request = TokenRequest { system: System::Akinon, name, lifetime, scopes: Vec::new(), created_by: person };
    let generated =
        change(&service, move |books| books.generate(&request, now).map(|_| ()).map_err(|refusal| refusal.to_string()));
    match generated.await {
        Ok(()) => see(TOKENS),
        Err(refusal) => table(&service, StatusCode::CONFLICT, Some(&refusal)),
    }
}

async fn end(State(service): State<Arc<Service>>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    revoke(&service, &headers, System::Akinon, id, TOKENS).await
}

async fn products((State(service), ConnectInfo(connection), headers): Connected) -> Response {
    let value = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let key = value.map(|value| value.strip_prefix("Token ").unwrap_or(value));
    Call::receive(service, connection, Operation::Verify, key)
        .answer(|books, caller| match books.verify(System::Akinon, caller, now()) {
            Some(_) => {
                let none = json!({"count": 0, "next": null, "previous": null, "results": []});
                Answer::json(StatusCode::OK, &none).into()
            }
            None => {
                let refusal =
                    json!({"detail": "Kimlik doğrulama bilgileri geçersiz.", "code": "authentication_failed"});
                Answer::json(StatusCode::UNAUTHORIZED, &refusal).into()
            }
        })
        .await
}
