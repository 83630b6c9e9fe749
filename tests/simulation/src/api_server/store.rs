//! What an API server stores: objects by kind, and the changes that watches tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::schema::schemas;
use super::trouble::Trouble;
use crate::overlaid::Overlaid;

/// The kind that elections use, as paths name it.
pub(super) const LEASES: &str = "leases";

/// One kind of object.
pub(super) struct Kind {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
    /// A custom resource has a generation, a status of its own, and defaults.
    pub(super) schema: Option<&'static Value>,
    pub(super) objects: BTreeMap<(String, String), Arc<Value>>,
    pub(super) log: Vec<Change>,
    /// The same for the laws: all that ever changed, also what a restore has taken back.
    pub(super) history: Vec<Change>,
    /// Changes up to this version are forgotten: a watch from there is answered with 410.
    pub(super) compacted: u64,
}

/// One change of one object.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) at: Duration,
    pub(super) deleted: bool,
    pub(super) new: Arc<Value>,
    pub(super) old: Option<Arc<Value>>,
    /// The process that asked for it; 0 for a person, and for a store that was put back.
    pub(super) who: u32,
}

/// All that is stored. Shared by all processes.
pub(super) struct Store {
    kinds: Vec<Kind>,
    pub(super) version: u64,
    uids: u64,
    /// Events (`events.k8s.io`), which nobody reads back.
    pub(super) events: Vec<(Duration, Value)>,
    /// Requests of operators by verb and kind.
    pub(super) counts: BTreeMap<String, u64>,
    /// Whether somebody listed or watched Secrets.
    pub(super) listed_secrets: bool,
    /// Writes of operators by object and minute.
    pub(super) by_minute: BTreeMap<(String, u64), u64>,
    /// Requests about Leases, by process and minute.
    pub(super) lease_tries: BTreeMap<(u32, u64), u64>,
    /// Every watch that is open ends when this changes.
    pub(super) epoch: u64,
    /// When watches broke last, or something else kept news away.
    pub(super) silent: Duration,
    /// What is wrong with the server, and since when.
    pub(super) troubles: Overlaid<(Duration, Trouble)>,
}

impl Store {
    pub(super) fn new() -> Self {
        let [tokens, services, cluster_services] = schemas();
        let kind = |api_version, kind, plural, namespaced, schema| {
            let (objects, log, history) = (BTreeMap::new(), Vec::new(), Vec::new());
            Kind { api_version, kind, plural, namespaced, schema, objects, log, history, compacted: 0 }
        };
        let own = "artifact-token.dev/v1alpha1";
        let kinds = vec![
            kind("v1", "Namespace", "namespaces", false, None),
            kind("v1", "Secret", "secrets", true, None),
            kind("v1", "ConfigMap", "configmaps", true, None),
            kind("coordination.k8s.io/v1", "Lease", LEASES, true, None),
            kind(own, "ArtifactToken", "artifacttokens", true, Some(tokens)),
            kind(own, "TokenService", "tokenservices", true, Some(services)),
            kind(own, "ClusterTokenService", "clustertokenservices", false, Some(cluster_services)),
        ];
        let (events, counts, by_minute, lease_tries) = (Vec::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (silent, troubles) = (Duration::ZERO, Overlaid::default());
        Self {
            kinds,
            version: 100,
            uids: 0,
            events,
            counts,
            listed_secrets: false,
            by_minute,
            lease_tries,
            epoch: 0,
            silent,
            troubles,
        }
    }

    pub(super) fn kind(&self, plural: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.plural == plural)
    }

    pub(super) fn kind_mut(&mut self, plural: &str) -> Option<&mut Kind> {
        self.kinds.iter_mut().find(|kind| kind.plural == plural)
    }

    pub(super) fn kinds_mut(&mut self) -> impl Iterator<Item = &mut Kind> {
        self.kinds.iter_mut()
    }

    pub(super) fn new_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// Stores a version of an object, or takes it away.
    pub(super) fn commit(
        &mut self,
        plural: &str,
        mut new: Value,
        old: Option<Arc<Value>>,
        deleted: bool,
        (at, who): (Duration, u32),
    ) -> Arc<Value> {
        self.version += 1;
        let version = self.version;
        new["metadata"]["resourceVersion"] = json!(version.to_string());
        let text = |field: &str| new["metadata"][field].as_str().unwrap_or_default().to_owned();
        let key = (text("namespace"), text("name"));
        let new = Arc::new(new);
        let kind = self.kind_mut(plural).expect("the kind was found before");
        if deleted {
            kind.objects.remove(&key);
        } else {
            kind.objects.insert(key, new.clone());
        }
        let change = Change { version, at, deleted, new: new.clone(), old, who };
        kind.history.push(change.clone());
        kind.log.push(change);
        new
    }

    /// History is forgotten: a watch that goes on from before now is answered with 410.
    pub(super) fn compact(&mut self) {
        for kind in &mut self.kinds {
            kind.compacted = self.version;
        }
    }
}
