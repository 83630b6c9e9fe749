//! Steps that call the service.

use super::bridge;
use super::mutations::Mutation;
use super::process::Turn;
use super::setup::Fault;
use super::tokens::{Set, Token};
use super::world::{At, InFlight, Leak, Said, State};
use artifact_token_operator::rotation::ledger::Leftover;

pub fn sweep(turn: &mut Turn) {
    let named = turn.setup.named;
    if turn.state.list_fails && !turn.broken(Mutation::FailedListCounts) {
        return turn.push("lists the service in vain", 0, |state, index| state.processes[index].list_pause = true);
    }
    turn.push("lists the service", 0, |state, index| {
        let shown = named && !state.list_fails;
        let rows = if shown { state.alive.without(Token::STRANGER).but(state.facts.former) } else { Set::EMPTY };
        let process = &mut state.processes[index];
        process.listed = true;
        process.listing = rows;
        process.swept = true;
        process.list_pause = false;
        process.suspects = false;
        process.live = false;
        process.preflight = false;
        process.at = At::Listed;
    });
}

/// Sends the request, once. The answer is a transition of its own.
pub fn generate(turn: &mut Turn) {
    let token = turn.me().in_flight.token;
    let again = turn.state.asked.has(token);
    let durable = turn.state.claimed.has(token);
    // A person may take it off between the process's read of the object and its call.
    let taken_off = turn.me().object.finalizer && !turn.me().object_fresh;
    let finalizer = turn.state.object.finalizer || taken_off || !turn.state.object.exists;
    let me = turn.me().object;
    let forbidden = me.suspended && me.book.leak != Leak::Open;
    let wrong = if again {
        Some("S4: one claim, two generates")
    } else if forbidden {
        Some("P2: generate although the process knows that it is suspended")
    } else if !durable {
        Some("S4: generate without a durable claim")
    } else if !finalizer {
        Some("S4: generate without a finalizer")
    } else {
        None
    };
    turn.push_checked("sends generate", token.0, wrong, |state, index| {
        state.requests = state.requests.with(token);
        state.asked = state.asked.with(token);
        state.processes[index].at = At::Asked;
    });
    // The service says "not now", so another pass goes on with the claim. It matters where a spec can change meanwhile.
    if turn.setup.faults[Fault::Suspend as usize] > 0 {
        turn.push("is told to ask later", token.0, |state, index| state.processes[index].end_pass());
    }
    if turn.me().object_fresh && turn.state.may(Fault::Decline) {
        let claim = turn.claim_of(token);
        turn.record(
            "is refused a token",
            token.0,
            |ledger| {
                ledger.failed(&claim, Leftover::Nothing, bridge::failure(), bridge::NOW);
            },
            |state, index| {
                state.spend(Fault::Decline);
                state.processes[index].in_flight = InFlight::EMPTY;
            },
        );
    }
}

/// The answer to *generate*: the value, or a lost answer.
pub fn answer(turn: &mut Turn) {
    let me = turn.me();
    let token = me.in_flight.token;
    if !turn.state.requests.has(token) {
        turn.push("has the value", token.0, |state, index| {
            let process = &mut state.processes[index];
            process.in_flight.value = true;
            process.at = At::Pass;
        });
    }
    let again = turn.broken(Mutation::GenerateAgain);
    turn.fault(Fault::LoseAnswer, "never hears of the token", token.0, |state, index| {
        let process = &mut state.processes[index];
        if !again {
            process.in_flight = InFlight::EMPTY;
        }
        process.at = At::Pass;
    });
}

/// What the service says about a token.
fn says(turn: &mut Turn, what: &'static str, token: Token, heard: impl Fn(&mut State, usize, Said)) {
    let works = turn.state.alive.has(token) && !turn.state.facts.doubt;
    let said = if works { Said::Accepted } else { Said::Refused };
    turn.push(what, token.0, |state, index| heard(state, index, said));
    if works {
        turn.fault(Fault::Refuse, "is told that a living token is refused", token.0, |state, index| {
            heard(state, index, Said::Refused);
        });
    }
}

pub fn try_value(turn: &mut Turn) {
    let token = turn.me().in_flight.token;
    says(turn, "tries the value", token, |state, index, said| state.processes[index].in_flight.trial = said);
}

pub fn verify(turn: &mut Turn) {
    let token = turn.secret().data;
    says(turn, "verifies the Secret", token, |state, index, said| {
        let process = &mut state.processes[index];
        process.verdict = said;
        process.due = false;
    });
}

/// S3: revokes only a token of this uid, after a live read.
pub fn revoke(turn: &mut Turn, token: Token) {
    let me = turn.me();
    let wrong = if me.object.book.handed.has(token) || turn.setup.by_hand {
        Some("S3: a revoke was sent to a token that a person handed over")
    } else if !token.own() {
        Some("S3: a stranger's token was revoked")
    } else if turn.state.facts.of_other_cluster.has(token) {
        Some("P21: another cluster's token was revoked")
    } else if !me.live && !me.object.deleting {
        Some("S3: revoked without a live read")
    } else {
        None
    };
    let deleting = me.object.deleting;
    turn.push_checked("revokes", token.0, wrong, |state, index| {
        state.alive = state.alive.without(token);
        state.ended = state.ended.with(token);
        let facts = state.facts;
        let process = &mut state.processes[index];
        if deleting {
            process.object.book = bridge::transition(&process.object, &facts, |ledger| {
                let attempt = bridge::attempt(token, &facts);
                ledger.revoked(attempt, &bridge::id(token, &facts), bridge::PROOF, bridge::NOW);
            });
            process.listing = process.listing.without(token);
        } else {
            process.at = At::Revoked;
            process.target = token;
        }
    });
    turn.fault(Fault::LoseAnswer, "revokes, answer lost", token.0, |state, index| {
        state.alive = state.alive.without(token);
        state.ended = state.ended.with(token);
        state.processes[index].end_pass();
    });
    if turn.state.list_fails {
        unproved(turn, token);
    }
    if turn.state.may(Fault::KeepAlive) {
        let (facts, id) = (turn.state.facts, bridge::id(token, &turn.state.facts));
        turn.record(
            "revokes in vain",
            token.0,
            |ledger| {
                ledger.revoke_failed(bridge::attempt(token, &facts), &id, std::time::Duration::ZERO, bridge::NOW);
            },
            |state, index| {
                state.spend(Fault::KeepAlive);
                state.ended = state.ended.with(token);
                state.processes[index].end_pass();
            },
        );
    }
}

/// A process without the value needs the list to know that the id is still the token's (P19). So it sends nothing while the list fails.
fn unproved(turn: &mut Turn, token: Token) {
    let (attempt, id) = (bridge::attempt(token, &turn.state.facts), bridge::id(token, &turn.state.facts));
    turn.record(
        "cannot revoke without a list",
        token.0,
        |ledger| ledger.revoke_failed(attempt, &id, std::time::Duration::ZERO, bridge::NOW),
        |state, index| state.processes[index].end_pass(),
    );
}
