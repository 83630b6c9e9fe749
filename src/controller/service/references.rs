//! Watches of what service objects refer to: a changed credential is noticed without a right to list Secrets.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use tokio::task::AbortHandle;

use crate::controller::registry::Key;
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::controller::watch::watched_metadata;

/// What is referred to: a ConfigMap or a Secret, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reference {
    ConfigMap(String),
    Secret(String),
}

/// One watch by name for each Secret and ConfigMap that a service refers to.
#[derive(Debug, Default)]
pub(crate) struct ReferenceWatches(Mutex<HashMap<Key, Tasks>>);

type Tasks = HashMap<Reference, AbortHandle>;

impl ReferenceWatches {
    /// Watches what `service` refers to now, and nothing else.
    pub(crate) fn follow(&self, service: &ServiceObject, ctx: &Arc<Shared>) {
        let key = &service.key;
        let Some(namespace) = ctx.place_of_secrets(key) else { return };
        let (secrets, bundle) = service.references();
        let secrets = secrets.into_iter().map(|name| Reference::Secret(name.to_owned()));
        let bundle = bundle.map(|name| Reference::ConfigMap(name.to_owned()));
        let wanted: HashSet<Reference> = secrets.chain(bundle).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let followed = all.entry(key.clone()).or_default();
        followed.retain(|reference, task| {
            let keep = wanted.contains(reference);
            if !keep {
                task.abort();
            }
            keep
        });
        for reference in wanted {
            let (ctx, key, namespace) = (ctx.clone(), key.clone(), namespace.to_owned());
            followed.entry(reference.clone()).or_insert_with(|| {
                let task = async move {
                    let client = ctx.watches.clone();
                    match reference {
                        Reference::ConfigMap(name) => {
                            follow::<ConfigMap>(Api::namespaced(client, &namespace), &name, &key, &ctx).await;
                        }
                        Reference::Secret(name) => {
                            follow::<Secret>(Api::namespaced(client, &namespace), &name, &key, &ctx).await;
                        }
                    }
                };
                tokio::spawn(task).abort_handle()
            });
        }
    }

    /// The service object is gone.
    pub(crate) fn leave(&self, key: &Key) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, task) in all.remove(key).unwrap_or_default() {
            task.abort();
        }
    }
}

async fn follow<K>(api: Api<K>, name: &str, key: &Key, ctx: &Shared)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + fmt::Debug + Send + 'static,
{
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = std::pin::pin!(watched_metadata(api, only).default_backoff());
    while let Some(event) = events.next().await {
        if matches!(event, Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone)) {
            ctx.services.check_again(key.clone());
        }
    }
}
