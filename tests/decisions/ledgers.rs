//! The ledgers on the axis `ledger`.

use artifact_token_operator::api::ids::TokenId;
use artifact_token_operator::api::ledger::{
    Claim, Conflict, Current, HandOver, Leak, Ledger, Lost, MAX_LIVE, Outcome, Proof, Refusals, Replaced, Revoked,
    Superseded,
};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::desired::Halt;

use super::inputs::{NOW, Value, World, ago, claimed, handed_over, in_seconds, nonce, token_id, unclear};

const DAY: u64 = 24 * 3600;

pub const LEDGER: &[Value] = &[
    ("verified", |_| {}),
    ("empty", |world| world.observed.ledger = Ledger::default()),
    ("empty, fresh object", |world| {
        world.observed.ledger = Ledger::default();
        world.observed.object.created = ago(10);
    }),
    ("empty, by hand", |world| {
        world.observed.ledger = Ledger::default();
        world.observed.object.unclaimed = true;
        world.observed.service.seen = None;
        world.observed.facts.halt = Some(Halt::stalled(Reason::NamespaceNotAllowed, "not allowed"));
    }),
    ("first claim", |world| {
        world.observed.ledger = Ledger { claim: Some(claimed(1, 10, None)), ..Ledger::default() };
    }),
    ("first value given up", |world| {
        world.observed.object.created = ago(10);
        let claim = Some(claimed(1, 10, Some(Outcome::Failed)));
        let superseded = vec![Superseded { unpublished: true, ..old(1, "first", ago(1)) }];
        world.observed.ledger = Ledger { claim, superseded, ..Ledger::default() };
    }),
    ("first value revoked", |world| {
        world.observed.object.created = ago(10);
        let (id, nonce) = (token_id("first"), nonce("first"));
        let history = vec![Revoked { attempt: 1, id, nonce, revoked_time: ago(1), proof: Proof::Refused }];
        let claim = Some(claimed(1, 10, Some(Outcome::Failed)));
        world.observed.ledger = Ledger { claim, history, ..Ledger::default() };
    }),
    ("open claim", |world| world.observed.ledger.claim = Some(claimed(4, 10, None))),
    ("open claim, settled", |world| world.observed.ledger.claim = Some(claimed(4, 150, None))),
    ("in overlap", |world| world.observed.ledger.superseded = vec![old(2, "old", in_seconds(300))]),
    ("past overlap", |world| world.observed.ledger.superseded = vec![old(2, "old", ago(1))]),
    ("past, back-off", |world| {
        world.observed.ledger.superseded = vec![Superseded { tries: 1, ..old(2, "old", ago(1)) }];
        world.observed.ledger.superseded[0].next_try_time = Some(in_seconds(40));
    }),
    ("failed unpublished", |world| {
        world.observed.ledger.claim = Some(claimed(4, 100, Some(Outcome::Failed)));
        world.observed.ledger.superseded = vec![Superseded { unpublished: true, ..old(4, "new", ago(1)) }];
    }),
    ("failed", |world| {
        world.observed.ledger.claim = Some(claimed(4, 100, Some(Outcome::Failed)));
        world.observed.ledger.superseded = vec![Superseded { held: true, ..old(4, "new", in_seconds(500)) }];
    }),
    ("failed, past", |world| {
        world.observed.ledger.claim = Some(claimed(4, 900, Some(Outcome::Failed)));
        world.observed.ledger.superseded = vec![Superseded { held: true, ..old(4, "new", ago(1)) }];
    }),
    ("rejected", |world| {
        if let Some(current) = &mut world.observed.ledger.current {
            current.rejected_time = Some(ago(5));
        }
    }),
    ("rejected, back-off", |world| {
        world.observed.ledger.rejected(ago(5));
        world.observed.ledger.refusals =
            Some(Refusals { count: 2, last_time: ago(5), next_replacement_time: in_seconds(3000) });
    }),
    ("refused just now", |world| world.observed.ledger.refused(ago(5))),
    ("refused, settled", |world| world.observed.ledger.refused(ago(70))),
    ("refused for long", |world| world.observed.ledger.refused(ago(700))),
    ("lost", |world| {
        world.observed.ledger.claim = Some(claimed(4, 150, Some(Outcome::Failed)));
        world.observed.ledger.lost = vec![Lost { attempt: 4, nonce: nonce("n4"), time: ago(150) }];
    }),
    ("leak noticed", |world| {
        world.observed.ledger.superseded = vec![old(2, "old", in_seconds(300))];
        world.observed.ledger.leak = Some(leak(None));
    }),
    ("leaked, revoked", |world| {
        world.observed.ledger.leak = Some(Leak { revoked_time: Some(ago(3)), ..leak(None) });
        world.observed.ledger.current = None;
    }),
    ("leaked, open claim", |world| {
        world.observed.ledger.claim = Some(claimed(4, 10, None));
        world.observed.ledger.leak = Some(Leak { revoked_time: Some(ago(3)), ..leak(None) });
        world.observed.ledger.current = None;
    }),
    ("leak answered", |world| {
        world.observed.ledger.leak = Some(Leak { claimed_before: ago(3 * DAY), ..leak(Some(ago(DAY))) })
    }),
    ("identity conflict", |world| {
        world.observed.ledger.superseded = vec![old(2, "old", ago(1))];
        world.observed.ledger.conflict = Some(Conflict { attempt: 9, id: token_id("other-cluster") });
    }),
    ("no room", |world| {
        let in_overlap = |place: usize| old(2, &format!("old-{place}"), in_seconds(300));
        world.observed.ledger.superseded = (2..MAX_LIVE).map(in_overlap).collect();
    }),
    ("handed over", |world| by_hand(world)),
    ("handed over, refused by the service", |world| {
        by_hand(world);
        world.observed.ledger.rejected(ago(5));
    }),
    ("handed over, expires soon", |world| {
        by_hand(world);
        let current = world.observed.ledger.current.as_mut().unwrap();
        current.expiration_time = Some(in_seconds(6 * DAY));
        current.issued_time = ago(359 * DAY);
    }),
    ("handed over, leaked", |world| {
        by_hand(world);
        world.observed.ledger.leak = Some(leak(None));
    }),
    ("handed over, past overlap", |world| {
        by_hand(world);
        world.observed.ledger.superseded = vec![old_by_hand(ago(1))];
    }),
    ("handed over, in overlap", |world| {
        by_hand(world);
        world.observed.ledger.superseded = vec![old_by_hand(in_seconds(300))];
    }),
    ("taking up", |world| {
        by_hand(world);
        world.observed.ledger.claim = Some(Claim { hand_over: Some(handed_over()), ..claimed(4, 10, None) });
    }),
    ("taking up, leaked", |world| {
        by_hand(world);
        world.observed.ledger.claim = Some(Claim { hand_over: Some(handed_over()), ..claimed(4, 10, None) });
        world.observed.ledger.leak = Some(leak(None));
    }),
    ("not taken up", |world| {
        by_hand(world);
        let claim = claimed(4, 10, Some(Outcome::Failed));
        world.observed.ledger.claim = Some(Claim { hand_over: Some(handed_over()), ..claim });
    }),
    ("replaced, recorded", |world| {
        world.observed.ledger.replaced = Some(Replaced { id: token_id("theirs"), until_time: None });
    }),
    ("verified, no digest", |world| requested_with(world, "")),
    ("other parameters", |world| requested_with(world, "other")),
    ("verified, not probed", |world| {
        world.observed.ledger.current.iter_mut().for_each(|current| current.probed = false)
    }),
    ("verified, unclear", |world| {
        world.observed.ledger.current.iter_mut().for_each(|current| current.unclear = Some(unclear()));
    }),
];

/// Attempt 3 is current, verified a day ago.
pub fn verified() -> Ledger {
    let current = Current {
        attempt: 3,
        id: token_id("current"),
        nonce: nonce("n3"),
        credentials_revision: String::new(),
        hint: None,
        request_digest: "digest".to_owned(),
        claimed_time: ago(DAY + 4),
        issued_time: ago(DAY + 3),
        published_time: ago(DAY + 2),
        verified_time: ago(DAY + 1),
        probed: true,
        refused_time: None,
        rejected_time: None,
        unclear: None,
        last_used_time: None,
        hand_over: None,
        reminded_days: None,
        expiration_time: None,
        secret_resource_version: "7".to_owned(),
    };
    Ledger { claim: Some(claimed(3, DAY, Some(Outcome::Verified))), current: Some(current), ..Ledger::default() }
}

/// Attempt 3 was handed over; the Secret holds it as it held the other one.
fn by_hand(world: &mut World) {
    let current = world.observed.ledger.current.as_mut().unwrap();
    current.id = TokenId::of_hand_over(3);
    current.hand_over = Some(HandOver { uid: "before".to_owned(), ..handed_over() });
}

fn old_by_hand(revoke_after_time: Time) -> Superseded {
    Superseded { handed_over: true, ..old(2, "hand-over-2", revoke_after_time) }
}

/// The current token was requested with this digest.
fn requested_with(world: &mut World, digest: &str) {
    if let Some(current) = &mut world.observed.ledger.current {
        digest.clone_into(&mut current.request_digest);
    }
}

/// All tokens up to now leaked.
fn leak(replaced_time: Option<Time>) -> Leak {
    Leak {
        issued_before: None,
        object_issued_before: Some(NOW),
        service_issued_before: None,
        claimed_before: NOW,
        revoked_time: None,
        replaced_time,
    }
}

fn old(attempt: u32, id: &str, revoke_after_time: Time) -> Superseded {
    Superseded {
        attempt,
        id: token_id(id),
        nonce: nonce(&format!("n{attempt}")),
        credentials_revision: String::new(),
        claimed_time: Some(ago(2 * DAY)),
        revoke_after_time,
        unpublished: false,
        held: false,
        rejected_time: None,
        handed_over: false,
        hint: None,
        tries: 0,
        next_try_time: None,
        failure: String::new(),
    }
}
