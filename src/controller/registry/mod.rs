//! The services, each as its last check found it, for the passes over tokens.

mod answers;
mod credentials;
mod entry;
mod health;
mod key;
mod listening;
pub(crate) mod members;
mod subscribers;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::rotation::service_answers::Answers;
use crate::rotation::telling::Telling;
use crate::service::limits::{RateLimit, Room};

use credentials::Versions;
pub(crate) use entry::ServiceEntry;
pub(crate) use key::{Change, Key};
use listening::Listening;
use subscribers::Subscribers;

/// The one registry of the whole process, so that a service shared by many namespaces has one rate limit.
///
/// **Invariant:** only [`members::Members`], which the watch of service objects feeds, adds or removes an object. Everybody else
/// changes what is known of a member, so a check or pass that is under way when an object goes leaves nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Services {
    slots: Mutex<HashMap<Key, Slot>>,
    /// What the calls of all of them share.
    room: Room,
    /// Uids of objects whose passes must look for tokens that their ledgers do not know.
    suspects: Mutex<HashSet<String>>,
    /// The controllers that check services. They are notified of each service to check again.
    checkers: Subscribers<Key>,
    /// The controllers of tokens. They are notified of changes.
    subscribers: Subscribers<Change>,
}

/// When tokens were last used. Ids come back, so the attempt tells tokens apart.
pub(crate) type Uses = HashMap<(u32, TokenId), Time>;

/// What is known of one service object. It is dropped with the object.
#[derive(Debug, Default)]
struct Slot {
    uid: String,
    /// The result of its last check.
    entry: Option<Arc<ServiceEntry>>,
    limit: Option<RateLimit>,
    doubted: bool,
    /// It must be checked again, for example because a Secret or ConfigMap of it changed.
    stale: bool,
    /// Which versions of its credential are alike.
    versions: Versions,
    /// What this process heard of its operations.
    listening: Listening,
    /// When this process wrote its status only to tell something.
    telling: Telling,
    /// What it said about its tokens.
    answers: Answers,
    /// When this process last recorded a sweep, and when a list for one last failed.
    swept: Option<Time>,
    unlisted: Option<Time>,
    /// When each of our tokens was last used, as its newest list says.
    uses: Uses,
    /// What its answers have shown to be wrong in this generation of its spec.
    misdeclared: Option<(i64, String)>,
}

impl Services {
    /// Subscribes to the services to check again; each checker takes the ones of its own kind and namespace.
    pub(crate) fn rechecks(&self) -> UnboundedReceiver<Key> {
        self.checkers.subscribe()
    }

    /// Subscribes to the changes that matter to tokens.
    pub(crate) fn changes(&self) -> UnboundedReceiver<Change> {
        self.subscribers.subscribe()
    }

    /// The service as its last check found it.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<ServiceEntry>> {
        self.at(key, |slot| slot.entry.clone())?
    }

    /// The service as its last check found it, if it is still the object with this uid.
    pub(crate) fn get_object(&self, key: &Key, uid: &str) -> Option<Arc<ServiceEntry>> {
        self.get(key).filter(|entry| entry.uid == uid)
    }

    /// Whether the service object is a member.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.at(key, |_| ()).is_some()
    }

    /// Records the result of a check, and makes passes over its tokens begin if it changes anything for them. Does nothing if the
    /// object is gone, or another one has its name.
    pub(crate) fn put(&self, entry: ServiceEntry) {
        let entry = Arc::new(entry);
        let differs = |old: Arc<ServiceEntry>| {
            (old.generation, &old.halt, old.values) != (entry.generation, &entry.halt, entry.values)
        };
        let old = self.at_object(&entry, |slot| slot.entry.replace(entry.clone()));
        if old.is_some_and(|old| old.is_none_or(differs)) {
            self.notify(Change::Service(entry.key.clone()));
        }
    }

    /// Runs `act` on the slot of a service object, if it has one.
    fn at<T>(&self, key: &Key, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        locked(&self.slots).get_mut(key).map(act)
    }

    /// Runs `act` on the slot, if it is of the very object that was loaded.
    fn at_object<T>(&self, entry: &ServiceEntry, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.at(&entry.key, |slot| (slot.uid == entry.uid).then(|| act(slot)))?
    }

    /// Makes passes begin over the tokens that `change` concerns.
    pub(crate) fn notify(&self, change: Change) {
        self.subscribers.notify(&change);
    }

    /// The rate limit of a service, which allows from now on what its spec says.
    pub(crate) fn limit(&self, entry: &ServiceEntry) -> RateLimit {
        let rate = u32::try_from(entry.spec.limits.requests_per_minute).unwrap_or(1);
        let kept = |slot: &mut Slot| {
            let limit = slot.limit.get_or_insert_with(|| RateLimit::within(self.room.clone(), rate));
            limit.allow(rate);
            limit.clone()
        };
        self.at_object(entry, kept).unwrap_or_else(|| RateLimit::within(self.room.clone(), rate))
    }

    /// How long a status that only tells something waits; `None` if it may be written now.
    pub(crate) fn telling_pause(&self, entry: &ServiceEntry, now: Time) -> Option<Duration> {
        self.at_object(entry, |slot| slot.telling.pause(now)).filter(|pause| !pause.is_zero())
    }

    /// Counts a status that only told something.
    pub(crate) fn told(&self, entry: &ServiceEntry, now: Time) {
        self.at_object(entry, |slot| slot.telling.told(now));
    }

    /// When this process last recorded a sweep of it.
    pub(crate) fn last_sweep(&self, entry: &ServiceEntry) -> Option<Time> {
        self.at_object(entry, |slot| slot.swept).flatten()
    }

    /// Records when it was swept.
    pub(crate) fn swept(&self, entry: &ServiceEntry, at: Time) {
        self.at_object(entry, |slot| slot.swept = Some(at));
    }

    /// When a list for a sweep of it last failed.
    pub(crate) fn last_unlisted(&self, entry: &ServiceEntry) -> Option<Time> {
        self.at_object(entry, |slot| slot.unlisted).flatten()
    }

    /// Records when a list for a sweep failed.
    pub(crate) fn unlisted(&self, entry: &ServiceEntry, at: Time) {
        self.at_object(entry, |slot| slot.unlisted = Some(at));
    }

    /// Records when tokens were last used, as the list of a sweep says.
    pub(crate) fn used(&self, entry: &ServiceEntry, uses: Uses) {
        self.at_object(entry, |slot| slot.uses = uses);
    }

    /// When the token of this attempt was last used, as the newest list of a sweep says.
    pub(crate) fn last_use(&self, key: &Key, attempt: u32, id: &TokenId) -> Option<Time> {
        self.at(key, |slot| slot.uses.get(&(attempt, id.clone())).copied()).flatten()
    }

    /// Remembers which values this version of the credential has.
    pub(crate) fn credential_read(&self, entry: &ServiceEntry, values: [u8; 32]) {
        self.at_object(entry, |slot| slot.versions.read(&entry.revision, values));
    }

    /// Whether two versions of the credential have the same values, as far as this process has read both.
    pub(crate) fn same_credential(&self, key: &Key, one: &str, other: &str) -> bool {
        self.at(key, |slot| slot.versions.are_alike(one, other)).unwrap_or_default()
    }

    /// Asks for a check now: a call was refused for the operator's credential, or nothing could be sent.
    pub(crate) fn doubt_credential(&self, key: Key) {
        self.at(&key, |slot| slot.doubted = true);
        self.check_again(key);
    }

    /// An answer of the service shows that its declaration of this generation is wrong: no token is asked for until it changes.
    pub(crate) fn misdeclared(&self, key: Key, generation: i64, what: String) {
        let found = Some((generation, what));
        let new = self.at(&key, |slot| std::mem::replace(&mut slot.misdeclared, found.clone()) != found);
        if new == Some(true) {
            self.check_again(key);
        }
    }

    /// What answers have shown to be wrong in this generation of the spec.
    pub(crate) fn misdeclaration(&self, entry: &ServiceEntry) -> Option<String> {
        let of = |slot: &mut Slot| slot.misdeclared.clone().filter(|(generation, _)| *generation == entry.generation);
        self.at_object(entry, of).flatten().map(|(_, what)| what)
    }

    /// Asks for a check of a service whose deletion waited for objects that are gone now.
    pub(crate) fn users_gone(&self, key: &Key) {
        let waits = |entry: &ServiceEntry| entry.halt.as_ref().is_some_and(|halt| halt.reason == Reason::Deleting);
        if self.get(key).as_deref().is_some_and(waits) {
            self.check_again(key.clone());
        }
    }

    /// Puts off the check of a service. The reasons for the check are kept.
    pub(crate) fn put_off(&self, key: &Key, doubted: bool) {
        self.at(key, |slot| (slot.stale, slot.doubted) = (true, slot.doubted || doubted));
    }

    /// Whether the credential was doubted since the last call of this.
    pub(crate) fn take_doubt(&self, key: &Key) -> bool {
        self.at(key, |slot| std::mem::take(&mut slot.doubted)).unwrap_or_default()
    }

    /// Makes passes over the object with this uid look for tokens that its ledger does not know.
    pub(crate) fn suspect(&self, uid: &str) {
        locked(&self.suspects).insert(uid.to_owned());
    }

    /// Whether passes over the object must look for such tokens.
    pub(crate) fn suspects(&self, uid: &str) -> bool {
        locked(&self.suspects).contains(uid)
    }

    /// Records that a pass has looked for them.
    pub(crate) fn cleared(&self, uid: &str) {
        locked(&self.suspects).remove(uid);
    }

    /// Whether the service was marked stale since the last call of this.
    pub(crate) fn take_stale(&self, key: &Key) -> bool {
        self.at(key, |slot| std::mem::take(&mut slot.stale)).unwrap_or_default()
    }

    /// Marks the service: it must be checked again.
    pub(crate) fn set_stale(&self, key: &Key) {
        self.at(key, |slot| slot.stale = true);
    }

    /// Makes a check of each service and a pass over each token begin.
    pub(crate) fn begin_all(&self) {
        let mut keys: Vec<Key> = locked(&self.slots).keys().cloned().collect();
        keys.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        keys.iter().for_each(|key| self.checkers.notify(key));
        self.notify(Change::Leading);
    }

    /// Asks for a check of this service: a Secret or ConfigMap of it changed, or its credential is in doubt.
    pub(crate) fn check_again(&self, key: Key) {
        self.set_stale(&key);
        self.checkers.notify(&key);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
