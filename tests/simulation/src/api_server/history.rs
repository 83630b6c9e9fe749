//! What was stored when: for the laws.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::rotation::identity;
use serde_json::Value;

use super::ApiServer;
use super::backup::key_of;
use super::store::{Change, LEASES};
use crate::objects;

/// Whether it is a change of the object with this identity.
fn is_of(change: &Change, uid16: &str) -> bool {
    identity::uid16(change.new["metadata"]["uid"].as_str().unwrap_or_default()) == uid16
}

/// One change of the Lease.
#[derive(Clone, Debug)]
pub struct Tenure {
    /// When.
    pub at: Duration,
    /// The process that wrote it; 0 for a person, and for a store that was put back.
    pub who: u32,
    /// Who holds it from then on; empty for nobody.
    pub holder: String,
}

impl ApiServer {
    /// All changes of the Lease.
    pub fn tenures(&self) -> Vec<Tenure> {
        let store = self.store();
        let history = store.kind(LEASES).map(|kind| kind.history.as_slice()).unwrap_or_default();
        let holder = |change: &Change| change.new["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
        let holds = |change: &Change| if change.deleted { String::new() } else { holder(change) };
        history.iter().map(|change| Tenure { at: change.at, who: change.who, holder: holds(change) }).collect()
    }

    /// Requests about the Lease, by process and minute.
    pub fn lease_tries(&self) -> BTreeMap<(u32, u64), u64> {
        self.store().lease_tries.clone()
    }

    /// An object's Secret as it was at a time since the beginning.
    pub fn secret_as_it_was(&self, index: usize, then: Duration) -> Option<Arc<Value>> {
        self.as_it_was("secrets", self.layout().namespace(index), &objects::secret_of(index), then)
    }

    /// An `ArtifactToken` as it was.
    pub fn token_as_it_was(&self, index: usize, then: Duration) -> Option<Arc<Value>> {
        self.as_it_was("artifacttokens", self.layout().namespace(index), &objects::name_of(index), then)
    }

    /// An object as it was.
    pub fn as_it_was(&self, plural: &str, namespace: &str, name: &str, then: Duration) -> Option<Arc<Value>> {
        let store = self.store();
        let of = |change: &&Change| {
            change.at <= then
                && change.new["metadata"]["namespace"] == namespace
                && change.new["metadata"]["name"] == name
        };
        let last = store.kind(plural)?.history.iter().rev().find(of);
        last.filter(|change| !change.deleted).map(|change| change.new.clone())
    }

    /// When an object's Secret that is there was created.
    pub fn secret_created_at(&self, index: usize) -> Option<Duration> {
        let uid = self.secret(index)?["metadata"]["uid"].clone();
        let store = self.store();
        let mut history = store.kind("secrets")?.history.iter();
        history.find(|change| change.new["metadata"]["uid"] == uid).map(|change| change.at)
    }

    /// When this Secret ceased to hold this token for the last time, or the last time until then. Another one that holds it, as a copy does or
    /// one with which somebody hands it over, has no consumers.
    pub fn held_until(
        &self,
        (namespace, name): (&str, &str),
        value: &Value,
        until: Option<Duration>,
    ) -> Option<Duration> {
        let (store, key) = (self.store(), (namespace.to_owned(), name.to_owned()));
        let left = |change: &&Change| {
            key_of(&change.new) == key
                && until.is_none_or(|until| change.at < until)
                && change.old.as_ref().is_some_and(|old| old["data"]["token"] == *value)
                && (change.deleted || change.new["data"]["token"] != *value)
        };
        store.kind("secrets")?.history.iter().rev().find(left).map(|change| change.at)
    }

    /// When something about an object began to be so for the last time.
    fn began(&self, uid16: &str, has: impl Fn(&Value) -> bool) -> Option<Duration> {
        let began =
            |change: &&Change| has(&change.new) && !change.old.as_deref().is_some_and(&has) && is_of(change, uid16);
        let store = self.store();
        store.kind("artifacttokens")?.history.iter().rev().find(began).map(|change| change.at)
    }

    /// When this claim was recorded last: in a status, or by the finalizer.
    pub fn claimed_at(&self, uid16: &str, nonce: &str, by_finalizer: bool) -> Option<Duration> {
        self.began(uid16, |object| match by_finalizer {
            true => object["metadata"]["finalizers"][0].is_string(),
            false => object["status"]["claim"]["nonce"] == nonce,
        })
    }

    /// When the ledger got this token as a superseded one for the last time.
    pub fn superseded_at(&self, uid16: &str, attempt: u32, id: &str) -> Option<Duration> {
        self.began(uid16, |object| {
            let superseded = object["status"]["superseded"].as_array();
            superseded.is_some_and(|all| all.iter().any(|old| old["id"] == id && old["attempt"] == attempt))
        })
    }

    /// Whether a ledger ever had this token.
    pub fn knew(&self, uid16: &str, attempt: u32, id: &str) -> bool {
        let is = |one: &Value| one["id"] == id && one["attempt"] == attempt;
        let current = self.began(uid16, |object| is(&object["status"]["current"]));
        current.is_some() || self.superseded_at(uid16, attempt, id).is_some()
    }

    /// When `Ready` of an object of this kind got another status or reason, and what its name is. The first one is no turn.
    pub fn turns(&self, plural: &str) -> Vec<(Duration, String)> {
        let told = |object: &Value| {
            let conditions = object["status"]["conditions"].as_array();
            let ready = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"))?;
            Some((ready["status"].clone(), ready["reason"].clone()))
        };
        let turned = |change: &&Change| {
            let before = change.old.as_deref().and_then(told);
            before.is_some() && before != told(&change.new) && !change.deleted
        };
        let store = self.store();
        let Some(kind) = store.kind(plural) else { return Vec::new() };
        let name = |change: &Change| change.new["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        kind.history.iter().filter(turned).map(|change| (change.at, name(change))).collect()
    }

    /// When leaks of an object were recorded.
    pub fn leaks_recorded(&self, uid16: &str) -> Vec<Duration> {
        let noticed = |object: &Value| {
            let leak = &object["status"]["leak"];
            [leak["objectIssuedBefore"].clone(), leak["serviceIssuedBefore"].clone()]
        };
        let records = |change: &&Change| {
            let before = change.old.as_deref().map(noticed).unwrap_or_default();
            noticed(&change.new) != before && is_of(change, uid16)
        };
        let store = self.store();
        let Some(kind) = store.kind("artifacttokens") else { return Vec::new() };
        kind.history.iter().filter(records).map(|change| change.at).collect()
    }
}

/// A state that a process has stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The object went with it.
    pub gone: bool,
    /// When.
    pub at: Duration,
    /// By which process.
    pub who: u32,
    /// What was there before.
    pub old: Option<Arc<Value>>,
    /// The object.
    pub new: Arc<Value>,
}

impl ApiServer {
    /// Every state of every object of a kind that a process has stored, in order.
    pub fn stored(&self, plural: &str) -> Vec<Stored> {
        let store = self.store();
        let Some(kind) = store.kind(plural) else { return Vec::new() };
        let by_process = kind.history.iter().filter(|change| change.who > 0);
        let stored = |change: &Change| {
            let Change { at, who, deleted: gone, ref old, ref new, .. } = *change;
            Stored { gone, at, who, old: old.clone(), new: new.clone() }
        };
        by_process.map(stored).collect()
    }
}
