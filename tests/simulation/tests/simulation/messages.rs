//! What people are told when an answer of the API server gets lost.

use serde_json::Value;
use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::life::Report;
use simulation::plan::Plan;

use super::lives::well;

fn reasons(report: &Report) -> Vec<&str> {
    report.events.iter().filter_map(|event| event["reason"].as_str()).collect()
}

fn count(report: &Report, reason: &str) -> usize {
    reasons(report).iter().filter(|told| **told == reason).count()
}

/// The law S9 finds what is written.
#[test]
fn a_value_that_a_service_gives_as_an_id_is_written_nowhere() {
    // It shows in the answer of *generate*, or only in the list, where that answer got lost.
    let plan = || Plan::quiet(12, 2, 7200).with(0, Act::TokensAsIds);
    for plan in [plan(), plan().fault(Class::Generate, Some(0), 1, Fate::LostAfter).with(900, Act::Kill)] {
        let report = plan.run(false);
        let laws = report.laws();
        assert!(!laws.contains("S9"), "{plan}{}", report.complaint());
        // A person must correct the declaration first; meanwhile no further token is asked for.
        assert!(laws.contains("L1"), "{plan}{}", report.complaint());
        assert!(report.books.tokens.iter().filter(|token| token.own_name().is_some()).count() <= 4, "{plan}");
        let told = |event: &Value| event["note"].as_str().is_some_and(|note| note.contains("is the token itself"));
        assert!(report.events.iter().any(told), "{plan}{:?}", reasons(&report));
    }
}

#[test]
fn a_lost_answer_to_any_record_is_no_failure_and_what_happened_is_told_once() {
    for nth in 1..=12 {
        let plan = Plan::quiet(1, 1, 3600).fault(Class::ApiWrite, Some(0), nth, Fate::LostAfter);
        let report = well(&plan.with(1000, Act::Rotate(0)));
        let warnings: Vec<&Value> = report.events.iter().filter(|event| event["type"] == "Warning").collect();
        assert!(warnings.is_empty(), "the answer to write {nth} was lost: {warnings:#?}");
        let told = (count(&report, "TokenIssued"), count(&report, "RotationCompleted"));
        assert_eq!(told, (1, 1), "the answer to write {nth} was lost: {:?}", reasons(&report));
    }
}

#[test]
fn two_operators_tell_each_outcome_once_and_raise_no_alarm() {
    for seed in 1..=4 {
        let plan = Plan::quiet(seed, 3, 3600).with(0, Act::Second(3590));
        let report = well(&plan.with(1000, Act::Rotate(0)).with(1500, Act::Rotate(1)));
        let warnings: Vec<&Value> = report.events.iter().filter(|event| event["type"] == "Warning").collect();
        assert!(warnings.is_empty(), "{warnings:#?}");
        assert_eq!(
            (count(&report, "TokenIssued"), count(&report, "RotationCompleted")),
            (3, 2),
            "{:?}",
            reasons(&report)
        );
    }
}

#[test]
fn a_second_look_at_an_expired_token_comes_in_time_and_raises_no_alarm() {
    // Secrets that cannot be written keep their first tokens until these expire. When all objects go, two tokens are refused.
    let plan = Plan { life_hours: 4, per_minute: 60, ..Plan::quiet(500_104, 8, 36_000) };
    let plan = plan.with(53, Act::Immutable(4)).with(68, Act::Immutable(2)).with(8418, Act::ClockStep(3600));
    let report = well(&plan);
    assert_eq!(count(&report, "TokenRevocationFailed"), 0);
}

/// How often the status of a service object was written.
fn told_of_the_service(report: &Report) -> u64 {
    let written = report.requests.iter().filter(|(verb, _)| verb.ends_with("tokenservices/status"));
    written.map(|(_, count)| count).sum()
}

#[test]
fn one_lost_answer_of_the_service_is_told_of_nobody_else_than_its_token() {
    let quiet = || Plan::quiet(1, 1, 3000).with(1000, Act::Rotate(0));
    let usual = told_of_the_service(&well(&quiet()));
    for class in [Class::Generate, Class::Verify, Class::Revoke] {
        let report = well(&quiet().fault(class, Some(0), 2, Fate::LostAfter));
        assert_eq!(told_of_the_service(&report), usual, "{class:?}: {:#?}", report.requests);
    }
}

#[test]
fn a_list_that_fails_for_an_hour_is_told_a_few_times_and_is_over_with_it() {
    let plan = Plan::quiet(1, 1, 14_400).with(600, Act::ListFails(500, 7200)).with(1000, Act::Rotate(0));
    let report = well(&plan);
    let told = told_of_the_service(&report);
    assert!(told < 20, "{told}: {:#?}", report.requests);
}

#[test]
fn an_edit_in_the_moment_of_a_deletion_raises_no_alarm() {
    for seed in [20_026, 1, 2, 3, 4] {
        let plan = Plan::quiet(seed, 1, 600).with(15, Act::Rotate(0));
        let report = well(&plan.with(54, Act::Delete(0)).with(54, Act::Rotate(0)));
        let warnings: Vec<&Value> = report.events.iter().filter(|event| event["type"] == "Warning").collect();
        assert!(warnings.is_empty(), "{warnings:#?}");
    }
}

#[test]
fn a_conflict_is_told_once_however_long_its_object_waits_for_each_turn() {
    let plan = Plan { per_minute: 6, ..Plan::quiet(304, 2, 4 * 3600) };
    let report = well(&plan.with(0, Act::Squat(0)));
    assert_eq!(count(&report, "SecretConflict"), 1, "{:#?}", report.events);
}
