//! An operation of the service fails for one object only.

use simulation::act::Act;
use simulation::fate::Class;
use simulation::plan::Plan;

use super::lives::{made, well};

const HOUR: u32 = 3600;

/// The operations, and the answers that each of them may have for one object.
const FAILURES: [(Class, u16); 7] = [
    (Class::Generate, 401),
    (Class::Generate, 403),
    (Class::Generate, 500),
    (Class::Verify, 403),
    (Class::Verify, 500),
    (Class::Revoke, 403),
    (Class::Revoke, 500),
];

#[test]
fn what_fails_for_one_object_holds_up_no_other_and_is_not_told_of_the_service() {
    for (class, status) in FAILURES {
        let plan = Plan::quiet(1, 4, 4 * HOUR).with(600, Act::FailsFor(0, class, status, 3 * HOUR));
        let plan = (0..4).fold(plan, |plan, index| plan.with(700, Act::Rotate(index)));
        let report = well(&plan.with(HOUR, Act::Rotate(1)).with(HOUR, Act::Delete(2)).with(2 * HOUR, Act::Rotate(3)));
        assert_eq!(report.most.turns, 0, "{class:?} {status}");
        assert!(made(&report) >= 10, "{class:?} {status}: {}", made(&report));
    }
}

#[test]
fn what_fails_for_two_of_many_is_told_a_few_times_at_most() {
    for (class, status) in FAILURES {
        let plan = Plan { hours: 1, ..Plan::quiet(2, 8, 6 * HOUR) };
        let plan = plan.with(600, Act::FailsFor(0, class, status, 5 * HOUR));
        let report = well(&plan.with(600, Act::FailsFor(1, class, status, 5 * HOUR)));
        assert!(report.most.turns <= 4, "{class:?} {status}: {}", report.most.turns);
    }
}
