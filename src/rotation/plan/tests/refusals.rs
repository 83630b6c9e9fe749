//! A current token that is refused: one refusal is not yet its death.

use super::world::{World, seconds};
use super::{DAY, HOUR};
use crate::api::time::Time;
use crate::rotation::observed::{Others, ServiceSeen};

/// The service began to refuse the current token, and still lists it.
fn refused() -> World {
    let mut world = World::at_rest();
    world.desired.interval = None;
    world.desired.verification_interval = seconds(HOUR);
    world.refused = Some("t1".to_owned());
    world.walk_to("RecordRefusal");
    world
}

/// How many seconds after the first refusal the token is rejected, within a day.
fn rejected(mut world: World) -> Option<u64> {
    let begun = world.observed.ledger.current.as_ref().and_then(|current| current.refused_time).unwrap();
    let before = world.now;
    while world.now < before.plus(seconds(DAY)) {
        if let Some(rejected) = world.observed.ledger.current.as_ref().and_then(|current| current.rejected_time) {
            return Some(rejected.since(begun).as_secs());
        }
        world.step();
    }
    None
}

fn others(world: &mut World, change: impl Fn(&mut Others, Time)) {
    let begun = world.now;
    change(&mut world.observed.service.others, begun);
}

#[test]
fn one_refusal_is_recorded_and_an_acceptance_forgets_it() {
    let mut world = refused();
    let steps = world.walk(59).join(", ");
    assert_eq!(steps, "", "nothing follows at once");
    world.refused = None;
    let steps = world.walk(HOUR / 2).join(", ");
    assert_eq!(steps, "Wait 60, Sweep, Verify, ForgetRefusal");
    assert_eq!(world.state(), (vec!["t1"], Some("t1")));
}

#[test]
fn it_is_dead_when_it_is_refused_again_after_a_minute_and_another_token_was_accepted_in_between() {
    let mut world = refused();
    others(&mut world, |others, now| (others.accepted, others.answered) = (Some(now), Some(now)));
    assert_eq!(rejected(world), Some(60));
}

#[test]
fn a_clock_that_is_set_back_by_hours_delays_no_death() {
    let mut world = refused();
    world.now = world.now.minus(seconds(5 * HOUR));
    others(&mut world, |others, now| (others.accepted, others.answered) = (Some(now), Some(now)));
    world.observed.facts.ask_again = Some(world.now);
    let begun = world.now;
    world.walk_to("Reject");
    assert_eq!(world.now.since(begun).as_secs(), 60, "{:#?}", world.observed.ledger.current);
}

#[test]
fn a_token_that_has_expired_is_refused_for_that_and_never_counts_as_rejected() {
    let mut world = refused();
    others(&mut world, |others, now| (others.accepted, others.answered) = (Some(now), Some(now)));
    // Its replacement waits.
    world.desired.suspended = true;
    world.observed.ledger.current.as_mut().unwrap().expiration_time = Some(world.now.plus(seconds(30)));
    assert_eq!(rejected(world), None);
}

#[test]
fn an_acceptance_from_before_the_refusal_is_no_control() {
    let mut world = refused();
    let before = world.now.minus(seconds(1));
    others(&mut world, |others, _| (others.accepted, others.answered) = (Some(before), Some(before)));
    assert_eq!(rejected(world), None, "and the list shows it");
}

#[test]
fn where_nothing_but_the_token_itself_can_say_that_it_is_dead_three_refusals_and_ten_minutes_stand_in() {
    let mut world = refused();
    world.observed.service.seen.as_mut().unwrap().attributable = false;
    assert_eq!(rejected(world), Some(720));
}

#[test]
fn a_list_that_lacks_it_and_shows_another_one_of_ours_is_a_control() {
    let mut world = refused();
    world.tokens.clear();
    world.observed.service.lists_others = true;
    assert_eq!(rejected(world), Some(60));
    let mut world = refused();
    world.tokens.clear();
    assert_eq!(rejected(world), Some(720), "an empty list may be another account's");
}

#[test]
fn while_others_are_refused_too_and_the_list_has_it_nothing_says_that_it_is_dead() {
    let mut world = refused();
    world.observed.service.lists_others = true;
    others(&mut world, |others, now| others.answered = Some(now.plus(seconds(DAY))));
    assert_eq!(rejected(world), None);
}

#[test]
fn while_the_service_refuses_most_tokens_nothing_is_dead_and_what_it_said_then_does_not_count() {
    let mut world = refused();
    let seen = world.observed.service.seen;
    others(&mut world, |others, now| (others.accepted, others.answered) = (Some(now), Some(now)));
    world.observed.service.seen = seen.map(|seen| ServiceSeen { trusted: false, ..seen });
    world.walk(HOUR);
    assert_eq!(world.observed.ledger.current.as_ref().unwrap().rejected_time, None);
    world.observed.service.seen = seen;
    let ended = world.now;
    others(&mut world, |others, now| (others.forgiven, others.accepted) = (Some(now), Some(now)));
    let begun = world.observed.ledger.current.as_ref().unwrap().refused_time.unwrap();
    let rejected = rejected(world).unwrap();
    assert!(rejected >= ended.since(begun).as_secs() + 60, "{rejected}");
}

#[test]
fn after_a_crash_three_refusals_and_ten_minutes_are_needed_as_before() {
    let mut world = refused();
    world.walk(500);
    world.crash();
    world.observed.service.seen.as_mut().unwrap().attributable = false;
    world.observed.facts.refusals = 0;
    world.observed.facts.ask_again = None;
    let rejected = rejected(world).unwrap();
    assert!((600..1200).contains(&rejected), "{rejected}");
}

#[test]
fn no_token_is_made_while_the_service_refuses_most_unless_a_person_asks_or_the_secret_was_changed() {
    let refuses = |change: &dyn Fn(&mut World)| {
        let mut world = World::at_rest();
        world.observed.service.seen.as_mut().unwrap().trusted = false;
        world.pass_until(world.now.plus(seconds(2 * DAY)));
        change(&mut world);
        world.walk(10).join(", ").contains("Generate")
    };
    assert!(!refuses(&|_| {}), "the rotation that is due waits");
    assert!(refuses(&|world| world.observed.service.others.accepts_own = true), "it is not about this token");
    assert!(refuses(&super::ask));
    assert!(refuses(&|world| world.hold(1, None, 1)));
    assert!(refuses(&|world| world.desired.revoke_issued_before.object = Some(world.now)));
}

#[test]
fn the_second_replacement_of_a_dead_token_waits_an_hour_unless_a_person_asks() {
    let replaced = |ask: bool| {
        let mut world = World::at_rest();
        world.desired.interval = None;
        world.observed.ledger.rejected(world.now);
        world.walk(HOUR / 4);
        assert_eq!(world.state().1, Some("t2"), "the first one comes at once");
        world.observed.ledger.rejected(world.now);
        if ask {
            super::ask(&mut world);
        }
        world.walk(HOUR / 4);
        let early = world.state().1.map(str::to_owned);
        world.walk(HOUR);
        (early, world.state().1.map(str::to_owned))
    };
    let (t2, t3) = (Some("t2".to_owned()), Some("t3".to_owned()));
    assert_eq!(replaced(false), (t2, t3.clone()));
    assert_eq!(replaced(true), (t3.clone(), t3));
}
