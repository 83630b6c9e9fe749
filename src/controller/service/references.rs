//! Watches the Secrets and ConfigMaps that service objects refer to. So the operator notices a changed credential without the
//! right to list Secrets.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

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

/// The ConfigMap or Secret that is referred to, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reference {
    ConfigMap(String),
    Secret(String),
}

/// One watch by name for each Secret and ConfigMap that a service refers to.
#[derive(Debug, Default)]
pub(crate) struct ReferenceWatches(HashMap<Key, HashMap<Reference, Task>>);

/// A running watch. Dropping this ends it.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ReferenceWatches {
    /// Watches what `service` refers to now, and nothing else.
    pub(crate) fn follow(&mut self, service: &ServiceObject, ctx: &Arc<Shared>) {
        let key = &service.key;
        let Some(namespace) = ctx.place_of_secrets(key) else { return };
        let (secrets, bundle) = service.references();
        let secrets = secrets.into_iter().map(|name| Reference::Secret(name.to_owned()));
        let bundle = bundle.map(|name| Reference::ConfigMap(name.to_owned()));
        let wanted: HashSet<Reference> = secrets.chain(bundle).collect();
        let followed = self.0.entry(key.clone()).or_default();
        followed.retain(|reference, _| wanted.contains(reference));
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
                Task(tokio::spawn(task).abort_handle())
            });
        }
    }

    /// Ends the watches of service objects that are gone.
    pub(crate) fn retain(&mut self, has: impl Fn(&Key) -> bool) {
        self.0.retain(|key, _| has(key));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_service_object_that_is_gone_refers_to_is_watched_no_more() {
        let (gone, stays) = [(); 2].map(|()| tokio::spawn(std::future::pending::<()>())).into();
        let key = |name: &str| Key { namespace: Some("ci".into()), name: name.into() };
        let secret = || Reference::Secret("admin".into());
        let watch = |task: &tokio::task::JoinHandle<()>| [(secret(), Task(task.abort_handle()))].into();
        let mut watches = ReferenceWatches([(key("gone"), watch(&gone)), (key("stays"), watch(&stays))].into());
        watches.retain(|key| key.name == "stays");
        assert!(gone.await.unwrap_err().is_cancelled() && !stays.is_finished());
        drop(watches);
        assert!(stays.await.unwrap_err().is_cancelled());
    }
}
