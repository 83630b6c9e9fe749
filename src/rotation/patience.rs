//! How long a service must say the same of a token that is to die before that counts as its death, where no living token shows what
//! its word is worth (P9). Pure.

use std::time::Duration;

use crate::api::time::Time;

use super::desired::Timings;
use super::now::Now;
use super::observed::Others;

/// Why a death is not believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// Why.
    pub what: &'static str,
    /// It is looked at again after this time, and nothing has failed; `None` if only the service or a person can change something.
    pub again: Option<Duration>,
}

/// How much later than an answer its record may be. A second look that comes so much too early proves nothing, and tells a failure.
const RECORD_LAG: Duration = Duration::from_secs(1);

impl NotYet {
    /// It is looked at again when this wait is over.
    fn until(end: Time, now: Now, what: &'static str) -> Self {
        let look = now.look_for(end.plus(RECORD_LAG));
        Self { what, again: Some(look.since(now.time())) }
    }
}

/// After this time without a proof, a token that no list shows counts as ended, unseen. The history says so.
const UNSEEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A service that refuses others, too.
const REFUSES_MOST: &str = "the service refuses most of its tokens, so its refusal proves nothing. If they are dead indeed, the annotation \
     artifact-token.dev/skip-revocation: \"true\" lets an object go that is being deleted";

/// The service refuses the value, and no other token of the object lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refused {
    /// Since when, as far as this process knows; `None` the first time.
    pub since: Option<Time>,
    /// A complete list does not have it either.
    pub unlisted: bool,
    /// Since when none has had it.
    pub unlisted_since: Option<Time>,
    /// What the service said of the tokens of other objects.
    pub others: Others,
    /// It refuses most of the tokens that it was asked about.
    pub refuses_most: bool,
}

impl Refused {
    /// Whether that has lasted long enough to be a death.
    pub fn is_dead(&self, timings: &Timings, now: Now) -> Result<(), NotYet> {
        let window = timings.refusal_window();
        let end = |wait: Duration| self.since.unwrap_or(now.time()).plus(wait);
        let lasts = |wait: Duration| self.since.is_some() && now.is_over(end(wait));
        // Two witnesses that agree for so long are believed, whatever is refused besides: all tokens may be dead.
        let unlisted = self.unlisted_since.is_some_and(|since| now.is_over(since.plus(window)));
        if self.unlisted && unlisted && lasts(window) {
            return Ok(());
        }
        if self.refuses_most || self.since.is_some_and(|since| self.refuses_others(since)) {
            return Err(NotYet { what: REFUSES_MOST, again: None });
        }
        // A refusal alone is the word of a service that may refuse everybody for a while.
        let wait = if self.unlisted { timings.refusal_settle } else { window };
        let what = "the service refuses it, and no living token shows that it does not refuse everybody";
        if lasts(wait) { Ok(()) } else { Err(NotYet::until(end(wait), now, what)) }
    }

    /// What it says to others since then shows whether it refuses everybody.
    fn refuses_others(&self, since: Time) -> bool {
        let Others { answered, accepted, .. } = self.others;
        answered.is_some_and(|answered| answered >= since) && accepted.is_none_or(|accepted| accepted < since)
    }
}

/// Whether a token can count as dead that the service neither accepted nor listed, since it was claimed at `claimed`: a service may not know
/// a young one yet.
pub fn is_old_enough(claimed: Option<Time>, timings: &Timings, now: Now) -> Result<(), NotYet> {
    // A time ahead is that of another clock.
    let claimed = claimed.filter(|claimed| *claimed <= now.stamp());
    let known = claimed.map(|claimed| claimed.plus(timings.publish_deadline));
    let what = "the service does not show it, and may not know a token of this age yet";
    known.filter(|known| !now.is_over(*known)).map_or(Ok(()), |known| Err(NotYet::until(known, now, what)))
}

/// Whether a token can count as dead that a list does not have, since `since` (`None`: the first time). The list has no living token of the
/// object either, and *verify* says nothing.
pub fn is_absent(since: Option<Time>, timings: &Timings, now: Now) -> Result<(), NotYet> {
    let end = since.unwrap_or(now.time()).plus(timings.refusal_window());
    let lasts = since.is_some() && now.is_over(end);
    let what = "the service's list does not have it, nor any living token, and verify says nothing";
    if lasts { Ok(()) } else { Err(NotYet::until(end, now, what)) }
}

/// Whether the service's word that it ended a token, which it gave at `said`, counts although its value could never be tried since.
pub fn is_word_enough(said: Time, timings: &Timings, now: Now) -> bool {
    now.is_over(said.plus(timings.refusal_window()))
}

/// Whether what the service said of a revoke can be a death at all, where nothing else shows one. That it `ended` the token is so whoever heard
/// it. That there is none of this id can be said of the tokens of one account alone: it counts where the token's `own` credential heard it, and
/// else when the token is forgotten.
pub fn is_word_of_it(ended: bool, own: bool, due: Option<Time>, now: Now) -> bool {
    ended || own || is_forgotten(due, now)
}

/// Whether a token counts as ended, unseen, that was to be dead at `due`, and of which no list that could prove it has shown a sign.
pub fn is_forgotten(due: Option<Time>, now: Now) -> bool {
    due.is_some_and(|due| now.is_over(due.plus(UNSEEN_AFTER)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(60);
    const WINDOW: Duration = Duration::from_secs(600);

    fn timings() -> Timings {
        let seconds = Duration::from_secs;
        Timings::derive(seconds(30), seconds(60), seconds(30), seconds(60))
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(0).plus(Duration::from_secs(10_000 + seconds))
    }

    fn refused(since: Option<u64>, unlisted: bool, seconds: u64) -> Result<(), NotYet> {
        let since = since.map(at);
        let refused = Refused { since, unlisted, unlisted_since: since, ..Refused::default() };
        refused.is_dead(&timings(), Now::from(at(seconds)))
    }

    #[test]
    fn a_refusal_lasts_a_minute_with_a_list_and_ten_without() {
        let again = |result: Result<(), NotYet>| result.unwrap_err().again;
        assert_eq!(again(refused(None, true, 0)), Some(SETTLE + RECORD_LAG));
        assert_eq!(again(refused(None, false, 0)), Some(WINDOW + RECORD_LAG));
        assert_eq!(again(refused(Some(0), true, 59)), Some(Duration::from_secs(2)), "what is left");
        assert_eq!(refused(Some(0), true, 60), Ok(()));
        assert_eq!(again(refused(Some(0), false, 500)), Some(Duration::from_secs(101)));
        assert_eq!(refused(Some(0), false, 600), Ok(()));
    }

    #[test]
    fn a_wait_follows_the_earliest_clock() {
        let refused = Refused { since: Some(at(0)), unlisted: true, ..Refused::default() };
        let jumped = Now::new(at(3600), at(10), at(3600), at(9000));
        let again = refused.is_dead(&timings(), jumped).unwrap_err().again;
        assert_eq!(again, Some(Duration::from_secs(51)), "ten seconds have passed at least");
    }

    #[test]
    fn a_service_that_refuses_others_kills_nothing_unless_a_list_agrees_for_ten_minutes() {
        let now = Now::from(at(600));
        let dead = |since: u64, unlisted: bool, refuses_most: bool, others: Others| {
            let since = Some(at(since));
            let refused = Refused { since, unlisted, unlisted_since: since, others, refuses_most };
            refused.is_dead(&timings(), now)
        };
        let said = |answered: u64, accepted: Option<u64>| Others {
            answered: Some(at(answered)),
            accepted: accepted.map(at),
            ..Others::default()
        };
        let refuses = Err(NotYet { what: REFUSES_MOST, again: None });
        assert_eq!(dead(0, false, true, Others::default()), refuses);
        assert_eq!(dead(10, true, true, Others::default()), refuses);
        assert_eq!(dead(0, true, true, Others::default()), Ok(()), "the list agrees for ten minutes");
        let lately = Refused { since: Some(at(0)), unlisted: true, refuses_most: true, ..Refused::default() };
        assert_eq!(lately.is_dead(&timings(), now), refuses, "only since now");
        assert_eq!(dead(0, false, false, said(5, None)), refuses, "another one was refused since");
        assert_eq!(dead(10, true, false, said(15, Some(5))), refuses, "it was accepted only before");
        assert_eq!(dead(0, false, false, said(5, Some(5))), Ok(()));
        assert_eq!(dead(5, true, false, said(3, None)), Ok(()), "what it said before counts no more");
    }

    #[test]
    fn a_token_is_believed_dead_only_once_the_service_must_know_it() {
        let young = |claimed: Option<u64>, now: Now| is_old_enough(claimed.map(at), &timings(), now);
        let deadline = timings().publish_deadline.as_secs();
        assert_eq!(young(None, Now::from(at(0))), Ok(()), "nothing is known of its age");
        let wait = young(Some(0), Now::from(at(20))).unwrap_err().again;
        assert_eq!(wait, Some(Duration::from_secs(deadline - 20) + RECORD_LAG));
        assert_eq!(young(Some(0), Now::from(at(deadline))), Ok(()));
        assert_eq!(young(Some(50), Now::from(at(20))), Ok(()), "a time ahead is that of another clock");
        let jumped = Now::new(at(3600), at(10), at(3600), at(9000));
        assert!(young(Some(0), jumped).is_err(), "it may be ten seconds old");
    }

    #[test]
    fn a_word_alone_counts_after_ten_minutes_and_nothing_at_all_after_a_day() {
        let word = |seconds| is_word_enough(at(0), &timings(), Now::from(at(seconds)));
        assert!(!word(599) && word(600));
        let forgotten = |due: Option<u64>, seconds| is_forgotten(due.map(at), Now::from(at(seconds)));
        assert!(!forgotten(Some(0), 24 * 3600 - 1) && forgotten(Some(0), 24 * 3600));
        assert!(!forgotten(None, 48 * 3600), "one that is not due yet");
        let jumped = Now::new(at(48 * 3600), at(10), at(48 * 3600), at(49 * 3600));
        assert!(!is_word_enough(at(0), &timings(), jumped) && !is_forgotten(Some(at(0)), jumped));
    }

    #[test]
    fn that_there_is_no_such_token_counts_from_its_own_account_or_after_a_day() {
        let counts = |ended, own, seconds| is_word_of_it(ended, own, Some(at(0)), Now::from(at(seconds)));
        assert!(counts(true, false, 0) && counts(false, true, 0));
        assert!(!counts(false, false, 24 * 3600 - 1) && counts(false, false, 24 * 3600));
        assert!(!is_word_of_it(false, false, None, Now::from(at(48 * 3600))), "one that is not due yet");
    }

    #[test]
    fn absence_alone_counts_after_ten_minutes() {
        let absent = |since: Option<u64>, seconds| is_absent(since.map(at), &timings(), Now::from(at(seconds)));
        assert_eq!(absent(None, 0).unwrap_err().again, Some(WINDOW + RECORD_LAG));
        assert!(absent(Some(0), 599).is_err());
        assert_eq!(absent(Some(0), 600), Ok(()));
    }
}
