//! The decision on any status and anything seen: it ends, it does not panic, and a revoke needs an id that stands in
//! the ledger or in the list under this object's name.
//!
//! The input is a status as JSON, a zero byte, and the bytes that the rest is made of.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use artifact_token_operator::api::ids::{Nonce, TokenId};
use artifact_token_operator::api::ledger::{ArtifactTokenStatus, HandOver, HandledRequests, LeakTimes};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::desired::{Desired, Halt, Instructions, REFUSAL_SETTLE, Timings};
use artifact_token_operator::rotation::observed::{
    ByHand, Companion, Content, Facts, Former, InFlight, Leave, Object, Observed, Offer, OfferState, Others, Ours,
    Pauses, Row, SecretState, Secrets, Seen, Service, ServiceSeen, Verdict,
};
use artifact_token_operator::rotation::plan::{Step, next_step};

/// A few ids, so that ledger, Secret, list and hand speak of the same token now and then.
const IDS: [&str; 6] = ["t1", "t2", "t3", "t4", "t5", "stranger"];

fn text(input: &mut Unstructured) -> Result<String> {
    Ok((*input.choose(&IDS)?).to_owned())
}

fn id(input: &mut Unstructured) -> Result<TokenId> {
    Ok(TokenId::new(text(input)?).expect("each of them is an id"))
}

fn time(input: &mut Unstructured) -> Result<Time> {
    // Near the fixed now, or anywhere.
    let near = i64::from(input.arbitrary::<i32>()?) + 1_800_000_000_000;
    Ok(Time::from_millis(if input.ratio(1, 8)? { input.arbitrary()? } else { near }))
}

fn maybe<T>(input: &mut Unstructured, make: impl Fn(&mut Unstructured) -> Result<T>) -> Result<Option<T>> {
    Ok(if input.arbitrary()? { Some(make(input)?) } else { None })
}

fn length(input: &mut Unstructured) -> Result<Duration> {
    Ok(if input.ratio(1, 16)? { Duration::MAX } else { Duration::from_millis(input.arbitrary::<u32>()?.into()) })
}

fn attempt(input: &mut Unstructured) -> Result<u32> {
    if input.ratio(1, 8)? { input.arbitrary() } else { input.int_in_range(0..=6) }
}

fn verdict(input: &mut Unstructured) -> Result<Verdict> {
    Ok(*input.choose(&[Verdict::Accepted, Verdict::Refused])?)
}

fn halt(input: &mut Unstructured) -> Result<Halt> {
    Ok(Halt { reason: Reason::InvalidSpec, message: String::new(), stalled: input.arbitrary()? })
}

fn desired(input: &mut Unstructured) -> Result<Desired> {
    let timings = Timings {
        token_settle: length(input)?,
        publish_deadline: length(input)?,
        claim_settle: length(input)?,
        first_retry: length(input)?,
        refusal_settle: REFUSAL_SETTLE,
    };
    Ok(Desired {
        halt: maybe(input, halt)?,
        suspended: input.arbitrary()?,
        interval: maybe(input, length)?,
        spread: length(input)?,
        rotate_before: maybe(input, length)?,
        overlap: length(input)?,
        rotate_issued_before: maybe(input, time)?,
        revoke_issued_before: LeakTimes { object: maybe(input, time)?, service: maybe(input, time)? },
        probe: input.arbitrary()?,
        verification_interval: length(input)?,
        request_digest: text(input)?,
        by_hand: Instructions::default(),
        timings,
    })
}

fn seen(input: &mut Unstructured) -> Result<Seen> {
    let state = match input.int_in_range(0..=6)? {
        0 => SecretState::Absent,
        1 => SecretState::Foreign(halt(input)?),
        2 => {
            SecretState::Former(Former { id: maybe(input, id)?, content_hash: u64::from(input.arbitrary::<u8>()? % 3) })
        }
        6 => SecretState::Unwritable(halt(input)?),
        _ => SecretState::Ours(Ours {
            attempt: attempt(input)?,
            id: maybe(input, id)?,
            fence: attempt(input)?,
            content: *input.choose(&[Content::Empty, Content::Token, Content::Edited])?,
            rendered: input.arbitrary()?,
            content_hash: u64::from(input.arbitrary::<u8>()? % 3),
        }),
    };
    Ok(Seen { live: input.arbitrary()?, state })
}

fn in_flight(input: &mut Unstructured) -> Result<InFlight> {
    Ok(match input.int_in_range(0..=2)? {
        0 => InFlight::Nothing,
        1 => InFlight::Claim { attempt: attempt(input)?, deadline: time(input)? },
        _ => InFlight::Value {
            attempt: attempt(input)?,
            id: id(input)?,
            deadline: time(input)?,
            issued: time(input)?,
            trial: maybe(input, verdict)?,
            expected: vec![maybe(input, |input| Ok(u64::from(input.arbitrary::<u8>()? % 3)))?],
            sent: input.arbitrary()?,
        },
    })
}

fn row(input: &mut Unstructured) -> Result<Row> {
    Ok(Row {
        id: id(input)?,
        attempt: attempt(input)?,
        nonce: Nonce::new(*input.choose(&["0", "aaaaaaaa", "bbbbbbbb"])?).expect("each of them is a nonce"),
        created: maybe(input, time)?,
        expiration: maybe(input, time)?,
    })
}

fn rows(input: &mut Unstructured) -> Result<Vec<Row>> {
    (0..input.int_in_range(0..=4)?).map(|_| row(input)).collect()
}

fn service(input: &mut Unstructured) -> Result<ServiceSeen> {
    Ok(ServiceSeen {
        attributable: input.arbitrary()?,
        same_origin: input.arbitrary()?,
        trusted: input.arbitrary()?,
        by_hand: false,
    })
}

fn pauses(input: &mut Unstructured) -> Result<Pauses> {
    let mut pause = || maybe(input, time);
    let (generate, verify, sweep, revoke) = (pause()?, pause()?, pause()?, pause()?);
    Ok(Pauses { generate, verify, sweep, revoke, secret: pause()?, leak: pause()?, drift: None, offer: None })
}

fn observed(input: &mut Unstructured, status: ArtifactTokenStatus) -> Result<Observed> {
    // In the order in which the corpus has them.
    let secrets = Secrets { seen: (0..input.int_in_range(0..=2)?).map(|_| seen(input)).collect::<Result<_>>()? };
    let object = object(input)?;
    let in_flight = in_flight(input)?;
    let holds_previous = input.arbitrary()?;
    let service = Service {
        listing: maybe(input, rows)?,
        swept: maybe(input, time)?,
        suspected: input.arbitrary()?,
        seen: maybe(input, service)?,
        ..Service::default()
    };
    let facts = Facts { holds_previous, ..facts(input)? };
    Ok(Observed { object, ledger: status.ledger, secrets, in_flight, service, by_hand: ByHand::default(), facts })
}

fn object(input: &mut Unstructured) -> Result<Object> {
    Ok(Object {
        deleting: input.arbitrary()?,
        finalizer: input.arbitrary()?,
        unclaimed: input.arbitrary()?,
        leave: maybe(input, |input| Ok(*input.choose(&[Leave::Orphan, Leave::Skip])?))?,
        generation: input.arbitrary()?,
        created: time(input)?,
        requests: HandledRequests {
            rotate: maybe(input, text)?,
            reconcile: maybe(input, text)?,
            confirm: maybe(input, text)?,
        },
    })
}

fn facts(input: &mut Unstructured) -> Result<Facts> {
    Ok(Facts {
        turn: input.arbitrary()?,
        holds_previous: false,
        halt: maybe(input, halt)?,
        preflight: input.arbitrary()?,
        verdict: maybe(input, verdict)?,
        unclear: None,
        accepted: maybe(input, time)?,
        doubtful: input.arbitrary()?,
        pauses: pauses(input)?,
        ..Facts::default()
    })
}

/// What is known of refusals, as far as the bytes go.
fn refusals(input: &mut Unstructured, mut desired: Desired, mut observed: Observed) -> (Desired, Observed) {
    let mut when = || maybe(input, time).unwrap_or_default();
    observed.service.others = Others { answered: when(), accepted: when(), forgiven: when(), accepts_own: false };
    observed.facts.ask_again = when();
    observed.service.others.accepts_own = input.arbitrary().unwrap_or_default();
    observed.facts.refusals = input.arbitrary().unwrap_or_default();
    observed.service.lists_others = input.arbitrary().unwrap_or_default();
    desired.timings.refusal_settle = length(input).unwrap_or(REFUSAL_SETTLE);
    (desired, observed)
}

/// What a person does by hand, as far as the bytes go.
fn by_hand(input: &mut Unstructured, mut observed: Observed) -> Observed {
    let by_hand = input.arbitrary().unwrap_or_default();
    observed.service.seen.iter_mut().for_each(|seen| seen.by_hand = by_hand);
    observed.by_hand.offer = maybe(input, offer).unwrap_or_default();
    observed.by_hand.companion = companion(input).unwrap_or_default();
    observed.by_hand.companion_stale = input.arbitrary().unwrap_or_default();
    let asked = maybe(input, |input| Ok((id(input)?, time(input)?))).unwrap_or_default();
    observed.by_hand.asked = asked.into_iter().collect();
    observed
}

fn offer(input: &mut Unstructured) -> Result<Offer> {
    let claimed = HandOver { uid: "offer".to_owned(), resource_version: "7".to_owned() };
    let secret = HandOver { resource_version: text(input)?, ..claimed };
    let state = match input.int_in_range(0..=3)? {
        0 => OfferState::Unread,
        1 => OfferState::Ready,
        2 => OfferState::Taken,
        _ => OfferState::Refused(String::new()),
    };
    Ok(Offer { secret, state })
}

fn companion(input: &mut Unstructured) -> Result<Companion> {
    Ok(match input.int_in_range(0..=3)? {
        0 => Companion::Absent,
        1 => Companion::Unread,
        2 => Companion::Foreign(halt(input)?),
        _ => Companion::Ours((0..input.int_in_range(0..=2)?).map(|_| id(input)).collect::<Result<_>>()?),
    })
}

fn check(bytes: &[u8]) -> Option<()> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let status: ArtifactTokenStatus = serde_json::from_slice(&bytes[..end]).ok()?;
    let mut input = Unstructured::new(bytes.get(end + 1..).unwrap_or_default());
    let (desired, observed) = (desired(&mut input).ok()?, observed(&mut input, status).ok()?);
    let now = time(&mut input).ok()?;
    // The corpus is older than these.
    let (desired, observed) = refusals(&mut input, desired, observed);
    let observed = by_hand(&mut input, observed);
    let step = next_step(&desired, &observed, now);
    assert_eq!(step, next_step(&desired, &observed, now), "the same of the same");
    if let Step::Revoke { attempt, id } = &step {
        assert!(!observed.ledger.is_by_hand(*attempt, id), "a revoke of a token that was handed over: {observed:#?}");
        let listed = observed.service.listing.iter().flatten().any(|row| row.id == *id);
        assert!(observed.ledger.knows(id) || listed, "a revoke of a stranger's token: {observed:#?}");
        assert!(observed.object.finalizer, "a revoke without a finalizer: {observed:#?}");
    }
    Some(())
}

/// Whether the bytes begin with a status, and the rest is enough for what is made of it.
pub fn holds_for(bytes: &[u8]) -> bool {
    check(bytes).is_some()
}
