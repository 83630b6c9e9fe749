//! Whether the operator is alive and ready, and if not, which part of it is to blame.
//!
//! *Alive* is asked anew each time: a question wakes every loop, and a loop that is polled answers. One that did not answer for
//! [`STUCK_AFTER`] is stuck. A slow service or an API server that is away keeps no loop from answering, since a loop does not wait for
//! what it has begun. The answer comes from a task of its own, so that a loop which holds its thread does not silence it.
//!
//! *Ready* means that the caches are filled, so also a standby is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream::poll_fn;
use futures::task::AtomicWaker;
use tokio::time::Instant;

/// A loop that has not answered for so long is stuck. After errors of a watch, a controller polls nothing for up to a minute.
const STUCK_AFTER: Duration = Duration::from_secs(120);

/// The health of the whole process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    /// What each cache still lacks; `None` if it is filled.
    caches: BTreeMap<String, Option<String>>,
    loops: Vec<Arc<Beats>>,
}

/// The answer to a probe.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub good: bool,
    /// Each part with its state.
    pub parts: String,
}

impl Health {
    /// Adds a cache that is not filled yet.
    pub(crate) fn cache(&self, kind: &str, namespace: Option<&str>) -> Cache {
        let name = named(kind, namespace);
        let cache = Cache { health: self.clone(), name };
        cache.set(Some("the first list is not complete".to_owned()));
        cache
    }

    /// Adds a loop. It must poll its beats from now on.
    pub(crate) fn heart(&self, kind: &str, namespace: Option<&str>) -> Heart {
        let beats =
            Arc::new(Beats { name: named(kind, namespace), asked: Mutex::default(), waker: AtomicWaker::new() });
        self.parts().loops.push(beats.clone());
        Heart(beats)
    }

    /// Whether the caches are filled.
    pub(super) fn ready(&self) -> Answer {
        let parts = self.parts();
        if parts.caches.is_empty() {
            return answer([("start".to_owned(), Some("nothing is watched yet".to_owned()))]);
        }
        answer(parts.caches.clone())
    }

    /// Whether all loops answered the question before, and asks the next one.
    pub(super) fn alive(&self) -> Answer {
        let loops = self.parts().loops.clone();
        answer(loops.iter().map(|beats| (beats.name.clone(), beats.ask())))
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(kind: &str, namespace: Option<&str>) -> String {
    namespace.map_or_else(|| kind.to_owned(), |namespace| format!("{kind} in {namespace}"))
}

/// A line for each part, as the API server's own `/readyz?verbose` has them.
fn answer(states: impl IntoIterator<Item = (String, Option<String>)>) -> Answer {
    let (mut good, mut parts) = (true, String::new());
    for (name, problem) in states {
        good &= problem.is_none();
        let _ = match problem {
            None => writeln!(parts, "[+]{name} ok"),
            Some(problem) => writeln!(parts, "[-]{name} failed: {problem}"),
        };
    }
    Answer { good, parts }
}

/// A cache.
#[derive(Debug)]
pub(crate) struct Cache {
    health: Health,
    name: String,
}

impl Cache {
    /// It is filled.
    pub(crate) fn synced(&self) {
        self.set(None);
    }

    /// It is of no use, for this reason.
    pub(crate) fn failed(&self, why: String) {
        self.set(Some(why));
    }

    fn set(&self, problem: Option<String>) {
        self.health.parts().caches.insert(self.name.clone(), problem);
    }
}

/// What a loop polls to show that it is alive.
#[derive(Debug)]
pub(crate) struct Heart(Arc<Beats>);

impl Heart {
    /// A stream that never says anything. Polling it answers the question.
    pub(crate) fn beats<T>(self) -> impl Stream<Item = T> + Send {
        poll_fn(move |context| {
            self.0.beat(context);
            Poll::Pending
        })
    }
}

#[derive(Debug)]
struct Beats {
    name: String,
    /// When the question was asked that is not answered yet.
    asked: Mutex<Option<Instant>>,
    waker: AtomicWaker,
}

impl Beats {
    fn beat(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
        *self.asked() = None;
    }

    /// Asks, unless a question waits for its answer. Returns what is wrong, if that is for too long.
    fn ask(&self) -> Option<String> {
        let waits = self.asked().get_or_insert_with(Instant::now).elapsed();
        self.waker.wake();
        (waits >= STUCK_AFTER).then(|| format!("this loop has not been polled for {} s", waits.as_secs()))
    }

    fn asked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
