//! What a truthful service does with a call.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::Url;

use super::{Books, Odd, Token};
use crate::fate::Class;
use crate::layout::KEYS;
use crate::mutation::Mutation;
use crate::objects;
use crate::world::{World, stamp};

/// How many rows a page has if the caller does not say.
const PAGE: usize = 50;

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
        Class::List => (200, list(books, world.now(), asked), None),
        _ => revoke(books, world.elapsed(), asked),
    }
}

fn verify(books: &mut Books, world: &World, value: &str) -> u16 {
    let now = world.now();
    let refuses = books.refuses_tokens.newest().is_some();
    let token = books.tokens.iter_mut().find(|token| token.value == value && token.lives(now));
    match token.filter(|_| !refuses) {
        Some(token) => {
            token.accepted.get_or_insert(world.elapsed());
            200
        }
        None => 401,
    }
}

fn generate(books: &mut Books, world: &World, host: &str, asked: &Asked<'_>) -> Done {
    let wanted: Value = serde_json::from_str(asked.body).unwrap_or_default();
    let (number, now) = (books.tokens.len() + 1, world.now());
    let expires = wanted["lifetimeSeconds"].as_i64().map(|seconds| now + chrono::Duration::seconds(seconds));
    let name = wanted["name"].as_str().unwrap_or_default().to_owned();
    let value = format!("{}{host}-{number}-{}", objects::VALUE, world.random(u64::MAX));
    let id = if books.tokens_as_ids { value.clone() } else { books.next_id() };
    let token = Token { expires, ..Token::new(id, name, value, asked.bearer, world) };
    let body = json!({"id": token.id, "name": token.name, "token": token.value, "expirationTime": expires.map(stamp)});
    books.tokens.push(token.clone());
    (201, body, Some(token))
}

fn list(books: &Books, now: DateTime<Utc>, asked: &Asked<'_>) -> Value {
    let number = |wanted: &str| asked.url.query_pairs().find(|(name, _)| name == wanted)?.1.parse::<usize>().ok();
    let (limit, page) = (number("limit").unwrap_or(PAGE), number("page").unwrap_or(1).max(1));
    let page = page - usize::from(books.empty_pages);
    if page == 0 {
        return json!({"items": [], "nextPage": 2});
    }
    let listed = |number: usize, token: &Token| match books.odd() {
        Some(Odd::Empty) => false,
        Some(Odd::Forgets) => token.lives(now) && number.is_multiple_of(2),
        Some(Odd::Dead) => true,
        _ => token.lives(now),
    };
    let all = books.tokens.iter().enumerate().filter(|(number, token)| listed(*number, token));
    let all: Vec<&Token> = all.map(|(_, token)| token).filter(|token| token.account == asked.bearer).collect();
    let row = |token: &&Token| {
        let before = if books.odd() == Some(Odd::Renamed) { "robots/" } else { "" };
        let name = (!books.nameless).then(|| format!("{before}{}", token.name));
        json!({"id": token.id, "name": name, "createdTime": stamp(token.created),
            "expirationTime": token.expires.map(stamp)})
    };
    let rows: Vec<Value> = all.iter().skip((page - 1) * limit).take(limit).map(row).collect();
    let next = page + 1 + usize::from(books.empty_pages);
    json!({"items": rows, "nextPage": (page * limit < all.len()).then_some(next)})
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
