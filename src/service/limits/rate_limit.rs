//! The rate limit of one service.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::queue::{Caller, Queue};
use super::room::Room;

/// How many passes may be in the calls of one service at a time, if there is room. A service that hangs holds no more of the operator than
/// that.
pub(super) const MAX_INSIDE: usize = 16;

/// How many of them may only wait for a list.
const MAX_LOOKING: usize = 8;

/// The least and the most that a caller waits for one who is inside to go out.
const SHORT_STAY: Duration = Duration::from_millis(20);
pub(super) const LONG_STAY: Duration = Duration::from_secs(1);

/// The longest time that a caller is told. The queue changes meanwhile, and who waits for very long is moved forward when it asks.
const MAX_TOLD: Duration = Duration::from_secs(300);

/// The rate limit of one service, shared by all its clones.
///
/// It gives out places by GCRA: every minute has at most as many calls as allowed, a quarter of them at once. Who may take the next
/// place is the queue's matter.
#[derive(Clone, Debug)]
pub struct RateLimit {
    state: Arc<Mutex<State>>,
    room: Room,
}

#[derive(Debug)]
struct State {
    /// The time between two calls in the long run.
    interval: Duration,
    /// How many calls may go out at once after a rest.
    burst: u32,
    /// When all places that were given out are used up.
    used_until: Instant,
    /// The service asked for no request before this time.
    not_before: Instant,
    /// Who waits.
    queue: Queue,
    /// Who is inside, by number: since when, and with how many places.
    inside: BTreeMap<u64, (Instant, u32)>,
    entries: u64,
    /// How long those who went out were inside, about.
    stay: Duration,
    /// How many tokens were promised room at the service, and for how many of these the promise has ended.
    promised: u64,
    kept: u64,
}

impl State {
    /// How long somebody stays inside, about: as long as others did, or as those who are still there.
    fn stay(&self, now: Instant) -> Duration {
        let longest = self.inside.values().next().map_or(Duration::ZERO, |(since, _)| now - *since);
        self.stay.max(longest).clamp(SHORT_STAY, LONG_STAY)
    }

    /// So many calls that go before somebody's own make it wait for the longest time that it is told.
    fn most_ahead(&self) -> u32 {
        let calls = MAX_TOLD.as_nanos() / self.interval.as_nanos().max(1) + 1;
        u32::try_from(calls).unwrap_or(u32::MAX).saturating_add(self.burst)
    }

    /// When `calls` may go out one after the other, once `ahead` calls of others have gone.
    fn start(&self, ahead: u32, calls: u32, now: Instant) -> Instant {
        let Self { interval, burst, .. } = *self;
        let used_until = self.used_until.max(now) + interval * ahead;
        let last = used_until + interval * calls.min(burst).saturating_sub(1);
        last.checked_sub(interval * (burst - 1)).unwrap_or(now).max(now).max(self.not_before)
    }
}

/// The time between two calls, and how many may go out at once.
fn pace(requests_per_minute: u32) -> (Duration, u32) {
    let allowed = requests_per_minute.max(1);
    let burst = (allowed / 4).max(1);
    (Duration::from_secs(60) / (allowed - burst + 1), burst)
}

impl RateLimit {
    /// A limit of `requests_per_minute` (at least 1), at rest, with a room of its own.
    pub fn new(requests_per_minute: u32) -> Self {
        Self::within(Room::default(), requests_per_minute)
    }

    /// The same in a room that the services share.
    pub fn within(room: Room, requests_per_minute: u32) -> Self {
        let now = Instant::now();
        let (interval, burst) = pace(requests_per_minute);
        let state = State {
            interval,
            burst,
            used_until: now,
            not_before: now,
            queue: Queue::default(),
            inside: BTreeMap::new(),
            entries: 0,
            stay: SHORT_STAY,
            promised: 0,
            kept: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), room }
    }

    /// Allows so many requests a minute from now on, also for the places that were given out. All else stays: who waits, who is inside, a
    /// pause that the service asked for, and the room that was promised.
    pub fn allow(&self, requests_per_minute: u32) {
        let mut state = self.state();
        let now = Instant::now();
        let (interval, burst) = pace(requests_per_minute);
        let used = state.used_until.saturating_duration_since(now);
        state.used_until = now + used.mul_f64(interval.as_secs_f64() / state.interval.as_secs_f64());
        (state.interval, state.burst) = (interval, burst);
    }

    /// Waits for the caller's turn to make so many `calls`, one after the other without more waiting. Who comes `from_outside` is inside
    /// from then on, until it goes out by the number that this returns.
    ///
    /// # Errors
    /// Fails at once, with the wait, if that is longer than `max_wait`. The caller keeps its place in the queue, and comes back then.
    pub(super) async fn take_turn(
        &self,
        caller: &Caller,
        calls: u32,
        max_wait: Duration,
        from_outside: bool,
    ) -> Result<Option<u64>, Duration> {
        let begin = Instant::now();
        loop {
            let now = Instant::now();
            let wait = match self.try_turn(caller, calls, now, from_outside) {
                Ok(entry) => return Ok(entry),
                Err(wait) => wait,
            };
            if (now - begin) + wait > max_wait {
                return Err(wait.min(MAX_TOLD));
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn try_turn(&self, caller: &Caller, calls: u32, now: Instant, from_outside: bool) -> Result<Option<u64>, Duration> {
        let mut state = self.state();
        let most_ahead = state.most_ahead();
        let ahead = state.queue.join(caller, calls, now, most_ahead);
        // Who sends nothing by itself waits for no place.
        let mut start = if calls == 0 { now } else { state.start(ahead, calls, now) };
        let most = MAX_INSIDE.min(self.room.share());
        let most_looking = MAX_LOOKING.min(most / 2);
        // Half as many more may be inside to answer a leak.
        let most = if caller.answers_leak() { most + most.div_ceil(2) } else { most };
        // Who only waits for a list leaves room for those who send something.
        let looking = state.inside.values().filter(|(_, calls)| *calls == 0).count();
        let full = state.inside.len() >= most || (calls == 0 && looking >= most_looking);
        if from_outside && full {
            // As many as may be inside come back at a time, when about as many have gone out.
            let stay = state.stay(now);
            let most_rounds = usize::try_from(MAX_TOLD.as_millis() / stay.as_millis().max(1)).unwrap_or(usize::MAX);
            let rounds = state.queue.callers_before(caller, now, most.saturating_mul(most_rounds)) / most + 1;
            start = start.max(now + stay * u32::try_from(rounds).unwrap_or(u32::MAX));
        }
        if start > now {
            state.queue.expect_back(caller, start);
            return Err(start - now);
        }
        state.queue.leave(caller);
        state.used_until = state.used_until.max(now) + state.interval * calls;
        Ok(from_outside.then(|| {
            state.entries += 1;
            let entry = state.entries;
            self.room.take();
            state.inside.insert(entry, (now, calls));
            entry
        }))
    }

    /// Sends nothing to the service for the next `pause`, because it asked for that.
    pub fn pause(&self, pause: Duration) {
        let mut state = self.state();
        state.not_before = state.not_before.max(Instant::now() + pause);
    }

    /// How long nothing may be sent yet, because the service asked for a pause.
    pub fn paused(&self) -> Option<Duration> {
        self.state().not_before.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// How many promises of room have ended.
    pub fn promises_kept(&self) -> u64 {
        self.state().kept
    }

    /// Promises room for one more token, if there is some beside the `listed` ones and what was promised and had not ended at `kept`.
    pub(super) fn promise(&self, listed: usize, kept: u64, most: u32) -> bool {
        let mut state = self.state();
        let listed = u64::try_from(listed).unwrap_or(u64::MAX);
        let room = listed.saturating_add(state.promised.saturating_sub(kept)) < u64::from(most);
        state.promised += u64::from(room);
        room
    }

    /// Somebody who was inside goes out.
    pub(super) fn go_out(&self, entry: u64) {
        let mut state = self.state();
        if let Some((since, _)) = state.inside.remove(&entry) {
            state.stay = (state.stay * 3 + since.elapsed()) / 4;
            self.room.give_back();
        }
    }

    /// Places end, so many of them unused.
    pub(super) fn end(&self, unused: u32, promised: bool) {
        let mut state = self.state();
        state.kept += u64::from(promised);
        let unused = state.interval * unused;
        state.used_until = state.used_until.checked_sub(unused).unwrap_or(state.used_until);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain times and numbers are consistent, whatever a panicking owner of the lock did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
