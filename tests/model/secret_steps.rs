//! Steps that write the Secret.

use super::hand_steps;
use super::mutations::Mutation;
use super::process::{Turn, read};
use super::setup::Fault;
use super::tokens::Token;
use super::world::{Alarm, Leak, Said, Secret, State};

/// A checked write of the Secret. `sent` says what a process remembers once it has sent the write, whatever the answer is.
fn write(
    turn: &mut Turn,
    what: &'static str,
    wrong: Option<&'static str>,
    secret: Secret,
    sent: impl Fn(&mut State, usize),
) {
    let me = turn.me();
    let allowed = if turn.broken(Mutation::NoSecretCas) {
        true
    } else if me.secret.exists {
        me.live && me.secret_fresh
    } else {
        !turn.state.secret.exists
    };
    if !allowed {
        return turn.push("has a conflict on the Secret", 0, |state, index| {
            let process = &mut state.processes[index];
            process.live = false;
            process.preflight = false;
        });
    }
    // The very first publish is a create, which cannot be fenced off: here it does not land late.
    let replaces = me.secret.exists;
    let late = replaces || (secret.id.own() && secret.id != Token::FIRST);
    let land = |state: &mut State| {
        // A write that changes nothing keeps the resourceVersion and stops nobody.
        if state.secret != secret {
            state.write_secret(secret);
        }
    };
    turn.push_checked(what, secret.id.0, wrong, |state, index| {
        sent(state, index);
        land(state);
        let process = &mut state.processes[index];
        process.secret = secret;
        process.secret_fresh = true;
        process.live = true;
        process.preflight = false;
        process.verdict = Said::Nothing;
    });
    let unsure = |state: &mut State, index: usize| {
        sent(state, index);
        state.processes[index].live = false;
        state.processes[index].preflight = false;
    };
    turn.fault(Fault::LoseAnswer, "writes the Secret, answer lost", secret.id.0, |state, index| {
        unsure(state, index);
        land(state);
    });
    turn.fault(Fault::LoseAnswer, "writes the Secret, in vain and unknown", secret.id.0, unsure);
    if late {
        turn.fault(Fault::LoseAnswer, "writes the Secret, under way", secret.id.0, |state, index| {
            unsure(state, index);
            state.armed = secret;
            state.creates = !replaces;
        });
    }
}

pub fn create_placeholder(turn: &mut Turn, fence: u8) {
    if turn.state.secret.exists {
        return turn.push("finds a Secret in the placeholder's place", 0, read);
    }
    // A person may have deleted the Secret with its fence, so the new one must not come from an old ledger.
    if turn.setup.by_hand && !turn.me().object_fresh && !turn.broken(Mutation::TrustOldLedger) {
        return turn.conflict(0);
    }
    let placeholder = Secret { exists: true, fence, ..Secret::ABSENT };
    write(turn, "creates a placeholder", None, placeholder, |_, _| {});
}

pub fn update(turn: &mut Turn) {
    let secret = turn.state.published(turn.me().in_flight.token);
    let fence = secret.fence.max(turn.secret().fence);
    let replaces = turn.secret().data.real() || turn.setup.by_hand;
    let untried = replaces && turn.me().in_flight.trial != Said::Accepted;
    let untried = untried.then_some("P6: a replacement was published untried");
    let wrong = leaked(turn, turn.me().in_flight.token).or(untried);
    write(turn, "updates the Secret", wrong, Secret { fence, ..secret }, |state, index| {
        state.processes[index].in_flight.sent = true;
    });
}

pub fn roll_back(turn: &mut Turn, fence: u8) {
    // After an edit by hand nothing but the ledger says which token belongs into the Secret.
    if turn.setup.by_hand && !turn.me().object_fresh {
        return turn.conflict(0);
    }
    let current = turn.me().object.book.current;
    let secret = turn.state.published(current);
    let fence = fence.max(secret.fence).max(turn.secret().fence);
    let wrong = leaked(turn, current);
    write(turn, "rolls back", wrong, Secret { fence, ..secret }, |_, _| {});
}

/// P14: a process that knows of a leak does not publish a leaked token.
fn leaked(turn: &Turn, token: Token) -> Option<&'static str> {
    let me = turn.me().object;
    let known = me.book.leak != Leak::None && (me.alarm != Alarm::AheadThenPast || me.book.second_leak);
    (known && turn.state.facts.leaked.has(token)).then_some("P14: a leaked token was published")
}

pub fn raise_fence(turn: &mut Turn, fence: u8) {
    let secret = *turn.secret();
    // The numbers and ids of a former object mean nothing here.
    let marked = if secret.former { Secret { exists: true, data: secret.data, ..Secret::ABSENT } } else { secret };
    let fence = fence.max(marked.fence);
    write(turn, "raises the fence", None, Secret { fence, ..marked }, |_, _| {});
}

/// Writes the same token in the form that the spec asks for.
pub fn render(turn: &mut Turn) {
    let secret = *turn.secret();
    write(turn, "renders the Secret", None, Secret { touched: false, ..secret }, |_, _| {});
}

/// Deleted with uid and resourceVersion as preconditions.
pub fn delete(turn: &mut Turn) {
    let fresh = turn.me().live && turn.me().secret_fresh;
    if !fresh {
        return turn.push("has a conflict on the Secret", 0, |state, index| state.processes[index].live = false);
    }
    let wrong = hand_steps::deletes_the_proof(turn.state);
    turn.push_checked("deletes the Secret", Token::NONE.0, wrong, |state, index| {
        state.write_secret(Secret::ABSENT);
        read(state, index);
    });
}
