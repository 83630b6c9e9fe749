//! Which failures still matter.

use super::world::{World, seconds};
use crate::rotation::now::Now;
use crate::rotation::step_kind::{Cause, StepKind};

fn matters(world: &World, cause: Cause) -> bool {
    cause.matters(&world.desired, &world.observed, Now::from(world.now))
}

#[test]
fn a_failed_list_matters_only_while_a_list_is_needed() {
    let mut world = World::at_rest();
    let list = Cause::Step(StepKind::Sweep);
    world.observed.facts.pauses.sweep = Some(world.now.plus(seconds(60)));
    assert!(!matters(&world, list));
    world.observed.service.suspected = true;
    assert!(matters(&world, list), "its pause does not hide it");
}

#[test]
fn a_failed_verification_matters_until_nobody_asks_for_it_any_more() {
    let mut world = World::at_rest();
    let verify = Cause::Step(StepKind::Verify);
    world.desired.verification_interval = seconds(12 * 3600);
    world.observed.facts.accepted = Some(world.now);
    world.observed.facts.pauses.verify = Some(world.now.plus(seconds(60)));
    assert!(!matters(&world, verify));
    world.observed.facts.doubtful = true;
    assert!(matters(&world, verify));
}

#[test]
fn a_lost_answer_matters_until_its_attempt_has_an_outcome() {
    let mut world = World::at_rest();
    assert!(!matters(&world, Cause::Lost(1)));
    world.observed.object.requests.rotate = Some("now".to_owned());
    world.walk_to("Generate");
    world.crash();
    assert!(matters(&world, Cause::Lost(2)) && !matters(&world, Cause::Lost(1)));
    world.walk_to("Abandon");
    assert!(!matters(&world, Cause::Lost(2)), "the ledger tells it from now on");
}
