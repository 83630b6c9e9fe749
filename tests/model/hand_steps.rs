//! Steps with tokens that a person makes: the hand-over Secret, the companion Secret, and the question whether a token is dead.

use artifact_token_operator::api::ledger::{Claim, HandOver, Ledger};
use artifact_token_operator::rotation::ledger::Leftover;
use artifact_token_operator::rotation::observed::{Content, SecretState};
use artifact_token_operator::rotation::plan::GiveUpReason;

use super::bridge;
use super::hand::{self, Judged, by_a_person};
use super::ledger_steps::{reborrow, seen, take};
use super::mutations::Mutation;
use super::process::{Turn, read};
use super::setup::Fault;
use super::tokens::{Set, Token};
use super::world::{Age, At, Facts, Fate, InFlight, Process, Said, State};

/// The begin of a pass: what the watch shows, and a read of a Secret whose value nobody but a person could replace.
pub fn begin(state: &mut State, index: usize) {
    let shown = state.hand.offer;
    let process = &mut state.processes[index];
    let book = process.object.book;
    process.hands.shown = shown;
    process.hands.values = process.hands.values.both(book.known());
    if book.handed.has(book.current) && !process.hands.values.has(book.current) && process.secret.exists {
        read(state, index);
    }
}

/// A live read brings the value of a token that the ledger knows, unless the marks are those of an older one.
pub fn remember(process: &mut Process, facts: &Facts) {
    let (book, held) = (process.object.book, process.secret.data);
    let shown = hand::shows(&process.secret, held) && book.handed.both(book.known()).has(held);
    if shown && may_be_last(process, facts, held) {
        process.hands.values = process.hands.values.with(held);
    }
}

/// Reads the hand-over Secret, and judges what needs no service.
pub fn read_offer(turn: &mut Turn) {
    let shown = turn.me().hands.shown;
    let replaced = turn.me().object.book.superseded;
    let state = having_looked_for(turn, replaced);
    let mut turn = Turn { state: &state, ..reborrow(turn) };
    let judged = judge(&turn);
    turn.push("reads the hand-over Secret", shown.0, |state, index| {
        let process = &mut state.processes[index];
        let beside = process.object.book.known();
        if judged == Judged::Taken {
            process.hands.values = process.hands.values.with(process.object.book.current);
        }
        let hands = &mut process.hands;
        (hands.read, hands.read_beside, hands.judged) = (shown, beside, judged);
    });
}

fn judge(turn: &Turn) -> Judged {
    let (me, deals) = (turn.me(), &turn.state.facts.deals);
    let (shown, book) = (me.hands.shown, &me.object.book);
    if turn.state.hand.offer != shown {
        return Judged::Missing;
    }
    let same = |token: Token| value_is_at_hand(turn, token) && deals.value(token) == deals.brought(shown);
    let current = Some(book.current).filter(|current| book.handed.has(*current));
    if current.is_some_and(|current| deals.named(current) == shown) {
        return Judged::Taken;
    }
    if let Some(current) = current.filter(|current| same(*current)) {
        let brought = deals.uid(deals.named(current)) == deals.uid(shown);
        return if brought { Judged::Taken } else { Judged::Refused };
    }
    let replaced = book.superseded.iter().any(same) && !turn.broken(Mutation::TakeUpReplaced);
    if replaced { Judged::Refused } else { Judged::Ready }
}

/// Whether this process has the value of a token, in its memory or in the Secret that it read.
fn value_is_at_hand(turn: &Turn, token: Token) -> bool {
    turn.me().hands.values.has(token) || holds_value(turn, token)
}

/// Whether the Secret, as it was read, holds the token with this id, and its value.
fn holds_value(turn: &Turn, token: Token) -> bool {
    let (me, facts) = (turn.me(), &turn.state.facts);
    let believed = matches!(bridge::secret_state(&me.secret, me, facts), SecretState::Ours(ours)
        if ours.content == Content::Token && ours.id == Some(bridge::id(token, facts)));
    believed && hand::shows(&me.secret, token)
}

/// What a claim takes up: it names the hand-over Secret.
pub fn deal(state: &mut State, index: usize, claim: Token, nameless: bool) -> Option<HandOver> {
    let shown = state.processes[index].hands.shown;
    let deals = &mut state.facts.deals;
    deals.values[usize::from(claim.0)] = deals.brought(shown);
    deals.named[usize::from(claim.0)] = shown;
    (!nameless).then(|| bridge::hand_over(shown, &state.facts))
}

/// Goes on with the open claim. No record is needed: whoever else does so publishes the same value.
pub fn resume(turn: &mut Turn) {
    let book = turn.me().object.book;
    turn.push("takes the claim up again", book.claim.0, |state, index| {
        take(state, index, book.claim);
        let in_flight = &mut state.processes[index].in_flight;
        in_flight.value = true;
        in_flight.settled = book.age != Age::Young;
    });
}

/// What the service refuses beside the current token says nothing of it.
pub fn try_value(turn: &mut Turn) {
    let (me, token) = (turn.me(), turn.me().in_flight.token);
    let accepts = |token: Token| turn.state.alive.has(token) && !turn.state.facts.doubt;
    let book = me.object.book;
    let control = Some(book.current).filter(|current| me.hands.values.has(*current) && !book.rejected);
    let works = accepts(token);
    let refuses_current = control.is_some_and(|control| !accepts(control));
    let heard = |said: Said| move |state: &mut State, index: usize| state.processes[index].in_flight.trial = said;
    if works {
        turn.push("tries the value", token.0, heard(Said::Accepted));
        turn.fault(Fault::Refuse, "is told that a living token is refused", token.0, heard(Said::Refused));
    } else if refuses_current {
        turn.push("is told that all are refused", token.0, |_, _| {});
    } else {
        turn.push("tries the value", token.0, heard(Said::Refused));
    }
}

/// A value that was never published, or is in no Secret any more, stays with the person.
pub fn give_up(turn: &mut Turn, reason: GiveUpReason) {
    let me = *turn.me();
    let (book, in_flight) = (me.object.book, me.in_flight);
    let open = book.claim == in_flight.token && book.fate == Fate::Open;
    let forget = move |state: &mut State, index: usize| {
        stays_with_the_person(state, in_flight.token);
        let process = &mut state.processes[index];
        process.in_flight = InFlight::EMPTY;
        process.hands.values = process.hands.values.with(in_flight.token);
    };
    if reason == GiveUpReason::Recorded && !open {
        return turn.push("finds its token recorded", in_flight.token.0, forget);
    }
    let attempt = bridge::attempt(in_flight.token, &turn.state.facts);
    let undecided = seen(turn).open_claim().filter(|claim| claim.attempt == attempt);
    let unknown = Claim { hand_over: None, request: None, ..turn.claim_of(in_flight.token) };
    let claim = undecided.unwrap_or(unknown);
    let id = bridge::id(in_flight.token, &turn.state.facts);
    let held = me.secret.exists && me.secret.id == in_flight.token;
    let leftover = match (held, in_flight.sent) {
        (false, sent) if !sent || me.live => Leftover::Nothing,
        (held, _) => Leftover::Published { id, revoke_after: bridge::after_overlap(), held },
    };
    let lives = turn.state.alive.has(in_flight.token);
    let doubted = reason == GiveUpReason::Refused && lives && turn.state.facts.doubt;
    let wrong = doubted.then_some("P20: a token is not taken up on the word of a service that refuses everybody");
    let change = |ledger: &mut Ledger| ledger.failed(&claim, leftover, bridge::failure(), bridge::NOW);
    turn.record_checked("gives up", in_flight.token.0, wrong, change, forget);
}

/// A token that the ledger does not have after all was not taken up: the person has it, and knows that.
pub fn stays_with_the_person(state: &mut State, claim: Token) {
    let value = state.facts.deals.value(claim);
    if !hand::known_values(state).has(value) && state.facts.deals.value(state.secret.data) != value {
        state.hand.taken = state.hand.taken.without(value);
    }
}

/// Deletes the hand-over Secret in the version that was read.
pub fn delete_offer(turn: &mut Turn) {
    let (shown, there) = (turn.me().hands.shown, turn.state.hand.offer);
    let beside = turn.me().object.book.known();
    let checks = !turn.broken(Mutation::DeleteAnyOffer);
    let lands = there == shown || (!checks && there.index().is_some());
    let needed = || deletes_what_is_needed(turn.state).or_else(|| deletes_the_last_one(turn));
    let wrong = lands.then(needed).flatten();
    // A person may have changed the Secret since it was read.
    let delete = move |state: &mut State| {
        if lands {
            by_a_person(state, |state| state.hand.offer = hand::Version::NONE);
        }
    };
    turn.push_checked("deletes the hand-over Secret", shown.0, wrong, |state, index| {
        delete(state);
        let hands = &mut state.processes[index].hands;
        (hands.read, hands.read_beside, hands.judged) = (shown, beside, Judged::Missing);
    });
    turn.fault(Fault::LoseAnswer, "deletes the hand-over Secret, answer lost", shown.0, |state, index| {
        delete(state);
        state.processes[index].end_pass();
    });
}

/// P25: what is handed over is deleted only once its token is current, or was.
fn deletes_what_is_needed(state: &State) -> Option<&'static str> {
    let deals = &state.facts.deals;
    let book = &state.object.book;
    let value = deals.brought(state.hand.offer);
    let decided = deals.values_of(book.known().and(book.history)).and(state.hand.let_go).has(value);
    let needed = state.object.exists && state.hand.living.has(value) && !decided;
    needed.then_some("P25: a hand-over Secret was deleted whose token is not the current one")
}

/// P25: it is not deleted while it has the last copy, as far as the process can see.
fn deletes_the_last_one(turn: &Turn) -> Option<&'static str> {
    let (me, state) = (turn.me(), turn.state);
    let held = me.live && hand::shows(&me.secret, me.object.book.current);
    let last = !held && state.hand.living.has(state.facts.deals.brought(state.hand.offer));
    last.then_some("P25: a hand-over Secret was deleted whose token the Secret does not hold")
}

/// Reads the companion Secret: which values it keeps, and those values.
pub fn read_companion(turn: &mut Turn) {
    turn.push("reads the companion Secret", 0, note_companion);
}

/// The state in which the values of these tokens are at hand, if anybody has kept them.
fn having_looked_for(turn: &Turn, tokens: Set) -> State {
    let mut state = *turn.state;
    let missing = tokens.iter().any(|token| !value_is_at_hand(turn, token));
    if missing && !turn.broken(Mutation::TrustOldCompanion) {
        note_companion(&mut state, turn.index);
    }
    state
}

fn note_companion(state: &mut State, index: usize) {
    let companion = state.hand.companion;
    let process = &mut state.processes[index];
    let (hands, deleting) = (&mut process.hands, process.object.deleting);
    (hands.companion, hands.companion_read, hands.companion_live) = (companion, true, deleting);
    hands.values = hands.values.and(companion);
}

/// Keeps the values of these tokens, and no others. What another process keeps there is seen first.
pub fn keep(turn: &mut Turn, tokens: Set) {
    if turn.state.hand.companion != turn.me().hands.companion {
        return turn.push("finds another companion Secret", 0, note_companion);
    }
    let there = turn.state.hand.companion;
    let at_hand = |token: &Token| there.has(*token) || value_is_at_hand(turn, *token);
    let kept = tokens.iter().filter(at_hand).fold(Set::EMPTY, Set::with);
    turn.push("writes the companion Secret", kept.0, |state, index| {
        state.hand.companion = kept;
        note_companion(state, index);
    });
    let unsure = |state: &mut State, index: usize| state.processes[index].hands.companion_read = false;
    turn.fault(Fault::LoseAnswer, "writes the companion Secret, answer lost", kept.0, |state, index| {
        state.hand.companion = kept;
        unsure(state, index);
    });
    turn.fault(Fault::LoseAnswer, "writes the companion Secret, in vain and unknown", kept.0, unsure);
}

/// Asks whether a token is dead, with its value. Without the value, the ledger counts the looks for about a day.
pub fn prove(turn: &mut Turn, token: Token) {
    let state = having_looked_for(turn, Set::of(token));
    let turn = &mut Turn { state: &state, ..reborrow(turn) };
    let me = turn.me();
    let held = holds_value(turn, token) && may_be_last(me, &turn.state.facts, token);
    if !(me.hands.values.has(token) || held) {
        return look_in_vain(turn, token);
    }
    let accepts = |token: Token| turn.state.alive.has(token) && !turn.state.facts.doubt;
    let book = me.object.book;
    let control = Some(book.current).filter(|current| *current != token && current.own() && !book.rejected);
    let control = control.filter(|control| value_is_at_hand(turn, *control));
    // Where nothing else can be asked about, it must be refused for long, and not while most tokens are.
    let refuses_everybody = control.map_or(turn.state.facts.doubt, |control| !accepts(control));
    if accepts(token) || (refuses_everybody && !turn.broken(Mutation::BelieveRefusals)) {
        return turn.push("asks about a token", token.0, |state, index| {
            let hands = &mut state.processes[index].hands;
            hands.asked = hands.asked.with(token);
        });
    }
    let wrong =
        turn.state.alive.has(token).then_some("P25: a token counts as dead that only a person can revoke, and lives");
    dead(turn, token, "sees that a token is dead", wrong, Set::EMPTY);
}

/// Whether the marks of this token may be those that the operator wrote last.
fn may_be_last(process: &Process, facts: &Facts, token: Token) -> bool {
    let current = process.object.book.current;
    current == Token::NONE || current == token || facts.attempt(token) > facts.attempt(current)
}

fn look_in_vain(turn: &mut Turn, token: Token) {
    let facts = turn.state.facts;
    let (attempt, id) = (bridge::attempt(token, &facts), bridge::id(token, &facts));
    turn.record(
        "has no value to ask with",
        token.0,
        |ledger| ledger.revoke_failed(attempt, &id, std::time::Duration::ZERO, bridge::NOW),
        |state, index| {
            let hands = &mut state.processes[index].hands;
            hands.asked = hands.asked.with(token);
        },
    );
    let value = facts.deals.value(token);
    let kept = facts.deals.values_of(turn.state.hand.companion).with(facts.deals.value(turn.state.secret.data));
    let wrong = (kept.has(value) && turn.state.hand.living.has(value))
        .then_some("P25: a token counts as dead, unseen, although its value is kept");
    dead(turn, token, "counts a token as dead, unseen", wrong, Set::of(value));
}

fn dead(turn: &mut Turn, token: Token, what: &'static str, wrong: Option<&'static str>, let_go: Set) {
    let recorded = !(turn.me().object.deleting && turn.broken(Mutation::DeathUnrecorded));
    turn.push_checked(what, token.0, wrong, |state, index| {
        state.hand.let_go = state.hand.let_go.and(let_go);
        let facts = state.facts;
        let process = &mut state.processes[index];
        if recorded {
            process.at = At::Revoked;
            process.target = token;
        } else {
            let (attempt, id) = (bridge::attempt(token, &facts), bridge::id(token, &facts));
            process.object.book = bridge::transition(&process.object, &facts, |ledger| {
                ledger.revoked(attempt, &id, bridge::PROOF, bridge::NOW);
            });
        }
    });
}

/// P13: in a deletion the value of a token goes with the Secret only once the end of that token is recorded.
pub fn deletes_the_proof(state: &State) -> Option<&'static str> {
    let (book, data) = (&state.object.book, state.secret.data);
    let unrecorded = state.object.exists && book.handed.both(book.known()).has(data);
    unrecorded.then_some("P13: the value of a token goes before its end is recorded")
}
