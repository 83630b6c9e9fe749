//! A person who makes tokens, hands them over and revokes them, as the object asks; and what people do beside that.

use artifact_token_operator::api::ledger::Ledger;
use artifact_token_operator::rotation::hand_over::revoke_by_hand;
use artifact_token_operator::rotation::observed::Secrets;
use artifact_token_operator::rotation::plan::hand_over_due;

use super::bridge;
use super::environment::Out;
use super::explore::AT_BOUND;
use super::hand::{Offered, Value, Version, by_a_person, free_value, free_version, known_values};
use super::mutations::Mutation;
use super::setup::{Fault, Setup};
use super::tokens::{Set, Token};
use super::world::{Leak, Process, State};

pub fn moves(setup: &Setup, out: &mut Out) {
    if !setup.by_hand || !out.state.object.exists {
        return;
    }
    hands_over(out);
    disturbs(out);
    for token in asked_to_revoke(setup, out.state).both(out.state.alive).iter() {
        out.push("a person revokes what the object asks for", token.0, |state| {
            let value = state.facts.deals.value(token);
            state.hand.living = state.hand.living.without(value);
            state.hand.struck = state.hand.struck.with(value);
        });
    }
}

/// Makes a token where the object asks for one, and hands it over. What is not taken up gives way to it.
fn hands_over(out: &mut Out) {
    let state = out.state;
    if !asks_for_a_token(state) {
        return;
    }
    if state.hand.offer == Version::NONE {
        offer_new(out, "a person makes a token and hands it over", None);
    } else if !waits(state) {
        offer_new(out, "a person makes a token and hands it over in the same Secret", None);
    }
}

fn disturbs(out: &mut Out) {
    let state = out.state;
    let known = known_values(state);
    offer_new(out, "a person hands over a token unasked", Some(Fault::Offer));
    if let (Some(value), Some(version)) = (free_value(state), free_version(state)) {
        out.fault(Fault::OfferWrong, "a person hands over a value that is no token", value.0, |state| {
            offer(state, version, value);
        });
    }
    if state.hand.offer != Version::NONE {
        out.fault(Fault::Withdraw, "a person takes the hand-over Secret away", 0, |state| {
            by_a_person(state, |state| state.hand.offer = Version::NONE);
        });
    } else if let Some(version) = free_version(state) {
        for value in known.iter() {
            out.fault(Fault::OfferAgain, "a Secret comes back that hands over this value", value.0, |state| {
                offer(state, version, value);
            });
        }
    }
}

/// Whether what is offered is to be taken up: a token that lives and is not in the ledger, nor was when it leaked.
fn waits(state: &State) -> bool {
    let value = state.facts.deals.brought(state.hand.offer);
    let leaked = state.facts.deals.values_of(state.facts.leaked).has(value);
    state.hand.living.has(value) && !known_values(state).has(value) && !leaked
}

/// A new token, in a new Secret or in the place of what is offered. A person makes as many as it takes.
fn offer_new(out: &mut Out, what: &'static str, fault: Option<Fault>) {
    let (Some(value), Some(version)) = (free_value(out.state), free_version(out.state)) else {
        if fault.is_none() {
            out.push(AT_BOUND, 0, |_| {});
        }
        return;
    };
    let change = |state: &mut State| {
        offer(state, version, value);
        state.hand.living = state.hand.living.with(value);
    };
    match fault {
        None => out.push(what, value.0, change),
        Some(fault) => out.fault(fault, what, value.0, change),
    }
}

/// Writes the hand-over Secret: with a new uid, if there is none.
fn offer(state: &mut State, version: Version, value: Value) {
    by_a_person(state, |state| {
        let before = state.hand.offer;
        let uid = if before == Version::NONE { version.0 } else { state.facts.deals.uid(before) };
        state.facts.deals.versions[usize::from(version.0)] = Offered { uid, value };
        state.hand.offer = version;
    });
}

/// Whether the object asks for a token, as it says once a process has looked at everything.
fn asks_for_a_token(state: &State) -> bool {
    if state.object.deleting || state.object.suspended {
        return false;
    }
    let mut process = Process { object: state.object, secret: state.secret, live: true, ..Process::IDLE };
    // A process that has the value puts it back where somebody took it out.
    process.hands.values = state.processes.iter().fold(Set::EMPTY, |values, one| values.and(one.hands.values));
    let observed = bridge::observed(&process, &state.facts, false);
    hand_over_due(&bridge::desired(&state.object, &state.facts), &observed, bridge::NOW).is_some()
}

/// The tokens of the ledger that the object asks a person to revoke.
pub fn asked_to_revoke(setup: &Setup, state: &State) -> Set {
    let object = &state.object;
    let calm = object.book.superseded.is_empty() && !object.deleting && object.book.leak == Leak::None;
    if calm {
        return Set::EMPTY;
    }
    let mut ledger = bridge::ledger(object, &state.facts);
    if setup.broken(Mutation::AskAtOnce) {
        ledger.superseded.iter_mut().for_each(|old| old.revoke_after_time = bridge::NOW);
    }
    let seen = Process { object: *object, secret: state.secret, live: true, ..Process::IDLE };
    let mut secrets = bridge::observed(&seen, &state.facts, false).secrets;
    if setup.broken(Mutation::AskWhileHeld) {
        secrets.seen.clear();
        ledger.superseded.iter_mut().for_each(|old| old.unpublished = true);
    }
    let attempts = asked_attempts(&ledger, &secrets, object.deleting);
    let asked = |token: &Token| attempts.contains(&bridge::attempt(*token, &state.facts));
    object.book.known().iter().filter(asked).fold(Set::EMPTY, Set::with)
}

/// The attempts that the message names.
fn asked_attempts(ledger: &Ledger, secrets: &Secrets, deleting: bool) -> Vec<u32> {
    let message = revoke_by_hand(ledger, secrets, deleting, "", bridge::NOW).unwrap_or_default();
    let named = message.split("of attempt ").skip(1);
    named.filter_map(|rest| rest.split(|sign: char| !sign.is_ascii_digit()).next()?.parse().ok()).collect()
}

/// What the watch of hand-over Secrets shows in the middle of a pass.
pub fn watches(index: usize, out: &mut Out) {
    let offer = out.state.hand.offer;
    let hands = out.state.processes[index].hands;
    if hands.shown != offer {
        out.push("the watch shows what is handed over", index as u8, |state| {
            state.processes[index].hands.shown = offer;
        });
    }
}
