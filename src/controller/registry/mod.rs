//! The services as they were checked last, for the passes of the tokens.

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
#[derive(Debug, Default)]
pub(crate) struct Services {
    entries: Mutex<HashMap<Key, Arc<ServiceEntry>>>,
    limits: Mutex<HashMap<Key, (i32, RateLimit)>>,
    doubted: Mutex<HashSet<Key>>,
    stale: Mutex<HashSet<Key>>,
    /// Services whose credential changed, while it is not known whether their tokens still work.
    reviews: Mutex<HashMap<Key, Review>>,
    /// Uids of objects that are to look for tokens which their ledgers do not know.
    suspects: Mutex<HashSet<String>>,
    /// Who checks services, and is told which to check again.
    checkers: Mutex<Vec<UnboundedSender<Key>>>,
    /// Who keeps tokens, and is told of changes.
    keepers: Mutex<Vec<UnboundedSender<Change>>>,
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
        locked(&self.entries).get(key).cloned()
    }

    /// Those that are known.
    pub(crate) fn keys(&self) -> Vec<Key> {
        locked(&self.entries).keys().cloned().collect()
    }

    /// A service was checked. Its tokens are looked at again if that changes anything for them.
    pub(crate) fn put(&self, entry: ServiceEntry) {
        let key = entry.key.clone();
        let differs = |old: &Arc<ServiceEntry>| {
            (old.generation, &old.uid, &old.halt, &old.revision)
                != (entry.generation, &entry.uid, &entry.halt, &entry.revision)
        };
        let changed = locked(&self.entries).get(&key).is_none_or(differs);
        locked(&self.entries).insert(key.clone(), Arc::new(entry));
        if changed {
            self.tell(Change::Service(key));
        }
    }

    /// A service object is gone.
    pub(crate) fn remove(&self, key: &Key) {
        locked(&self.limits).remove(key);
        if locked(&self.entries).remove(key).is_some() {
            self.tell(Change::Service(key.clone()));
        }
    }

    /// The tokens that `change` concerns are looked at again.
    pub(crate) fn tell(&self, change: Change) {
        broadcast(&self.keepers, &change);
    }

    /// The rate limit of a service; it outlives changes of everything but the limit itself.
    pub(crate) fn limit(&self, key: &Key, requests_per_minute: i32) -> RateLimit {
        let mut limits = locked(&self.limits);
        let fresh = || (requests_per_minute, RateLimit::new(u32::try_from(requests_per_minute).unwrap_or(1)));
        let (rate, limit) = limits.entry(key.clone()).or_insert_with(fresh);
        if *rate != requests_per_minute {
            (*rate, *limit) = fresh();
        }
        limit.clone()
    }

    /// The operator's credential was refused in passing, or nothing could be sent: check it again, now.
    pub(crate) fn doubt(&self, key: Key) {
        locked(&self.doubted).insert(key.clone());
        self.check_again(key);
    }

    /// The check of a service is put off: what it was to be checked for is still to be done.
    pub fn put_off(&self, key: &Key, doubted: bool) {
        self.set_stale(key.clone());
        if doubted {
            locked(&self.doubted).insert(key.clone());
        }
    }

    /// Whether the credential was doubted since this was asked last.
    pub(crate) fn take_doubt(&self, key: &Key) -> bool {
        locked(&self.doubted).remove(key)
    }

    /// The credential of a service changed: each of its tokens is to be verified, and no refusal counts before most have been.
    pub(crate) fn review(&self, key: &Key, revision: &str, now: Time) {
        let mut reviews = locked(&self.reviews);
        if reviews.get(key).is_none_or(|review| review.revision != revision) {
            reviews.insert(key.clone(), Review::begin(revision.to_owned(), now));
        }
    }

    /// What the review of a service came to: `None` without one, `Some(None)` while it goes on.
    pub(crate) fn judgement(&self, key: &Key) -> Option<Option<Judgement>> {
        locked(&self.reviews).get(key).map(|review| review.judgement)
    }

    /// Who did not answer for long is not waited for any more.
    pub(crate) fn settle(&self, key: &Key, now: Time) {
        if locked(&self.reviews).get_mut(key).and_then(|review| review.settle(now)).is_some() {
            self.tell(Change::Service(key.clone()));
        }
    }

    /// Whether the refusals of a service count.
    pub(crate) fn trusts(&self, key: &Key) -> bool {
        matches!(self.judgement(key), None | Some(Some(Judgement::Trusted)))
    }

    /// Refusals count from now on: a person said so.
    pub(crate) fn trust(&self, key: &Key) {
        if let Some(review) = locked(&self.reviews).get_mut(key) {
            review.judgement = Some(Judgement::Trusted);
        }
    }

    /// Whether the token of this object is to be verified for it.
    pub(crate) fn awaits(&self, key: &Key, uid: &str) -> bool {
        locked(&self.reviews).get(key).is_some_and(|review| review.awaits(uid))
    }

    /// The service accepted or refused the token of this object, one of so many.
    pub(crate) fn answered(&self, key: &Key, uid: &str, accepted: bool, objects: usize, now: Time) {
        let judged = locked(&self.reviews).get_mut(key).and_then(|review| review.answer(uid, accepted, objects, now));
        if judged.is_some() {
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
        locked(&self.stale).remove(key)
    }

    /// Takes note that it is still to be checked.
    pub(crate) fn set_stale(&self, key: Key) {
        locked(&self.stale).insert(key);
    }

    /// A Secret or ConfigMap of this service changed.
    pub(crate) fn check_again(&self, key: Key) {
        self.set_stale(key.clone());
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
