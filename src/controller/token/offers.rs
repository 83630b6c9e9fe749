//! The Secrets with which people hand over tokens, from a watch of metadata that selects them by label; or, where Secrets are not
//! watched, from reads of each by its name.
//!
//! What is here is a hint: the Secret is read before anything follows from it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::Event;

use crate::api::ledger::HandOver;
use crate::secret::hand_over::recipient;

/// Namespace and name of an object.
type Key = (String, String);

/// The Secrets by the objects that they are for.
#[derive(Debug, Default)]
pub(crate) struct Offers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<Key, HandOver>,
    arriving: HashMap<Key, HandOver>,
}

impl Offers {
    /// Handles one event of the watch. Returns the objects, by namespace and name, that it concerns.
    pub(crate) fn apply(&self, event: &Event<PartialObjectMeta<Secret>>) -> Vec<Key> {
        let mut state = self.state();
        match event {
            Event::Init => state.arriving.clear(),
            Event::InitApply(secret) => {
                if let Some(object) = object(secret) {
                    state.arriving.insert(object, version(&secret.metadata));
                }
            }
            Event::InitDone => {
                let arrived = std::mem::take(&mut state.arriving);
                let before = std::mem::replace(&mut state.known, arrived);
                let changed = state.known.iter().filter(|(object, offer)| before.get(*object) != Some(*offer));
                let gone = before.keys().filter(|object| !state.known.contains_key(*object));
                return changed.map(|(object, _)| object).chain(gone).cloned().collect();
            }
            Event::Apply(secret) => {
                if let Some(object) = object(secret) {
                    state.known.insert(object.clone(), version(&secret.metadata));
                    return vec![object];
                }
            }
            Event::Delete(secret) => {
                if let Some(object) = object(secret) {
                    state.known.remove(&object);
                    return vec![object];
                }
            }
        }
        Vec::new()
    }

    /// The Secret that hands over a token to this object.
    pub(crate) fn to(&self, namespace: &str, name: &str) -> Option<HandOver> {
        self.state().known.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Handles what a read showed of the Secret of this name.
    pub(crate) fn saw(&self, namespace: &str, name: &str, secret: Option<&Secret>) {
        let key = (namespace.to_owned(), name.to_owned());
        let to_this = |secret: &&Secret| recipient(&secret.name_any(), secret.metadata.labels.as_ref()) == Some(name);
        match secret.filter(to_this) {
            Some(secret) => self.state().known.insert(key, version(&secret.metadata)),
            None => self.state().known.remove(&key),
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn object(secret: &PartialObjectMeta<Secret>) -> Option<Key> {
    let object = recipient(&secret.name_any(), secret.metadata.labels.as_ref())?;
    Some((secret.namespace().unwrap_or_default(), object.to_owned()))
}

fn version(secret: &ObjectMeta) -> HandOver {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    HandOver { uid: text(&secret.uid), resource_version: text(&secret.resource_version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::secret::metadata::HAND_OVER;

    fn secret(name: &str, object: &str, version: &str) -> PartialObjectMeta<Secret> {
        PartialObjectMeta {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("ci".into()),
                uid: Some(format!("uid-{name}")),
                resource_version: Some(version.into()),
                labels: Some([(HAND_OVER.to_owned(), object.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..PartialObjectMeta::default()
        }
    }

    #[test]
    fn an_offer_is_known_by_the_object_that_it_is_for_and_a_new_list_replaces_all() {
        let offers = Offers::default();
        let seal = ("ci".to_owned(), "seal".to_owned());
        assert_eq!(offers.apply(&Event::Apply(secret("seal-hand-over", "seal", "5"))), vec![seal.clone()]);
        let known = offers.to("ci", "seal").map(|offer| offer.resource_version);
        assert_eq!(known.as_deref(), Some("5"));
        assert!(offers.apply(&Event::Apply(secret("else", "seal", "6"))).is_empty(), "another name");
        offers.apply(&Event::Init);
        assert!(offers.to("ci", "seal").is_some(), "a list counts when it is complete");
        assert_eq!(offers.apply(&Event::InitDone), vec![seal.clone()]);
        assert_eq!(offers.to("ci", "seal"), None);
        offers.apply(&Event::Apply(secret("seal-hand-over", "seal", "7")));
        assert_eq!(offers.apply(&Event::Delete(secret("seal-hand-over", "seal", "8"))), [seal]);
        assert_eq!(offers.to("ci", "seal"), None);
    }
}
