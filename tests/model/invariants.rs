//! The invariants of every state, and the definition of a clean one.

use super::tokens::{Set, Token};
use super::world::{Alarm, At, Fate, Leak, State};

/// The invariant that this state breaks.
pub fn broken(state: &State, named: bool) -> Option<&'static str> {
    let living = state.object.exists && !state.object.deleting;
    let secret = &state.secret;
    // On a leak a consumer's token is revoked before its replacement is there (P14).
    let ended = state.ended.but(state.facts.leaked);
    if living && secret.exists && ended.has(secret.data) {
        return Some("S1: the Secret holds a token for which a revoke was sent");
    }
    if living && !ended.both(state.holders).is_empty() {
        return Some("S2: a consumer holds a token for which a revoke was sent");
    }
    if secret.exists && secret.id.own() && secret.data == secret.id && secret.attempt != state.attempt(secret.id) {
        return Some("S5: attempt and id of the Secret disagree");
    }
    if !named && settled(state) && !unreported(state).is_empty() {
        return Some("P18: a lost token is not reported");
    }
    None
}

/// Nothing is under way, and the Secret holds what the ledger says.
fn settled(state: &State) -> bool {
    let Some(current) = Some(state.object.book.current).filter(|current| current.own()) else { return false };
    let book = &state.object.book;
    let idle = state.processes.iter().all(|process| process.in_flight.token == Token::NONE && process.at != At::Asked);
    let claimed = book.claim != Token::NONE && book.fate != Fate::Open;
    idle && claimed
        && state.requests.is_empty()
        && book.superseded.is_empty()
        && !book.rejected
        && state.secret.exists
        && (state.secret.id, state.secret.data) == (current, current)
}

fn unreported(state: &State) -> Set {
    let book = &state.object.book;
    state.own_alive().without(book.current).but(book.possibly_lost)
}

/// Whether exactly one token lives, and it is verified, current and in the Secret; or the object is gone and so are its tokens.
pub fn clean(state: &State, named: bool) -> bool {
    if !state.object.exists {
        return !named || state.own_alive().is_empty() && state.requests.is_empty();
    }
    settled(state)
        && state.object.finalizer
        && !state.object.deleting
        && !state.object.requested
        && state.alive.has(state.object.book.current)
        && state.object.book.conflict == Token::NONE
        && answered(state)
        && unreported(state).is_empty()
}

/// P14: whether every leaked token is dead and replaced.
fn answered(state: &State) -> bool {
    let leak = state.object.book.leak;
    let noticed = state.object.alarm != Alarm::Ahead || leak != Leak::None;
    noticed && leak != Leak::Open && state.own_alive().both(state.facts.leaked).is_empty()
}
