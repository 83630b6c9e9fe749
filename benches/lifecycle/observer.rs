//! Watches the objects, so that the end of a work is seen at once and without lists.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact_token_operator::api::artifact_token::ArtifactToken;
use futures::StreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, ResourceExt};
use support::{attempt, is_ready};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Limit for a work: what no machine should need, and so much for each object.
const DEADLINE: Duration = Duration::from_secs(120);
const PER_OBJECT: Duration = Duration::from_millis(500);

/// How many objects there are, and how many of them are at rest with the token of each attempt.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    objects: HashMap<String, Option<u32>>,
    resting: HashMap<u32, usize>,
}

impl Seen {
    pub fn count(&self) -> usize {
        self.objects.len()
    }

    /// How many are ready with the token of this attempt, and owe nothing.
    pub fn resting(&self, attempt: u32) -> usize {
        self.resting.get(&attempt).copied().unwrap_or_default()
    }

    fn put(&mut self, name: String, state: Option<Option<u32>>) {
        let before = match state {
            Some(state) => self.objects.insert(name, state),
            None => self.objects.remove(&name),
        };
        if let Some(attempt) = before.flatten() {
            *self.resting.entry(attempt).or_default() -= 1;
        }
        if let Some(attempt) = state.flatten() {
            *self.resting.entry(attempt).or_default() += 1;
        }
    }
}

/// Sees what becomes of the objects. Dropping it ends its watch.
pub struct Observer {
    seen: watch::Receiver<Seen>,
    objects: usize,
    _task: JoinSet<()>,
}

impl Observer {
    /// Watches `objects` objects.
    pub fn start(api: Api<ArtifactToken>, objects: usize) -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut events = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(token) | Event::InitApply(token)) => {
                        sender.send_modify(|seen| seen.put(token.name_any(), Some(resting(&token))));
                    }
                    Ok(Event::Delete(token)) => sender.send_modify(|seen| seen.put(token.name_any(), None)),
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => eprintln!("the watch of the objects broke: {error}"),
                }
            }
        });
        Self { seen, objects, _task: task }
    }

    /// Waits until the objects are as they should be.
    pub async fn until(&mut self, what: &str, done: impl Fn(&Seen) -> bool) -> Result<()> {
        let limit = DEADLINE + PER_OBJECT * u32::try_from(self.objects).unwrap_or(u32::MAX);
        if let Ok(found) = timeout(limit, self.seen.wait_for(|seen| done(seen))).await {
            return found.map(drop).context("watch the objects");
        }
        let seen = self.seen.borrow();
        bail!("after {} s not {what}: {} objects, at rest by attempt {:?}", limit.as_secs(), seen.count(), seen.resting)
    }
}

/// The attempt of its token, if the object is at rest with it.
fn resting(token: &ArtifactToken) -> Option<u32> {
    let owes = token.status.as_ref().is_none_or(|status| !status.ledger.superseded.is_empty());
    (is_ready(token) && !owes).then(|| attempt(token))
}
