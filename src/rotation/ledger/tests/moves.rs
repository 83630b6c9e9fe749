//! Transitions in random order: no token is lost, none is listed twice, and no list grows without end.

use proptest::prelude::*;

use super::*;

/// One transition. Its numbers are fitted to the ledger when it is applied.
#[derive(Clone, Copy, Debug)]
enum Move {
    Claim(bool),
    Verify,
    Fail(u8),
    Abandon(bool),
    Find(u32),
    Revoke(usize),
    RevokeInVain(usize),
    Reject,
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let any_move = prop_oneof![
        4 => any::<bool>().prop_map(Move::Claim),
        3 => Just(Move::Verify),
        2 => (0..5u8).prop_map(Move::Fail),
        2 => any::<bool>().prop_map(Move::Abandon),
        2 => (1..200u32).prop_map(Move::Find),
        2 => (0..70usize).prop_map(Move::Revoke),
        1 => (0..70usize).prop_map(Move::RevokeInVain),
        1 => Just(Move::Reject),
        1 => (0..40_000u64).prop_map(Move::Pass),
    ];
    prop::collection::vec(any_move, 1..120)
}

fn living(ledger: &Ledger) -> Vec<(u32, TokenId)> {
    let current = ledger.current.iter().map(|current| (current.attempt, current.id.clone()));
    current.chain(ledger.superseded.iter().map(|old| (old.attempt, old.id.clone()))).collect()
}

fn apply(ledger: &mut Ledger, step: Move, now: &mut Time) {
    let open = ledger.claim.clone().filter(|claim| claim.outcome.is_none());
    let living = living(ledger);
    match (step, open) {
        (Move::Claim(attributable), open) => {
            ledger.claimed(claim(ledger.highest_attempt() + 1, *now), open, attributable);
        }
        (Move::Verify, Some(open)) => {
            ledger.verified(&open, current(open.attempt, *now), &[], now.plus(Duration::from_secs(600)));
        }
        (Move::Fail(kind), Some(open)) => {
            let id = id(format!("t{}", open.attempt));
            let leftover = match kind {
                0 => Leftover::Nothing,
                1 => Leftover::Unpublished(id),
                2 => Leftover::Published { id, revoke_after: now.plus(Duration::from_secs(600)), held: true },
                kind => Leftover::Unknown { attributable: kind == 3 },
            };
            ledger.failed(&open, leftover, failure(1, 0), *now);
        }
        (Move::Abandon(attributable), Some(open)) => ledger.abandoned(&open, attributable, failure(1, 0), *now),
        (Move::Find(attempt), _) => ledger.orphans_found(&[row(attempt)], &[], now.plus(Duration::from_secs(600))),
        (Move::Revoke(place), _) => {
            if let Some((attempt, id)) = living.get(place % living.len().max(1)) {
                ledger.revoked(*attempt, id, Proof::Refused, *now);
            }
        }
        (Move::RevokeInVain(place), _) => {
            if let Some((attempt, id)) = living.get(place % living.len().max(1)) {
                ledger.revoke_failed(*attempt, id, FIRST_RETRY, *now);
            }
        }
        (Move::Reject, _) => ledger.rejected(*now),
        (Move::Pass(seconds), _) => *now = now.plus(Duration::from_secs(seconds)),
        (Move::Verify | Move::Fail(_) | Move::Abandon(_), None) => {}
    }
}

#[test]
fn a_use_is_recorded_once_a_day() {
    let mut ledger = Ledger { current: Some(current(1, at(0))), ..Ledger::default() };
    let mut recorded = Vec::new();
    let hours = |hours: u64| at(hours * 3600);
    for hour in [1, 2, 24, 25, 40, 49, 3] {
        ledger.used(hours(hour), hours(50));
        recorded.push(ledger.current.as_ref().and_then(|current| current.last_used_time));
    }
    assert_eq!(recorded, [1, 1, 1, 25, 25, 49, 49].map(|hour| Some(hours(hour))));
    assert_eq!(ledger.facts(), Ledger { current: Some(current(1, at(0))), ..Ledger::default() });
    let mut empty = Ledger::default();
    empty.used(at(0), at(0));
    assert_eq!(empty, Ledger::default());
}

#[test]
fn an_impossible_use_is_not_believed_and_holds_up_no_later_one() {
    let used = |known: Option<u64>, seen: u64, now: u64| {
        let token = Current { last_used_time: known.map(at), ..current(1, at(1000)) };
        let mut ledger = Ledger { current: Some(token), ..Ledger::default() };
        ledger.used(at(seen), at(now));
        ledger.current.and_then(|current| current.last_used_time)
    };
    assert_eq!(used(None, 999, 2000), None, "another token had this id");
    assert_eq!(used(None, 2001, 2000), None, "a use that lies ahead");
    assert_eq!(used(Some(9_000_000), 1500, 2000), Some(at(1500)), "one that was recorded ahead");
    assert_eq!(used(Some(1500), 1600, 2000), Some(at(1500)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_leaves_but_by_being_revoked_and_no_number_falls(moves in moves()) {
        let (mut ledger, mut now) = (Ledger::default(), at(0));
        for step in moves {
            let before = ledger.clone();
            apply(&mut ledger, step, &mut now);
            let gone: Vec<_> = living(&before).into_iter().filter(|(_, id)| !ledger.knows(id)).collect();
            let revoked = matches!(step, Move::Revoke(_));
            prop_assert!(gone.len() <= usize::from(revoked), "{step:?} lost {gone:?}");
            prop_assert!(gone.iter().all(|(_, id)| ledger.history[0].id == *id));
            let newest = |ledger: &Ledger| ledger.claim.as_ref().map_or(0, |claim| claim.attempt);
            prop_assert!(newest(&ledger) >= newest(&before), "{step:?}");
            let ids = living(&ledger);
            prop_assert!(ids.iter().all(|(_, id)| ids.iter().filter(|(_, other)| other == id).count() == 1));
            prop_assert_eq!(ledger.alive(), ids.len());
            prop_assert!(bounded(&ledger), "{step:?}");
            let restored = |old: &Superseded| ledger.current.as_ref().is_some_and(|current| current.id == old.id);
            let verified = matches!(step, Move::Verify);
            prop_assert!(verified || !before.superseded.iter().any(restored), "{step:?}");
        }
    }
}
