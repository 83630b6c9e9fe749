//! What the pages of Seal and Akinon share: templates, and who may see them.
//!
//! A person signs in by HTTP Basic, with any name and the admin key. What is done on a page is neither counted nor hit by faults: no
//! client of an API did it.

use std::sync::{Arc, LazyLock};

use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, LOCATION, ORIGIN, WWW_AUTHENTICATE, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use data_encoding::BASE64;
use minijinja::Environment;
use minijinja::value::{Serde, Value};

use crate::answer::Answer;
use crate::books::{Books, Caller};
use crate::call::{Service, now};
use crate::token::System;

/// The templates. Values are escaped, since the names end in `.html`.
static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, text) in [
        ("layout.html", include_str!("pages/layout.html")),
        ("seal-tokens.html", include_str!("pages/seal-tokens.html")),
        ("seal-new.html", include_str!("pages/seal-new.html")),
        ("seal-created.html", include_str!("pages/seal-created.html")),
        ("seal-delete.html", include_str!("pages/seal-delete.html")),
        ("akinon-tokens.html", include_str!("pages/akinon-tokens.html")),
    ] {
        // One that does not compile is not there: the test of its page fails.
        let _ = pages.add_template(name, text);
    }
    pages
});

/// A page with these values in it.
pub fn page(status: StatusCode, template: &str, values: &serde_json::Value) -> Answer {
    let values = Value::from(Serde(values));
    let html = PAGES.get_template(template).and_then(|template| template.render(values));
    match html {
        // A page may have a value that is shown once, or a button that another site would like to be pressed.
        Ok(html) => Answer::text(status, "text/html; charset=utf-8", html)
            .with_header(CACHE_CONTROL, "no-store")
            .with_header(X_FRAME_OPTIONS, "DENY"),
        Err(error) => Answer::message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Changes the books. A write may wait for the disk, and threads that serve connections must not.
pub async fn change<T: Send + 'static>(
    service: &Arc<Service>,
    act: impl FnOnce(&mut Books) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let service = Arc::clone(service);
    let done = tokio::task::spawn_blocking(move || act(&mut service.books())).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
}

/// Ends a token, and leads back to the table. For who is signed in.
pub async fn revoke(service: &Arc<Service>, headers: &HeaderMap, system: System, id: String, table: &str) -> Answer {
    if let Err(refused) = signed_in(service, headers) {
        return refused;
    }
    match change(service, move |books| books.revoke(system, &id, now()).map_err(|error| error.to_string())).await {
        Ok(true) => see(table),
        Ok(false) => Answer::message(StatusCode::NOT_FOUND, "no such token"),
        Err(error) => Answer::message(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

/// Leads the browser to another page, so that a reload does nothing twice.
pub fn see(path: &str) -> Answer {
    Answer::empty(StatusCode::SEE_OTHER).with_header(LOCATION, path)
}

/// The name of the person who is signed in.
///
/// # Errors
/// The answer that asks to sign in; or that refuses a form of another site, with which a browser sends the password by itself.
pub fn signed_in(service: &Service, headers: &HeaderMap) -> Result<String, Answer> {
    if headers.get(ORIGIN).is_some() && headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(Answer::message(StatusCode::FORBIDDEN, "this form comes from another site"));
    }
    let known = basic(headers).filter(|(_, key)| service.books().identify(Some(key)) == Caller::Admin);
    known.map(|(name, _)| name).ok_or_else(|| {
        Answer::text(StatusCode::UNAUTHORIZED, "text/plain; charset=utf-8", "sign in with the admin key".to_owned())
            .with_header(WWW_AUTHENTICATE, "Basic realm=\"any name, and the admin key\"")
    })
}

/// The user name and the password of HTTP Basic.
pub fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = BASE64.decode(encoded.trim().as_bytes()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}
