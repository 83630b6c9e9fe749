//! Steps that write the object: its finalizer and its ledger.

use artifact_token_operator::api::ledger::{Current, Ledger, MAX_LIVE, Outcome, PossiblyLost};
use artifact_token_operator::rotation::ledger::Leftover;
use artifact_token_operator::rotation::observed::Observed;
use artifact_token_operator::rotation::survivors::survivors;

use super::bridge;
use super::canonical::free_slot;
use super::hand_rules;
use super::hand_steps;
use super::mutations::Mutation;
use super::process::Turn;
use super::setup::Fault;
use super::tokens::{Set, Token};
use super::world::{Age, Alarm, Book, Fate, InFlight, Leak, Object, SLOTS, State};

pub fn finalize(turn: &mut Turn, claims: bool) {
    if !turn.me().object_fresh {
        return turn.conflict(0);
    }
    let write = |state: &mut State, index: usize| {
        state.object_changed();
        state.object.finalizer = true;
        let object = state.object;
        let process = &mut state.processes[index];
        process.object = object;
        process.object_fresh = true;
    };
    turn.push("puts the finalizer", 0, |state, index| {
        write(state, index);
        if claims {
            state.claimed = state.claimed.with(Token::FIRST);
            take(state, index, Token::FIRST);
        }
    });
    turn.fault(Fault::LoseAnswer, "puts the finalizer, answer lost", 0, |state, index| {
        write(state, index);
        state.processes[index].end_pass();
    });
}

/// Takes a slot for the claim. With none left the state is at the bound.
pub fn claim(turn: &mut Turn, attempt: u8) {
    let slot = free_slot(turn.state);
    if !slot.own() || usize::from(slot.0) >= turn.setup.slots {
        return turn.push("is at the bound of the model", 0, |state, index| state.processes[index].end_pass());
    }
    let sure = turn.me().preflight && turn.me().live;
    // S6: orphaned tokens come on top, but the operator does not claim beyond five.
    let crowded = turn.state.alive.both(turn.state.object.book.known()).count() >= MAX_LIVE;
    let wrong = if !sure {
        Some("P15: claimed without a dry-run")
    } else {
        crowded.then_some("S6: claimed a sixth living token")
    };
    let open = seen(turn).open_claim();
    let named = turn.setup.named;
    let mut claim = turn.claim_of(slot);
    claim.attempt = attempt.into();
    claim.time = bridge::NOW;
    let mut state = *turn.state;
    state.facts.attempts[usize::from(slot.0)] = attempt;
    state.object.requested = state.object.requested && (!turn.me().object_fresh || turn.setup.by_hand);
    if turn.setup.by_hand {
        claim.request = bridge::request(turn.me().object.requested);
        claim.hand_over = hand_steps::deal(&mut state, turn.index, slot, turn.broken(Mutation::ClaimNamesNothing));
    }
    let by_hand = turn.setup.by_hand;
    if turn.broken(Mutation::ClaimInMemory) {
        let mut turn = Turn { state: &state, ..reborrow(turn) };
        return turn.push("claims in memory alone", slot.0, |state, index| {
            take(state, index, slot);
            let process = &mut state.processes[index];
            process.object.book = Book { claim: slot, age: Age::Young, fate: Fate::Open, ..process.object.book };
        });
    }
    let mut turn = Turn { state: &state, ..reborrow(turn) };
    turn.record_checked(
        "claims",
        slot.0,
        wrong,
        |ledger| ledger.claimed(claim, open, named),
        |state, index| {
            state.claimed = state.claimed.with(slot);
            take(state, index, slot);
            state.processes[index].in_flight.value = by_hand;
        },
    );
}

/// Puts a claim in flight, with the Secret that its publish expects.
pub fn take(state: &mut State, index: usize, token: Token) {
    let process = &mut state.processes[index];
    process.in_flight = InFlight { token, expected: process.secret, ..InFlight::EMPTY };
}

pub fn reborrow<'a>(turn: &'a mut Turn) -> Turn<'a> {
    Turn { setup: turn.setup, state: turn.state, index: turn.index, moves: turn.moves }
}

pub fn seen(turn: &Turn) -> Observed {
    bridge::observed(turn.me(), &turn.state.facts, turn.setup.named)
}

/// The attempt in flight leaves nothing, a token that nobody else saw, or one that consumers may hold.
pub fn give_up(turn: &mut Turn) {
    let in_flight = turn.me().in_flight;
    let claim = turn.claim_of(in_flight.token);
    let id = bridge::id(in_flight.token, &turn.state.facts);
    let published = in_flight.sent && !turn.broken(Mutation::SentIsUnpublished);
    let leftover = match (in_flight.value, published) {
        (false, _) => Leftover::Nothing,
        (true, false) => Leftover::Unpublished(id),
        (true, true) => {
            let held = turn.secret().id == in_flight.token;
            Leftover::Published { id, revoke_after: bridge::after_overlap(), held }
        }
    };
    turn.record(
        "gives up",
        in_flight.token.0,
        |ledger| ledger.failed(&claim, leftover, bridge::failure(), bridge::NOW),
        |state, index| {
            let process = &mut state.processes[index];
            process.in_flight = InFlight::EMPTY;
            if process.object.book.current == in_flight.token {
                process.remembered = in_flight.token;
            }
        },
    );
}

/// The undecided claim of the Secret's attempt: the newest, or the implied one.
fn undecided(turn: &Turn) -> Token {
    let book = &turn.me().object.book;
    if book.claim == Token::NONE { Token::FIRST } else { book.claim }
}

pub fn decide(turn: &mut Turn, outcome: Outcome) {
    let me = *turn.me();
    let token = me.secret.id;
    let decided = undecided(turn);
    let claim = turn.claim_of(decided);
    let own = me.in_flight.value && me.in_flight.token == token;
    let attested = own
        || claim.hand_over.is_some()
        || (me.listing.has(token) && token == decided)
        || turn.broken(Mutation::AttestAnyId);
    let mut facts = turn.state.facts;
    if token.real() {
        facts.attempts[usize::from(token.0)] = me.secret.attempt;
    }
    let failed = if attested {
        Leftover::Published { id: bridge::id(token, &facts), revoke_after: bridge::after_overlap(), held: true }
    } else {
        Leftover::Unknown { attributable: turn.setup.named }
    };
    let unlisted = outcome == Outcome::Failed && !attested && turn.setup.named && !me.listed;
    let wrong = unlisted.then_some("P16: an id counts as nobody's without a list");
    let overlap = if turn.broken(Mutation::NoOverlap) { bridge::NOW } else { bridge::after_overlap() };
    // The token that the Secret held before, as this process saw it. Another process reads all ids that the Secret says it replaced.
    let before = if own { Set::of(me.in_flight.expected.id) } else { me.object.book.superseded };
    let replaced: Vec<_> = before.iter().map(|token| bridge::id(token, &facts)).collect();
    let drops = turn.broken(Mutation::DropSuperseded);
    let hand_over = claim.hand_over.clone();
    let mut state = *turn.state;
    // Where a person must make the token, the request stands until then.
    let by_hand = turn.setup.by_hand;
    let fulfils = claim.request.is_some() && outcome == Outcome::Verified && me.object_fresh;
    state.object.requested = state.object.requested && !fulfils;
    let current = Current { rejected_time: None, hand_over, ..bridge::current(token, &me.object, &facts) };
    Turn { state: &state, ..reborrow(turn) }.record_checked(
        if outcome == Outcome::Verified { "decides: verified" } else { "decides: failed" },
        token.0,
        wrong,
        |ledger| match outcome {
            Outcome::Verified => {
                ledger.verified(&claim, current, &replaced, overlap);
                if drops {
                    ledger.superseded.clear();
                }
            }
            Outcome::Failed => ledger.failed(&claim, failed, bridge::failure(), bridge::NOW),
        },
        |state, index| {
            let process = &mut state.processes[index];
            process.in_flight = InFlight::EMPTY;
            process.verdict = Default::default();
            if own && outcome == Outcome::Verified {
                process.remembered = token;
            }
            // Reads from before the record justify nothing.
            process.live &= !(by_hand && outcome == Outcome::Verified);
            if own && process.object.book.handed.has(token) {
                process.hands.values = process.hands.values.with(token);
            }
        },
    );
}

pub fn supersede(turn: &mut Turn, rows: Set) {
    let (facts, object) = (turn.state.facts, turn.me().object);
    let rows: Vec<_> = rows.iter().map(|token| bridge::row(token, &object, &facts)).collect();
    let held = [bridge::id(turn.secret().id, &facts)];
    let at_once = turn.broken(Mutation::OrphanAtOnce);
    let change = |ledger: &mut Ledger| {
        ledger.orphans_found(&rows, &held, if at_once { bridge::NOW } else { bridge::after_overlap() });
        for orphan in ledger.superseded.iter_mut().filter(|old| at_once && rows.iter().any(|row| row.id == old.id)) {
            orphan.unpublished = true;
        }
    };
    turn.record("supersedes orphaned tokens", 0, change, |_, _| {});
}

pub fn abandon(turn: &mut Turn) {
    let named = turn.setup.named;
    let Some(open) = seen(turn).open_claim() else { return };
    let named = named && !turn.broken(Mutation::ForgetLost);
    // Only a list shows the token, and what else a lost ledger knew of.
    let wrong = (turn.setup.named && !turn.me().listed).then_some("P5: abandoned a claim without a list");
    let change = |ledger: &mut Ledger| ledger.abandoned(&open, named, bridge::failure(), bridge::NOW);
    let claim = turn.me().object.book.claim;
    turn.record_checked("abandons", 0, wrong, change, |state, _| hand_steps::stays_with_the_person(state, claim));
}

pub fn reject(turn: &mut Turn) {
    let lives = turn.state.alive.has(turn.me().object.book.current);
    let wrong =
        (lives && turn.state.facts.doubt).then_some("P20: rejected on the word of a service that refuses everybody");
    turn.record_checked(
        "rejects the current token",
        0,
        wrong,
        |ledger| ledger.rejected(bridge::NOW),
        |state, index| {
            state.processes[index].verdict = Default::default();
        },
    );
}

/// P21: a token of this identity that was never claimed here.
pub fn record_conflict(turn: &mut Turn, token: Token) {
    // Without the status, a token above the Secret's fence may also be another cluster's.
    let above = turn.state.attempt(token) > turn.me().secret.fence;
    let unknown = above && turn.state.spent(turn.setup, Fault::LoseStatus);
    let own = !turn.state.facts.of_other_cluster.has(token);
    let wrong = (own && !unknown).then_some("P21: an own token was taken for another cluster's");
    let row = bridge::row(token, &turn.me().object, &turn.state.facts);
    alarm(
        turn,
        "records an identity conflict",
        wrong,
        |state| state.object.confirmed = false,
        |ledger| ledger.conflict_found(&row, None),
    );
}

/// P21: a person confirmed the identity, and the ledger has every listed token.
pub fn confirm_identity(turn: &mut Turn) {
    alarm(
        turn,
        "confirms its identity",
        None,
        |state| state.object.confirmed = false,
        |ledger| ledger.identity_confirmed(None),
    );
}

/// P14: records which tokens leaked, before the first of them is revoked. A time in the future is capped.
pub fn record_leak(turn: &mut Turn) {
    let me = turn.me().object;
    let issued_before = bridge::issued_before(&me, &turn.state.facts);
    let capped = |state: &mut State| {
        // After the loss of a status the time that lies ahead is a new one again.
        if me.alarm == Alarm::Ahead || (me.alarm == Alarm::AheadThenPast && me.book.leak == Leak::None) {
            state.facts.leaked = state.claimed;
        }
    };
    alarm(turn, "notices a leak", None, capped, |ledger| ledger.leaked(issued_before, bridge::noticed()));
}

/// A record that also changes facts outside the ledger, from the moment it is written.
fn alarm(
    turn: &mut Turn,
    what: &'static str,
    wrong: Option<&'static str>,
    means: impl FnOnce(&mut State),
    change: impl FnOnce(&mut Ledger),
) {
    if !turn.me().object_fresh {
        return turn.conflict(0);
    }
    let mut state = *turn.state;
    means(&mut state);
    Turn { state: &state, ..reborrow(turn) }.record_checked(what, 0, wrong, change, |_, _| {});
}

/// After a revoke: a conflict ends the pass.
pub fn record_revoked(turn: &mut Turn) {
    let token = turn.me().target;
    if !turn.me().object_fresh && !turn.broken(Mutation::NoStatusCas) {
        return turn.push("cannot record a revoke", token.0, |state, index| state.processes[index].end_pass());
    }
    let (attempt, id) = (bridge::attempt(token, &turn.state.facts), bridge::id(token, &turn.state.facts));
    turn.record(
        "records a revoke",
        token.0,
        |ledger| ledger.revoked(attempt, &id, bridge::PROOF, bridge::NOW),
        |state, index| {
            let process = &mut state.processes[index];
            process.at = super::world::At::Pass;
            process.target = Token::NONE;
            // This pass knows that the token is dead, so its list no longer shows it.
            process.listing = process.listing.without(token);
            process.hands.values = process.hands.values.without(token);
        },
    );
}

/// S12: nothing of this uid lives, and nothing lands.
pub fn release(turn: &mut Turn) {
    if !turn.me().object_fresh {
        return turn.conflict(0);
    }
    let alive = turn.state.of_this_object();
    let requests = turn.state.requests.but(turn.state.facts.former);
    let reported = if turn.broken(Mutation::ReleaseSilently) { Set::EMPTY } else { reported(turn) };
    // What lands after the settle time is for the sweep of the service. The object answers for what the ledger or its list has.
    let seen = turn.me().object.book.known().and(turn.me().listing);
    let alive = if turn.setup.sweeps { alive.both(seen) } else { alive };
    let lands = turn.setup.named && !turn.setup.sweeps && !requests.is_empty();
    let lives = !alive.but(reported).is_empty() || lands;
    let lives = if turn.setup.by_hand { !hand_rules::lives_on(turn.state).is_empty() } else { lives };
    let wrong = lives.then_some("S12: the finalizer went, a token lives or lands");
    turn.push_checked("releases the object", 0, wrong, |state, index| {
        state.object_changed();
        state.object = Object::GONE;
        state.processes[index].end_pass();
        state.processes[index].in_flight = InFlight::EMPTY;
    });
}

/// P18: the tokens of unknown outcome that the product reports when the finalizer goes. Tokens that it knows must be dead by then.
fn reported(turn: &Turn) -> Set {
    let facts = &turn.state.facts;
    let mut observed = seen(turn);
    let lost = |token: Token| PossiblyLost { attempt: bridge::attempt(token, facts), claimed_time: bridge::NOW };
    observed.ledger.possibly_lost = turn.state.object.book.possibly_lost.iter().map(lost).collect();
    let unknown = survivors(&observed).into_iter().filter(|survivor| survivor.id.is_none());
    let attempts: Vec<u32> = unknown.map(|survivor| survivor.attempt).collect();
    let own = (0..SLOTS as u8).map(Token).filter(|token| turn.state.alive.has(*token));
    own.filter(|token| attempts.contains(&bridge::attempt(*token, facts))).fold(Set::EMPTY, Set::with)
}
