//! Places in a rate limit.

use std::time::Duration;

use tokio::time::Instant;

use super::queue::Caller;
use super::rate_limit::RateLimit;

/// After this time an unused place is worth nothing: the limit has forgotten it.
const WORTH: Duration = Duration::from_secs(60);

/// Places in a service's rate limit. Each call uses one. If none is left, the call waits for another one. What is not used goes back
/// to the limit at the end.
#[derive(Debug)]
pub struct Places {
    taken: u32,
    max_wait: Duration,
    caller: Caller,
    /// The limit that they are of, and since when.
    of: Option<(RateLimit, Instant)>,
    /// The number by which the holder is inside.
    inside: Option<u64>,
    /// It was promised room for a token at the service.
    promised: bool,
}

impl Places {
    /// No places in advance: each call waits for its own place, at most `max_wait`.
    pub fn one_by_one(max_wait: Duration) -> Self {
        Self { taken: 0, max_wait, caller: Caller::nobody(), of: None, inside: None, promised: false }
    }

    /// The same places; a call that needs a further one waits for it at most so long.
    #[must_use]
    pub fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// One of the places, if there is one, for a list that others may share: it may outlive the rest.
    #[must_use]
    pub fn split_one(&mut self) -> Self {
        let taken = u32::from(self.use_one());
        let mut one = self.none_of_these(self.max_wait);
        one.taken = taken;
        one
    }

    /// No places for the same caller: each call waits for its own, at most `max_wait`.
    #[must_use]
    pub fn none_of_these(&self, max_wait: Duration) -> Self {
        let mut none = Self::one_by_one(max_wait);
        none.caller.clone_from(&self.caller);
        none
    }

    /// Whose they are.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Uses one of the places; `false` if none is left.
    pub(super) fn use_one(&mut self) -> bool {
        let left = self.taken.checked_sub(1);
        self.taken = left.unwrap_or(0);
        left.is_some()
    }

    /// Takes the place of the next call: one of these, or one more of `limit`.
    ///
    /// # Errors
    /// Fails at once, with the wait, if that is longer than a call of these places may wait.
    pub async fn next(&mut self, limit: &RateLimit) -> Result<(), Duration> {
        if self.use_one() {
            return Ok(());
        }
        // Calls that were begun come to an end before others begin.
        limit.take_turn(&self.caller.going_on(), 1, self.max_wait, false).await.map(|_| ())
    }

    /// Makes room for others inside, and keeps the places: whoever goes on later needs no room for that.
    pub fn step_out(&mut self) {
        if let (Some((limit, _)), Some(entry)) = (&self.of, self.inside.take()) {
            limit.go_out(entry);
        }
    }

    /// Promises room for one more token, if there is some at a service that may have `most`. A list does not show what was promised and
    /// is not generated yet, so each promise counts that had not ended when the list was asked for: `kept` had ended then.
    pub fn promise_room(&mut self, listed: usize, kept: u64, most: u32) -> bool {
        let Some((limit, _)) = self.of.as_ref().filter(|_| !self.promised) else { return false };
        self.promised = limit.promise(listed, kept, most);
        self.promised
    }
}

impl RateLimit {
    /// Goes inside with places for `calls` requests, which may then be sent one after the other without more waiting. Waits for the
    /// caller's turn.
    ///
    /// # Errors
    /// Fails at once, with the wait, if that is longer than `max_wait`. The caller keeps its place in the queue, and comes back then.
    pub async fn enter(&self, caller: &Caller, calls: u32, max_wait: Duration) -> Result<Places, Duration> {
        let entry = self.take_turn(caller, calls, max_wait, true).await?;
        let of = Some((self.clone(), Instant::now()));
        Ok(Places { taken: calls, max_wait, caller: caller.clone(), of, inside: entry, promised: false })
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.step_out();
        if let Some((limit, since)) = self.of.take() {
            let unused = if since.elapsed() < WORTH { self.taken } else { 0 };
            limit.end(unused, self.promised);
        }
    }
}
