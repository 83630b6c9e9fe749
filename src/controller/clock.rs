//! The API server's clock, read from the `Date` header of its answers (P7).
//!
//! Other processes read the times in the ledger, so the clock that all share stamps them. Where it and this machine's
//! monotonic clock disagree, a wait ends by the later of the two: a jump of either clock never shortens an overlap.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::{Request, Response, header};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::api::time::Time;

/// The shared clock. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<Mutex<Readings>>);

#[derive(Debug)]
struct Readings {
    started: Instant,
    /// The server's time at `started`, computed from its first answer.
    first: Option<Time>,
    /// The newest answer, and the instant it arrived.
    newest: Option<(Time, Instant)>,
}

/// Now, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// The earlier reading: waits are compared with it.
    pub earliest: Time,
    /// The later reading: records are stamped with it.
    pub latest: Time,
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Readings { started: Instant::now(), first: None, newest: None })))
    }
}

impl Clock {
    /// Now. Before the first answer of the API server, this machine's wall clock.
    pub(crate) fn now(&self) -> Now {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let local = Time::from(Utc::now());
        let monotonic = readings.first.map_or(local, |first| first.plus(readings.started.elapsed()));
        let server = readings.newest.map_or(local, |(time, at)| time.plus(at.elapsed()));
        Now { earliest: monotonic.min(server), latest: monotonic.max(server) }
    }

    /// Records a `Date` header. It has whole seconds, so a reading may be up to a second behind; the newest estimate only
    /// moves when the header differs from it by more than that.
    fn read(&self, date: &str) {
        let Ok(date) = DateTime::parse_from_rfc2822(date) else { return };
        let date = Time::from(date.to_utc());
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let estimate = readings.newest.map(|(time, at)| time.plus(at.elapsed()));
        let agrees = estimate.is_some_and(|estimate| {
            let gap = estimate.as_millis() - date.as_millis();
            (0..1000).contains(&gap)
        });
        if agrees {
            return;
        }
        readings.newest = Some((date, Instant::now()));
        if readings.first.is_none() {
            readings.first = Some(date.minus(readings.started.elapsed()));
        }
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
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(date) = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok()) {
                clock.read(date);
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn date(offset_seconds: i64) -> String {
        (Utc::now() + chrono::Duration::seconds(offset_seconds)).to_rfc2822()
    }

    #[test]
    fn a_server_whose_clock_is_an_hour_ahead_stamps_the_records() {
        let clock = Clock::default();
        clock.read(&date(3600));
        let now = clock.now();
        let local = Time::from(Utc::now());
        assert!(now.latest.since(local) > Duration::from_secs(3590), "{now:?}");
        assert!(now.latest.since(now.earliest) < Duration::from_secs(2), "{now:?}");
    }

    #[test]
    fn a_jump_of_the_server_lengthens_waits_and_never_shortens_them() {
        for jump in [-3600, 3600] {
            let clock = Clock::default();
            clock.read(&date(0));
            let before = clock.now();
            clock.read(&date(jump));
            let after = clock.now();
            assert!(after.earliest <= before.earliest.plus(Duration::from_secs(2)), "{jump}: {after:?}");
            assert!(after.latest.plus(Duration::from_secs(2)) >= before.latest, "{jump}: {after:?}");
        }
    }
}
