//! The pages of a list, and what can be odd about them.

use serde_json::{Value, json};

use super::{Asked, Books, Odd, Token};
use crate::fate::Class;
use crate::world::{World, stamp};

/// How many rows a page has if the caller does not say.
const PAGE: usize = 50;

/// How many it has where pages are odd, so that a list has several.
const SHORT_PAGE: usize = 3;

/// A page of the list: status and body.
pub(super) fn list(books: &Books, world: &World, asked: &Asked<'_>) -> (u16, Value) {
    let number = |wanted: &str| asked.url.query_pairs().find(|(name, _)| name == wanted)?.1.parse::<usize>().ok();
    let (limit, page) = (number("limit").unwrap_or(PAGE), number("page").unwrap_or(1).max(1));
    let before = usize::from(books.empty_pages);
    let page = page - before;
    if page == 0 {
        return (200, json!({"items": [], "nextPage": 2}));
    }
    let odd = books.odd();
    let limit = if odd.is_some_and(Odd::has_short_pages) { SHORT_PAGE } else { limit };
    let rows = rows(books, world, asked);
    let begins = |page: usize| (page - 1) * limit;
    let shown = if odd == Some(Odd::Again) { 1 } else { page };
    let mut items: Vec<Value> = rows.iter().skip(begins(shown)).take(limit).cloned().collect();
    let next = match odd {
        Some(Odd::NoNext(status)) if page > 1 && begins(page) >= rows.len() => return (status, json!({})),
        Some(Odd::Again) => Some(2),
        Some(Odd::Endless) => {
            items.push(json!({"id": format!("endless-{page}"), "name": "one of very many"}));
            Some(page + 1)
        }
        Some(Odd::NoNext(_)) => Some(page + 1),
        _ => (begins(page + 1) < rows.len()).then_some(page + 1),
    };
    (200, json!({"items": items, "nextPage": next.map(|next| next + before)}))
}

/// All rows, in order.
fn rows(books: &Books, world: &World, asked: &Asked<'_>) -> Vec<Value> {
    let (seen, now, odd) = (books.seen(Class::List, world.elapsed()), world.now(), books.odd());
    let listed = |number: usize, token: &Token| match odd {
        Some(Odd::Empty) => false,
        Some(Odd::Forgets) => token.shows(seen, now) && number.is_multiple_of(2),
        Some(Odd::Dead) => token.at <= seen,
        _ => token.shows(seen, now),
    };
    let all = books.tokens.iter().enumerate().filter(|(number, token)| listed(*number, token));
    let own = all.map(|(_, token)| token).filter(|token| token.account == asked.bearer);
    let rows: Vec<Value> = own.map(|token| row(books, token)).collect();
    match odd {
        Some(Odd::Doubles) => rows.into_iter().flat_map(|row| [row.clone(), row]).collect(),
        Some(Odd::TwoNames) => rows.into_iter().flat_map(|row| [under_another_name(&row), row]).collect(),
        Some(Odd::Strange) => [strange(), rows].concat(),
        Some(Odd::NoId(without)) => {
            let id = if without { Value::Null } else { json!("") };
            [rows, vec![json!({"id": id, "name": "somebody's"})]].concat()
        }
        _ => rows,
    }
}

fn row(books: &Books, token: &Token) -> Value {
    let before = if books.odd() == Some(Odd::Renamed) { "robots/" } else { "" };
    let name = (!books.nameless).then(|| format!("{before}{}", token.name));
    json!({"id": token.id, "name": name, "createdTime": stamp(token.created),
        "expirationTime": token.expires.map(stamp), "lastUsedTime": token.used.map(stamp)})
}

fn under_another_name(row: &Value) -> Value {
    let mut other = row.clone();
    other["name"] = json!("the same under another name");
    other
}

/// Rows of strangers, in every form that a row may have: an id that is a number; a name that is none, or looks like one of ours.
fn strange() -> Vec<Value> {
    let long = "x".repeat(2000);
    let names = [
        Value::Null,
        json!(""),
        json!(7),
        json!(true),
        json!("sim"),
        json!("sim.aaaaaaaaaaaaaaaa.99999999999.bbbbbbbb somebody's"),
        json!("sim.AAAAAAAAAAAAAAAA.1.bbbbbbbb somebody's"),
        json!("other.aaaaaaaaaaaaaaaa.1.bbbbbbbb team/t0"),
        json!(long),
    ];
    let row = |(number, name): (usize, Value)| match number % 2 {
        0 => json!({"id": number, "name": name}),
        _ => json!({"id": format!("odd-{number}"), "name": name, "createdTime": "never", "expirationTime": -1}),
    };
    names.into_iter().enumerate().map(row).collect()
}
