//! The invariants of tokens that a person makes (P25).

use super::hand::{kept, known_values};
use super::tokens::Set;
use super::world::{Fate, State};

/// The invariant that this state breaks.
pub fn broken(state: &State) -> Option<&'static str> {
    let (hand, deals, object) = (&state.hand, &state.facts.deals, &state.object);
    let excused = hand.lost.and(hand.let_go);
    if !object.exists {
        // A process that sleeps may write a Secret without a token, and keep the value of a dead one.
        let left = !deals.values_of(hand.companion).both(hand.living).is_empty() || state.secret.data.own();
        return left.then_some("P13: a Secret of the operator outlives its object");
    }
    let known = known_values(state).both(hand.living);
    if !known.but(kept(state)).but(excused).is_empty() {
        return Some("P25: the value of a living token is kept nowhere");
    }
    let book = &object.book;
    let claim = if book.fate == Fate::Open { Set::of(book.claim) } else { Set::EMPTY };
    let in_flight = state.processes.iter().fold(claim, |set, process| set.with(process.in_flight.token));
    let offered = deals.brought(hand.offer);
    let followed = known.and(deals.values_of(in_flight)).with(offered);
    let forgotten = hand.taken.both(hand.living).but(followed).but(excused);
    (!forgotten.is_empty()).then_some("P25: a token that was in the Secret lives, and nothing leads to it")
}

/// Whether a person has nothing to do: what is handed over is the current token or no token of use, and no value is kept.
pub fn clean(state: &State) -> bool {
    let (hand, deals) = (&state.hand, &state.facts.deals);
    if !state.object.exists {
        return lives_on(state).is_empty();
    }
    let offered = deals.brought(hand.offer);
    let waits = hand.living.has(offered) && !known_values(state).has(offered);
    !waits && hand.companion.without(state.object.book.current).is_empty()
}

/// S12: the values that were in the Secret and live, without those that the protocol lets go.
pub fn lives_on(state: &State) -> Set {
    state.hand.taken.both(state.hand.living).but(state.hand.let_go)
}
