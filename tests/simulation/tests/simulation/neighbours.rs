//! Two namespaces: what happens to one service concerns nobody at another, and one service may serve both.

use simulation::act::Act;
use simulation::layout::Layout;
use simulation::life::Report;
use simulation::plan::Plan;
use simulation::services::{Asks, Pause};

use super::lives::{made, well};

const HOUR: u32 = 3600;

/// More objects than passes that run at a time.
const CROWD: usize = 80;

/// Each second object is at the second service.
fn two(objects: usize, seconds: u32) -> Plan {
    Plan { layout: Layout::Two, per_minute: 6000, second_per_minute: 6000, ..Plan::quiet(1, objects, seconds) }
}

/// When the newest token of an object was made, in seconds.
fn newest(report: &Report, index: usize) -> u64 {
    let own = report.books.tokens.iter().filter(|token| token.object() == Some(index));
    own.map(|token| token.at.as_secs()).max().unwrap()
}

#[test]
fn a_service_that_is_slow_or_down_holds_up_no_object_of_another() {
    let adversities = [
        Act::SlowGenerate(55),
        Act::SlowGenerate(3000),
        Act::Outage(503, 2 * HOUR),
        Act::Throttle(None, 429, Pause { seconds: 600, by: Asks::RetryAfter }, 2 * HOUR),
        Act::RefuseTokens(2 * HOUR),
        Act::WrongCredential(2 * HOUR),
        Act::RemakeService(600),
    ];
    for act in adversities {
        let plan = (0..CROWD).fold(two(CROWD, 3 * HOUR).with(600, act), |plan, index| {
            // The objects of the second service are the last ones in the queue.
            plan.with(if index.is_multiple_of(2) { 700 } else { 720 }, Act::Rotate(index))
        });
        let report = well(&plan.with(2000, Act::DeleteSecret(1)).with(4000, Act::Delete(3)));
        for index in (5..CROWD).step_by(2) {
            let rotated = newest(&report, index);
            assert!((720..780).contains(&rotated), "{act:?}: t{index} at {rotated}");
        }
        assert!((2000..2060).contains(&newest(&report, 1)), "{act:?}: {}", newest(&report, 1));
        let died = report.books.tokens.iter().filter(|token| token.object() == Some(3)).filter_map(|token| token.died);
        let died = died.max().unwrap().as_secs();
        assert!((4000..4060).contains(&died), "{act:?}: {died}");
    }
}

#[test]
fn two_services_may_give_the_same_ids() {
    let report = well(&two(4, 2 * HOUR).with(600, Act::Rotate(0)).with(900, Act::Rotate(1)).with(1000, Act::Kill));
    assert_eq!(made(&report), 6);
    let id = |host: &str| {
        let of = |value: &str| value.contains(host);
        report.books.tokens.iter().filter(|token| of(&token.value)).map(|token| token.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(id("one.sim")[2..], id("two.sim")[2..]);
}

#[test]
fn a_service_of_the_cluster_serves_two_namespaces() {
    let shared = Plan { layout: Layout::Shared, ..Plan::quiet(2, 4, 2 * HOUR) };
    let plan = shared.with(600, Act::Rotate(0)).with(700, Act::Rotate(1)).with(1000, Act::LeakAll);
    assert_eq!(made(&well(&plan.with(3000, Act::RemakeService(600)).with(3100, Act::Delete(2)))), 10);
}

#[test]
fn marks_of_a_secret_in_another_namespace_are_a_copy() {
    for layout in [Layout::Two, Layout::Shared] {
        let plan = Plan { layout, ..Plan::quiet(3, 2, 2 * HOUR) };
        assert_eq!(made(&well(&plan.with(600, Act::Forge(1, 0)).with(700, Act::Rotate(1)))), 2);
    }
}
