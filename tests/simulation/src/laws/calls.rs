//! Laws of single calls.

use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::rotation::identity;
use data_encoding::BASE64;
use serde_json::Value;

use crate::api_server::{ApiServer, Place};
use crate::excuses::{CLAIM_SETTLES, SECOND};
use crate::fate::Class;
use crate::layout::{KEYS, Site};
use crate::objects;
use crate::services::{Asked, Books, Carrier, Token, addressed};
use crate::world::World;

/// Tokens of other people at the service.
const STRANGERS: usize = 2;

/// How long a call is on its way at most.
const SENT: Duration = Duration::from_millis(20);

/// A claim whose write was tried in time may be used until then (P2, P15).
const CLAIM_LASTS: Duration = Duration::from_secs(200);

/// Calls whose places were taken before a minute began may go out in it.
const PLACES_IN_HAND: usize = 10;

/// Other people have tokens at the service, too.
pub fn strangers(books: &mut Books, site: Site, world: &World) {
    for number in 0..STRANGERS {
        let (id, name) = (format!("strange-{number}"), format!("somebody's token {number}"));
        let stranger = Token::new(id, name, format!("strange-value-{}-{number}", site.host), site.key, world);
        let created = chrono::DateTime::UNIX_EPOCH;
        books.tokens.push(Token { created, accepted: Some(Duration::ZERO), ..stranger });
    }
}

/// The object that a call is about, as far as the service can tell.
pub fn object_of_call(books: &Books, asked: &Asked<'_>) -> Option<usize> {
    let find = |wanted: &dyn Fn(&Token) -> bool| books.tokens.iter().find(|token| wanted(token))?.object();
    match asked.class {
        Class::Generate => objects::index_of(name_in(asked).rsplit('/').next()?),
        Class::Verify => find(&|token| token.value == asked.bearer),
        Class::Revoke => {
            let id = asked.url.path().rsplit('/').next()?;
            find(&|token| token.id == id)
        }
        Class::List | Class::ApiRead | Class::ApiWrite => None,
    }
}

/// The name that a token is asked for with.
fn name_in(asked: &Asked<'_>) -> String {
    let body: Value = serde_json::from_str(asked.body).unwrap_or_default();
    body["name"].as_str().unwrap_or_default().to_owned()
}

/// S10: a credential goes only to the origin of `baseURL`, and so does a token.
pub fn of_bearer(world: &World, host: &str, bearer: &str) {
    let of_another = KEYS.iter().any(|(key, of)| *key == bearer && *of != host)
        || bearer.strip_prefix(objects::VALUE).is_some_and(|value| !value.starts_with(host));
    if of_another {
        world.broke("S10", format!("a credential or a token of another service was sent to {host}"));
    }
}

/// A limit and a `Retry-After` are kept by each process (L6).
pub fn of_call(carrier: &Carrier, host: &str, class: Class) {
    let (world, who) = (&carrier.world, carrier.line.who);
    let limit = world.excuses().per_minute.get(host).copied().unwrap_or_default() as usize;
    let now = world.elapsed();
    carrier.services.at(host, |books| {
        // What was on its way when the answer came is no fault.
        if let Some((told, until)) =
            books.pauses.get(&who).filter(|(told, until)| *told + SENT < now && *until > now + SECOND)
        {
            let (after, before) = (now - *told, *until - now);
            world.broke(
                "L6",
                format!("{class:?} goes out {after:?} after the service asked for a pause, and {before:?} too early"),
            );
        }
        books.times.push((now, who));
        let minute = now.saturating_sub(Duration::from_secs(60));
        let recent = books.times.iter().rev().take_while(|(at, _)| *at > minute).filter(|(_, of)| *of == who).count();
        if recent == limit + PLACES_IN_HAND {
            world.broke("limit", format!("{recent} calls in a minute, {limit} are allowed"));
        }
    });
}

/// Values and credentials are written into data of Secrets and nowhere else, not even encoded (S9).
pub fn of_content(world: &World, place: Place<'_>, body: &Value) {
    let mut body = body.clone();
    if place.plural == "secrets" && body.is_object() {
        ["data", "stringData"].iter().for_each(|field| body[*field] = Value::Null);
    }
    let text = body.to_string();
    let secret = || [objects::VALUE].into_iter().chain(KEYS.map(|(key, _)| key));
    // What stands at the beginning of a text has one encoding, but for its last letters.
    let encoded = secret().map(|secret| BASE64.encode(secret.as_bytes())[..8].to_owned());
    let found = secret().map(str::to_owned).chain(encoded).find(|secret| text.contains(secret));
    if let Some(found) = found {
        world.broke("S9", format!("{found} stands in {}/{}: {text}", place.plural, place.name.unwrap_or_default()));
    }
}

/// A write touches nothing of others (S8).
pub fn of_write(world: &World, place: Place<'_>) {
    let own = |index| place.namespace == world.layout.namespace(index);
    let other = |name: &str| !objects::index_of(name).is_some_and(own);
    if let Some(name) = place.name.filter(|name| place.plural == "secrets" && other(name)) {
        world.broke("S8", format!("the Secret {name} was written"));
    }
}

/// A service without names keeps one all the same, for the laws: that of the open claim of the object in the note.
pub fn with_name(server: &ApiServer, body: String) -> String {
    let mut asked: Value = serde_json::from_str(&body).unwrap_or_default();
    let Some(note) = asked["note"].as_str() else { return body };
    let name = note.rsplit('/').next().unwrap_or_default();
    let object = objects::index_of(name).and_then(|index| server.token(index)).unwrap_or_default();
    let claim = &object["status"]["claim"];
    let (attempt, nonce) = (claim["attempt"].as_u64().unwrap_or(1), claim["nonce"].as_str().unwrap_or("0"));
    let uid16 = identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default());
    asked["name"] = Value::from(format!("{}.{uid16}.{attempt}.{nonce} {note}", objects::PREFIX));
    asked.to_string()
}

/// Judges what a process sends, when it sends it. What a revoke is to end.
pub fn of_sent(carrier: &Carrier, host: &str, asked: &Asked<'_>) -> Option<Token> {
    // P25: what a person makes and ends, the operator only asks about.
    let by_hand = carrier.services.at(host, |books| books.by_hand) == Some(true);
    if by_hand && asked.class != Class::Verify {
        carrier.world.broke("P25", format!("{:?} was sent to a service whose tokens a person makes", asked.class));
    }
    match asked.class {
        Class::Generate => of_generate(carrier, host, &name_in(asked)),
        Class::Revoke => {
            let target = carrier.services.at(host, |books| addressed(books, asked).cloned()).flatten()?;
            of_revoke(carrier, &target);
            return Some(target);
        }
        _ => {}
    }
    None
}

/// A token is asked for only with a claim and a finalizer (S4).
fn of_generate(carrier: &Carrier, host: &str, full: &str) {
    let Some(name) = identity::parse(objects::PREFIX, full) else {
        return carrier.world.broke("S4", format!("a token with the name {full} was asked for, which is none of ours"));
    };
    let index = full.rsplit('/').next().and_then(objects::index_of);
    // S11: a service of its own namespace, or one that allows it.
    if index.is_some_and(|index| carrier.world.layout.site(index).host != host) {
        carrier.world.broke("S11", format!("{full} was asked for at {host}"));
    }
    // P15: a write that will be refused is tried before a token is asked for.
    if let Some(index) = index {
        let since = carrier.api_server.refuses_secret_since(index);
        if since.is_some_and(|since| since + CLAIM_LASTS < carrier.world.elapsed()) {
            let how = format!("{full} was asked for, and its Secret cannot be written since {since:?}");
            carrier.world.broke("P15", how);
        }
    }
    if let Some(index) = index {
        super::bans::of_generate(carrier, index, &name, full);
    }
    let excused = index.is_some_and(|index| carrier.world.excuses().stripped.contains(&index));
    let Some(object) = object_of(&carrier.api_server, &name.uid16).filter(|_| !excused) else { return };
    let held = object["metadata"]["finalizers"].as_array().is_some_and(|names| !names.is_empty());
    let claimed = name.nonce.is_first() || object["status"]["claim"]["nonce"] == name.nonce.as_str();
    if !held || !claimed {
        carrier.world.broke("S4", format!("{full} was asked for: finalizer {held}, claim {claimed}"));
    }
}

/// One claim is worth one token (S4). And where a request lands so late that nobody can have waited for it, its token is a stray.
pub fn of_made(carrier: &Carrier, books: &mut Books, token: &Token) {
    let Some(name) = token.own_name() else { return };
    let same = |other: &&Token| other.own_name().as_ref() == Some(&name);
    let stripped = token.object().is_some_and(|index| carrier.world.excuses().stripped.contains(&index));
    if !stripped && books.tokens.iter().filter(same).count() > 1 {
        carrier.world.broke("S4", format!("{} was made twice", token.name));
    }
    let claimed = carrier.api_server.claimed_at(&name.uid16, name.nonce.as_str(), name.nonce.is_first());
    let stray = claimed.is_some_and(|claimed| claimed + CLAIM_SETTLES < token.at);
    let made = books.tokens.iter_mut().rfind(|made| made.value == token.value);
    made.into_iter().for_each(|made| made.stray = stray);
}

/// A token died that was not the one that the revoke was sent for.
pub fn of_ended(carrier: &Carrier, target: Option<&Token>, token: &Token) {
    match target {
        Some(target) if target.value == token.value => {}
        // Its id was given again while the request was on its way. Nobody could know that when it was sent (P19).
        Some(_) => _ = carrier.world.excuses().struck.insert(token.value.clone()),
        None => of_revoke(carrier, token),
    }
}

/// Whose token is to die, and when (S1, S2, S3).
fn of_revoke(carrier: &Carrier, token: &Token) {
    let world = &carrier.world;
    if carrier.services.with(|books| books.may_show_another(token, world.elapsed())) {
        world.excuses().struck.insert(token.value.clone());
        return;
    }
    let Some(name) = token.own_name() else {
        return world.broke("S3", format!("{} ({}) is a stranger's and was revoked", token.id, token.name));
    };
    let Some(object) = object_of(&carrier.api_server, &name.uid16) else { return of_ownerless(carrier, token) };
    let (server, now) = (&carrier.api_server, world.elapsed());
    let leaked = |index| world.excuses().leaked(server, index, token, now);
    if token.object().is_some_and(leaked) || object["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    let (id, value) = (&token.id, token.data());
    let secret = object["spec"]["secret"]["name"].as_str().unwrap_or_default();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let held = carrier.api_server.get("secrets", namespace, secret);
    let holds = held.is_some_and(|secret| secret["data"]["token"] == value);
    if holds {
        world.broke("S1", format!("{id} ({}) revoked while the Secret {secret} holds it", token.name));
    }
    // What a hand put back after it was replaced, its correction takes away at once: what counts is when it left the Secret before that.
    let replaced = server.superseded_at(&name.uid16, name.attempt, id);
    let put_back = world.excuses().put_back_until(token, now).filter(|at| replaced.is_some_and(|since| since <= *at));
    let Some(left) = server.held_until((namespace, secret), &value, put_back) else { return };
    let overlap = token.object().map(|index| world.excuses().overlap(server, index, token, left));
    let (since, overlap) = (now.saturating_sub(left), overlap.unwrap_or_default());
    if since + SECOND < overlap {
        world.broke("S2", format!("{id} ({}) revoked {since:?} after the Secret moved on", token.name));
    }
}

/// P22: what an object has in its Secret stays as long as its consumers may hold it, whoever generated it.
fn of_ownerless(carrier: &Carrier, token: &Token) {
    let (server, world) = (&carrier.api_server, &carrier.world);
    let Some(index) = token.object() else { return };
    let lives = |object: &Arc<Value>| object["metadata"]["deletionTimestamp"].is_null();
    let (Some(_), Some(secret)) = (server.token(index).filter(lives), server.secret(index)) else { return };
    if secret["data"]["token"] == token.data() {
        world.broke("S1", format!("{} ({}) is nobody's, and revoked while a Secret holds it", token.id, token.name));
    }
}

fn object_of(server: &ApiServer, uid16: &str) -> Option<Arc<Value>> {
    let of = |object: &Arc<Value>| identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default()) == uid16;
    server.all("artifacttokens").into_iter().find(of)
}
