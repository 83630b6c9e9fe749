//! Services without an API for tokens: a person makes each token, hands it over, and revokes it when the object says so.

use std::time::Duration;

use serde_json::Value;
use simulation::act::{Act, OFFERS, Offered};
use simulation::api_server::TROUBLES;
use simulation::fate::{Class, Fate};
use simulation::life::Report;
use simulation::objects::Abilities;
use simulation::plan::Plan;

use super::lives::well;

const HOUR: u32 = 3600;
const DAY: u32 = 86_400;
/// More than a kill may cost.
const MINUTES: Duration = Duration::from_secs(900);

/// A life at such a service.
fn by_hand(seed: u64, tokens: usize, seconds: u32) -> Plan {
    Plan { service: Abilities::BY_HAND, ..Plan::quiet(seed, tokens, seconds) }
}

/// How many tokens people made.
fn handed(report: &Report) -> usize {
    report.books.tokens.iter().filter(|token| token.by_hand).count()
}

fn told(report: &Report, reason: &str) -> Vec<String> {
    let of = |event: &&Value| event["reason"] == reason;
    report.events.iter().filter(of).map(|event| event["note"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_token_is_handed_over_replaced_and_revoked_by_a_person() {
    let report = well(&by_hand(1, 1, 2 * HOUR).with(1000, Act::Rotate(0)));
    assert_eq!(handed(&report), 2);
    assert_eq!(told(&report, "HandOverAccepted").len(), 2);
    assert_eq!(told(&report, "RotationCompleted").len(), 1, "the old one is proved dead");
    assert!(report.books.tokens.iter().filter(|token| token.by_hand).all(|token| token.dead));
}

#[test]
fn a_process_is_killed_before_and_after_each_call_of_a_hand_over() {
    for (class, most) in [(Class::ApiWrite, 14), (Class::ApiRead, 12), (Class::Verify, 7)] {
        for nth in 1..=most {
            for fate in [Fate::KillBefore, Fate::KillAfter, Fate::LostAfter, Fate::LostBefore] {
                let plan = by_hand(2, 1, 2 * HOUR).with(1000, Act::Rotate(0));
                let report = well(&plan.fault(class, Some(0), nth, fate));
                assert!(handed(&report) <= 3, "{} tokens for {class:?} {nth} {fate:?}", handed(&report));
            }
        }
    }
}

#[test]
fn a_process_is_killed_before_and_after_each_call_of_a_deletion_that_a_person_ends() {
    let plan = || by_hand(15, 1, 2 * HOUR).with(600, Act::Rotate(0)).with(1000, Act::Delete(0));
    let Report { calls, lived: calm, .. } = well(&plan());
    let mut kills = 0;
    for class in [Class::ApiWrite, Class::ApiRead, Class::Verify] {
        let most = calls.get(&(class, Some(0))).copied().unwrap_or_default();
        for nth in 1..=most {
            for fate in [Fate::KillBefore, Fate::KillAfter] {
                let lived = well(&plan().fault(class, Some(0), nth, fate)).lived;
                // Nobody looks for a day for what the operator has seen once.
                assert!(lived <= calm + MINUTES, "{class:?} {nth} {fate:?}: {lived:?}, and {calm:?} without it");
                kills += 1;
            }
        }
    }
    assert!(kills > 60, "{calls:?}");
}

#[test]
fn what_a_person_offers_at_a_service_that_generates_is_no_consumers() {
    let plan = Plan { overlap_seconds: 600, ..Plan::quiet(16, 1, 2 * HOUR) };
    let plan = plan.with(600, Act::HandOver(0, Offered::Current)).with(700, Act::Rotate(0));
    // What they offered leaves its Secret shortly before the overlap is over, and that is not when consumers lost it.
    well(&plan.with(1200, Act::HandOver(0, Offered::New)));
}

#[test]
fn two_operators_take_up_each_token_once() {
    let plan = by_hand(3, 3, 2 * HOUR).with(0, Act::Second(7000));
    let report = well(&plan.with(600, Act::Rotate(0)).with(2000, Act::Rotate(1)));
    assert_eq!(handed(&report), 5);
    assert_eq!(told(&report, "HandOverAccepted").len(), 5);
}

#[test]
fn what_is_wrong_is_told_once_and_touches_nothing() {
    for offered in OFFERS {
        let plan = by_hand(4, 1, 2 * HOUR).with(900, Act::HandOver(0, offered)).with(1500, Act::Reconcile(0));
        let report = well(&plan);
        let refused = told(&report, "HandOverRefused").len();
        assert_eq!(refused, usize::from(offered != Offered::New), "{offered:?}: {:#?}", report.events);
        assert_eq!(handed(&report), if offered == Offered::New { 2 } else { 1 });
    }
}

#[test]
fn a_secret_that_comes_back_after_each_deletion_is_left_alone() {
    let again = |plan: Plan, hour: u32| plan.with(hour * HOUR, Act::HandOver(0, Offered::Current));
    let report = well(&(1..9).fold(by_hand(5, 1, 10 * HOUR), again));
    assert_eq!(handed(&report), 1);
}

#[test]
fn a_token_that_is_handed_over_while_all_are_refused_waits() {
    let plan = by_hand(6, 8, 12 * HOUR).with(HOUR, Act::RefuseTokens(6 * HOUR));
    let report = well(&plan.with(2 * HOUR, Act::HandOver(0, Offered::New)).with(3 * HOUR, Act::Rotate(1)));
    assert!(handed(&report) >= 9, "{}", handed(&report));
    assert!(told(&report, "HandOverRefused").is_empty(), "{:#?}", told(&report, "HandOverRefused"));
}

#[test]
fn a_secret_that_somebody_deletes_or_edits_gets_its_token_back() {
    let plan = by_hand(7, 1, 8 * HOUR).with(HOUR, Act::DeleteSecret(0)).with(4 * HOUR, Act::EditSecret(0));
    assert_eq!(handed(&well(&plan)), 1, "nobody had to make another one");
    let restarted = by_hand(14, 1, 4 * HOUR).with(HOUR, Act::Kill).with(2 * HOUR, Act::DeleteSecret(0));
    assert_eq!(handed(&well(&restarted)), 1, "a new process has read it");
}

#[test]
fn nobody_is_asked_for_a_token_while_somebody_keeps_taking_it_out_of_the_secret() {
    let report = well(&by_hand(17, 1, 4 * HOUR).with(600, Act::Fight(0, true, 1800)));
    assert_eq!(handed(&report), 1, "{:#?}", told(&report, "HandOverDue"));
}

#[test]
fn a_leaked_token_is_replaced_and_revoked_by_a_person_without_an_overlap() {
    let plan = Plan { overlap_seconds: 3000, ..by_hand(8, 1, 3 * HOUR) };
    let report = well(&plan.with(HOUR, Act::Leak(0)));
    assert_eq!(handed(&report), 2);
    let leaked = report.books.tokens.iter().find(|token| token.by_hand).unwrap();
    let since = leaked.died.unwrap().as_secs() - u64::from(HOUR);
    assert!(since < 200, "{since} s");
    assert!(!told(&report, "RevokeByHand").is_empty());
}

#[test]
fn trouble_of_the_api_server_and_of_the_service_passes() {
    for trouble in TROUBLES {
        let plan = by_hand(9, 2, 6 * HOUR).with(600, Act::Api(trouble, 900));
        well(&plan.with(700, Act::Rotate(0)).with(800, Act::HandOver(1, Offered::New)));
    }
    for outage in [401, 500, 503] {
        well(&by_hand(10, 2, 6 * HOUR).with(600, Act::Outage(outage, 900)).with(700, Act::Rotate(0)));
    }
    well(&by_hand(11, 2, 6 * HOUR).with(600, Act::Rotate(0)).with(640, Act::Kill).with(650, Act::Lag(20, 600)));
}

#[test]
fn the_year_of_a_token_is_announced_and_the_next_one_comes_in_time() {
    let plan = Plan { life_hours: 8760, ..by_hand(12, 1, 370 * DAY) };
    let report = well(&plan);
    assert_eq!(handed(&report), 2, "one before the end of the year");
    assert_eq!(told(&report, "RotationCompleted").len(), 1);
    assert!(told(&report, "TokenExpired").is_empty() && told(&report, "TokenExpiringSoon").is_empty(), "in time");
}

#[test]
fn a_token_that_everybody_forgets_expires_after_all_its_reminders() {
    let plan = Plan { life_hours: 8760, person: false, ..by_hand(13, 1, 380 * DAY) };
    let report = plan.with(60, Act::HandOver(0, Offered::New)).run(true);
    let reminders = told(&report, "TokenExpiringSoon");
    let days: Vec<&str> = ["30 days", "14 days", "7 days", "3 days", "a day"].into_iter().collect();
    assert_eq!(reminders.len(), days.len(), "{reminders:#?}");
    for (note, days) in reminders.iter().zip(days) {
        assert!(note.contains(days) && note.contains("make a token"), "{note}");
    }
    assert_eq!(told(&report, "TokenExpired").len(), 1);
    assert_eq!(
        report.laws().into_iter().collect::<Vec<_>>(),
        ["L1", "consumer"],
        "only a person could: {}",
        report.complaint()
    );
}
