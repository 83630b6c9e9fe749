//! The service refuses tokens that live, or that somebody ended.

use simulation::act::Act;
use simulation::fate::Class;
use simulation::objects::Abilities;
use simulation::plan::Plan;
use simulation::services::Odd;

use super::lives::{made, well};

const HOUR: u32 = 3600;

#[test]
fn a_while_in_which_the_service_refuses_all_tokens_costs_none() {
    let report = well(&Plan::quiet(1, 8, 90_000).with(100, Act::RefuseTokens(89_000)));
    assert_eq!(made(&report), 8);
    let told = report.events.iter().filter(|event| event["reason"] == "TokensRefused").count();
    assert!((1..4).contains(&told), "{told}");
}

#[test]
fn tokens_that_expire_while_the_service_refuses_all_are_replaced_when_it_is_over() {
    let expiring = Plan { life_hours: 4, ..Plan::quiet(15, 5, 12 * HOUR) };
    let report = well(&expiring.with(HOUR, Act::RefuseTokens(6 * HOUR)));
    assert!(made(&report) >= 10, "{}", made(&report));
}

#[test]
fn an_object_whose_secret_somebody_else_keeps_finds_room_again_after_a_time_of_refusals() {
    // Nothing in the Secret could be a control, and there is no list.
    let service = Abilities { lists: false, ..Abilities::ALL };
    let plan = Plan { service, overlap_seconds: 600, ..Plan::quiet(147, 1, HOUR / 2) };
    well(&plan.with(22, Act::Fight(0, true, 2533)).with(691, Act::RefuseTokens(1059)));
}

#[test]
fn a_list_without_names_that_lacks_a_token_is_no_word_that_it_was_revoked() {
    let service = Abilities { names: false, ..Abilities::ALL };
    let plan = Plan { service, ..Plan::quiet(16, 1, 2 * HOUR) };
    // First the list lacks it, and *verify* says nothing; then the service refuses everybody.
    let plan = plan.with(600, Act::OddList(Odd::Empty, 3000)).with(600, Act::OneFails(Class::Verify, 500, 90));
    well(&plan.with(610, Act::Delete(0)).with(690, Act::RefuseTokens(2900)));
}

#[test]
fn a_process_that_is_killed_meanwhile_makes_none_either() {
    let plan = Plan::quiet(2, 8, 20 * HOUR).with(11 * HOUR, Act::RefuseTokens(6 * HOUR));
    let plan = (12..18).fold(plan, |plan, hour| plan.with(hour * HOUR + 300, Act::Kill));
    assert_eq!(made(&well(&plan)), 8);
}

#[test]
fn one_token_that_is_refused_for_some_minutes_is_kept_and_one_that_somebody_ended_is_replaced() {
    let brief = Plan::quiet(3, 1, 13 * HOUR).with(12 * HOUR - 300, Act::RefuseTokens(600));
    assert_eq!(made(&well(&brief)), 1);
    for tokens in [1, 3] {
        let ended = Plan::quiet(4, tokens, 13 * HOUR).with(HOUR, Act::EndToken(0));
        assert_eq!(made(&well(&ended)), tokens + 1);
    }
}

#[test]
fn one_refusal_and_an_empty_list_end_no_deletion() {
    // No other token of the object lives that could show that the service refuses everybody.
    let plan = Plan::quiet(13, 1, 2 * HOUR).with(690, Act::RefuseTokens(50)).with(690, Act::OddList(Odd::Empty, 50));
    well(&plan.with(700, Act::Delete(0)));
    // The same for longer, where *verify* says nothing.
    let silent = Plan::quiet(14, 1, 2 * HOUR).with(600, Act::OneFails(Class::Verify, 500, 300));
    well(&silent.with(600, Act::OddList(Odd::Empty, 300)).with(700, Act::Delete(0)));
}

#[test]
fn a_stranger_who_gets_the_id_of_a_token_that_somebody_ended_keeps_its_token() {
    for deleted in [false, true] {
        let plan = Plan::quiet(5, 1, 13 * HOUR).with(2, Act::ReuseIds);
        let plan = plan.with(HOUR, Act::EndToken(0)).with(HOUR + 1, Act::Stranger);
        well(&if deleted { plan.with(2 * HOUR, Act::Delete(0)) } else { plan });
    }
}

#[test]
fn a_token_that_gets_the_id_of_the_dead_one_before_it_is_used() {
    let report = well(&Plan::quiet(6, 1, 13 * HOUR).with(2, Act::ReuseIds).with(HOUR, Act::EndToken(0)));
    assert_eq!(made(&report), 2);
}

#[test]
fn tokens_that_expired_while_the_machine_was_suspended_are_replaced_and_not_taken_for_a_fault_of_the_service() {
    let expiring = Plan { life_hours: 4, ..Plan::quiet(7, 5, HOUR) };
    let report = well(&expiring.with(600, Act::Sleep(60_000)));
    let told = report.events.iter().filter(|event| event["reason"] == "TokensRefused").count();
    assert_eq!(told, 0);
}

#[test]
fn another_account_that_knows_no_token_of_this_id_ends_none() {
    // There is no list, and the value is lost: somebody else keeps changing the Secret.
    let plan = Plan { service: Abilities { lists: false, ..Abilities::ALL }, ..Plan::quiet(5237, 1, 1800) };
    well(&plan.with(795, Act::Fight(0, true, 697)).with(1045, Act::OtherAccount(910)));
}
