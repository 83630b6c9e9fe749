//! Whole walks as lists of steps, in a tiny world where every step works. Each test ends with the tokens that live at the service
//! and the token that the Secret holds.
#![allow(clippy::unwrap_used, clippy::panic)]

mod asks;
mod deletion;
mod perform;
mod phrase;
mod refusals;
mod troubles;
mod world;

use crate::api::ids::MAX_ATTEMPT;
use crate::api::ids::samples::{id, nonce};
use crate::api::ledger::{Leak, LeakTimes, Proof, Revoked};
use crate::rotation::observed::{Content, Former, Row, SecretState};
use crate::rotation::plan::{Step, next_step};
use world::{World, seconds};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Walks, and compares the steps, the living tokens, and the token in the Secret.
fn check(world: &mut World, horizon: u64, steps: &str, tokens: &[&str], held: Option<&str>) {
    let steps_taken = world.walk(horizon).join(", ");
    let wanted = steps.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(steps_taken, wanted);
    assert_eq!(world.state(), (tokens.to_vec(), held), "after {steps_taken}");
}

/// A person requests a rotation.
fn ask(world: &mut World) {
    world.observed.object.requests.rotate = Some("now".to_owned());
    world.pass_until(world.now.plus(seconds(10)));
}

#[test]
fn a_first_token_takes_three_writes_and_one_generate() {
    let steps = "Preflight, Finalize and claim 1, Generate, Update, Verify, Verified";
    check(&mut World::new(), HOUR, steps, &["t1"], Some("t1"));
}

#[test]
fn a_replacement_is_tried_before_and_verified_after_its_publish_and_the_old_token_gets_its_overlap() {
    let mut world = World::at_rest();
    let steps = "Wait 86400, Preflight, Claim 2, Generate, Try, Update, Verify, Verified, Wait 600, Read, Revoke t1";
    check(&mut world, DAY + HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn what_replaces_the_token_of_a_former_object_is_tried_like_any_replacement() {
    let mut world = World::new();
    let former = Former { id: Some(id("theirs")), content_hash: 9 };
    world.observed.secrets.seen[0].state = SecretState::Former(former);
    world.walk_to("Generate");
    assert_eq!(next_step(&world.desired, &world.observed, world.now), Step::Try);
}

#[test]
fn the_last_number_is_claimed_and_after_it_a_person_is_asked() {
    let mut world = World::at_rest();
    let dead = Revoked {
        attempt: MAX_ATTEMPT - 1,
        id: id("forged"),
        nonce: nonce("forged"),
        revoked_time: world.now,
        proof: Proof::Refused,
    };
    world.observed.ledger.history.push(dead);
    ask(&mut world);
    assert!(world.walk(0).contains(&format!("Claim {MAX_ATTEMPT}")));
    world.observed.object.requests.rotate = Some("again".to_owned());
    world.walk(HOUR);
    let step = next_step(&world.desired, &world.observed, world.now);
    assert!(matches!(step, Step::Halt(halt) if halt.stalled), "a higher number would read back as none");
}

#[test]
fn a_secret_that_was_corrected_a_moment_ago_waits_and_what_else_is_due_does_not() {
    let mut world = World::at_rest();
    let later = world.now.plus(seconds(60));
    world.observed.facts.pauses.drift = Some(later);
    let SecretState::Ours(ours) = &mut world.observed.secrets.seen[0].state else { panic!("ours") };
    ours.content = Content::Edited;
    assert_eq!(next_step(&world.desired, &world.observed, world.now), Step::Wait(Some(later)));
    world.observed.object.requests.rotate = Some("now".to_owned());
    let step = next_step(&world.desired, &world.observed, world.now);
    assert!(matches!(step, Step::Preflight | Step::Claim { .. }), "{step:?}");
    let SecretState::Ours(ours) = &mut world.observed.secrets.seen[0].state else { panic!("ours") };
    (ours.content, ours.rendered) = (Content::Token, false);
    world.observed.object.requests.rotate = None;
    assert_eq!(next_step(&world.desired, &world.observed, world.now), Step::Wait(Some(later)));
    world.observed.facts.pauses.drift = None;
    let step = next_step(&world.desired, &world.observed, world.now);
    assert!(matches!(step, Step::Read | Step::Render), "{step:?}");
}

#[test]
fn a_token_that_was_published_without_asking_is_asked_for_once_the_spec_wants_that() {
    let mut world = World::at_rest();
    let current = world.observed.ledger.current.as_mut().unwrap();
    current.probed = false;
    (world.desired.verification_interval, world.desired.interval) = (seconds(12 * HOUR), None);
    check(&mut world, HOUR, "Verify, RecordProbed", &["t1"], Some("t1"));
    assert!(world.observed.ledger.current.as_ref().unwrap().probed);
}

#[test]
fn a_crash_after_the_update_needs_no_second_generate() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Update");
    world.crash();
    check(&mut world, HOUR, "Read, Sweep, Verify, Verified, Wait 600, Read, Revoke t1", &["t2"], Some("t2"));
}

#[test]
fn a_crash_after_the_first_update_costs_a_token_because_its_ledger_looks_like_a_lost_one() {
    let mut world = World::new();
    world.walk_to("Update");
    world.crash();
    let steps = "Wait 120, Wait 30, Read, Sweep, Supersede t1, Abandon, \
        Wait 30, Preflight, Claim 2, Generate, Try, Update, Verify, Verified, Wait 600, Read, Revoke t1";
    check(&mut world, HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_lost_answer_is_fenced_off_and_its_token_is_found_and_revoked_after_an_overlap() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Generate");
    world.crash();
    let steps = "Wait 120, Wait 30, Read, RaiseFence 2, Sweep, Supersede t2, Abandon, \
        Wait 30, Preflight, Claim 3, Generate, Try, Update, Verify, Verified, \
        Wait 600, Read, Revoke t2, Revoke t1";
    check(&mut world, HOUR, steps, &["t3"], Some("t3"));
}

#[test]
fn a_secret_deleted_by_hand_is_replaced_through_a_placeholder() {
    let mut world = World::at_rest();
    world.observed.secrets.seen[0].state = SecretState::Absent;
    world.pass_until(world.now.plus(seconds(10)));
    let steps =
        "Read, CreatePlaceholder 1, Preflight, Claim 2, Generate, Update, Verify, Verified, Wait 600, Read, Revoke t1";
    check(&mut world, HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_token_refused_after_its_publish_is_rolled_back_once_the_service_must_know_it() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Update");
    world.refused = Some("t2".to_owned());
    let steps = "Verify, Wait 60, Read, Verify, Failed, RollBack 2";
    let steps_taken = world.walk(60).join(", ");
    assert!(steps_taken.starts_with(steps), "{steps_taken}");
    assert_eq!(world.state().1, Some("t1"));
}

#[test]
fn a_token_refused_before_its_publish_never_reaches_the_secret_and_is_revoked_at_once() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Generate");
    world.refused = Some("t2".to_owned());
    world.walk_to("Try");
    world.pass_until(world.now.plus(seconds(60)));
    check(&mut world, 20, "Read, GiveUp(Refused), Revoke t2", &["t1"], Some("t1"));
}

#[test]
fn after_a_lost_ledger_a_new_token_comes_and_the_one_in_the_secret_is_revoked_after_an_overlap() {
    let mut world = World::at_rest();
    ask(&mut world);
    world.walk(2 * HOUR);
    assert_eq!(world.state().1, Some("t2"));
    world.observed.ledger = Default::default();
    world.observed.object.requests.rotate = None;
    world.crash();
    world.pass_until(world.now.plus(seconds(3 * DAY)));
    let steps = "Read, Sweep, Supersede t2, Abandon, Wait 30, Preflight, Claim 3, Generate, Try, Update, Verify, Verified, \
        Wait 600, Read, Revoke t2";
    check(&mut world, 20 * HOUR, steps, &["t3"], Some("t3"));
}

#[test]
fn a_leaked_token_is_revoked_at_once_and_then_replaced_even_if_the_object_is_suspended() {
    let mut world = World::at_rest();
    ask(&mut world);
    world.walk_to("Verified");
    assert_eq!(world.state(), (vec!["t1", "t2"], Some("t2")));
    world.pass_until(world.now.plus(seconds(10)));
    world.desired.revoke_issued_before.object = Some(world.now);
    world.desired.suspended = true;
    let steps = "RecordLeak, Read, Revoke t2, Revoke t1, Preflight, Claim 3, Generate, Try, Update, Verify, Verified";
    check(&mut world, HOUR, steps, &["t3"], Some("t3"));
    let leak = world.observed.ledger.leak.clone().unwrap();
    assert!(leak.revoked_time.is_some() && leak.replaced_time.is_some(), "{leak:?}");
}

#[test]
fn a_leak_time_in_the_future_counts_as_now_and_acts_once() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(10)));
    world.desired.revoke_issued_before.object = Some(world.now.plus(seconds(DAY / 2)));
    let steps = "RecordLeak, Read, Revoke t1, Preflight, Claim 2, Generate, Try, Update, Verify, Verified";
    check(&mut world, DAY - HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_time_that_lies_ahead_in_one_place_hides_no_leak_in_the_other() {
    for ahead_at_object in [true, false] {
        let mut world = World::at_rest();
        world.pass_until(world.now.plus(seconds(10)));
        let ahead = Some(world.now.plus(seconds(30 * DAY)));
        let times = &mut world.desired.revoke_issued_before;
        *(if ahead_at_object { &mut times.object } else { &mut times.service }) = ahead;
        let steps = "RecordLeak, Read, Revoke t1, Preflight, Claim 2, Generate, Try, Update, Verify, Verified";
        check(&mut world, HOUR, steps, &["t2"], Some("t2"));
        world.pass_until(world.now.plus(seconds(10)));
        let now = Some(world.now);
        let times = &mut world.desired.revoke_issued_before;
        *(if ahead_at_object { &mut times.service } else { &mut times.object }) = now;
        let steps = "RecordLeak, Read, Revoke t2, Preflight, Claim 3, Generate, Try, Update, Verify, Verified";
        check(&mut world, HOUR, steps, &["t3"], Some("t3"));
    }
}

#[test]
fn the_one_leak_time_of_an_older_version_fires_for_neither_place_again() {
    for (object, service) in [(true, false), (false, true), (true, true)] {
        let mut world = World::at_rest();
        world.pass_until(world.now.plus(seconds(10)));
        let (ahead, past) = (Some(world.now.plus(seconds(30 * DAY))), world.now.minus(seconds(DAY)));
        world.observed.ledger.leak = Some(Leak {
            issued_before: ahead,
            object_issued_before: None,
            service_issued_before: None,
            claimed_before: past,
            revoked_time: None,
            replaced_time: Some(past),
        });
        world.desired.revoke_issued_before =
            LeakTimes { object: ahead.filter(|_| object), service: ahead.filter(|_| service) };
        check(&mut world, HOUR, "", &["t1"], Some("t1"));
    }
}

#[test]
fn a_leak_is_answered_by_a_process_whose_clock_is_behind_the_claim() {
    let mut world = World::at_rest();
    let claimed = world.observed.ledger.current.as_ref().unwrap().claimed_time;
    world.now = claimed.minus(seconds(1));
    world.desired.revoke_issued_before.object = Some(claimed.plus(seconds(1)));
    let steps = "RecordLeak, Revoke t1, Claim 2, Generate, Try, Update, Verify, Verified";
    check(&mut world, HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_leak_spares_tokens_claimed_after_it_and_ends_the_attempt_in_flight() {
    let mut world = World::at_rest();
    world.desired.revoke_issued_before.object = Some(world.now.minus(seconds(DAY)));
    check(&mut world, HOUR, "", &["t1"], Some("t1"));
    ask(&mut world);
    world.walk_to("Generate");
    world.desired.revoke_issued_before.object = Some(world.now.plus(seconds(1)));
    world.now = world.now.plus(seconds(2));
    let steps = "RecordLeak, Revoke t1, GiveUp(Leaked), Revoke t2, Claim 3, Generate, Try, Update, \
        Verify, Verified";
    check(&mut world, HOUR, steps, &["t3"], Some("t3"));
}

#[test]
fn a_token_of_another_cluster_stops_everything_until_a_person_confirms() {
    let mut world = World::at_rest();
    ask(&mut world);
    world.walk(HOUR);
    let foreign = Row { id: id("other-cluster"), attempt: 2, nonce: nonce("other"), ..world.tokens[0].clone() };
    world.tokens.push(foreign);
    world.observed.object.requests.rotate = Some("again".to_owned());
    world.observed.object.requests.confirm = Some("long ago".to_owned());
    world.observed.service.listing = Some(world.tokens.clone());
    world.observed.secrets.seen[0].live = true;
    check(&mut world, 2 * HOUR, "RecordConflict other-cluster", &["t2", "other-cluster"], Some("t2"));
    world.desired.verification_interval = seconds(HOUR);
    world.observed.facts.accepted = Some(world.now);
    world.pass_until(world.now.plus(seconds(HOUR)));
    world.walk_to("Verify");
    assert!(world.observed.facts.verdict.is_some(), "the token in the Secret is verified even so");
    world.desired.verification_interval = seconds(0);
    world.observed.object.requests.confirm = Some("now".to_owned());
    world.pass_until(world.now.plus(seconds(10)));
    let steps = "Sweep, Supersede other-cluster, ConfirmIdentity, Preflight, Claim 3, Generate, Try, Update, Verify, Verified, \
        Wait 600, Read, Revoke other-cluster, Revoke t2";
    check(&mut world, 2 * HOUR, steps, &["t3"], Some("t3"));
}

#[test]
fn a_token_whose_attempt_left_no_trace_here_belongs_to_another_cluster() {
    let mut world = World::at_rest();
    for request in ["1", "2"] {
        world.observed.object.requests.rotate = Some(request.to_owned());
        world.walk(3 * HOUR);
    }
    world.observed.ledger.history.clear();
    assert_eq!(world.state(), (vec!["t3"], Some("t3")));
    let foreign = Row { id: id("other-cluster"), attempt: 2, nonce: nonce("other"), ..world.tokens[0].clone() };
    world.tokens.push(foreign);
    world.observed.service.suspected = true;
    world.pass_until(world.now.plus(seconds(10)));
    check(&mut world, HOUR, "Sweep, RecordConflict other-cluster", &["t3", "other-cluster"], Some("t3"));
}

#[test]
fn the_decision_survives_numbers_at_the_end_of_their_range_and_a_flood_of_tokens() {
    let mut world = World::at_rest();
    world.hold(u32::MAX, Some(id("forged")), u32::MAX);
    let row = |number: u32| Row::new(id(format!("f{number}")), u32::MAX, nonce("x"));
    world.tokens.extend((0..200).map(row));
    world.observed.service.listing = Some(world.tokens.clone());
    world.observed.secrets.seen[0].live = true;
    world.walk(10);
    let kept = world.observed.ledger.superseded.len();
    assert!(kept <= crate::rotation::ledger::MAX_ORPHANS, "{kept}");
    let steps_taken = world.walk(HOUR).join(", ");
    assert!(world.tokens.len() < 201 || !steps_taken.contains("Generate"), "{steps_taken}");
}
