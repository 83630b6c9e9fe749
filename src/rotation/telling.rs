//! How often the status of one object is written only to tell something: no fact of the ledger changes with it.
//!
//! What is told comes from the memory of one process. Two processes may know different things: one of them cannot reach the service,
//! or has another version. Each would write what it knows as soon as it sees what the other one wrote, and so on at the speed of the
//! watches. So what only tells is written a few times at once, for the people who look, and then after growing pauses. Facts are
//! never held back: two processes cannot disagree about these for long, since the ledger is theirs in common. So where people make
//! the tokens, one who asks for a token begins the count anew, and so does each token that works from now on, or is dead.

use std::collections::VecDeque;
use std::time::Duration;

use crate::api::time::Time;

use super::ledger::backoff;

/// The most of them in [`WINDOW`].
const MOST: usize = 12;
/// The time in which they are counted.
const WINDOW: Duration = Duration::from_secs(3600);
/// So many go out at once.
const AT_ONCE: usize = 4;
/// The first pause after these; each one more in the window doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// When this process wrote the status of one object only to tell something, since a person last asked for a token, or one that a person made
/// began or ended to work.
#[derive(Debug, Default)]
pub struct Telling {
    times: VecDeque<Time>,
    request: Option<String>,
}

impl Telling {
    /// How long the next one waits; zero if it may be written now.
    pub fn pause(&self, now: Time) -> Duration {
        // What seems to lie ahead was written before the clock was set back.
        let recent = self.times.iter().filter(|at| **at <= now).map(|at| now.since(*at));
        let recent: Vec<Duration> = recent.filter(|age| *age < WINDOW).collect();
        let (Some(first), Some(last)) = (recent.first(), recent.last()) else { return Duration::ZERO };
        match recent.len() {
            count if count < AT_ONCE => Duration::ZERO,
            count if count < MOST => {
                let doublings = u32::try_from(count - AT_ONCE).unwrap_or(u32::MAX);
                backoff(FIRST_PAUSE, doublings.saturating_add(1)).saturating_sub(*last)
            }
            _ => WINDOW.saturating_sub(*first),
        }
    }

    /// Begins anew: a token that a person made was verified, or is dead. People may have to act on what follows from that, and two processes
    /// cannot disagree about it.
    pub fn anew(&mut self) {
        self.times.clear();
    }

    /// Begins anew if a person asks for another token: this is the value of a request that is not handled yet.
    pub fn asked(&mut self, request: &str) {
        if self.request.as_deref() != Some(request) {
            self.request = Some(request.to_owned());
            self.anew();
        }
    }

    /// Counts one that was written now.
    pub fn told(&mut self, now: Time) {
        self.times.push_back(now);
        if self.times.len() > MOST {
            self.times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of them is written within `hours`, in seconds, if there is always something to tell.
    fn written(hours: u64) -> Vec<u64> {
        let (mut telling, begun, mut times) = (Telling::default(), Time::from_millis(0), Vec::new());
        let mut now = begun;
        while now.since(begun).as_secs() < hours * WINDOW.as_secs() {
            let pause = telling.pause(now);
            if pause.is_zero() {
                telling.told(now);
                times.push(now.since(begun).as_secs());
            }
            now = now.plus(pause);
        }
        times
    }

    #[test]
    fn the_first_are_written_at_once_and_the_pauses_grow() {
        assert_eq!(written(1), [0, 0, 0, 0, 15, 45, 105, 225, 465, 945, 1905]);
    }

    #[test]
    fn there_are_at_most_twelve_in_any_hour_and_always_a_next_one() {
        let times = written(24);
        for (index, from) in times.iter().enumerate() {
            let within = times[index..].iter().take_while(|time| **time < from + WINDOW.as_secs()).count();
            assert!(within <= MOST, "{within} from second {from} on");
        }
        assert!(times.len() > 100, "{}", times.len());
    }

    #[test]
    fn what_follows_a_token_that_began_or_ended_to_work_or_a_request_is_told_at_once() {
        let (mut telling, now) = (Telling::default(), Time::from_millis(86_400_000));
        (0..MOST).for_each(|_| telling.told(now));
        telling.anew();
        assert_eq!(telling.pause(now), Duration::ZERO);
        (0..MOST).for_each(|_| telling.told(now));
        telling.asked("again");
        assert_eq!(telling.pause(now), Duration::ZERO);
        (0..MOST).for_each(|_| telling.told(now));
        telling.asked("again");
        assert_eq!(telling.pause(now), WINDOW, "the same request");
    }

    #[test]
    fn after_a_quiet_hour_the_first_go_out_at_once_again() {
        let (mut telling, now) = (Telling::default(), Time::from_millis(86_400_000));
        (0..MOST).for_each(|_| telling.told(now));
        assert_eq!(telling.pause(now), WINDOW);
        assert_eq!(telling.pause(now.plus(WINDOW)), Duration::ZERO);
        assert_eq!(telling.pause(now.minus(WINDOW)), Duration::ZERO, "a clock that was set back holds nothing up");
    }
}
