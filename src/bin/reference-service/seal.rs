//! The tokens of a tenant at Seal Security, under `/seal`: pages for people, and no API that makes, lists or revokes tokens.
//!
//! | route | who | answer |
//! |---|---|---|
//! | `GET /settings/tokens` | signed in | the table of tokens, without their values |
//! | `GET /settings/tokens/new` | signed in | the form; `?name=` fills in the name |
//! | `POST /settings/tokens` `name, type, expiry` | signed in | the page that shows the value, once |
//! | `GET, POST /settings/tokens/{id}/delete` | signed in | asks, and ends the token at once and for ever |
//! | `GET /authorization/` | Basic: project and token | 200; 401, also without a project |
//!
//! Types are Production and Development. A token expires never or after one year. One token serves all projects of the tenant.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Connected;
use crate::call::{Call, Service, now};
use crate::calls::Operation;
use crate::pages::{basic, change, page, revoke, signed_in};
use crate::token::{System, Token, TokenRequest};

const TOKENS: &str = "/seal/settings/tokens";
const DAY_MILLISECONDS: i64 = 24 * 3600 * 1000;
/// The only lifetime beside `Never`.
const YEAR: TimeDelta = TimeDelta::days(365);

/// The routes, below the path of the system.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/settings/tokens", get(tokens).post(create))
        .route("/settings/tokens/new", get(form))
        .route("/settings/tokens/{id}/delete", get(confirm).post(delete))
        .route("/authorization/", get(authorize))
}

/// A row of the table.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    r#type: &'a str,
    expiry: String,
    created_by: &'a str,
    created: String,
}

impl<'a> Row<'a> {
    fn of(token: &'a Token, now: DateTime<Utc>) -> Self {
        // A day that has begun counts.
        let days = |end: DateTime<Utc>| ((end - now).num_milliseconds() + DAY_MILLISECONDS - 1) / DAY_MILLISECONDS;
        let left = token.expiration_time.map(|end| format!("{} days left", days(end)));
        Self {
            id: &token.id,
            name: &token.name,
            r#type: token.scopes.first().map_or("", String::as_str),
            expiry: left.unwrap_or_else(|| "Never".to_owned()),
            created_by: &token.created_by,
            created: token.created_time.format("%Y-%m-%d").to_string(),
        }
    }
}

async fn tokens(State(service): State<Arc<Service>>, headers: HeaderMap) -> Answer {
    if let Err(refused) = signed_in(&service, &headers) {
        return refused;
    }
    let (books, now) = (service.books(), now());
    let tokens: Vec<Row<'_>> = books.listed(System::Seal, now).map(|token| Row::of(token, now)).collect();
    shown(StatusCode::OK, "seal-tokens.html", json!({"title": "Tokens", "tokens": tokens}))
}

/// A page of this system.
fn shown(status: StatusCode, template: &str, mut values: Value) -> Answer {
    (values["system"], values["place"]) = (json!("Seal"), json!("Tokens"));
    page(status, template, &values)
}

/// The query of the form.
#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    name: String,
}

async fn form(State(service): State<Arc<Service>>, headers: HeaderMap, Query(filled): Query<Filled>) -> Answer {
    match signed_in(&service, &headers) {
        Ok(_) => empty_form(StatusCode::OK, &filled.name, None),
        Err(refused) => refused,
    }
}

fn empty_form(status: StatusCode, name: &str, problem: Option<&str>) -> Answer {
    shown(status, "seal-new.html", json!({"title": "Create token", "name": name, "problem": problem}))
}

/// What the form sends.
#[derive(Deserialize)]
struct NewToken {
    name: String,
    r#type: String,
    expiry: String,
}

async fn create(State(service): State<Arc<Service>>, headers: HeaderMap, Form(wanted): Form<NewToken>) -> Answer {
    let person = match signed_in(&service, &headers) {
        Ok(person) => person,
        Err(refused) => return refused,
    };
    let lifetime = match wanted.expiry.as_str() {
        "Never" => None,
        "After one year" => Some(YEAR),
        _ => return empty_form(StatusCode::BAD_REQUEST, &wanted.name, Some("Choose Never or After one year.")),
    };
    if wanted.name.is_empty() || !["Production", "Development"].contains(&wanted.r#type.as_str()) {
        let problem = "Give the token a name, and choose Production or Development.";
        return empty_form(StatusCode::BAD_REQUEST, &wanted.name, Some(problem));
    }
    let (name, scopes) = (wanted.name, vec![wanted.r#type]);
    let request = TokenRequest { system: System::Seal, name, lifetime, scopes, created_by: person };
    let name = request.name.clone();
    let generated = change(&service, move |books| {
        books.generate(&request, now()).map(|(_, value)| value).map_err(|refusal| refusal.to_string())
    });
    match generated.await {
        Ok(value) => {
            let values = json!({"title": "Copy your token", "name": name, "value": value});
            shown(StatusCode::OK, "seal-created.html", values)
        }
        Err(refusal) => empty_form(StatusCode::CONFLICT, &name, Some(&refusal)),
    }
}

async fn confirm(State(service): State<Arc<Service>>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    if let Err(refused) = signed_in(&service, &headers) {
        return refused;
    }
    match service.books().find(System::Seal, &id, now()) {
        Some(token) => {
            let values = json!({"title": "Delete token", "name": token.name, "id": id});
            shown(StatusCode::OK, "seal-delete.html", values)
        }
        None => Answer::message(StatusCode::NOT_FOUND, "no such token"),
    }
}

async fn delete(State(service): State<Arc<Service>>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    revoke(&service, &headers, System::Seal, id, TOKENS).await
}

/// What Seal's own clients ask before they use a token.
async fn authorize((State(service), ConnectInfo(connection), headers): Connected) -> Response {
    let shown = basic(&headers);
    let (project, token) = shown.as_ref().map(|(project, token)| (project.as_str(), token.as_str())).unzip();
    let named = project.is_some_and(|project| !project.is_empty());
    Call::receive(service, connection, Operation::Verify, token)
        .answer(move |books, caller| {
            // Without a project nobody looks at the token.
            let accepted = named && books.verify(System::Seal, caller, now()).is_some();
            match accepted {
                true => Answer::empty(StatusCode::OK).into(),
                false => Answer::message(StatusCode::UNAUTHORIZED, "authentication failed").into(),
            }
        })
        .await
}
