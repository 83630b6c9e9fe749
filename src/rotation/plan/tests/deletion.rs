//! Walks of objects that are deleted.

use super::world::{World, seconds};
use super::{HOUR, ask, check};
use crate::api::ids::samples::id;

#[test]
fn deletion_revokes_at_once_then_deletes_the_secret_and_releases_the_object() {
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
fn deletion_waits_while_a_first_publish_that_was_given_up_could_still_create_the_secret() {
    let mut world = World::new();
    world.walk_to("Generate");
    world.observed.object.deleting = true;
    check(&mut world, HOUR, "GiveUp, Revoke t1, Wait 30, Read, Wait 120, Read, Release", &[], None);
}

#[test]
fn a_first_secret_that_lands_during_its_objects_deletion_goes_with_it() {
    let mut world = World::new();
    world.walk_to("Generate");
    world.observed.object.deleting = true;
    world.walk(60);
    world.hold(1, Some(id("t1")), 1);
    world.pass_until(world.now.plus(seconds(10)));
    check(&mut world, HOUR, "Read, DeleteSecret, Wait 110, Read, Release", &[], None);
}
