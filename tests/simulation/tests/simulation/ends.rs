//! What *generate* says of the end of a token is odd, and pauses that are asked for in another way.

use simulation::act::Act;
use simulation::fate::Class;
use simulation::plan::Plan;
use simulation::services::{Asks, ENDS, OddEnd, Pause};

use super::lives::{made, well};

const HOUR: u32 = 3600;

#[test]
fn whatever_end_the_service_says_tokens_do_not_follow_each_other_without_end() {
    for life_hours in [0, 4] {
        for odd in ENDS {
            let plan = Plan { life_hours, ..Plan::quiet(1, 2, 6 * HOUR) };
            let report = well(&plan.with(0, Act::OddEnd(odd, 6 * HOUR)).with(600, Act::Rotate(0)));
            let most = if odd.seconds().is_some_and(|life| life > 150) { 24 } else { 3 };
            assert!(report.most.tokens <= most, "{odd:?}: {} tokens in an hour", report.most.tokens);
        }
    }
}

#[test]
fn an_end_that_cannot_be_read_costs_no_token() {
    for odd in [OddEnd::Absent, OddEnd::Unreadable, OddEnd::Says(-3600), OddEnd::Says(0)] {
        let report = well(&Plan::quiet(2, 2, 10 * HOUR).with(0, Act::OddEnd(odd, 10 * HOUR)));
        assert_eq!(made(&report), 2, "{odd:?}");
    }
}

#[test]
fn an_end_far_beyond_what_was_asked_for_is_not_believed() {
    for (tokens, probe) in [(1, true), (4, true), (1, false), (4, false)] {
        let plan = Plan { life_hours: 4, probe, ..Plan::quiet(3, tokens, 10 * HOUR) };
        well(&plan.with(0, Act::OddEnd(OddEnd::Says(365 * 86_400), 10 * HOUR)));
    }
}

#[test]
fn a_pause_is_kept_however_it_is_asked_for_and_costs_no_token() {
    for (status, by) in [
        (403, Asks::RetryAfter),
        (403, Asks::Reset),
        (429, Asks::Reset),
        (403, Asks::ResetTime),
        (429, Asks::ResetTime),
    ] {
        for only in [None, Some(Class::Generate), Some(Class::List), Some(Class::Revoke)] {
            for seconds in [30, 600, 5000] {
                let plan =
                    Plan::quiet(4, 2, 3 * HOUR).with(600, Act::Throttle(only, status, Pause { seconds, by }, 900));
                let report = well(&plan.with(700, Act::Rotate(0)).with(710, Act::Delete(1)));
                assert_eq!(made(&report), 3, "{only:?} {status} {by:?} {seconds}");
            }
        }
    }
}
