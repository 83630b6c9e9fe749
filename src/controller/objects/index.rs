//! Who has the same Secret, service or namespace: what passes, events and checks would otherwise look for among all objects.
//!
//! Every event of the watch of objects goes through [`Index::apply`] before the store sees it, so the index is never older than
//! the store.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

use crate::api::FINALIZER;
use crate::api::artifact_token::{ArtifactToken, ServiceKind};
use crate::api::time::Time;
use crate::controller::objects::ranked::Ranked;
use crate::controller::registry::{Change, Key};
use crate::rotation::identity;

type Uid = Arc<str>;

/// The objects of one scope.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    objects: HashMap<Uid, Facts>,
    /// The objects seen so far in the list that is under way.
    arriving: HashSet<Uid>,
    /// There was a complete list.
    listed: bool,
    services: HashMap<Key, Service>,
    /// Who keeps a Secret of this namespace and name; the oldest comes first.
    secrets: BTreeSet<(Arc<str>, Arc<str>, Age)>,
    /// The objects of each namespace that use a shared service.
    sharing: BTreeSet<(Arc<str>, Uid)>,
    /// The objects by their identity in the names of tokens.
    identities: HashMap<String, Uid>,
}

/// When an object was created, and its uid: two objects may have been created in the same second.
type Age = (Option<Time>, Uid);

/// What is known of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    namespace: Arc<str>,
    name: String,
    service: Key,
    secret: Arc<str>,
    created: Option<Time>,
    /// The claim of its current token.
    claimed: Option<Time>,
    /// It has our finalizer, so it may have tokens.
    begun: bool,
}

/// The objects that use one service.
#[derive(Debug, Default)]
struct Service {
    /// Those without a current token.
    without: HashSet<Uid>,
    /// Those with one. The oldest token comes first.
    holders: Ranked<(Time, Uid)>,
    begun: BTreeSet<Uid>,
}

impl Facts {
    fn of(object: &ArtifactToken) -> Self {
        let current = object.status.as_ref().and_then(|status| status.ledger.current.as_ref());
        Self {
            namespace: object.namespace().unwrap_or_default().into(),
            name: object.name_any(),
            service: Key::of(object),
            secret: object.spec.secret.name.as_str().into(),
            created: created(object),
            claimed: current.map(|current| current.claimed_time),
            begun: object.finalizers().iter().any(|name| name == FINALIZER),
        }
    }

    fn reference(&self) -> ObjectRef<ArtifactToken> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

fn created(object: &ArtifactToken) -> Option<Time> {
    object.metadata.creation_timestamp.as_ref().map(Time::from)
}

fn uid(object: &ArtifactToken) -> Uid {
    object.metadata.uid.as_deref().unwrap_or_default().into()
}

impl Index {
    /// Handles one event of the watch.
    pub(crate) fn apply(&self, event: &Event<ArtifactToken>) {
        let mut state = self.state();
        match event {
            Event::Init => state.arriving.clear(),
            Event::InitApply(object) => {
                state.arriving.insert(uid(object));
                state.put(uid(object), Facts::of(object));
            }
            Event::InitDone => state.end_list(),
            Event::Apply(object) => state.put(uid(object), Facts::of(object)),
            Event::Delete(object) => state.remove(&uid(object)),
        }
    }

    /// Whether there was a complete list.
    pub(crate) fn is_listed(&self) -> bool {
        self.state().listed
    }

    /// How many objects there are.
    pub(crate) fn count(&self) -> usize {
        self.state().objects.len()
    }

    /// Whether the object with this uid is there.
    pub(crate) fn has(&self, uid: &str) -> bool {
        self.state().objects.contains_key(uid)
    }

    /// The name of the oldest other object of this namespace that keeps the same Secret and is older, if there is one.
    pub(crate) fn older_rival(&self, object: &ArtifactToken) -> Option<String> {
        let namespace: Arc<str> = object.namespace().unwrap_or_default().into();
        let own = (created(object), uid(object));
        let first = (namespace, Arc::from(object.spec.secret.name.as_str()), (None, Arc::from("")));
        let state = self.state();
        let oldest = state.secrets.range(&first..).take_while(|known| (&known.0, &known.1) == (&first.0, &first.1));
        let (_, _, rival) = oldest.into_iter().find(|known| known.2.1 != own.1)?;
        state.objects.get(&rival.1).filter(|_| *rival < own).map(|facts| facts.name.clone())
    }

    /// The objects that keep a Secret of this name.
    pub(crate) fn keepers(&self, namespace: &str, secret: &str) -> Vec<ObjectRef<ArtifactToken>> {
        let first = (Arc::from(namespace), Arc::from(secret), (None, Arc::from("")));
        let state = self.state();
        let keepers = state.secrets.range(&first..).take_while(|known| (&known.0, &known.1) == (&first.0, &first.1));
        keepers.filter_map(|(_, _, (_, uid))| state.reference(uid)).collect()
    }

    /// How many objects hold a token of this service.
    pub(crate) fn holders(&self, key: &Key) -> usize {
        self.state().services.get(key).map_or(0, |service| service.holders.len())
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, that of `object`.
    pub(crate) fn older_holders(&self, object: &ArtifactToken, claimed: Time) -> usize {
        let own = (claimed, uid(object));
        self.state().services.get(&Key::of(object)).map_or(0, |service| service.holders.before(&own))
    }

    /// How many objects may have tokens of this service, and the namespaces and names of some of them.
    pub(crate) fn users(&self, key: &Key, most_named: usize) -> (usize, Vec<String>) {
        let state = self.state();
        let Some(service) = state.services.get(key) else { return (0, Vec::new()) };
        let named = service.begun.iter().take(most_named).filter_map(|uid| state.objects.get(uid));
        let named = named.map(|facts| format!("{}/{}", facts.namespace, facts.name)).collect();
        (service.begun.len(), named)
    }

    /// The objects that use this service, and those with one of these identities.
    pub(crate) fn near(&self, key: &Key, identities: &HashSet<String>) -> Vec<ObjectRef<ArtifactToken>> {
        let state = self.state();
        let users = state.services.get(key).into_iter().flat_map(Service::all);
        let named = identities.iter().filter_map(|identity| state.identities.get(identity));
        let near: HashSet<&Uid> = users.chain(named).collect();
        near.into_iter().filter_map(|uid| state.reference(uid)).collect()
    }

    /// The objects to which a change may matter. The oldest tokens come first: a leak at the service is answered in this order.
    pub(crate) fn concerned(&self, change: &Change) -> Vec<ObjectRef<ArtifactToken>> {
        let state = self.state();
        match change {
            Change::Service(key) => {
                let all = state.services.get(key).into_iter().flat_map(Service::all);
                all.filter_map(|uid| state.reference(uid)).collect()
            }
            Change::Namespace(name) => {
                let first = (Arc::from(name.as_str()), Arc::from(""));
                let sharing = state.sharing.range(&first..).take_while(|known| known.0 == first.0);
                sharing.filter_map(|(_, uid)| state.reference(uid)).collect()
            }
            Change::Object(uid) => state.reference(uid).into_iter().collect(),
            Change::Leading => state.secrets.iter().filter_map(|(_, _, (_, uid))| state.reference(uid)).collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reference(&self, uid: &str) -> Option<ObjectRef<ArtifactToken>> {
        self.objects.get(uid).map(Facts::reference)
    }

    fn put(&mut self, uid: Uid, facts: Facts) {
        if self.objects.get(&uid) == Some(&facts) {
            return;
        }
        self.remove(&uid);
        let service = self.services.entry(facts.service.clone()).or_default();
        match facts.claimed {
            Some(claimed) => service.holders.insert((claimed, uid.clone())),
            None => _ = service.without.insert(uid.clone()),
        }
        if facts.begun {
            service.begun.insert(uid.clone());
        }
        if facts.service.kind() == ServiceKind::ClusterTokenService {
            self.sharing.insert((facts.namespace.clone(), uid.clone()));
        }
        self.secrets.insert((facts.namespace.clone(), facts.secret.clone(), (facts.created, uid.clone())));
        self.identities.insert(identity::uid16(&uid), uid.clone());
        self.objects.insert(uid, facts);
    }

    fn remove(&mut self, uid: &Uid) {
        let Some(facts) = self.objects.remove(uid) else { return };
        self.identities.remove(&identity::uid16(uid));
        self.secrets.remove(&(facts.namespace.clone(), facts.secret, (facts.created, uid.clone())));
        self.sharing.remove(&(facts.namespace, uid.clone()));
        let Some(service) = self.services.get_mut(&facts.service) else { return };
        service.without.remove(uid);
        service.begun.remove(uid);
        if let Some(claimed) = facts.claimed {
            service.holders.remove(&(claimed, uid.clone()));
        }
        if service.without.is_empty() && service.holders.len() == 0 {
            self.services.remove(&facts.service);
        }
    }

    /// An object that was deleted while there was no watch had no event of its own.
    fn end_list(&mut self) {
        let arrived = std::mem::take(&mut self.arriving);
        let gone: Vec<Uid> = self.objects.keys().filter(|uid| !arrived.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.remove(uid));
        self.listed = true;
    }
}

impl Service {
    /// All of them: those without a token, then the others by the age of their tokens.
    fn all(&self) -> impl Iterator<Item = &Uid> {
        self.without.iter().chain(self.holders.iter().map(|(_, uid)| uid))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
