//! The objects of all scopes, as the watches show them.

mod index;
mod ranked;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::Store;

use crate::api::artifact_token::ArtifactToken;
use crate::api::time::Time;
use crate::controller::registry::Key;

pub(crate) use index::Index;

/// The objects of all scopes: those of one service may be in all of them. What they show is a hint: only a live read shows that an
/// object is not there.
#[derive(Debug, Default)]
pub(crate) struct Objects(Mutex<Vec<Scope>>);

/// The objects of one scope.
#[derive(Debug)]
struct Scope {
    store: Store<ArtifactToken>,
    index: Arc<Index>,
}

impl Objects {
    /// Adds the objects of a scope.
    pub(crate) fn include(&self, store: Store<ArtifactToken>, index: Arc<Index>) {
        self.scopes().push(Scope { store, index });
    }

    /// Whether the object with this uid is there.
    pub(crate) fn has(&self, uid: &str) -> bool {
        self.scopes().iter().any(|scope| scope.index.has(uid))
    }

    /// How many objects there are.
    pub(crate) fn count(&self) -> usize {
        self.scopes().iter().map(|scope| scope.index.count()).sum()
    }

    /// How many objects hold a token of this service. Before all `scopes` are listed nobody knows: as many as can be.
    pub(crate) fn holders(&self, key: &Key, scopes: usize) -> usize {
        let known = self.scopes();
        let listed = known.len() >= scopes && known.iter().all(|scope| scope.index.is_listed());
        if listed { known.iter().map(|scope| scope.index.holders(key)).sum() } else { usize::MAX }
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, which leaked.
    pub(crate) fn older_leaks(&self, object: &ArtifactToken, claimed: Time) -> u32 {
        let older: usize = self.scopes().iter().map(|scope| scope.index.older_holders(object, claimed)).sum();
        u32::try_from(older).unwrap_or(u32::MAX)
    }

    /// How many objects may have tokens of this service, and the namespaces and names of at most so many of them.
    pub(crate) fn users(&self, key: &Key, most_named: usize) -> (usize, Vec<String>) {
        let (mut count, mut named) = (0, Vec::new());
        for scope in self.scopes().iter() {
            let (more, names) = scope.index.users(key, most_named);
            count += more;
            named.extend(names);
        }
        named.truncate(most_named);
        (count, named)
    }

    /// The objects that use this service, and those with one of these identities.
    pub(crate) fn near(&self, key: &Key, identities: &HashSet<String>) -> Vec<Arc<ArtifactToken>> {
        let scopes = self.scopes();
        let of_scope = |scope: &Scope| {
            let near = scope.index.near(key, identities);
            near.iter().filter_map(|object| scope.store.get(object)).collect::<Vec<_>>()
        };
        scopes.iter().flat_map(of_scope).collect()
    }

    fn scopes(&self) -> MutexGuard<'_, Vec<Scope>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
