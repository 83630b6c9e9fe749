//! The API server refuses, is not there, or forgets; the service fails in part.

use simulation::act::Act;
use simulation::api_server::{Backup, Trouble};
use simulation::fate::{Class, Fate};
use simulation::plan::Plan;
use simulation::services::Odd;

use super::lives::{made, well};
use super::mutations::late_publish;

const HOUR: u32 = 3600;

#[test]
fn half_an_hour_without_the_api_server_or_without_rights_costs_no_token() {
    for trouble in [Trouble::Down, Trouble::NoSecrets, Trouble::NoSecretReads, Trouble::NoStatus, Trouble::NoRights] {
        let plan = Plan::quiet(1, 3, 2 * HOUR).with(600, Act::Api(trouble, 1800));
        let report = well(&plan.with(900, Act::Kill).with(1000, Act::Reconcile(0)));
        assert_eq!(made(&report), 3, "{trouble:?}");
    }
}

#[test]
fn a_write_that_will_be_refused_is_tried_before_a_token_is_made() {
    for trouble in [Trouble::Quota, Trouble::Admission(403), Trouble::Admission(500), Trouble::NoSecrets] {
        let plan = Plan::quiet(2, 2, 2 * HOUR).with(0, Act::Api(trouble, 3000));
        assert_eq!(made(&well(&plan)), 2, "{trouble:?}");
    }
    let rotated = Plan::quiet(3, 1, 2 * HOUR).with(600, Act::Api(Trouble::Admission(403), 3000));
    assert_eq!(made(&well(&rotated.with(700, Act::Rotate(0)))), 2);
}

#[test]
fn a_shorter_overlap_takes_nothing_from_one_that_has_begun() {
    let plan = Plan { overlap_seconds: 600, ..Plan::quiet(4, 1, HOUR) };
    let report = well(&plan.with(600, Act::Rotate(0)).with(700, Act::EditOverlap(0, 10)));
    let own: Vec<_> = report.books.tokens.iter().filter(|token| token.own_name().is_some()).collect();
    let lived = (own[0].died.unwrap() - own[1].at).as_secs();
    assert!((600..660).contains(&lived), "{lived} s");
}

#[test]
fn an_operation_that_fails_for_a_while_is_done_afterwards() {
    for class in [Class::Generate, Class::Verify, Class::Revoke] {
        for status in [403, 500, 503] {
            let plan = Plan::quiet(5, 2, 2 * HOUR).with(600, Act::OneFails(class, status, 1200));
            let report = well(&plan.with(700, Act::Rotate(0)).with(710, Act::Delete(1)));
            assert!(class == Class::Verify || made(&report) == 3, "{class:?} {status}: {}", made(&report));
        }
    }
}

#[test]
fn a_list_that_is_odd_ends_no_token_and_makes_none() {
    for odd in [Odd::Empty, Odd::Forgets, Odd::Dead, Odd::Renamed] {
        let plan = Plan::quiet(6, 4, 4 * HOUR).with(100, Act::OddList(odd, 3 * HOUR));
        let report = well(&plan.with(200, Act::Rotate(0)).with(210, Act::Kill).with(4000, Act::Rotate(1)));
        assert_eq!(made(&report), 6, "{odd:?}");
    }
}

#[test]
fn a_list_that_changes_names_takes_no_token_for_dead() {
    // While somebody fights over the Secret, the values of its tokens get lost, and only the list can prove a revoke.
    let plan = Plan::quiet(300_009, 1, 600).with(45, Act::Fight(0, true, 1925));
    well(&plan.with(78, Act::OddList(Odd::Renamed, 1112)));
}

#[test]
fn a_token_whose_secret_cannot_be_written_is_asked_about_with_the_value_there_when_its_object_goes() {
    // The list leaves it out, and shows others: without the value that would be a proof.
    let plan = Plan::quiet(100_011, 2, 1800).with(52, Act::Immutable(1)).with(96, Act::OddList(Odd::Forgets, 1605));
    well(&plan.with(852, Act::Delete(1)));
}

#[test]
fn dead_tokens_in_a_list_are_anothers_where_the_ledger_has_forgotten_them_until_a_person_confirms() {
    let plan = Plan { hours: 1, ..Plan::quiet(418, 2, 20 * HOUR) };
    well(&plan.with(17 * HOUR, Act::OddList(Odd::Dead, HOUR)));
}

#[test]
fn the_credential_of_another_account_ends_no_token_and_makes_none() {
    let plan = Plan::quiet(7, 4, 4 * HOUR).with(600, Act::OtherAccount(3 * HOUR));
    assert_eq!(made(&well(&plan)), 4);
}

#[test]
fn a_credential_that_was_wrong_for_a_while_delays_no_deletion() {
    // The token expires, so only the list can say that it is gone: of the same credential as it was generated with.
    let plan = Plan { life_hours: 4, ..Plan::quiet(30_327, 1, 10 * HOUR) };
    let plan = plan.with(37, Act::Immutable(0)).with(40, Act::WrongCredential(1045));
    well(&plan.with(5 * HOUR, Act::Delete(0)));
}

#[test]
fn an_older_copy_of_a_secret_is_corrected_and_one_in_another_namespace_left_alone() {
    let plan = Plan::quiet(8, 1, 2 * HOUR).with(600, Act::Rotate(0)).with(1000, Act::CopyAbroad(0));
    well(&plan.with(1200, Act::RestoreSecret(0, 700)));
}

#[test]
fn a_store_that_forgets_costs_a_token_each_at_most() {
    for backup in [Backup::Statuses, Backup::Onward, Backup::Back] {
        let plan = Plan::quiet(9, 3, 2 * HOUR).with(600, Act::Rotate(0)).with(1500, Act::Restore(backup, 1000));
        let made = made(&well(&plan));
        assert!((4..=7).contains(&made), "{backup:?}: {made}");
    }
}

#[test]
fn no_secret_is_made_for_an_object_that_went_while_a_cache_still_shows_it() {
    // The store goes back behind its versions, so a watch that goes on says nothing of what happens next.
    for deleted in [90, 94, 96, 98, 110] {
        for back in [50, 7200] {
            let plan = Plan::quiet(100_119, 1, 600).with(82, Act::Restore(Backup::Back, back));
            well(&plan.with(deleted, Act::Delete(0)));
        }
    }
}

#[test]
fn a_service_object_that_is_made_again_finds_its_tokens_as_they_were() {
    let plan = Plan::quiet(10, 3, 2 * HOUR).with(600, Act::RemakeService(600)).with(700, Act::Reconcile(0));
    assert_eq!(made(&well(&plan)), 3);
}

#[test]
fn a_ledger_that_went_back_behind_a_dead_token_gets_on_once_a_person_has_confirmed() {
    // Its current token is dead at the service, and the Secret holds a later one.
    let plan = Plan { overlap_seconds: 600, ..Plan::quiet(24, 2, 10 * HOUR) };
    well(&plan.with(51, Act::EditInterval(1, 1)).with(17_596, Act::Restore(Backup::Statuses, 2 * HOUR)));
}

#[test]
fn a_publish_that_lands_after_the_next_rotation_changes_nothing() {
    assert_eq!(made(&well(&late_publish())), 3);
}

#[test]
fn the_creation_of_a_secret_that_lands_after_the_deletion_of_its_object_leaves_nothing_behind() {
    // The third write creates the Secret. It is on the wire for a minute, its answer does not come, and the object is deleted meanwhile.
    let plan = Plan::quiet(200_167, 1, 600).with(6, Act::Delete(0));
    well(&plan.fault(Class::ApiWrite, Some(0), 3, Fate::Late(59)));
}
