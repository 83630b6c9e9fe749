//! Annotations that anybody may write, copied, changed and taken off.

use simulation::act::{Act, Mark, Note, REQUESTS, marks};
use simulation::fate::{Class, Fate};
use simulation::plan::Plan;

use super::lives::{made, well};

const HOUR: u32 = 3600;

#[test]
fn a_forged_mark_costs_a_token_at_most_and_no_other_its_own() {
    for mark in marks(1) {
        let report = well(&Plan::quiet(1, 2, 4 * HOUR).with(600, Act::Rotate(0)).with(900, Act::Mark(0, mark)));
        assert!((3..=4).contains(&made(&report)), "{mark:?}: {}", made(&report));
        let others = report.books.tokens.iter().filter(|token| token.object() == Some(1)).count();
        assert_eq!(others, 1, "{mark:?}");
    }
}

#[test]
fn a_mark_that_is_forged_while_a_token_is_replaced_or_its_object_goes_ends_nothing_of_others() {
    for mark in marks(1) {
        for at in [599, 601, 640, 662] {
            well(&Plan::quiet(2, 2, 4 * HOUR).with(600, Act::Rotate(0)).with(at, Act::Mark(0, mark)));
            let deleted = Plan::quiet(3, 2, 4 * HOUR).with(600, Act::Delete(0)).with(at, Act::Mark(0, mark));
            well(&deleted.with(2 * HOUR, Act::Create(0)));
        }
    }
}

#[test]
fn a_mark_that_is_forged_while_nobody_looks_is_no_reason_to_end_what_is_in_use() {
    for mark in marks(1) {
        let plan = Plan::quiet(4, 2, 4 * HOUR).with(600, Act::Suspend(0, true)).with(610, Act::Mark(0, mark));
        well(&plan.with(611, Act::Kill).with(2000, Act::Suspend(0, false)));
    }
}

#[test]
fn the_marks_of_an_older_token_prove_nothing_with_the_value_of_another() {
    // The first Secret's marks are copied away, and back after a rotation.
    let plan = Plan { hours: 1, ..Plan::quiet(4892, 2, 2 * HOUR) };
    let report = well(&plan.with(87, Act::Forge(0, 1)).with(2182, Act::Sleep(3600)).with(5871, Act::Forge(1, 0)));
    let failed = report.events.iter().filter(|event| event["reason"] == "TokenRevocationFailed").count();
    assert_eq!(failed, 0, "{:#?}", report.events);
}

#[test]
fn a_secret_that_seems_a_former_objects_while_a_claim_is_lost_keeps_its_token_until_it_is_replaced() {
    for at in [601, 640, 662, 700] {
        let lost = Plan::quiet(265, 1, HOUR).fault(Class::Generate, Some(0), 2, Fate::LostAfter);
        well(&lost.with(600, Act::Rotate(0)).with(at, Act::Mark(0, Mark::Former)));
    }
}

#[test]
fn annotations_that_ask_for_something_do_so_once_whatever_stands_there() {
    for (which, name) in REQUESTS.iter().enumerate() {
        for note in [Note::CopiedFrom(1), Note::Empty, Note::Garbage, Note::Gone] {
            let plan = Plan::quiet(5, 2, 2 * HOUR).with(600, Act::Rotate(1)).with(900, Act::Note(0, which, note));
            let report = well(&plan.with(1000, Act::Note(0, which, note)).with(1100, Act::Kill));
            let asks = which == 0 && matches!(note, Note::CopiedFrom(_) | Note::Garbage);
            assert_eq!(made(&report), 3 + usize::from(asks), "{name} {note:?}");
        }
    }
}

#[test]
fn only_the_word_true_lets_tokens_go() {
    well(&Plan::quiet(6, 1, HOUR).with(600, Act::SkipNot(0)).with(700, Act::Delete(0)));
}
