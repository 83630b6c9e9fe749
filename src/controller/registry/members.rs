//! The members of the registry: exactly the objects that a watch of service objects shows.
//!
//! A check takes as long as the API server and the service take to answer. When it ends, the object that it began with may be
//! gone, or another one may have its name. So checks, passes and watches of Secrets only change what is known of an object that
//! is a member. If a check could add one, this order of events would leave a deleted service that still serves new tokens:
//!
//! 1. The API server restarts, which breaks all watches, and the object is deleted meanwhile.
//! 2. The watch of the object's Secret starts again and asks for a check. The check begins with the object in the cache.
//! 3. The watch of service objects starts again. Its list does not have the object, so the object leaves the registry.
//! 4. The check ends and puts the object back. No later event is about it, and the next list may be half an hour away.

use std::collections::HashMap;

use kube::runtime::watcher::Event;

use crate::api::artifact_token::ServiceKind;
use crate::controller::registry::{Change, Key, Services, Slot, locked};

/// An object by name and uid: a new object may get an old name, but never an old uid.
pub(crate) type Member = (Key, String);

/// Keeps the registry in step with one watch, for the service objects of one kind and scope (a namespace, or all).
#[derive(Debug)]
pub(crate) struct Members {
    kind: ServiceKind,
    namespace: Option<String>,
    /// The objects seen so far in the list that is under way.
    arriving: HashMap<Key, String>,
}

impl Members {
    /// For the watch of this kind and scope.
    pub(crate) fn new(kind: ServiceKind, namespace: Option<&str>) -> Self {
        Self { kind, namespace: namespace.map(str::to_owned), arriving: HashMap::new() }
    }

    /// Handles one event of the watch.
    pub(crate) fn apply<K>(&mut self, event: &Event<K>, member: impl Fn(&K) -> Member, services: &Services) {
        match event {
            Event::Init => self.arriving.clear(),
            Event::InitApply(object) => self.arriving.extend([member(object)]),
            Event::InitDone => {
                let listed = std::mem::take(&mut self.arriving);
                self.list(listed, services);
            }
            Event::Apply(object) => admit(member(object), services),
            Event::Delete(object) => dismiss(&member(object).0, services),
        }
    }

    /// Handles a complete list. An object that was deleted while there was no watch had no event of its own.
    pub(crate) fn list(&self, listed: HashMap<Key, String>, services: &Services) {
        let known: Vec<Key> = locked(&services.slots).keys().cloned().collect();
        known.iter().filter(|key| self.covers(key) && !listed.contains_key(key)).for_each(|key| dismiss(key, services));
        listed.into_iter().for_each(|member| admit(member, services));
    }

    fn covers(&self, key: &Key) -> bool {
        key.kind() == self.kind && (self.namespace.is_none() || key.namespace == self.namespace)
    }
}

/// Adds an object, unless it is a member. It inherits nothing that is known of another object with its name.
fn admit((key, uid): Member, services: &Services) {
    if services.at(&key, |slot| slot.uid == uid) != Some(true) {
        dismiss(&key, services);
        locked(&services.slots).insert(key, Slot { uid, ..Slot::default() });
    }
}

fn dismiss(key: &Key, services: &Services) {
    let slot = locked(&services.slots).remove(key);
    if slot.is_some_and(|slot| slot.entry.is_some()) {
        services.notify(Change::Service(key.clone()));
    }
}
