//! A service whose *verify* and *list* are answered by replicas that do not know yet what happened a moment ago.

use simulation::act::Act;
use simulation::fate::Class;
use simulation::plan::Plan;

use super::lives::{made, well};

const HOUR: u32 = 3600;

#[test]
fn a_replica_that_is_behind_by_less_than_the_settle_time_costs_no_token() {
    for by in [1, 30, 55] {
        let plan = Plan::quiet(1, 3, 2 * HOUR).with(0, Act::Behind(None, by, 2 * HOUR));
        let report = well(&plan.with(600, Act::Rotate(0)).with(1500, Act::EditSecret(1)).with(2000, Act::Delete(2)));
        assert_eq!(made(&report), 5, "{by} s");
    }
}

#[test]
fn a_token_that_the_service_does_not_know_yet_is_not_taken_for_dead() {
    // Neither *verify* nor the list knows the first token when its object goes, nor when both have been asked for the second time.
    for by in [90, 120] {
        for deleted in [5, 20, 50] {
            let plan = Plan::quiet(2, 1, HOUR).with(0, Act::Behind(None, by, HOUR));
            well(&plan.with(deleted, Act::Delete(0)));
        }
    }
}

#[test]
fn a_token_that_leaks_before_the_service_knows_it_is_ended_once_it_does() {
    let plan = Plan::quiet(3, 2, HOUR).with(0, Act::Behind(None, 90, HOUR));
    well(&plan.with(600, Act::Rotate(0)).with(603, Act::Leak(0)).with(640, Act::LeakAll));
}

#[test]
fn a_stale_list_or_a_stale_verify_alone_proves_no_death() {
    for only in [Class::List, Class::Verify] {
        let plan = Plan::quiet(4, 2, HOUR).with(0, Act::Behind(Some(only), 90, HOUR));
        let plan =
            plan.with(600, Act::Rotate(0)).with(620, Act::Kill).with(1800, Act::Rotate(1)).with(1815, Act::Delete(1));
        well(&plan);
    }
}
