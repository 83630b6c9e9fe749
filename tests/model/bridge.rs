//! From the pretended world to the product's types and back: the decision and the ledger's transitions are the real ones.

use std::time::Duration;

use artifact_token_operator::api::ledger::{Claim, Current, HandledRequests, Ledger, Lost, Outcome, Superseded};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::desired::{Desired, Timings};
use artifact_token_operator::rotation::identity::FIRST_NONCE;
use artifact_token_operator::rotation::ledger::Failure;
use artifact_token_operator::rotation::observed::{
    Content, Hand, Observed, Ours, Pauses, Row, SecretState, Seen, ServiceSeen, Verdict,
};

use super::tokens::{Set, Token};
use super::world::{Age, Book, Fate, InHand, Object, Process, SLOTS, Said, Secret};

/// The only time there is.
pub const NOW: Time = Time::from_millis(1_790_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Attempts by slot.
pub type Attempts = [u8; SLOTS + 1];

pub fn timings() -> Timings {
    Timings::derive(30 * SECOND, 60 * SECOND, 30 * SECOND, SECOND)
}

/// When what is superseded now may be revoked.
pub fn after_overlap() -> Time {
    NOW.plus(HOUR)
}

pub fn desired() -> Desired {
    Desired {
        halt: None,
        suspended: false,
        interval: None,
        spread: Duration::ZERO,
        rotate_before: None,
        overlap: HOUR,
        rotate_issued_before: None,
        revoke_issued_before: None,
        probe: true,
        verification_interval: HOUR,
        wish: String::new(),
        timings: timings(),
    }
}

/// What this process saw.
pub fn observed(process: &Process, attempts: &Attempts, named: bool) -> Observed {
    let object = &process.object;
    let requests = HandledRequests { rotate: object.requested.then(|| "r".to_owned()), reconcile: None, confirm: None };
    Observed {
        deleting: object.deleting,
        finalizer: object.finalizer,
        leave: None,
        generation: 1,
        created: if object.old { NOW.minus(2 * timings().claim_settle) } else { NOW },
        requests,
        ledger: ledger(&object.book, attempts),
        secrets: vec![Seen { live: process.live, state: secret_state(&process.secret, process) }],
        hand: hand(&process.hand, attempts),
        holds_previous: process.held != Token::NONE && process.held == object.book.current,
        listing: process.listed.then(|| process.listing.iter().map(|token| row(token, attempts)).collect()),
        swept: process.swept.then_some(NOW),
        suspected: false,
        service: Some(ServiceSeen { attributable: named, same_origin: true, trusted: true }),
        halt: None,
        doubtful: false,
        preflight: process.preflight,
        verdict: verdict(process.verdict),
        accepted: Some(if process.due { NOW.minus(5 * HOUR) } else { NOW }),
        pauses: Pauses::default(),
    }
}

fn secret_state(secret: &Secret, process: &Process) -> SecretState {
    if !secret.exists {
        return SecretState::Absent;
    }
    // A process that has the value in memory sees that the data is another; one that has not believes the annotations.
    let own_value = process.hand.value && process.hand.token == secret.id;
    let knows = process.held == secret.id || own_value;
    let content = match secret.data {
        Token::NONE => Content::Empty,
        data if data == secret.id => Content::Token,
        _ if secret.id.real() && !knows => Content::Token,
        _ => Content::Edited,
    };
    SecretState::Ours(Ours {
        attempt: secret.attempt.into(),
        id: secret.id.real().then(|| id(secret.id)),
        fence: secret.fence.into(),
        content,
        rendered: !secret.touched,
        essence: essence(secret),
        predecessor: None,
    })
}

fn essence(secret: &Secret) -> u64 {
    u64::from_le_bytes([secret.attempt, secret.id.0, secret.data.0, secret.fence, 1, 0, 0, 0])
}

fn hand(hand: &InHand, attempts: &Attempts) -> Hand {
    if !hand.token.own() {
        return Hand::Empty;
    }
    let attempt = attempt(hand.token, attempts);
    let deadline = if hand.late { NOW.minus(SECOND) } else { NOW.plus(SECOND) };
    if !hand.value {
        return Hand::Claim { attempt, deadline };
    }
    Hand::Value {
        attempt,
        id: id(hand.token),
        deadline,
        issued: if hand.settled { NOW.minus(2 * timings().token_settle) } else { NOW },
        trial: verdict(hand.trial),
        base: vec![hand.base.exists.then(|| essence(&hand.base))],
        sent: hand.sent,
    }
}

fn verdict(said: Said) -> Option<Verdict> {
    match said {
        Said::Nothing => None,
        Said::Accepted => Some(Verdict::Accepted),
        Said::Refused => Some(Verdict::Refused),
    }
}

/// A token's row in the service's list.
pub fn row(token: Token, attempts: &Attempts) -> Row {
    Row {
        id: id(token),
        attempt: attempt(token, attempts),
        nonce: nonce(token),
        created: None,
        expiration: None,
        predecessor: false,
    }
}

pub fn attempt(token: Token, attempts: &Attempts) -> u32 {
    if token == Token::FIRST { 1 } else { attempts[usize::from(token.0)].into() }
}

pub fn id(token: Token) -> String {
    char::from(b'0' + token.0).to_string()
}

/// The token of an id.
pub fn token(id: &str) -> Token {
    id.bytes().next().map_or(Token::NONE, |byte| Token(byte - b'0'))
}

pub fn nonce(token: Token) -> String {
    if token == Token::FIRST { FIRST_NONCE.to_owned() } else { id(token) }
}

/// The real ledger.
pub fn ledger(book: &Book, attempts: &Attempts) -> Ledger {
    let settled = NOW.minus(2 * timings().claim_settle);
    let outcome = match book.fate {
        Fate::Open => None,
        Fate::Verified => Some(Outcome::Verified),
        Fate::Failed => Some(Outcome::Failed),
    };
    let time = match book.age {
        Age::Young => NOW,
        Age::Late => NOW.minus(timings().publish_deadline),
        Age::Settled => settled,
    };
    let claim = |token: Token| Claim {
        attempt: attempt(token, attempts),
        nonce: nonce(token),
        time,
        wish: String::new(),
        outcome,
    };
    let lost = |token: Token| Lost { attempt: attempt(token, attempts), nonce: nonce(token), time: settled };
    Ledger {
        claim: book.claim.own().then(|| claim(book.claim)),
        current: book.current.real().then(|| current(book.current, attempts, book.rejected)),
        superseded: book.superseded.iter().map(|token| superseded(book, token, attempts)).collect(),
        lost: book.lost.iter().map(lost).collect(),
        ..Ledger::default()
    }
}

/// A current token, verified long ago.
pub fn current(token: Token, attempts: &Attempts, rejected: bool) -> Current {
    let past = NOW.minus(10 * HOUR);
    Current {
        attempt: attempt(token, attempts),
        id: id(token),
        nonce: nonce(token),
        hint: None,
        wish: String::new(),
        claimed_time: past,
        issued_time: past,
        published_time: past,
        verified_time: past,
        probed: true,
        rejected_time: rejected.then_some(past),
        expiration_time: None,
        secret_resource_version: String::new(),
    }
}

fn superseded(book: &Book, token: Token, attempts: &Attempts) -> Superseded {
    Superseded {
        attempt: attempt(token, attempts),
        id: id(token),
        nonce: nonce(token),
        claimed_time: None,
        revoke_after_time: if book.over.has(token) { NOW } else { after_overlap() },
        unpublished: book.unpublished.has(token),
        tries: 0,
        next_try_time: None,
    }
}

/// The ledger in short. What `claim` was, for an attempt that stands there without a token of its number.
pub fn book(ledger: &Ledger, before: &Book) -> Book {
    let of_nonce = |nonce: &str| if nonce == FIRST_NONCE { Token::FIRST } else { token(nonce) };
    let mut book = Book { possibly_lost: before.possibly_lost, ..Book::BLANK };
    if let Some(claim) = &ledger.claim {
        book.claim = of_nonce(&claim.nonce);
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
        book.rejected = current.rejected_time.is_some();
    }
    for old in &ledger.superseded {
        let token = token(&old.id);
        book.superseded = book.superseded.with(token);
        if old.revoke_after_time <= NOW {
            book.over = book.over.with(token);
        }
        if old.unpublished {
            book.unpublished = book.unpublished.with(token);
        }
    }
    book.lost = ledger.lost.iter().fold(Set::EMPTY, |set, lost| set.with(of_nonce(&lost.nonce)));
    book
}

/// The object's book after a transition of the real ledger.
pub fn transition(object: &Object, attempts: &Attempts, change: impl FnOnce(&mut Ledger)) -> Book {
    let mut real = ledger(&object.book, attempts);
    change(&mut real);
    let reported = real.possibly_lost.iter().filter_map(|lost| {
        let slot = (0..SLOTS as u8).map(Token).find(|slot| attempt(*slot, attempts) == lost.attempt)?;
        Some(slot)
    });
    let reported = reported.fold(Set::EMPTY, Set::with);
    let mut after = book(&real, &object.book);
    after.possibly_lost = after.possibly_lost.and(reported);
    after
}

/// Why an attempt failed: nothing that the decision looks at.
pub fn failure() -> Failure {
    Failure {
        reason: Reason::VerificationFailed,
        message: String::new(),
        generation: 0,
        first_retry: SECOND,
        at_least: Duration::ZERO,
    }
}
