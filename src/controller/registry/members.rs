//! Who is in the registry: the objects that a watch of service objects shows, and nobody else.
//!
//! A check takes as long as the API server and the service take to answer. When it ends, the object that it began with may be gone,
//! or another one may have its name. So checks, passes and watches of Secrets only change what is known of an object that is
//! in. If a check could bring one in, this order of events would leave a service that serves new tokens although it is gone:
//!
//! 1. The API server restarts, which breaks all watches, and the object is deleted meanwhile.
//! 2. The watch of the object's Secret begins anew, and asks for a check. The check begins on what the cache still has.
//! 3. The watch of service objects begins anew. Its list does not have the object, which leaves the registry.
//! 4. The check ends and puts the object back. No later event is about it, and the next list may be half an hour away.

use std::collections::HashMap;

use kube::runtime::watcher::Event;

use crate::api::artifact_token::ServiceKind;
use crate::controller::registry::{Change, Key, Place, Services, locked};

/// Which object: a name may come again, a uid does not.
pub(crate) type Member = (Key, String);

/// What one watch says of the service objects of its kind and scope: a namespace, or all.
#[derive(Debug)]
pub(crate) struct Members {
    kind: ServiceKind,
    namespace: Option<String>,
    /// In the list that is under way.
    arriving: HashMap<Key, String>,
}

impl Members {
    /// What the watch of this kind and scope is to say.
    pub(crate) fn new(kind: ServiceKind, namespace: Option<&str>) -> Self {
        Self { kind, namespace: namespace.map(str::to_owned), arriving: HashMap::new() }
    }

    /// Takes one event of the watch.
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

    /// Takes a complete list. What went while there was no watch had no event of its own.
    pub(crate) fn list(&self, listed: HashMap<Key, String>, services: &Services) {
        let known: Vec<Key> = locked(&services.places).keys().cloned().collect();
        known.iter().filter(|key| self.covers(key) && !listed.contains_key(key)).for_each(|key| dismiss(key, services));
        listed.into_iter().for_each(|member| admit(member, services));
    }

    fn covers(&self, key: &Key) -> bool {
        key.kind() == self.kind && (self.namespace.is_none() || key.namespace == self.namespace)
    }
}

/// Makes room for an object, unless it is in. Nothing that is known of another one of its name counts for it.
fn admit((key, uid): Member, services: &Services) {
    if services.at(&key, |place| place.uid == uid) != Some(true) {
        dismiss(&key, services);
        locked(&services.places).insert(key, Place { uid, ..Place::default() });
    }
}

fn dismiss(key: &Key, services: &Services) {
    let place = locked(&services.places).remove(key);
    if place.is_some_and(|place| place.entry.is_some()) {
        services.tell(Change::Service(key.clone()));
    }
}
