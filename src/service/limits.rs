//! How often the operator may call one service.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use tokio::time::Instant;

use crate::api::time::Time;

/// The shortest pause that an answer can ask for.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that an answer can ask for. If a service asks for more, the operator tries again every hour.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// The pause where an answer asks for one without a readable length.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// The rate limit of one service, shared by all its clones.
///
/// It gives out places ahead of time, in the order of the requests for them (GCRA): a caller learns at once how long to
/// wait, and never competes for its place again. Every minute has at most as many calls as allowed, a quarter of them at
/// once.
#[derive(Clone, Debug)]
pub struct RateLimit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The time between two calls in the long run.
    interval: Duration,
    /// How many calls may go out at once after a rest.
    burst: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When all places that were given out are used up.
    used_until: Instant,
    /// The service asked for no request before this time.
    not_before: Instant,
}

impl RateLimit {
    /// A limit of `requests_per_minute` (at least 1), at rest.
    pub fn new(requests_per_minute: u32) -> Self {
        let allowed = requests_per_minute.max(1);
        let burst = (allowed / 4).max(1);
        let interval = Duration::from_secs(60) / (allowed - burst + 1);
        let now = Instant::now();
        let state = Mutex::new(State { used_until: now, not_before: now });
        Self { shared: Arc::new(Shared { interval, burst, state }) }
    }

    /// Waits until `calls` requests may be sent, one after the other without more waiting.
    ///
    /// # Errors
    /// Fails at once, with the wait, if that is longer than `max_wait`; it takes no place then.
    pub async fn acquire(&self, calls: u32, max_wait: Duration) -> Result<(), Duration> {
        let now = Instant::now();
        let start = self.reserve(calls, now, max_wait)?;
        if start > now {
            tokio::time::sleep(start - now).await;
        }
        Ok(())
    }

    fn reserve(&self, calls: u32, now: Instant, max_wait: Duration) -> Result<Instant, Duration> {
        let Shared { interval, burst, .. } = *self.shared;
        let mut state = self.state();
        let used_until = state.used_until.max(now);
        let last = used_until + interval * calls.min(burst).saturating_sub(1);
        let start = last.checked_sub(interval * (burst - 1)).unwrap_or(now).max(now).max(state.not_before);
        if start - now > max_wait {
            return Err(start - now);
        }
        state.used_until = used_until.max(start) + interval * calls;
        Ok(start)
    }

    /// Sends nothing to the service for the next `pause`, because it asked for that.
    pub fn pause(&self, pause: Duration) {
        self.pause_from(Instant::now(), pause);
    }

    /// How long nothing may be sent yet, because the service asked for a pause.
    pub fn paused(&self) -> Option<Duration> {
        self.state().not_before.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn pause_from(&self, now: Instant, pause: Duration) {
        let mut state = self.state();
        state.not_before = state.not_before.max(now + pause);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two plain times are consistent, whatever a panicking owner of the lock did.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause that a `Retry-After` header asks for, in seconds or as a date (RFC 9110, section 10.2.3), from 1 s to 1 h.
///
/// `answered` is the time of the answer by the service's clock: its `Date`, so that a skewed clock does not matter.
pub fn retry_after(header: Option<&str>, answered: Time) -> Duration {
    let Some(text) = header.map(str::trim) else { return DEFAULT_PAUSE };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(MAX_PAUSE, Duration::from_secs).clamp(MIN_PAUSE, MAX_PAUSE);
    }
    match http_date(text) {
        Some(time) => time.since(answered).clamp(MIN_PAUSE, MAX_PAUSE),
        None => DEFAULT_PAUSE,
    }
}

/// An HTTP date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_clamped() {
        let answered = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |header: Option<&str>, seconds: u64| {
            assert_eq!(retry_after(header, answered), Duration::from_secs(seconds), "{header:?}");
        };
        check(None, 5);
        check(Some("7"), 7);
        check(Some(" 7 "), 7);
        check(Some("0"), 1);
        check(Some("86400"), 3600);
        check(Some("99999999999999999999999999"), 3600);
        check(Some("-3"), 5);
        check(Some("1.5"), 5);
        check(Some("soon"), 5);
        check(Some(""), 5);
        check(Some("Sun, 06 Nov 1994 08:50:07 GMT"), 30);
        check(Some("Sun, 06 Nov 1994 08:00:00 GMT"), 1);
        check(Some("Sat, 06 Nov 2094 08:49:37 GMT"), 3600);
        check(Some("Xyz, 99 Nov 1994 08:49:37 GMT"), 5);
    }

    const DAY: Duration = Duration::from_secs(86_400);

    /// When each of the `calls` is sent, in milliseconds, if all take their places at the beginning.
    fn sent(limit: &RateLimit, calls: u32) -> Vec<u128> {
        let now = Instant::now();
        (0..calls).map(|_| (limit.reserve(1, now, DAY).unwrap() - now).as_millis()).collect()
    }

    #[test]
    fn no_minute_has_more_calls_than_allowed() {
        for allowed in [1, 2, 5, 60, 6000] {
            let sent = sent(&RateLimit::new(allowed), allowed * 3);
            for (index, first) in sent.iter().enumerate() {
                let within = sent[index..].iter().take_while(|other| *other - first < 59_999).count();
                assert!(within <= allowed as usize, "{allowed}: {within} from {first}");
            }
            assert!(sent[allowed as usize * 3 - 1] <= 240_000, "{allowed}: the limit is used");
        }
    }

    #[test]
    fn a_wait_beyond_the_bound_fails_at_once_and_takes_no_place() {
        let (limit, now) = (RateLimit::new(1), Instant::now());
        let seconds = Duration::from_secs;
        assert_eq!(limit.reserve(2, now, seconds(1)), Ok(limit.state().not_before.max(now)));
        assert_eq!(limit.reserve(1, now, seconds(10)), Err(seconds(120)));
        assert_eq!(limit.reserve(1, now, seconds(10)), Err(seconds(120)));
        assert_eq!(limit.reserve(1, now, seconds(120)), Ok(now + seconds(120)));
        assert_eq!(limit.reserve(1, now, seconds(120)), Err(seconds(180)));
    }

    #[test]
    fn a_pause_holds_for_all_clones_and_the_longest_counts() {
        let (limit, now) = (RateLimit::new(6000), Instant::now());
        limit.pause_from(now, Duration::from_secs(30));
        limit.pause_from(now, Duration::from_secs(3));
        assert!(limit.clone().paused().is_some_and(|left| left > Duration::from_secs(3)));
        assert_eq!(RateLimit::new(6000).paused(), None);
        assert_eq!(limit.clone().reserve(1, now, Duration::from_secs(1)), Err(Duration::from_secs(30)));
        assert_eq!(limit.reserve(1, now, Duration::from_secs(60)), Ok(now + Duration::from_secs(30)));
    }
}
