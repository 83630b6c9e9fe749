//! From the model's world to the product's types and back. The decision and the ledger's transitions are the real ones.
#![allow(clippy::expect_used)]

use std::time::Duration;

use artifact_token_operator::api::ids::{Nonce, TokenId};
use artifact_token_operator::api::ledger::{
    self as api, Claim, Conflict, Current, HandOver, HandledRequests, LeakTimes, Ledger, Lost, Outcome, Proof,
    Replaced, Revoked, Superseded,
};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::desired::{Desired, Instructions, Timings};
use artifact_token_operator::rotation::ledger::Failure;
use artifact_token_operator::rotation::observed::{
    self, Companion, Content, Former, Observed, Offer, OfferState, Others, Ours, Pauses, Row, SecretState, Secrets,
    Service, ServiceSeen, Verdict,
};

use super::hand::{Hands, Judged, Version};
use super::tokens::{Set, Token};
use super::world::{Age, Alarm, Book, Facts, Fate, InFlight, Leak, Object, Process, SLOTS, Said, Secret};

/// The kind of proof does not matter here.
pub const PROOF: Proof = Proof::Refused;

/// The only time in the model.
pub const NOW: Time = Time::from_millis(1_790_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);

pub fn timings() -> Timings {
    Timings::derive(30 * SECOND, 60 * SECOND, 30 * SECOND, SECOND)
}

/// When a token superseded now may be revoked.
pub fn after_overlap() -> Time {
    NOW.plus(HOUR)
}

/// Older than any settle time.
fn settled() -> Time {
    NOW.minus(2 * timings().claim_settle)
}

/// The earliest time of a claim that did not leak. Claims that leaked are older than this time, all others are not.
fn leak_time(object: &Object, facts: &Facts) -> Time {
    let (newest, claimed) = newest(object);
    if facts.leaked.has(newest) { claimed.plus(MOMENT) } else { NOW.minus(20 * HOUR) }
}

/// The times that people give for a leak: tokens claimed before them leaked.
pub fn issued_before(object: &Object, facts: &Facts) -> LeakTimes {
    let (past, ahead) = (Some(leak_time(object, facts)), Some(NOW.plus(HOUR)));
    match object.alarm {
        Alarm::None => LeakTimes::default(),
        Alarm::Past => LeakTimes { object: past, service: None },
        Alarm::Ahead => LeakTimes { object: ahead, service: None },
        Alarm::AheadThenPast => LeakTimes { object: ahead, service: past },
    }
}

/// When a leak is recorded: after every claim.
pub fn noticed() -> Time {
    NOW.plus(2 * MOMENT)
}

fn newest(object: &Object) -> (Token, Time) {
    let book = &object.book;
    match (book.claim, book.age) {
        (Token::NONE, _) => (Token::FIRST, if object.old { settled() } else { NOW }),
        (claim, Age::Young) => (claim, NOW),
        (claim, Age::Late) => (claim, NOW.minus(timings().publish_deadline)),
        (claim, Age::Settled) => (claim, settled()),
    }
}

/// When this token's attempt was claimed.
pub fn claimed(token: Token, object: &Object, facts: &Facts) -> Time {
    let (newest, time) = newest(object);
    let leak = leak_time(object, facts);
    match token {
        token if token == newest => time,
        token if facts.leaked.has(token) => NOW.minus(10 * HOUR).min(leak.minus(MOMENT)),
        _ => NOW.minus(10 * HOUR).max(leak),
    }
}

pub fn desired(object: &Object, facts: &Facts) -> Desired {
    Desired {
        halt: None,
        suspended: object.suspended,
        interval: None,
        spread: Duration::ZERO,
        rotate_before: None,
        overlap: HOUR,
        rotate_issued_before: None,
        revoke_issued_before: issued_before(object, facts),
        probe: true,
        verification_interval: HOUR,
        request_digest: String::new(),
        by_hand: Instructions::default(),
        timings: timings(),
    }
}

/// What this process saw, as the decision takes it.
pub fn observed(process: &Process, facts: &Facts, named: bool) -> Observed {
    let (object, by_hand) = (&process.object, facts.deals.by_hand);
    let known = asked(refused(ledger(object, facts), process.verdict), &process.hands, facts);
    let holds_previous = if by_hand {
        process.hands.values.has(object.book.current)
    } else {
        process.remembered != Token::NONE && process.remembered == object.book.current
    };
    let listing = || process.listing.iter().map(|token| row(token, object, facts)).collect();
    Observed {
        object: seen_object(object),
        by_hand: if by_hand { seen_by_hand(process, facts, &known) } else { observed::ByHand::default() },
        ledger: known,
        secrets: Secrets::one(process.live, secret_state(&process.secret, process, facts)),
        in_flight: in_flight(&process.in_flight, facts),
        service: Service {
            seen: Some(ServiceSeen { attributable: named, same_origin: true, trusted: !facts.doubt, by_hand }),
            listing: process.listed.then(listing),
            swept: process.swept.then_some(NOW),
            suspected: process.suspects,
            lists_others: false,
            others: Others { answered: Some(NOW), accepted: Some(NOW), forgiven: None, accepts_own: false },
        },
        facts: observed::Facts {
            holds_previous,
            preflight: process.preflight,
            verdict: verdict(process.verdict),
            refusals: 2,
            turn: true,
            pauses: Pauses { sweep: process.list_pause.then(|| NOW.plus(SECOND)), ..Pauses::default() },
            accepted: Some(if process.due { NOW.minus(5 * HOUR) } else { NOW }),
            ..observed::Facts::default()
        },
    }
}

/// What a refusal needs besides to count as a death is a question of time and of other objects, and neither is in the model. So every
/// refusal in it is the second one, and another token was accepted in between. `tests/simulation` has all the others.
fn refused(mut ledger: Ledger, verdict: Said) -> Ledger {
    if verdict == Said::Refused {
        ledger.refused(settled());
    }
    ledger
}

/// A look at a token without its value is recorded, and the next one waits for a back-off.
fn asked(mut ledger: Ledger, hands: &Hands, facts: &Facts) -> Ledger {
    for old in ledger.superseded.iter_mut().filter(|old| hands.asked.has(token(&old.id, facts))) {
        old.next_try_time = Some(later());
    }
    ledger
}

/// The value of an annotation that asks for something.
pub fn request(asks: bool) -> Option<String> {
    asks.then(|| "r".to_owned())
}

fn seen_object(object: &Object) -> observed::Object {
    observed::Object {
        unclaimed: false,
        deleting: object.deleting,
        finalizer: object.finalizer,
        leave: None,
        generation: 1,
        created: if object.old { settled() } else { NOW },
        requests: HandledRequests {
            rotate: request(object.requested),
            confirm: request(object.confirmed),
            reconcile: None,
        },
    }
}

/// What people do by hand, as this process sees it. As in `judge` of the product, what leaked is not taken up again.
fn seen_by_hand(process: &Process, facts: &Facts, ledger: &Ledger) -> observed::ByHand {
    let hands = &process.hands;
    let secret = hand_over(hands.shown, facts);
    let leaked = |claim: &Claim| claim.hand_over.as_ref() == Some(&secret) && ledger.leak_covers(claim.time);
    let state = if !hands.has_read(hands.shown, process.object.book.known()) {
        Some(OfferState::Unread)
    } else {
        match hands.judged {
            Judged::Missing => None,
            Judged::Ready if ledger.claim.as_ref().is_some_and(leaked) => Some(OfferState::Refused(String::new())),
            Judged::Ready => Some(OfferState::Ready),
            Judged::Taken => Some(OfferState::Taken),
            Judged::Refused => Some(OfferState::Refused(String::new())),
        }
    };
    let offer = state.filter(|_| hands.shown != Version::NONE).map(|state| Offer { secret, state });
    let kept: Vec<_> = hands.companion.iter().map(|token| id(token, facts)).collect();
    let companion = match hands.companion_read {
        false => Companion::Unread,
        true if kept.is_empty() => Companion::Absent,
        true => Companion::Ours(kept),
    };
    let asked = hands.asked.iter().map(|token| (id(token, facts), later())).collect();
    let companion_stale = process.object.deleting && hands.companion_read && !hands.companion_live;
    observed::ByHand { offer, companion, companion_stale, asked }
}

/// A version of the hand-over Secret.
pub fn hand_over(version: Version, facts: &Facts) -> HandOver {
    HandOver { uid: facts.deals.uid(version).to_string(), resource_version: version.0.to_string() }
}

/// When a token that a person must revoke is asked about again.
fn later() -> Time {
    NOW.plus(SECOND)
}

/// What a process sees of this Secret.
pub fn secret_state(secret: &Secret, process: &Process, facts: &Facts) -> SecretState {
    if !secret.exists {
        return SecretState::Absent;
    }
    if secret.former {
        return SecretState::Former(Former {
            id: secret.id.real().then(|| id(secret.id, facts)),
            content_hash: content_hash(secret),
        });
    }
    // A process with the value in memory sees that the data differs. One without it believes the annotations.
    let own_value = process.in_flight.value && process.in_flight.token == secret.id;
    let knows = process.remembered == secret.id || process.hands.values.has(secret.id) || own_value;
    let content = match secret.data {
        Token::NONE => Content::Empty,
        data if data == secret.id => Content::Token,
        _ if secret.id.real() && !knows => Content::Token,
        _ => Content::Edited,
    };
    SecretState::Ours(Ours {
        attempt: secret.attempt.into(),
        id: secret.id.real().then(|| id(secret.id, facts)),
        fence: secret.fence.into(),
        content,
        rendered: !secret.touched,
        content_hash: content_hash(secret),
    })
}

fn content_hash(secret: &Secret) -> u64 {
    u64::from_le_bytes([secret.attempt, secret.id.0, secret.data.0, secret.fence, 1, secret.former.into(), 0, 0])
}

fn in_flight(in_flight: &InFlight, facts: &Facts) -> observed::InFlight {
    if !in_flight.token.own() {
        return observed::InFlight::Nothing;
    }
    let attempt = attempt(in_flight.token, facts);
    let deadline = if in_flight.late { NOW.minus(SECOND) } else { NOW.plus(SECOND) };
    if !in_flight.value {
        return observed::InFlight::Claim { attempt, deadline };
    }
    observed::InFlight::Value {
        attempt,
        id: id(in_flight.token, facts),
        deadline,
        issued: if in_flight.settled { NOW.minus(2 * timings().token_settle) } else { NOW },
        trial: verdict(in_flight.trial),
        expected: vec![in_flight.expected.exists.then(|| content_hash(&in_flight.expected))],
        sent: in_flight.sent,
    }
}

fn verdict(said: Said) -> Option<Verdict> {
    match said {
        Said::Nothing => None,
        Said::Accepted => Some(Verdict::Accepted),
        Said::Refused => Some(Verdict::Refused),
    }
}

/// The row of a token in the service's list.
pub fn row(token: Token, object: &Object, facts: &Facts) -> Row {
    Row {
        id: id(token, facts),
        attempt: attempt(token, facts),
        nonce: nonce(token),
        created: Some(claimed(token, object, facts)),
        expiration: None,
    }
}

pub fn attempt(token: Token, facts: &Facts) -> u32 {
    facts.attempt(token).into()
}

/// The id of a token. One that a person hands over has that of its attempt.
pub fn id(token: Token, facts: &Facts) -> TokenId {
    if facts.deals.by_hand {
        return TokenId::of_hand_over(attempt(token, facts));
    }
    TokenId::new(char::from(b'0' + token.0)).expect("a sign is an id")
}

/// The token of an id.
pub fn token(id: &TokenId, facts: &Facts) -> Token {
    if facts.deals.by_hand {
        let claimed = (1..SLOTS as u8).map(Token).find(|token| self::id(*token, facts) == *id);
        return claimed.unwrap_or(Token::FIRST);
    }
    id.as_str().bytes().next().map_or(Token::NONE, |byte| Token(byte - b'0'))
}

/// Eight letters, as in a name at the service.
pub fn nonce(token: Token) -> Nonce {
    let letter = char::from(b'a' + token.0).to_string();
    if token == Token::FIRST { Nonce::first() } else { Nonce::new(letter.repeat(8)).expect("letters are a nonce") }
}

fn of_nonce(nonce: &Nonce) -> Token {
    let letter = nonce.as_str().bytes().next().filter(|_| !nonce.is_first());
    letter.map_or(Token::FIRST, |letter| Token(letter - b'a'))
}

/// The real ledger.
pub fn ledger(object: &Object, facts: &Facts) -> Ledger {
    let book = &object.book;
    let outcome = match book.fate {
        Fate::Open => None,
        Fate::Verified => Some(Outcome::Verified),
        Fate::Failed => Some(Outcome::Failed),
    };
    let claim = |token: Token| Claim {
        attempt: attempt(token, facts),
        nonce: nonce(token),
        time: claimed(token, object, facts),
        request_digest: String::new(),
        request: request(book.answers),
        hand_over: named(token, object, facts),
        outcome,
    };
    let lost = |token: Token| {
        let time = settled().min(claimed(token, object, facts).max(NOW.minus(21 * HOUR)));
        Lost { attempt: attempt(token, facts), nonce: nonce(token), time }
    };
    let dead = |token: Token| Revoked {
        attempt: attempt(token, facts),
        id: id(token, facts),
        nonce: nonce(token),
        revoked_time: NOW,
        proof: PROOF,
    };
    Ledger {
        history: book.history.iter().map(dead).collect(),
        claim: book.claim.own().then(|| claim(book.claim)),
        current: book.current.real().then(|| current(book.current, object, facts)),
        superseded: book.superseded.iter().map(|token| superseded(token, object, facts)).collect(),
        lost: book.lost.iter().map(lost).collect(),
        leak: leak(object, facts),
        conflict: book
            .conflict
            .own()
            .then(|| Conflict { attempt: attempt(book.conflict, facts), id: id(book.conflict, facts) }),
        replaced: book
            .replaced
            .own()
            .then(|| Replaced { id: id(book.replaced, facts), until_time: book.replacing.then(after_overlap) }),
        ..Ledger::default()
    }
}

fn leak(object: &Object, facts: &Facts) -> Option<api::Leak> {
    let times = issued_before(object, facts);
    let second = object.book.second_leak;
    let noticed_all = second || object.alarm != Alarm::AheadThenPast;
    let open = api::Leak {
        issued_before: None,
        object_issued_before: times.object,
        service_issued_before: times.service.filter(|_| second),
        // What the first leak covered is dead when the second one comes.
        claimed_before: if noticed_all { leak_time(object, facts) } else { NOW.minus(30 * HOUR) },
        revoked_time: None,
        replaced_time: None,
    };
    match object.book.leak {
        Leak::None => None,
        Leak::Open => Some(open),
        Leak::Replaced => Some(api::Leak { replaced_time: Some(NOW), ..open }),
    }
}

/// A current token, verified long ago.
pub fn current(token: Token, object: &Object, facts: &Facts) -> Current {
    let past = NOW.minus(10 * HOUR);
    let rejected = object.book.rejected && object.book.current == token;
    Current {
        unclear: None,
        last_used_time: None,
        hand_over: named(token, object, facts),
        reminded_days: None,
        attempt: attempt(token, facts),
        id: id(token, facts),
        nonce: nonce(token),
        credentials_revision: String::new(),
        hint: None,
        request_digest: String::new(),
        claimed_time: claimed(token, object, facts),
        issued_time: past,
        published_time: past,
        verified_time: past,
        probed: true,
        refused_time: None,
        rejected_time: rejected.then_some(past),
        expiration_time: None,
        secret_resource_version: String::new(),
    }
}

/// The hand-over Secret that a claim of the ledger names.
pub fn named(token: Token, object: &Object, facts: &Facts) -> Option<HandOver> {
    object.book.handed.has(token).then(|| hand_over(facts.deals.named(token), facts))
}

fn superseded(token: Token, object: &Object, facts: &Facts) -> Superseded {
    let book = &object.book;
    Superseded {
        attempt: attempt(token, facts),
        id: id(token, facts),
        nonce: nonce(token),
        credentials_revision: String::new(),
        claimed_time: Some(claimed(token, object, facts)),
        revoke_after_time: if book.over.has(token) { NOW } else { after_overlap() },
        unpublished: book.unpublished.has(token),
        held: book.held.has(token),
        rejected_time: None,
        handed_over: book.handed.has(token),
        hint: None,
        tries: 0,
        next_try_time: None,
        failure: String::new(),
    }
}

/// The ledger in the model's terms. `before` says which claims were possibly lost.
pub fn book(ledger: &Ledger, before: &Book, facts: &Facts) -> Book {
    let token = |id: &TokenId| token(id, facts);
    let mut book = Book { possibly_lost: before.possibly_lost, ..Book::BLANK };
    if let Some(claim) = &ledger.claim {
        book.claim = of_nonce(&claim.nonce);
        book.answers = claim.request.is_some();
        book.handed = claim.hand_over.iter().fold(Set::EMPTY, |set, _| set.with(book.claim));
        book.fate = match claim.outcome {
            None => Fate::Open,
            Some(Outcome::Verified) => Fate::Verified,
            Some(Outcome::Failed) => Fate::Failed,
        };
        book.age = match NOW.since(claim.time) {
            age if age >= timings().claim_settle => Age::Settled,
            age if age >= timings().publish_deadline => Age::Late,
            _ => Age::Young,
        };
    }
    if let Some(current) = &ledger.current {
        book.current = token(&current.id);
        book.handed = current.hand_over.iter().fold(book.handed, |set, _| set.with(book.current));
        book.rejected = current.rejected_time.is_some();
    }
    for old in &ledger.superseded {
        let token = token(&old.id);
        book.superseded = book.superseded.with(token);
        if old.handed_over {
            book.handed = book.handed.with(token);
        }
        if old.revoke_after_time <= NOW {
            book.over = book.over.with(token);
        }
        if old.unpublished {
            book.unpublished = book.unpublished.with(token);
        }
        if old.held {
            book.held = book.held.with(token);
        }
    }
    book.leak = match &ledger.leak {
        None => Leak::None,
        Some(leak) if leak.replaced_time.is_none() => Leak::Open,
        Some(_) => Leak::Replaced,
    };
    book.second_leak = ledger.leak.as_ref().is_some_and(|leak| leak.service_issued_before.is_some());
    book.conflict = ledger.conflict.as_ref().map_or(Token::NONE, |conflict| token(&conflict.id));
    if let Some(replaced) = &ledger.replaced {
        book.replaced = token(&replaced.id);
        book.replacing = replaced.until_time.is_some();
    }
    book.history = ledger.history.iter().fold(Set::EMPTY, |set, dead| set.with(token(&dead.id)));
    book.lost = ledger.lost.iter().fold(Set::EMPTY, |set, lost| set.with(of_nonce(&lost.nonce)));
    book
}

/// The object's book after a transition of the real ledger.
pub fn transition(object: &Object, facts: &Facts, change: impl FnOnce(&mut Ledger)) -> Book {
    let mut real = ledger(object, facts);
    change(&mut real);
    let reported = real.possibly_lost.iter().filter_map(|lost| {
        let slot = (0..SLOTS as u8).map(Token).find(|slot| attempt(*slot, facts) == lost.attempt)?;
        Some(slot)
    });
    let reported = reported.fold(Set::EMPTY, Set::with);
    let mut after = book(&real, &object.book, facts);
    after.possibly_lost = after.possibly_lost.and(reported);
    after
}

/// Why an attempt failed. The decision does not look at it.
pub fn failure() -> Failure {
    Failure {
        reason: Reason::VerificationFailed,
        message: String::new(),
        generation: 0,
        first_retry: SECOND,
        at_least: Duration::ZERO,
    }
}
