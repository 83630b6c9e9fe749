//! The sweep of the whole service, with the real rules: which listed tokens have an owner (`sort`), and which of the others may be revoked
//! (`revocable`).
//!
//! The sweep looks at the objects as the watch shows them, and a watch may be behind. A view that has an owner for each token ends it. The
//! worst view is that of a watch that has not seen the object: it has no owner for anything, and the sweep reads the objects live. All views
//! in between lead to one of the two. A watch that still shows an object that is gone is left out: it only puts a revoke off.

use std::collections::HashMap;
use std::time::Duration;

use artifact_token_operator::api::ledger::Ledger;
use artifact_token_operator::api::token_service::sweep::Orphan;
use artifact_token_operator::rotation::identity::{self, Name};
use artifact_token_operator::rotation::service_sweep::{Findings, NamedToken, Owner, grace, sort};

use super::bridge::{self, NOW};
use super::mutations::Mutation;
use super::setup::{Fault, Label, Move, Setup};
use super::tokens::{Set, Token};
use super::world::{State, Sweep, SweepAt};

const PREFIX: &str = "model";
const HOUR: Duration = Duration::from_secs(3600);

pub fn moves(setup: &Setup, state: &State, moves: &mut Vec<Move>) {
    if !setup.sweeps {
        return;
    }
    match state.sweep.at {
        SweepAt::Idle if !state.list_fails => list(setup, state, moves),
        SweepAt::Idle => {}
        SweepAt::Listed => {
            let found = look(setup, state, state.sweep.rows, true);
            let mut judged = *state;
            judge(setup, &mut judged, &found);
            let wrong = disputed(state, &judged.sweep);
            push(state, moves, "the sweep reads the objects after its list", 0, wrong, |state| *state = judged);
        }
        SweepAt::Revoking => state.sweep.rows.iter().for_each(|token| revoke(state, token, moves)),
    }
}

fn push(
    state: &State,
    moves: &mut Vec<Move>,
    what: &'static str,
    number: u8,
    wrong: Option<&'static str>,
    change: impl FnOnce(&mut State),
) {
    let mut state = *state;
    change(&mut state);
    moves.push(Move { label: Label { who: None, what, number }, state, wrong });
}

/// The list, and a look at the objects as the watch shows them.
fn list(setup: &Setup, state: &State, moves: &mut Vec<Move>) {
    let rows = state.alive.without(Token::STRANGER);
    if setup.broken(Mutation::SweepTrustsWatch) {
        let found = look(setup, state, rows, false);
        return push(state, moves, "the sweep lists, and no watch shows an owner", 0, None, |state| {
            judge(setup, state, &found);
        });
    }
    if look(setup, state, rows, true).all_have_owners() {
        if state.sweep != Sweep::default() {
            push(state, moves, "the sweep finds an owner of each token", 0, None, |state| {
                state.sweep = Sweep::default();
            });
        }
    } else {
        push(state, moves, "the sweep lists the service", 0, None, |state| {
            state.sweep.at = SweepAt::Listed;
            state.sweep.rows = rows;
        });
    }
}

/// What the sweep makes of these rows, if it sees the object as it is now, or none.
fn look(setup: &Setup, state: &State, rows: Set, seen: bool) -> Findings {
    let listed = rows.iter().map(|token| named(token, state));
    let owners: HashMap<String, Owner> = owner(setup, state).filter(|_| seen).into_iter().collect();
    let mut found = sort(PREFIX, listed, &owners, true, NOW);
    if setup.broken(Mutation::SweepSkipsClaims) && state.object.exists {
        let known = state.object.book.known().and(state.facts.former);
        let claimed = rows.but(known).iter().map(|token| named(token, state));
        found.ownerless = found.ownerless.map(|ownerless| ownerless.into_iter().chain(claimed).collect());
    }
    found
}

fn owner(setup: &Setup, state: &State) -> Option<(String, Owner)> {
    let object = &state.object;
    let mut ledger = bridge::ledger(object, &state.facts);
    if setup.broken(Mutation::SweepForgetsReplaced) {
        ledger = Ledger { replaced: None, ..ledger };
    }
    if setup.broken(Mutation::SweepIgnoresDispute) {
        ledger = Ledger { conflict: None, ..ledger };
    }
    let unseen = object.unseen && !setup.broken(Mutation::SweepPassesUnseen);
    let owner = Owner { ledger, overlap: HOUR, concerned: true, unseen };
    object.exists.then(|| (uid(false).to_owned(), owner))
}

fn uid(former: bool) -> &'static str {
    if former { "former" } else { "present" }
}

fn named(token: Token, state: &State) -> NamedToken {
    let uid16 = identity::uid16(uid(state.facts.former.has(token)));
    let name = Name { uid16, attempt: bridge::attempt(token, &state.facts), nonce: bridge::nonce(token) };
    NamedToken { id: Some(bridge::id(token, &state.facts)), name: identity::format(PREFIX, &name, "", 255) }
}

/// Records what has no owner, tells the objects of what they do not know, and begins to revoke.
fn judge(setup: &Setup, state: &mut State, found: &Findings) {
    let facts = state.facts;
    let set = |tokens: &[NamedToken]| {
        tokens
            .iter()
            .filter_map(|token| token.id.as_ref())
            .map(|id| bridge::token(id, &facts))
            .fold(Set::EMPTY, Set::with)
    };
    let before = state.sweep;
    let since = |token: Token| if before.over.has(token) { NOW.minus(3 * HOUR) } else { NOW };
    let recorded: Vec<Orphan> =
        before.orphans.iter().map(|token| Orphan::new(bridge::id(token, &facts), "", since(token))).collect();
    let owners = owner(setup, state).into_iter().collect();
    let grace = if setup.broken(Mutation::SweepAtOnce) {
        Duration::ZERO
    } else {
        grace(&owners, bridge::timings().publish_deadline, HOUR)
    };
    let doomed = set(&found.revocable(&recorded, grace, NOW));
    let orphans = set(found.ownerless.as_deref().unwrap_or_default());
    let holds = if state.object.exists { Set::of(state.secret.data) } else { Set::EMPTY };
    let held = before.held.and(holds).both(orphans);
    let at = if doomed.is_empty() { SweepAt::Idle } else { SweepAt::Revoking };
    state.sweep = Sweep { at, rows: doomed, orphans, over: before.over.both(orphans), held };
    if !found.suspects.is_empty() {
        state.processes.iter_mut().for_each(|process| process.suspects = true);
    }
}

/// P21: another cluster with copies of this object works with copies of the former one, too. Where no dispute shows that there is another
/// cluster, only a person can know it.
fn disputed(state: &State, sweep: &Sweep) -> Option<&'static str> {
    let theirs = sweep.at == SweepAt::Revoking && !sweep.rows.both(state.facts.of_other_cluster).is_empty();
    let known = state.object.exists && state.object.book.conflict != Token::NONE;
    (theirs && known).then_some("P21: the sweep revokes another cluster's token")
}

/// S3: the sweep revokes only tokens of objects that are gone.
fn revoke(state: &State, token: Token, moves: &mut Vec<Move>) {
    let living = state.object.exists && !state.facts.former.has(token);
    let wrong = living.then_some("S3: the sweep revoked a token of a living object");
    let done = |state: &mut State, dead: bool| {
        let sweep = &mut state.sweep;
        sweep.rows = sweep.rows.without(token);
        if dead {
            sweep.orphans = sweep.orphans.without(token);
            sweep.over = sweep.over.without(token);
            sweep.held = sweep.held.without(token);
            state.alive = state.alive.without(token);
        }
        if sweep.rows.is_empty() {
            sweep.at = SweepAt::Idle;
        }
        state.ended = state.ended.with(token);
    };
    push(state, moves, "the sweep revokes", token.0, wrong, |state| done(state, true));
    if state.may(Fault::KeepAlive) {
        push(state, moves, "the sweep revokes in vain", token.0, wrong, |state| {
            state.spend(Fault::KeepAlive);
            done(state, false);
        });
    }
}
