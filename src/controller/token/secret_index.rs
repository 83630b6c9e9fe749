//! Names and versions of our Secrets, from a watch of metadata that selects them by label.
//!
//! The index triggers passes and shows that a Secret is unchanged. It never justifies destroying something: that takes a live
//! read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;

type Key = (String, String);

/// What the index says of one Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Indexed {
    Present {
        version: String,
        /// When the newest complete list was begun.
        listed: Instant,
    },
    Absent {
        /// The resourceVersion of the deletion, if that was seen.
        since: Option<String>,
        /// When the newest complete list was begun.
        listed: Instant,
    },
}

/// The index. Every event of the watch goes through [`SecretIndex::apply`].
#[derive(Debug)]
pub(crate) struct SecretIndex(Mutex<State>);

#[derive(Debug)]
struct State {
    versions: HashMap<Key, String>,
    deleted: HashMap<Key, String>,
    arriving: HashMap<Key, String>,
    listing_since: Instant,
    listed: Instant,
}

/// The most deletions that are remembered. They only serve to tell a lagging watch from a deletion.
const MAX_DELETED: usize = 10_000;

impl Default for SecretIndex {
    fn default() -> Self {
        let now = Instant::now();
        Self(Mutex::new(State {
            versions: HashMap::new(),
            deleted: HashMap::new(),
            arriving: HashMap::new(),
            listing_since: now,
            listed: now,
        }))
    }
}

impl SecretIndex {
    /// Handles one event of the watch.
    pub(crate) fn apply(&self, event: &Event<PartialObjectMeta<Secret>>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => {
                state.arriving.clear();
                state.listing_since = Instant::now();
            }
            Event::InitApply(secret) => {
                state.arriving.insert(key(secret), version(secret));
            }
            Event::InitDone => {
                state.versions = std::mem::take(&mut state.arriving);
                state.deleted.clear();
                state.listed = state.listing_since;
            }
            Event::Apply(secret) => {
                state.deleted.remove(&key(secret));
                state.versions.insert(key(secret), version(secret));
            }
            Event::Delete(secret) => {
                state.versions.remove(&key(secret));
                if state.deleted.len() >= MAX_DELETED {
                    state.deleted.clear();
                    state.listed = Instant::now();
                }
                state.deleted.insert(key(secret), version(secret));
            }
        }
    }

    /// What is known of this Secret.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Indexed {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.to_owned(), name.to_owned());
        match state.versions.get(&key) {
            Some(version) => Indexed::Present { version: version.clone(), listed: state.listed },
            None => Indexed::Absent { since: state.deleted.get(&key).cloned(), listed: state.listed },
        }
    }
}

fn key(secret: &PartialObjectMeta<Secret>) -> Key {
    (secret.namespace().unwrap_or_default(), secret.name_any())
}

fn version(secret: &PartialObjectMeta<Secret>) -> String {
    secret.meta().resource_version.clone().unwrap_or_default()
}

/// Whether version `a` is older than `b`. Kubernetes documents resourceVersions of one resource as ordered decimal numbers
/// (KEP-5504). A version that is not a number counts as older, which only costs a read.
pub(crate) fn older(a: &str, b: &str) -> bool {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a < b,
        (Err(_), _) | (_, Err(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::ObjectMeta;

    fn secret(name: &str, version: &str) -> PartialObjectMeta<Secret> {
        PartialObjectMeta {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("ns".into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            ..PartialObjectMeta::default()
        }
    }

    #[test]
    fn a_deletion_is_known_with_its_version_and_a_new_list_replaces_all() {
        let index = SecretIndex::default();
        index.apply(&Event::Apply(secret("a", "5")));
        assert!(matches!(index.get("ns", "a"), Indexed::Present { version, .. } if version == "5"));
        index.apply(&Event::Delete(secret("a", "7")));
        assert!(matches!(index.get("ns", "a"), Indexed::Absent { since: Some(since), .. } if since == "7"));
        index.apply(&Event::Init);
        index.apply(&Event::InitApply(secret("b", "9")));
        assert!(matches!(index.get("ns", "b"), Indexed::Absent { .. }), "a list counts when it is complete");
        index.apply(&Event::InitDone);
        assert!(matches!(index.get("ns", "b"), Indexed::Present { version, .. } if version == "9"));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(older("9", "10"));
        assert!(!older("10", "9"));
        assert!(!older("10", "10"));
        assert!(older("x", "10"));
    }
}
