//! An API server: as much of one as the operator can tell from a real one. `tests/simulation/agreement.rs` beside it compares them.
//!
//! Left out, because the operator uses none of it: pages of lists, server-side apply, a PATCH of a status. What admission and
//! permissions refuse is in `trouble`.

mod backup;
mod connection;
mod history;
mod place;
mod schema;
mod secret;
mod store;
mod trouble;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Notify;

pub use backup::{BACKUPS, Backup, Held};
pub use connection::Connection;
pub use history::{Stored, Tenure};
pub use place::Place;
pub use trouble::{TROUBLES, Trouble};
pub use write::{Outcome, Refusal};

use self::place::Selector;
use self::store::Store;
use self::write::Write;
use crate::fate::Line;
use crate::layout::Layout;
use crate::objects;
use crate::world::{World, stamp};

/// What a record of the last use of a token counts as, instead of its kind.
pub const USES: &str = "uses";

/// The API server. Cheap to clone.
#[derive(Clone)]
pub struct ApiServer {
    store: Arc<Mutex<Store>>,
    /// Wakes the watches, the oldest first: `tokio::sync::watch` would wake them in a random order.
    changed: Arc<Notify>,
    world: Arc<World>,
}

impl ApiServer {
    /// An empty one.
    pub fn new(world: Arc<World>) -> Self {
        Self { store: Arc::new(Mutex::new(Store::new())), changed: Arc::default(), world }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// The client's side of a process.
    pub fn connection(&self, line: &Arc<Line>) -> Connection {
        Connection::new(self.clone(), line.clone())
    }

    /// Every watch breaks now.
    pub fn break_watches(&self) {
        let mut store = self.store();
        (store.epoch, store.silent) = (store.epoch + 1, self.world.elapsed());
        drop(store);
        self.changed.notify_waiters();
    }

    /// History is forgotten, and watches must begin again.
    pub fn compact(&self) {
        self.store().compact();
        self.break_watches();
    }

    /// What a person does, at once; only the API server's own rules refuse it.
    ///
    /// # Errors
    /// Says why it was refused.
    pub fn act(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let done = self.perform(0, method, path, "fieldManager=kubectl", content, body);
        done.map(|(_, value)| value).map_err(|Refusal(code, reason, message)| format!("{code} {reason} {message}"))
    }

    /// An object as it is now.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store().kind(plural)?.objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Where objects are.
    pub fn layout(&self) -> Layout {
        self.world.layout
    }

    /// An `ArtifactToken` as it is now.
    pub fn token(&self, index: usize) -> Option<Arc<Value>> {
        self.get("artifacttokens", self.layout().namespace(index), &objects::name_of(index))
    }

    /// Its Secret.
    pub fn secret(&self, index: usize) -> Option<Arc<Value>> {
        self.get("secrets", self.layout().namespace(index), &objects::secret_of(index))
    }

    /// All objects of a kind.
    pub fn all(&self, plural: &str) -> Vec<Arc<Value>> {
        self.store().kind(plural).map(|kind| kind.objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Whether an operator ever listed or watched Secrets.
    pub fn listed_secrets(&self) -> bool {
        self.store().listed_secrets
    }

    /// Requests of operators by verb and kind.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.store().counts.clone()
    }

    /// Writes of operators by object and minute.
    pub fn writes_by_minute(&self) -> BTreeMap<(String, u64), u64> {
        self.store().by_minute.clone()
    }

    /// All events, and when they came.
    pub fn events(&self) -> Vec<(Duration, Value)> {
        self.store().events.clone()
    }

    fn perform(&self, who: u32, method: &str, path: &str, query: &str, content: &str, body: &Value) -> Outcome {
        let place = Place::parse(path);
        let mut store = self.store();
        if place.plural == "events" {
            store.events.push((self.world.elapsed(), body.clone()));
            return Ok((StatusCode::CREATED, body.clone()));
        }
        if method == "GET" {
            return read(&store, place, query);
        }
        let write = Write { method, place, query, content, body, stamp: stamp(self.world.api_server_now()) };
        let changed = write.judge(&mut store)?;
        let deleted = |new: &Value| {
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": new["metadata"]["name"], "kind": place.plural, "uid": new["metadata"]["uid"]}})
        };
        let gone = method == "DELETE" && changed.deleted;
        if changed.old.as_deref() == Some(&changed.new) || write.dry() {
            let answer = if gone { deleted(&changed.new) } else { changed.new };
            return Ok((changed.code, answer));
        }
        let new = store.commit(place.plural, changed.new, changed.old, changed.deleted, (self.world.elapsed(), who));
        drop(store);
        self.changed.notify_waiters();
        Ok((changed.code, if gone { deleted(&new) } else { Value::clone(&new) }))
    }
}

fn read(store: &Store, place: Place<'_>, query: &str) -> Outcome {
    let missing = |what: &str| Refusal(404, "NotFound", format!("{} \"{what}\" not found", place.plural));
    let kind = store.kind(place.plural).ok_or_else(|| missing(place.plural))?;
    if let Some(name) = place.name {
        let found = kind.objects.get(&place.key(name)).ok_or_else(|| missing(name))?;
        return Ok((StatusCode::OK, Value::clone(found)));
    }
    let chosen = Selector::parse(query, place.namespace);
    let items = kind.objects.values().filter(|object| chosen.takes(object));
    let items: Vec<Value> = items.map(|object| Value::clone(object)).collect();
    let list = json!({"apiVersion": kind.api_version, "kind": format!("{}List", kind.kind),
        "metadata": {"resourceVersion": store.version.to_string()}, "items": items});
    Ok((StatusCode::OK, list))
}

/// An object or a list with its metadata only.
fn metadata_of(value: &Value) -> Value {
    match value["items"].as_array() {
        Some(items) => json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": value["metadata"], "items": items.iter().map(metadata_of).collect::<Vec<Value>>()}),
        None => json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": value["metadata"]}),
    }
}
