//! A limit is not a failure: many objects at a service that allows few calls.

use std::time::Duration;

use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::life::Report;
use simulation::plan::Plan;

use super::lives::well;

/// Objects that share a limit of 60 calls a minute.
const CROWD: usize = 60;
/// When all of them have their first token.
const ISSUED: u32 = 900;

/// A life of the crowd with so many objects created at the beginning.
fn crowd(created: usize, seconds: u32) -> Plan {
    let mut plan = Plan { per_minute: 60, ..Plan::quiet(1, CROWD, seconds) };
    plan.acts.truncate(created);
    plan
}

/// When the last token of ours was made, and when the last one died.
fn last(report: &Report) -> (Duration, Duration) {
    let own = || report.books.tokens.iter().filter(|token| token.own_name().is_some());
    let died = own().filter_map(|token| token.died).max().unwrap_or_default();
    (own().map(|token| token.at).max().unwrap_or_default(), died)
}

#[test]
fn first_tokens_and_the_deletion_of_all_take_the_minutes_that_the_limit_allows() {
    let report = well(&crowd(CROWD, 3600).with(ISSUED, Act::DeleteAll));
    let (made, died) = last(&report);
    // A first token takes two calls, and keeps the place of a third until it is published.
    assert!(made < Duration::from_secs(4 * 60), "{made:?}");
    let deletion = died.saturating_sub(Duration::from_secs(ISSUED.into()));
    // The question whether it lives, the revoke, and its proof: 180 calls, of which 15 go at once.
    assert!(deletion < Duration::from_secs(4 * 60), "{deletion:?}");
    let tried = report.events.iter().filter(|event| event["reason"] == "TokenRevocationFailed").count();
    assert_eq!(tried, 0, "{:#?}", report.events);
}

#[test]
fn a_rotation_does_not_wait_for_the_first_tokens_of_others() {
    let mut plan = crowd(1, 3600);
    for index in 1..CROWD {
        plan = plan.with(300, Act::Create(index));
    }
    let report = well(&plan.with(310, Act::Rotate(0)));
    let of_first = report.books.tokens.iter().filter(|token| token.object() == Some(0)).map(|token| token.at);
    let (rotated, asked) = (of_first.max().unwrap(), Duration::from_secs(310));
    assert!(rotated > asked && rotated < asked + Duration::from_secs(60), "{rotated:?}");
    assert!(last(&report).0 > rotated + Duration::from_secs(60), "the others were still waiting");
}

#[test]
fn nobody_waits_for_longer_than_an_hour_while_others_want_more_than_the_limit_allows() {
    let (objects, last) = (40, 39);
    let mut plan = Plan { per_minute: 6, ..Plan::quiet(1, objects, 4 * 3600) };
    plan.acts.truncate(last);
    // Their rotations alone take 40 minutes each time, and come before a first token.
    for at in (3600..9000).step_by(1200) {
        plan = (0..last).fold(plan, |plan, index| plan.with(at, Act::Rotate(index)));
    }
    let plan = plan.with(3700, Act::Create(last));
    let report = plan.run(false);
    // They want more than the limit allows, so that no rotation can come soon.
    assert!(report.laws().iter().all(|law| *law == "L2"), "{plan}{}", report.complaint());
    let first = report.books.tokens.iter().find(|token| token.object() == Some(last)).expect("it was made").at;
    assert!(first > Duration::from_secs(3700 + 1200), "it did not wait: {first:?}");
    assert!(first < Duration::from_secs(3700 + 3600), "{first:?}");
}

#[test]
fn a_deletion_that_must_list_first_ends_although_the_limit_is_small() {
    let plan = Plan { per_minute: 6, ..Plan::quiet(1, 1, 3600).fault(Class::Generate, Some(0), 1, Fate::LostAfter) };
    let report = well(&plan.with(150, Act::Delete(0)));
    let died: Vec<_> =
        report.books.tokens.iter().filter(|token| token.own_name().is_some()).map(|token| token.died).collect();
    let in_time = |died: &Option<Duration>| died.is_some_and(|died| died < Duration::from_secs(900));
    assert!(died.len() == 1 && died.iter().all(in_time), "{died:?}");
}

#[test]
fn a_list_that_fails_does_not_keep_a_new_token_from_being_made() {
    // An answer of generate is lost before anything is made. When the token is looked for again, the list fails.
    let plan = Plan::quiet(1, 1, 3000).fault(Class::Generate, Some(0), 2, Fate::LostBefore);
    let plan = plan.with(200, Act::Rotate(0)).with(500, Act::ListFails(500, 2400)).with(1500, Act::DeleteSecret(0));
    let report = well(&plan);
    let (made, deleted) = (last(&report).0, Duration::from_secs(1500));
    assert!(made > deleted && made < deleted + Duration::from_secs(120), "{made:?}");
}
