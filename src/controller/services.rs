//! The services as they were checked last, for the passes of the tokens.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::UnboundedSender;

use crate::api::token_service::TokenServiceSpec;
use crate::rotation::desired::Halt;
use crate::service::declaration::Declaration;
use crate::service::engine::Service;
use crate::service::limits::RateLimit;

/// namespace and name of a service object.
pub type Key = (String, String);

/// One service object.
#[derive(Clone, Debug)]
pub struct ServiceEntry {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// Its spec.
    pub spec: TokenServiceSpec,
    /// Scheme, host and port of its `baseURL`.
    pub origin: String,
    /// The checked declaration, if it holds.
    pub declaration: Option<Declaration>,
    /// The client, with the last good credential.
    pub service: Option<Service>,
    /// Why no token can be generated there now.
    pub halt: Option<Halt>,
    /// The versions of the Secrets that the client was made from.
    pub revision: String,
}

/// All of them.
#[derive(Debug)]
pub struct Services {
    entries: Mutex<HashMap<Key, Arc<ServiceEntry>>>,
    limits: Mutex<HashMap<Key, (i32, RateLimit)>>,
    doubted: Mutex<HashSet<Key>>,
    stale: Mutex<HashSet<Key>>,
    /// Services to be checked again.
    recheck: UnboundedSender<Key>,
    /// Services whose tokens are to be looked at again.
    changed: UnboundedSender<Key>,
}

impl Services {
    /// An empty registry; `recheck` and `changed` are read by the two controllers.
    pub fn new(recheck: UnboundedSender<Key>, changed: UnboundedSender<Key>) -> Self {
        let (entries, limits, doubted, stale) = Default::default();
        Self { entries, limits, doubted, stale, recheck, changed }
    }

    /// A service as it was checked last.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<ServiceEntry>> {
        locked(&self.entries).get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// A service was checked. Its tokens are looked at again if that changes anything for them.
    pub fn put(&self, key: Key, entry: ServiceEntry) {
        let differs = |old: &Arc<ServiceEntry>| {
            (old.generation, &old.uid, &old.halt, &old.revision)
                != (entry.generation, &entry.uid, &entry.halt, &entry.revision)
        };
        let changed = locked(&self.entries).get(&key).is_none_or(differs);
        locked(&self.entries).insert(key.clone(), Arc::new(entry));
        if changed {
            // The receiver lives as long as the controller; when it stops, nobody needs the trigger.
            let _ = self.changed.unbounded_send(key);
        }
    }

    /// A service object is gone.
    pub fn remove(&self, key: &Key) {
        locked(&self.limits).remove(key);
        if locked(&self.entries).remove(key).is_some() {
            let _ = self.changed.unbounded_send(key.clone());
        }
    }

    /// The rate limit of a service; it outlives changes of everything but the limit itself.
    pub fn limit(&self, key: &Key, requests_per_minute: i32) -> RateLimit {
        let mut limits = locked(&self.limits);
        let fresh = || (requests_per_minute, RateLimit::new(u32::try_from(requests_per_minute).unwrap_or(1)));
        let (rate, limit) = limits.entry(key.clone()).or_insert_with(fresh);
        if *rate != requests_per_minute {
            (*rate, *limit) = fresh();
        }
        limit.clone()
    }

    /// The operator's credential was refused in passing, or nothing could be sent: check it again, now.
    pub fn doubt(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        locked(&self.doubted).insert(key.clone());
        self.check_again(key);
    }

    /// Whether the credential was doubted since this was asked last.
    pub fn take_doubt(&self, key: &Key) -> bool {
        locked(&self.doubted).remove(key)
    }

    /// Whether a Secret or ConfigMap of this service changed since this was asked last.
    pub fn take_stale(&self, key: &Key) -> bool {
        locked(&self.stale).remove(key)
    }

    /// Takes note that it is still to be checked.
    pub fn set_stale(&self, key: Key) {
        locked(&self.stale).insert(key);
    }

    /// A Secret or ConfigMap of this service changed.
    pub fn check_again(&self, key: Key) {
        self.set_stale(key.clone());
        let _ = self.recheck.unbounded_send(key);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
