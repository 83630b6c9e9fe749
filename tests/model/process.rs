//! The transitions of a process: one step of its pass at a time, each with the possible outcomes of its calls.
//!
//! A process may sleep between any two transitions, since any other transition may come first. One transition checks a deadline and
//! sends the write that depends on it. A sleep between the two is a write that lands late (`armed`). The model has such writes where a
//! checked write replaces a Secret, but not for the create, which only the first publish of an object is: no fence holds it off. If a
//! person deletes the Secret while a process sleeps past its deadline, the Secret may hold a dead token for a moment.

use artifact_token_operator::api::ledger::{Claim, Ledger};

use super::bridge;
use super::decision::{Decision, Do};
use super::mutations::Mutation;
use super::setup::{Fault, Label, Move, Setup};
use super::tokens::{Set, Token};
use super::world::{At, Book, Fate, InFlight, Object, Process, Said, Secret, State};
use super::{hand_steps, ledger_steps, secret_steps, service_steps};

/// The possible transitions of one process out of one state.
pub struct Turn<'a> {
    pub setup: &'a Setup,
    pub state: &'a State,
    pub index: usize,
    pub moves: &'a mut Vec<Move>,
}

pub fn moves(setup: &Setup, decision: &mut Decision, state: &State, index: usize, moves: &mut Vec<Move>) {
    let mut turn = Turn { setup, state, index, moves };
    match turn.me().at {
        At::Idle if state.object.exists => start(&mut turn, decision),
        At::Idle => {}
        At::Asked => service_steps::answer(&mut turn),
        At::Listed => turn.push("reads the Secret after the list", 0, |state, index| {
            read(state, index);
            state.processes[index].at = At::Pass;
        }),
        At::Revoked => ledger_steps::record_revoked(&mut turn),
        At::Pass => {
            let step = decision.next(setup, state, index);
            perform(&mut turn, step);
        }
    }
}

/// Starts a pass with the object from the cache and the Secret as the watch remembers it. A pass that would rest at once is left out.
fn start(turn: &mut Turn, decision: &mut Decision) {
    let mut state = *turn.state;
    let (object, secret) = (state.object, state.secret);
    let process = &mut state.processes[turn.index];
    process.at = At::Pass;
    process.object = object;
    process.object_fresh = true;
    process.secret = secret;
    if turn.setup.by_hand {
        hand_steps::begin(&mut state, turn.index);
    }
    if decision.next(turn.setup, &state, turn.index) != Do::Rest {
        turn.push("starts a pass", 0, |now, _| *now = state);
    }
}

fn perform(turn: &mut Turn, step: Do) {
    match step {
        Do::Read => turn.push("reads the Secret", 0, read),
        Do::Preflight => turn.push("dry-runs the Secret", 0, |state, index| {
            read(state, index);
            state.processes[index].preflight = true;
        }),
        Do::Rest => rest(turn),
        Do::Sweep => service_steps::sweep(turn),
        Do::Generate => service_steps::generate(turn),
        Do::Try if turn.setup.by_hand => hand_steps::try_value(turn),
        Do::Try => service_steps::try_value(turn),
        Do::Verify => service_steps::verify(turn),
        Do::Revoke(token) => service_steps::revoke(turn, token),
        Do::Prove(token) => hand_steps::prove(turn, token),
        Do::ReadOffer => hand_steps::read_offer(turn),
        Do::Resume => hand_steps::resume(turn),
        Do::DeleteOffer => hand_steps::delete_offer(turn),
        Do::ReadCompanion => hand_steps::read_companion(turn),
        Do::Keep(tokens) => hand_steps::keep(turn, tokens),
        Do::CreatePlaceholder(fence) => secret_steps::create_placeholder(turn, fence),
        Do::Update => secret_steps::update(turn),
        Do::RollBack(fence) => secret_steps::roll_back(turn, fence),
        Do::RaiseFence(fence) => secret_steps::raise_fence(turn, fence),
        Do::Render => secret_steps::render(turn),
        Do::DeleteSecret => secret_steps::delete(turn),
        Do::Finalize(claims) => ledger_steps::finalize(turn, claims),
        Do::Claim(attempt) => ledger_steps::claim(turn, attempt),
        Do::GiveUp(reason) if turn.setup.by_hand => hand_steps::give_up(turn, reason),
        Do::GiveUp(_) => ledger_steps::give_up(turn),
        Do::Decide(outcome) => ledger_steps::decide(turn, outcome),
        // The record is checked against the version that the decision saw: a ledger that is behind records no conflict.
        Do::RecordConflict(_) if !turn.me().object_fresh => turn.conflict(0),
        Do::RecordConflict(token) => ledger_steps::record_conflict(turn, token),
        Do::ConfirmIdentity => ledger_steps::confirm_identity(turn),
        Do::RecordReplaced(token) => {
            let id = bridge::id(token, &turn.state.facts);
            turn.record("records what it replaces", token.0, |ledger| ledger.will_replace(id), |_, _| {})
        }
        Do::RecordLeak => ledger_steps::record_leak(turn),
        Do::Supersede(rows) => ledger_steps::supersede(turn, rows),
        Do::Abandon => ledger_steps::abandon(turn),
        Do::Reject => ledger_steps::reject(turn),
        Do::Release => ledger_steps::release(turn),
    }
}

/// Ends the pass. Its status says that somebody has looked at the object.
fn rest(turn: &mut Turn) {
    let tells = turn.me().object.unseen && turn.me().object_fresh;
    turn.push("rests", 0, |state, index| {
        if tells {
            state.object_changed();
            state.object.unseen = false;
        }
        state.processes[index].end_pass();
    });
}

/// A live read: of the Secret, and of the value in it.
pub fn read(state: &mut State, index: usize) {
    let (secret, facts) = (state.secret, state.facts);
    let process = &mut state.processes[index];
    process.secret = secret;
    process.secret_fresh = true;
    process.live = true;
    process.verdict = Said::Nothing;
    if secret.data.own() && secret.data == process.object.book.current {
        process.remembered = secret.data;
    }
    hand_steps::remember(process, &facts);
}

impl Turn<'_> {
    pub fn me(&self) -> &Process {
        &self.state.processes[self.index]
    }

    pub fn broken(&self, mutation: Mutation) -> bool {
        self.setup.broken(mutation)
    }

    pub fn push(&mut self, what: &'static str, number: u8, change: impl FnOnce(&mut State, usize)) {
        self.push_checked(what, number, None, change);
    }

    pub fn push_checked(
        &mut self,
        what: &'static str,
        number: u8,
        wrong: Option<&'static str>,
        change: impl FnOnce(&mut State, usize),
    ) {
        let mut state = *self.state;
        change(&mut state, self.index);
        self.moves.push(Move { label: Label { who: Some(self.index), what, number }, state, wrong });
    }

    /// The same, if this fault is left in the budget.
    pub fn fault(&mut self, fault: Fault, what: &'static str, number: u8, change: impl FnOnce(&mut State, usize)) {
        if self.state.may(fault) {
            self.push(what, number, |state, index| {
                state.spend(fault);
                change(state, index);
            });
        }
    }

    /// A resourceVersion-checked write of the status: one transition of the real ledger, then `then`. Its answer may be
    /// lost. On a conflict the object is read again.
    pub fn record(
        &mut self,
        what: &'static str,
        number: u8,
        change: impl FnOnce(&mut Ledger),
        then: impl Fn(&mut State, usize),
    ) {
        self.record_checked(what, number, None, change, then);
    }

    /// The same, where the step itself may break an invariant.
    pub fn record_checked(
        &mut self,
        what: &'static str,
        number: u8,
        wrong: Option<&'static str>,
        change: impl FnOnce(&mut Ledger),
        then: impl Fn(&mut State, usize),
    ) {
        let fresh = self.me().object_fresh || (self.broken(Mutation::NoStatusCas) && self.state.object.exists);
        if !fresh {
            return self.conflict(number);
        }
        // Without the check a stale ledger overwrites the newer one.
        let expected = if self.broken(Mutation::NoStatusCas) { self.me().object } else { self.state.object };
        let again = self.broken(Mutation::DecideAgain);
        let book = bridge::transition(&expected, &self.state.facts, |ledger| {
            if again {
                ledger.claim.iter_mut().for_each(|claim| claim.outcome = None);
            }
            change(ledger);
        });
        let wrong = wrong.or_else(|| decided_twice(&self.state.object, &book));
        let write = |state: &mut State, index: usize| {
            state.object_changed();
            state.object.book = book;
            state.object.unseen = false;
            let object = state.object;
            let process = &mut state.processes[index];
            process.object = object;
            process.object_fresh = true;
        };
        self.push_checked(what, number, wrong, |state, index| {
            write(state, index);
            then(state, index);
        });
        self.fault(Fault::LoseAnswer, "its status write's answer is lost", number, |state, index| {
            write(state, index);
            state.processes[index].end_pass();
        });
    }

    /// The write is refused: the object is read again, or it is gone.
    pub fn conflict(&mut self, number: u8) {
        let trusts = self.broken(Mutation::TrustOldRead);
        self.push("has a conflict on the object", number, |state, index| {
            let object = state.object;
            let process = &mut state.processes[index];
            if object.exists {
                process.object = object;
                process.object_fresh = true;
                // A live read or a list must be newer than the ledger that it is used with.
                if !trusts {
                    process.live = false;
                    process.preflight = false;
                    process.verdict = Said::Nothing;
                    process.swept &= !process.listed;
                    process.listed = false;
                    process.listing = Set::EMPTY;
                }
            } else {
                process.end_pass();
                process.in_flight = InFlight::EMPTY;
            }
        });
    }

    /// The claim of this token, as the ledger's transitions take it.
    pub fn claim_of(&self, token: Token) -> Claim {
        Claim {
            attempt: bridge::attempt(token, &self.state.facts),
            nonce: bridge::nonce(token),
            time: bridge::claimed(token, &self.me().object, &self.state.facts),
            request_digest: String::new(),
            request: bridge::request(self.me().object.book.answers),
            hand_over: bridge::named(token, &self.me().object, &self.state.facts)
                .filter(|_| self.me().object.book.fate == Fate::Open),
            outcome: None,
        }
    }

    /// The Secret as this process read it.
    pub fn secret(&self) -> &Secret {
        &self.me().secret
    }
}

/// P6: an outcome is decided once. An abandoned claim is not decided while it is a lost one.
fn decided_twice(object: &Object, after: &Book) -> Option<&'static str> {
    let before = object.book;
    let decided = before.fate != Fate::Open && !before.lost.has(before.claim);
    let again = before.claim == after.claim && decided && before.fate != after.fate;
    again.then_some("P6: an outcome was decided twice")
}
