//! One process's connection to the API server: what its clients send goes through here and meets its fate.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tower::BoxError;

use super::store::{LEASES, Store};
use super::watch::Watch;
use super::{ApiServer, Outcome, Place, Refusal, USES, metadata_of};
use crate::excuses::CLAIM_SETTLES;
use crate::fate::{Class, Fate, Line};
use crate::world::http_date;
use crate::{laws, objects};

/// How long the operator's client waits for an answer; the real one keeps this in its connector.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The body of an answer, whole or streamed.
type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// A process's connection.
#[derive(Clone)]
pub struct Connection {
    server: ApiServer,
    line: Arc<Line>,
}

/// What became of a request, and when by the server's clock.
type Landed = (Outcome, DateTime<Utc>);

/// A request, read to its end.
#[derive(Clone)]
struct Asked {
    method: Method,
    path: String,
    query: String,
    content: String,
    /// Only metadata is asked for.
    partial: bool,
    body: Value,
}

impl Asked {
    async fn read(request: Request<Body>) -> Result<Self, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self {
            partial: header("accept").contains("PartialObjectMetadata"),
            content: header("content-type").to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? },
            method: parts.method,
        })
    }

    /// What it is about. Who creates an object has its name in the body. Events stay without one: nobody waits for them, and a fault of an
    /// object is for the records about it.
    fn place(&self) -> Place<'_> {
        let place = Place::parse(&self.path);
        let created = || self.body["metadata"]["name"].as_str().filter(|_| place.plural != "events");
        Place { name: place.name.or_else(created), ..place }
    }

    /// Whether it writes another last use of a token that stays current.
    fn tells_a_use(&self, store: &Store) -> bool {
        let place = self.place();
        let key = place.key(place.name.unwrap_or_default());
        let stored = store.kind(place.plural).and_then(|kind| kind.objects.get(&key));
        let current = |object: &Value, field: &str| object["status"]["current"][field].clone();
        let changed = |object: &Value, field: &str| current(object, field) != current(&self.body, field);
        place.status && stored.is_some_and(|object| changed(object, "lastUsedTime") && !changed(object, "id"))
    }

    fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether it lists or watches Secrets, if only those of one name.
    fn lists_secrets(&self) -> bool {
        let place = self.place();
        !self.writes() && place.plural == "secrets" && place.name.is_none()
    }

    fn dry(&self) -> bool {
        self.query.contains("dryRun=All")
    }

    /// For counts and for people: the verb, the kind, and whether it is of the status or dry.
    fn verb(&self) -> String {
        let place = self.place();
        let status = if place.status { "/status" } else { "" };
        let dry = if self.dry() { " dry" } else { "" };
        format!("{} {}{status}{dry}", self.method, place.plural)
    }
}

/// The caller sees a broken connection.
fn lost() -> BoxError {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}

impl Connection {
    pub(super) fn new(server: ApiServer, line: Arc<Line>) -> Self {
        Self { server, line }
    }

    async fn handle(self, request: Request<Body>) -> Result<Response<Answer>, BoxError> {
        self.line.alive().await;
        let mut asked = Asked::read(request).await?;
        if asked.lists_secrets() {
            self.server.store().listed_secrets = true;
        }
        if asked.query.contains("watch=true") {
            self.server.world.travel().await;
            if self.server.is_down() {
                return Err(lost());
            }
            if let Some(refusal) = self.server.refusal("GET", asked.place()) {
                return self.tell((Err(refusal), self.clock()), false);
            }
            let lines = Watch::lines(&self.server, self.line.clone(), &asked.path, &asked.query, asked.partial);
            return self.answer(StatusCode::OK, self.clock(), StreamBody::new(lines).boxed_unsync());
        }
        self.count(&asked);
        let unrecorded = self.server.world.mutation.and_then(|one| one.unrecorded(&asked.path, &asked.body));
        if let Some(mutation) = self.server.world.mutation {
            mutation.of_request(&self.server, &asked.method, &asked.path, &mut asked.body);
        }
        let asked = Arc::new(asked);
        let (mut outcome, stamped) = self.carry(&asked).await?;
        if let Some(mutation) = self.server.world.mutation {
            mutation.of_refusal(&self.server, &asked.path, asked.dry(), &asked.body, &mut outcome);
        }
        if let (Some(mutation), Ok((_, value))) = (self.server.world.mutation, &mut outcome) {
            mutation.of_answer(&self.server, &asked.path, value);
            if let Some(claim) = unrecorded {
                value["status"]["claim"] = claim;
            }
        }
        self.tell((outcome, stamped), asked.partial)
    }

    /// An outcome as an answer.
    fn tell(&self, (outcome, stamped): Landed, partial: bool) -> Result<Response<Answer>, BoxError> {
        let (code, value) = match outcome {
            Ok((code, value)) if partial => (code, metadata_of(&value)),
            Ok(answer) => answer,
            Err(Refusal(code, reason, message)) => (
                StatusCode::from_u16(code)?,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                    "reason": (!reason.is_empty()).then_some(reason), "code": code}),
            ),
        };
        self.answer(
            code,
            stamped,
            Full::new(Bytes::from(value.to_string())).map_err(|never| match never {}).boxed_unsync(),
        )
    }

    /// A request on its way, there and back.
    async fn carry(&self, asked: &Arc<Asked>) -> Result<Landed, BoxError> {
        let world = &self.server.world;
        let class = if asked.writes() { Class::ApiWrite } else { Class::ApiRead };
        let of = asked.place().name.and_then(objects::index_of);
        // Renewals come for as long as a life lasts, so they are no storm.
        let renews = asked.place().plural == LEASES;
        let fate = if renews { world.faults.meet(class, of, world.elapsed()) } else { world.fate(class, of) };
        if fate == Some(Fate::KillBefore) {
            self.line.cut();
        }
        self.line.alive().await;
        // From here on it is on the wire: it lands although its sender dies or has given up waiting.
        let (connection, asked, sent) = (self.clone(), asked.clone(), world.elapsed());
        let landing = tokio::spawn(async move {
            let outcome = connection.arrive(&asked, fate).await?;
            connection.note_late(&outcome, sent);
            let stamped = connection.clock();
            if let Some(Fate::Slow(seconds)) = fate {
                tokio::time::sleep(Duration::from_secs(seconds.into())).await;
            }
            Ok::<Landed, BoxError>((outcome, stamped))
        });
        let landed = landing.await.expect("a request lands")?;
        self.line.alive().await;
        world.travel().await;
        self.line.alive().await;
        Ok(landed)
    }

    /// What was created so late is in nobody's hand.
    fn note_late(&self, outcome: &Outcome, sent: Duration) {
        let world = &self.server.world;
        if let Ok((StatusCode::CREATED, created)) = outcome
            && sent + CLAIM_SETTLES < world.elapsed()
        {
            let uid = created["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            world.excuses().landed_late.insert(uid);
        }
    }

    async fn arrive(&self, asked: &Asked, fate: Option<Fate>) -> Result<Outcome, BoxError> {
        let (world, place) = (&self.server.world, asked.place());
        if let Some(Fate::Late(seconds)) = fate {
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        }
        world.travel().await;
        match fate {
            Some(Fate::LostBefore) => return Err(lost()),
            Some(Fate::Status(code)) => return Ok(Err(Refusal(code, "InternalError", "as the plan says".into()))),
            _ => {}
        }
        if self.server.is_down() {
            return Err(lost());
        }
        if let Some(refusal) = self.server.refusal(asked.method.as_str(), place) {
            world
                .say(self.line.who, || format!("{} {} -> {}", asked.verb(), place.name.unwrap_or_default(), refusal.2));
            return Ok(Err(refusal));
        }
        let (who, method) = (self.line.who, asked.method.as_str());
        let outcome = self.server.perform(who, method, &asked.path, &asked.query, &asked.content, &asked.body);
        self.say(asked, &outcome, fate);
        match fate {
            Some(Fate::LostAfter) => return Err(lost()),
            Some(Fate::KillAfter) => self.line.cut(),
            _ => {}
        }
        Ok(outcome)
    }

    fn count(&self, asked: &Asked) {
        let place = asked.place();
        let mut store = self.server.store();
        *store.counts.entry(asked.verb()).or_default() += 1;
        if place.plural == LEASES {
            let minute = self.server.world.elapsed().as_secs() / 60;
            *store.lease_tries.entry((self.line.who, minute)).or_default() += 1;
            return;
        }
        if asked.writes() && !asked.dry() && place.plural != "events" {
            let minute = self.server.world.elapsed().as_secs() / 60;
            // A record of when a token was last used has its own budget.
            let kind = if asked.tells_a_use(&store) { USES } else { place.plural };
            let what = format!("{kind}/{}", place.name.unwrap_or_default());
            let count = store.by_minute.entry((what, minute)).or_default();
            *count += 1;
            let (count, name) = (*count, place.name.unwrap_or_default());
            if count == laws::STORM {
                let world = &self.server.world;
                world.broke("storm", format!("{count} writes of {}/{name} in a minute", place.plural));
                // More of it would only cost time.
                world.end_early();
            }
        }
    }

    /// Tells what happened, and judges it.
    fn say(&self, asked: &Asked, outcome: &Outcome, fate: Option<Fate>) {
        let (world, place) = (&self.server.world, asked.place());
        // The operator never writes what an API server cannot take.
        if let Err(Refusal(code @ (400 | 405 | 422 | 500), _, message)) = outcome
            && asked.writes()
        {
            world.broke("schema", format!("{} {}: {code} {message}", asked.verb(), place.name.unwrap_or_default()));
        }
        if asked.writes() && !asked.dry() && outcome.is_ok() {
            laws::of_write(world, place);
            laws::of_content(world, place, &asked.body);
        }
        world.say(self.line.who, || {
            let told = match outcome {
                Ok((code, value)) => {
                    format!("{} v{}", code.as_u16(), value["metadata"]["resourceVersion"].as_str().unwrap_or("-"))
                }
                Err(Refusal(code, reason, message)) => format!("{code} {reason} {message}"),
            };
            let said = match place.plural {
                "events" => format!(" {} {}", asked.body["reason"], asked.body["note"]),
                "artifacttokens" if asked.writes() => conditions(&asked.body),
                _ => String::new(),
            };
            let fate = fate.map(|fate| format!(" [{fate:?}]")).unwrap_or_default();
            let name = place.name.unwrap_or_default();
            format!("{} {}/{name} -> {told}{said}{fate}", asked.verb(), place.namespace)
        });
    }

    /// The server's clock, as the operator reads it.
    fn clock(&self) -> DateTime<Utc> {
        let world = &self.server.world;
        match world.mutation {
            Some(mutation) => mutation.of_clock(world.api_server_now(), world.elapsed()),
            None => world.api_server_now(),
        }
    }

    fn answer(&self, code: StatusCode, stamped: DateTime<Utc>, body: Answer) -> Result<Response<Answer>, BoxError> {
        let builder = Response::builder().status(code).header("content-type", "application/json");
        Ok(builder.header("date", http_date(stamped)).body(body)?)
    }
}

impl tower::Service<Request<Body>> for Connection {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.clone().handle(request);
        Box::pin(async move {
            let timely = tokio::time::timeout(READ_TIMEOUT, answer).await;
            timely.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
        })
    }
}

/// The reasons in the conditions of a status.
fn conditions(body: &Value) -> String {
    let all = body["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|one| format!(" {}={}:{}", one["type"], one["status"], one["reason"]).replace('"', "")).collect()
}
