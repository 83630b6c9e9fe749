//! Watches that start again with a complete list, which shows what a watch misses.
//!
//! A watch that continues from a version trusts that the store still counts from there. A store restored from a backup does
//! not, and the API server does not say so: it stays silent until the versions have caught up, which may be never. So every
//! watch that breaks starts again with a complete list. Each watch also does so now and then, because some losses cause no
//! error.

use std::fmt::Debug;
use std::future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// A watch starts again after this time at the latest. It costs one list, about as often as the API server ends a watch anyway.
const RENEWED_AFTER: Duration = Duration::from_secs(30 * 60);

/// Watches the objects of `api` that `config` selects.
pub(super) fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    renewed(RENEWED_AFTER, move || watcher(api.clone(), config.clone()).boxed())
}

/// Watches the metadata of all objects of `api`.
#[allow(deprecated)] // The metadata-only form of `watcher` needs an `Api` of partial objects, which a scope cannot make.
pub(super) fn watched_metadata<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<PartialObjectMeta<K>>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    renewed(RENEWED_AFTER, move || watcher::metadata_watcher(api.clone(), config.clone()).boxed())
}

/// Ends a watch at its first error, or when `after` has passed, and starts the next one, which begins with a list.
fn renewed<T: Send + 'static>(
    after: Duration,
    begin: impl FnMut() -> BoxStream<'static, watcher::Result<T>> + Send,
) -> impl Stream<Item = watcher::Result<T>> + Send {
    stream::repeat_with(begin).flat_map(move |watch| {
        let until_broken = watch.scan(false, |broken, event| {
            let ended = std::mem::replace(broken, event.is_err());
            future::ready((!ended).then_some(event))
        });
        until_broken.take_until(tokio::time::sleep(after))
    })
}

/// Yields each object that changed and, once a list is complete, every object in the store. Not earlier: a pass would begin on
/// what the store had before, and nothing would begin another one.
pub(super) fn touched<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>>,
    store: Store<K>,
) -> impl Stream<Item = watcher::Result<K>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    events.flat_map(move |event| {
        let (one, all) = match event {
            Ok(Event::Apply(object) | Event::Delete(object)) => (Some(Ok(object)), Vec::new()),
            Ok(Event::Init | Event::InitApply(_)) => (None, Vec::new()),
            Ok(Event::InitDone) => (None, store.state()),
            Err(error) => (Some(Err(error)), Vec::new()),
        };
        // Only one of them is copied at a time: copies of all objects at once would double the memory.
        stream::iter(one.into_iter().chain(all.into_iter().map(|object| Ok(K::clone(&object)))))
    })
}

/// When the newest complete list was begun. That list has everything that was written before.
#[derive(Debug)]
pub(crate) struct ListTimes(Mutex<Lists>);

#[derive(Debug)]
struct Lists {
    /// The list that is under way, or the newest.
    newest: Instant,
    /// The newest list that is complete.
    complete: Instant,
}

impl Default for ListTimes {
    fn default() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Lists { newest: now, complete: now }))
    }
}

impl ListTimes {
    /// Handles one event of the watch.
    pub(crate) fn apply<K>(&self, event: &Event<K>) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => lists.newest = Instant::now(),
            Event::InitDone => lists.complete = lists.newest,
            Event::InitApply(_) | Event::Apply(_) | Event::Delete(_) => {}
        }
    }

    /// When the newest complete list was begun.
    pub(crate) fn since(&self) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_watch_that_broke_says_nothing_more_and_the_next_one_begins() {
        let begun = AtomicUsize::new(0);
        let watch = || {
            begun.fetch_add(1, Ordering::Relaxed);
            stream::iter([Ok(1), Err(watcher::Error::NoResourceVersion), Ok(2)]).boxed()
        };
        let said: Vec<_> = renewed(RENEWED_AFTER, watch).take(4).map(|event| event.ok()).collect().await;
        assert_eq!(said, [Some(1), None, Some(1), None]);
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_silent_watch_begins_anew_after_a_while() {
        let watch = || stream::iter([Ok(1)]).chain(stream::pending()).boxed();
        let said: Vec<_> = renewed(Duration::from_millis(10), watch).take(3).map(|event| event.ok()).collect().await;
        assert_eq!(said, [Some(1); 3]);
    }
}
