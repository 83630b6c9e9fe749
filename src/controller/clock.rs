//! The API server's clock, read from the `Date` header of its answers (P7).
//!
//! Other processes read the times in the ledger, so the clock that all share stamps them. This machine's monotonic clock carries it
//! from one answer to the next. An answer that does not fit moves it: the API server's clock was set, another API server with another
//! clock answers, or this machine was suspended, while its monotonic clock stood still. Nobody can tell which reading is the true one.
//! So a reading that was given up still counts for an hour beside the new one: a wait that protects a token begins at the latest of
//! them and ends by the earliest. After that hour the disagreement is over, in either direction. All else, such as an expiry,
//! follows the newest answer at once. A reading that got
//! ahead by less than a second is not given up but moved: clocks do not run alike to the millisecond.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Request, Response, header};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::api::time::Time;
use crate::rotation::now::{Now, RESOLUTION};

/// So long a reading counts after another one replaced it.
const COUNTS_FOR: Duration = Duration::from_secs(3600);
/// The most readings that count at a time. Where API servers disagree, each answer may replace the reading of the one before.
const MOST_READINGS: usize = 32;
/// Readings of so long a time are merged where there are too many.
const MERGED: Duration = Duration::from_secs(300);
/// A wait may begin by so much after the newest answer. So the step back of a clock that was days ahead makes it an hour longer, not days.
const MOST_AHEAD: Duration = COUNTS_FOR;

/// The resolution of a [`Time`].
const TICK: Duration = Duration::from_millis(1);

/// The shared clock. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<Mutex<Readings>>);

/// Each reading is the time that the API server's clock had when this process started, as an answer shows it.
#[derive(Debug)]
struct Readings {
    started: Instant,
    newest: Option<Time>,
    /// Readings that were replaced, and when; the newest last.
    replaced: VecDeque<(Time, Instant)>,
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Readings { started: Instant::now(), newest: None, replaced: VecDeque::new() })))
    }
}

impl Clock {
    /// Now. Before the first answer of the API server, this machine's wall clock.
    pub(crate) fn now(&self) -> Now {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.now(Instant::now()).unwrap_or_else(|| Time::from(Utc::now()).into())
    }

    /// Records the `Date` header of an answer whose request was sent at `sent`.
    fn read(&self, date: &str, sent: Instant) {
        let Ok(date) = DateTime::parse_from_rfc2822(date) else { return };
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.read(Time::from(date.to_utc()), sent, Instant::now());
    }
}

impl Readings {
    fn now(&self, at: Instant) -> Option<Now> {
        let newest = self.newest?;
        let passed = at.saturating_duration_since(self.started);
        let left = |replaced: Instant| COUNTS_FOR.saturating_sub(at.saturating_duration_since(replaced));
        let counts = self.replaced.iter().filter(|(_, replaced)| !left(*replaced).is_zero());
        let (earliest, latest) = counts
            .clone()
            .fold((newest, newest), |(earliest, latest), (reading, _)| (earliest.min(*reading), latest.max(*reading)));
        let server = newest.plus(passed);
        let latest = latest.plus(passed).min(server.plus(MOST_AHEAD));
        // A time has whole milliseconds: who looks at this one must not be too early by a part of one.
        let changes = counts.map(|(_, replaced)| left(*replaced) + TICK).min().unwrap_or_default();
        Some(Now::new(server, earliest.plus(passed), latest, server.plus(changes)))
    }

    /// A `Date` has whole seconds, and an answer may be on its way for a while. So the API server's clock showed at some time between
    /// `sent` and `arrived` something between that second and the next one; a reading that fits stays.
    fn read(&mut self, date: Time, sent: Instant, arrived: Instant) {
        let started = |at: Instant, date: Time| date.minus(at.saturating_duration_since(self.started));
        let (earliest, too_late) = (started(arrived, date), started(sent, date.plus(RESOLUTION)));
        let Some(newest) = self.newest else {
            self.newest = Some(earliest);
            return;
        };
        if (earliest..too_late).contains(&newest) {
            return;
        }
        if newest >= too_late && newest.since(too_late) < RESOLUTION {
            // No two clocks run alike to the millisecond. A reading that got ahead by so little gives way by just that.
            self.newest = Some(too_late.minus(TICK));
            return;
        }
        self.newest = Some(earliest);
        self.replaced.retain(|(_, replaced)| arrived.saturating_duration_since(*replaced) < COUNTS_FOR);
        self.replaced.push_back((newest, arrived));
        self.merge();
    }

    /// Where there are too many, only the earliest and the latest of each five minutes are kept. None of them counts for more than these
    /// five minutes longer: were they renewed with each merge, a disagreement would never end.
    fn merge(&mut self) {
        if self.replaced.len() <= MOST_READINGS {
            return;
        }
        let slot = |at: Instant| at.saturating_duration_since(self.started).as_secs() / MERGED.as_secs();
        let mut slots: BTreeMap<u64, (Time, Time, Instant)> = BTreeMap::new();
        for (reading, at) in &self.replaced {
            let (earliest, latest, last) = slots.entry(slot(*at)).or_insert((*reading, *reading, *at));
            (*earliest, *latest, *last) = ((*earliest).min(*reading), (*latest).max(*reading), (*last).max(*at));
        }
        self.replaced = slots.into_values().flat_map(|(earliest, latest, at)| [(earliest, at), (latest, at)]).collect();
    }
}

/// Reads the `Date` of every answer.
#[derive(Clone, Debug)]
pub(crate) struct ClockLayer(pub Clock);

/// The service that [`ClockLayer`] makes.
#[derive(Clone, Debug)]
pub(crate) struct ClockService<S> {
    inner: S,
    clock: Clock,
}

impl<S> Layer<S> for ClockLayer {
    type Service = ClockService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClockService { inner, clock: self.0.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for ClockService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let clock = self.clock.clone();
        let sent = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(date) = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok()) {
                clock.read(date, sent);
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    /// A process that starts at second 100,000 of the API server's clock, which it has read.
    struct Lab {
        readings: Readings,
        begun: Instant,
        /// What this machine's monotonic clock says, in seconds.
        passed: u64,
        /// What the API server's clock says.
        server: u64,
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(0).plus(Duration::from_secs(seconds))
    }

    impl Lab {
        fn new() -> Self {
            let begun = Instant::now();
            let readings = Readings { started: begun, newest: None, replaced: VecDeque::new() };
            let mut lab = Self { readings, begun, passed: 0, server: 100_000 };
            lab.answer();
            lab
        }

        /// Time passes for both.
        fn pass(&mut self, seconds: u64) {
            (self.passed, self.server) = (self.passed + seconds, self.server + seconds);
        }

        fn answer(&mut self) {
            let now = self.begun + Duration::from_secs(self.passed);
            self.readings.read(at(self.server), now, now);
        }

        fn now(&self) -> Now {
            self.readings.now(self.begun + Duration::from_secs(self.passed)).unwrap_or_else(|| at(0).into())
        }
    }

    #[test]
    fn a_clock_that_is_set_forward_or_a_machine_that_was_suspended_delays_waits_for_an_hour_and_nothing_else() {
        for jump in [HOUR, 8 * HOUR] {
            let mut lab = Lab::new();
            let wait = lab.now().end_of(Duration::from_secs(600));
            lab.pass(60);
            lab.server += jump;
            lab.answer();
            assert!(lab.now().reached(at(100_060 + jump)), "what is due is due at once");
            assert!(!lab.now().is_over(wait), "the jump ends no wait");
            lab.pass(541);
            assert!(lab.now().is_over(wait), "and makes none longer that it meets");
            let later = lab.now().end_of(Duration::from_secs(600));
            let agreed = at(lab.server + HOUR - 541).plus(Duration::from_millis(1));
            assert_eq!(lab.now().look_for(later), agreed, "a look for when they agree again");
            lab.pass(HOUR - 541);
            assert!(lab.now().is_over(later), "the disagreement ended by itself");
            assert_eq!((lab.now().waited(), lab.now().stamp()), (at(lab.server), at(lab.server)));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_waits_longer_that_begin_within_an_hour_and_by_an_hour_at_most() {
        for jump in [HOUR, 8 * HOUR] {
            let mut lab = Lab::new();
            lab.pass(60);
            lab.server -= jump;
            lab.answer();
            assert_eq!(lab.now().time(), at(lab.server), "what is due waits for the true time alone");
            assert_eq!(lab.now().stamp(), at(lab.server + HOUR));
            lab.pass(HOUR);
            assert_eq!((lab.now().waited(), lab.now().stamp()), (at(lab.server), at(lab.server)));
        }
    }

    #[test]
    fn api_servers_whose_clocks_disagree_shorten_no_wait_however_often_they_take_turns() {
        let mut lab = Lab::new();
        for _ in 0..500 {
            lab.server += 30;
            lab.answer();
            lab.pass(5);
            let wait = lab.now().end_of(Duration::from_secs(600));
            lab.server -= 30;
            lab.answer();
            lab.pass(5);
            assert!(!lab.now().is_over(wait.minus(Duration::from_secs(15))));
            assert!(lab.now().stamp().since(lab.now().waited()) == Duration::from_secs(30), "{:?}", lab.now());
        }
        assert!(lab.readings.replaced.len() <= MOST_READINGS);
    }

    #[test]
    fn a_disagreement_ends_although_smaller_ones_go_on() {
        let mut lab = Lab::new();
        lab.server += 8 * HOUR;
        lab.answer();
        for _ in 0..800 {
            lab.server += 30;
            lab.answer();
            lab.pass(5);
            lab.server -= 30;
            lab.answer();
            lab.pass(5);
        }
        assert!(lab.now().stamp().since(lab.now().waited()) <= Duration::from_secs(30), "{:?}", lab.now());
    }

    #[test]
    fn whole_seconds_take_nothing_from_an_overlap() {
        for (fraction, later) in [(0, 0), (0, 999), (500, 0), (999, 0), (1, 998)] {
            let milliseconds = Duration::from_millis;
            let truth = |at: u64| Time::from_millis(0).plus(milliseconds(at));
            let whole = |at: u64| at / 1000 * 1000;
            let begun = Instant::now();
            // The overlap begins when the true time is `fraction` past a second; a process that starts later judges it.
            let mut first = Readings { started: begun, newest: None, replaced: VecDeque::new() };
            first.read(truth(whole(100_000_000 + fraction)), begun, begun);
            let wait = first.now(begun).map(|now| now.end_of(milliseconds(2000))).unwrap_or_default();
            let mut second = Readings { started: begun, newest: None, replaced: VecDeque::new() };
            let end = 100_000_000 + fraction + 1999;
            second.read(truth(whole(end - later)), begun, begun);
            let over = second.now(begun + milliseconds(later)).is_some_and(|now| now.is_over(wait));
            assert!(!over, "a millisecond too early: {fraction} {later}");
        }
    }

    /// An answer at a true time, in milliseconds, that says its whole seconds and arrives later.
    fn answered(readings: &mut Readings, begun: Instant, truth: u64, sent: u64, arrived: u64) {
        let date = Time::from_millis(0).plus(Duration::from_secs(truth / 1000));
        let [sent, arrived] = [sent, arrived].map(|at| begun + Duration::from_millis(at));
        readings.read(date, sent, arrived);
    }

    #[test]
    fn an_answer_that_was_on_its_way_for_a_while_is_no_step_of_the_clock() {
        let begun = Instant::now();
        let mut readings = Readings { started: begun, newest: None, replaced: VecDeque::new() };
        answered(&mut readings, begun, 100_000, 0, 0);
        let right = readings.newest;
        // Stamped just before the second was over, and seen long after.
        for (sent, stamped, arrived) in [(900, 990, 1_040), (1_900, 1_999, 9_000), (10_000, 15_500, 20_000)] {
            answered(&mut readings, begun, 100_000 + stamped, sent, arrived);
            assert_eq!((readings.newest, readings.replaced.len()), (right, 0), "{stamped}");
        }
        answered(&mut readings, begun, 100_000 + 30_000 - 5_000, 30_000, 30_010);
        assert_eq!(readings.replaced.len(), 1, "a step back");
    }

    #[test]
    fn a_clock_that_runs_a_little_slower_moves_the_reading_by_just_that() {
        let begun = Instant::now();
        let mut readings = Readings { started: begun, newest: None, replaced: VecDeque::new() };
        for second in 0..3600 {
            // It loses a millisecond in ten seconds. Its answers come at all parts of a second.
            let passed = second * 1000 + second * 37 % 1000;
            let truth = 100_000_000 + passed - passed / 10_000;
            answered(&mut readings, begun, truth, passed, passed + 5);
            let read = readings.now(begun + Duration::from_millis(passed)).map(|now| now.time().as_millis());
            let ahead = read.map(|read| read - i64::try_from(truth).unwrap_or_default());
            assert!(ahead.is_some_and(|ahead| ahead <= 100), "{second}: {ahead:?}");
        }
        let now = readings.now(begun + Duration::from_secs(3600)).unwrap_or_else(|| at(0).into());
        assert!(now.stamp().since(now.waited()) < RESOLUTION, "{now:?}");
    }
}
