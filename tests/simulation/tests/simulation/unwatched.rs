//! Operators that neither list nor watch Secrets.

use simulation::act::{Act, Offered};
use simulation::plan::Plan;

use super::lives::{made, well};

fn unwatched(tokens: usize, seconds: u32) -> Plan {
    Plan { watches: false, ..Plan::quiet(1, tokens, seconds) }
}

#[test]
fn an_operator_that_watches_secrets_lists_them_and_one_that_does_not_never_does() {
    for watches in [true, false] {
        let report = well(&Plan { watches, ..Plan::quiet(1, 2, 600) });
        assert_eq!(report.listed_secrets, watches);
    }
}

#[test]
fn a_start_makes_no_token_of_what_it_has_not_read_yet() {
    let report = well(&unwatched(20, 3600).with(600, Act::Kill).with(1200, Act::Kill));
    assert_eq!(made(&report), 20);
}

#[test]
fn what_somebody_did_while_no_operator_ran_is_put_right_once() {
    let plan = unwatched(20, 3600).with(600, Act::DeleteSecret(3)).with(600, Act::EditSecret(4)).with(600, Act::Kill);
    assert_eq!(made(&well(&plan)), 22);
}

#[test]
fn what_leaks_or_is_asked_for_right_after_a_start_waits_for_no_first_look() {
    for second in 600..604 {
        let plan = unwatched(20, 3600).with(600, Act::Kill).with(second, Act::LeakAll).with(second, Act::Delete(5));
        well(&plan.with(second, Act::Rotate(7)));
    }
}

#[test]
fn a_successor_reads_what_the_leader_before_it_wrote() {
    let plan = Plan { elects: true, ..unwatched(20, 7200) }.with(0, Act::Second(7000));
    let plan = plan.with(900, Act::Rotate(0)).with(900, Act::HoldLeader(40)).with(2000, Act::Rotate(0));
    let report = well(&plan.with(2000, Act::HoldLeader(40)).with(3000, Act::DeleteSecret(1)));
    assert_eq!(made(&report), 23);
}

#[test]
fn a_token_that_is_handed_over_is_found_while_one_is_due_and_after_a_start() {
    let by_hand = Plan { service: simulation::objects::Abilities::BY_HAND, ..unwatched(1, 7200) };
    let plan = by_hand.with(600, Act::Rotate(0));
    for second in 600..606 {
        well(&plan.clone().with(second, Act::Kill).with(second, Act::HandOver(0, Offered::New)));
    }
}
