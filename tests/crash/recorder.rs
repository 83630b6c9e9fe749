//! Records what happened, from sources that cannot be wrong: every version of the Secret in the API server's own order, every value
//! that the service returned, what the Secret held when each revoke was sent, and whether each *generate* had a claim.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifact_token_operator::api::FINALIZER;
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::rotation::identity;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::Value;
use testbed::fault_proxy::{Fault, Look, Side};
use testbed::{FaultProxy, poll};
use tokio::task::AbortHandle;

use crate::script::{SECRET, TOKEN};
use support::World;
use support::acts::ledger;

/// Limit for the watch to show what has been written.
const CAUGHT_UP: Duration = Duration::from_secs(60);

/// The Secret as it is from this version of the store on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    pub version: u64,
    pub id: Option<String>,
    pub attempt: u32,
    /// The value under its key; empty if there is none.
    pub value: String,
    /// All values in all Secrets.
    pub kept: BTreeSet<String>,
}

/// A revoke that was sent.
#[derive(Clone, Debug)]
pub struct Revoke {
    pub id: String,
    /// The store's version when it was sent.
    pub version: u64,
    /// The id of the token that the Secret held at that time.
    pub held: Option<String>,
    /// The object was being deleted, or the token leaked.
    pub excused: bool,
}

#[derive(Default)]
struct Seen {
    versions: Mutex<Vec<Version>>,
    /// Ids by value.
    values: Mutex<BTreeMap<String, String>>,
    revokes: Mutex<Vec<Revoke>>,
    /// How often *generate* was sent for each name.
    generates: Mutex<BTreeMap<String, usize>>,
    /// Violations of S4, in sentences.
    unclaimed: Mutex<Vec<String>>,
    /// Values that the script refused.
    refused: Mutex<BTreeSet<String>>,
    excused: AtomicBool,
}

pub struct Recorder {
    seen: Arc<Seen>,
    secrets: Api<Secret>,
    task: AbortHandle,
}

impl Recorder {
    /// Records what goes through `proxy` from now on, and every version of the world's Secrets.
    pub async fn start(proxy: &FaultProxy, world: &World) -> Self {
        let (seen, secrets) = (Arc::new(Seen::default()), world.secrets());
        let tapped = seen.clone();
        proxy.tap(move |request, status, body| {
            if request.call.side == Side::Service && request.call.method == "POST" && status == 201 {
                tapped.generated(body);
            }
        });
        let (looking, looked) = (seen.clone(), secrets.clone());
        let look = Look::new(move |request| {
            let (seen, secrets) = (looking.clone(), looked.clone());
            let id = request.call.route().rsplit('/').next().unwrap_or_default().to_owned();
            async move { seen.revoked(id, &secrets).await }
        });
        proxy
            .always(Fault::Look(look), |request| request.call.side == Side::Service && request.call.method == "DELETE");
        let (asking, tokens) = (seen.clone(), world.tokens());
        let look = Look::new(move |request| {
            let (seen, tokens) = (asking.clone(), tokens.clone());
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            async move { seen.asked(body["name"].as_str().unwrap_or_default(), &tokens).await }
        });
        proxy.always(Fault::Look(look), |request| request.call.side == Side::Service && request.call.method == "POST");
        let from = secrets.list(&ListParams::default()).await.expect("list Secrets").metadata.resource_version;
        let task = tokio::spawn(follow(seen.clone(), secrets.clone(), from.expect("a version"))).abort_handle();
        Self { seen, secrets, task }
    }

    /// From now on, revokes may hit what the Secret holds.
    pub fn excuse(&self) {
        self.seen.excused.store(true, Ordering::SeqCst);
    }

    /// From now on, they may not.
    pub fn count_again(&self) {
        self.seen.excused.store(false, Ordering::SeqCst);
    }

    /// Every *generate* that had no claim or no finalizer, or was the second one of its claim; in sentences.
    pub fn unclaimed(&self) -> Vec<String> {
        let generates = self.seen.generates.lock().unwrap();
        let twice = generates.iter().filter(|(_, times)| **times > 1);
        let twice = twice.map(|(name, times)| format!("S4: {times} generates were sent for {name}"));
        self.seen.unclaimed.lock().unwrap().iter().cloned().chain(twice).collect()
    }

    /// Notes the value of a token that a person made.
    pub fn add(&self, value: String, id: String) {
        self.seen.values.lock().unwrap().insert(value, id);
    }

    /// Records that a person is about to revoke the token of this attempt.
    pub async fn revoked_by_hand(&self, attempt: u32) {
        self.seen.revoked(format!("hand-over-{attempt}"), &self.secrets).await;
    }

    /// Notes that the script refused a value in the name of the service.
    pub fn note_refused(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let seen = self.seen.clone();
        move |value| {
            seen.refused.lock().unwrap().insert(value.to_owned());
        }
    }

    pub fn refused(&self) -> usize {
        self.seen.refused.lock().unwrap().len()
    }

    pub fn values(&self) -> BTreeMap<String, String> {
        self.seen.values.lock().unwrap().clone()
    }

    pub fn revokes(&self) -> Vec<Revoke> {
        self.seen.revokes.lock().unwrap().clone()
    }

    pub fn versions(&self) -> Vec<Version> {
        self.seen.versions.lock().unwrap().clone()
    }

    /// Waits until everything that has been written is recorded.
    pub async fn caught_up(&self) {
        let end = Secret { metadata: kube::core::ObjectMeta::default(), ..Secret::default() };
        let mut end = end;
        end.metadata.name = Some("end-of-history".to_owned());
        let end = self.secrets.create(&kube::api::PostParams::default(), &end).await.expect("write the end");
        let version = number(&end);
        let look = || {
            let seen = self.seen.versions.lock().unwrap().last().map_or(0, |last| last.version);
            std::future::ready(if seen >= version { Ok(()) } else { Err(format!("{seen} of {version}")) })
        };
        poll("the history of the Secret", CAUGHT_UP, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn generated(&self, body: &[u8]) {
        let answer: Value = serde_json::from_slice(body).expect("JSON from the service");
        let text = |key: &str| answer[key].as_str().expect("text from the service").to_owned();
        self.values.lock().unwrap().insert(text("token"), text("id"));
    }

    async fn asked(&self, name: &str, tokens: &Api<ArtifactToken>) {
        *self.generates.lock().unwrap().entry(name.to_owned()).or_default() += 1;
        let object = tokens.get_opt(TOKEN).await.expect("read the object");
        let claimed = object.filter(|object| object.finalizers().iter().any(|finalizer| finalizer == FINALIZER));
        let claimed = claimed.zip(identity::parse("test", name)).is_some_and(|(object, name)| {
            let ledger = ledger(&object);
            let implied = ledger.claim.is_none() && name.attempt == 1 && name.nonce.is_first();
            implied || ledger.has_claimed(name.key())
        });
        if !claimed {
            self.unclaimed.lock().unwrap().push(format!("S4: a generate of {name} was sent without a claim"));
        }
    }

    async fn revoked(&self, id: String, secrets: &Api<Secret>) {
        let excused = self.excused.load(Ordering::SeqCst);
        let list = secrets.list(&ListParams::default()).await.expect("list Secrets");
        let version = list.metadata.resource_version.and_then(|version| version.parse().ok()).expect("a version");
        let held = list.items.iter().find(|secret| secret.name_any() == SECRET).and_then(|secret| seen(secret).id);
        self.revokes.lock().unwrap().push(Revoke { id, version, held, excused });
    }
}

/// Records each version. When a watch ends, a new one goes on from the last version.
async fn follow(all: Arc<Seen>, secrets: Api<Secret>, mut from: String) {
    let mut contents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let Ok(events) = secrets.watch(&WatchParams::default(), &from).await else { continue };
        let mut events = std::pin::pin!(events);
        while let Some(Ok(event)) = events.next().await {
            let version = match &event {
                WatchEvent::Added(secret) | WatchEvent::Modified(secret) => seen(secret),
                WatchEvent::Deleted(secret) => Version { version: number(secret), ..Version::default() },
                WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
            };
            from = version.version.to_string();
            let gone = matches!(event, WatchEvent::Deleted(_));
            let (WatchEvent::Added(secret) | WatchEvent::Modified(secret) | WatchEvent::Deleted(secret)) = event else {
                continue;
            };
            contents.insert(secret.name_any(), if gone { Vec::new() } else { values(&secret) });
            let kept = contents.values().flatten().cloned().collect();
            let mut versions = all.versions.lock().unwrap();
            if secret.name_any() == SECRET {
                versions.push(Version { kept, ..version });
            } else {
                // Another Secret changed; ours did not.
                let last = versions.last().cloned().unwrap_or_default();
                versions.push(Version { version: version.version, kept, ..last });
            }
        }
    }
}

fn seen(secret: &Secret) -> Version {
    let annotation = |key: &str| secret.annotations().get(&format!("artifact-token.dev/{key}")).cloned();
    let value = secret.data.as_ref().and_then(|data| data.get("token"));
    Version {
        version: number(secret),
        id: annotation("token-id").filter(|id| !id.is_empty()),
        attempt: annotation("attempt").and_then(|attempt| attempt.parse().ok()).unwrap_or_default(),
        value: value.map(|value| String::from_utf8_lossy(&value.0).into_owned()).unwrap_or_default(),
        kept: BTreeSet::new(),
    }
}

fn values(secret: &Secret) -> Vec<String> {
    let data = secret.data.iter().flat_map(|data| data.values());
    data.map(|value| String::from_utf8_lossy(&value.0).into_owned()).collect()
}

fn number(secret: &Secret) -> u64 {
    secret.meta().resource_version.as_ref().and_then(|version| version.parse().ok()).expect("a version")
}
