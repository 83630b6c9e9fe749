//! The way of one process to the services.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::api::token_service::request::Method;
use artifact_token_operator::service::transport::{Answer, Exchange, SendError, Transport};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::operations::{Asked, perform};
use super::{Asks, Pause, Services, Token};
use crate::api_server::ApiServer;
use crate::fate::{Class, Fate, Line};
use crate::laws;
use crate::mutation::Mutation;
use crate::world::{World, http_date};

/// If a service asks for a longer pause, the operator asks again each hour (L6).
const LONGEST_PAUSE: u32 = 3600;

/// A process's way to the services.
#[derive(Clone)]
pub struct Carrier {
    /// The process's line.
    pub line: Arc<Line>,
    /// The world.
    pub world: Arc<World>,
    /// Where it leads.
    pub services: Services,
    /// Whose objects the tokens belong to.
    pub api_server: ApiServer,
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carrier({})", self.line.who)
    }
}

impl Transport for Carrier {
    fn exchange<'a>(&'a self, exchange: Exchange<'a>) -> BoxFuture<'a, Result<Answer, SendError>> {
        let timeout = exchange.timeout;
        let late = move |_| Err(SendError::Lost(format!("no answer within {} s", timeout.as_secs_f32())));
        async move { tokio::time::timeout(timeout, self.carry(&exchange)).await.unwrap_or_else(late) }.boxed()
    }
}

/// A request that has left its process: it lands, whatever becomes of its sender.
struct Sent {
    host: String,
    class: Class,
    url: Url,
    body: String,
    bearer: String,
    /// The object that it is about.
    of: Option<usize>,
    fate: Option<Fate>,
    /// What a revoke was to end when it was sent.
    target: Option<Token>,
}

impl Sent {
    fn new(exchange: &Exchange<'_>) -> Self {
        Self {
            host: exchange.url.host_str().unwrap_or_default().to_owned(),
            class: class_of(exchange),
            url: exchange.url.clone(),
            body: exchange.body.unwrap_or_default().to_owned(),
            bearer: bearer_of(exchange),
            of: None,
            fate: None,
            target: None,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { class: self.class, url: &self.url, body: &self.body, bearer: &self.bearer }
    }
}

/// An answer on its way back.
struct Reply {
    status: u16,
    pause: Option<Pause>,
    body: Value,
}

impl Reply {
    fn bare(status: u16) -> Self {
        Self { status, pause: None, body: json!({}) }
    }
}

impl Carrier {
    /// A request on its way, there and back.
    async fn carry(&self, exchange: &Exchange<'_>) -> Result<Answer, SendError> {
        self.line.alive().await;
        let mut sent = Sent::new(exchange);
        sent.body = laws::with_name(&self.api_server, sent.body);
        sent.of = self.services.at(&sent.host, |books| laws::object_of_call(books, &sent.asked())).flatten();
        sent.fate = self.world.fate(sent.class, sent.of);
        laws::of_bearer(&self.world, &sent.host, &sent.bearer);
        laws::of_call(self, &sent.host, sent.class);
        if sent.fate == Some(Fate::KillBefore) {
            self.line.cut();
        }
        self.line.alive().await;
        // The protocol promises what is sent. When that lands, and what is there by then, is no longer in the operator's hand.
        if self.world.mutation.and_then(|mutation| mutation.of_call(sent.class)).is_none() {
            sent.target = laws::of_sent(self, &sent.host, &sent.asked());
        }
        let (host, bearer, carrier) = (sent.host.clone(), sent.bearer.clone(), self.clone());
        let landing = tokio::spawn(async move { carrier.arrive(&sent).await });
        let reply = landing.await.expect("a call lands")?;
        self.answer(&host, &bearer, reply).await
    }

    /// What was sent lands: it does not matter whether its sender lives, or waits.
    async fn arrive(&self, sent: &Sent) -> Result<Reply, SendError> {
        if let Some(Fate::Late(seconds)) = sent.fate {
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        }
        self.world.travel().await;
        match sent.fate {
            Some(Fate::LostBefore) => return Err(SendError::NotSent("no connection".into())),
            Some(Fate::Status(status)) => return Ok(Reply::bare(status)),
            _ => {}
        }
        let slow = self.services.at(&sent.host, |books| books.generate_takes).unwrap_or_default();
        if sent.class == Class::Generate && slow > 0 {
            tokio::time::sleep(Duration::from_secs(slow)).await;
        }
        let reply = self.perform(sent);
        self.say(sent, &reply);
        match sent.fate {
            Some(Fate::LostAfter) if self.world.mutation == Some(Mutation::LostIsNo) => {
                return Err(SendError::NotSent("no connection".into()));
            }
            Some(Fate::LostAfter) => return Err(SendError::Lost("the connection broke before the answer".into())),
            Some(Fate::KillAfter) => self.line.cut(),
            Some(Fate::Slow(seconds)) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
            _ => {}
        }
        Ok(reply)
    }

    /// What the service does, and what that means to the laws.
    fn perform(&self, sent: &Sent) -> Reply {
        let (host, class, asked) = (&sent.host, sent.class, sent.asked());
        if let Some(status) = self.world.mutation.and_then(|mutation| mutation.of_call(class)) {
            return Reply::bare(status);
        }
        let done = self.services.at(host, |books| {
            if let Some(outage) = books.outage(class, sent.of) {
                return (Reply { pause: outage.pause, ..Reply::bare(outage.status) }, None);
            }
            if class == Class::Generate && self.world.mutation == Some(Mutation::SentTwice) {
                perform(books, &self.world, host, &asked);
            }
            if let Some(status) = self.world.mutation.and_then(|mutation| mutation.skips(books, &asked)) {
                return (Reply::bare(status), None);
            }
            let (status, mut body, concerned) = perform(books, &self.world, host, &asked);
            if self.world.mutation == Some(Mutation::EmptyPageIsEnd) && body["items"] == json!([]) {
                body["nextPage"] = Value::Null;
            }
            let other = self.world.mutation.and_then(|mutation| mutation.of_answer_of_service(books, &asked, status));
            let status = other.unwrap_or(status);
            (Reply { status, pause: None, body }, concerned)
        });
        let Some((reply, concerned)) = done else { return Reply::bare(404) };
        match (class, concerned) {
            (Class::Revoke, Some(token)) => laws::of_ended(self, sent.target.as_ref(), &token),
            (Class::Generate, Some(token)) => _ = self.services.at(host, |books| laws::of_made(self, books, &token)),
            _ => {}
        }
        reply
    }

    fn say(&self, sent: &Sent, reply: &Reply) {
        self.world.say(self.line.who, || {
            let (host, class) = (&sent.host, sent.class);
            let fate = sent.fate.map(|fate| format!(" [{fate:?}]")).unwrap_or_default();
            format!("{host} {class:?} -> {} {} {}{fate}", reply.status, reply.body["id"], reply.body["name"])
        });
    }

    async fn answer(&self, host: &str, bearer: &str, reply: Reply) -> Result<Answer, SendError> {
        self.line.alive().await;
        self.world.travel().await;
        self.line.alive().await;
        self.services.at(host, |books| books.heard(&reply.body["token"]));
        let body = with_words(reply.status, reply.body, bearer, &http_date(self.world.now()));
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_str(&http_date(self.world.now())).expect("a date is a header"));
        if let Some(pause) = reply.pause {
            if self.world.mutation != Some(Mutation::PauseIgnored) {
                ask_to_wait(&mut headers, pause, self.world.now());
            }
            let told = self.world.elapsed();
            let until = told + Duration::from_secs(pause.seconds.min(LONGEST_PAUSE).into());
            self.services.at(host, |books| books.pauses.insert(self.line.who, (told, until)));
        }
        Ok(Answer::new(reply.status, headers, Ok(body.to_string().into_bytes())))
    }
}

/// What the service says about a failure: with what nobody may repeat, and otherwise each time.
fn with_words(status: u16, mut body: Value, bearer: &str, now: &str) -> Value {
    if status >= 400 && body.is_object() {
        body["message"] = json!(format!("{bearer} is not wanted at {now}\n{body}"));
    }
    body
}

fn ask_to_wait(headers: &mut HeaderMap, pause: Pause, now: DateTime<Utc>) {
    let after = i64::from(pause.seconds);
    let reset = match pause.by {
        Asks::RetryAfter => {
            headers.insert("retry-after", HeaderValue::from(pause.seconds));
            return;
        }
        Asks::Reset => after,
        Asks::ResetTime => now.timestamp() + after,
    };
    headers.insert("x-ratelimit-remaining", HeaderValue::from(0));
    headers.insert("x-ratelimit-reset", HeaderValue::from(reset));
}

fn class_of(exchange: &Exchange<'_>) -> Class {
    match (exchange.method, exchange.url.path()) {
        (Method::Post, _) => Class::Generate,
        (Method::Delete, _) => Class::Revoke,
        (_, "/v1/whoami") => Class::Verify,
        _ => Class::List,
    }
}

fn bearer_of(exchange: &Exchange<'_>) -> String {
    let header = exchange.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    header.map(|(_, value)| value.trim_start_matches("Bearer ").to_owned()).unwrap_or_default()
}
