//! One representative for states that differ only in names.
//!
//! Token numbers that nothing refers to are freed, and the others move down in their order. Attempts above 1 are renumbered in their
//! order, because the decision only compares them and takes the highest plus one. Attempts 0 (a placeholder) and 1 (the implied claim
//! of the finalizer's patch) keep their meaning, and so does token 0. Processes are sorted.

use super::hand::{self, Deals};
use super::setup::{Fault, Setup};
use super::tokens::{Set, Token};
use super::world::{At, Book, Fate, Process, SLOTS, Secret, State};

/// Turns a state into its representative.
pub fn canonical(state: &mut State, setup: &Setup) {
    strip(state, setup);
    let used = used(state);
    let own = used.0 & ((1 << SLOTS) - 1);
    forget(state, used);
    if own >> 1 & ((own >> 1) + 1) != 0 {
        renumber_tokens(state, own);
    }
    renumber_attempts(state);
    if setup.by_hand {
        hand::renumber(state, self::used(state));
    }
    if setup.processes > 1 && state.processes[0] > state.processes[1] {
        state.processes.swap(0, 1);
    }
}

/// The lowest free slot, after `canonical`.
pub fn free_slot(state: &State) -> Token {
    let used = used(state).0;
    (1..SLOTS as u8).find(|slot| used & (1 << slot) == 0).map_or(Token::NONE, Token)
}

/// Drops everything that no transition looks at any more.
fn strip(state: &mut State, setup: &Setup) {
    if setup.by_hand {
        hand::strip(state);
    }
    let reportable = if setup.named { Set::EMPTY } else { state.alive.and(state.requests).and(asked_for(state)) };
    state.object.book.possibly_lost = state.object.book.possibly_lost.both(reportable);
    // Consumers of an object that is gone matter only where another one takes its name.
    if (state.object.deleting || !state.object.exists) && !state.may(Fault::Recreate) {
        state.holders = Set::EMPTY;
    }
    if state.object.book.fate != Fate::Open {
        state.object.book.age = Default::default();
    }
    for index in 0..state.processes.len() {
        let exists = state.object.exists;
        let process = &mut state.processes[index];
        // What a process remembers of an object ends with the object.
        if process.at == At::Idle && !exists {
            *process = Process::IDLE;
        }
        process.object.book.possibly_lost = Set::EMPTY;
        if process.object.book.fate != Fate::Open {
            process.object.book.age = Default::default();
        }
        // The age of the implied claim matters to an object without another one, and to a deletion, which waits for a first publish.
        process.object.old &= process.object.book.claim == Token::NONE || process.object.deleting;
        // A list from before the loss does not delay the search for the lost token.
        if state.object.book.lost.is_empty() && process.object.book.lost.is_empty() {
            process.swept = false;
        }
        // A checked write starts only from a live read.
        process.secret_fresh &= process.live;
        let remembered = process.remembered;
        if remembered != Token::NONE && !(setup.remembers() && others(state).has(remembered)) {
            state.processes[index].remembered = Token::NONE;
        }
    }
}

fn asked_for(state: &State) -> Set {
    state.processes.iter().fold(Set::EMPTY, |set, process| set.with(process.in_flight.token))
}

fn others(state: &State) -> Set {
    let mut set = state.object.book.refers().and(state.secret.refers()).and(state.armed.refers());
    set = set.and(state.alive).and(state.requests).and(state.holders).and(state.sweep.rows);
    for process in &state.processes {
        set = set.and(process.refers());
    }
    set.and(hand::refers(state))
}

fn used(state: &State) -> Set {
    others(state)
}

fn forget(state: &mut State, used: Set) {
    state.ended = state.ended.both(used);
    each_book(state, &mut |book| book.history = book.history.both(used));
    state.asked = state.asked.both(used);
    state.claimed = state.claimed.both(used);
    state.facts.leaked = state.facts.leaked.both(used);
    state.facts.of_other_cluster = state.facts.of_other_cluster.both(used);
    state.facts.former = state.facts.former.both(used);
    for set in [&mut state.sweep.orphans, &mut state.sweep.over, &mut state.sweep.held] {
        *set = set.both(used);
    }
    for slot in 0..=SLOTS {
        if !used.has(Token(slot as u8)) {
            state.facts.attempts[slot] = 0;
        }
    }
}

fn renumber_tokens(state: &mut State, own: u8) {
    let mut map = [0_u8; 16];
    for (token, to) in map.iter_mut().enumerate() {
        *to = token as u8;
    }
    let mut next = 1;
    let mut attempts = state.facts.attempts;
    attempts[1..SLOTS].fill(0);
    let (mut values, mut named) = (Deals::NONE.values, Deals::NONE.named);
    (values[0], named[0]) = (state.facts.deals.values[0], state.facts.deals.named[0]);
    for slot in 1..SLOTS as u8 {
        if own & (1 << slot) != 0 {
            map[usize::from(slot)] = next;
            attempts[usize::from(next)] = state.facts.attempts[usize::from(slot)];
            values[usize::from(next)] = state.facts.deals.value(Token(slot));
            named[usize::from(next)] = state.facts.deals.named(Token(slot));
            next += 1;
        }
    }
    state.facts.attempts = attempts;
    (state.facts.deals.values, state.facts.deals.named) = (values, named);
    each_token(state, &mut |token| token.0 = map[usize::from(token.0)]);
    each_set(state, &mut |set| {
        let mut moved = 0;
        for token in set.iter() {
            moved |= 1 << map[usize::from(token.0)];
        }
        set.0 = moved;
    });
}

/// Gives the token of the finalizer's claim another number, so that the next object of this name can have that of its own.
pub fn rename_first(state: &mut State, to: Token) {
    let moved = |token: Token| if token == Token::FIRST { to } else { token };
    state.facts.attempts[usize::from(to.0)] = 1;
    each_token(state, &mut |token| *token = moved(*token));
    each_set(state, &mut |set| *set = set.iter().map(moved).fold(Set::EMPTY, Set::with));
}

/// All tokens of the object that anything still refers to.
pub fn own_tokens(state: &State) -> Set {
    let used = used(state);
    used.iter().filter(|token| token.own()).fold(Set::EMPTY, Set::with)
}

fn each_token(state: &mut State, f: &mut impl FnMut(&mut Token)) {
    f(&mut state.object.book.claim);
    f(&mut state.object.book.current);
    f(&mut state.object.book.conflict);
    f(&mut state.object.book.replaced);
    secret_tokens(&mut state.secret, f);
    secret_tokens(&mut state.armed, f);
    for process in &mut state.processes {
        f(&mut process.object.book.claim);
        f(&mut process.object.book.current);
        f(&mut process.object.book.conflict);
        f(&mut process.object.book.replaced);
        f(&mut process.target);
        f(&mut process.remembered);
        f(&mut process.in_flight.token);
        secret_tokens(&mut process.secret, f);
        secret_tokens(&mut process.in_flight.expected, f);
    }
}

fn secret_tokens(secret: &mut Secret, f: &mut impl FnMut(&mut Token)) {
    f(&mut secret.id);
    f(&mut secret.data);
}

fn each_set(state: &mut State, f: &mut impl FnMut(&mut Set)) {
    for set in [&mut state.alive, &mut state.requests, &mut state.ended, &mut state.asked, &mut state.claimed] {
        f(set);
    }
    let facts = &mut state.facts;
    for set in [&mut state.holders, &mut facts.leaked, &mut facts.of_other_cluster, &mut facts.former] {
        f(set);
    }
    let sweep = &mut state.sweep;
    for set in [&mut sweep.rows, &mut sweep.orphans, &mut sweep.over, &mut sweep.held] {
        f(set);
    }
    f(&mut state.hand.companion);
    for process in &mut state.processes {
        f(&mut process.listing);
        let hands = &mut process.hands;
        for set in [&mut hands.values, &mut hands.asked, &mut hands.companion, &mut hands.read_beside] {
            f(set);
        }
    }
    each_book(state, &mut |book| {
        for set in [&mut book.superseded, &mut book.over, &mut book.unpublished, &mut book.held, &mut book.lost] {
            f(set);
        }
        f(&mut book.handed);
        f(&mut book.history);
        f(&mut book.possibly_lost);
    });
}

fn each_book(state: &mut State, f: &mut impl FnMut(&mut Book)) {
    f(&mut state.object.book);
    state.processes.iter_mut().for_each(|process| f(&mut process.object.book));
}

fn renumber_attempts(state: &mut State) {
    let mut seen = 0_u64;
    each_attempt(state, &mut |attempt| seen |= 1 << *attempt);
    let above = seen >> 2;
    if above & (above + 1) == 0 {
        return;
    }
    each_attempt(state, &mut |attempt| {
        if *attempt > 1 {
            let below = above & ((1 << (*attempt - 2)) - 1);
            *attempt = 2 + below.count_ones() as u8;
        }
    });
}

fn each_attempt(state: &mut State, f: &mut impl FnMut(&mut u8)) {
    for attempt in &mut state.facts.attempts {
        f(attempt);
    }
    for secret in [&mut state.secret, &mut state.armed] {
        f(&mut secret.attempt);
        f(&mut secret.fence);
    }
    for Process { at, secret, in_flight, .. } in &mut state.processes {
        if *at != At::Idle {
            f(&mut secret.attempt);
            f(&mut secret.fence);
        }
        if in_flight.token != Token::NONE {
            f(&mut in_flight.expected.attempt);
            f(&mut in_flight.expected.fence);
        }
    }
}
