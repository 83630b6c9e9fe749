//! Watches: every change of what was chosen, in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body::Frame;
use serde_json::{Value, json};
use tower::BoxError;

use super::place::{Place, Selector, parameter};
use super::{ApiServer, metadata_of};
use crate::fate::Line;
use crate::mutation::Mutation;

/// How long a watch lasts if the client does not say.
const DEFAULT_SECONDS: u64 = 300;

/// How often a client that asks for it is told the newest version, if nothing else was told.
const BOOKMARK: Duration = Duration::from_secs(60);

/// One watch.
pub(super) struct Watch {
    server: ApiServer,
    line: Arc<Line>,
    plural: String,
    chosen: Selector,
    /// It has told everything up to this version.
    told: u64,
    /// The server's when it began: it ends with it.
    epoch: u64,
    /// Only metadata is asked for.
    partial: bool,
    /// The client wants to be told the newest version now and then.
    bookmarks: bool,
    /// The client was told that its version is too old.
    expired: bool,
}

impl Watch {
    /// The watch that a request asks for, as the lines of its answer.
    pub(super) fn lines(
        server: &ApiServer,
        line: Arc<Line>,
        path: &str,
        query: &str,
        partial: bool,
    ) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + use<> {
        let number = |name: &str| parameter(query, name).and_then(|text| text.parse().ok());
        let place = Place::parse(path);
        let watch = Self {
            server: server.clone(),
            line,
            plural: place.plural.to_owned(),
            chosen: Selector::parse(query, place.namespace),
            told: number("resourceVersion").unwrap_or(0),
            epoch: server.store().epoch,
            partial,
            bookmarks: query.contains("allowWatchBookmarks=true"),
            expired: false,
        };
        let seconds = number("timeoutSeconds").unwrap_or(DEFAULT_SECONDS);
        let events = stream::unfold(watch, |mut watch| async move { watch.next().await.map(|event| (event, watch)) });
        let frames = events.map(|event| Ok(Frame::data(Bytes::from(format!("{event}\n")))));
        frames.take_until(tokio::time::sleep(Duration::from_secs(seconds)))
    }

    /// Waits for the next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let changed = self.server.changed.clone();
            let mut changed = std::pin::pin!(changed.notified());
            // From here on a change wakes it, also one that comes before it waits.
            changed.as_mut().enable();
            self.line.alive().await;
            if self.expired || self.server.store().epoch != self.epoch {
                return None;
            }
            if self.deaf() {
                std::future::pending::<()>().await;
            }
            if let Some(mut event) = self.look() {
                let lag = self.server.world.lag.lock().unwrap().newest().copied().unwrap_or_default();
                let lag = Duration::from_secs(lag.into());
                tokio::time::sleep(lag + Duration::from_millis(1 + self.server.world.random(3))).await;
                if self.partial && event["type"] != "ERROR" {
                    event["object"] = metadata_of(&event["object"]);
                }
                return Some(event);
            }
            if tokio::time::timeout(BOOKMARK, changed).await.is_err()
                && let Some(bookmark) = self.bookmark()
            {
                return Some(bookmark);
            }
        }
    }

    /// The newest version, where everything up to it was told.
    fn bookmark(&mut self) -> Option<Value> {
        let store = self.server.store();
        let kind = store.kind(&self.plural).filter(|_| self.bookmarks && store.epoch == self.epoch)?;
        let untold = kind.log.last().is_some_and(|change| change.version > self.told) || self.told < kind.compacted;
        if untold || store.version <= self.told {
            return None;
        }
        self.told = store.version;
        let (api_version, of) =
            if self.partial { ("meta.k8s.io/v1", "PartialObjectMetadata") } else { (kind.api_version, kind.kind) };
        let metadata = json!({"resourceVersion": self.told.to_string(), "creationTimestamp": null});
        Some(json!({"type": "BOOKMARK", "object": {"kind": of, "apiVersion": api_version, "metadata": metadata}}))
    }

    fn deaf(&self) -> bool {
        self.server.world.mutation == Some(Mutation::DriftUnseen) && self.plural == "secrets"
    }

    /// The next change that concerns it, if there is one.
    fn look(&mut self) -> Option<Value> {
        let store = self.server.store();
        let kind = store.kind(&self.plural)?;
        if self.told < kind.compacted {
            self.expired = true;
            return Some(json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {},
                "status": "Failure", "message": "too old resource version", "reason": "Expired", "code": 410}}));
        }
        let start = kind.log.partition_point(|change| change.version <= self.told);
        for change in &kind.log[start..] {
            self.told = change.version;
            let before = change.old.as_ref().is_some_and(|old| self.chosen.takes(old));
            let after = !change.deleted && self.chosen.takes(&change.new);
            let type_ = match (before, after) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => continue,
            };
            let mut object = Value::clone(&change.new);
            // An object that leaves the selection is told as it was there last.
            if let (true, false, false, Some(old)) = (before, after, change.deleted, &change.old) {
                object = Value::clone(old);
                object["metadata"]["resourceVersion"] = json!(change.version.to_string());
            }
            return Some(json!({"type": type_, "object": object}));
        }
        None
    }
}
