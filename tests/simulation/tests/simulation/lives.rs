//! Single lives: what must go well goes well, and equal plans are equal lives.

use std::process::Command;

use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::life::Report;
use simulation::plan::Plan;
use simulation::world::Record;

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
fn a_finalizer_that_somebody_takes_off_comes_back_before_the_object_goes() {
    well(&Plan::quiet(1, 1, 600).with(48, Act::Strip(0)));
    well(&Plan::quiet(1, 1, 7200).with(48, Act::Suspend(0, true)).with(60, Act::Strip(0)).with(70, Act::Delete(0)));
}

#[test]
fn two_operators_live_side_by_side() {
    let plan = Plan::quiet(4, 3, 7200).with(0, Act::Second(7000));
    let report = well(&plan.with(600, Act::Rotate(0)).with(2000, Act::Rotate(1)));
    assert_eq!(made(&report), 5);
}

#[test]
fn two_operators_that_remember_different_failures_do_not_fight_over_what_is_told() {
    let plan = Plan::quiet(1, 1, 600).with(0, Act::Second(590));
    let report = well(&plan.fault(Class::Generate, Some(0), 1, Fate::LostAfter));
    let written = report.requests.iter().filter(|(verb, _)| verb.ends_with("artifacttokens/status"));
    let written: u64 = written.map(|(_, count)| count).sum();
    assert!(written < 40, "{written} writes, {:#?}", report.requests);
    // One of them cannot reach the service: what they tell of the service object differs, too.
    let plan = Plan::quiet(1, 3, 3600).with(0, Act::Second(3590));
    well(&plan.with(600, Act::Outage(503, 900)).with(700, Act::Rotate(0)).with(900, Act::Kill));
}

#[test]
fn whoever_fights_over_a_secret_gets_a_pause_that_grows() {
    for over_the_token in [false, true] {
        let report = well(&Plan::quiet(6, 1, 7200).with(100, Act::Fight(0, over_the_token, 3600)));
        let corrected = report.events.iter().filter(|event| event["reason"] == "SecretDriftCorrected").count();
        let corrected = if over_the_token { made(&report) - 1 } else { corrected };
        assert!((3..=10).contains(&corrected), "{corrected} corrections in an hour of fight");
    }
}

/// How long the first token lived on after the second was made, in seconds.
fn lived_on(report: &Report) -> u64 {
    let own: Vec<_> = report.books.tokens.iter().filter(|token| token.own_name().is_some()).collect();
    (own[0].died.expect("it is dead") - own[1].at).as_secs()
}

#[test]
fn a_clock_that_jumps_takes_nothing_from_an_overlap_and_adds_an_hour_at_most() {
    for jump in [Act::ClockStep(3600), Act::ClockStep(-3600), Act::ClockStep(30_000), Act::Sleep(30_000)] {
        let calm = Plan { overlap_seconds: 600, ..Plan::quiet(7, 1, 50_000) };
        for (rotated, jumps) in [(1000, 1100), (1000, 900), (1000, 995)] {
            let report = well(&calm.clone().with(rotated, Act::Rotate(0)).with(jumps, jump));
            let slept = if let (Act::Sleep(seconds), true) = (jump, jumps > rotated) { u64::from(seconds) } else { 0 };
            let lived = lived_on(&report);
            assert!((600..=600 + slept + 3700).contains(&lived), "{jump:?} at {jumps}: {lived} s");
        }
        // Long after the jump there is nothing left of it.
        let report = well(&calm.with(1000, jump).with(5000, Act::Rotate(0)));
        assert!((600..700).contains(&lived_on(&report)), "{jump:?}: {} s", lived_on(&report));
    }
}

#[test]
fn a_token_that_expires_is_replaced_in_time_after_a_clock_jumped_or_soon_after_the_machine_wakes() {
    let calm = Plan { life_hours: 4, ..Plan::quiet(8, 1, 60_000) };
    for jump in [Act::ClockStep(-3600), Act::ClockStep(3600), Act::Sleep(30_000)] {
        let report = well(&calm.clone().with(1000, jump));
        let mut own: Vec<_> = report.books.tokens.iter().filter(|token| token.own_name().is_some()).collect();
        own.sort_by_key(|token| token.at);
        for pair in own.windows(2) {
            let gap = (pair[1].at - pair[0].at).as_secs();
            // Half an hour after it wakes an idle machine has heard of the API server at the latest.
            let most = if let Act::Sleep(seconds) = jump { u64::from(seconds) + 3000 } else { 4 * 3600 };
            assert!(gap <= most, "{jump:?}: {gap} s without a new token");
        }
    }
}

#[test]
fn a_process_that_starts_goes_on_at_once_with_all_that_is_due() {
    let plan = Plan { per_minute: 6000, ..Plan::quiet(9, 20, 7200) }.with(600, Act::Kill);
    let report = well(&(0..20).fold(plan, |plan, index| plan.with(600, Act::EditSecret(index))));
    let late =
        report.books.tokens.iter().filter(|token| token.own_name().is_some() && token.at.as_secs() > 620).count();
    assert_eq!((made(&report), late), (40, 0));
}

#[test]
fn nothing_is_written_while_nothing_is_due_but_once_a_day_when_a_token_was_last_used() {
    let writes = |days: u32| {
        let mut requests = well(&Plan::quiet(5, 10, days * DAY)).requests;
        // The time of the last sweep, once an hour and service.
        requests.retain(|verb, _| !verb.starts_with("GET") && !verb.ends_with("tokenservices/status"));
        requests
    };
    let (mut at_once, later) = (writes(0), writes(3));
    let uses = at_once.get_mut("PUT artifacttokens/status").unwrap();
    *uses += 10 * 3;
    assert_eq!(at_once, later);
}

/// Where the other process prints its digests.
const DIGEST: &str = "digests of all traces: ";

/// Some lives.
fn lived() -> Vec<Record> {
    (0..6).map(|seed| Plan::random(seed).run(true).record).collect()
}

/// Where two lives part.
fn part(one: &Record, other: &Record) -> String {
    let differ = |(one, other): &(&String, &String)| one != other;
    let both = one.trace.iter().zip(&other.trace).find(differ);
    both.map(|(one, other)| format!("{one}\n{other}")).unwrap_or_default()
}

#[test]
fn equal_plans_are_equal_lives_also_in_another_process() {
    let lives = lived();
    let digests: Vec<String> = lives.iter().map(|life| format!("{:016x}", life.digest())).collect();
    let first = digests.join(" ");
    println!("{DIGEST}{first}");
    if std::env::var_os("SIMULATION_DIGEST").is_some() {
        return;
    }
    for (seed, (one, again)) in lives.iter().zip(lived()).enumerate() {
        assert_eq!(one.digest(), again.digest(), "the life of seed {seed} once more: {}", part(one, &again));
    }
    let mut other = Command::new(std::env::current_exe().unwrap());
    other.env("SIMULATION_DIGEST", "1").args([
        "--exact",
        "lives::equal_plans_are_equal_lives_also_in_another_process",
        "--nocapture",
    ]);
    let output = String::from_utf8(other.output().unwrap().stdout).unwrap();
    assert!(output.contains(&format!("{DIGEST}{first}")), "another process lived them otherwise: {output}");
}
