//! Objects that go although their tokens live, and others that take their names. Their tokens belong to nobody (P22), and only the sweep
//! of the service ends them.

use super::canonical::{free_slot, own_tokens, rename_first};
use super::environment::{Out, each_book};
use super::setup::{Fault, Setup};
use super::tokens::{Set, Token};
use super::world::{At, Object, Process, State, SweepAt};

/// An object that goes although its tokens live, and the next one of its name.
pub fn lives(setup: &Setup, out: &mut Out) {
    let state = out.state;
    if state.object.exists {
        out.fault(Fault::Vanish, "the object vanishes", 0, |state| {
            state.object_changed();
            state.object = Object::GONE;
        });
        return;
    }
    // The model leaves out two sleepers: a pass over the former object, which finds no object and no Secret of its own any more, and a
    // sweep that has read the objects and not yet sent its revoke. What that one ends had no owner for longer than any overlap.
    let idle = state.processes.iter().all(|process| process.at == At::Idle) && state.sweep.at != SweepAt::Revoking;
    let slot = free_slot(state);
    if idle && usize::from(slot.0) < setup.slots {
        out.fault(Fault::Recreate, "an object of the same name is created", 0, |state| {
            recreate(state, slot);
        });
    }
}

fn recreate(state: &mut State, slot: Token) {
    rename_first(state, slot);
    state.facts.former = own_tokens(state);
    state.claimed = Set::EMPTY;
    // What was ended before is no token that a living object's Secret came to hold.
    state.ended = Set::EMPTY;
    for secret in [&mut state.secret, &mut state.armed] {
        secret.former = secret.exists;
    }
    state.object = Object { exists: true, unseen: true, ..Object::GONE };
    state.sweep.held = state.sweep.orphans.both(Set::of(state.secret.data));
}

/// Waits for consumers of tokens that are not in the ledger. They are longer than any deadline, and no write is under way for so long.
pub fn graces(out: &mut Out) {
    let state = out.state;
    let (sweep, book) = (state.sweep, state.object.book);
    let publishes = |process: &Process| process.in_flight.token != Token::NONE && !process.in_flight.late;
    let gone = !state.object.exists;
    if state.armed.exists || (gone && state.processes.iter().any(publishes)) {
        return;
    }
    if book.replacing && state.secret.data != book.replaced {
        out.push("overlap of the former token ends", book.replaced.0, |state| {
            state.holders = state.holders.without(book.replaced);
            each_book(state, |book| {
                (book.replaced, book.replacing) =
                    if book.replacing { (Token::NONE, false) } else { (book.replaced, false) };
            });
        });
    }
    for token in sweep.orphans.but(sweep.over).iter() {
        out.push("it had no owner for long enough", token.0, |state| {
            state.sweep.over = state.sweep.over.with(token);
            // Whoever read it from the Secret of the former object has moved on, even if a publish of that was still under way.
            if !sweep.held.has(token) {
                state.holders = state.holders.without(token);
            }
        });
    }
}
