//! What a truthful service does with a call.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::Url;

use super::pages::list;
use super::{Books, OddEnd, Token};
use crate::fate::Class;
use crate::layout::KEYS;
use crate::mutation::Mutation;
use crate::objects;
use crate::world::{World, stamp};

/// A call.
pub struct Asked<'a> {
    /// What for.
    pub class: Class,
    /// Where to.
    pub url: &'a Url,
    /// With what.
    pub body: &'a str,
    /// The token or the credential that came with it.
    pub bearer: &'a str,
}

/// Status, body, and the token that was generated or ended.
type Done = (u16, Value, Option<Token>);

/// Performs it.
pub(super) fn perform(books: &mut Books, world: &World, host: &str, asked: &Asked<'_>) -> Done {
    *books.calls.entry(asked.class).or_default() += 1;
    if asked.class == Class::Verify {
        return (verify(books, world, asked.bearer), json!({}), None);
    }
    if !KEYS.contains(&(asked.bearer, host)) {
        return (401, json!({}), None);
    }
    match asked.class {
        Class::Generate => generate(books, world, host, asked),
        Class::List if world.mutation == Some(Mutation::ListForgotten) => {
            (200, json!({"items": [], "nextPage": null}), None)
        }
        Class::List => {
            let (status, page) = list(books, world, asked);
            (status, page, None)
        }
        _ => revoke(books, world.elapsed(), asked),
    }
}

fn verify(books: &mut Books, world: &World, value: &str) -> u16 {
    let refuses = books.refuses_tokens.newest().is_some();
    let (seen, now) = (books.seen(Class::Verify, world.elapsed()), world.now());
    let token = books.tokens.iter_mut().find(|token| token.value == value && token.shows(seen, now));
    match token.filter(|_| !refuses) {
        Some(token) => {
            token.accepted.get_or_insert(world.elapsed());
            token.used = Some(now);
            200
        }
        None => 401,
    }
}

fn generate(books: &mut Books, world: &World, host: &str, asked: &Asked<'_>) -> Done {
    let wanted: Value = serde_json::from_str(asked.body).unwrap_or_default();
    let (number, now) = (books.tokens.len() + 1, world.now());
    let asked_for = wanted["lifetimeSeconds"].as_i64();
    let (life, said) = ends(books.odd_end.newest().copied(), asked_for, now);
    let expires = life.map(|seconds| now + chrono::Duration::seconds(seconds));
    // By a clock that is ahead it ends before it begins.
    let unbelieved = expires.is_some_and(|expires| expires <= world.api_server_now());
    let name = wanted["name"].as_str().unwrap_or_default().to_owned();
    let value = format!("{}{host}-{number}-{}", objects::VALUE, world.random(u64::MAX));
    let id = if books.tokens_as_ids { value.clone() } else { books.next_id() };
    let token = Token { expires, unbelieved, ..Token::new(id, name, value, asked.bearer, world) };
    let mut body = json!({"id": token.id, "name": token.name, "token": token.value});
    if let Some(said) = said {
        body["expirationTime"] = said;
    }
    books.tokens.push(token.clone());
    (201, body, Some(token))
}

/// How long a token lives, in seconds, and what the answer says of that; `None` if it says nothing at all.
fn ends(odd: Option<OddEnd>, asked_for: Option<i64>, now: DateTime<Utc>) -> (Option<i64>, Option<Value>) {
    let after = |seconds: i64| json!(stamp(now + chrono::Duration::seconds(seconds)));
    match odd {
        None => (asked_for, Some(asked_for.map_or(Value::Null, after))),
        Some(OddEnd::Absent) => (asked_for, None),
        Some(OddEnd::Unreadable) => (asked_for, Some(json!("soon"))),
        Some(OddEnd::Says(seconds)) => (asked_for, Some(after(seconds.into()))),
        Some(OddEnd::Shorter(most)) => {
            let life = asked_for.map_or(most.into(), |asked_for| asked_for.min(most.into()));
            (Some(life), Some(after(life)))
        }
    }
}

/// The token that a revoke is about.
pub fn addressed<'a>(books: &'a mut Books, asked: &Asked<'_>) -> Option<&'a mut Token> {
    let id = asked.url.path().rsplit('/').next().unwrap_or_default();
    books.tokens.iter_mut().find(|token| token.id == id && !token.dead && token.account == asked.bearer)
}

fn revoke(books: &mut Books, elapsed: Duration, asked: &Asked<'_>) -> Done {
    match addressed(books, asked) {
        Some(token) => {
            (token.dead, token.died) = (true, Some(elapsed));
            (204, json!({}), Some(token.clone()))
        }
        None => (404, json!({}), None),
    }
}
