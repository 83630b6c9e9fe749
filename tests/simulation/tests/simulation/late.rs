//! What was sent lands, although nobody waits for it any more: late, after the death of its sender, or after a deletion.

use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::plan::Plan;

use super::lives::{made, well};

/// Within the time that anybody waits; within the settle time of a claim; after it.
const LATE: [u16; 3] = [20, 59, 300];

/// The calls of a first token and a rotation of it, by class.
const CALLS: [(Class, u32); 4] = [(Class::ApiWrite, 10), (Class::Generate, 2), (Class::Verify, 3), (Class::Revoke, 1)];

/// A life with a rotation, in which one call is late.
fn one_is_late(class: Class, nth: u32, late: u16) -> Plan {
    Plan::quiet(2, 1, 3600).with(1000, Act::Rotate(0)).fault(class, Some(0), nth, Fate::Late(late))
}

/// All of them.
fn plans() -> impl Iterator<Item = Plan> {
    let calls = CALLS.into_iter().flat_map(|(class, most)| (1..=most).map(move |nth| (class, nth)));
    calls.flat_map(|(class, nth)| LATE.map(|late| one_is_late(class, nth, late)))
}

/// All of these break no law; else all that do are told.
fn all_well(plans: impl Iterator<Item = Plan>) {
    let complaint = |plan: Plan| {
        let report = plan.run(false);
        (!report.record.broken.is_empty()).then(|| format!("{plan}{}", report.complaint()))
    };
    let complaints: Vec<String> = plans.filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{} plans break a law:\n{}", complaints.len(), complaints.concat());
}

#[test]
fn each_call_may_be_late() {
    all_well(plans());
}

#[test]
fn each_call_may_land_after_its_sender_was_killed() {
    // A first token is made at once, and so is its replacement.
    all_well([4, 1003].into_iter().flat_map(|at| plans().map(move |plan| plan.with(at, Act::Kill))));
}

#[test]
fn each_call_may_land_during_a_deletion_or_after_it() {
    let times = [2, 6, 40, 1001, 1006, 1040].into_iter();
    all_well(times.flat_map(|at| plans().map(move |plan| plan.with(at, Act::Delete(0)))));
}

#[test]
fn each_call_may_land_when_there_is_a_new_object_of_the_name() {
    let times = [(6, 20), (6, 200), (1006, 1020), (1006, 1250)].into_iter();
    let again = |(deleted, again), plan: Plan| plan.with(deleted, Act::Delete(0)).with(again, Act::Create(0));
    all_well(times.flat_map(|both| plans().map(move |plan| again(both, plan))));
}

#[test]
fn a_slow_answer_of_the_api_server_is_no_failure_and_costs_no_token() {
    for class in [Class::ApiWrite, Class::ApiRead] {
        for nth in 1..=10 {
            let plan = Plan::quiet(3, 1, 3600).with(1000, Act::Rotate(0));
            let report = well(&plan.fault(class, Some(0), nth, Fate::Slow(25)));
            assert_eq!(made(&report), 2, "{class:?} {nth}");
        }
    }
}

#[test]
fn tokens_that_are_made_when_nobody_waits_for_their_answer_any_more_are_found_and_end() {
    well(&Plan::quiet(4, 2, 7200).with(0, Act::SlowGenerate(70)).with(600, Act::Delete(1)));
}

#[test]
fn a_token_that_expires_while_no_answer_comes_is_replaced_once_answers_come_again() {
    // The current token is what the list proves by that others are dead. It expires, and three more wait for a proof.
    let plan = Plan { life_hours: 4, ..Plan::quiet(582, 1, 36_000) };
    well(&plan.with(18_833, Act::SlowGenerate(84)));
}
