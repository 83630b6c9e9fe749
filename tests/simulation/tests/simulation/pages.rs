//! Lists with odd pages and odd rows.

use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::plan::Plan;
use simulation::services::Odd;

use super::lives::{made, well};

const HOUR: u32 = 3600;

#[test]
fn a_list_that_only_looks_odd_is_read_to_its_end() {
    for odd in [Odd::Short, Odd::Doubles, Odd::Strange] {
        // The answer to a rotation is lost, and its token must be found; values are lost with the process, and the list proves the revoke.
        let plan = Plan::quiet(1, 6, 2 * HOUR).with(0, Act::OddList(odd, 2 * HOUR));
        let plan = plan.fault(Class::Generate, Some(0), 2, Fate::LostAfter).with(600, Act::Rotate(0));
        let report = well(&plan.with(700, Act::Rotate(1)).with(720, Act::Kill).with(3000, Act::Delete(2)));
        assert_eq!(made(&report), 9, "{odd:?}");
    }
}

#[test]
fn a_list_that_cannot_be_read_to_its_end_is_no_list_and_holds_up_no_rotation() {
    for odd in [Odd::Again, Odd::Endless, Odd::NoNext(404), Odd::NoNext(500), Odd::NoId(true), Odd::NoId(false)] {
        let plan = Plan::quiet(2, 4, 2 * HOUR).with(100, Act::OddList(odd, HOUR)).with(200, Act::Rotate(0));
        let report = well(&plan.with(210, Act::Kill).with(600, Act::Rotate(1)).with(2000, Act::Delete(2)));
        assert_eq!(made(&report), 6, "{odd:?}");
        let rotated =
            report.books.tokens.iter().filter(|token| token.object() == Some(1)).map(|token| token.at.as_secs());
        assert!(rotated.max().is_some_and(|at| (600..720).contains(&at)), "{odd:?}");
    }
}

#[test]
fn a_chain_of_pages_without_an_end_is_given_up() {
    let plan = Plan { per_minute: 6000, ..Plan::quiet(3, 3, 2 * HOUR) }.with(100, Act::OddList(Odd::Endless, HOUR));
    let report = well(&plan.fault(Class::Generate, Some(0), 2, Fate::LostAfter).with(600, Act::Rotate(0)));
    let listed = report.books.calls.get(&Class::List).copied().unwrap_or_default();
    // Whoever needs the list asks again each minute, and gives it up after a thousand pages.
    assert!((1000..=61_000).contains(&listed), "{listed} pages");
}

#[test]
fn ids_that_come_under_two_names_prove_nothing() {
    let plan = Plan::quiet(4, 3, 2 * HOUR).with(100, Act::OddList(Odd::TwoNames, HOUR)).with(200, Act::Rotate(0));
    well(&plan.with(210, Act::Kill).with(600, Act::Delete(1)));
}
