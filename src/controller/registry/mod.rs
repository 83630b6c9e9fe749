//! The services as they were checked last, for the passes of the tokens.

pub(crate) mod members;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};

use kube::ResourceExt;

use crate::api::artifact_token::{ArtifactToken, ServiceKind};
use crate::api::cluster_token_service::AllowedNamespaces;
use crate::api::time::Time;
use crate::api::token_service::TokenServiceSpec;
use crate::rotation::desired::Halt;
use crate::rotation::service_review::{Judgement, Review};
use crate::service::client::ServiceClient;
use crate::service::declaration::Declaration;
use crate::service::limits::RateLimit;

/// Which service object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The namespace of a `TokenService`; a `ClusterTokenService` has none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The service object that `token` refers to.
    ///
    /// **Invariant:** a `TokenService` is only ever looked up in the token's own namespace (S11).
    pub(crate) fn of(token: &ArtifactToken) -> Self {
        let reference = &token.spec.service_ref;
        let namespace = match reference.kind {
            ServiceKind::TokenService => Some(token.namespace().unwrap_or_default()),
            ServiceKind::ClusterTokenService => None,
        };
        Self { namespace, name: reference.name.clone() }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> ServiceKind {
        if self.namespace.is_some() { ServiceKind::TokenService } else { ServiceKind::ClusterTokenService }
    }
}

/// As people call it: kind and name.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind(), self.name)
    }
}

/// What tokens are looked at again for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A service object was checked, and something is new.
    Service(Key),
    /// The labels of this namespace may have changed: it may have become allowed.
    Namespace(String),
    /// A token of the object with this uid was found that its ledger does not know.
    Object(String),
}

impl Change {
    /// Whether it may mean something to `token`.
    pub(crate) fn concerns(&self, token: &ArtifactToken) -> bool {
        match self {
            Self::Service(key) => Key::of(token) == *key,
            Self::Object(uid) => token.metadata.uid.as_ref() == Some(uid),
            Self::Namespace(name) => {
                token.namespace().as_ref() == Some(name) && Key::of(token).kind() == ServiceKind::ClusterTokenService
            }
        }
    }
}

/// One service object.
#[derive(Clone, Debug)]
pub(crate) struct ServiceEntry {
    /// Which one.
    pub key: Key,
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// Its spec.
    pub spec: TokenServiceSpec,
    /// The namespaces that may use it; `None` for a `TokenService`, which only its own can reach.
    pub allowed: Option<AllowedNamespaces>,
    /// Scheme, host and port of its `baseURL`.
    pub origin: String,
    /// The checked declaration, if it holds.
    pub declaration: Option<Declaration>,
    /// The client, with the last good credential.
    pub client: Option<ServiceClient>,
    /// Why no token can be generated there now.
    pub halt: Option<Halt>,
    /// The versions of the Secrets that the client was made from.
    pub revision: String,
}

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
    checkers: Mutex<Vec<UnboundedSender<Key>>>,
    /// Who keeps tokens, and is told of changes.
    keepers: Mutex<Vec<UnboundedSender<Change>>>,
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
        subscribe(&self.checkers)
    }

    /// What changes for tokens from now on.
    pub(crate) fn changes(&self) -> UnboundedReceiver<Change> {
        subscribe(&self.keepers)
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
            self.tell(Change::Service(entry.key.clone()));
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
    pub(crate) fn tell(&self, change: Change) {
        broadcast(&self.keepers, &change);
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

    /// The credential of a service changed: each of its tokens is to be verified, and no refusal counts before most have been.
    pub(crate) fn review(&self, entry: &ServiceEntry, now: Time) {
        self.at_object(entry, |place| {
            if place.review.as_ref().is_none_or(|review| review.revision != entry.revision) {
                place.review = Some(Review::begin(entry.revision.clone(), now));
            }
        });
    }

    /// What the review of a service came to: `None` without one, `Some(None)` while it goes on.
    pub(crate) fn judgement(&self, key: &Key) -> Option<Option<Judgement>> {
        self.at(key, |place| place.review.as_ref().map(|review| review.judgement))?
    }

    /// Who did not answer for long is not waited for any more.
    pub(crate) fn settle(&self, key: &Key, now: Time) {
        if self.at(key, |place| place.review.as_mut()?.settle(now)).flatten().is_some() {
            self.tell(Change::Service(key.clone()));
        }
    }

    /// Whether the refusals of a service count.
    pub(crate) fn trusts(&self, key: &Key) -> bool {
        matches!(self.judgement(key), None | Some(Some(Judgement::Trusted)))
    }

    /// Refusals count from now on: a person said so.
    pub(crate) fn trust(&self, key: &Key) {
        self.at(key, |place| {
            if let Some(review) = &mut place.review {
                review.judgement = Some(Judgement::Trusted);
            }
        });
    }

    /// Whether the token of this object is to be verified for it.
    pub(crate) fn awaits(&self, key: &Key, uid: &str) -> bool {
        self.at(key, |place| place.review.as_ref().is_some_and(|review| review.awaits(uid))).unwrap_or_default()
    }

    /// The service accepted or refused the token of this object, one of so many.
    pub(crate) fn answered(&self, key: &Key, uid: &str, accepted: bool, objects: usize, now: Time) {
        let judged = self.at(key, |place| place.review.as_mut()?.answer(uid, accepted, objects, now));
        if judged.flatten().is_some() {
            self.check_again(key.clone());
            self.tell(Change::Service(key.clone()));
        }
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
        broadcast(&self.checkers, &key);
    }
}

fn subscribe<T>(receivers: &Mutex<Vec<UnboundedSender<T>>>) -> UnboundedReceiver<T> {
    let (sender, receiver) = mpsc::unbounded();
    locked(receivers).push(sender);
    receiver
}

fn broadcast<T: Clone>(receivers: &Mutex<Vec<UnboundedSender<T>>>, message: &T) {
    for receiver in locked(receivers).iter() {
        // It lives as long as its controller; when that stops, nobody needs the trigger.
        let _ = receiver.unbounded_send(message.clone());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
