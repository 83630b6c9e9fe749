//! What service objects and objects say: what is forbidden, who is asked, and what becomes of what belongs to nobody.

use simulation::act::{Act, BANS, Ban};
use simulation::fate::{Class, Fate};
use simulation::layout::Layout;
use simulation::life::Report;
use simulation::plan::Plan;

use super::lives::{made, well};

const HOUR: u32 = 3600;

/// When the tokens of an object died, the oldest token first.
fn deaths(report: &Report, index: usize) -> Vec<Option<u64>> {
    let own = report.books.tokens.iter().filter(|token| token.object() == Some(index));
    own.map(|token| token.died.map(|died| died.as_secs())).collect()
}

#[test]
fn what_is_let_go_lives_on_and_is_told() {
    let report = well(&Plan::quiet(1, 2, 2 * HOUR).with(600, Act::Rotate(0)).with(620, Act::LetGo(0)));
    assert_eq!(deaths(&report, 0), [None, None]);
    let told = report.events.iter().filter(|event| event["type"] == "Warning").count();
    assert_eq!(told, 1, "{:#?}", report.events);
}

#[test]
fn a_sweep_that_may_revoke_ends_what_was_let_go_but_not_what_a_new_object_has_taken_over() {
    let plan = Plan { sweep_revokes: true, ..Plan::quiet(2, 2, 12 * HOUR) };
    for per_minute in [6, 600] {
        let gone = deaths(&well(&Plan { per_minute, ..plan.clone() }.with(600, Act::LetGo(0))), 0);
        assert!(gone[0].is_some_and(|died| died < u64::from(600 + 4 * HOUR)), "{per_minute}: {gone:?}");
    }
    // A suspended object makes nothing that could replace it.
    let kept = plan.with(600, Act::LetGo(0)).with(700, Act::Create(0)).with(700, Act::Suspend(0, true));
    let report = well(&kept.with(9 * HOUR, Act::Suspend(0, false)));
    assert!(deaths(&report, 0)[0].is_some_and(|died| died > u64::from(9 * HOUR)), "{:?}", deaths(&report, 0));
}

#[test]
fn what_is_forbidden_between_the_claim_and_the_request_is_not_asked_for() {
    for ban in BANS {
        let layout = if ban == Ban::Namespace { Layout::Shared } else { Layout::One };
        let plan = Plan { hours: 1, layout, ..Plan::quiet(3, 2, 2 * HOUR) };
        // The answer to the claim comes after 25 s, and what it allows is forbidden meanwhile.
        for nth in 4..=8 {
            let slow = plan.clone().fault(Class::ApiWrite, Some(1), nth, Fate::Slow(25));
            well(&slow.with(600, Act::Rotate(1)).with(603, Act::Forbid(ban, 1200)));
            let suspended = plan.clone().fault(Class::ApiWrite, Some(1), nth, Fate::Slow(25));
            well(
                &suspended
                    .with(600, Act::Rotate(1))
                    .with(603, Act::Suspend(1, true))
                    .with(2000, Act::Suspend(1, false)),
            );
        }
    }
}

#[test]
fn without_a_probe_nobody_is_asked_and_tokens_are_rotated_and_end_all_the_same() {
    let plan = Plan { probe: false, ..Plan::quiet(4, 3, 3 * HOUR) };
    let plan = plan.with(600, Act::Rotate(0)).with(900, Act::Leak(1)).with(1000, Act::Delete(2)).with(1200, Act::Kill);
    let report = well(&plan);
    assert_eq!(made(&report), 5);
}

#[test]
fn six_calls_a_minute_are_enough_for_a_few_objects() {
    let plan = Plan { per_minute: 6, ..Plan::quiet(5, 2, 2 * HOUR) };
    let plan = plan.with(600, Act::Rotate(0)).with(600, Act::Rotate(1)).with(2000, Act::LeakAll);
    assert_eq!(made(&well(&plan)), 6);
}
