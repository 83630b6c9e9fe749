//! A store that is put back to an earlier state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::ApiServer;
use super::store::{Change, Store};
use crate::objects::secret_of;

/// What goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// The status of each `ArtifactToken` that has the same uid now.
    Statuses,
    /// Everything; versions count on from the newest.
    Onward,
    /// Everything, and versions count on from those of that time: what a client remembers looks newer than what is there.
    Back,
}

/// All of them.
pub const BACKUPS: [Backup; 3] = [Backup::Statuses, Backup::Onward, Backup::Back];

impl ApiServer {
    /// The store is put back to what it was at a time since the beginning.
    pub fn restore(&self, backup: Backup, then: Duration) {
        let now = self.world.elapsed();
        let mut store = self.store();
        if backup == Backup::Statuses {
            store.restore_statuses(then, now);
            drop(store);
            self.changed.notify_waiters();
            return;
        }
        store.restore(then, now, backup == Backup::Back);
        if backup == Backup::Onward {
            store.compact();
        }
        drop(store);
        self.break_watches();
    }
}

/// The objects of a kind, as its changes until then left them.
fn replay(log: &[Change], then: Duration) -> BTreeMap<(String, String), Arc<Value>> {
    let mut objects = BTreeMap::new();
    for change in log.iter().filter(|change| change.at <= then) {
        let key = key_of(&change.new);
        if change.deleted {
            objects.remove(&key);
        } else {
            objects.insert(key, change.new.clone());
        }
    }
    objects
}

pub(super) fn key_of(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

impl Store {
    fn restore_statuses(&mut self, then: Duration, now: Duration) {
        let kind = self.kind("artifacttokens").expect("it is a kind");
        let before = replay(&kind.history, then);
        let there: Vec<Arc<Value>> = kind.objects.values().cloned().collect();
        for old in there {
            let Some(earlier) = before.get(&key_of(&old)).filter(|earlier| same_uid(earlier, &old)) else { continue };
            let mut new = Value::clone(&old);
            match earlier.get("status") {
                Some(status) => new["status"] = status.clone(),
                None => _ = new.as_object_mut().map(|fields| fields.remove("status")),
            }
            if new != *old {
                self.commit("artifacttokens", new, Some(old), false, (now, 0));
            }
        }
    }

    fn restore(&mut self, then: Duration, now: Duration, versions_go_back: bool) {
        let mut newest = 0;
        self.version += 1;
        for kind in self.kinds_mut() {
            let objects = replay(&kind.history, then);
            if versions_go_back {
                kind.log.retain(|change| change.at <= then);
                newest = newest.max(kind.log.last().map_or(0, |change| change.version));
                kind.compacted = 0;
            }
            for (key, new) in &objects {
                let old = kind.objects.get(key).cloned();
                if old.as_ref() != Some(new) {
                    kind.history.push(Change { version: 0, at: now, deleted: false, new: new.clone(), old, who: 0 });
                }
            }
            for (_, old) in kind.objects.iter().filter(|(key, _)| !objects.contains_key(*key)) {
                let (new, old) = (old.clone(), Some(old.clone()));
                kind.history.push(Change { version: 0, at: now, deleted: true, new, old, who: 0 });
            }
            kind.objects = objects;
        }
        if versions_go_back {
            self.version = newest.max(100);
        }
    }
}

fn same_uid(one: &Value, other: &Value) -> bool {
    one["metadata"]["uid"] == other["metadata"]["uid"]
}

/// A time in the life of a Secret: until when it held what.
#[derive(Clone, Debug)]
pub struct Held {
    /// The value of the token, as the data has it.
    pub data: Value,
    /// Since when.
    pub from: Duration,
    /// Until when; `None` if it still does.
    pub until: Option<Duration>,
    /// Who took it away: a process, or 0 for others.
    pub taken_by: u32,
}

impl ApiServer {
    /// What an object's Secret has held, in order.
    pub fn held(&self, index: usize) -> Vec<Held> {
        let (namespace, name) = (self.layout().namespace(index), secret_of(index));
        let store = self.store();
        let Some(kind) = store.kind("secrets") else { return Vec::new() };
        let mut held: Vec<Held> = Vec::new();
        for change in kind.history.iter().filter(|change| key_of(&change.new) == (namespace.into(), name.clone())) {
            let data = if change.deleted { json!(null) } else { change.new["data"]["token"].clone() };
            if held.last().is_some_and(|last| last.until.is_none() && last.data == data) {
                continue;
            }
            if let Some(last) = held.last_mut().filter(|last| last.until.is_none()) {
                (last.until, last.taken_by) = (Some(change.at), change.who);
            }
            if data.is_string() {
                held.push(Held { data, from: change.at, until: None, taken_by: 0 });
            }
        }
        held
    }
}
