//! What happens around the processes: the service, consumers, people, time.
//!
//! Time never moves as a whole. Each recorded time ends by itself, as soon as the protocol's assumptions allow it: an overlap when no
//! consumer holds the token any more, a claim's settle time after the deadlines of all processes in which it is in flight. During the
//! deletion of an object a claim settles only once its request has landed or was dropped (a stated limit: the sweep of the service finds
//! what lands later; in runs with that sweep it may land later, and must die). Everything else may end at any time, so that every process
//! may sleep anywhere.

use super::canonical::free_slot;
use super::hand::{self, Hands, by_a_person, known_values};
use super::lives::{graces, lives};
use super::mutations::Mutation;
use super::person;
use super::setup::{Fault, Label, Move, Setup};
use super::tokens::{Set, Token};
use super::world::{Age, Alarm, At, Book, Fate, InFlight, Leak, Object, Process, SLOTS, Said, Secret, State};

pub struct Out<'a> {
    pub state: &'a State,
    pub moves: &'a mut Vec<Move>,
}

impl Out<'_> {
    pub fn push(&mut self, what: &'static str, number: u8, change: impl FnOnce(&mut State)) {
        let mut state = *self.state;
        change(&mut state);
        self.moves.push(Move { label: Label { who: None, what, number }, state, wrong: None });
    }

    pub fn fault(&mut self, fault: Fault, what: &'static str, number: u8, change: impl FnOnce(&mut State)) {
        if self.state.may(fault) {
            self.push(what, number, |state| {
                state.spend(fault);
                change(state);
            });
        }
    }
}

pub fn moves(setup: &Setup, state: &State, moves: &mut Vec<Move>) {
    let mut out = Out { state, moves };
    service(&mut out);
    forbids(&mut out);
    late_write(&mut out);
    people(setup, &mut out);
    person::moves(setup, &mut out);
    lives(setup, &mut out);
    alarms(setup, &mut out);
    times(setup, &mut out);
    for index in 0..setup.processes {
        process(setup, index, &mut out);
    }
}

fn service(out: &mut Out) {
    let state = out.state;
    for token in state.requests.iter() {
        out.push("request lands", token.0, |state| {
            state.requests = state.requests.without(token);
            state.alive = state.alive.with(token);
        });
        // Only where it makes a difference: where somebody waits for the claim, or looks for its token.
        let Object { exists, deleting, book, .. } = state.object;
        let matters = deleting || !exists || book.lost.has(token) || state.facts.former.has(token);
        if matters && state.processes.iter().all(|process| process.at != At::Asked || process.in_flight.token != token)
        {
            out.push("request is dropped", token.0, |state| state.requests = state.requests.without(token));
        }
    }
    for token in state.alive.iter() {
        out.fault(Fault::Forget, "service forgets token", token.0, |state| {
            state.alive = state.alive.without(token);
            state.hand.living = state.hand.living.without(state.facts.deals.value(token));
        });
    }
}

/// What forbids a new token for a while, and ends by itself in the model.
fn forbids(out: &mut Out) {
    let Object { exists, deleting, suspended, .. } = out.state.object;
    if suspended {
        out.push("resumed", 0, |state| {
            state.object_changed();
            state.object.suspended = false;
        });
    } else if exists && !deleting {
        out.fault(Fault::Suspend, "suspended", 0, |state| {
            state.object_changed();
            state.object.suspended = true;
        });
    }
    if out.state.facts.doubt {
        // What it said meanwhile does not count.
        out.push("the service accepts tokens again", 0, |state| {
            state.facts.doubt = false;
            state.processes.iter_mut().filter(|process| process.verdict == Said::Refused).for_each(|process| {
                process.verdict = Said::Nothing;
            });
        });
    } else {
        out.fault(Fault::Doubt, "the service refuses everybody", 0, |state| state.facts.doubt = true);
    }
    if out.state.list_fails {
        out.push("the list comes again", 0, |state| state.list_fails = false);
    } else {
        out.fault(Fault::ListFails, "the list fails", 0, |state| state.list_fails = true);
    }
}

fn late_write(out: &mut Out) {
    if out.state.armed.exists && !(out.state.creates && out.state.secret.exists) {
        out.push("late write lands", out.state.armed.id.0, |state| {
            let armed = state.armed;
            state.creates = false;
            state.write_secret(armed);
        });
    }
}

fn people(setup: &Setup, out: &mut Out) {
    let Object { exists, deleting, finalizer, requested, book, .. } = out.state.object;
    let edit = |state: &mut State, secret: Secret| by_a_person(state, |state| state.write_secret(secret));
    let secret = out.state.secret;
    if exists && !deleting {
        if !requested && book.current != Token::NONE {
            out.fault(Fault::Rotate, "rotation requested", 0, |state| request(state, true));
        }
        if requested {
            out.fault(Fault::Cancel, "request cancelled", 0, |state| request(state, false));
        }
        // Whoever takes the finalizer off and deletes at once lets the tokens go.
        if finalizer || out.state.claimed.is_empty() {
            out.fault(Fault::DeleteObject, "object deleted", 0, |state| {
                state.object_changed();
                state.object.deleting = true;
                if !finalizer {
                    state.object = Object::GONE;
                }
            });
        }
        // Until the first record, only the finalizer and the Secret tell of the first claim. The model leaves out the loss of both.
        let told = book != Book::BLANK || (secret.exists && setup.faults[Fault::DeleteSecret as usize] == 0);
        if finalizer && told {
            out.fault(Fault::Strip, "finalizer taken off", 0, |state| {
                state.object_changed();
                state.object.finalizer = false;
            });
        }
    }
    // Only the status knows of a claim whose request is under way. A token that lands after the sweep that follows the loss is found
    // by a later sweep, if there is one. The model leaves out that double fault.
    let dies = setup.deletes() || setup.faults[Fault::Crash as usize] > 0;
    // Nor of one that another process has in flight, so that its number would be taken again.
    let dies = dies || (setup.by_hand && setup.processes > 1);
    let claimed = |process: &Process| process.in_flight.token != Token::NONE && (dies || !process.in_flight.value);
    let waited_for = !out.state.requests.is_empty() || out.state.processes.iter().any(claimed);
    if exists && book != Book::BLANK && !waited_for {
        out.fault(Fault::LoseStatus, "status lost", 0, |state| {
            state.object_changed();
            state.hand.let_go = state.hand.let_go.and(known_values(state)).and(state.hand.taken);
            state.object.book = Book::BLANK;
        });
    }
    if secret.exists {
        out.fault(Fault::DeleteSecret, "Secret deleted by hand", 0, |state| edit(state, Secret::ABSENT));
        out.fault(Fault::EditData, "data edited by hand", 0, |state| {
            edit(state, Secret { data: Token::JUNK, ..secret })
        });
        let wiped = Secret { attempt: 0, id: Token::NONE, fence: 0, ..secret };
        out.fault(Fault::EditMarks, "annotations wiped by hand", 0, |state| edit(state, wiped));
        let forged = Secret { id: Token::STRANGER, data: Token::STRANGER, ..secret };
        out.fault(Fault::Forge, "stranger's token put in by hand", 0, |state| {
            edit(state, forged);
            state.facts.attempts[SLOTS] = secret.attempt;
            state.alive = state.alive.with(Token::STRANGER);
        });
        out.fault(Fault::Touch, "label edited by hand", 0, |state| edit(state, Secret { touched: true, ..secret }));
    }
}

/// Leaks, and another cluster that works with this object's identity.
fn alarms(setup: &Setup, out: &mut Out) {
    let state = out.state;
    let Object { exists, deleting, finalizer, alarm, confirmed, book, .. } = state.object;
    let alarm_set = |state: &mut State, alarm: Alarm| {
        state.object_changed();
        state.object.alarm = alarm;
    };
    if exists && !deleting && alarm == Alarm::None {
        out.fault(Fault::Leak, "tokens leaked", 0, |state| {
            alarm_set(state, Alarm::Past);
            state.facts.leaked = state.claimed;
        });
        out.fault(Fault::LeakAhead, "tokens leaked, also those to come", 0, |state| alarm_set(state, Alarm::Ahead));
    }
    let over = book.leak == Leak::Replaced
        && [state.own_alive(), book.superseded].iter().all(|set| set.both(state.facts.leaked).is_empty());
    if exists && !deleting && alarm == Alarm::Ahead && over {
        out.fault(Fault::LeakElsewhere, "tokens leaked, it says in the other place", 0, |state| {
            alarm_set(state, Alarm::AheadThenPast);
            state.facts.leaked = state.claimed;
        });
    }
    if exists && book.conflict != Token::NONE && !confirmed {
        out.fault(Fault::Confirm, "a person confirms", 0, |state| {
            state.object_changed();
            state.object.confirmed = true;
            state.facts.of_other_cluster = Set::EMPTY;
        });
    }
    let slot = free_slot(state);
    // Whoever confirms has ended the other cluster.
    let works = !state.spent(setup, Fault::OtherCluster) || !state.facts.of_other_cluster.is_empty();
    if exists && finalizer && works && usize::from(slot.0) < setup.slots {
        let attempts = state.claimed.iter().map(|token| state.attempt(token));
        let highest = attempts.chain([state.secret.fence, 1]).max().unwrap_or(1);
        let mut generates = |attempt: u8| {
            out.fault(Fault::OtherCluster, "another cluster generates", attempt, |state| {
                state.alive = state.alive.with(slot);
                state.facts.of_other_cluster = state.facts.of_other_cluster.with(slot);
                state.facts.attempts[usize::from(slot.0)] = attempt;
            });
        };
        // Attempt 1 is the finalizer's claim in both clusters.
        generates(highest.max(2));
        generates(highest + 1);
    }
}

fn request(state: &mut State, requested: bool) {
    state.object_changed();
    state.object.requested = requested;
}

fn times(setup: &Setup, out: &mut Out) {
    let state = out.state;
    for token in overlaps(state).iter() {
        // No consumer lags behind the Secret by more than an overlap, and no write is under way for so long.
        let held = state.secret.data == token;
        if !held || !state.armed.exists {
            out.push("overlap ends", token.0, |state| {
                if !held {
                    state.holders = state.holders.without(token).but(hand::copies(state, token));
                }
                state.holders = state.holders.but(replaced_by(state, token));
                each_book(state, |book| book.over = book.over.and(book.superseded.both(Set::of(token))));
            });
        }
    }
    graces(out);
    // Within a day some list shows every lost token.
    let known =
        state.processes.iter().fold(state.object.book.known(), |set, process| set.with(process.in_flight.token));
    let found = state.requests.is_empty() && state.of_this_object().but(known).is_empty();
    for token in state.object.book.lost.iter() {
        // A write forgets it. A pass that still has it in its list would be older than a day.
        let listed = state.processes.iter().any(|process| process.listing.has(token));
        if found && !listed && processes_with(state, token).next().is_none() {
            out.push("a day passes since the claim", token.0, |state| {
                each_book(state, |book| {
                    book.lost = book.lost.without(token);
                })
            });
        }
    }
    ageing(setup, out);
}

/// The tokens that the Secret held before this one. They left when this one came, and the overlap of this one began no earlier.
fn replaced_by(state: &State, token: Token) -> Set {
    let held = state.object.book.held;
    let before = held.iter().filter(|old| held.has(token) && state.attempt(*old) < state.attempt(token));
    before.filter(|old| state.secret.data != *old).fold(Set::EMPTY, Set::with)
}

fn overlaps(state: &State) -> Set {
    let open = |book: &Book| book.superseded.but(book.over);
    let snapshots = state.processes.iter().map(|process| open(&process.object.book));
    snapshots.fold(open(&state.object.book), Set::and)
}

pub fn each_book(state: &mut State, change: impl Fn(&mut Book)) {
    change(&mut state.object.book);
    for process in &mut state.processes {
        change(&mut process.object.book);
    }
}

fn processes_with(state: &State, token: Token) -> impl Iterator<Item = &Process> {
    state.processes.iter().filter(move |process| process.in_flight.token == token)
}

/// The newest claim grows older wherever a process remembers it, and so does the object.
fn ageing(setup: &Setup, out: &mut Out) {
    let state = out.state;
    // Where the whole service is swept, something may land later, too.
    let lands = |token: Token| setup.deletes() && !setup.sweeps && state.requests.has(token);
    let mut claims = Set::EMPTY;
    let remembered = state.processes.iter().map(|process| process.object.book);
    for book in remembered.chain([state.object.book]) {
        if book.claim != Token::NONE && book.fate == Fate::Open && book.age != Age::Settled {
            claims = claims.with(book.claim);
        }
    }
    for token in claims.iter() {
        let late = processes_with(state, token).all(|process| process.in_flight.late);
        if !late || lands(token) {
            continue;
        }
        let mut age = |age: Age| {
            out.push("claim ages", age as u8, |state| {
                each_book(state, |book| {
                    if book.claim == token && book.fate == Fate::Open {
                        book.age = book.age.max(age);
                    }
                })
            })
        };
        // Nobody waits for the settle time of a token that was handed over.
        if !setup.by_hand {
            age(Age::Settled);
        }
        // Only a refusal depends on the age in between.
        if state.processes.iter().any(|process| process.verdict == Said::Refused) {
            age(Age::Late);
        }
    }
    let late = processes_with(state, Token::FIRST).all(|process| process.in_flight.late) && !lands(Token::FIRST);
    let Object { exists, old, finalizer, .. } = state.object;
    let implied = finalizer && late;
    if exists && !old && (implied || (setup.broken(Mutation::OldFinalizer) && !finalizer)) {
        out.push("object ages", 0, |state| {
            state.object.old = true;
            state
                .processes
                .iter_mut()
                .filter(|process| process.object.exists)
                .for_each(|process| process.object.old = true);
        });
    }
}

fn process(setup: &Setup, index: usize, out: &mut Out) {
    let process = out.state.processes[index];
    let own = |what: &'static str, fault: Option<Fault>, change: &dyn Fn(&mut Process), out: &mut Out| {
        let mut state = *out.state;
        if let Some(fault) = fault {
            state.spend(fault);
        }
        change(&mut state.processes[index]);
        out.moves.push(Move { label: Label { who: Some(index), what, number: 0 }, state, wrong: None });
    };
    // A process can repeat its reads. So a crash matters only where memory is lost, or an operation that was not recorded.
    let loses = process.in_flight != InFlight::EMPTY || process.at == At::Revoked || process.remembered != Token::NONE;
    let loses = loses || process.hands != Hands::NONE;
    if loses && out.state.may(Fault::Crash) {
        own("crashes", Some(Fault::Crash), &|process| *process = Process::IDLE, out);
    }
    let in_flight = process.in_flight;
    // A value that nobody accepts is tried until then.
    let vain = setup.by_hand && in_flight.value && in_flight.trial != Said::Accepted;
    if in_flight.token != Token::NONE && !in_flight.late && vain {
        own("deadline passes", None, &|process| process.in_flight.late = true, out);
    } else if in_flight.token != Token::NONE && !in_flight.late && out.state.may(Fault::Oversleep) {
        own("deadline passes", Some(Fault::Oversleep), &|process| process.in_flight.late = true, out);
    }
    // Only a refusal depends on this time, so it passes only beside one.
    let refused = process.in_flight.trial == Said::Refused || process.verdict == Said::Refused;
    if process.in_flight.value && !process.in_flight.settled && refused {
        own("token settle time passes", None, &|process| process.in_flight.settled = true, out);
    }
    if setup.by_hand && process.at == At::Pass {
        person::watches(index, out);
    }
    if process.swept && !out.state.object.book.lost.is_empty() {
        own("next look for lost tokens", None, &|process| process.swept = false, out);
    }
    let unlisted = !unknown(out.state).is_empty() && setup.faults[Fault::OtherCluster as usize] > 0;
    if process.list_pause {
        own("may list the service again", None, &|process| process.list_pause = false, out);
    }
    if process.at == At::Idle && !process.suspects && unlisted && !setup.sweeps {
        own("the sweep of the service tells of a token", None, &|process| process.suspects = true, out);
    }
    if process.at == At::Idle && !process.due && out.state.may(Fault::Due) && out.state.object.exists {
        own("verification falls due", Some(Fault::Due), &|process| process.due = true, out);
    }
}

/// Tokens that live under this object's identity and are neither in its ledger nor in flight in a process.
fn unknown(state: &State) -> Set {
    let in_flight = state.processes.iter().fold(Set::EMPTY, |set, process| set.with(process.in_flight.token));
    let own = state.alive.without(Token::STRANGER).but(state.facts.former);
    own.but(state.object.book.known()).but(in_flight)
}
