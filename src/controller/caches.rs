//! The objects of all scopes, as the watches show them.

use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::Store;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::controller::registry::Key;

/// The caches of all scopes. What they show is a hint: only a live read shows that an object is not there.
#[derive(Debug, Default)]
pub(crate) struct Caches(Mutex<Vec<Store<ArtifactToken>>>);

impl Caches {
    pub(crate) fn add(&self, objects: Store<ArtifactToken>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(objects);
    }

    /// How many objects hold a token of this service: one that many namespaces share has tokens in all of them.
    pub(crate) fn holders(&self, key: &Key) -> usize {
        self.matching(|token| Key::of(token) == *key && current(token).is_some()).len()
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, which leaked.
    pub(crate) fn older_leaks(&self, object: &ArtifactToken, claimed: Time) -> u32 {
        let age =
            |token: &ArtifactToken| current(token).map(|current| (current.claimed_time, token.metadata.uid.clone()));
        let own = (claimed, object.metadata.uid.clone());
        let older = self.matching(|other| Key::of(other) == Key::of(object) && age(other).is_some_and(|age| age < own));
        u32::try_from(older.len()).unwrap_or(u32::MAX)
    }

    /// The objects that satisfy `check`.
    pub(crate) fn matching(&self, check: impl Fn(&ArtifactToken) -> bool) -> Vec<Arc<ArtifactToken>> {
        let caches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        caches.iter().flat_map(Store::state).filter(|token| check(token)).collect()
    }
}

fn current(token: &ArtifactToken) -> Option<&Current> {
    token.status.as_ref()?.ledger.current.as_ref()
}
