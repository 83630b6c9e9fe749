//! Watches the Secrets and ConfigMaps that service objects refer to, each by its name. So the operator notices a changed credential
//! without the right to list all Secrets. With `--secret-watch=off` a Secret is not even watched, but read again now and then.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use tokio::task::AbortHandle;

use crate::controller::registry::Key;
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::controller::spread::spread;
use crate::controller::watch::watched_metadata;

/// The ConfigMap or Secret that is referred to, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reference {
    ConfigMap(String),
    Secret(String),
}

/// One watch by name for each Secret and ConfigMap that services refer to. Services that refer to the same one share its watch: each
/// watch needs a connection to the API server.
#[derive(Debug, Default)]
pub(crate) struct ReferenceWatches {
    watches: HashMap<Place, Watch>,
    /// What each service refers to.
    wanted: HashMap<Key, HashSet<Place>>,
}

/// A namespace, and what is referred to in it.
type Place = (String, Reference);

/// The services that are checked after a change.
type Followers = Arc<Mutex<HashSet<Key>>>;

/// A running watch, which ends when this is dropped.
#[derive(Debug)]
struct Watch {
    followers: Followers,
    _task: Task,
}

/// A running task. Dropping this ends it.
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
        let wanted = secrets.chain(bundle).map(|reference| (namespace.to_owned(), reference)).collect();
        let joined = self.want(key, wanted, |place, followers| {
            Task(tokio::spawn(watch(place, followers, ctx.clone())).abort_handle())
        });
        if joined {
            // Its list is over, and what changed since this service was read had its event before.
            ctx.services.check_again(key.clone());
        }
    }

    /// Records what a service refers to, and begins and ends watches for that. Returns whether one of them was there before.
    fn want(&mut self, key: &Key, wanted: HashSet<Place>, begin: impl Fn(Place, Followers) -> Task) -> bool {
        let before = self.wanted.remove(key).unwrap_or_default();
        before.difference(&wanted).for_each(|place| self.leave(place, key));
        let mut joined = false;
        for place in wanted.difference(&before) {
            if let Some(watch) = self.watches.get(place) {
                locked(&watch.followers).insert(key.clone());
                joined = true;
                continue;
            }
            let followers = Followers::new(Mutex::new([key.clone()].into()));
            let task = begin(place.clone(), followers.clone());
            self.watches.insert(place.clone(), Watch { followers, _task: task });
        }
        self.wanted.insert(key.clone(), wanted);
        joined
    }

    fn leave(&mut self, place: &Place, key: &Key) {
        let Some(watch) = self.watches.get(place) else { return };
        let mut followers = locked(&watch.followers);
        followers.remove(key);
        let nobody = followers.is_empty();
        drop(followers);
        if nobody {
            self.watches.remove(place);
        }
    }

    /// Ends the watches of service objects that are gone.
    pub(crate) fn retain(&mut self, has: impl Fn(&Key) -> bool) {
        let gone: Vec<Key> = self.wanted.keys().filter(|key| !has(key)).cloned().collect();
        for key in gone {
            let places = self.wanted.remove(&key).unwrap_or_default();
            places.iter().for_each(|place| self.leave(place, &key));
        }
    }
}

fn locked(followers: &Followers) -> MutexGuard<'_, HashSet<Key>> {
    followers.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch((namespace, reference): Place, followers: Followers, ctx: Arc<Shared>) {
    let client = ctx.watches.clone();
    match reference {
        Reference::ConfigMap(name) => {
            follow::<ConfigMap>(Api::namespaced(client, &namespace), &name, &followers, &ctx).await;
        }
        // A Secret may not even be watched by its name: the checks read it again now and then.
        Reference::Secret(name) if ctx.settings.secret_reread.is_some() => remind(&name, &followers, &ctx).await,
        Reference::Secret(name) => {
            follow::<Secret>(Api::namespaced(client, &namespace), &name, &followers, &ctx).await;
        }
    }
}

/// Has the services checked now and then, which reads their Secrets again: not those of all Secrets at the same time.
async fn remind(name: &str, followers: &Followers, ctx: &Shared) {
    let Some(every) = ctx.settings.secret_reread else { return };
    tokio::time::sleep(spread(name, every / 10)).await;
    loop {
        tokio::time::sleep(every).await;
        check_all(followers, ctx);
    }
}

fn check_all(followers: &Followers, ctx: &Shared) {
    let followers = locked(followers).clone();
    followers.into_iter().for_each(|key| ctx.services.check_again(key));
}

async fn follow<K>(api: Api<K>, name: &str, followers: &Followers, ctx: &Shared)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + fmt::Debug + Send + 'static,
{
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = std::pin::pin!(watched_metadata(api, only).default_backoff());
    while let Some(event) = events.next().await {
        if matches!(event, Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone)) {
            check_all(followers, ctx);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: Some("ci".into()), name: name.into() }
    }

    fn secret(name: &str) -> Place {
        ("ci".to_owned(), Reference::Secret(name.to_owned()))
    }

    /// Records what a service refers to. Returns whether it joined a watch, and the watches that began for it.
    fn want(watches: &mut ReferenceWatches, name: &str, secrets: &[&str]) -> (bool, Vec<JoinHandle<()>>) {
        let begun = Mutex::new(Vec::new());
        let joined = watches.want(&key(name), secrets.iter().map(|name| secret(name)).collect(), |_, _| {
            let task = tokio::spawn(std::future::pending::<()>());
            let handle = Task(task.abort_handle());
            begun.lock().unwrap().push(task);
            handle
        });
        (joined, begun.into_inner().unwrap())
    }

    fn followers(watches: &ReferenceWatches, name: &str) -> usize {
        watches.watches.get(&secret(name)).map_or(0, |watch| locked(&watch.followers).len())
    }

    #[tokio::test]
    async fn services_that_refer_to_the_same_share_a_watch_and_it_ends_with_the_last_of_them() {
        let mut watches = ReferenceWatches::default();
        let (joined, mut begun) = want(&mut watches, "a", &["admin"]);
        assert!(!joined && begun.len() == 1);
        let (joined, none) = want(&mut watches, "b", &["admin"]);
        assert!(joined && none.is_empty() && followers(&watches, "admin") == 2);
        assert!(!want(&mut watches, "b", &["admin"]).0, "nothing is new");
        watches.retain(|key| key.name == "b");
        assert!(!begun[0].is_finished() && followers(&watches, "admin") == 1);
        watches.retain(|_| false);
        assert!(begun.remove(0).await.unwrap_err().is_cancelled());
        assert!(watches.watches.is_empty() && watches.wanted.is_empty());
    }

    #[tokio::test]
    async fn what_a_service_does_not_refer_to_any_more_is_watched_no_more() {
        let mut watches = ReferenceWatches::default();
        let (_, mut begun) = want(&mut watches, "a", &["old", "stays"]);
        assert_eq!((begun.len(), want(&mut watches, "a", &["stays", "new"]).1.len()), (2, 1));
        assert_eq!(["old", "stays", "new"].map(|name| followers(&watches, name)), [0, 1, 1]);
        drop(watches);
        assert!(begun.remove(0).await.unwrap_err().is_cancelled() && begun.remove(0).await.unwrap_err().is_cancelled());
    }
}
