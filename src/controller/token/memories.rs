//! The memories of all objects, by uid.
//!
//! Only the watch of objects, by an event or a complete list, adds or removes an object. So a pass that is under way when its
//! object goes, or that begins with an object which only the cache still has, leaves no values of it behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::api::artifact_token::ArtifactToken;
use crate::controller::token::memory::Memory;

/// The memories of the objects that are there.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    entries: HashMap<String, Entry>,
    /// The objects seen so far in the list that is under way, and whether each has a current token.
    arriving: HashMap<String, bool>,
    /// The first list is complete.
    listed: bool,
}

#[derive(Debug)]
enum Entry {
    Kept(Arc<tokio::sync::Mutex<Memory>>),
    /// This process released the object; the cache shows it a moment longer.
    Released {
        /// A list was begun after the release. It has the object only if the store was restored, and the object is back.
        listing: bool,
    },
}

impl Memories {
    /// The memory of this object; a pass holds its lock from beginning to end. `None` if the object is gone, or this process
    /// released it.
    pub(crate) fn of(&self, uid: &str) -> Option<Arc<tokio::sync::Mutex<Memory>>> {
        match self.all().entries.get(uid)? {
            Entry::Kept(memory) => Some(memory.clone()),
            Entry::Released { .. } => None,
        }
    }

    /// Handles one event of the watch of objects, and returns the uids of those that are gone.
    pub(crate) fn apply(&self, event: &Event<ArtifactToken>) -> Vec<String> {
        let uid = |object: &ArtifactToken| object.uid().unwrap_or_default();
        let mut all = self.all();
        match event {
            Event::Init => all.begin_list(),
            Event::InitApply(object) => all.arriving.extend([(uid(object), has_current(object))]),
            Event::InitDone => return all.end_list(),
            Event::Apply(object) => all.arrives(uid(object), has_current(object)),
            Event::Delete(object) => {
                all.entries.remove(&uid(object));
                return vec![uid(object)];
            }
        }
        Vec::new()
    }

    /// Forgets an object that this process released.
    pub(crate) fn forget(&self, uid: &str) {
        if let Some(entry) = self.all().entries.get_mut(uid) {
            *entry = Entry::Released { listing: false };
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_current(object: &ArtifactToken) -> bool {
    object.status.as_ref().is_some_and(|status| status.ledger.current.is_some())
}

impl All {
    /// An object that has a token when this process first sees it, later than all that were there at its start, was gone before: the
    /// store was restored. Its token may be dead, so the service is asked.
    fn arrives(&mut self, uid: String, has_current: bool) {
        let restored = self.listed && has_current;
        let memory = || Entry::Kept(Arc::new(tokio::sync::Mutex::new(Memory { restored, ..Memory::default() })));
        self.entries.entry(uid).or_insert_with(memory);
    }

    fn begin_list(&mut self) {
        self.arriving.clear();
        for entry in self.entries.values_mut() {
            if let Entry::Released { listing } = entry {
                *listing = true;
            }
        }
    }

    fn end_list(&mut self) -> Vec<String> {
        let arrived = std::mem::take(&mut self.arriving);
        let gone = self.entries.keys().filter(|uid| !arrived.contains_key(*uid)).cloned().collect();
        self.entries
            .retain(|uid, entry| arrived.contains_key(uid) && !matches!(entry, Entry::Released { listing: true }));
        for (uid, has_current) in arrived {
            self.arrives(uid, has_current);
        }
        self.listed = true;
        gone
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn object(uid: &str) -> ArtifactToken {
        let object = serde_json::json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": {"name": "ci", "uid": uid},
            "spec": {
                "serviceRef": {"name": "reference"}, "rotation": {"policy": "Disabled"},
                "secret": {"name": "ci", "data": [{"key": "token", "format": "Raw"}]},
            },
        });
        serde_json::from_value(object).unwrap()
    }

    /// The same with a current token.
    fn with_token(uid: &str) -> ArtifactToken {
        let current = serde_json::json!({
            "attempt": 1, "id": "t1", "nonce": "0", "requestDigest": "d", "secretResourceVersion": "1",
            "claimedTime": "2026-01-01T00:00:00Z", "issuedTime": "2026-01-01T00:00:00Z",
            "publishedTime": "2026-01-01T00:00:00Z", "verifiedTime": "2026-01-01T00:00:00Z", "probed": true,
        });
        let status = serde_json::from_value(serde_json::json!({"current": current})).unwrap();
        ArtifactToken { status: Some(status), ..object(uid) }
    }

    #[test]
    fn an_object_that_is_back_with_its_token_is_in_doubt_and_one_that_was_there_at_the_start_is_not() {
        let memories = Memories::default();
        memories.apply(&Event::Init);
        memories.apply(&Event::InitApply(with_token("a")));
        memories.apply(&Event::InitDone);
        memories.apply(&Event::Apply(object("new")));
        memories.apply(&Event::Apply(with_token("b")));
        let restored = |uid: &str| kept(&memories, uid).try_lock().unwrap().restored;
        assert!(!restored("a") && !restored("new") && restored("b"));
        memories.apply(&Event::Delete(with_token("a")));
        memories.apply(&Event::Init);
        memories.apply(&Event::InitApply(with_token("a")));
        memories.apply(&Event::InitDone);
        assert!(kept(&memories, "a").try_lock().unwrap().restored);
    }

    fn list(memories: &Memories, uids: &[&str]) -> Vec<String> {
        memories.apply(&Event::Init);
        for uid in uids {
            memories.apply(&Event::InitApply(object(uid)));
        }
        memories.apply(&Event::InitDone)
    }

    fn kept(memories: &Memories, uid: &str) -> Arc<tokio::sync::Mutex<Memory>> {
        memories.of(uid).unwrap()
    }

    #[test]
    fn an_object_that_went_without_this_process_is_remembered_no_more() {
        let memories = Memories::default();
        list(&memories, &["a", "b", "c"]);
        let held = kept(&memories, "a");
        assert_eq!(memories.apply(&Event::Delete(object("a"))), ["a"]);
        assert_eq!(list(&memories, &["c"]), ["b"]);
        assert!(memories.of("a").is_none() && memories.of("b").is_none() && memories.of("c").is_some());
        assert_eq!(Arc::strong_count(&held), 1, "only the pass that is under way has it");
    }

    #[test]
    fn an_object_that_stays_keeps_its_memory_over_lists_and_events() {
        let memories = Memories::default();
        memories.apply(&Event::Apply(object("a")));
        let held = kept(&memories, "a");
        list(&memories, &["a"]);
        memories.apply(&Event::Apply(object("a")));
        assert!(Arc::ptr_eq(&held, &kept(&memories, "a")));
    }

    #[test]
    fn a_released_object_that_the_cache_still_has_gets_no_pass() {
        let memories = Memories::default();
        list(&memories, &["a"]);
        memories.forget("a");
        // An event from before its release.
        memories.apply(&Event::Apply(object("a")));
        assert!(memories.of("a").is_none());
        // While a list is under way the cache has what it had.
        memories.apply(&Event::Init);
        assert!(memories.of("a").is_none());
        memories.apply(&Event::InitDone);
        assert!(memories.of("a").is_none());
    }

    #[test]
    fn a_list_from_before_the_release_does_not_bring_the_object_back_and_one_of_a_store_that_was_put_back_does() {
        let memories = Memories::default();
        list(&memories, &["a"]);
        memories.apply(&Event::Init);
        memories.apply(&Event::InitApply(object("a")));
        memories.forget("a");
        memories.apply(&Event::InitDone);
        assert!(memories.of("a").is_none());
        list(&memories, &["a"]);
        assert!(memories.of("a").is_some());
    }

    #[test]
    fn a_release_that_is_noted_after_the_event_of_the_deletion_leaves_nothing() {
        let memories = Memories::default();
        list(&memories, &["a"]);
        memories.apply(&Event::Delete(object("a")));
        memories.forget("a");
        assert!(memories.all().entries.is_empty());
    }
}
