//! What a person is asked for.

use crate::api::ledger::{Current, HandOver};
use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Content, InFlight, Offer, OfferState, SecretState};
use crate::rotation::plan::hand_over_due;

use super::world::{World, seconds};

/// An object at rest at a service without an API for tokens: its token was handed over, and its value is in memory.
fn by_hand() -> World {
    let mut world = World::at_rest();
    world.observed.service.seen.as_mut().unwrap().by_hand = true;
    world.observed.facts.holds_previous = true;
    world.observed.in_flight = InFlight::Nothing;
    let handed = |current: &mut Current| current.hand_over = Some(secret("u", "1"));
    handed(world.observed.ledger.current.as_mut().unwrap());
    world
}

fn secret(uid: &str, version: &str) -> HandOver {
    HandOver { uid: uid.to_owned(), resource_version: version.to_owned() }
}

fn lost(world: &mut World) {
    for seen in &mut world.observed.secrets.seen {
        if let SecretState::Ours(ours) = &mut seen.state {
            ours.content = Content::Edited;
        }
    }
}

fn asks(world: &World) -> String {
    hand_over_due(&world.desired, &world.observed, world.now).unwrap_or_default()
}

#[test]
fn a_person_is_asked_for_what_only_a_person_can_bring() {
    let check = |change: &dyn Fn(&mut World), words: &str| {
        let mut world = by_hand();
        change(&mut world);
        let said = asks(&world);
        assert!(if words.is_empty() { said.is_empty() } else { said.contains(words) }, "{said:?}, not {words:?}");
    };
    let request = |world: &mut World| world.observed.object.requests.rotate = Some("now".to_owned());
    check(&|_| {}, "");
    check(&request, "a new token is asked for");
    // The value is in memory, so the token is put back; without it a person must make another one.
    check(&lost, "");
    check(
        &|world| {
            lost(world);
            world.observed.facts.holds_previous = false;
        },
        "the Secret lost the token",
    );
    // It is put back, and is to be replaced all the same.
    check(
        &|world| {
            lost(world);
            request(world);
        },
        "a new token is asked for",
    );
    check(
        &|world| {
            lost(world);
            let current = world.observed.ledger.current.as_mut().unwrap();
            current.reminded_days = Some(7);
            current.expiration_time = Some(world.now.plus(seconds(7 * 86_400)));
            world.desired.rotate_before = Some(seconds(1));
        },
        "expires at",
    );
    check(
        &|world| {
            request(world);
            world.desired.halt = Some(Halt::stalled(Reason::InvalidSpec, "no"));
        },
        "",
    );
    check(
        &|world| {
            request(world);
            let old = serde_json::json!({"attempt": 0, "id": "old", "nonce": "aaaaaaaa", "revokeAfterTime": "2099-01-01T00:00:00Z"});
            world.observed.ledger.superseded = vec![serde_json::from_value(old).unwrap(); 9];
        },
        "",
    );
    let offers = |world: &mut World, state: OfferState| {
        request(world);
        world.observed.by_hand.offer = Some(Offer { secret: secret("new", "7"), state });
    };
    check(&|world| offers(world, OfferState::Ready), "");
    check(
        &|world| offers(world, OfferState::Refused("it has no value".to_owned())),
        "not taken up: it has no value. A new one",
    );
}
