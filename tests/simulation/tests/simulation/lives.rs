//! Single lives: what must go well goes well, and equal plans are equal lives.

use std::process::Command;

use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::life::Report;
use simulation::plan::Plan;

const DAY: u32 = 86_400;

/// The life breaks no law.
pub fn well(plan: &Plan) -> Report {
    let report = plan.run(true);
    assert!(report.record.broken.is_empty(), "{}\n{plan}\n{}", report.complaint(), report.record.text());
    report
}

/// How many tokens the operator made.
pub fn made(report: &Report) -> usize {
    report.books.tokens.iter().filter(|token| token.own_name().is_some()).count()
}

#[test]
fn a_token_is_issued_rotated_overlaps_and_dies_with_its_object() {
    let report = well(&Plan::quiet(1, 1, 600).with(100, Act::Rotate(0)));
    assert_eq!(made(&report), 2);
    let own: Vec<_> = report.books.tokens.iter().filter(|token| token.own_name().is_some()).collect();
    assert!(own[1].at.as_secs() >= 100, "{:?}", own[1].at);
    let overlap = own[0].died.unwrap() - own[1].at;
    assert!(overlap.as_secs() >= 60, "{overlap:?}");
    assert!(report.events.iter().any(|event| event["reason"] == "RotationCompleted"), "{:#?}", report.events);
}

#[test]
fn a_process_is_killed_before_and_after_each_call_of_a_rotation() {
    for (class, most) in [(Class::ApiWrite, 8), (Class::Generate, 2), (Class::Verify, 3), (Class::Revoke, 1)] {
        for nth in 1..=most {
            for fate in [Fate::KillBefore, Fate::KillAfter] {
                well(&Plan::quiet(2, 1, 3600).with(1000, Act::Rotate(0)).fault(class, Some(0), nth, fate));
            }
        }
    }
}

#[test]
fn an_answer_of_generate_is_lost_and_its_token_found() {
    let report = well(&Plan::quiet(3, 1, 3600).fault(Class::Generate, Some(0), 1, Fate::LostAfter));
    assert_eq!(made(&report), 2);
}

#[test]
fn two_operators_live_side_by_side() {
    let plan = Plan::quiet(4, 3, 7200).with(0, Act::Second(7000));
    let report = well(&plan.with(600, Act::Rotate(0)).with(2000, Act::Rotate(1)));
    assert_eq!(made(&report), 5);
}

#[test]
fn nothing_is_written_while_nothing_is_due() {
    let writes = |days: u32| {
        let mut requests = well(&Plan::quiet(5, 10, days * DAY)).requests;
        // The time of the last sweep, once an hour and service.
        requests.retain(|verb, _| !verb.starts_with("GET") && !verb.ends_with("tokenservices/status"));
        requests
    };
    assert_eq!(writes(0), writes(3));
}

/// Where the other process prints its digest.
const DIGEST: &str = "digest of all traces: ";

fn digest() -> u64 {
    (0..6).fold(0, |digest, seed| {
        digest ^ Plan::random(seed).run(true).record.digest().rotate_left(seed.try_into().unwrap())
    })
}

#[test]
fn equal_plans_are_equal_lives_also_in_another_process() {
    let first = digest();
    println!("{DIGEST}{first:016x}");
    if std::env::var_os("SIMULATION_DIGEST").is_some() {
        return;
    }
    assert_eq!(first, digest(), "the same lives once more");
    let mut other = Command::new(std::env::current_exe().unwrap());
    other.env("SIMULATION_DIGEST", "1").args([
        "--exact",
        "lives::equal_plans_are_equal_lives_also_in_another_process",
        "--nocapture",
    ]);
    let output = String::from_utf8(other.output().unwrap().stdout).unwrap();
    assert!(output.contains(&format!("{DIGEST}{first:016x}")), "another process lived them otherwise: {output}");
}
