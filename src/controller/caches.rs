//! The objects of all scopes, as the watches show them.

use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::Store;

use crate::api::artifact_token::ArtifactToken;

/// The caches of all scopes. What they show is a hint: only a live read shows that an object is not there.
#[derive(Debug, Default)]
pub(crate) struct Caches(Mutex<Vec<Store<ArtifactToken>>>);

impl Caches {
    pub(crate) fn add(&self, objects: Store<ArtifactToken>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(objects);
    }

    /// The objects that satisfy `check`.
    pub(crate) fn matching(&self, check: impl Fn(&ArtifactToken) -> bool) -> Vec<Arc<ArtifactToken>> {
        let caches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        caches.iter().flat_map(Store::state).filter(|token| check(token)).collect()
    }
}
