//! Whole walks as lists of steps, in a tiny world where every step works. Each ends with what lives at the service and
//! what the Secret holds.
#![allow(clippy::unwrap_used, clippy::panic)]

mod perform;
mod phrase;
mod world;

use crate::rotation::observed::{Row, SecretState};
use world::{World, seconds};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Walks, and compares the steps, the tokens that live, and the one that the Secret holds.
fn check(world: &mut World, horizon: u64, steps: &str, tokens: &[&str], held: Option<&str>) {
    let told = world.walk(horizon).join(", ");
    let wanted = steps.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(told, wanted);
    assert_eq!(world.state(), (tokens.to_vec(), held), "after {told}");
}

/// A rotation is asked for.
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
fn a_rotation_is_tried_before_and_verified_after_publishing_and_the_old_token_gets_its_overlap() {
    let mut world = World::at_rest();
    let steps = "Wait 86400, Preflight, Claim 2, Generate, Try, Update, Verify, Verified, Wait 600, Read, Revoke t1";
    check(&mut world, DAY + HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_process_that_ends_after_the_update_is_followed_up_without_another_generate() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Update");
    world.crash();
    check(&mut world, HOUR, "Read, Sweep, Verify, Verified, Wait 600, Read, Revoke t1", &["t2"], Some("t2"));
}

#[test]
fn a_process_that_ends_after_the_first_update_costs_a_token_since_its_ledger_cannot_be_told_from_a_lost_one() {
    let mut world = World::new();
    world.walk_to("Update");
    world.crash();
    let steps = "Wait 120, Wait 30, Read, Sweep, Supersede t1, Abandon, \
        Wait 30, Preflight, Claim 2, Generate, Try, Update, Verify, Verified, Wait 600, Read, Revoke t1";
    check(&mut world, HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_lost_answer_is_fenced_off_looked_for_and_its_token_revoked_after_an_overlap() {
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
fn a_secret_deleted_by_hand_is_replaced_by_way_of_a_shell() {
    let mut world = World::at_rest();
    world.observed.secrets.seen[0].state = SecretState::Absent;
    world.pass_until(world.now.plus(seconds(10)));
    let steps = "Read, Shell 1, Preflight, Claim 2, Generate, Update, Verify, Verified, Wait 600, Read, Revoke t1";
    check(&mut world, HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_token_refused_after_publishing_is_rolled_back_once_it_must_be_known() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Update");
    world.refused = Some("t2".to_owned());
    let steps = "Verify, Wait 60, Read, Verify, Failed, RollBack 2";
    let told = world.walk(60).join(", ");
    assert!(told.starts_with(steps), "{told}");
    assert_eq!(world.state().1, Some("t1"));
}

#[test]
fn a_token_refused_before_publishing_never_reaches_the_secret_and_dies_at_once() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(DAY)));
    world.walk_to("Generate");
    world.refused = Some("t2".to_owned());
    world.walk_to("Try");
    world.pass_until(world.now.plus(seconds(60)));
    check(&mut world, 20, "Read, GiveUp(Refused), Revoke t2", &["t1"], Some("t1"));
}

#[test]
fn deletion_revokes_at_once_then_takes_the_secret_and_lets_go() {
    let mut world = World::at_rest();
    world.observed.object.deleting = true;
    check(&mut world, HOUR, "Revoke t1, DeleteSecret, Release", &[], None);
    world = World::at_rest();
    ask(&mut world);
    world.walk_to("Generate");
    world.observed.object.deleting = true;
    check(&mut world, HOUR, "GiveUp, Revoke t2, Revoke t1, DeleteSecret, Release", &[], None);
}

#[test]
fn deletion_waits_for_a_claim_that_could_still_land_and_looks_for_its_token() {
    let mut world = World::at_rest();
    ask(&mut world);
    world.walk_to("Generate");
    world.crash();
    world.observed.object.deleting = true;
    let steps = "Read, Revoke t1, Wait 120, Read, Wait 30, Read, Sweep, Revoke t2, DeleteSecret, Release";
    check(&mut world, HOUR, steps, &[], None);
}

#[test]
fn a_lost_ledger_goes_forward_and_the_token_that_the_secret_held_dies_after_an_overlap() {
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
fn a_leaked_token_is_revoked_at_once_and_then_replaced_whatever_else_is_asked_for() {
    let mut world = World::at_rest();
    ask(&mut world);
    world.walk_to("Verified");
    assert_eq!(world.state(), (vec!["t1", "t2"], Some("t2")));
    world.pass_until(world.now.plus(seconds(10)));
    world.desired.revoke_issued_before = Some(world.now);
    world.desired.suspended = true;
    let steps = "RecordLeak, Read, Revoke t2, Revoke t1, Preflight, Claim 3, Generate, Try, Update, Verify, Verified";
    check(&mut world, HOUR, steps, &["t3"], Some("t3"));
    let leak = world.observed.ledger.leak.clone().unwrap();
    assert!(leak.revoked_time.is_some() && leak.replaced_time.is_some(), "{leak:?}");
}

#[test]
fn a_leak_to_come_is_one_of_now_and_fires_once() {
    let mut world = World::at_rest();
    world.pass_until(world.now.plus(seconds(10)));
    world.desired.revoke_issued_before = Some(world.now.plus(seconds(DAY / 2)));
    let steps = "RecordLeak, Read, Revoke t1, Preflight, Claim 2, Generate, Try, Update, Verify, Verified";
    check(&mut world, DAY - HOUR, steps, &["t2"], Some("t2"));
}

#[test]
fn a_leak_spares_what_was_claimed_after_it_and_takes_what_was_in_hand() {
    let mut world = World::at_rest();
    world.desired.revoke_issued_before = Some(world.now.minus(seconds(DAY)));
    check(&mut world, HOUR, "", &["t1"], Some("t1"));
    ask(&mut world);
    world.walk_to("Generate");
    world.desired.revoke_issued_before = Some(world.now.plus(seconds(1)));
    world.now = world.now.plus(seconds(2));
    let steps = "RecordLeak, Revoke t1, GiveUp(Leaked), Revoke t2, Claim 3, Generate, Try, Update, \
        Verify, Verified";
    check(&mut world, HOUR, steps, &["t3"], Some("t3"));
}

#[test]
fn a_token_of_a_twin_stops_everything_until_a_person_confirms() {
    let mut world = World::at_rest();
    ask(&mut world);
    world.walk(HOUR);
    let twin = Row { id: "twin".to_owned(), attempt: 2, nonce: "other".to_owned(), ..world.tokens[0].clone() };
    world.tokens.push(twin);
    world.observed.object.requests.rotate = Some("again".to_owned());
    world.observed.object.requests.confirm = Some("long ago".to_owned());
    world.observed.service.listing = Some(world.tokens.clone());
    world.observed.secrets.seen[0].live = true;
    check(&mut world, 2 * HOUR, "Dispute twin", &["t2", "twin"], Some("t2"));
    world.desired.verification_interval = seconds(HOUR);
    world.observed.facts.accepted = Some(world.now);
    world.pass_until(world.now.plus(seconds(HOUR)));
    world.walk_to("Verify");
    assert!(world.observed.facts.verdict.is_some(), "what the Secret holds is verified all the same");
    world.desired.verification_interval = seconds(0);
    world.observed.object.requests.confirm = Some("now".to_owned());
    world.pass_until(world.now.plus(seconds(10)));
    let steps = "Sweep, Supersede twin, Confirm, Preflight, Claim 3, Generate, Try, Update, Verify, Verified, \
        Wait 600, Read, Revoke twin, Revoke t2";
    check(&mut world, 2 * HOUR, steps, &["t3"], Some("t3"));
}

#[test]
fn a_token_of_an_attempt_that_left_no_trace_here_is_another_clusters() {
    let mut world = World::at_rest();
    for wish in ["1", "2"] {
        world.observed.object.requests.rotate = Some(wish.to_owned());
        world.walk(3 * HOUR);
    }
    world.observed.ledger.history.clear();
    assert_eq!(world.state(), (vec!["t3"], Some("t3")));
    let twin = Row { id: "twin".to_owned(), attempt: 2, nonce: "other".to_owned(), ..world.tokens[0].clone() };
    world.tokens.push(twin);
    world.observed.service.suspected = true;
    world.pass_until(world.now.plus(seconds(10)));
    check(&mut world, HOUR, "Sweep, Dispute twin", &["t3", "twin"], Some("t3"));
}

#[test]
fn numbers_at_the_end_of_their_range_and_a_flood_of_tokens_are_survived() {
    let mut world = World::at_rest();
    world.hold(u32::MAX, Some("forged"), u32::MAX);
    let row = |number: u32| {
        let id = format!("f{number}");
        Row { id, attempt: u32::MAX, nonce: "x".to_owned(), ..Row::default() }
    };
    world.tokens.extend((0..200).map(row));
    world.observed.service.listing = Some(world.tokens.clone());
    world.observed.secrets.seen[0].live = true;
    world.walk(10);
    let kept = world.observed.ledger.superseded.len();
    assert!(kept <= crate::rotation::ledger::MAX_FOUND, "{kept}");
    let told = world.walk(HOUR).join(", ");
    assert!(world.tokens.len() < 201 || !told.contains("Generate"), "{told}");
}
