//! The services as they were checked last, for the passes of the tokens.

mod entry;
mod key;
pub(crate) mod members;
mod reviews;
mod subscribers;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::UnboundedReceiver;

use crate::rotation::service_review::Review;
use crate::service::limits::RateLimit;

pub(crate) use entry::ServiceEntry;
pub(crate) use key::{Change, Key};
use subscribers::Subscribers;

/// All of them, one registry for the whole process: a service that many namespaces share has one rate limit.
///
/// **Invariant:** only [`members::Members`], which the watch of service objects feeds, brings an object in or takes it out. Everybody else
/// changes what is known of an object that is in: whoever is under way when it goes leaves nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Services {
    places: Mutex<HashMap<Key, Place>>,
    /// Uids of objects that are to look for tokens which their ledgers do not know.
    suspects: Mutex<HashSet<String>>,
    /// Who checks services, and is told which to check again.
    checkers: Subscribers<Key>,
    /// Who keeps tokens, and is told of changes.
    subscribers: Subscribers<Change>,
}

/// What is known of one service object. It goes with the object.
#[derive(Debug, Default)]
struct Place {
    uid: String,
    /// As it was checked last.
    entry: Option<Arc<ServiceEntry>>,
    limit: Option<(i32, RateLimit)>,
    doubted: bool,
    /// A Secret or ConfigMap of it changed.
    stale: bool,
    /// Its credential changed, and it is not known whether its tokens still work.
    review: Option<Review>,
}

impl Services {
    /// Services to be checked again, from now on; each checker takes those of its own kind and namespace.
    pub(crate) fn rechecks(&self) -> UnboundedReceiver<Key> {
        self.checkers.subscribe()
    }

    /// What changes for tokens from now on.
    pub(crate) fn changes(&self) -> UnboundedReceiver<Change> {
        self.subscribers.subscribe()
    }

    /// A service as it was checked last.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<ServiceEntry>> {
        self.at(key, |place| place.entry.clone())?
    }

    /// The same, if it is still the object with this uid.
    pub(crate) fn get_object(&self, key: &Key, uid: &str) -> Option<Arc<ServiceEntry>> {
        self.get(key).filter(|entry| entry.uid == uid)
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.at(key, |_| ()).is_some()
    }

    /// A service was checked. Its tokens are looked at again if that changes anything for them; nothing happens if the object is
    /// gone, or another one has its name.
    pub(crate) fn put(&self, entry: ServiceEntry) {
        let entry = Arc::new(entry);
        let differs = |old: Arc<ServiceEntry>| {
            (old.generation, &old.halt, &old.revision) != (entry.generation, &entry.halt, &entry.revision)
        };
        let old = self.at_object(&entry, |place| place.entry.replace(entry.clone()));
        if old.is_some_and(|old| old.is_none_or(differs)) {
            self.notify(Change::Service(entry.key.clone()));
        }
    }

    /// What is done to the place of a service object, if it has one.
    fn at<T>(&self, key: &Key, act: impl FnOnce(&mut Place) -> T) -> Option<T> {
        locked(&self.places).get_mut(key).map(act)
    }

    /// The same for the very object that was loaded.
    fn at_object<T>(&self, entry: &ServiceEntry, act: impl FnOnce(&mut Place) -> T) -> Option<T> {
        self.at(&entry.key, |place| (place.uid == entry.uid).then(|| act(place)))?
    }

    /// The tokens that `change` concerns are looked at again.
    pub(crate) fn notify(&self, change: Change) {
        self.subscribers.notify(&change);
    }

    /// The rate limit of a service; it outlives changes of everything but the limit itself.
    pub(crate) fn limit(&self, entry: &ServiceEntry) -> RateLimit {
        let rate = entry.spec.limits.requests_per_minute;
        let fresh = || (rate, RateLimit::new(u32::try_from(rate).unwrap_or(1)));
        let kept = |place: &mut Place| {
            let (_, limit) = place.limit.take_if(|(old, _)| *old == rate).unwrap_or_else(fresh);
            place.limit = Some((rate, limit.clone()));
            limit
        };
        self.at_object(entry, kept).unwrap_or_else(|| fresh().1)
    }

    /// The operator's credential was refused in passing, or nothing could be sent: check it again, now.
    pub(crate) fn doubt(&self, key: Key) {
        self.at(&key, |place| place.doubted = true);
        self.check_again(key);
    }

    /// The check of a service is put off: what it was to be checked for is still to be done.
    pub(crate) fn put_off(&self, key: &Key, doubted: bool) {
        self.at(key, |place| (place.stale, place.doubted) = (true, place.doubted || doubted));
    }

    /// Whether the credential was doubted since this was asked last.
    pub(crate) fn take_doubt(&self, key: &Key) -> bool {
        self.at(key, |place| std::mem::take(&mut place.doubted)).unwrap_or_default()
    }

    /// The object with this uid is to look for itself.
    pub(crate) fn suspect(&self, uid: &str) {
        locked(&self.suspects).insert(uid.to_owned());
    }

    /// Whether it is to.
    pub(crate) fn suspects(&self, uid: &str) -> bool {
        locked(&self.suspects).contains(uid)
    }

    /// It did.
    pub(crate) fn cleared(&self, uid: &str) {
        locked(&self.suspects).remove(uid);
    }

    /// Whether a Secret or ConfigMap of this service changed since this was asked last.
    pub(crate) fn take_stale(&self, key: &Key) -> bool {
        self.at(key, |place| std::mem::take(&mut place.stale)).unwrap_or_default()
    }

    /// Takes note that it is still to be checked.
    pub(crate) fn set_stale(&self, key: &Key) {
        self.at(key, |place| place.stale = true);
    }

    /// A Secret or ConfigMap of this service changed.
    pub(crate) fn check_again(&self, key: Key) {
        self.set_stale(&key);
        self.checkers.notify(&key);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
