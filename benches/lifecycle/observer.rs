//! Watches the objects, so that the end of a work is seen at once and without lists.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::reason::Reason;
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

/// What one version of an object says.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The attempt of its token, if the object is at rest with it.
    resting: Option<u32>,
    /// Whether it tells that it waits.
    waits: bool,
}

/// How many objects there are, how many of them are at rest with the token of each attempt, and how often one began to tell that it waits.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    objects: HashMap<String, State>,
    resting: HashMap<u32, usize>,
    waits: usize,
}

impl Seen {
    pub fn count(&self) -> usize {
        self.objects.len()
    }

    /// How many are ready with the token of this attempt, and owe nothing.
    pub fn resting(&self, attempt: u32) -> usize {
        self.resting.get(&attempt).copied().unwrap_or_default()
    }

    fn put(&mut self, name: String, state: Option<State>) {
        let before = match state {
            Some(state) => self.objects.insert(name, state),
            None => self.objects.remove(&name),
        };
        let (before, state) = (before.unwrap_or_default(), state.unwrap_or_default());
        if let Some(attempt) = before.resting {
            *self.resting.entry(attempt).or_default() -= 1;
        }
        if let Some(attempt) = state.resting {
            *self.resting.entry(attempt).or_default() += 1;
        }
        self.waits += usize::from(state.waits && !before.waits);
    }
}

/// Sees what becomes of the objects. Dropping it ends its watch.
pub struct Observer {
    seen: watch::Receiver<Seen>,
    objects: usize,
    told_before: usize,
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
                        sender.send_modify(|seen| seen.put(token.name_any(), Some(state(&token))));
                    }
                    Ok(Event::Delete(token)) => sender.send_modify(|seen| seen.put(token.name_any(), None)),
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => eprintln!("the watch of the objects broke: {error}"),
                }
            }
        });
        Self { seen, objects, told_before: 0, _task: task }
    }

    /// How often an object began to tell that it waits, since the last call.
    pub fn waits(&mut self) -> usize {
        let waits = self.seen.borrow().waits;
        waits - std::mem::replace(&mut self.told_before, waits)
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

fn state(token: &ArtifactToken) -> State {
    let owes = token.status.as_ref().is_none_or(|status| !status.ledger.superseded.is_empty());
    State { resting: (is_ready(token) && !owes).then(|| attempt(token)), waits: tells_wait(token) }
}

/// Whether the object tells that it waits for its turn: with a first token or a deletion for 5 s, with a revoke for a minute.
fn tells_wait(token: &ArtifactToken) -> bool {
    let told = token.status.iter().flat_map(|status| &status.conditions);
    told.into_iter().any(|told| match told.reason {
        Reason::Issuing | Reason::Deleting => true,
        Reason::OverlapActive => told.message.starts_with("the overlap of"),
        _ => false,
    })
}
