//! The invariants of every state, and the definition of a clean one.

use super::hand_rules;
use super::setup::Setup;
use super::tokens::{Set, Token};
use super::world::{Alarm, At, Fate, Leak, Object, State};

/// The invariant that this state breaks.
pub fn broken(state: &State, setup: &Setup) -> Option<&'static str> {
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
    if setup.by_hand {
        return hand_rules::broken(state);
    }
    if !setup.named && settled(state) && !unreported(state).is_empty() {
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

/// Whether everything is done that needs no list: the object is at rest with a good token, and every token that the ledger knows and
/// nobody needs is dead.
pub fn served(state: &State) -> bool {
    let object = &state.object;
    let rests = settled(state) && object.finalizer && !object.deleting && !object.requested;
    !object.exists || rests && state.alive.has(object.book.current) && is_answered(state, object.book.known())
}

/// Whether the next step needs a list: a claim of unknown outcome, a token that nobody knows, a person's word about the identity.
pub fn needs_list(state: &State) -> bool {
    let Object { exists, deleting, finalizer, book, .. } = state.object;
    let open = if book.claim == Token::NONE { finalizer.then_some(Token::FIRST) } else { Some(book.claim) };
    let open = open.filter(|_| book.claim == Token::NONE || book.fate == Fate::Open);
    let mine = |token: Token| state.processes.iter().any(|process| process.in_flight.token == token);
    let unresolved = open.is_some_and(|token| !mine(token));
    let lost = deleting && !book.lost.is_empty();
    exists && (unresolved || lost || book.conflict != Token::NONE)
}

fn unreported(state: &State) -> Set {
    let book = &state.object.book;
    state.own_alive().without(book.current).but(book.possibly_lost)
}

/// Whether exactly one token lives, and it is verified, current and in the Secret; or the object is gone and so are its tokens.
pub fn clean(state: &State, setup: &Setup) -> bool {
    if setup.by_hand && !hand_rules::clean(state) {
        return false;
    }
    if !state.object.exists {
        return !setup.named || state.own_alive().is_empty() && state.requests.is_empty();
    }
    settled(state)
        && state.object.finalizer
        && !state.object.deleting
        && !state.object.requested
        && state.alive.has(state.object.book.current)
        && state.object.book.conflict == Token::NONE
        && answered(state)
        && (setup.by_hand || unreported(state).is_empty())
}

/// P14: whether every leaked token is dead and replaced.
fn answered(state: &State) -> bool {
    is_answered(state, state.own_alive())
}

fn is_answered(state: &State, living: Set) -> bool {
    let leak = state.object.book.leak;
    let noticed = state.object.alarm != Alarm::Ahead || leak != Leak::None;
    noticed && leak != Leak::Open && living.both(state.facts.leaked).is_empty()
}
